//! Users who are told apart by their logins, their messages, or a key.

use std::sync::Arc;

use ouli_config::Defect;

use super::{get_as, token, who_am_i};
use crate::support::client::{self, Client};
use crate::support::folder::Folder;
use crate::support::gateway::{self, Running};
use crate::support::origin::{self, Seen};
use crate::support::random;
use crate::support::seeded::Random;
use crate::support::websocket::{BINARY, Peer, TEXT, Way, close, frame, socket_origin};

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
    let folder = gateway.into_folder();
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

#[test]
fn conversations_of_two_users_are_told_apart_by_their_messages() {
    let origin = socket_origin();
    let talk = |gateway: &Running, token: &str, word: &str| {
        let credentials = format!("Bearer {token}");
        let headers = [("authorization", &*credentials)];
        let mut peer = Peer::open_with(gateway.address, &Way::Upgrade, "/echo", &headers);
        let answer = peer.asks(frame(TEXT, word)).text();
        peer.send(close(1000, ""));
        while peer.next().is_some() {}
        answer
    };
    let gateway = gateway::over(&Arc::new(Folder::new()), "record")
        .upstream(&format!("http://{}", origin.address))
        .start();
    let [one, two] = [token(), token()];
    for (token, word) in [(&one, "ann"), (&two, "bob"), (&one, "more of ann")] {
        assert_eq!(talk(&gateway, token, word), word);
    }
    let folder = gateway.into_folder();
    let replay = gateway::replay(&folder).start();
    let [ann, bob] = [token(), token()];
    // The message of the second user corrects the assumption.
    assert_eq!(talk(&replay, &bob, "bob"), "bob");
    assert_eq!(talk(&replay, &ann, "ann"), "ann");
    assert_eq!(talk(&replay, &ann, "more of ann"), "more of ann");
    let report = replay.finish();
    assert_eq!((report.hits, report.misses), (3, 0), "{report:?}");
}

const KEY: &str = "0123456789abcdef-a-key";

fn with_key(builder: gateway::Builder) -> gateway::Builder {
    builder.environment(|name| (name == "OULI_REDACTION_KEY").then(|| KEY.to_owned()))
}

#[test]
fn with_a_key_the_same_secrets_are_recognised_in_any_order() {
    let (origin, [one, two]) = (who_am_i(), [token(), token()]);
    let gateway = with_key(gateway::record(&origin)).start();
    let client = client::http1(&gateway);
    let answers = [&one, &two].map(|it| get_as(&client, "/me", it).text().to_owned());
    let folder = gateway.into_folder();
    let kept = folder.text("default");
    assert!(!kept.contains(&one) && !kept.contains(KEY));
    let replay = with_key(gateway::replay(&folder)).start();
    let client = client::http1(&replay);
    assert_eq!(get_as(&client, "/me", &two).text(), answers[1]);
    assert_eq!(get_as(&client, "/me", &one).text(), answers[0]);
    let report = replay.finish();
    assert_eq!((report.hits, report.renamed), (2, 0), "{report:?}");
    assert!(report.counted(Defect::Assumed).is_empty());
    // Another secret is known to be none of them.
    let replay = with_key(gateway::replay(&folder)).start();
    let missed = get_as(&client::http1(&replay), "/me", &token());
    assert_eq!(missed.status, 404);
    let detail = missed.json()["detail"].to_string();
    assert!(
        detail.contains("as the key in `OULI_REDACTION_KEY` tells"),
        "{detail}"
    );
    assert_eq!(replay.finish().renamed, 0);
    // Without the key it may stand for one.
    let replay = gateway::replay(&folder).start();
    let answer = get_as(&client::http1(&replay), "/me", &token());
    assert_eq!(answer.text(), answers[0]);
    assert_eq!(replay.finish().renamed, 1);
    let short = gateway::replay(&folder)
        .environment(|name| (name == "OULI_REDACTION_KEY").then(|| "short".to_owned()));
    let error = short.try_start().err().unwrap().to_string();
    assert!(
        error.contains("OULI_REDACTION_KEY is too short: use at least 16"),
        "{error}"
    );
}

#[test]
fn with_a_key_the_upstream_is_asked_for_another_secret() {
    let origin = who_am_i();
    let folder = Arc::new(Folder::new());
    let auto = || {
        let builder = gateway::over(&folder, "auto").upstream(&origin.url());
        with_key(builder).start()
    };
    let tokens = [token(), token()];
    for round in 0..2 {
        for token in &tokens {
            let gateway = auto();
            // One in a place that no rule names, where the recorded one has a secret.
            let asked = get_as(&client::http1(&gateway), &format!("/of/{token}"), token);
            let user = get_as(&client::http1(&gateway), "/me", token);
            assert_eq!((asked.status, user.status), (200, 200));
            let report = gateway.finish();
            let expected = [(0, 0), (2, 0)][round];
            assert_eq!((report.hits, report.renamed), expected, "{report:?}");
        }
    }
    assert_eq!(origin.seen().len(), 4);
}

#[test]
fn with_a_key_a_secret_is_recognised_in_places_of_other_kinds() {
    let (origin, [one, two]) = (who_am_i(), [token(), token()]);
    let gateway = with_key(gateway::record(&origin)).start();
    let client = client::http1(&gateway);
    // The kind of the place where a secret is seen first is the class of its placeholder.
    let form = "application/x-www-form-urlencoded";
    for secret in [&one, &two] {
        client.post("/login", form, &format!("password={secret}"));
    }
    let answers = [&one, &two].map(|it| get_as(&client, "/me", it).text().to_owned());
    let folder = gateway.into_folder();
    let replay = with_key(gateway::replay(&folder)).start();
    let client = client::http1(&replay);
    assert_eq!(get_as(&client, "/me", &two).text(), answers[1]);
    assert_eq!(get_as(&client, "/me", &one).text(), answers[0]);
    let report = replay.finish();
    assert_eq!((report.hits, report.renamed), (2, 0), "{report:?}");
    assert!(report.counted(Defect::Assumed).is_empty());
}

