//! The measured requests and responses: typical sizes with a typical secret.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use ouli_message::{CodedBody, Content, Exchange, Fields, Request, Response};

/// The headers of a typical client.
const HEADERS: [(&str, &str); 10] = [
    ("accept", "application/json"),
    ("accept-encoding", "gzip, br"),
    ("accept-language", "en"),
    ("authorization", "Bearer 4f9c1e7ab2d84f9c1e7ab2d8"),
    ("user-agent", "shop/4.2 (linux; x86_64)"),
    ("x-client-version", "4.2.0"),
    ("x-kind", "gold"),
    ("x-region", "eu-west-1"),
    ("x-request-id", "0f8fad5b-d9cb-469f-a165-70867728950e"),
    ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-01"),
];

/// A GET with three parameters and ten headers.
pub(crate) fn get() -> Request {
    request(Method::GET, "/v1/items?page=3&sort=price&limit=50", "")
}

/// A POST of 1 KiB of JSON.
pub(crate) fn post() -> Request {
    let body = json(1 << 10);
    let mut request = request(Method::POST, "/v1/items", &body);
    let kind = HeaderValue::from_static("application/json");
    request.fields.push(http::header::CONTENT_TYPE, kind);
    request
}

/// An exchange whose response has this JSON body.
pub(crate) fn exchange(request: Request, body: &str) -> Exchange {
    let headers = [
        ("content-type", "application/json"),
        ("date", "Thu, 01 Jan 2026 00:00:00 GMT"),
        ("server", "shop"),
    ];
    Exchange {
        endpoint: "api".to_owned(),
        request,
        response: Response {
            status: StatusCode::OK,
            fields: fields(&headers),
            body: content(body),
            coded: CodedBody::Derived,
            trailers: Fields::default(),
            reason: None,
            omitted: Vec::new(),
        },
        stream: None,
        failure: None,
        tags: Vec::new(),
    }
}

/// A JSON document of about `size` bytes with a secret and many small objects.
pub(crate) fn json(size: usize) -> String {
    let mut text = r#"{"id": 42, "access_token": "9b1d3c7e5f2a4860", "items": ["#.to_owned();
    for number in 0.. {
        let name = format!("item {number}");
        let price = number % 997;
        text += &format!(
            r#"{{"id": {number}, "name": "{name}", "price": {price}.5, "tags": ["a", "b"], "#
        );
        text += r#""note": "as good as new", "stock": null, "sold": false}"#;
        if text.len() + 2 >= size {
            break;
        }
        text += ", ";
    }
    text + "]}"
}

fn request(method: Method, target: &str, body: &str) -> Request {
    Request {
        method,
        authority: "shop.example:443".to_owned(),
        target: target.to_owned(),
        fields: fields(&HEADERS),
        body: content(body),
        trailers: Fields::default(),
        truncated_at: None,
    }
}

fn content(body: &str) -> Content {
    Content::Inline(Bytes::copy_from_slice(body.as_bytes()))
}

fn fields(pairs: &[(&'static str, &'static str)]) -> Fields {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| {
            let name = HeaderName::from_static(name);
            (name, HeaderValue::from_static(value))
        })
        .collect()
}
