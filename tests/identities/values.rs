//! Values that are no secrets count literally, and passwords by their identity.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use ouli_config::Defect;

use crate::support::client::{self, Client};
use crate::support::gateway;
use crate::support::origin::{self, Seen};
use crate::support::random;

#[test]
fn a_value_in_a_path_is_no_wildcard() {
    for connect in client::VERSIONS {
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
        let folder = gateway.into_folder();
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
    for connect in client::VERSIONS {
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
        let folder = gateway.into_folder();
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
    let folder = gateway.into_folder();
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
    let folder = gateway.into_folder();
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
        let folder = gateway.into_folder();
        let replay = gateway::replay(&folder).start();
        let client = client::http1(&replay);
        assert_eq!(client.post("/", content_type, two).text(), two);
        assert_eq!(client.post("/", content_type, one).text(), one);
        let third = one.replace("b-1", "b-3");
        assert_eq!(client.post("/", content_type, &third).status, 404);
    }
}

#[test]
fn a_generated_value_stands_for_the_recorded_secret_in_its_place() {
    let id = random();
    let cookie = format!("sid={id}; Path=/");
    let origin = origin::new()
        .route("/login", move |_| {
            origin::text("welcome").header("set-cookie", &cookie)
        })
        .route("/s/*", |_| origin::text("yours"))
        .start();
    let gateway = gateway::record(&origin).start();
    let client = client::http1(&gateway);
    // Only the answer tells that the id is a secret.
    client.get("/login");
    client.get(&format!("/s/{id}/x"));
    let folder = gateway.into_folder();
    assert!(!folder.text("default").contains(&id));
    let replay = gateway::replay(&folder).start();
    let client = client::http1(&replay);
    assert_eq!(client.get("/s/blue/x").status, 404);
    let own = format!("/s/{}/x", random());
    assert_eq!(client.get(&own).text(), "yours");
    assert_eq!(client.get(&own).text(), "yours");
    assert_eq!(client.get(&format!("/s/{}/x", random())).status, 404);
    let report = replay.finish();
    assert_eq!((report.hits, report.misses), (2, 2));
    assert_eq!(report.counted(Defect::Assumed).values().sum::<u64>(), 1);
}
