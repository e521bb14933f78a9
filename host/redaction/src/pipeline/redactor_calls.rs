//! Calls of the redactors that run code, for one exchange.

use std::sync::Arc;

use bytes::Bytes;

use super::chunks::join_chunks;
use super::redactor::Redactor;
use super::rule_applier::inline_payloads;
use super::streamed_response::StreamedResponse;
use crate::conversation_message::{ConversationMessage, message_type};
use crate::edits::{edit_part, edit_request, edit_response, edit_trailers};
use crate::redacted_message::RedactedMessage;
use crate::secrets::Secrets;
use crate::stream_part::{StreamPart, StreamPartKind};
use ouli_codec::MessageView;
use ouli_codec::chunks::chunk_bodies;
use ouli_codec::grpc::Schema;
use ouli_message::stream::{Message, Protocol, Side, StreamContent};
use ouli_message::{Content, Fields, Request, Response};

/// Calls the redactors that run code, in order, with the messages of one exchange.
pub(super) struct RedactorCalls<'a, R> {
    pub(super) redactors: Vec<&'a R>,
    pub(super) endpoint: &'a Arc<str>,
    pub(super) session: &'a Arc<str>,
    pub(super) secrets: &'a Arc<Secrets>,
    pub(super) schema: &'a Schema,
}

