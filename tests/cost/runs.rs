//! Many runs of a session with many exchanges, of which each replays one.

use std::sync::Arc;

use ouli_cassette::CassetteDir;
use ouli_config::Limits;
use ouli_matching::key::Key;
use ouli_message::Fields;
use ouli_proxy::session::{ExhaustedPolicy, Index, LookupResult, Sessions};

use super::cassettes::cassette;
use super::exchanges::{exchange, plugins};
use super::{Shape, Work};

/// Bytes of a shape for each exchange, and each run.
const EACH: usize = 32;

pub(super) fn shapes() -> Vec<Shape> {
    vec![Shape {
        name: "marks",
        run: Box::new(|n| {
            let session = Recorded::new(n / EACH);
            Work {
                size: n,
                work: Box::new(move || session.run_often()),
            }
        }),
    }]
}

/// A session that was replayed, and the key of each exchange.
struct Recorded {
    sessions: Sessions,
    index: Index,
    keys: Vec<Key>,
}

impl Recorded {
    fn new(count: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("default.jsons"), cassette(count)).unwrap();
        let folder = Arc::new(CassetteDir::open(folder.path(), 1 << 30).unwrap());
        let sessions = Sessions::new(Arc::clone(&folder), &Limits::default(), Vec::new());
        let session = sessions.get_or_create("default").unwrap();
        sessions.load(&session, false).unwrap();
        let plugins = plugins();
        let key = |number: usize| {
            let made = exchange(&format!("/{number}"), "application/json", b"{\"id\":1}");
            let (endpoint, name) = ("api".into(), Arc::clone(session.name()));
            let secrets = session.secrets();
            let view = plugins.view(endpoint, name, Arc::new(made.request), Arc::clone(secrets));
            plugins.key(&view.unwrap(), secrets).unwrap().key
        };
        Self {
            keys: (0..count).map(key).collect(),
            index: Index::build(session, plugins, folder),
            sessions,
        }
    }

    /// Begins a run for each exchange, and replays it.
    fn run_often(mut self) {
        for key in &self.keys {
            self.sessions.begin_run("default").unwrap();
            let session = self.sessions.get_or_create("default").unwrap();
            self.index = self.index.rewound(&session).expect("the same exchanges");
            let policy = ExhaustedPolicy::Miss;
            let found = self.index.find(key, &Fields::default(), policy);
            assert!(matches!(found, LookupResult::Hit(_)));
        }
    }
}
