//! Secrets of a run that the upstream tells where no rule looks: each stands for none that was
//! recorded before.

use std::io::Write as _;
use std::sync::Arc;

use flate2::write::GzEncoder;

use super::get_as;
use crate::support::client::{self, Client};
use crate::support::folder::Folder;
use crate::support::gateway;
use crate::support::origin::{self, Gate, Origin, Reply, Seen};
use crate::support::random;

/// The ways in which a login tells a token.
const KINDS: [&str; 10] = [
    "text", "html", "xml", "form", "member", "gzip", "fragment", "header", "stream", "open",
];

fn told(kind: &str, token: &str, gate: &Gate) -> Reply {
    match kind {
        "text" => origin::text(token),
        "html" => {
            let page = format!("<input name=\"csrf\" value=\"{token}\">");
            origin::text(&page).header("content-type", "text/html")
        }
        "xml" => {
            let text = format!("<r><AccessToken>{token}</AccessToken></r>");
            origin::text(&text).header("content-type", "application/xml")
        }
        "form" => {
            let form = format!("oauth_token={token}&oauth_callback_confirmed=true");
            let form_type = "application/x-www-form-urlencoded";
            origin::text(&form).header("content-type", form_type)
        }
        "member" => origin::json(&format!("{{\"apiCredential\":\"{token}\"}}")),
        "gzip" => {
            let mut coded = GzEncoder::new(Vec::new(), flate2::Compression::fast());
            write!(coded, "{{\"apiCredential\":\"{token}\"}}").unwrap();
            origin::bytes(coded.finish().unwrap())
                .header("content-type", "application/json")
                .header("content-encoding", "gzip")
        }
        "fragment" => origin::status(302).header("location", &format!("/cb#ticket={token}")),
        "header" => origin::text("welcome").header("x-welcome", token),
        "stream" => {
            let event = format!("data: {{\"apiCredential\":\"{token}\"}}\n\n");
            let stream = origin::parts().header("content-type", "text/event-stream");
            stream.part(event).wait(gate)
        }
        "open" => {
            let json = format!("{{\"access_token\":\"{token}\",");
            let body = origin::parts().header("content-type", "application/json");
            body.part(json).wait(gate).part("\"x\":1}")
        }
        _ => unreachable!(),
    }
}

/// An origin whose tokens end with the name of the user.
fn service(kind: &'static str, gate: &Gate) -> Origin {
    let gate = gate.clone();
    let log_in = move |seen: &Seen| {
        let user = seen.target.rsplit('=').next().unwrap();
        told(kind, &format!("{}{user}", random()), &gate)
    };
    let me = |seen: &Seen| {
        let credentials = seen.headers["authorization"].to_str().unwrap();
        origin::text(&credentials[credentials.len() - 3..])
    };
    origin::new()
        .route("/login", log_in)
        .route("/me", me)
        .start()
}

/// The token in a response to a login, which may go on.
fn token_in(text: &str, user: &str) -> Option<String> {
    let end = text
        .find(&format!("{user}\""))
        .or_else(|| text.find(user))?
        + user.len();
    let is_part = |it: char| it.is_ascii_alphanumeric();
    let start = text[..end].rfind(|it| !is_part(it)).map_or(0, |at| at + 1);
    Some(text[start..end].to_owned())
}

#[test]
fn a_token_of_this_run_stands_for_no_recorded_one_wherever_it_was_told() {
    for kind in KINDS {
        let gate = Gate::new();
        let origin = service(kind, &gate);
        let folder = Arc::new(Folder::new());
        for user in ["ann", "bob"] {
            let gateway = gateway::over(&folder, "auto")
                .upstream(&origin.url())
                .start();
            let client = client::http1(&gateway);
            if matches!(kind, "stream" | "open") {
                let login = client.ask("GET", &format!("/login?user={user}"));
                let mut opened = login.open();
                let first = opened.next().unwrap().unwrap();
                let token = token_in(std::str::from_utf8(&first).unwrap(), user).unwrap();
                assert_eq!(get_as(&client, "/me", &token).text(), user, "{kind}");
                gate.open();
                opened.count().unwrap();
            } else {
                let token = log_in(&client, kind, user);
                assert_eq!(get_as(&client, "/me", &token).text(), user, "{kind}");
                assert_eq!(get_as(&client, "/me", &token).text(), user, "{kind}");
            }
            gateway.stop();
        }
    }
}

