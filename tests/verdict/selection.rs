//! What selects the kinds that fail, and the exit status.

use super::{Trial, get, nowhere};
use crate::support::binary::program;
use crate::support::client;
use crate::support::folder::Folder;
use crate::support::gateway;
use crate::support::origin;
use ouli_config::Defect;

#[test]
fn strict_fail_on_and_ci_set_the_exit_status() {
    for mode in ["record", "auto", "replay"] {
        let trial = Trial::new(mode, &nowhere(), &get);
        let kind = if mode == "replay" {
            "miss"
        } else {
            "upstream-error"
        };
        let only = format!("none,{kind}");
        let without = format!("all,-{kind},-unused");
        for (flags, ci, status) in [
            (&[][..], None, 0),
            (&[], Some("false"), 0),
            (&[], Some("true"), 1),
            (&[], Some("1"), 1),
            (&["--strict"], None, 1),
            (&["--fail-on", "unused"], None, 1),
            (&["--fail-on", "none", "--fail-on", kind], None, 1),
            (&["--fail-on", &only], None, 1),
            (&["--fail-on", &without], Some("true"), 0),
            (&["--strict", "--fail-on", &without], None, 0),
            (&["--set", "verdict.fail_on=none"], Some("true"), 0),
            (&["--fail-on", "none"], Some("true"), 0),
        ] {
            let given = trial.run_in(flags, ci);
            assert_eq!(
                given.status,
                Some(status),
                "{mode} {flags:?} {ci:?}: {given:#?}"
            );
        }
    }
}

#[test]
fn the_setting_selects_as_the_flag_does() {
    let config = "[verdict]\nfail_on = [\"none\", \"miss\"]";
    let trial = Trial::new("record", &nowhere(), &get).config(config);
    let given = trial.run(&[]);
    assert_eq!(given.status, Some(0), "{given:#?}");
    assert_eq!(given.report["fail_on"], serde_json::json!(["miss"]));
    // What does not fail the verdict is counted and shown.
    let session = &given.report["sessions"][0];
    let counted = session["defects"]["upstream-error"].as_object().unwrap();
    assert_eq!(counted.values().next().unwrap(), 1);
    assert!(given.stderr.contains("\n  not recorded: 1 ("), "{given:#?}");
    assert_eq!(trial.run(&["--fail-on", "upstream-error"]).status, Some(1));
}

#[test]
fn an_unknown_kind_is_refused_with_the_list() {
    let folder = Folder::new();
    for (flags, named) in [
        (&["--fail-on", "mis"][..], "--fail-on"),
        (&["--fail-on", "-mis"], "--fail-on"),
        (&["--set", "verdict.fail_on=miss,mis"], "verdict.fail_on"),
    ] {
        let ended = program(&folder, &[&["replay"], flags].concat()).run();
        assert_eq!(ended.status, Some(2), "{ended:?}");
        assert!(ended.stderr.contains(named), "{}", ended.stderr);
        for kind in Defect::all() {
            assert!(ended.stderr.contains(kind.name()), "{}", ended.stderr);
        }
    }
}

#[test]
fn the_help_and_the_documentation_list_all_kinds() {
    let help = program(&Folder::new(), &["replay", "--help"]).run().stdout;
    let settings = include_str!("../../host/docs/settings.md");
    let verdicts = include_str!("../../host/docs/sessions-and-verdicts.md");
    for kind in Defect::all() {
        let name = kind.name();
        assert!(help.contains(name), "--help: {name}");
        assert!(
            settings.contains(&format!("`{name}`")),
            "settings.md: {name}"
        );
        assert!(verdicts.contains(&format!("\n| `{name}` |")), "{name}");
    }
}

#[test]
fn a_failure_has_kind_count_reason_and_text() {
    let twice = |address| {
        get(address);
        get(address);
    };
    let given = Trial::new("replay", "", &twice).run(&[]);
    let expected = serde_json::json!({
        "kind": "miss",
        "count": 2,
        "reason": "not found in the cassette",
        "text": "NOT REPLAYED: 2 (not found in the cassette) [miss]",
    });
    assert_eq!(given.report["sessions"][0]["failures"][0], expected);
    assert!(
        given
            .stderr
            .contains("\n  NOT REPLAYED: 2 (not found in the cassette) [miss]\n")
    );
}

#[test]
fn a_mark_returns_the_verdict_of_its_run_by_the_same_rules() {
    let origin = origin::simple();
    let gateway = gateway::auto(&origin).set("strict = true").start();
    let client = client::http1(&gateway);
    let mark = || {
        let mark = client.ask("POST", "/__ouli/sessions/default/mark").send();
        let kinds = |of: &str| -> Vec<String> {
            let page = mark.json();
            let failures = page[of]["failures"].as_array().unwrap().iter();
            let kinds = failures.map(|it| it["kind"].as_str().unwrap().to_owned());
            kinds.collect()
        };
        (kinds("verdict"), kinds("total"))
    };
    client.get("/hello");
    assert_eq!(mark(), (vec![], vec![]));
    // The second run has no request.
    assert_eq!(mark(), (vec!["no-requests".to_owned()], vec![]));
    origin.stop();
    client.get("/text/plain");
    let lost = vec!["upstream-error".to_owned()];
    assert_eq!(mark(), (lost.clone(), lost.clone()));
    client.get("/hello");
    assert_eq!(mark(), (vec![], lost));
}