/// Opens a conversation whose first message has the token, and returns the answer to it.
fn log_in_by_message(gateway: &Running, token: &str) -> String {
    let mut peer = Peer::open(gateway.address, &Way::Upgrade, "/echo");
    let init = format!("{{\"type\":\"connection_init\",\"payload\":{{\"token\":\"{token}\"}}}}");
    let answer = peer.asks(frame(TEXT, init)).text();
    peer.send(close(1000, ""));
    while peer.next().is_some() {}
    answer
}

#[test]
fn the_token_in_the_first_message_tells_whose_conversation_it_is() {
    let origin = socket_origin();
    let upstream = format!("http://{}", origin.address);
    let gateway = with_key(gateway::over(&Arc::new(Folder::new()), "record").upstream(&upstream));
    let gateway = gateway.start();
    let tokens = [token(), token(), token()];
    for token in &tokens {
        assert!(log_in_by_message(&gateway, token).contains(token));
    }
    let folder = gateway.into_folder();
    let replay = with_key(gateway::replay(&folder)).start();
    // Each answer has the placeholder of its user, in any order.
    let answers = |order: [usize; 3]| {
        let mut answers = [const { String::new() }; 3];
        for user in order {
            answers[user] = log_in_by_message(&replay, &tokens[user]);
        }
        answers
    };
    let first = answers([2, 0, 1]);
    assert!(first[0] != first[1] && first[1] != first[2] && first[0] != first[2]);
    replay.mark();
    assert_eq!(answers([1, 2, 0]), first);
    let report = replay.finish();
    assert_eq!(
        (report.hits, report.misses, report.renamed),
        (6, 0, 0),
        "{report:?}"
    );
    assert!(report.counted(Defect::Assumed).is_empty(), "{report:?}");
    // Without the key it is not known whose token it is.
    let replay = gateway::replay(&folder).start();
    log_in_by_message(&replay, &token());
    let report = replay.finish();
    assert_eq!(
        report.counted(Defect::Assumed).values().sum::<u64>(),
        1,
        "{report:?}"
    );
}

#[test]
fn secrets_in_messages_that_stand_for_others_are_counted() {
    let origin = socket_origin();
    let upstream = format!("http://{}", origin.address);
    let gateway = gateway::over(&Arc::new(Folder::new()), "record")
        .upstream(&upstream)
        .start();
    for _ in 0..2 {
        log_in_by_message(&gateway, &token());
    }
    let folder = gateway.into_folder();
    let replay = gateway::replay(&folder).start();
    for _ in 0..2 {
        log_in_by_message(&replay, &token());
    }
    let report = replay.finish();
    let assumed = report.counted(Defect::Assumed).values().sum::<u64>();
    assert_eq!(
        (report.hits, report.renamed, assumed),
        (2, 2, 1),
        "{report:?}"
    );
    let renamings: Vec<_> = report.renamings.keys().collect();
    let expected = [
        "the secret in body stands for <token-1> since exchange 1; assumed, that of exchange 2 \
         fits as well",
        "the secret in body stands for <token-2> since exchange 2",
    ];
    assert_eq!(renamings, expected);
}

#[test]
fn a_number_that_a_lookup_gave_is_no_number_of_the_recording() {
    let origin = socket_origin();
    let upstream = format!("http://{}", origin.address);
    let gateway = gateway::over(&Arc::new(Folder::new()), "record")
        .upstream(&upstream)
        .start();
    let tokens = [token(), token()];
    let recorded = tokens
        .each_ref()
        .map(|token| log_in_by_message(&gateway, token));
    assert!(recorded[0].contains(&tokens[0]));
    let folder = gateway.into_folder();
    for unknown in 0..3 {
        let replay = gateway::replay(&folder).start();
        for _ in 0..unknown {
            // The secret is in a header that is not compared.
            let ask = client::http1(&replay);
            let ask = ask.ask("GET", "/other");
            let referer = format!("http://h/?access_token={}", token());
            assert_eq!(ask.header("referer", &referer).send().status, 404);
        }
        let answers = [token(), token()].map(|token| log_in_by_message(&replay, &token));
        assert!(answers[0].contains("<token-1>"), "{unknown}: {answers:?}");
        assert!(answers[1].contains("<token-2>"), "{unknown}: {answers:?}");
        let report = replay.finish();
        let assumed = report.counted(Defect::Assumed).values().sum::<u64>();
        assert_eq!((report.renamed, assumed), (2, 1), "{unknown}: {report:?}");
    }
}

#[test]
fn a_binary_message_equals_no_text_message() {
    let origin = socket_origin();
    let gateway = gateway::over(&Arc::new(Folder::new()), "record")
        .upstream(&format!("http://{}", origin.address))
        .start();
    let mut peer = Peer::open(gateway.address, &Way::Upgrade, "/echo");
    assert_eq!(peer.asks(frame(TEXT, "abc")).text(), "abc");
    peer.send(close(1000, ""));
    while peer.next().is_some() {}
    let folder = gateway.into_folder();
    let replay = gateway::replay(&folder).start();
    let mut peer = Peer::open(replay.address, &Way::Upgrade, "/echo");
    let refused = peer.asks(frame(BINARY, "abc"));
    assert_eq!(refused.code(), Some(1008), "{}", refused.text());
    let mut peer = Peer::open(replay.address, &Way::Upgrade, "/echo");
    assert_eq!(peer.asks(frame(TEXT, "abc")).text(), "abc");
    assert_eq!(replay.finish().misses, 1);
}
