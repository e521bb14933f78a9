//! Plugins in a gateway under load: the effect of hostile plugins on other requests, the cost of
//! swaps, and memory after ten minutes of both.
//!
//! The gateway runs in its own process, as users run it; the clients run here.

mod hostile;
mod load;
mod soak;
mod swaps;

use std::path::Path;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method};

use ouli_message::Content;

use crate::messages;
use crate::streams::Proxy;

pub(crate) use hostile::bench as hostile;
pub(crate) use soak::bench as soak;
pub(crate) use swaps::bench as swaps;

/// A folder with this configuration and a cassette of two responses: `one` for the header `x-kind:
/// one` and `/id` 7, `two` for the query `rest=two`.
pub(crate) fn folder(config: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let below = |name: &str| folder.path().join(name);
    std::fs::create_dir(below("cassettes")).unwrap();
    std::fs::create_dir(below("plugins")).unwrap();
    std::fs::write(below("ouli.toml"), config).unwrap();
    let mut text = ouli_cassette::HEADER.as_bytes().to_vec();
    for (ordinal, kind) in (1..).zip(["one", "two"]) {
        let mut exchange = messages::exchange(messages::get(), "{}");
        exchange.endpoint = "default".to_owned();
        exchange.request.method = Method::POST;
        exchange.request.target = format!("/ask?rest={kind}");
        exchange.request.fields.retain(|name, _| name == "accept");
        for (name, value) in [("x-kind", kind), ("content-type", "application/json")] {
            let value = HeaderValue::from_static(value);
            exchange
                .request
                .fields
                .push(HeaderName::from_static(name), value);
        }
        let body = format!("{{\"id\": 7, \"rest\": \"{kind}\"}}");
        exchange.request.body = Content::Inline(body.into());
        exchange.response.body = Content::Inline(Bytes::from_static(kind.as_bytes()));
        ouli_cassette::encode(&mut text, ordinal, &exchange, "default.bodies");
    }
    std::fs::write(below("cassettes/default.jsons"), text).unwrap();
    folder
}

/// A gateway in replay mode with this folder.
fn replaying(folder: tempfile::TempDir) -> Proxy {
    Proxy::gateway_in("replay", None, folder)
}

/// Replaces a plugin atomically, as careful programs do.
pub(crate) fn put(folder: &Path, name: &str, component: &[u8]) {
    let beside = folder.join("plugins").join(".new");
    std::fs::write(&beside, component).unwrap();
    std::fs::rename(beside, folder.join("plugins").join(name)).unwrap();
}
