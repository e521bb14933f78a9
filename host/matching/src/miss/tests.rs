//! Tests of the ranking of candidates and of the texts of reports.

use std::sync::Arc;

use super::*;
use crate::key::sample_message::{Sample, body, default_parts};
use crate::key::{ExcludedNames, Key, KeyPart, KeyedMessage, derive};

const JSON: &str = "application/json";

pub(super) fn missed(parts: &[KeyPart], live: &Sample, cause: Cause) -> MissedRequest {
    MissedRequest {
        session: "default".to_owned(),
        request_line: "POST /v1/chat".to_owned(),
        message: keyed(parts, live),
        cause,
        unavailable: Unavailable::default(),
        guidance: Guidance {
            accept_command: "ouli-gateway cassette accept default".to_owned(),
            record_command: "ouli-gateway record --upstream http://u".to_owned(),
            auto_command: "ouli-gateway auto --upstream http://u".to_owned(),
            config_file: "ouli.toml".to_owned(),
            ..Guidance::default()
        },
    }
}

fn keyed(parts: &[KeyPart], sample: &Sample) -> KeyedMessage {
    KeyedMessage {
        matcher: None,
        parts: parts.to_vec(),
        view: Arc::new(sample.clone()),
    }
}

pub(super) fn candidate(ordinal: usize, parts: &[KeyPart], recorded: &Sample) -> Candidate {
    Candidate {
        ordinal,
        request_line: "POST /v1/chat".to_owned(),
        message: keyed(parts, recorded),
        response: Default::default(),
        replayed: false,
    }
}

pub(super) fn json(text: &str) -> Sample {
    Sample::new("POST", "/").body(JSON, text.to_owned())
}

#[test]
fn limits_the_size_of_a_report() {
    let list = |from: usize| {
        let list: Vec<_> = (from..from + 200).map(|n| n.to_string()).collect();
        json(&format!("[{}]", list.join(",")))
    };
    let parts = [body(&[])];
    let missed = missed(&parts, &list(0), Cause::NoMatch);
    let candidates = (1..9).map(|ordinal| candidate(ordinal, &parts, &list(1000)));
    let miss = report(missed, candidates.collect());
    let ordinals: Vec<_> = miss.nearest.iter().map(|nearest| nearest.ordinal).collect();
    assert_eq!(ordinals, [1, 2, 3]);
    assert_eq!(
        (
            miss.nearest[0].differences.len(),
            miss.nearest[0].omitted_differences
        ),
        (8, 192)
    );
    assert!(miss.to_text().contains("    and 192 more\n"));
    assert_eq!(miss.to_problem()["nearest"][0]["omitted_differences"], 192);
}

