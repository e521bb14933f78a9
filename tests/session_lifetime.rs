//! Sessions that open when they are used, close when nobody uses them, and continue.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::client::{self, Answer, Client};
use crate::support::folder::{self, Folder};
use crate::support::gateway::{self, Running};
use crate::support::origin::{self, Origin, text};
use crate::support::plugins::fixture;
use crate::support::until;
use ouli_config::Defect;

/// Counts its answers.
fn counting() -> Origin {
    let count = AtomicUsize::new(0);
    let handler = move |_: &origin::Seen| text(&count.fetch_add(1, Ordering::SeqCst).to_string());
    origin::new().route("/*", handler).start()
}

/// Asks in a session. The one that has to close for it may be in use for a moment yet.
fn ask(client: &Client, session: &str, path: &str) -> Answer {
    until("a free session", || {
        let answer = client
            .ask("GET", path)
            .header("ouli-session", session)
            .send();
        (answer.status != 503).then_some(answer)
    })
}

/// The default session and one other.
const ONE_OTHER: &str = "[limits]\nsessions = 2";

/// Waits until a session is closed.
fn until_closed(client: &Client, session: &str) {
    until("the session to close", || {
        let page = client.get(&format!("/__ouli/sessions/{session}")).json();
        (page["open"] == false).then_some(())
    });
}

/// Three answers to one request, in each of these sessions.
fn recorded(sessions: &[&str]) -> Arc<Folder> {
    let origin = counting();
    let gateway = gateway::record(&origin).start();
    let client = client::http1(&gateway);
    for session in sessions {
        (0..3).for_each(|_| drop(ask(&client, session, "/next")));
        ask(&client, session, "/other");
    }
    let folder = Arc::clone(&gateway.folder);
    gateway.stop();
    folder
}

#[test]
fn a_replay_continues_in_a_session_that_was_closed() {
    let folder = recorded(&["a", "b"]);
    let gateway = gateway::replay(&folder)
        .set("on_exhausted = \"miss\"")
        .section(ONE_OTHER)
        .start();
    let client = client::http1(&gateway);
    for round in 0..3 {
        assert_eq!(ask(&client, "a", "/next").text(), round.to_string());
        assert_eq!(ask(&client, "b", "/next").text(), (4 + round).to_string());
    }
    assert_eq!(ask(&client, "a", "/next").header("ouli-error"), "miss");
    let report = gateway.session("b");
    assert_eq!((report.hits, report.misses, report.exchanges), (3, 0, 4));
    assert_eq!(report.unused, ["exchange 4 GET /other"]);
    let verdict = gateway.stop();
    let found = |name: &str| {
        verdict
            .sessions
            .iter()
            .find(|it| it.session == name)
            .unwrap()
    };
    assert_eq!((found("a").hits, found("a").misses), (3, 1));
    assert!(!found("a").passed && found("b").passed && !verdict.passed);
}

#[test]
fn a_mark_on_a_closed_session_ends_its_run() {
    let folder = recorded(&["a", "b"]);
    let gateway = gateway::replay(&folder).section(ONE_OTHER).start();
    let client = client::http1(&gateway);
    assert_eq!(ask(&client, "a", "/next").text(), "0");
    ask(&client, "b", "/next");
    until_closed(&client, "a");
    let mark = until("a free session", || {
        let mark = client.ask("POST", "/__ouli/sessions/a/mark").send();
        (mark.status == 200).then_some(mark)
    });
    let run = &mark.json()["verdict"];
    assert_eq!((&run["hits"], &run["exchanges"]), (&1.into(), &4.into()));
    assert_eq!(run["unused"].as_array().unwrap().len(), 3);
    assert_eq!(
        ask(&client, "a", "/next").text(),
        "0",
        "the next run begins anew"
    );
    assert_eq!(gateway.session("a").unused.len(), 3, "of all runs");
}

