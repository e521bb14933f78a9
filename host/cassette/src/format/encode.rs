//! Encodes exchanges as the text of a cassette.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::digest::digest;
use super::json_writer::JsonWriter;
use super::place::Place;
use super::{body_writer, stream_writer};
use ouli_message::{CodedBody, Exchange, Failure, Fields, Request, Response};

/// Appends one exchange to `out`, as a pretty-printed JSON value with a line end after it.
///
/// The numbers of `place` count from 1. `folder` is the path of the folder of stored bodies,
/// relative to the folder of the cassette: `SESSION.bodies`.
pub fn encode(out: &mut Vec<u8>, place: impl Into<Place>, exchange: &Exchange, folder: &str) {
    let Place { number, before } = place.into();
    let mut writer = JsonWriter::start(out);
    writer.number("exchange", number);
    if let Some(before) = before {
        writer.number("before", before);
    }
    writer.string("endpoint", &exchange.endpoint);
    write_request(&mut writer, &exchange.request, folder);
    if exchange.has_response() {
        write_response(&mut writer, &exchange.response, folder);
    }
    stream_writer::write(&mut writer, exchange, folder);
    if let Some(failure) = &exchange.failure {
        write_failure(&mut writer, failure);
    }
    if !exchange.tags.is_empty() {
        writer.open("tags", b'{');
        for (name, value) in &exchange.tags {
            writer.string(name, value);
        }
        writer.close(b'}');
    }
    writer.string("digest", &digest(exchange));
    writer.end();
}

fn write_request(writer: &mut JsonWriter<'_>, request: &Request, folder: &str) {
    writer.open("request", b'{');
    writer.string("method", request.method.as_str());
    writer.string("authority", &request.authority);
    writer.string("target", &request.target);
    write_fields(writer, "headers", &request.fields);
    body_writer::write(writer, "body", &request.body, folder);
    write_trailers(writer, &request.trailers);
    if let Some(length) = request.truncated_at {
        writer.number("truncated_at", length);
    }
    writer.close(b'}');
}

fn write_response(writer: &mut JsonWriter<'_>, response: &Response, folder: &str) {
    writer.open("response", b'{');
    writer.number("status", u64::from(response.status.as_u16()));
    if let Some(reason) = &response.reason {
        writer.string("reason", reason);
    }
    write_fields(writer, "headers", &response.fields);
    body_writer::write(writer, "body", &response.body, folder);
    match &response.coded {
        CodedBody::Derived => {}
        CodedBody::Exact(coded) => body_writer::write(writer, "coded", coded, folder),
        CodedBody::Undecoded => writer.raw("undecoded", "true"),
    }
    write_trailers(writer, &response.trailers);
    if !response.omitted.is_empty() {
        writer.open("omitted", b'[');
        for name in &response.omitted {
            writer.item(name.as_str());
        }
        writer.close(b']');
    }
    writer.close(b'}');
}

fn write_failure(writer: &mut JsonWriter<'_>, failure: &Failure) {
    let Failure { cause, at } = failure;
    writer.open("failure", b'{');
    writer.string("phase", cause.phase.name());
    writer.string("what", cause.kind.name());
    if let Some(code) = cause.code {
        writer.number("code", u64::from(code));
    }
    writer.number("at", *at);
    writer.close(b'}');
}

fn write_trailers(writer: &mut JsonWriter<'_>, trailers: &Fields) {
    if !trailers.is_empty() {
        write_fields(writer, "trailers", trailers);
    }
}

fn write_fields(writer: &mut JsonWriter<'_>, member: &str, fields: &Fields) {
    writer.open(member, b'[');
    for (name, value) in fields.iter() {
        match std::str::from_utf8(value.as_bytes()) {
            Ok(text) => writer.pair(name.as_str(), None, text),
            Err(_) => writer.pair(
                name.as_str(),
                Some("base64"),
                &STANDARD.encode(value.as_bytes()),
            ),
        }
    }
    writer.close(b']');
}
