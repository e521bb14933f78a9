//! Looks a request up in the index of its session, and explains a miss.

use std::sync::Arc;

use crate::handler::{ExchangeError, RequestContext};
use crate::session::{ExhaustedPolicy, Index, LookupResult, Outcome};
use ouli_codec::MessageView;
use ouli_plugin::MatchKey;

/// A request, its key and the index in which it is looked up.
pub(crate) struct Lookup {
    pub(crate) index: Arc<Index>,
    pub(crate) request_view: Arc<dyn MessageView>,
    pub(crate) match_key: MatchKey,
}

/// Derives the key of a request in the form in which it would be recorded.
pub(crate) async fn look_up_request(
    context: &RequestContext<'_>,
    request: ouli_message::Request,
) -> Result<Lookup, ExchangeError> {
    let index = context.index().await?;
    let secrets = context.session.secrets();
    let plugins = &context.snapshot.plugins;
    let request_view = plugins.view(
        Arc::clone(&context.endpoint.name),
        Arc::clone(context.session.name()),
        Arc::new(request),
        Arc::clone(secrets),
    )?;
    let match_key = plugins.key(&request_view, secrets)?;
    Ok(Lookup {
        index,
        request_view,
        match_key,
    })
}

/// The recorded exchange for a request: the next one with its key, else one that matches with
/// placeholders as wildcards.
pub(super) fn find(context: &RequestContext<'_>, lookup: &Lookup) -> LookupResult {
    let exhausted = exhausted_policy(context);
    let index = &lookup.index;
    match index.find(&lookup.match_key.key, exhausted) {
        LookupResult::NotFound if index.has_wildcards() => {
            let plugins = &context.snapshot.plugins;
            let described = plugins.describe(&lookup.request_view, context.session.secrets());
            described.map_or(LookupResult::NotFound, |described| {
                index.find_by_wildcard(&lookup.match_key.key, &described, exhausted)
            })
        }
        found => found,
    }
}

/// The policy once all exchanges of a key are replayed.
pub(crate) fn exhausted_policy(context: &RequestContext<'_>) -> ExhaustedPolicy {
    let can_forward = context.endpoint.configured.mode == ouli_config::Mode::Auto;
    match context.snapshot.config.on_exhausted {
        ouli_config::OnExhausted::Repeat if can_forward => ExhaustedPolicy::RepeatUnlessFailed,
        ouli_config::OnExhausted::Repeat => ExhaustedPolicy::Repeat,
        ouli_config::OnExhausted::Miss => ExhaustedPolicy::Miss,
    }
}

/// Counts and explains a miss. `replayed` is the number of exchanges of the key if all of them are
/// already replayed.
pub(crate) fn miss_error(
    context: &RequestContext<'_>,
    lookup: &Lookup,
    replayed: Option<usize>,
) -> ExchangeError {
    context.session.counters().count(Outcome::Miss);
    if let Some(reason) = context
        .session
        .withheld()
        .filter(|_| context.session.is_empty())
    {
        let session = context.session.name();
        return ExchangeError::Cassette(format!(
            "no exchange of the session {session} can be replayed: {reason}"
        ));
    }
    let plugins = &context.snapshot.plugins;
    match plugins.describe(&lookup.request_view, context.session.secrets()) {
        Ok(described) => {
            let (view, match_key) = (&lookup.request_view, &lookup.match_key);
            let miss = lookup
                .index
                .explain_miss(view, match_key, described, replayed);
            ExchangeError::Miss(Box::new(miss))
        }
        Err(failure) => ExchangeError::Plugin(failure),
    }
}
