//! The requests of the demo.

use http::Method;

/// The secret that the client sends while the demo records.
pub(super) const SECRET: &str = "sesame-4f9c1e7ab2d8";

/// The secret that the client sends while the demo replays.
pub(super) const OTHER_SECRET: &str = "another-77d0c3e5f1";

/// The protocol of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

/// A request. `{secret}` and `{nonce}` in `target` and `body` are placeholders.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) protocol: Protocol,
    pub(super) method: Method,
    pub(super) target: &'static str,
    pub(super) body: &'static str,
    pub(super) content_type: &'static str,
}

/// All requests, each over both protocols.
pub(super) fn all() -> Vec<Case> {
    [Protocol::Http1, Protocol::Http2]
        .into_iter()
        .flat_map(|protocol| {
            let with = |case: Case| Case { protocol, ..case };
            [
                with(get("a greeting", "/hello")),
                with(get("a compressed body", "/gzip")),
                with(get("a chunked stream", "/stream")),
                with(get("an event stream", "/events")),
                with(get("binary data", "/bytes")),
                with(get("a redirect, not followed", "/moved")),
                with(get("cookies", "/login?access_token={secret}")),
                with(get("no content", "/nothing")),
                with(form()),
                with(order()),
            ]
        })
        .collect()
}

/// A JSON request with a secret and a nonce.
pub(super) fn order() -> Case {
    Case {
        name: "a JSON order",
        protocol: Protocol::Http1,
        method: Method::POST,
        target: "/orders",
        body: r#"{"item": "tea", "password": "{secret}", "nonce": "{nonce}"}"#,
        content_type: "application/json",
    }
}

fn form() -> Case {
    Case {
        name: "a form",
        protocol: Protocol::Http1,
        method: Method::POST,
        target: "/form",
        body: "user=ann&password={secret}",
        content_type: "application/x-www-form-urlencoded",
    }
}

fn get(name: &'static str, target: &'static str) -> Case {
    Case {
        name,
        protocol: Protocol::Http1,
        method: Method::GET,
        target,
        body: "",
        content_type: "",
    }
}

impl Case {
    /// The target and the body with the placeholders replaced.
    pub(super) fn fill(&self, secret: &str, nonce: u32) -> (String, String) {
        let fill = |text: &str| {
            text.replace("{secret}", secret)
                .replace("{nonce}", &nonce.to_string())
        };
        (fill(self.target), fill(self.body))
    }
}