#[test]
fn orders_candidates_by_similarity() {
    let parts = default_parts(&[], &[]);
    let request =
        |target: &str, text: &str| Sample::new("POST", target).body(JSON, text.to_owned());
    let live = request("/v1/users/42/posts?page=1", r#"{"a":1,"b":{"c":2,"d":3}}"#);
    let recorded = [
        request("/other", "{}"),
        request("/v1/users/41/posts?page=1", r#"{"a":1,"b":{"c":2,"d":3}}"#),
        request("/v1/users/42/posts?page=1", r#"{"a":1,"b":{"c":2,"d":4}}"#),
        request("/v1/users/42/posts?page=2", r#"{"a":1,"b":{"c":2,"d":4}}"#),
    ];
    let order = |used: usize| {
        let missed = missed(&parts, &live, Cause::NoMatch);
        let candidates = recorded.iter().chain([&recorded[2]]).enumerate();
        let candidates = candidates.map(|(index, sample)| Candidate {
            replayed: index == used,
            ..candidate(index, &parts, sample)
        });
        let miss = report(missed, candidates.collect());
        let ordinals = miss.nearest.iter().map(|nearest| nearest.ordinal);
        ordinals.collect::<Vec<_>>()
    };
    assert_eq!(order(0), [2, 4, 3]);
    assert_eq!(
        order(2),
        [4, 2, 3],
        "a candidate that was not replayed yet comes first"
    );
}

#[test]
fn rank_selects_the_most_similar_keys() {
    let parts = default_parts(&[], &[]);
    let key = |method: &str, target: &str| derive(&parts, &Sample::new(method, target));
    let live = key("GET", "/v1/users/42?page=1");
    let mut keys: Vec<Key> = (0..1000)
        .map(|n| key("PUT", &format!("/x{n}/y?z={n}")))
        .collect();
    keys[700] = key("GET", "/v1/users/42?page=2");
    keys[300] = key("POST", "/v1/users/42?page=2");
    keys[900] = key("GET", "/v1/users/41?page=1");
    let rank = |limit| rank(&live, keys.iter().enumerate(), limit);
    assert_eq!(rank(3), [700, 900, 300]);
    assert_eq!(rank(24)[..3], [700, 900, 300]);
    assert_eq!(rank(24).len(), 24);
    assert_eq!(rank(0), [0_usize; 0]);
    assert_eq!(rank(5000).len(), 1000);
    let same = vec![live.clone(); 5];
    assert_eq!(super::rank(&live, same.iter().enumerate(), 3), [0, 1, 2]);
}

#[test]
fn shows_differences_and_settings_in_text_and_problem() {
    let parts = default_parts(&[], &[]);
    let live = Sample::new("POST", "/v1/chat?n=17&x=1")
        .body(JSON, r#"{"messages":[{"content":"hi"}],"seed":1}"#);
    let recorded =
        Sample::new("POST", "/v1/chat?n=2").body(JSON, r#"{"messages":[{"content":"hello"}]}"#);
    let missed = missed(&parts, &live, Cause::NoMatch);
    let miss = report(missed, vec![candidate(12, &parts, &recorded)]);
    let expected = r#"miss  POST /v1/chat  (session default)
  nearest 1: exchange 12  POST /v1/chat
    query n                    sent "17"   recorded "2"       (matcher.ignore_query)
    query x                    sent "1"    not recorded       (matcher.ignore_query)
    body /messages/0/content   sent "hi"   recorded "hello"   (matcher.ignore_body)
    body /seed                 sent 1      not recorded       (matcher.ignore_body)
  to match exchange 12, put into ouli.toml:
    [matcher]
    ignore_query = ["n", "x"]
    ignore_body = ["/messages/0/content", "/seed"]
  to record it: ouli-gateway auto --upstream http://u
"#;
    assert_eq!(miss.to_text(), expected);
    let problem = miss.to_problem();
    assert_eq!(
        problem["detail"],
        concat!(
            "POST /v1/chat is not recorded in session default: query n and 3 more places differ ",
            "from exchange 12. To match exchange 12, add --set ",
            r#"'matcher.ignore_query=["n", "x"]' --set "#,
            r#"'matcher.ignore_body=["/messages/0/content", "/seed"]'. "#,
            "To record it, run: ouli-gateway auto --upstream http://u"
        )
    );
    let expected = serde_json::json!({
        "part": "query",
        "at": "x",
        "sent": "\"1\"",
        "setting": "matcher.ignore_query",
    });
    assert_eq!(problem["nearest"][0]["differences"][1], expected);
    assert_eq!(problem["remedy"]["exchange"], 12);
    assert_eq!(problem["type"], "urn:ouli:problem:miss");
    assert_eq!(problem["status"], 404);
}

/// The remedy for a request, with these settings in force.
fn remedy(settings: &str, parts: &[KeyPart], live: &Sample, recorded: &[Sample]) -> Option<Remedy> {
    let mut missed = missed(parts, live, Cause::NoMatch);
    missed.guidance.matcher = serde_json::from_str(settings).unwrap();
    let recorded = recorded.iter().enumerate();
    let candidates = recorded.map(|(index, sample)| candidate(index + 1, parts, sample));
    report(missed, candidates.collect()).remedy
}

#[test]
fn a_remedy_keeps_the_settings_in_force() {
    let parts = default_parts(&["nonce"], &[]);
    let (live, recorded) = (
        Sample::new("GET", "/?nonce=1&page=1"),
        Sample::new("GET", "/?nonce=2&page=2"),
    );
    let settings = r#"{"authority": true, "ignore_query": ["nonce"]}"#;
    let remedy = remedy(settings, &parts, &live, &[recorded]).unwrap();
    let expected = "[matcher]\nauthority = true\nignore_query = [\"nonce\", \"page\"]\n";
    assert_eq!(remedy.section, expected);
    let flags = r#"--set 'matcher.ignore_query=["nonce", "page"]'"#;
    assert_eq!(remedy.flags, flags);
    let instruction = remedy.instruction.as_deref();
    assert_eq!(instruction, Some("replace [matcher] in ouli.toml by"));
}

#[test]
fn a_remedy_is_the_smallest_that_works() {
    let headers = |except: &[&str]| KeyPart::Headers {
        except: ExcludedNames::case_insensitive(except),
    };
    let get = |header| Sample::new("GET", "/").field("x-run", header);
    let (live, recorded) = (get(b"1"), get(b"2"));
    // The header is compared twice, so both settings are needed.
    let both = [KeyPart::Header("x-run".to_owned()), headers(&[])];
    let settings = r#"{"headers": ["*", "X-Run"]}"#;
    let found = remedy(settings, &both, &live, std::slice::from_ref(&recorded)).unwrap();
    let expected = "[matcher]\nheaders = [\"*\"]\nignore_headers = [\"x-run\"]\n";
    assert_eq!(found.section, expected);
    let once = [KeyPart::Header("x-run".to_owned()), headers(&["x-run"])];
    let found = remedy(settings, &once, &live, std::slice::from_ref(&recorded)).unwrap();
    assert_eq!(found.section, "[matcher]\nheaders = [\"*\"]\n");
}

#[test]
fn a_remedy_that_does_not_work_is_not_shown() {
    let parts = default_parts(&[], &[]);
    let live = Sample::new("GET", "/a?page=1");
    let other_path = Sample::new("GET", "/b?page=2");
    assert_eq!(
        remedy("{}", &parts, &live, std::slice::from_ref(&other_path)),
        None
    );
    // The nearest cannot be made to match, the next one can.
    let other_case = Sample::new("GET", "/A?page=1");
    let other_page = Sample::new("GET", "/a?page=2&x=1&y=2&z=3");
    let found = remedy("{}", &parts, &live, &[other_case, other_page]).unwrap();
    assert_eq!(found.exchange, 2);
    assert_eq!(
        found.section,
        "[matcher]\nignore_query = [\"page\", \"x\", \"y\", \"z\"]\n"
    );
}

#[test]
fn a_remedy_names_the_other_exchanges_that_match_then() {
    let parts = default_parts(&[], &[]);
    let get = |page: u32| Sample::new("GET", &format!("/a?page={page}"));
    let recorded = [get(1), get(2), get(2), Sample::new("GET", "/b?page=1")];
    let found = remedy("{}", &parts, &get(3), &recorded).unwrap();
    assert_eq!((found.exchange, &found.also_matches[..]), (1, &[2, 3][..]));
    let found = remedy("{}", &parts, &get(3), &[get(2), get(2)]).unwrap();
    assert!(found.also_matches.is_empty(), "{found:?}");
}

#[test]
fn flags_are_shown_where_flags_set_the_section() {
    let parts = default_parts(&[], &[]);
    let (live, recorded) = (Sample::new("GET", "/?a=1"), Sample::new("GET", "/?a=2"));
    let mut missed = missed(&parts, &live, Cause::NoMatch);
    missed.guidance.matcher_by_flags = true;
    let miss = report(missed, vec![candidate(1, &parts, &recorded)]);
    let text = miss.to_text();
    let line = "  to match exchange 1, add: --set 'matcher.ignore_query=[\"a\"]'\n";
    assert!(text.contains(line), "{text}");
    assert!(miss.to_problem()["remedy"].get("toml").is_none());
}

#[test]
fn a_setting_is_named_only_if_the_difference_disappears() {
    // The built-in matcher has no such part: it is one of a plugin.
    let parts = [KeyPart::Custom {
        name: "query".to_owned(),
        value: "1".into(),
    }];
    let other = [KeyPart::Custom {
        name: "body".to_owned(),
        value: "2".into(),
    }];
    let sample = Sample::new("GET", "/");
    let missed = missed(&parts, &sample, Cause::NoMatch);
    let miss = report(missed, vec![candidate(1, &other, &sample)]);
    let body = &miss.nearest[0].differences[1];
    assert_eq!(body.part, "body");
    assert_eq!(body.resolution.to_string(), "no setting ignores it");
}

#[test]
fn paths_that_differ_in_case_or_a_slash_are_the_nearest() {
    let parts = default_parts(&[], &[]);
    let get = |path: &str| Sample::new("GET", path);
    let live = get("/V1/Users/42/");
    let recorded = [get("/V1/Users/43"), get("/V1/Users"), get("/v1/users/42")];
    let keys: Vec<Key> = recorded.iter().map(|one| derive(&parts, one)).collect();
    let ranked = rank(&derive(&parts, &live), keys.iter().enumerate(), 1);
    assert_eq!(ranked, [2]);
    let recorded = recorded.iter().enumerate();
    let candidates = recorded.map(|(index, sample)| candidate(index, &parts, sample));
    let miss = report(missed(&parts, &live, Cause::NoMatch), candidates.collect());
    assert_eq!(miss.nearest[0].ordinal, 2);
    let summary = miss.summary();
    let end = ": path differs only in case and a trailing slash from exchange 2";
    assert!(summary.ends_with(end), "{summary}");
}

#[test]
fn gives_advice_for_every_cause() {
    let parts = default_parts(&[], &[]);
    let live = Sample::new("GET", "/a");
    let repeat = "on_exhausted = \"repeat\" repeats the last response";
    let (record, auto) = (
        "ouli-gateway record --upstream http://u",
        "ouli-gateway auto --upstream http://u",
    );
    let cases = [
        (
            Cause::NoCassette,
            "POST /v1/chat is not recorded: session default has no cassette",
            record,
        ),
        (
            Cause::Empty,
            "POST /v1/chat is not recorded: session default is empty",
            record,
        ),
        (
            Cause::Exhausted { recorded: 1 },
            "POST /v1/chat is recorded once in session default, and it was replayed",
            repeat,
        ),
        (
            Cause::Exhausted { recorded: 3 },
            "POST /v1/chat is recorded 3 times in session default, and all were replayed",
            repeat,
        ),
        (
            Cause::NoMatch,
            "POST /v1/chat is not recorded in session default",
            auto,
        ),
        (
            Cause::Edited { exchange: 6 },
            "POST /v1/chat matches exchange 6 of session default, but it was edited and is not \
             replayed (strict)",
            "ouli-gateway cassette accept default",
        ),
    ];
    for (cause, summary, advice) in cases {
        let miss = report(missed(&parts, &live, cause), Vec::new());
        assert_eq!(miss.summary(), summary);
        let detail = miss.detail();
        assert!(detail.starts_with(&format!("{summary}. ")), "{detail}");
        assert!(detail.ends_with(advice), "{detail}");
        let text = miss.to_text();
        assert!(text.trim_end().ends_with(advice), "{text}");
    }
}

#[test]
fn control_characters_do_not_reach_the_terminal() {
    let parts = default_parts(&[], &[]);
    let live = Sample::new("GET", "/?%1b%5b31m=%1b");
    let missed = missed(&parts, &live, Cause::NoMatch);
    let miss = report(missed, vec![candidate(1, &parts, &Sample::new("GET", "/"))]);
    let text = miss.to_text();
    assert!(text.contains("query \\u{1b}[31m"), "{text}");
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'));
}

#[test]
fn a_remedy_that_ignores_all_bodies_says_so() {
    let parts = default_parts(&[], &[]);
    let post = |text: &'static str| Sample::new("POST", "/").body("text/plain", text);
    let missed = missed(&parts, &post("one"), Cause::NoMatch);
    let candidates = [post("two"), post("xyz")];
    let candidates = candidates.iter().enumerate();
    let candidates = candidates.map(|(index, sample)| candidate(index + 1, &parts, sample));
    let miss = report(missed, candidates.collect());
    let effects = " (no request body is compared then; exchange 2 matches then too)";
    let text = miss.to_text();
    assert!(
        text.contains(&format!("put into ouli.toml{effects}:\n")),
        "{text}"
    );
    assert!(miss.detail().contains(effects), "{}", miss.detail());
    let remedy = &miss.to_problem()["remedy"];
    assert_eq!(remedy["ignores_bodies"], true);
    assert_eq!(remedy["also_matches"], serde_json::json!([2]));
}

#[test]
fn a_text_that_may_hold_a_secret_is_withheld() {
    let parts = default_parts(&[], &[]);
    let get = |page: &str| Sample::new("GET", &format!("/a?page={page}&s3cr3t=1"));
    let mut missed = missed(&parts, &get("s3cr3t"), Cause::NoMatch);
    missed.request_line = "GET /a?page=s3cr3t".to_owned();
    let mut miss = report(missed, vec![candidate(1, &parts, &get("2"))]);
    miss.command = Some(Advice {
        purpose: Purpose::Record,
        command: "ouli-gateway auto --set plugin.settings.key=s3cr3t".to_owned(),
    });
    miss.withhold(|text| text.contains("s3cr3t"));
    let shown = format!("{} {} {}", miss.to_text(), miss.detail(), miss.to_problem());
    assert!(!shown.contains("s3cr3t"), "{shown}");
    assert!(
        shown.contains("sent <withheld>   recorded \"2\""),
        "{shown}"
    );
    assert_eq!(miss.command, None);
    assert!(miss.remedy.is_some());
}
