//! Loading a cassette of 100,000 exchanges for replay. The baseline reads the same file and parses
//! its JSON without keeping it.

use std::cell::LazyCell;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use criterion::{Criterion, SamplingMode};
use ouli_cassette::{CassetteDir, ChangePolicy};
use ouli_config::Limits;
use ouli_message::Exchange;
use ouli_plugin::Plugins;
use ouli_proxy::session::{Index, Session, Sessions};
use serde::de::IgnoredAny;

use crate::folder::{self, BenchFolder};
use crate::messages;
use crate::table::Table;

const EXCHANGES: u64 = 100_000;
const SESSION: &str = "large";
/// The limit of the cassette size is not reached.
const LARGEST: u64 = 4 << 30;

pub(crate) fn bench(criterion: &mut Criterion, table: &mut Table) {
    let large = LazyCell::new(Large::new);
    let plugins = LazyCell::new(|| Arc::new(folder::plugins(None)));
    let mut group = criterion.benchmark_group("cassette");
    // An iteration takes about a second, so a sample has one.
    group.sampling_mode(SamplingMode::Flat).sample_size(10);
    group.warm_up_time(Duration::from_millis(1));
    group.measurement_time(Duration::from_secs(1));
    group.bench_function("load", |bencher| {
        bencher.iter_with_large_drop(|| large.load());
    });
    group.bench_function("load-and-index", |bencher| {
        bencher.iter_with_large_drop(|| large.index(&plugins));
    });
    group.bench_function("read-json", |bencher| bencher.iter(|| large.read_json()));
    for (name, count) in [("damaged", EXCHANGES), ("tenth-damaged", EXCHANGES / 10)] {
        let text = LazyCell::new(|| damaged(count));
        group.bench_function(name, |bencher| {
            bencher.iter_with_large_drop(|| ouli_cassette::decode(&text).unwrap());
        });
    }
    group.finish();
    let what = format!("cassette of {EXCHANGES}, every second damaged, torn");
    table.times(&what, "cassette", ("damaged", "tenth-damaged"), None);
    for (figure, what) in [("load", "file"), ("load-and-index", "file and keys")] {
        let what = format!("cassette of {EXCHANGES} exchanges, {what}");
        table.times(&what, "cassette", (figure, "read-json"), None);
    }
}

/// Every second exchange has a changed byte and the last one is truncated: the most work for a
/// cassette of this size.
fn damaged(count: u64) -> Bytes {
    let mut text = ouli_cassette::HEADER.as_bytes().to_vec();
    for ordinal in 1..=count {
        let at = text.len();
        let exchange = exchange(ordinal);
        ouli_cassette::encode(&mut text, ordinal, &exchange, "large.bodies");
        if ordinal % 2 == 0 {
            let middle = at + (text.len() - at) / 2;
            text[middle] = 0;
        }
    }
    text.truncate(text.len() - 9);
    Bytes::from(text)
}

fn exchange(ordinal: u64) -> Exchange {
    let mut request = messages::get();
    request.target = format!("/v1/items/{ordinal}?page=3&sort=price&limit=50");
    request.fields.retain(|name, _| name.as_str() < "b");
    let good = "good ".repeat(60);
    let body = format!("{{\"id\": {ordinal}, \"note\": \"{good}\"}}");
    messages::exchange(request, &body)
}

struct Large {
    _folder: BenchFolder,
    folder: Arc<CassetteDir>,
}

impl Large {
    fn new() -> Self {
        let workspace = BenchFolder::new();
        let folder =
            Arc::new(CassetteDir::open(&workspace.path().join("cassettes"), LARGEST).unwrap());
        let mut text = ouli_cassette::HEADER.as_bytes().to_vec();
        for ordinal in 1..=EXCHANGES {
            ouli_cassette::encode(&mut text, ordinal, &exchange(ordinal), "large.bodies");
        }
        std::fs::write(folder.session_path(SESSION).unwrap(), text).unwrap();
        Self {
            _folder: workspace,
            folder,
        }
    }

    fn load(&self) -> ouli_cassette::LoadedCassette {
        let loaded = self
            .folder
            .load(SESSION, ChangePolicy::Mark)
            .unwrap()
            .unwrap();
        assert_eq!(loaded.exchanges.len() as u64, EXCHANGES);
        loaded
    }

    fn index(&self, plugins: &Arc<Plugins>) -> (Arc<Session>, Index) {
        let sessions = Sessions::new(Arc::clone(&self.folder), &Limits::default(), Vec::new());
        let session = sessions.get_or_create(SESSION).unwrap();
        sessions.load(&session, false).unwrap();
        assert_eq!(session.len() as u64, EXCHANGES);
        let (plugins, folder) = (Arc::clone(plugins), Arc::clone(&self.folder));
        let index = Index::build(Arc::clone(&session), plugins, folder);
        (session, index)
    }

    fn read_json(&self) -> usize {
        let text = std::fs::read(self.folder.session_path(SESSION).unwrap()).unwrap();
        let values = serde_json::Deserializer::from_slice(&text).into_iter::<IgnoredAny>();
        values.map(Result::unwrap).count()
    }
}
