//! Serves requests from the cassette. In auto, requests without a recorded exchange are forwarded
//! and recorded.

use std::sync::Arc;

use bytes::Bytes;
use http::header::EXPECT;
use http::{Request, Response};

use super::client_capabilities::ClientCapabilities;
use super::decoding_bounds::decoding_bounds;
use super::early_leave::EarlyLeave;
use super::early_replay::{EarlyResult, TruncatedParts};
use super::lookup::{Lookup, exhausted_policy, find, look_up_request, miss_error};
use super::own_ids::OwnIds;
use super::pending_lookup::counted;
use super::recorded_failure::replay_failure;
use super::recorded_response::recorded_response;
use super::refused_body::RefusedBodyLookup;
use super::replayed_secret::check_sendable;
use super::selected_response::selected_response;
use crate::handler::buffered_body::BufferedBody;
use crate::handler::{AccessOutcome, ExchangeError, OutgoingBody, RequestBody, RequestContext};
use crate::record::{self, ForwardedBody, RequestHead, RequestRecording};
use crate::session::{ClaimedEntry, LookupResult, Outcome, ReplayQueue};
use ouli_codec::content_coding;
use ouli_message::Content;

/// Serves the recorded response, or a miss. Never connects to an upstream.
pub(crate) async fn replay(
    context: &RequestContext<'_>,
    request: Request<RequestBody>,
) -> Result<Response<OutgoingBody>, ExchangeError> {
    let client = ClientCapabilities::of(&request);
    let refused = counted(context, RefusedBodyLookup::of(context, &request)).await?;
    if let Some(claimed) = refused.as_ref().and_then(|refused| refused.next(context)) {
        return serve_hit(context, claimed, &client, None).await;
    }
    let looked_up = counted(context, look_up(context, request, BeyondLimits::Reject)).await?;
    let (_, _buffered, mut lookup) = match looked_up {
        LookedUp::Early(claimed) => return serve_hit(context, claimed, &client, None).await,
        LookedUp::Read(read) => *read,
    };
    match find(context, &mut lookup).await? {
        LookupResult::Hit(claimed) => serve_hit(context, claimed, &client, Some(&lookup)).await,
        LookupResult::Exhausted(count) => Err(miss_error(context, lookup, Some(count)).await),
        LookupResult::NotFound | LookupResult::OtherIdentity(_) => {
            match refused.and_then(|refused| refused.repeat(context)) {
                Some(claimed) => serve_hit(context, claimed, &client, None).await,
                None => match selected_response(context, &mut lookup, &client).await? {
                    Some(response) => Ok(response),
                    None => Err(miss_error(context, lookup, None).await),
                },
            }
        }
    }
}

/// Serves the recorded response, or forwards the request and records the exchange.
pub(crate) async fn replay_or_forward(
    context: &RequestContext<'_>,
    request: Request<RequestBody>,
) -> Result<Response<OutgoingBody>, ExchangeError> {
    let client = ClientCapabilities::of(&request);
    let refused = counted(context, RefusedBodyLookup::of(context, &request)).await?;
    if let Some(claimed) = refused.as_ref().and_then(|refused| refused.next(context)) {
        return serve_hit(context, claimed, &client, None).await;
    }
    let looked_up = counted(context, look_up(context, request, BeyondLimits::Miss)).await?;
    let (head, mut buffered, mut lookup) = match looked_up {
        LookedUp::Early(claimed) => return serve_hit(context, claimed, &client, None).await,
        LookedUp::Read(read) => *read,
    };
    let key = lookup.match_key.key.hash();
    let written = async {
        context.session.wait_until_written(key).await;
        if lookup.index.has_new_secret(&lookup.match_key.key) {
            context.session.wait_until_redacted().await;
        }
        Ok(())
    };
    counted(context, written).await?;
    if let LookupResult::Hit(claimed) = find(context, &mut lookup).await? {
        return serve_hit(context, claimed, &client, Some(&lookup)).await;
    }
    // What its comparison took is not held while the upstream responds.
    check_sendable(context, lookup).await?;
    let recording = RequestRecording::buffered(context, &mut buffered).await;
    let body = ForwardedBody::Whole(buffered.bytes.clone(), buffered.trailers.clone());
    record::forward_and_record(context, head, body, recording, Some(key)).await
}

/// Runs the code of a hit without counting one, so that the thread has run it before its first
/// request.
pub(crate) async fn warm_up(context: &RequestContext<'_>) {
    let Some(index) = context.snapshot.index(context.session.name()) else {
        return;
    };
    let Some((entry, key)) = index.any_entry() else {
        return;
    };
    let fields = &entry.request.fields;
    drop(ReplayQueue::of(
        &index,
        &key,
        fields,
        exhausted_policy(context),
    ));
    if entry.failure_without_response().is_none() {
        let client = ClientCapabilities::unrestricted();
        // An error is reported to the request that gets it.
        drop(recorded_response(context, &entry, &client, OwnIds::default()).await);
    }
}