impl<R: Redactor> RedactorCalls<'_, R> {
    pub(super) fn redact_request(&self, mut request: Request) -> Result<Request, R::Error> {
        // Made again only after an edit, so that the body is parsed once for several redactors.
        let mut view = None;
        for redactor in &self.redactors {
            let message = view.get_or_insert_with(|| self.request_view(&request));
            let output = redactor.redact(message, self.secrets)?;
            if !output.edits.is_empty() {
                view = None;
                edit_request(&mut request, output.edits)
                    .map_err(|error| redactor.invalid_edit(error))?;
            }
        }
        Ok(request)
    }

    /// Redacts a response, and the parts of its stream one by one. Without `has_response` only the
    /// stream is redacted.
    pub(super) fn redact_response(
        &self,
        request: &Request,
        streamed: StreamedResponse,
        has_response: bool,
    ) -> Result<StreamedResponse, R::Error> {
        let StreamedResponse {
            mut response,
            mut stream,
        } = streamed;
        let request = Arc::new(request.clone());
        if has_response {
            response = self.redact_whole_response(&request, response)?;
        }
        let parent = self.response_view(&request, &response);
        for redactor in &self.redactors {
            match stream.as_mut().map(|stream| &mut stream.content) {
                Some(StreamContent::Chunks(_, chunks)) => {
                    let body = response.body.to_bytes();
                    let parts = chunk_bodies(body.clone(), chunks).collect();
                    let to_part = |bytes| event(&parent, bytes);
                    let redacted = self.redact_parts(redactor, to_part, parts)?;
                    response.body = Content::Inline(join_chunks(&body, &redacted, chunks));
                }
                Some(StreamContent::Messages(protocol, messages)) => {
                    for side in [Side::Client, Side::Server] {
                        self.redact_messages(redactor, &parent, (*protocol, side), messages)?;
                    }
                }
                None => {}
            }
            self.redact_trailers(redactor, &parent, &mut response.trailers)?;
        }
        Ok(StreamedResponse { response, stream })
    }

    fn redact_whole_response(
        &self,
        request: &Arc<Request>,
        mut response: Response,
    ) -> Result<Response, R::Error> {
        // As for requests.
        let mut view = None;
        for redactor in &self.redactors {
            let message = view.get_or_insert_with(|| self.response_view(request, &response));
            let output = redactor.redact(message, self.secrets)?;
            if !output.edits.is_empty() {
                view = None;
                edit_response(&mut response, output.edits)
                    .map_err(|error| redactor.invalid_edit(error))?;
            }
        }
        Ok(response)
    }

    fn redact_messages(
        &self,
        redactor: &R,
        parent: &Arc<dyn MessageView>,
        (protocol, side): (Protocol, Side),
        messages: &mut [Message],
    ) -> Result<(), R::Error> {
        let message_type = message_type(self.schema, protocol, parent.path(), side);
        let parts = inline_payloads(messages, side)
            .map(|bytes| bytes.clone())
            .collect();
        let to_part = |bytes: Bytes| {
            let message = ConversationMessage {
                request: parent,
                protocol,
                side,
                is_binary: false,
                bytes: &bytes,
            };
            message.to_part(bytes.clone(), message_type.as_ref())
        };
        let redacted = self.redact_parts(redactor, to_part, parts)?;
        for (bytes, part) in inline_payloads(messages, side).zip(redacted) {
            *bytes = part;
        }
        Ok(())
    }

    /// Calls a redactor with each part, in order. The bytes that it holds of a part are shown again
    /// in front of the next part; after the last part they are released.
    fn redact_parts(
        &self,
        redactor: &R,
        to_part: impl Fn(Bytes) -> StreamPart,
        parts: Vec<Bytes>,
    ) -> Result<Vec<Bytes>, R::Error> {
        let mut redacted: Vec<Bytes> = Vec::with_capacity(parts.len());
        let mut held = Bytes::new();
        for part in parts {
            let boundary = held.len();
            let shown: Bytes = match held.is_empty() {
                true => part,
                false => [held, part].concat().into(),
            };
            let message: Arc<dyn MessageView> = Arc::new(to_part(shown.clone()));
            let output = redactor.redact(&message, self.secrets)?;
            let edited = edit_part(&shown, output.edits, boundary)
                .map_err(|error| redactor.invalid_edit(error))?;
            if let Some(previous) = redacted.last_mut() {
                *previous = [previous, &edited.bytes[..edited.boundary]].concat().into();
            }
            let own = edited.bytes.slice(edited.boundary..);
            let hold = output.hold.min(own.len());
            held = own.slice(own.len() - hold..);
            redacted.push(own.slice(..own.len() - hold));
        }
        if let Some(last) = redacted.last_mut() {
            *last = [&last[..], &held].concat().into();
        }
        Ok(redacted)
    }

    fn redact_trailers(
        &self,
        redactor: &R,
        parent: &Arc<dyn MessageView>,
        trailers: &mut Fields,
    ) -> Result<(), R::Error> {
        if trailers.is_empty() {
            return Ok(());
        }
        let part = StreamPart::trailers(Arc::clone(parent), trailers.clone());
        let message: Arc<dyn MessageView> = Arc::new(part);
        let output = redactor.redact(&message, self.secrets)?;
        edit_trailers(trailers, output.edits).map_err(|error| redactor.invalid_edit(error))
    }

    fn request_view(&self, request: &Request) -> Arc<dyn MessageView> {
        let (endpoint, session) = (Arc::clone(self.endpoint), Arc::clone(self.session));
        let request = Arc::new(request.clone());
        Arc::new(RedactedMessage::request(endpoint, session, request))
    }

    fn response_view(&self, request: &Arc<Request>, response: &Response) -> Arc<dyn MessageView> {
        let (endpoint, session) = (Arc::clone(self.endpoint), Arc::clone(self.session));
        let (request, response) = (Arc::clone(request), Arc::new(response.clone()));
        Arc::new(RedactedMessage::response(
            endpoint, session, request, response,
        ))
    }
}

/// Calls a redactor with one message of a conversation. Returns the payload if it changed.
pub(super) fn edit_message<R: Redactor>(
    redactor: &R,
    part: StreamPart,
    payload: &Bytes,
    secrets: &Arc<Secrets>,
) -> Result<Option<Bytes>, R::Error> {
    let message: Arc<dyn MessageView> = Arc::new(part);
    let output = redactor.redact(&message, secrets)?;
    if output.edits.is_empty() {
        return Ok(None);
    }
    let edited =
        edit_part(payload, output.edits, 0).map_err(|error| redactor.invalid_edit(error))?;
    Ok(Some(edited.bytes))
}

fn event(parent: &Arc<dyn MessageView>, bytes: Bytes) -> StreamPart {
    let parent = Arc::clone(parent);
    StreamPart::new(parent, StreamPartKind::Event, Side::Server, bytes)
}
