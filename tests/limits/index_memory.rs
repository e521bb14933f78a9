//! The memory of recorded exchanges, and of deriving their keys.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use ouli_cassette::CassetteDir;
use ouli_config::Limits;
use ouli_proxy::session::{Index, Sessions};

use crate::cost::allocation::counted;
use crate::cost::cassettes::{chunked, text};
use crate::cost::exchanges::{exchange, plugins};
use crate::support::client::{self, Client};
use crate::support::folder::Folder;
use crate::support::gateway;
use crate::support::{PATIENCE, origin, until};

const BODY: usize = 40 << 10;

/// Three exchanges with bodies of 40 KiB in each of these sessions.
fn recorded(sessions: &[&str]) -> Arc<Folder> {
    let folder = Arc::new(Folder::new());
    std::fs::create_dir(folder.cassettes()).unwrap();
    for session in sessions {
        let made = (0..3).map(|number| {
            exchange(
                &format!("/{session}/{number}"),
                "text/plain",
                &[b'x'; BODY / 2],
            )
        });
        std::fs::write(folder.cassette(session), text(made)).unwrap();
    }
    folder
}

fn status(client: &Client, session: &str, number: usize) -> (u16, String) {
    let ask = client.ask("POST", &format!("/{session}/{number}"));
    let ask = ask
        .header("ouli-session", session)
        .header("content-type", "text/plain");
    let answer = ask.body(vec![b'x'; BODY / 2]).send();
    (answer.status, answer.text().to_owned())
}

#[test]
fn a_cassette_beyond_index_memory_is_refused() {
    let folder = recorded(&["a"]);
    let builder = gateway::replay(&folder);
    let small = builder
        .clone()
        .section("[limits]\nindex_memory = \"100 KiB\"");
    let refused = small.clone().endpoint("session = \"a\"").try_start();
    let refused = refused.err().unwrap().to_string();
    assert!(
        refused.contains("limits.index_memory (100KiB)"),
        "{refused}"
    );
    let gateway = small.start();
    let client = client::http1(&gateway);
    for _ in 0..2 {
        let (found, refused) = status(&client, "a", 0);
        assert_eq!(found, 500, "{refused}");
        let (needed, _) = refused.split_once("KiB of memory").unwrap();
        let needed: usize = needed.rsplit(' ').next().unwrap().parse().unwrap();
        assert!((120..400).contains(&needed), "{refused}");
        assert!(refused.contains("set the limit to"), "{refused}");
    }
    folder.write_config(
        &builder
            .section("[limits]\nindex_memory = \"1 MiB\"")
            .config(),
    );
    assert!(gateway.reload());
    assert_eq!(status(&client, "a", 0).0, 200);
}

#[test]
fn an_idle_session_gives_its_memory_to_another() {
    let folder = recorded(&["a", "b"]);
    let limits = "[limits]\nindex_memory = \"400 KiB\"";
    let gateway = gateway::replay(&folder).section(limits).start();
    let client = client::http1(&gateway);
    for number in 0..3 {
        for session in ["a", "b"] {
            // The other one may be in use for a moment yet.
            until("an answer", || {
                (status(&client, session, number).0 == 200).then_some(())
            });
        }
        let page = client.get("/__ouli/sessions/a").json();
        assert_eq!(page["open"], false, "{page}");
    }
    for session in ["a", "b"] {
        let report = gateway.session(session);
        assert!(report.unused.is_empty(), "{report:?}");
    }
}

#[test]
fn the_session_of_an_endpoint_gives_its_memory_too() {
    let folder = recorded(&["a", "b"]);
    let limits = "[limits]\nindex_memory = \"400 KiB\"";
    let builder = gateway::replay(&folder).section(limits);
    // It is read at the start.
    let gateway = builder.endpoint("session = \"a\"").start();
    let client = client::http1(&gateway);
    for number in 0..3 {
        for session in ["b", "a"] {
            until("an answer", || {
                (status(&client, session, number).0 == 200).then_some(())
            });
        }
    }
    for session in ["a", "b"] {
        let report = gateway.session(session);
        assert!(report.unused.is_empty(), "{report:?}");
    }
}