/// The recorded response, counted as a hit. Another client gets the exchange if this one leaves
/// before it is read.
pub(crate) async fn serve_hit(
    context: &RequestContext<'_>,
    mut claimed: ClaimedEntry,
    client: &ClientCapabilities,
    lookup: Option<&Lookup>,
) -> Result<Response<OutgoingBody>, ExchangeError> {
    let entry = &Arc::clone(claimed.entry());
    if let Some(failure) = entry.failure_without_response() {
        claimed.keep();
        return Err(replay_failure(context, (failure, claimed.hit())).await);
    }
    let (plugins, session) = (&context.snapshot.plugins, &context.session);
    let mut own_ids = match lookup {
        Some(lookup) => OwnIds::of(context, lookup, entry).await?,
        None => OwnIds::of_run(plugins, session),
    };
    let renames_own = own_ids.renames_own();
    own_ids.announce_calls(session, entry);
    let mut response = recorded_response(context, entry, client, own_ids).await?;
    let early_leave = EarlyLeave::of_chunks(&context.session, entry);
    response.body_mut().count_early_leave(early_leave);
    claimed.keep();
    let hit = claimed.hit();
    context.session.counters().count(Outcome::Hit(hit));
    if let Some(lookup) = lookup.filter(|_| renames_own) {
        let key = &lookup.match_key.key;
        context.session.count_renamed_values(key.identities());
    }
    context.trace.set_outcome(AccessOutcome::of_hit(hit));
    Ok(response)
}

/// What becomes of a request whose body exceeds the limits of decoding.
#[derive(Clone, Copy, PartialEq, Eq)]
enum BeyondLimits {
    /// It is an error that names the limits.
    Reject,
    /// It is forwarded, as in record.
    Miss,
}

/// A request that was looked up.
enum LookedUp {
    /// It is answered before its end.
    Early(ClaimedEntry),
    /// It was read, except for what its answer does not depend on.
    Read(Box<(RequestHead, BufferedBody, Lookup)>),
}

async fn look_up(
    context: &RequestContext<'_>,
    request: Request<RequestBody>,
    beyond_limits: BeyondLimits,
) -> Result<LookedUp, ExchangeError> {
    let head = RequestHead::new(context, &request, true);
    let limits = &context.snapshot.config.limits;
    let budget = &context.handler.shared.budget;
    let mut parts = TruncatedParts::new(context, &head).await?;
    let expects_continue = request.headers().contains_key(EXPECT);
    let mut body = request.into_body();
    let read = BufferedBody::read_until(&mut body, limits, budget, &mut parts).await?;
    let (mut buffered, is_partial) = read;
    if is_partial {
        // A client that waits for 100 (Continue) sends nothing after a final response
        // (RFC 9110, section 10.1.1).
        if !(expects_continue && buffered.bytes.is_empty()) {
            record::discard_rest(context, body);
        }
        return Ok(match parts.into_early_result(&buffered.bytes).await? {
            EarlyResult::Hit(claimed) => LookedUp::Early(claimed),
            EarlyResult::Exhausted(lookup) => LookedUp::Read(Box::new((head, buffered, *lookup))),
        });
    }
    let request = decoded_request(context, &head, &buffered.bytes, beyond_limits)?;
    buffered.count_decoded(request.body.inline());
    let mut lookup = look_up_request(context, request).await?;
    lookup.truncated = parts.into_search(&buffered.bytes);
    Ok(LookedUp::Read(Box::new((head, buffered, lookup))))
}

/// The request in the form in which it would be recorded, so that like is compared with like.
fn decoded_request(
    context: &RequestContext<'_>,
    head: &RequestHead,
    body: &Bytes,
    beyond_limits: BeyondLimits,
) -> Result<ouli_message::Request, ExchangeError> {
    let mut request = head.to_recorded_request(&context.endpoint.authority);
    let received = content_coding::remove_codings(body, &request.fields, decoding_bounds(context));
    let body = match received {
        Ok(received) if received.extra.has_padding_only() => received.bytes,
        Err(error) if error.is_limit() && beyond_limits == BeyondLimits::Reject => {
            return Err(ExchangeError::Undecodable(format!(
                "{error} (limits.decompressed_body, limits.decompression_ratio)"
            )));
        }
        // It is compared as it is. No such request is recorded, because secrets cannot be found in
        // it.
        Ok(_) | Err(_) => body.clone(),
    };
    request.body = Content::Inline(body);
    Ok(request)
}
