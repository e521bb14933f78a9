//! Deriving the key of a request, with declared parts and with a plugin call. The baseline derives
//! the same parts natively from a request that is already redacted.

use std::cell::LazyCell;
use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use criterion::Criterion;
use ouli_codec::MessageView;
use ouli_codec::json::Pointer;
use ouli_matching::key::{self, ExcludedNames, Key, KeyPart};
use ouli_message::Request;
use ouli_plugin::Plugins;
use ouli_redaction::{RedactedMessage, Secrets};

use crate::table::Table;
use crate::{fixtures, folder, messages};

pub(crate) fn bench(criterion: &mut Criterion, table: &mut Table) {
    let builtin = LazyCell::new(|| Matching::new(None));
    let asked = LazyCell::new(|| Matching::new(Some(&fixtures::fixture("asked-matcher"))));
    let requests = [("get", messages::get()), ("post", messages::post())];
    let mut group = criterion.benchmark_group("key");
    for (name, request) in requests {
        let request = Arc::new(request);
        group.bench_function(format!("declared-{name}"), |bencher| {
            bencher.iter(|| builtin.key(&request));
        });
        group.bench_function(format!("declared-{name}-by-host"), |bencher| {
            let (parts, plain) = (declared(), builtin.redacted(&request));
            let key = builtin.key(&request);
            assert_eq!(names(&derive(&parts, &plain)), names(&key));
            bencher.iter(|| derive(&parts, &plain));
        });
        group.bench_function(format!("asked-{name}"), |bencher| {
            bencher.iter(|| asked.key(&request));
        });
        group.bench_function(format!("asked-{name}-by-host"), |bencher| {
            let plain = asked.redacted(&request);
            assert_eq!(by_hand(&plain), asked.key(&request));
            bencher.iter(|| by_hand(&plain));
        });
    }
    group.finish();
    for (kind, what) in [
        ("declared", "key by declared parts"),
        ("asked", "key by an asked plugin"),
    ] {
        for (name, of) in [("get", "GET"), ("post", "POST 1 KiB")] {
            let figure = format!("{kind}-{name}");
            let baseline = format!("{figure}-by-host");
            table.times(&format!("{what}, {of}"), "key", (&figure, &baseline), None);
        }
    }
}

/// The parts of a session that every request uses.
struct Matching {
    plugins: Plugins,
    endpoint: Arc<str>,
    session: Arc<str>,
    secrets: Arc<Secrets>,
}

impl Matching {
    fn new(own: Option<&[u8]>) -> Self {
        Self {
            plugins: folder::plugins(own),
            endpoint: "api".into(),
            session: "default".into(),
            secrets: Arc::default(),
        }
    }

    fn key(&self, request: &Arc<Request>) -> Key {
        let view = self.plugins.view(
            Arc::clone(&self.endpoint),
            Arc::clone(&self.session),
            Arc::clone(request),
            Arc::clone(&self.secrets),
        );
        self.plugins.key(&view.unwrap(), &self.secrets).unwrap().key
    }

    fn redacted(&self, request: &Request) -> Arc<Request> {
        let exchange = messages::exchange(request.clone(), "{}");
        let redacted = self.plugins.redact(exchange, &self.session, &self.secrets);
        Arc::new(redacted.unwrap().exchange.request)
    }
}

fn plain(request: &Arc<Request>) -> RedactedMessage {
    RedactedMessage::request("api".into(), "default".into(), Arc::clone(request))
}

fn derive(parts: &[KeyPart], request: &Arc<Request>) -> Key {
    key::derive(parts, black_box(&plain(request)))
}

/// The parts that the built-in matcher declares.
fn declared() -> Vec<KeyPart> {
    let but = [
        "_",
        "X-Amz-Date",
        "x-amz-date",
        "X-Goog-Date",
        "x-goog-date",
    ];
    vec![
        KeyPart::Endpoint,
        KeyPart::Method,
        KeyPart::Path,
        KeyPart::Query {
            except: ExcludedNames::exact(but),
        },
        KeyPart::Body { except: Vec::new() },
    ]
}

/// The native equivalent of the fixture `asked-matcher`.
fn by_hand(request: &Arc<Request>) -> Key {
    let message = plain(request);
    let mut parts = vec![KeyPart::Method, KeyPart::Path];
    let mut own = |name: &str, value: &[u8]| {
        let (name, value) = (name.to_owned(), Bytes::copy_from_slice(value));
        parts.push(KeyPart::Custom { name, value });
    };
    for kind in message.fields().get_all("x-kind") {
        own("kind", kind.as_bytes());
    }
    let pointer = Pointer::parse("/id").unwrap();
    if let Some(document) = message.json()
        && let Some(id) = document.find(&pointer).next()
    {
        own("id", id.text().as_bytes());
    }
    key::derive(&parts, black_box(&message))
}

fn names(key: &Key) -> Vec<u64> {
    key.parts().iter().map(|part| part.name).collect()
}