#[test]
fn a_recording_continues_in_a_session_that_was_closed() {
    let origin = counting();
    // The default session of a recording opens with its first request.
    let gateway = gateway::record(&origin)
        .section("[limits]\nsessions = 1")
        .start();
    let client = client::http1(&gateway);
    let log_in = |session: &str, token: &str, path: &str| {
        until("a free session", || {
            let ask = client.ask("GET", path).header("ouli-session", session);
            let answer = ask.header("authorization", token).send();
            (answer.status == 200).then_some(())
        });
    };
    log_in("a", "Bearer first-secret-token", "/1");
    ask(&client, "b", "/x");
    until_closed(&client, "a");
    log_in("a", "Bearer other-secret-token", "/2");
    // The secret of before, where no rule looks.
    ask(&client, "a", "/3/first-secret-token");
    ask(&client, "b", "/y");
    let folder = Arc::clone(&gateway.folder);
    let verdict = gateway.stop();
    assert!(verdict.passed, "{verdict:#?}");
    let exchanges = folder.exchanges("a");
    let targets: Vec<_> = exchanges
        .iter()
        .map(|it| &it["request"]["target"])
        .collect();
    assert_eq!(targets, ["/1", "/2", "/3/%3Cauthorization-1%3E"]);
    assert!(
        folder.text("a").contains("<authorization-2>"),
        "{}",
        folder.text("a")
    );
    assert_eq!(folder.exchanges("b").len(), 2);
    let files = folder::files(&folder.cassettes());
    let put_aside = files
        .iter()
        .any(|(path, _)| path.to_str().unwrap().contains("jsons."));
    assert!(!put_aside, "one run has one cassette");
}

#[test]
fn what_a_run_recorded_is_not_replayed_to_it_after_it_was_closed() {
    let origin = counting();
    let gateway = gateway::auto(&origin).section(ONE_OTHER).start();
    let client = client::http1(&gateway);
    assert_eq!(ask(&client, "a", "/x").text(), "0");
    assert_eq!(ask(&client, "b", "/x").text(), "1");
    until_closed(&client, "a");
    assert_eq!(ask(&client, "a", "/x").text(), "2");
    assert_eq!(ask(&client, "b", "/x").text(), "3");
    until_closed(&client, "a");
    let mark = until("a free session", || {
        let mark = client.ask("POST", "/__ouli/sessions/a/mark").send();
        (mark.status == 200).then_some(mark)
    });
    assert_eq!(mark.json()["verdict"]["recorded"], 2);
    assert_eq!(ask(&client, "a", "/x").text(), "0");
    assert_eq!(ask(&client, "a", "/x").text(), "2");
    assert!(gateway.stop().passed);
}

#[test]
fn an_idle_session_is_closed_and_its_cassette_read_again() {
    let folder = recorded(&["a"]);
    let gateway = gateway::replay(&folder)
        .section("[limits]\nsession_idle_timeout = \"1ms\"")
        .watched()
        .start();
    let client = client::http1(&gateway);
    for round in 0..3 {
        assert_eq!(ask(&client, "a", "/next").text(), round.to_string());
        until_closed(&client, "a");
    }
    let report = gateway.session("a");
    assert_eq!(
        (report.hits, report.exchanges, report.unused.len()),
        (3, 4, 1)
    );
    // An exchange that is edited meanwhile is the same one, if its request is.
    let text = folder.text("a").replacen("\"3\"", "\"edited\"", 1);
    std::fs::write(folder.cassette("a"), text).unwrap();
    assert_eq!(ask(&client, "a", "/other").text(), "edited");
    let report = gateway.session("a");
    assert_eq!(
        (report.hits, report.edited.len(), report.unused.len()),
        (4, 1, 0)
    );
}

