//! The pipeline with redactors that are written in Rust.

use std::sync::Arc;

use bytes::Bytes;

use super::{PipelineError, RedactionPipeline, Redactor, RedactorEdits};
use crate::declared_rules::RuleDeclaration;
use crate::edits::{Edit, EditError};
use crate::secrets::Secrets;
use crate::tests::{request, response};
use crate::{ConversationMessage, RedactedMessage, exchange_views};
use ouli_codec::MessageView;
use ouli_codec::grpc::Schema;
use ouli_message::stream::{
    Chunk, ChunkKind, Ending, Message, MessageKind, Payload, Protocol, Side, Stream, StreamContent,
};
use ouli_message::{Content, Exchange};

/// Replaces `PIN` with four digits, also across parts of a stream.
#[derive(Default)]
struct PinRedactor {
    rules: Vec<RuleDeclaration>,
    prefix: &'static str,
    fails: bool,
    edits_headers: bool,
}

const PIN: usize = 7;

impl Redactor for PinRedactor {
    type Error = String;

    fn rules(&self) -> &[RuleDeclaration] {
        &self.rules
    }

    fn is_called(&self) -> bool {
        true
    }

    fn covers(&self, path: &str) -> bool {
        path.starts_with(self.prefix)
    }

    fn redact(
        &self,
        message: &Arc<dyn MessageView>,
        secrets: &Arc<Secrets>,
    ) -> Result<RedactorEdits, String> {
        if self.fails {
            return Err("fails".to_owned());
        }
        if self.edits_headers {
            let name = "x-added".to_owned();
            let values = vec![b"yes".to_vec()];
            let edits = vec![Edit::SetHeader { name, values }];
            return Ok(RedactorEdits { edits, hold: 0 });
        }
        let body = message.body();
        let pins = body
            .windows(PIN)
            .enumerate()
            .filter(|(_, text)| text.starts_with(b"PIN") && text[3..].is_ascii());
        let edits = pins.map(|(start, pin)| Edit::Replace {
            start: start as u64,
            end: (start + PIN) as u64,
            bytes: secrets.placeholder("pin", pin).into_bytes(),
        });
        Ok(RedactorEdits {
            edits: edits.collect(),
            hold: PIN - 1,
        })
    }

    fn invalid_edit(&self, error: EditError) -> String {
        error.to_string()
    }
}

fn json_rule(name: &str) -> RuleDeclaration {
    RuleDeclaration::JsonMember {
        name: name.to_owned(),
        class: name.to_owned(),
    }
}

fn pipeline(redactors: Vec<PinRedactor>) -> RedactionPipeline<PinRedactor> {
    let redactors = redactors.into_iter().map(Arc::new).collect();
    RedactionPipeline::new(redactors, &[], Schema::default()).unwrap()
}

fn exchange(target: &str, request_body: &str, response_body: &str) -> Exchange {
    Exchange {
        endpoint: "api".to_owned(),
        request: request(target, &[], request_body),
        response: response(&[], response_body),
        stream: None,
        failure: None,
        tags: Vec::new(),
    }
}

fn stream(content: StreamContent) -> Option<Stream> {
    let ending = Ending::default();
    Some(Stream { content, ending })
}

fn message(side: Side, text: &'static str) -> Message {
    let content = Content::Inline(Bytes::from_static(text.as_bytes()));
    let compressed = false;
    Message {
        side,
        at: 0,
        kind: MessageKind::Text(Payload {
            content,
            compressed,
        }),
    }
}

fn redact(pipeline: &RedactionPipeline<PinRedactor>, exchange: Exchange) -> Exchange {
    let redacted = pipeline.redact(exchange, &"default".into(), &Arc::default());
    redacted.unwrap().exchange
}

#[test]
fn a_secret_found_in_the_response_is_removed_from_the_request() {
    let pipeline = pipeline(vec![PinRedactor {
        rules: vec![json_rule("token")],
        ..PinRedactor::default()
    }]);
    let secret = "0123456789abcdef";
    let body = format!("{{\"token\": \"{secret}\"}}");
    let exchange = exchange(&format!("/a?id={secret}"), "is PIN1234", &body);
    let redacted = pipeline.redact(exchange, &"default".into(), &Arc::default());
    let redacted = redacted.unwrap();
    let exchange = redacted.exchange;
    assert_eq!(exchange.request.body.inline(), b"is <pin-1>");
    assert!(!exchange.request.target.contains(secret), "{exchange:?}");
    assert_eq!(
        exchange.response.body.inline(),
        b"{\"token\": \"<token-1>\"}"
    );
    assert!(
        redacted.counts.contains_key("json.token"),
        "{:?}",
        redacted.counts
    );
}