#[test]
fn an_exchange_beyond_index_memory_is_recorded() {
    let origin = origin::new()
        .route("/*", |seen| origin::bytes(seen.body.clone()))
        .start();
    let builder = gateway::auto(&origin);
    let small = "[limits]\nindex_memory = \"64 KiB\"";
    let gateway = builder.clone().section(small).start();
    let client = client::http1(&gateway);
    for number in 0..3 {
        assert_eq!(status(&client, "default", number).0, 200);
        // This run asks the upstream again.
        assert_eq!(status(&client, "default", number).0, 200);
    }
    gateway.mark();
    assert_eq!(gateway.folder.exchanges("default").len(), 6);
    let (found, refused) = status(&client, "default", 0);
    assert!(
        found == 500 && refused.contains("limits.index_memory"),
        "{refused}"
    );
    let large = builder.section("[limits]\nindex_memory = \"2 MiB\"");
    gateway.folder.write_config(&large.config());
    assert!(gateway.reload());
    for number in [0, 1, 2, 0, 1, 2] {
        assert_eq!(status(&client, "default", number).0, 200);
    }
    assert_eq!(origin.seen().len(), 6);
    let report = gateway.finish();
    assert_eq!((report.recorded, report.hits), (6, 6), "{report:?}");
    assert!(report.unused.is_empty(), "{report:?}");
}

/// A session with a cassette of this text.
fn session(limits: &Limits, text: &str) -> (tempfile::TempDir, Sessions) {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("x.jsons"), text).unwrap();
    let folder = CassetteDir::open(home.path(), 1 << 30).unwrap();
    let sessions = Sessions::new(Arc::new(folder), limits, Vec::new());
    (home, sessions)
}

fn index(sessions: &Sessions) -> Index {
    let session = sessions.get_or_create("x").unwrap();
    sessions.load(&session, false).unwrap();
    Index::build(session, plugins(), Arc::clone(sessions.folder()))
}

#[test]
fn index_memory_counts_what_exchanges_take() {
    plugins();
    let plain = |size: usize| {
        move |number: usize| {
            let body = vec![b'x'; size];
            exchange(&format!("/{number}"), "text/plain", &body)
        }
    };
    let lines = |number: usize| {
        let body = "a line\n".repeat(100);
        exchange(&format!("/{number}"), "text/plain", body.as_bytes())
    };
    let cases = [
        text((0..100).map(plain(0))),
        text((0..40).map(plain(2000))),
        text((0..40).map(lines)),
        text((0..10).map(|_| chunked(400))),
    ];
    for (number, text) in cases.into_iter().enumerate() {
        let (_home, sessions) = session(&Limits::default(), &text);
        let mut built = None;
        let taken = counted(|| built = Some(index(&sessions))).kept;
        let counted = sessions.index_memory() as u64;
        assert!(
            taken <= counted + 42_000 && counted <= 4 * taken,
            "{number}: {counted} bytes are counted, {taken} are taken"
        );
        drop((built, sessions));
    }
}

#[test]
fn the_keys_of_large_recorded_bodies_wait_for_memory() {
    let limits = Limits {
        memory: 1 << 20,
        offload_size: 64 << 10,
        memory_wait_timeout: 2 * PATIENCE,
        ..Limits::default()
    };
    let body = vec![b'x'; 200 << 10];
    let (_home, sessions) = session(&limits, &text([exchange("/", "text/plain", &body)]));
    let mut held = sessions.budget().request_reservation();
    assert!(held.try_grow(900 << 10));
    let (done, is_done) = sync_channel(1);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let keyed = index(&sessions).any_entry().is_some();
            done.send(keyed).unwrap();
        });
        let early = is_done.recv_timeout(Duration::from_millis(500));
        assert!(early.is_err(), "a key was derived without memory");
        held.resize(0);
        assert_eq!(is_done.recv_timeout(PATIENCE), Ok(true));
    });
    assert_eq!(sessions.budget().used(), 0);
}
