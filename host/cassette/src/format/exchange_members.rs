//! Reads the members of an exchange, and rejects unknown, missing and mistyped ones.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use http::{Method, StatusCode};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use super::body_reader::ParsedBody;
use super::failure_reader::FailureMembers;
use super::field_reader::{FieldList, FieldName, check_content_length};
use super::place::Place;
use super::stream_reader::StreamMembers;
use super::strict_json::{Object, Text};
use ouli_message::failure::{FailureKind, Phase};
use ouli_message::{CodedBody, Content, Exchange, Failure, FailureCause, Request, Response};

/// An exchange in a cassette, borrowed from its text.
pub(super) struct Record<'a>(Members<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Record<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let members = Members::deserialize(deserializer)?;
        members.check().map_err(Error::custom)?;
        Ok(Self(members))
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Members<'a> {
    exchange: u64,
    #[serde(default)]
    before: Option<u64>,
    #[serde(borrow)]
    endpoint: Text<'a>,
    #[serde(borrow)]
    request: Object<RequestMembers<'a>>,
    #[serde(borrow, default)]
    response: Option<Object<ResponseMembers<'a>>>,
    #[serde(borrow, default)]
    stream: Option<StreamMembers<'a>>,
    #[serde(default)]
    failure: Option<FailureMembers>,
    #[serde(default)]
    tags: Tags,
    #[serde(borrow, default)]
    digest: Option<Text<'a>>,
}

impl Members<'_> {
    /// Only an exchange that failed before the response has no response.
    fn check(&self) -> Result<(), String> {
        let failure = self.failure.as_ref().map(|failure| &failure.0.cause);
        let before_response = failure.filter(|cause| cause.is_before_response());
        match (before_response, &self.response) {
            (None, None) => Err("missing field `response`".to_owned()),
            (Some(cause), Some(_)) => Err(format!(
                "an exchange that failed in the phase `{}` has no response: set the phase to \
                 `body`, or remove the response",
                cause.phase.name()
            )),
            (None, Some(Object(response))) if response.undecoded && response.coded.is_some() => {
                Err("`coded` is not allowed with `undecoded`".to_owned())
            }
            (None, Some(Object(response))) => response.check(self.stream.as_ref()),
            (Some(_), None) => Ok(()),
        }
    }
}

impl Record<'_> {
    /// The place, the stored digest, and the exchange. Its bodies are slices of `buffer`, from
    /// which the record was parsed.
    pub(super) fn into_exchange(self, buffer: &Bytes) -> (Place, Option<String>, Exchange) {
        let Self(members) = self;
        let Object(request) = members.request;
        let failure = members.failure.map(|failure| failure.0);
        let response = response(members.response, failure.as_ref(), buffer);
        let stream = members.stream;
        let stream = stream.map(|it| it.into_stream(buffer, &response.body));
        let exchange = Exchange {
            endpoint: members.endpoint.0.into_owned(),
            request: Request {
                method: request.method.0,
                authority: request.authority.0.into_owned(),
                target: request.target.0.into_owned(),
                fields: request.headers.0,
                body: content(request.body, buffer),
                trailers: request.trailers.0,
                truncated_at: request.truncated_at,
            },
            response,
            stream,
            failure,
            tags: members.tags.0,
        };
        let digest = members.digest.map(|text| text.0.into_owned());
        let place = Place {
            number: members.exchange,
            before: members.before,
        };
        (place, digest, exchange)
    }
}

fn response(
    members: Option<Object<ResponseMembers<'_>>>,
    failure: Option<&Failure>,
    buffer: &Bytes,
) -> Response {
    let Some(Object(members)) = members else {
        // `check` accepts this only with a failure before the response.
        let cause = failure.map(|failure| failure.cause);
        return Response::absent(
            &cause.unwrap_or(FailureCause::new(Phase::Head, FailureKind::Closed)),
        );
    };
    let coded = match members.coded {
        Some(coded) => CodedBody::Exact(coded.into_content(buffer)),
        None if members.undecoded => CodedBody::Undecoded,
        None => CodedBody::Derived,
    };
    Response {
        status: members.status.0,
        reason: members.reason.map(|reason| reason.0),
        fields: members.headers.0,
        body: content(members.body, buffer),
        coded,
        trailers: members.trailers.0,
        omitted: members.omitted.into_iter().map(|name| name.0).collect(),
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestMembers<'a> {
    method: MethodText,
    #[serde(borrow)]
    authority: Text<'a>,
    #[serde(borrow)]
    target: Text<'a>,
    headers: FieldList,
    #[serde(borrow, default)]
    body: Option<ParsedBody<'a>>,
    #[serde(default)]
    trailers: FieldList,
    #[serde(default)]
    truncated_at: Option<u64>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct ResponseMembers<'a> {
    status: StatusNumber,
    #[serde(default)]
    reason: Option<ReasonText>,
    headers: FieldList,
    #[serde(borrow, default)]
    body: Option<ParsedBody<'a>>,
    #[serde(borrow, default)]
    coded: Option<ParsedBody<'a>>,
    #[serde(default)]
    undecoded: bool,
    #[serde(default)]
    trailers: FieldList,
    #[serde(default)]
    omitted: Vec<FieldName>,
}

impl ResponseMembers<'_> {
    /// What only a WebSocket can be answered with, and lengths that no client can read.
    fn check(&self, stream: Option<&StreamMembers<'_>>) -> Result<(), String> {
        let is_websocket = stream.is_some_and(StreamMembers::is_websocket);
        if self.status.0 == StatusCode::SWITCHING_PROTOCOLS && !is_websocket {
            return Err("the status 101 is only allowed with a `stream` of `websocket`".to_owned());
        }
        check_content_length(&self.headers.0)
    }
}

fn content(body: Option<ParsedBody<'_>>, buffer: &Bytes) -> Content {
    body.map_or(Content::EMPTY, |body| body.into_content(buffer))
}

struct MethodText(Method);

impl<'de> Deserialize<'de> for MethodText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Text(text) = Text::deserialize(deserializer)?;
        Method::from_bytes(text.as_bytes())
            .map(Self)
            .map_err(|_| Error::custom("expected an HTTP method"))
    }
}

/// The status of a final response. 101 is for the handshake of a WebSocket.
struct StatusNumber(StatusCode);

impl<'de> Deserialize<'de> for StatusNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        StatusCode::from_u16(u16::deserialize(deserializer)?)
            .ok()
            .filter(|it| !it.is_informational() || *it == StatusCode::SWITCHING_PROTOCOLS)
            .map(Self)
            .ok_or_else(|| Error::custom("expected a status from 200 to 999, or 101"))
    }
}

/// A reason phrase (RFC 9112, section 4).
struct ReasonText(String);

impl<'de> Deserialize<'de> for ReasonText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Text(text) = Text::deserialize(deserializer)?;
        if text.chars().any(|it| it != '\t' && it.is_control()) {
            return Err(Error::custom("expected a reason phrase of one line"));
        }
        Ok(Self(text.into_owned()))
    }
}

/// The tags of recording policies: an object of strings, in order.
#[derive(Default)]
struct Tags(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Tags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TagsVisitor;
        impl<'de> Visitor<'de> for TagsVisitor {
            type Value = Tags;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Tags, A::Error> {
                let mut tags = Vec::new();
                while let Some((name, value)) = members.next_entry()? {
                    let (Text(name), Text(value)): (Text<'_>, Text<'_>) = (name, value);
                    tags.push((Cow::into_owned(name), Cow::into_owned(value)));
                }
                Ok(Tags(tags))
            }
        }
        deserializer.deserialize_map(TagsVisitor)
    }
}