#[test]
fn a_redactor_sees_held_bytes_again_with_the_next_chunk() {
    let pipeline = pipeline(vec![PinRedactor::default()]);
    let mut exchange = exchange("/events", "", "one PIN1234 PIN5678");
    let chunks = vec![
        Chunk { at: 1, size: 7 },
        Chunk { at: 2, size: 7 },
        Chunk { at: 3, size: 5 },
    ];
    exchange.stream = stream(StreamContent::Chunks(ChunkKind::Event, chunks));
    let redacted = redact(&pipeline, exchange);
    assert_eq!(redacted.response.body.inline(), b"one <pin-1> <pin-2>");
    let Some(StreamContent::Chunks(_, chunks)) = redacted.stream.map(|stream| stream.content)
    else {
        panic!("the stream has chunks");
    };
    assert_eq!(chunks.len(), 3);
    let sizes: u64 = chunks.iter().map(|chunk| chunk.size).sum();
    assert_eq!(sizes, 19);
}

#[test]
fn messages_of_each_side_are_redacted_together() {
    let pipeline = pipeline(vec![PinRedactor::default()]);
    let mut exchange = exchange("/socket", "", "");
    let messages = vec![
        message(Side::Client, "PIN1"),
        message(Side::Server, "PIN2222"),
        message(Side::Client, "234"),
    ];
    exchange.stream = stream(StreamContent::Messages(Protocol::WebSocket, messages));
    let redacted = redact(&pipeline, exchange);
    let (_, view) = exchange_views(&redacted, &"default".into(), &Schema::default());
    let bodies: Vec<_> = view
        .parts()
        .iter()
        .map(|part| part.body().clone())
        .collect();
    assert_eq!(bodies, ["<pin-1>", "<pin-2>", ""]);
}

#[test]
fn redactors_apply_to_their_paths_only() {
    let routed = |prefix, name| PinRedactor {
        rules: vec![json_rule(name)],
        prefix,
        ..PinRedactor::default()
    };
    let pipeline = pipeline(vec![routed("/a", "one"), routed("/a/b", "two")]);
    let body = r#"{"one": "first-secret", "two": "second-secret"}"#;
    for (path, expected) in [
        ("/c", body),
        ("/a", r#"{"one": "<one-1>", "two": "second-secret"}"#),
        ("/a/b", r#"{"one": "<one-1>", "two": "<two-1>"}"#),
    ] {
        let redacted = redact(&pipeline, exchange(path, body, ""));
        let text = String::from_utf8_lossy(redacted.request.body.inline()).into_owned();
        assert_eq!(text, expected, "{path}");
    }
}

#[test]
fn a_failed_call_and_an_invalid_edit_fail_the_exchange() {
    let failing = pipeline(vec![PinRedactor {
        fails: true,
        ..PinRedactor::default()
    }]);
    let result = failing.redact(exchange("/", "", ""), &"default".into(), &Arc::default());
    assert_eq!(result.unwrap_err(), "fails");
    let editing = pipeline(vec![PinRedactor {
        edits_headers: true,
        ..PinRedactor::default()
    }]);
    let mut streamed = exchange("/", "", "");
    let messages = vec![message(Side::Client, "hello")];
    streamed.stream = stream(StreamContent::Messages(Protocol::WebSocket, messages));
    let result = editing.redact(streamed, &"default".into(), &Arc::default());
    assert!(result.unwrap_err().contains("x-added"));
}

#[test]
fn a_message_view_has_placeholders_without_numbers() {
    let pipeline = pipeline(vec![PinRedactor {
        rules: vec![json_rule("token")],
        ..PinRedactor::default()
    }]);
    let request: Arc<dyn MessageView> = Arc::new(RedactedMessage::request(
        "api".into(),
        "default".into(),
        Arc::new(request("/socket", &[], "")),
    ));
    let bytes = Bytes::from_static(br#"{"token": "a-long-secret", "text": "PIN1234"}"#);
    let message = ConversationMessage {
        request: &request,
        protocol: Protocol::WebSocket,
        is_binary: false,
        side: Side::Client,
        bytes: &bytes,
    };
    let view = pipeline.message_view(message, &Arc::default()).unwrap();
    assert_eq!(
        &view.body()[..],
        br#"{"token": "<token>", "text": "<pin>"}"#
    );
}

#[test]
fn more_redactors_than_a_set_can_hold_are_rejected() {
    let redactors = (0..65).map(|_| Arc::new(PinRedactor::default())).collect();
    let error = RedactionPipeline::new(redactors, &[], Schema::default()).err();
    assert!(matches!(error, Some(PipelineError::TooManyRedactors)));
}
