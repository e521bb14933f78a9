//! Replays gRPC calls.

use bytes::BytesMut;
use http::{Request, Response};

use super::call_replay::{CallReplay, UnmatchedCall};
use super::selection::{Selection, look_up};
use crate::handler::{ExchangeError, OutgoingBody, RequestBody, RequestContext};
use crate::record::{self, PrefixedBody, RequestHead};
use crate::replay;
use crate::session::ReplayQueue;

/// Replays a recorded call, or fails with a miss.
pub(crate) async fn replay_call(
    context: &RequestContext<'_>,
    request: Request<RequestBody>,
) -> Result<Response<OutgoingBody>, ExchangeError> {
    let head = RequestHead::new(context, &request, true);
    let mut lookup = look_up(
        context,
        head.to_recorded_request(&context.endpoint.authority),
    )
    .await?;
    match Selection::of(context, &mut lookup).await? {
        Selection::Found(queue, claimed) => {
            let send_head_now = have_same_response_head(&queue);
            let call = CallReplay::new(context, &head, request, (lookup, queue, claimed)).await?;
            if send_head_now {
                return Ok(call.respond_now(context));
            }
            call.respond(context)
                .await
                .map_err(UnmatchedCall::into_error)
        }
        Selection::Exhausted(count) => Err(replay::miss_error(context, lookup, Some(count)).await),
        Selection::NotFound => Err(replay::miss_error(context, lookup, None).await),
    }
}

/// Replays a recorded call. Without one, forwards the request and records the call.
pub(crate) async fn replay_call_or_forward(
    context: &RequestContext<'_>,
    request: Request<RequestBody>,
) -> Result<Response<OutgoingBody>, ExchangeError> {
    let head = RequestHead::new(context, &request, true);
    let mut lookup = look_up(
        context,
        head.to_recorded_request(&context.endpoint.authority),
    )
    .await?;
    let key = lookup.match_key.key.hash();
    context.session.wait_until_written(key).await;
    // Messages are compared without waiting.
    context.session.wait_until_redacted().await;
    let body = match Selection::of(context, &mut lookup).await? {
        Selection::Found(queue, claimed) => {
            let mut call =
                CallReplay::new(context, &head, request, (lookup, queue, claimed)).await?;
            call.consumed = Some(BytesMut::new());
            match call.respond(context).await {
                Ok(response) => return Ok(response),
                Err(unmatched) => match unmatched.into_request_body() {
                    Ok(body) => body,
                    Err(unmatched) => return Err(unmatched.into_error()),
                },
            }
        }
        Selection::Exhausted(_) | Selection::NotFound => {
            replay::check_sendable(context, lookup).await?;
            PrefixedBody::from(request.into_body())
        }
    };
    let (body, recording) = record::tee_request(context, &head, body);
    record::forward_and_record(context, head, body, recording, Some(key)).await
}

/// True if all candidates have the same response head, so that it can be sent before the first
/// client message: some clients wait for it.
fn have_same_response_head(queue: &ReplayQueue) -> bool {
    let Some(first) = queue.entries().first() else {
        return false;
    };
    let trailers_only = first.response.fields.get_str("grpc-status").is_some();
    first.response.is_grpc()
        && !trailers_only
        && queue.entries().iter().all(|entry| {
            entry.response.status == first.response.status
                && entry.response.fields == first.response.fields
        })
}
