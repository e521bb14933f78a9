//! Secrets match by their identity: one to one over a run, and no value is a wildcard.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use ouli_config::Defect;

use crate::support::client::{self, Answer, Client};
use crate::support::folder::Folder;
use crate::support::gateway::{self, Running};
use crate::support::origin::{self, Origin, Seen};
use crate::support::random;
use crate::support::seeded::Random;

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

fn finish(gateway: Running) -> Arc<Folder> {
    let folder = Arc::clone(&gateway.folder);
    gateway.stop();
    folder
}

type Connect = fn(&Running) -> Client;
const VERSIONS: [Connect; 2] = [client::http1, client::http2];

#[test]
fn two_users_get_their_own_answers_in_any_order() {
    for connect in VERSIONS {
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
    let folder = finish(gateway);
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
    let report = replay.finish();
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
    let folder = finish(gateway);
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
        let folder = finish(gateway);
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
fn a_value_in_a_path_is_no_wildcard() {
    for connect in VERSIONS {
        let origin = origin::new()
            .route("/login", |_| {
                origin::text("welcome").header("set-cookie", "tenant=acme-corp; Path=/")
            })
            .route("/api/*", |seen| origin::text(&seen.target))
            .start();
        let gateway = gateway::auto(&origin).start();
        let client = connect(&gateway);
        client.get("/login");
        assert_eq!(
            client.get("/api/acme-corp/users").text(),
            "/api/acme-corp/users"
        );
        gateway.mark();
        client.get("/login");
        let other = client.get("/api/other-corp/users");
        assert_eq!(other.text(), "/api/other-corp/users");
        let folder = finish(gateway);
        let replay = gateway::replay(&folder).start();
        let client = connect(&replay);
        client.get("/login");
        assert_eq!(client.get("/api/third-corp/users").status, 404);
        for tenant in ["other-corp", "acme-corp"] {
            let target = format!("/api/{tenant}/users");
            assert_eq!(client.get(&target).text(), target);
        }
    }
}

#[test]
fn a_value_without_entropy_counts_under_a_name_that_is_sometimes_a_secret() {
    let echo = |seen: &Seen| {
        let body = String::from_utf8_lossy(&seen.body);
        origin::text(&format!("{} {body}", seen.target))
    };
    let origin = origin::new().route("/*", echo).start();
    let form = "application/x-www-form-urlencoded";
    let cases = [
        ("/issue?key=PROJ-1", form, ""),
        ("/issue?key=PROJ-777", form, ""),
        ("/price?token=BTC", form, ""),
        ("/price?token=ETH", form, ""),
        ("/rate?code=USD", form, ""),
        ("/rate?code=EUR", form, ""),
        ("/rate", form, "code=USD"),
        ("/rate", form, "code=EUR"),
        ("/price", "application/json", r#"{"token":"BTC"}"#),
        ("/price", "application/json", r#"{"token":"ETH"}"#),
    ];
    for connect in VERSIONS {
        let gateway = gateway::auto(&origin).start();
        let ask = |client: &Client, (target, content_type, body): (&str, &str, &str)| {
            client.post(target, content_type, body).text().to_owned()
        };
        let client = connect(&gateway);
        let (recorded, others): (Vec<_>, Vec<_>) = (0..cases.len()).partition(|it| it % 2 == 0);
        recorded
            .iter()
            .for_each(|it| drop(ask(&client, cases[*it])));
        gateway.mark();
        let before = origin.seen().len();
        for it in &others {
            let (target, _, body) = cases[*it];
            assert_eq!(ask(&client, cases[*it]), format!("{target} {body}"));
        }
        assert_eq!(origin.seen().len(), before + others.len());
        let folder = finish(gateway);
        let replay = gateway::replay(&folder).start();
        let client = connect(&replay);
        for case in cases.iter().rev() {
            assert_eq!(ask(&client, *case), format!("{} {}", case.0, case.2));
        }
        replay.stop();
    }
}

#[test]
fn pages_with_tokens_come_to_their_end() {
    let pages: HashMap<String, (usize, String)> = HashMap::new();
    let pages = Arc::new(Mutex::new(pages));
    let known = Arc::clone(&pages);
    let page = move |seen: &Seen| {
        let asked = seen
            .target
            .split_once("token=")
            .map(|(_, token)| token.to_owned());
        let number = asked.map_or(0, |token| {
            known.lock().unwrap().get(&token).map_or(9, |it| it.0)
        });
        let next = random();
        known
            .lock()
            .unwrap()
            .insert(next.clone(), (number + 1, next.clone()));
        match number {
            0..3 => origin::json(&format!("{{\"page\":{number},\"token\":\"{next}\"}}")),
            _ => origin::json(&format!("{{\"page\":{number}}}")),
        }
    };
    let origin = origin::new().route("/list*", page).start();
    let read_all = |client: &Client| {
        let (mut numbers, mut target) = (Vec::new(), "/list".to_owned());
        loop {
            let page = client.get(&target).json();
            numbers.push(page["page"].as_u64().unwrap());
            assert!(numbers.len() < 9, "the pages never end");
            match page["token"].as_str() {
                Some(token) => {
                    let token = token.replace('<', "%3C").replace('>', "%3E");
                    target = format!("/list?token={token}");
                }
                None => return numbers,
            }
        }
    };
    let gateway = gateway::auto(&origin).start();
    assert_eq!(read_all(&client::http1(&gateway)), [0, 1, 2, 3]);
    gateway.mark();
    assert_eq!(read_all(&client::http1(&gateway)), [0, 1, 2, 3]);
    assert_eq!(origin.seen().len(), 4);
    let folder = finish(gateway);
    let replay = gateway::replay(&folder).start();
    assert_eq!(read_all(&client::http2(&replay)), [0, 1, 2, 3]);
}

#[test]
fn a_wrong_password_does_not_get_the_answer_to_the_right_one() {
    let right = random();
    let expected = right.clone();
    let login = move |seen: &Seen| {
        let body = String::from_utf8_lossy(&seen.body).into_owned();
        match body.contains(&expected) {
            true => origin::text("welcome"),
            false => origin::text("bad password").status(401),
        }
    };
    let origin = origin::new().route("/login", login).start();
    let gateway = gateway::auto(&origin).start();
    let client = client::http1(&gateway);
    let log_in = |client: &Client, password: &str| {
        let body = format!("{{\"user\":\"ann\",\"password\":\"{password}\"}}");
        client
            .post("/login", "application/json", &body)
            .text()
            .to_owned()
    };
    let wrong = random();
    log_in(&client, &wrong);
    log_in(&client, &right);
    gateway.mark();
    assert_eq!(log_in(&client, &right), "welcome");
    assert_eq!(log_in(&client, &wrong), "bad password");
    assert_eq!(origin.seen().len(), 2);
    let folder = finish(gateway);
    let replay = gateway::replay(&folder).start();
    let client = client::http1(&replay);
    assert_eq!(log_in(&client, "pw-one-4711-x"), "bad password");
    assert_eq!(log_in(&client, "pw-two-4712-y"), "welcome");
    let report = replay.finish();
    assert_eq!(report.counted(Defect::Assumed).values().sum::<u64>(), 1);
}

#[test]
fn text_that_looks_like_a_placeholder_is_text() {
    let echo = |seen: &Seen| origin::bytes(seen.body.clone());
    let origin = origin::new().route("/*", echo).start();
    for (content_type, [one, two]) in [
        ("text/html", ["<p><b-1></p>", "<p><b-2></p>"]),
        ("application/json", [r#"{"x":"<b-1>"}"#, r#"{"x":"<b-2>"}"#]),
        ("text/plain", ["see <b-1>", "see <b-2>"]),
    ] {
        let gateway = gateway::auto(&origin).start();
        let client = client::http1(&gateway);
        client.post("/", content_type, one);
        gateway.mark();
        assert_eq!(client.post("/", content_type, two).text(), two);
        let folder = finish(gateway);
        let replay = gateway::replay(&folder).start();
        let client = client::http1(&replay);
        assert_eq!(client.post("/", content_type, two).text(), two);
        assert_eq!(client.post("/", content_type, one).text(), one);
        let third = one.replace("b-1", "b-3");
        assert_eq!(client.post("/", content_type, &third).status, 404);
    }
}

#[test]
fn what_a_run_adds_has_the_placeholder_that_its_secret_stands_for() {
    let origin = who_am_i();
    let gateway = gateway::record(&origin).start();
    get_as(&client::http1(&gateway), "/one", &token());
    let folder = finish(gateway);
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

/// Two users who log in, and ask with what their login answered.
#[test]
fn generated_conversations_of_two_users_get_right_answers_in_any_order() {
    let login = |seen: &Seen| {
        let user = seen.target.rsplit('=').next().unwrap();
        origin::json(&format!("{{\"access_token\":\"{user}-{}\"}}", random()))
    };
    let me = |seen: &Seen| {
        let credentials = seen.headers["authorization"].to_str().unwrap();
        let user = credentials.trim_start_matches("Bearer ").split('-').next();
        origin::text(&format!("{} {}", user.unwrap(), seen.target))
    };
    let origin = origin::new()
        .route("/login*", login)
        .route("/api/*", me)
        .start();
    let gateway = gateway::record(&origin).start();
    let client = client::http1(&gateway);
    let log_in = |client: &Client, user: &str| {
        let answer = client.get(&format!("/login?user={user}")).json();
        answer["access_token"].as_str().unwrap().to_owned()
    };
    let users = ["ann", "bob"];
    let tokens = users.map(|user| log_in(&client, user));
    for target in ["/api/me", "/api/list", "/api/list"] {
        for token in &tokens {
            get_as(&client, target, token);
        }
    }
    // Only Ann asks for this.
    get_as(&client, "/api/own", &tokens[0]);
    let folder = finish(gateway);
    let mut seeded = Random::new(16);
    let replay = gateway::replay(&folder).start();
    let client = client::http1(&replay);
    for _ in 0..200 {
        let mut calls = vec![];
        for user in 0..2 {
            calls.extend(["/api/me", "/api/list", "/api/list"].map(|target| (target, user)));
        }
        calls.push(("/api/own", 0));
        let mut tokens = [const { String::new() }; 2];
        let order = if seeded.one_in(2) { [0, 1] } else { [1, 0] };
        for user in order {
            tokens[user] = log_in(&client, users[user]);
        }
        while !calls.is_empty() {
            let next = usize::try_from(seeded.below(calls.len() as u64)).unwrap();
            let (target, user) = calls.swap_remove(next);
            let answer = get_as(&client, target, &tokens[user]);
            assert_eq!(answer.text(), format!("{} {target}", users[user]));
        }
        let wrong = get_as(&client, "/api/own", &tokens[1]);
        assert_eq!(wrong.status, 404);
        assert_eq!(wrong.json()["identity"]["part"], "header.authorization");
        replay.mark();
    }
}
