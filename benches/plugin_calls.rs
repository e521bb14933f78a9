//! The cost that a plugin adds to a key: one that declares, one that is called, one with other
//! routes. The baseline is the host alone.

use std::hint::black_box;
use std::sync::Arc;

use criterion::Criterion;
use ouli_codec::MessageView;
use ouli_codec::json::Pointer;
use ouli_matching::key::{self, ExcludedNames, Key, KeyPart};
use ouli_message::Request;
use ouli_plugin::Plugins;
use ouli_redaction::{RedactedMessage, Secrets};

use crate::table::Table;
use crate::{fixtures, folder, messages};

/// The figures, each with its baseline and its description.
const ROWS: [(&str, &str, &str); 4] = [
    ("declared-get", "declared-get-by-host", "key, declared, GET"),
    ("declared", "declared-by-host", "key, declared, POST 1 KiB"),
    ("one-part", "one-part-by-host", "key, one part asked for"),
    ("routed-past", "without", "key, routed past a plugin"),
];

pub(crate) fn bench(criterion: &mut Criterion, table: &mut Table) {
    let post = plain(messages::post());
    // The JSON is parsed before the measurement.
    assert!(post.json().is_some());
    let mut group = criterion.benchmark_group("asked");
    let mut time = |name: &str, run: &dyn Fn() -> Key| {
        group.bench_function(name, |bencher| bencher.iter(run));
    };
    let parts = declared();
    let plugin = folder::plugins(Some(&fixtures::fixture("declares")));
    for (request, name) in [
        (messages::get(), "declared-get"),
        (messages::post(), "declared"),
    ] {
        // The view redacts the request, as at replay.
        let request = Arc::new(request);
        let by_host = || key::derive(&parts, &*view(&plugin, &request));
        let by_plugin = || derived(&plugin, &view(&plugin, &request));
        assert_eq!(by_plugin(), by_host());
        time(&format!("{name}-by-host"), &by_host);
        time(name, &by_plugin);
    }
    let plugin = folder::plugins(Some(&fixtures::fixture("one-part")));
    assert_eq!(derived(&plugin, &post), by_hand(&*post));
    time("one-part-by-host", &|| by_hand(black_box(&*post)));
    time("one-part", &|| derived(&plugin, &post));
    let without = folder::plugins(None);
    let routed = folder::routed("one-part", "/elsewhere/*");
    assert_eq!(derived(&without, &post), derived(&routed, &post));
    time("without", &|| derived(&without, &post));
    time("routed-past", &|| derived(&routed, &post));
    group.finish();
    for (figure, baseline, what) in ROWS {
        table.times(what, "asked", (figure, baseline), None);
    }
}

thread_local! {
    static SECRETS: Arc<Secrets> = Arc::default();
}

fn view(plugins: &Plugins, request: &Arc<Request>) -> Arc<dyn MessageView> {
    let (endpoint, session) = ("api".into(), "default".into());
    let secrets = SECRETS.with(Arc::clone);
    let view = plugins.view(endpoint, session, Arc::clone(request), secrets);
    view.unwrap()
}

fn derived(plugins: &Plugins, request: &Arc<dyn MessageView>) -> Key {
    SECRETS.with(|secrets| plugins.key(black_box(request), secrets).unwrap().key)
}

/// The parts that the fixture `declares` declares.
fn declared() -> [KeyPart; 4] {
    let nonce = Pointer::parse("/nonce").unwrap();
    let query = KeyPart::Query {
        except: ExcludedNames::exact([""; 0]),
    };
    [
        KeyPart::Method,
        KeyPart::Path,
        query,
        KeyPart::Body {
            except: vec![nonce],
        },
    ]
}

fn plain(request: Request) -> Arc<dyn MessageView> {
    Arc::new(RedactedMessage::request(
        "api".into(),
        "default".into(),
        Arc::new(request),
    ))
}

/// The native equivalent of the fixture `one-part`.
fn by_hand(message: &dyn MessageView) -> Key {
    let pointer = Pointer::parse("/id").unwrap();
    let mut value = Vec::new();
    if let Some(document) = message.json()
        && let Some(id) = document.find(&pointer).next()
    {
        value.extend_from_slice(id.text().as_bytes());
    }
    for kind in message.fields().get_all("x-kind") {
        value.extend_from_slice(kind.as_bytes());
    }
    let own = KeyPart::Custom {
        name: "own".to_owned(),
        value: value.into(),
    };
    key::derive(&[KeyPart::Method, KeyPart::Path, own], message)
}
