//! The positions of secrets: those of the default rules and those that redaction always covers.

use std::collections::BTreeSet;
use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::support::client::{Ask, Client};
use crate::support::origin::{self, Reply};
use crate::support::random;

/// The rules that the built-in redactor declares.
#[path = "../../../plugins/builtin-redactor/src/defaults/mod.rs"]
mod defaults;

/// A request and its response. `CANARY` is replaced by a secret, `ENCODED` by a percent-encoded
/// one, `BASIC` by credentials in base64, `PLAIN` and `UPPER` by the random part of a token.
#[derive(Clone, Debug, Default)]
pub(super) struct Case {
    pub(super) name: String,
    query: String,
    header: Option<(String, String)>,
    body: Option<(&'static str, String)>,
    reply_header: Option<(String, String)>,
    reply_body: Option<(&'static str, String)>,
    trailer: bool,
    gzip: bool,
}

/// A case with its secrets filled in.
#[derive(Clone)]
pub(super) struct Filled(Case);

pub(super) fn all() -> Vec<Case> {
    let mut all = headers();
    all.extend(pairs());
    all.extend(members());
    all.extend(patterns());
    all.extend(volatile());
    all.extend(special());
    all
}

fn headers() -> Vec<Case> {
    let case = |(class, pattern): (&str, &str)| {
        let name = pattern.replace('*', "x-other");
        let value = match (class, pattern) {
            ("cookie", _) => "sid=CANARY; Path=/",
            ("challenge", _) => "Digest realm=\"r\", nonce=\"CANARY\"",
            (_, "sec-websocket-protocol") => "v1, bearer, CANARY",
            (_, "authorization" | "proxy-authorization") => "Bearer CANARY",
            (_, _) => "CANARY",
        };
        Case {
            name: format!("header {name}"),
            header: Some((name.clone(), value.to_owned())),
            reply_header: Some((name, value.to_owned())),
            ..Case::default()
        }
    };
    defaults::names(defaults::HEADERS).map(case).collect()
}

fn pairs() -> Vec<Case> {
    let query = |(_, name): (&str, &str)| Case {
        name: format!("query {name}"),
        query: format!("?a=1&{name}=ENCODED&b=2"),
        ..Case::default()
    };
    let form = |(_, name): (&str, &str)| Case {
        name: format!("form {name}"),
        body: Some((
            "application/x-www-form-urlencoded",
            format!("a=1&{name}=ENCODED"),
        )),
        reply_body: Some((
            "application/x-www-form-urlencoded",
            format!("{name}=ENCODED&b=2"),
        )),
        ..Case::default()
    };
    let multipart = |(_, name): (&str, &str)| {
        let head = format!("--xyz\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
        let body = format!("{head}CANARY\r\n--xyz--\r\n");
        Case {
            name: format!("multipart {name}"),
            body: Some(("multipart/form-data; boundary=xyz", body)),
            ..Case::default()
        }
    };
    let both = || defaults::names(defaults::PAIRS);
    let own = defaults::names(defaults::QUERY).map(query);
    own.chain(both().map(query))
        .chain(both().map(form))
        .chain(both().map(multipart))
        .collect()
}

fn members() -> Vec<Case> {
    let case = |name: &str| {
        let json = format!("{{\"a\": [{{\"{name}\": \"CANARY\"}}], \"n\": 1}}");
        Case {
            name: format!("member {name}"),
            body: Some(("application/json", json.clone())),
            reply_body: Some(("application/json; charset=utf-8", json)),
            ..Case::default()
        }
    };
    let named = defaults::names(defaults::JSON);
    named
        .flat_map(|(_, name)| [case(name), case(&camel(name))])
        .collect()
}

/// Converts `access_token` to `accessToken`.
fn camel(name: &str) -> String {
    let mut parts = name.split('_');
    let mut camel = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        camel += &part[..1].to_uppercase();
        camel += &part[1..];
    }
    camel
}

fn patterns() -> Vec<Case> {
    let case = |class: &str| {
        let token = token(class);
        let text = format!("it reads {token} and goes on");
        // A header value has one line.
        let line = text.replace('\n', " ");
        Case {
            name: format!("pattern {class}"),
            header: Some(("x-note".to_owned(), line)),
            body: Some(("text/plain", text.clone())),
            reply_body: Some((
                "application/json",
                serde_json::json!({ "note": text }).to_string(),
            )),
            ..Case::default()
        }
    };
    defaults::PATTERNS
        .iter()
        .map(|(class, _)| case(class))
        .collect()
}

fn token(class: &str) -> &'static str {
    match class {
        "anthropic-key" => "sk-ant-api03-PLAIN",
        "openai-key" => "sk-proj-PLAIN",
        "aws-access-key" => "AKIAUPPER",
        "azure-key" => "AccountKey=PLAIN==",
        "github-token" => "ghp_PLAINPLAIN",
        "gitlab-token" => "glpat-PLAIN",
        "google-api-key" => "AIzaPLAINPLAIN",
        "google-token" => "ya29.PLAIN",
        "huggingface-token" => "hf_PLAINPLAIN",
        "npm-token" => "npm_PLAIN012345678901",
        "sendgrid-key" => "SG.PLAIN.PLAIN",
        "slack-token" => "xoxb-PLAIN",
        "slack-webhook" => "https://hooks.slack.com/services/PLAIN",
        "stripe-key" => "sk_live_PLAIN",
        "private-key" => "-----BEGIN PRIVATE KEY-----\nPLAIN\nPLAIN\n-----END PRIVATE KEY-----",
        "jwt" => "eyJPLAIN.eyJPLAIN.PLAIN",
        "bearer" => "Bearer PLAIN",
        other => panic!("there is no sample for the pattern {other}"),
    }
}

/// Values that are not secret but are not recorded either.
fn volatile() -> Vec<Case> {
    let case = |name: &&str| Case {
        name: format!("volatile {name}"),
        reply_header: Some((name.replace('*', "other"), "CANARY".to_owned())),
        ..Case::default()
    };
    defaults::VOLATILE.iter().map(case).collect()
}

fn special() -> Vec<Case> {
    let case = |name: &str| Case {
        name: name.to_owned(),
        ..Case::default()
    };
    let with = |name: &str, value: &str| Some((name.to_owned(), value.to_owned()));
    let event = "event: auth\ndata: {\"access_token\": \"CANARY\"}\n\ndata: [DONE]\n\n";
    let lines = "{\"n\": 1}\n{\"token\": \"CANARY\"}\n";
    vec![
        Case {
            header: with("authorization", "BASIC"),
            ..case("basic credentials")
        },
        Case {
            header: with("referer", "https://ann:ENCODED@example.com/"),
            reply_header: with("location", "https://ann:ENCODED@example.com/next"),
            ..case("the password of a URL")
        },
        Case {
            reply_header: with(
                "location",
                "/callback?x=1&access_token=ENCODED#id_token=ENCODED",
            ),
            ..case("the query of a redirect")
        },
        Case {
            query: "?next=https%3A%2F%2Fexample.com%2F%3Ftoken%3DPLAIN".to_owned(),
            ..case("a URL within a URL")
        },
        Case {
            reply_body: Some(("text/event-stream", event.to_owned())),
            ..case("an event")
        },
        Case {
            reply_body: Some(("application/x-ndjson", lines.to_owned())),
            ..case("lines")
        },
        Case {
            reply_body: Some(("application/json", "{\"password\": \"CANARY\"}".to_owned())),
            gzip: true,
            ..case("behind a coding")
        },
        Case {
            reply_header: with("x-auth-token", "CANARY"),
            reply_body: Some(("text/plain", "body".to_owned())),
            trailer: true,
            ..case("a trailer")
        },
    ]
}

impl Case {
    /// Fills each position with a new secret and adds it to `secrets`.
    pub(super) fn fill(&self, secrets: &mut BTreeSet<String>) -> Filled {
        let mut filled = self.clone();
        let mut fill = |text: &mut String| *text = with_secrets(text, secrets);
        fill(&mut filled.query);
        for (_, value) in filled.header.iter_mut().chain(&mut filled.reply_header) {
            fill(value);
        }
        for (_, text) in filled.body.iter_mut().chain(&mut filled.reply_body) {
            fill(text);
        }
        Filled(filled)
    }
}

fn with_secrets(text: &str, secrets: &mut BTreeSet<String>) -> String {
    let mut filled = text.to_owned();
    for marker in ["CANARY", "ENCODED", "BASIC", "PLAIN", "UPPER"] {
        while filled.contains(marker) {
            let (secret, written) = secret(marker);
            filled = filled.replacen(marker, &written, 1);
            secrets.insert(secret);
        }
    }
    filled
}

/// A new secret and its form for a marker.
fn secret(marker: &str) -> (String, String) {
    let random = random();
    let odd = format!("{random}!");
    match marker {
        "ENCODED" => (odd, format!("{random}%21")),
        "BASIC" => {
            let credentials = STANDARD.encode(format!("ann:{odd}"));
            (odd, format!("Basic {credentials}"))
        }
        "PLAIN" => (random.clone(), random),
        "UPPER" => {
            let upper = random[..16].to_uppercase();
            (upper.clone(), upper)
        }
        _ => (odd.clone(), odd),
    }
}

impl Filled {
    pub(super) fn ask(&self, client: &Client, number: usize) -> Ask {
        let Self(case) = self;
        let method = if case.body.is_some() { "POST" } else { "GET" };
        let mut ask = client.ask(method, &format!("/case/{number}{}", case.query));
        if let Some((name, value)) = &case.header {
            ask = ask.header(name, value);
        }
        if let Some((content_type, body)) = &case.body {
            ask = ask.header("content-type", content_type).body(body);
        }
        ask.header("te", "trailers")
    }

    pub(super) fn reply(&self) -> Reply {
        let Self(case) = self;
        let (content_type, text) = case
            .reply_body
            .clone()
            .unwrap_or(("text/plain", "done".into()));
        let (name, value) = case
            .reply_header
            .clone()
            .unwrap_or(("x-plain".into(), "1".into()));
        if case.trailer {
            let reply = origin::parts().header("trailer", &name).part(text);
            return reply.trailer(&name, &value);
        }
        let reply = if case.gzip {
            origin::bytes(gzip(&text)).header("content-encoding", "gzip")
        } else {
            origin::bytes(text)
        };
        reply
            .header("content-type", content_type)
            .header(&name, &value)
    }
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}
