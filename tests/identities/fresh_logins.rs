//! Secrets that the server makes in a run, and placeholders that replayed responses give.

use std::sync::Arc;

use crate::support::client::{self, Client};
use crate::support::folder::Folder;
use crate::support::gateway::{self, Builder};
use crate::support::origin::{self, Origin, Seen};
use crate::support::random;

/// How a login gives the token of a user, and how the client sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bearer,
    Cookie,
    OwnHeader,
    Path,
}

const KINDS: [Kind; 4] = [Kind::Bearer, Kind::Cookie, Kind::OwnHeader, Kind::Path];

/// An origin whose tokens begin with the name of the user, so that it knows who asks.
fn service() -> Origin {
    let log_in = |seen: &Seen| {
        let body: serde_json::Value = serde_json::from_slice(&seen.body).unwrap();
        let token = format!("{}{}", body["user"].as_str().unwrap(), random());
        origin::json(&format!("{{\"access_token\":\"{token}\"}}"))
            .header("set-cookie", &format!("sid={token}; Path=/"))
            .header("x-auth-token", &token)
    };
    let who = |seen: &Seen| {
        let text = format!("{} {:?}", seen.target, seen.headers);
        let users = ["alice", "bobby", "carol"];
        match users.iter().find(|user| text.contains(**user)) {
            Some(user) => origin::text(user),
            None => origin::text("nobody").status(401),
        }
    };
    origin::new()
        .route("/login", log_in)
        .route("/*", who)
        .start()
}

fn log_in(client: &Client, user: &str, password: &str) -> String {
    let body = format!("{{\"user\":\"{user}\",\"password\":\"{password}\"}}");
    let answer = client.post("/login", "application/json", &body);
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

fn ask(client: &Client, kind: Kind, token: &str) -> String {
    let sent = match kind {
        Kind::Bearer => client
            .ask("GET", "/me")
            .header("authorization", &format!("Bearer {token}")),
        Kind::Cookie => client
            .ask("GET", "/me")
            .header("cookie", &format!("sid={token}")),
        Kind::OwnHeader => client.ask("GET", "/me").header("x-auth-token", token),
        Kind::Path => {
            let token = token.replace('<', "%3C").replace('>', "%3E");
            client.ask("GET", &format!("/s/{token}/me"))
        }
    };
    sent.send().text().to_owned()
}

fn auto(folder: &Arc<Folder>, origin: &Origin) -> Builder {
    gateway::over(folder, "auto").upstream(&origin.url())
}

#[test]
fn who_logs_in_anew_gets_no_data_of_a_recorded_user() {
    for connect in client::VERSIONS {
        for kind in KINDS {
            let origin = service();
            let folder = Arc::new(Folder::new());
            let gateway = auto(&folder, &origin).start();
            let client = connect(&gateway);
            let alice = random();
            assert_eq!(
                ask(&client, kind, &log_in(&client, "alice", &alice)),
                "alice"
            );
            gateway.stop();
            // The login of another user is sent to the server, and so is what follows from it.
            let gateway = auto(&folder, &origin).start();
            let client = connect(&gateway);
            let carol = random();
            let token = log_in(&client, "carol", &carol);
            assert_eq!(ask(&client, kind, &token), "carol", "{kind:?}");
            assert_eq!(ask(&client, kind, &token), "carol", "{kind:?}");
            gateway.stop();
            let replay = gateway::replay(&folder).start();
            let client = connect(&replay);
            for user in ["carol", "alice"] {
                let token = log_in(&client, user, &random());
                assert_eq!(ask(&client, kind, &token), user, "{kind:?}");
            }
            let report = replay.finish();
            assert_eq!(report.misses, 0, "{kind:?} {report:?}");
        }
    }
}

#[test]
fn a_key_of_the_client_stands_for_a_recorded_one_in_auto() {
    let origin = service();
    let folder = Arc::new(Folder::new());
    let first = auto(&folder, &origin).start();
    let client = client::http1(&first);
    assert_eq!(
        ask(&client, Kind::OwnHeader, &format!("alice{}", random())),
        "alice"
    );
    first.stop();
    let second = auto(&folder, &origin).start();
    let client = client::http1(&second);
    // No response made it, so it is the key of the program in another environment.
    let answer = ask(&client, Kind::OwnHeader, &format!("carol{}", random()));
    assert_eq!(answer, "alice");
    let report = second.finish();
    assert_eq!((report.hits, report.renamed), (1, 1), "{report:?}");
    assert_eq!(origin.seen().len(), 1);
}

#[test]
fn a_placeholder_of_a_replayed_login_is_not_sent_to_the_server() {
    for connect in client::VERSIONS {
        let origin = service();
        let folder = Arc::new(Folder::new());
        let password = random();
        let gateway = auto(&folder, &origin).start();
        let client = connect(&gateway);
        let token = log_in(&client, "alice", &password);
        assert_eq!(ask(&client, Kind::Bearer, &token), "alice");
        gateway.stop();
        let gateway = auto(&folder, &origin).start();
        let client = connect(&gateway);
        let placeholder = log_in(&client, "alice", &password);
        assert_eq!(ask(&client, Kind::Bearer, &placeholder), "alice");
        let before = origin.seen().len();
        for kind in KINDS {
            if kind == Kind::Bearer {
                continue;
            }
            let refused = ask(&client, kind, &placeholder);
            assert!(refused.contains(&placeholder), "{kind:?} {refused}");
            assert!(
                refused.contains("delete exchange 1 from the cassette"),
                "{refused}"
            );
        }
        let new = client.ask("GET", "/new");
        let new = new.header("authorization", &format!("Bearer {placeholder}"));
        let refused = new.send();
        assert_eq!(refused.status, 404);
        assert_eq!(refused.header("ouli-error"), "miss");
        assert!(refused.header("ouli-miss").contains("exchange="));
        let body = format!("{{\"refresh_token\":\"{placeholder}\"}}");
        let refused = client.post("/refresh", "application/json", &body);
        assert_eq!(refused.status, 404, "{}", refused.text());
        assert_eq!(origin.seen().len(), before, "the server saw a placeholder");
        let report = gateway.finish();
        assert_eq!((report.recorded, report.misses), (0, 5), "{report:?}");
    }
}
