//! Responses that were selected by headers: many variants of one request, and many names of them.

use std::sync::Arc;

use http::{HeaderName, HeaderValue, header};
use ouli_cassette::CassetteDir;
use ouli_config::Limits;
use ouli_matching::key::{ExcludedNames, KeyPart, SelectingFields, Variant};
use ouli_message::{Exchange, Fields};
use ouli_proxy::session::{ExhaustedPolicy, Index, LookupResult, Sessions};

use super::cassettes::text;
use super::exchanges::{exchange, plugins};
use super::inputs::{numbered, repeat};
use super::{Shape, Work};

/// Bytes of a shape for each variant, and each name.
const EACH: usize = 32;

pub(super) fn shapes() -> Vec<Shape> {
    let parameters = numbered("", |n| format!(";a{n}=1"), "");
    vec![
        recorded("a request for each of many variants", |number| {
            ("zz".to_owned(), number.to_string())
        }),
        recorded("a request for each of many names in vary", |number| {
            (format!("x-{}", number % 50), number.to_string())
        }),
        Shape::new("names in vary and headers", repeat("x"), |input| {
            let names: Vec<_> = (0..input.len() / EACH)
                .map(|it| format!("x-{it}"))
                .collect();
            let request: Fields = names.iter().map(|name| field(name, "1")).collect();
            let response = [(header::VARY, value(&names.join(",")))];
            let response = response.into_iter().collect();
            let variant = Variant::of(&[rule()], &request, &response);
            let suits = variant.suits(&SelectingFields::of(&request));
            assert!(suits && variant.mismatches(&request).is_empty());
        }),
        Shape::new(
            "parameters of accept and of a type",
            parameters,
            |parameters| {
                let accepted = format!("a/b{}", String::from_utf8_lossy(parameters));
                let request = [(header::ACCEPT, value(&accepted))].into_iter().collect();
                let response = [(header::CONTENT_TYPE, value(&accepted))]
                    .into_iter()
                    .collect();
                Variant::of(&[rule()], &request, &response).is_any()
            },
        ),
    ]
}

fn rule() -> KeyPart {
    KeyPart::Vary {
        except: ExcludedNames::default(),
    }
}

fn field(name: &str, text: &str) -> (HeaderName, HeaderValue) {
    (HeaderName::try_from(name).unwrap(), value(text))
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap()
}

/// A session of variants, each of which is selected by the header with this number. Each is asked
/// for once.
fn recorded(name: &'static str, header: fn(usize) -> (String, String)) -> Shape {
    Shape {
        name,
        run: Box::new(move |n| {
            let variants = Variants::new(n / EACH, header);
            Work {
                size: n,
                work: Box::new(move || variants.find_all()),
            }
        }),
    }
}

struct Variants {
    index: Index,
    requests: Vec<Exchange>,
}

impl Variants {
    fn new(count: usize, header: fn(usize) -> (String, String)) -> Self {
        let requests = (0..count).map(|number| {
            let (name, text) = header(number);
            let mut made = exchange("/", "text/plain", b"");
            let (name, value) = field(&name, &text);
            made.response
                .fields
                .push(header::VARY, self::value(name.as_str()));
            made.request.fields.push(name, value);
            made
        });
        let requests: Vec<_> = requests.collect();
        let folder = tempfile::tempdir().unwrap();
        let cassette = text(requests.iter().cloned());
        std::fs::write(folder.path().join("default.jsons"), cassette).unwrap();
        let folder = Arc::new(CassetteDir::open(folder.path(), 1 << 30).unwrap());
        let sessions = Sessions::new(Arc::clone(&folder), &Limits::default(), Vec::new());
        let session = sessions.get_or_create("default").unwrap();
        sessions.load(&session, false).unwrap();
        Self {
            index: Index::build(session, plugins(), folder),
            requests,
        }
    }

    fn find_all(&self) {
        let session = self.index.any_entry();
        let (_, key) = session.expect("all requests have one key");
        for made in &self.requests {
            let policy = ExhaustedPolicy::Miss;
            let found = self.index.find(&key, &made.request.fields, policy);
            assert!(matches!(found, LookupResult::Hit(_)));
        }
    }
}