/// Asks once in each of many sessions, with several clients. Returns the statuses that are not 200.
fn ask_in_many(gateway: &Running, count: usize, clients: usize) -> Vec<u16> {
    let next = AtomicUsize::new(0);
    let statuses = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..clients)
            .map(|_| {
                scope.spawn(|| {
                    let client = client::http1(gateway);
                    let numbers = std::iter::repeat_with(|| next.fetch_add(1, Ordering::SeqCst));
                    let numbers = numbers.take_while(|number| *number < count);
                    let asked = numbers.map(|number| {
                        let session = format!("random-{number}-{}", number * 7919);
                        let ask = client.ask("GET", "/x").header("ouli-session", &session);
                        ask.send().status
                    });
                    asked.collect::<Vec<_>>()
                })
            })
            .collect();
        let statuses = threads.into_iter().flat_map(|it| it.join().unwrap());
        statuses.collect::<Vec<_>>()
    });
    assert_eq!(statuses.len(), count);
    statuses
        .into_iter()
        .filter(|status| *status != 200)
        .collect()
}

const MANY: usize = 5000;

#[test]
fn passthrough_opens_no_session() {
    let origin = counting();
    let gateway = gateway::passthrough(&origin)
        .section("[limits]\nsessions = 1")
        .start();
    assert_eq!(ask_in_many(&gateway, MANY, 4), [0; 0]);
    assert!(gateway.session_names().is_empty());
    assert!(gateway.stop().sessions.is_empty());
}

#[test]
fn random_sessions_in_auto_are_closed_and_counted_together() {
    let origin = counting();
    let limits = "[limits]\nsessions = 64\nclosed_session_memory = \"1 MiB\"";
    let gateway = gateway::auto(&origin).section(limits).start();
    assert_eq!(ask_in_many(&gateway, MANY, 4), [0; 0], "none is refused");
    let folder = Arc::clone(&gateway.folder);
    let verdict = gateway.stop();
    assert!(verdict.passed);
    // 64 open ones, and some 2 KiB for each closed one.
    assert!(
        (64..1000).contains(&verdict.sessions.len()),
        "{}",
        verdict.sessions.len()
    );
    let recorded: u64 = verdict.sessions.iter().map(|it| it.recorded).sum();
    assert_eq!(recorded, MANY as u64);
    let others = verdict
        .sessions
        .iter()
        .find(|it| it.session.ends_with(" more sessions)"));
    assert!(others.unwrap().recorded > 4000);
    let cassettes = folder::files(&folder.cassettes()).into_iter();
    let cassettes = cassettes.filter(|(path, _)| path.extension().is_some_and(|it| it == "jsons"));
    assert_eq!(cassettes.count(), MANY);
}

#[test]
fn a_burst_of_new_sessions_is_recorded_and_none_is_refused() {
    let origin = counting();
    let limits = "[limits]\nsessions = 64\nclosed_session_memory = \"1 MiB\"";
    let gateway = gateway::record(&origin).section(limits).start();
    assert_eq!(ask_in_many(&gateway, 1000, 32), [0; 0], "none is refused");
    let verdict = gateway.stop();
    assert!(verdict.passed, "{}", verdict.to_text());
    let recorded: u64 = verdict.sessions.iter().map(|it| it.recorded).sum();
    assert_eq!(recorded, 1000);
}

/// A redactor that takes its whole CPU time for each exchange, so that the recorder is behind.
#[test]
fn sessions_that_wait_for_a_slow_recorder_give_their_places() {
    let origin = counting();
    let gateway = gateway::record(&origin)
        .plugin("own.wasm", &fixture("looping-redactor"))
        .section("[[plugin]]\nfile = \"own.wasm\"\nroutes = [\"/slow\"]")
        .section(
            "[limits]\nsessions = 2\nredactor_cpu_time = \"700ms\"\n\
             plugin_failure_threshold = 1000",
        )
        .start();
    let client = client::http1(&gateway);
    let ask = |number: usize| {
        let ask = client.ask("GET", "/slow");
        ask.header("ouli-session", &format!("s{number}")).send()
    };
    // The recorder is busy for seconds, a request waits for `pending_request_timeout` at most.
    let statuses: Vec<_> = (0..8).map(|number| ask(number).status).collect();
    assert_eq!(statuses, [200; 8]);
    let verdict = gateway.stop();
    let failed = |name: &str| {
        let report = verdict.sessions.iter().find(|it| it.session == name);
        report
            .unwrap()
            .counted(Defect::PluginError)
            .values()
            .sum::<u64>()
    };
    for number in 0..8 {
        assert_eq!(failed(&format!("s{number}")), 1, "{}", verdict.to_text());
    }
}

