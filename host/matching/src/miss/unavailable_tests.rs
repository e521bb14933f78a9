//! Tests of reports that cannot compare, or do not show, everything.

use super::tests::{candidate, missed};
use super::*;
use crate::key::sample_message::{Sample, default_parts};

const JSON: &str = "application/json";

#[test]
fn a_damaged_exchange_comes_before_others_and_no_setting_replaces_it() {
    let parts = default_parts(&[], &[]);
    let (live, recorded) = (Sample::new("GET", "/?a=1"), Sample::new("GET", "/?a=2"));
    let mut missed = missed(&parts, &live, Cause::NoMatch);
    let damaged = |ordinal, line| DamagedExchange { ordinal, line };
    missed.unavailable.damaged = vec![damaged(3, 70)];
    let miss = report(missed, vec![candidate(2, &parts, &recorded)]);
    assert_eq!(miss.remedy, None);
    let damage = "exchange 3 of the cassette (line 70) is damaged and cannot be compared";
    let summary =
        format!("POST /v1/chat matches no exchange of session default that can be read: {damage}");
    assert_eq!(miss.summary(), summary);
    let command = "ouli-gateway record --upstream http://u";
    let restore = "estore the cassette from version control, or record it again";
    assert_eq!(miss.detail(), format!("{summary}. R{restore}: {command}"));
    let text = miss.to_text();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[1], format!("  {damage}"));
    assert!(lines[2].starts_with("  nearest 1: exchange 2 "), "{text}");
    assert_eq!(*lines.last().unwrap(), format!("  r{restore}: {command}"));
    let unavailable = &miss.to_problem()["unavailable"];
    assert_eq!(
        unavailable["damaged"],
        serde_json::json!([{"exchange": 3, "line": 70}])
    );
    let many = Unavailable {
        damaged: (0..5).map(|ordinal| damaged(ordinal, 1)).collect(),
        edited: vec![7, 8],
        uncompared: 9,
    };
    let clauses = [many.damage(), many.edits(), many.limited()];
    assert_eq!(
        clauses.map(Option::unwrap_or_default),
        [
            "the header of the cassette (line 1), exchange 1 of the cassette (line 1), exchange 2 \
             of the cassette (line 1) and 2 more are damaged and cannot be compared",
            "exchanges [7, 8] were edited and are not replayed (strict)",
            "recorded uploads that broke off at 9 other lengths were not compared \
             (limits.truncated_comparison)",
        ]
    );
}

#[test]
fn bodies_of_other_paths_are_not_compared_if_the_path_is_recorded() {
    let parts = default_parts(&[], &[]);
    let post = |path: &str, text: &str| Sample::new("POST", path).body(JSON, text.to_owned());
    let live = post("/a", r#"{"a":1,"b":2,"c":3}"#);
    let (same, other) = (post("/a", r#"{"a":9}"#), post("/b", r#"{"a":9,"b":8}"#));
    let parts_of = |miss: &Miss| -> Vec<Vec<String>> {
        let nearest = miss.nearest.iter();
        let names = |it: &Nearest| it.differences.iter().map(|one| one.part.clone()).collect();
        nearest.map(names).collect()
    };
    let other = candidate(2, &parts, &other);
    let missed = || missed(&parts, &live, Cause::NoMatch);
    let miss = report(missed(), vec![candidate(1, &parts, &same), other]);
    assert_eq!(parts_of(&miss), [vec!["body"; 3], vec!["path"]]);
    assert_eq!(miss.nearest[1].omitted_differences, 3);
    let alone = report(missed(), vec![candidate(2, &parts, &post("/b", "{}"))]);
    assert!(
        parts_of(&alone)[0].contains(&"body".to_owned()),
        "{alone:?}"
    );
}
