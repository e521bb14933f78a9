//! Secrets match by their identity: one to one over a run, and no value is a wildcard.

mod conversations;
mod cookies;
mod credentials;
mod fresh_logins;
mod told;
mod values;

use ouli_config::Defect;

use crate::support::client::{self, Answer, Client};
use crate::support::gateway;
use crate::support::origin::{self, Origin, Seen};
use crate::support::random;

/// A value that looks like a token of a user.
fn token() -> String {
    format!("tok_{}", random())
}

/// An origin that tells who asks, by the last characters of the credentials.
fn who_am_i() -> Origin {
    let answer = |seen: &Seen| {
        let credentials = seen.headers.get("authorization");
        let credentials = credentials.map_or("nobody", |it| it.to_str().unwrap());
        let digest = credentials.bytes().fold(7_u64, |sum, byte| {
            sum.wrapping_mul(31).wrapping_add(u64::from(byte))
        });
        origin::text(&format!("user {} at {}", digest % 1_000_000, seen.target))
    };
    origin::new().route("/*", answer).start()
}

fn get_as(client: &Client, target: &str, token: &str) -> Answer {
    let ask = client.ask("GET", target);
    ask.header("authorization", &format!("Bearer {token}"))
        .send()
}

#[test]
fn two_users_get_their_own_answers_in_any_order() {
    for connect in client::VERSIONS {
        let (origin, [one, two]) = (who_am_i(), [token(), token()]);
        let gateway = gateway::auto(&origin).start();
        let client = connect(&gateway);
        let answers = [&one, &two].map(|it| get_as(&client, "/me", it).text().to_owned());
        assert_ne!(answers[0], answers[1]);
        gateway.mark();
        // The process knows which recorded token is which.
        assert_eq!(get_as(&client, "/me", &two).text(), answers[1]);
        assert_eq!(get_as(&client, "/me", &one).text(), answers[0]);
        assert_eq!(origin.seen().len(), 2, "the upstream was not asked again");
        let report = gateway.finish();
        assert_eq!((report.hits, report.renamed), (2, 0), "{report:?}");
        assert!(report.counted(Defect::Assumed).is_empty());
    }
}

#[test]
fn another_user_takes_the_place_of_a_recorded_one_for_the_whole_run() {
    let (origin, recorded) = (who_am_i(), [token(), token()]);
    let gateway = gateway::record(&origin).start();
    let client = client::http1(&gateway);
    let asked: Vec<_> = [
        ("/login", 0),
        ("/me", 0),
        ("/login", 1),
        ("/me", 1),
        ("/own", 1),
    ]
    .map(|(target, user)| get_as(&client, target, &recorded[user]).text().to_owned())
    .into();
    let folder = gateway.into_folder();
    let live = [token(), token()];
    let replay = gateway::replay(&folder).start();
    let client = client::http1(&replay);
    let ask = |target: &str, user: usize| get_as(&client, target, &live[user]);
    // The first of them takes the place of the first: it is an assumption.
    assert_eq!(ask("/login", 0).text(), asked[0]);
    assert_eq!(ask("/login", 1).text(), asked[2]);
    assert_eq!(ask("/me", 1).text(), asked[3]);
    assert_eq!(ask("/me", 0).text(), asked[1]);
    assert_eq!(ask("/own", 1).text(), asked[4]);
    let missed = ask("/own", 0);
    assert_eq!(missed.status, 404);
    assert_eq!(missed.json()["identity"]["part"], "header.authorization");
    let detail = missed.json()["detail"].to_string();
    assert!(
        detail.contains("exchange 5 differs in header.authorization")
            && detail.contains("stands for <authorization-1> since exchange 1"),
        "{detail}"
    );
    assert!(!detail.contains(&live[0]), "{detail}");
    let third = get_as(&client, "/me", &token());
    assert_eq!(third.status, 404, "{}", third.text());
    let verdict = replay.stop();
    let text = verdict.to_text();
    assert!(text.contains("; 5 hits (5 renamed), 2 misses"), "{text}");
    for line in [
        "\n  the secret in header.authorization stands for <authorization-1> since exchange 1; \
         assumed, that of exchange 3 fits as well\n",
        "\n  the secret in header.authorization stands for <authorization-2> since exchange 3\n",
    ] {
        assert!(text.contains(line), "{text}");
    }
    assert!(
        live.iter().all(|secret| !text.contains(&**secret)),
        "{text}"
    );
    let report = gateway::pick(verdict, "default");
    assert_eq!((report.hits, report.renamed, report.misses), (5, 5, 2));
    let assumed = report.counted(Defect::Assumed);
    assert_eq!(assumed.values().sum::<u64>(), 1, "{report:?}");
}

#[test]
fn an_assumption_fails_a_verdict_if_that_is_asked_for() {
    let origin = who_am_i();
    let gateway = gateway::record(&origin).start();
    let client = client::http1(&gateway);
    for _ in 0..2 {
        get_as(&client, "/me", &token());
    }
    let folder = gateway.into_folder();
    for (fail_on, passed) in [("", true), ("[verdict]\nfail_on = [\"assumed\"]", false)] {
        let replay = gateway::replay(&folder).section(fail_on).start();
        assert_eq!(get_as(&client::http1(&replay), "/me", &token()).status, 200);
        let verdict = replay.stop();
        assert_eq!(verdict.passed, passed, "{}", verdict.to_text());
        assert!(
            verdict.to_text().contains("ssumed"),
            "{}",
            verdict.to_text()
        );
    }
}

#[test]
fn a_request_with_credentials_differs_from_one_without() {
    let origin = who_am_i();
    for (first, second) in [(true, false), (false, true)] {
        let gateway = gateway::record(&origin).start();
        let ask = |client: &Client, with: bool| match with {
            true => get_as(client, "/me", &token()),
            false => client.get("/me"),
        };
        ask(&client::http1(&gateway), first);
        let folder = gateway.into_folder();
        let replay = gateway::replay(&folder).start();
        let missed = ask(&client::http1(&replay), second);
        assert_eq!(missed.status, 404);
        let setting = "ignore_headers = [\\\"authorization\\\"]";
        assert!(missed.text().contains(setting), "{}", missed.text());
        let section = "[matcher]\nignore_headers = [\"authorization\"]";
        let replay = gateway::replay(&folder).section(section).start();
        assert_eq!(ask(&client::http1(&replay), second).status, 200);
    }
}

#[test]
fn what_a_run_adds_has_the_placeholder_that_its_secret_stands_for() {
    let origin = who_am_i();
    let gateway = gateway::record(&origin).start();
    get_as(&client::http1(&gateway), "/one", &token());
    let folder = gateway.into_folder();
    let live = token();
    let gateway = gateway::over(&folder, "auto")
        .upstream(&origin.url())
        .start();
    let client = client::http1(&gateway);
    get_as(&client, "/one", &live);
    get_as(&client, "/two", &live);
    gateway.stop();
    let exchanges = folder.exchanges("default");
    assert_eq!(exchanges.len(), 2);
    for exchange in &exchanges {
        let head = exchange["request"]["headers"].to_string();
        assert!(head.contains("Bearer <authorization-1>"), "{head}");
    }
    let replay = gateway::replay(&folder).start();
    let (client, other) = (client::http1(&replay), token());
    for target in ["/two", "/one"] {
        assert_eq!(get_as(&client, target, &other).status, 200, "{target}");
    }
}
