//! Exchange to text: the pure half that writes.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::digest::digest;
use super::json_writer::JsonWriter;
use super::{body_writer, stream_writer};
use ouli_message::{Exchange, Failure, Fields, Request, Response};

/// The first value of a cassette, with the end of its line.
pub const HEADER: &str = "{ \"ouli-cassette\": 1 }\n";

/// Appends one exchange to `out`, as one pretty-printed JSON value that ends its line.
///
/// `ordinal` counts from 1. `folder` is the name of the folder of stored bodies as it is seen from
/// beside the cassette: `SESSION.bodies`.
pub fn encode(out: &mut Vec<u8>, ordinal: u64, exchange: &Exchange, folder: &str) {
    let mut page = JsonWriter::start(out);
    page.number("exchange", ordinal);
    page.string("endpoint", &exchange.endpoint);
    request(&mut page, &exchange.request, folder);
    if exchange.has_response() {
        response(&mut page, &exchange.response, folder);
    }
    stream_writer::write(&mut page, exchange, folder);
    if let Some(failure) = &exchange.failure {
        failed(&mut page, failure);
    }
    if !exchange.tags.is_empty() {
        page.open("tags", b'{');
        for (name, value) in &exchange.tags {
            page.string(name, value);
        }
        page.close(b'}');
    }
    page.string("digest", &digest(exchange));
    page.end();
}

fn request(page: &mut JsonWriter<'_>, request: &Request, folder: &str) {
    page.open("request", b'{');
    page.string("method", request.method.as_str());
    page.string("authority", &request.authority);
    page.string("target", &request.target);
    fields(page, "headers", &request.fields);
    body_writer::write(page, &request.body, folder);
    trailers(page, &request.trailers);
    page.close(b'}');
}

fn response(page: &mut JsonWriter<'_>, response: &Response, folder: &str) {
    page.open("response", b'{');
    page.number("status", u64::from(response.status.as_u16()));
    fields(page, "headers", &response.fields);
    body_writer::write(page, &response.body, folder);
    trailers(page, &response.trailers);
    page.close(b'}');
}

fn failed(page: &mut JsonWriter<'_>, failure: &Failure) {
    let Failure { cause: fault, at } = failure;
    page.open("failure", b'{');
    page.string("phase", fault.phase.name());
    page.string("what", fault.kind.name());
    if let Some(code) = fault.code {
        page.number("code", u64::from(code));
    }
    page.number("at", *at);
    page.close(b'}');
}

fn trailers(page: &mut JsonWriter<'_>, trailers: &Fields) {
    if !trailers.is_empty() {
        fields(page, "trailers", trailers);
    }
}

fn fields(page: &mut JsonWriter<'_>, member: &str, fields: &Fields) {
    page.open(member, b'[');
    for (name, value) in fields.iter() {
        match std::str::from_utf8(value.as_bytes()) {
            Ok(text) => page.pair(name.as_str(), None, text),
            Err(_) => page.pair(
                name.as_str(),
                Some("base64"),
                &STANDARD.encode(value.as_bytes()),
            ),
        }
    }
    page.close(b']');
}
