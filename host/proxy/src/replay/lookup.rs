//! Looks a request up in the index of its session, and explains a miss.

use std::sync::Arc;

use super::truncated_search::TruncatedSearch;
use crate::handler::{ExchangeError, RequestContext};
use crate::session::{
    ComparisonBudget, ExhaustedPolicy, Index, LookupResult, MemoryReservation, Session, body_digest,
};
use ouli_codec::MessageView;
use ouli_matching::miss::Miss;
use ouli_message::Request;
use ouli_plugin::{MatchKey, PluginFailure, Plugins};

/// A request, its key and the index in which it is looked up.
pub(crate) struct Lookup {
    pub(crate) index: Arc<Index>,
    request: Arc<Request>,
    pub(crate) request_view: Arc<dyn MessageView>,
    pub(crate) match_key: MatchKey,
    /// The result for a request whose rest was not read.
    pub(super) early: Option<LookupResult>,
    /// The search for a recorded request that is truncated.
    pub(super) truncated: Option<TruncatedSearch>,
    /// The memory of a large request while it is worked on.
    _memory: Option<MemoryReservation>,
}

/// Derives the key of a request in the form in which it would be recorded.
pub(crate) async fn look_up_request(
    context: &RequestContext<'_>,
    request: Request,
) -> Result<Lookup, ExchangeError> {
    let index = context.index().await?;
    let size = request.body.inline().len();
    let request = Arc::new(request);
    let derive = {
        let (endpoint, session) = (
            Arc::clone(&context.endpoint.name),
            Arc::clone(&context.session),
        );
        let (snapshot, request) = (Arc::clone(&context.snapshot), Arc::clone(&request));
        move || {
            let (plugins, secrets) = (&snapshot.plugins, session.secrets());
            let name = Arc::clone(session.name());
            let request_view = plugins.view(endpoint, name, request, Arc::clone(secrets))?;
            let match_key = plugins.key(&request_view, secrets)?;
            session.count_failed_matcher(&match_key);
            Ok::<_, PluginFailure>((request_view, match_key))
        }
    };
    let (derived, memory) = context.work_on_body(size, derive).await?;
    let (request_view, match_key) = derived?;
    Ok(Lookup {
        index,
        request,
        request_view,
        match_key,
        early: None,
        truncated: None,
        _memory: memory,
    })
}

impl Lookup {
    /// The request as the client sent it.
    pub(super) fn request(&self) -> &Request {
        &self.request
    }

    /// The request as a report shows it. A component of `request_view` is redacted when it is first
    /// read, so that a secret found later in another one is still in it; here all are known.
    ///
    /// # Errors
    /// If a redactor fails.
    pub(crate) fn reported_view(
        &self,
        plugins: &Plugins,
        endpoint: &Arc<str>,
        session: &Session,
    ) -> Result<Arc<dyn MessageView>, PluginFailure> {
        // Reading a component registers the secrets in it.
        let read = &self.request_view;
        let _ = (read.fields(), read.query(), read.path(), read.body());
        plugins.view(
            Arc::clone(endpoint),
            Arc::clone(session.name()),
            Arc::clone(&self.request),
            Arc::clone(session.secrets()),
        )
    }
}

/// The recorded exchange for a request: the next one with its key, else one that matches with
/// placeholders as wildcards.
pub(super) async fn find(
    context: &RequestContext<'_>,
    lookup: &mut Lookup,
) -> Result<LookupResult, ExchangeError> {
    let exhausted = exhausted_policy(context);
    if let Some(result) = lookup.early.take() {
        return Ok(result);
    }
    let key = &lookup.match_key.key;
    while let Some(search) = lookup.truncated.take_if(|search| !search.is_complete()) {
        let search = search.advance(context, key).await?;
        let found = lookup.index.find_next(key, search.found());
        lookup.truncated = Some(search);
        if let Some(entry) = found {
            return Ok(LookupResult::Hit(entry));
        }
    }
    if lookup
        .truncated
        .as_ref()
        .is_some_and(|search| search.skipped() > 0)
    {
        // One that was not compared may be the next, so only equal bytes count.
        return Ok(LookupResult::NotFound);
    }
    let found = lookup.truncated.as_ref().map(TruncatedSearch::found);
    Ok(match found.filter(|found| !found.is_empty()) {
        Some(found) => lookup
            .index
            .find_with_truncated(Some(key), found, exhausted),
        None => find_whole(context, lookup, exhausted).await?,
    })
}

/// The recorded exchange for a whole request.
async fn find_whole(
    context: &RequestContext<'_>,
    lookup: &Lookup,
    exhausted: ExhaustedPolicy,
) -> Result<LookupResult, ExchangeError> {
    let key = &lookup.match_key.key;
    let found = lookup.index.find(key, exhausted);
    if !matches!(found, LookupResult::NotFound) {
        return Ok(found);
    }
    let Some(largest) = lookup.index.largest_wildcard() else {
        return Ok(found);
    };
    // Each of them is read and parsed to be compared with this request.
    let size = largest.max(lookup.request.body.inline().len());
    let (index, key) = (Arc::clone(&lookup.index), key.clone());
    let (snapshot, session) = (Arc::clone(&context.snapshot), Arc::clone(&context.session));
    let view = Arc::clone(&lookup.request_view);
    let compare = move || {
        let described = snapshot.plugins.describe(&view, session.secrets());
        described.map_or(LookupResult::NotFound, |described| {
            index.find_by_wildcard(&key, &described, exhausted)
        })
    };
    let (found, _memory) = context.work_on_body(size, compare).await?;
    Ok(found)
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

/// Explains a miss. `replayed` is the number of exchanges of the key if all of them are
/// already replayed.
pub(crate) fn miss_error(
    context: &RequestContext<'_>,
    lookup: &Lookup,
    replayed: Option<usize>,
) -> ExchangeError {
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
    match explain(context, lookup, replayed) {
        Ok(miss) => ExchangeError::Miss(Box::new(miss)),
        Err(failure) => ExchangeError::Plugin(failure),
    }
}

fn explain(
    context: &RequestContext<'_>,
    lookup: &Lookup,
    replayed: Option<usize>,
) -> Result<Miss, PluginFailure> {
    let (snapshot, endpoint, session) = (&context.snapshot, &context.endpoint, &context.session);
    let plugins = &snapshot.plugins;
    let mut budget = ComparisonBudget::new(snapshot.config.limits.miss_comparison);
    let view = lookup.reported_view(plugins, &endpoint.name, session)?;
    let (body, key) = (lookup.request.body.inline().len(), &lookup.match_key.key);
    let view = budget.admit(view, body, body_digest(key));
    let message = plugins.keyed_request(&view, session.secrets())?;
    let guidance = snapshot.guidance(endpoint, session.name());
    let index = &lookup.index;
    let mut miss = index.explain_miss(message, key, budget, replayed, guidance);
    miss.unavailable.uncompared = lookup
        .truncated
        .as_ref()
        .map_or(0, TruncatedSearch::skipped);
    snapshot.withhold_secrets(&mut miss, session);
    Ok(miss)
}