#[test]
fn a_key_that_the_upstream_repeats_is_still_the_client_s() {
    let echo = |seen: &Seen| origin::text(seen.headers["authorization"].to_str().unwrap());
    let origin = origin::new().route("/*", echo).start();
    let folder = Arc::new(Folder::new());
    let mut keys = [random(), random()].into_iter();
    let auto = || {
        gateway::over(&folder, "auto")
            .upstream(&origin.url())
            .start()
    };
    let first = auto();
    let recorded = keys.next().unwrap();
    get_as(&client::http1(&first), "/me", &recorded);
    first.stop();
    let second = auto();
    let (client, key) = (client::http1(&second), keys.next().unwrap());
    // It is sent and repeated before it stands for the recorded one.
    assert!(get_as(&client, "/new", &key).text().contains(&key));
    assert_eq!(get_as(&client, "/me", &key).status, 200);
    assert_eq!(origin.seen().len(), 2, "the recorded answer is for it");
}

/// The token that a login tells, in any of the ways that end with the response.
fn log_in(client: &Client, kind: &str, user: &str) -> String {
    let login = client.ask("GET", &format!("/login?user={user}"));
    let answer = login.header("accept-encoding", "identity").send();
    let text = match kind {
        "gzip" => {
            let decoder = flate2::read::GzDecoder::new(&answer.body[..]);
            std::io::read_to_string(decoder).unwrap()
        }
        _ => format!(
            "{} {:?}",
            String::from_utf8_lossy(&answer.body),
            answer.headers
        ),
    };
    let recorded = text.find("<authorization-").map(|start| {
        let end = start + text[start..].find('>').unwrap() + 1;
        text[start..end].to_owned()
    });
    let encoded = || {
        let start = text.find("%3Cauthorization-")? + 3;
        let end = start + text[start..].find("%3E")?;
        Some(format!("<{}>", &text[start..end]))
    };
    let found = recorded.or_else(encoded).or_else(|| token_in(&text, user));
    found.unwrap_or_else(|| panic!("{kind}: {text}"))
}

#[test]
fn a_secret_that_was_told_before_it_is_known_is_hidden_in_the_recording() {
    for mode in ["record", "auto"] {
        for kind in KINDS
            .into_iter()
            .filter(|it| !matches!(*it, "stream" | "open"))
        {
            let origin = service(kind, &Gate::new());
            let folder = Arc::new(Folder::new());
            let users = ["ann", "bob"];
            let mut tokens = Vec::new();
            let runs = if mode == "auto" {
                vec![&users[..1], &users[1..]]
            } else {
                vec![&users[..]]
            };
            for run in runs {
                let gateway = gateway::over(&folder, mode).upstream(&origin.url()).start();
                let client = client::http1(&gateway);
                for user in run {
                    let token = log_in(&client, kind, user);
                    assert_eq!(
                        get_as(&client, "/me", &token).text(),
                        *user,
                        "{mode} {kind}"
                    );
                    tokens.push(token);
                }
                gateway.stop();
            }
            let kept = folder.text("default");
            assert!(
                tokens.iter().all(|token| !kept.contains(token)),
                "{mode} {kind} {kept}"
            );
            // So the login tells whose token it is.
            let replay = gateway::replay(&folder).start();
            let client = client::http1(&replay);
            for user in ["bob", "ann"] {
                let token = log_in(&client, kind, user);
                assert_eq!(get_as(&client, "/me", &token).text(), user, "{mode} {kind}");
            }
            let report = replay.finish();
            assert_eq!(
                (report.misses, report.renamed),
                (0, 0),
                "{mode} {kind} {report:?}"
            );
        }
    }
}
