//! A redacted exchange as recording policies see it: request, response and the parts of its stream.

use std::sync::Arc;

use crate::conversation_message::ConversationMessage;
use crate::redacted_message::RedactedMessage;
use crate::stream_part::{StreamPart, StreamPartKind};
use ouli_codec::MessageView;
use ouli_codec::chunks::chunk_bodies;
use ouli_codec::grpc::Schema;
use ouli_message::Exchange;
use ouli_message::stream::{MessageKind, Protocol, Side, StreamContent};

/// The request and the response of a redacted exchange. The response has the parts of the stream.
pub fn exchange_views(
    exchange: &Exchange,
    session: &Arc<str>,
    schema: &Schema,
) -> (Arc<dyn MessageView>, Arc<dyn MessageView>) {
    let endpoint: Arc<str> = exchange.endpoint.as_str().into();
    let request = Arc::new(exchange.request.clone());
    let response = Arc::new(exchange.response.clone());
    let request_view: Arc<dyn MessageView> = Arc::new(
        RedactedMessage::request(
            Arc::clone(&endpoint),
            Arc::clone(session),
            Arc::clone(&request),
        )
        .with_failure(exchange.failure),
    );
    let parts = stream_parts(exchange, &request_view, schema);
    let response_view = RedactedMessage::response(endpoint, Arc::clone(session), request, response)
        .with_parts(parts)
        .with_failure(exchange.failure);
    (request_view, Arc::new(response_view))
}

fn stream_parts(
    exchange: &Exchange,
    request: &Arc<dyn MessageView>,
    schema: &Schema,
) -> Vec<Arc<dyn MessageView>> {
    let Some(stream) = &exchange.stream else {
        return Vec::new();
    };
    let mut parts: Vec<Arc<dyn MessageView>> = Vec::new();
    match &stream.content {
        StreamContent::Chunks(_, chunks) => {
            for bytes in chunk_bodies(exchange.response.body.to_bytes(), chunks) {
                let request = Arc::clone(request);
                let kind = StreamPartKind::Event;
                parts.push(Arc::new(StreamPart::new(
                    request,
                    kind,
                    Side::Server,
                    bytes,
                )));
            }
        }
        StreamContent::Messages(protocol, messages) => {
            for message in messages {
                let Some(payload) = message.kind.payload() else {
                    continue;
                };
                let message = ConversationMessage {
                    request,
                    protocol: *protocol,
                    side: message.side,
                    is_binary: *protocol == Protocol::WebSocket
                        && matches!(message.kind, MessageKind::Binary(_)),
                    bytes: &payload.content.to_bytes(),
                };
                let message_type = message.message_type(schema);
                let bytes = message.bytes.clone();
                parts.push(Arc::new(message.to_part(bytes, message_type.as_ref())));
            }
        }
    }
    let trailers = &exchange.response.trailers;
    if !trailers.is_empty() {
        let part = StreamPart::trailers(Arc::clone(request), trailers.clone());
        parts.push(Arc::new(part));
    }
    parts
}
