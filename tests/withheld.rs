//! Exchanges that are not replayed: damaged ones, and edited ones with `strict`.

use std::fs;

use crate::damage::{recorded, run};
use crate::support::{client, gateway};

#[test]
fn a_miss_names_the_damaged_exchange_and_suggests_no_other_one() {
    let folder = recorded();
    let good = folder.text("default");
    let third = good.find("{\n  \"exchange\": 3").unwrap();
    let (before, after) = good.split_at(third);
    let broken = format!("{before}{}", after.replacen("\"status\"", "\"state\"", 1));
    let line = 1 + broken[..broken.find("\"state\"").unwrap()]
        .matches('\n')
        .count();
    fs::write(folder.cassette("default"), &broken).unwrap();
    let gateway = gateway::replay(&folder).start();
    // Without the damaged exchange, a setting would match another one.
    for target in ["/text", "/text?page=1"] {
        let problem = client::http1(&gateway).get(target).json();
        let detail = problem["detail"].as_str().unwrap();
        let damage = format!("exchange 3 of the cassette (line {line}) is damaged");
        assert!(detail.contains(&damage), "{detail}");
        assert!(
            detail.contains("Restore the cassette from version control"),
            "{detail}"
        );
        assert!(problem.get("remedy").is_none(), "{problem:#}");
    }
}

#[test]
fn a_strict_replay_takes_edits_once_they_are_accepted() {
    let folder = recorded();
    let good = folder.text("default");
    let third = good.find("{\n  \"exchange\": 3").unwrap();
    let (before, after) = good.split_at(third);
    let edited = format!(
        "{before}{}",
        after.replacen("\"status\": 200", "\"status\": 201", 1)
    );
    assert_ne!(edited, good);
    fs::write(folder.cassette("default"), &edited).unwrap();
    let strict = || gateway::replay(&folder).set("strict = true").start();
    let gateway = strict();
    let problem = client::http1(&gateway).get("/text").json();
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail.contains("GET /text matches exchange 3 of session default, but it was edited")
            && detail.ends_with("To accept the edit, run: ouli-gateway cassette accept default"),
        "{detail}"
    );
    assert!(!gateway.finish().passed);
    let accepted = run(&folder, &["cassette", "accept", "default"]);
    assert_eq!(accepted.status, Some(0), "{}", accepted.stderr);
    assert_eq!(accepted.stdout, "session default: accepted exchange 3\n");
    let gateway = strict();
    assert_eq!(client::http1(&gateway).get("/text").status, 201);
    assert!(gateway.finish().edited.is_empty());
    // Nothing is written that the guard rejects.
    let token = format!("ghp_{}", "a1B2c3D4e5F6".repeat(3));
    let secret = folder
        .text("default")
        .replacen("\"/text\"", &format!("\"/{token}\""), 1);
    fs::write(folder.cassette("default"), &secret).unwrap();
    let refused = run(&folder, &["cassette", "accept", "cassettes/default.jsons"]);
    assert_eq!(refused.status, Some(2), "{}", refused.stdout);
    assert!(
        refused.stderr.contains("exchange 3: "),
        "{}",
        refused.stderr
    );
    assert!(!refused.stderr.contains(&token));
    assert_eq!(folder.text("default"), secret);
}