#[test]
fn failures_of_forgotten_sessions_fail_the_verdict() {
    let folder = recorded(&["a"]);
    let limits = "[limits]\nsessions = 8\nclosed_session_memory = \"1 KiB\"";
    let gateway = gateway::replay(&folder).section(limits).start();
    let client = client::http1(&gateway);
    for number in 0..40 {
        assert_eq!(ask(&client, &format!("missing-{number}"), "/x").status, 404);
    }
    let verdict = gateway.stop();
    let misses: u64 = verdict.sessions.iter().map(|it| it.misses).sum();
    assert_eq!((misses, verdict.passed), (40, false), "{verdict:#?}");
    assert!(verdict.sessions.len() < 16);
    let others = verdict
        .sessions
        .iter()
        .find(|it| it.session.ends_with(" more sessions)"));
    assert!(!others.unwrap().passed);
}

/// A gateway that records, and forgets a session soon after it is closed.
fn forgetful(origin: &Origin) -> Running {
    let limits = "[limits]\nsessions = 2\nclosed_session_memory = \"1 KiB\"";
    gateway::record(origin).section(limits).start()
}

#[test]
fn a_forgotten_session_goes_on_with_its_cassette() {
    let origin = counting();
    let gateway = forgetful(&origin);
    let client = client::http1(&gateway);
    for round in 0..3 {
        for number in 0..8 {
            let answer = ask(&client, &format!("s{number}"), &format!("/round-{round}"));
            assert_eq!(answer.status, 200);
        }
    }
    let folder = Arc::clone(&gateway.folder);
    let verdict = gateway.stop();
    assert!(verdict.passed, "{verdict:#?}");
    for number in 0..8 {
        let text = folder.text(&format!("s{number}"));
        assert!((0..3).all(|round| text.contains(&format!("/round-{round}"))));
    }
}

#[test]
fn a_forgotten_session_with_secrets_records_nothing_more() {
    let origin = counting();
    let gateway = forgetful(&origin);
    let client = client::http1(&gateway);
    let send = |session: &str, target: &str| {
        until("a free session", || {
            let ask = client.ask("GET", target).header("ouli-session", session);
            let ask = ask.header("authorization", "Bearer 9f8e7d6c5b4a39281706");
            (ask.send().status == 200).then_some(())
        });
    };
    send("secret", "/first");
    // A session is closed once its exchanges are written, and forgotten as others are closed.
    let mut others = 0;
    until("the session is forgotten", || {
        others += 1;
        send(&format!("s{others}"), "/x");
        let names = gateway.session_names();
        (!names.contains(&"secret".to_owned())).then_some(())
    });
    assert_eq!(ask(&client, "secret", "/9f8e7d6c5b4a39281706").status, 200);
    let folder = Arc::clone(&gateway.folder);
    let verdict = gateway.stop();
    let text = folder.text("secret");
    assert!(
        text.contains("/first") && !text.contains("9f8e7d6c"),
        "{text}"
    );
    let report = verdict.sessions.iter().find(|it| it.session == "secret");
    let counted = report.unwrap().counted(Defect::Secret);
    assert_eq!(counted["guard.forgotten-session"], 1);
    assert!(!verdict.passed);
    let text = verdict.to_text();
    let line = "NOT RECORDED: 1 (the session was closed and is forgotten with the secrets that it \
                had recorded, so they could not be masked; raise limits.closed_session_memory)";
    assert!(text.contains(line), "{text}");
}
