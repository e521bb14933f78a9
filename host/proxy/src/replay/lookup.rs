//! Looks a request up in the index of its session, and explains a miss.

use std::borrow::Borrow;
use std::sync::Arc;

use super::truncated_search::TruncatedSearch;
use crate::handler::{Endpoint, ExchangeError, RequestContext, Snapshot};
use crate::session::{
    ComparisonBudget, ExhaustedPolicy, Index, LookupResult, MemoryReservation, Session, body_digest,
};
use ouli_codec::MessageView;
use ouli_config::{Mode, OnExhausted};
use ouli_matching::miss::{Cause, IdentityConflict, Miss, ReplayedSecret};
use ouli_message::Request;
use ouli_plugin::{MatchKey, PluginFailure, Plugins};

/// A request, its key and the index in which it is looked up.
pub(crate) struct Lookup {
    pub(crate) index: Arc<Index>,
    request: Arc<Request>,
    pub(crate) request_view: Arc<dyn MessageView>,
    pub(crate) match_key: MatchKey,
    /// For a request whose rest was not read: the number of exchanges that are all replayed.
    pub(super) exhausted: Option<usize>,
    /// Why the secrets of the request are not those of a recorded one with the same key.
    pub(crate) conflict: Option<IdentityConflict>,
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
            let view = || {
                let (endpoint, name) = (Arc::clone(&endpoint), Arc::clone(&name));
                plugins.view(endpoint, name, Arc::clone(&request), Arc::clone(secrets))
            };
            let mut request_view = view()?;
            let mut match_key = plugins.key(&request_view, secrets)?;
            // A secret that is found in the body may be in what was read before it.
            if request_view.has_secret_in_head() {
                request_view = view()?;
                match_key = plugins.key(&request_view, secrets)?;
            }
            secrets.see_minted(match_key.key.minted(), false);
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
        exhausted: None,
        conflict: None,
        truncated: None,
        _memory: memory,
    })
}

impl Lookup {
    /// The request as the client sent it.
    pub(super) fn request(&self) -> &Request {
        &self.request
    }

    /// The same, to keep.
    pub(super) fn shared_request(&self) -> &Arc<Request> {
        &self.request
    }

    /// The size in bytes of the bodies that are compared to explain a miss.
    fn compared_size(&self) -> usize {
        let own = self.request.body.inline().len();
        own.saturating_add(self.index.nearest_size(&self.match_key.key))
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

/// The recorded exchange for a request: the next one with its key and its secrets.
pub(super) async fn find(
    context: &RequestContext<'_>,
    lookup: &mut Lookup,
) -> Result<LookupResult, ExchangeError> {
    let exhausted = exhausted_policy(context);
    if let Some(count) = lookup.exhausted {
        return Ok(LookupResult::Exhausted(count));
    }
    // An exchange may have been recorded while the request was looked up.
    context.update_index(&lookup.index).await?;
    let view = Arc::clone(&lookup.request_view);
    let (key, fields) = (&lookup.match_key.key, view.fields());
    while let Some(search) = lookup.truncated.take_if(|search| !search.is_complete()) {
        let search = search.advance(context, key).await?;
        let found = lookup.index.find_next(key, search.found(), fields);
        lookup.truncated = Some(search);
        if let Some(claimed) = found {
            return Ok(LookupResult::Hit(claimed));
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
    let found = match found.filter(|found| !found.is_empty()) {
        Some(found) => lookup
            .index
            .find_with_truncated(Some(key), found, fields, exhausted),
        None => match lookup.index.find(key, fields, exhausted) {
            LookupResult::NotFound => find_assumed(context, lookup, exhausted).await?,
            found => found,
        },
    };
    Ok(match found {
        LookupResult::OtherIdentity(conflict) => {
            lookup.conflict = Some(conflict);
            LookupResult::NotFound
        }
        found => found,
    })
}

/// The recorded exchange for a request that has values where a recorded one has secrets.
async fn find_assumed(
    context: &RequestContext<'_>,
    lookup: &mut Lookup,
    exhausted: ExhaustedPolicy,
) -> Result<LookupResult, ExchangeError> {
    let Some((largest, all)) = lookup.index.assumption_sizes() else {
        return Ok(LookupResult::NotFound);
    };
    // A value may be a secret that a response told the client just now.
    context.session.wait_until_redacted().await;
    // Each of them is read and parsed to be compared with this request.
    let limits = &context.snapshot.config.limits;
    let (offload_size, max_memory) = (limits.offload_size, limits.miss_comparison);
    let size = largest.max(all.min(offload_size));
    let size = size.max(lookup.request.body.inline().len());
    let (index, key) = (Arc::clone(&lookup.index), lookup.match_key.key.clone());
    let (snapshot, session) = (Arc::clone(&context.snapshot), Arc::clone(&context.session));
    let (view, request) = (
        Arc::clone(&lookup.request_view),
        Arc::clone(&lookup.request),
    );
    let endpoint = Arc::clone(&context.endpoint.name);
    let assume = move || {
        let (plugins, secrets) = (&snapshot.plugins, session.secrets());
        let live = plugins.keyed_request(&view, secrets)?;
        if !index.assume_secrets(&key, &live, max_memory) {
            return Ok(None);
        }
        let name = Arc::clone(session.name());
        let view = plugins.view(endpoint, name, request, Arc::clone(secrets))?;
        let key = plugins.key(&view, secrets)?;
        Ok::<_, PluginFailure>(Some((view, key)))
    };
    let (assumed, _memory) = context.work_on_body(size, assume).await?;
    let Some((view, key)) = assumed? else {
        return Ok(LookupResult::NotFound);
    };
    let found = lookup.index.find(&key.key, view.fields(), exhausted);
    if matches!(found, LookupResult::Hit(_)) {
        let before = &lookup.match_key.key;
        lookup.index.count_assumed_values(&key.key, before);
        (lookup.request_view, lookup.match_key) = (view, key);
    }
    Ok(found)
}

/// The policy once all exchanges of a key are replayed.
pub(crate) fn exhausted_policy(context: &RequestContext<'_>) -> ExhaustedPolicy {
    let endpoint = &context.endpoint.configured;
    match endpoint.on_exhausted {
        Some(OnExhausted::Repeat) => ExhaustedPolicy::Repeat,
        // In `auto` a miss is forwarded; in `replay` there is nobody to ask.
        Some(OnExhausted::Miss | OnExhausted::Ask) => ExhaustedPolicy::Miss,
        None if endpoint.mode == Mode::Auto => ExhaustedPolicy::Miss,
        None => ExhaustedPolicy::RepeatUnlessFailed,
    }
}

/// Explains a miss. `replayed` is the number of exchanges of the key if all of them are
/// already replayed.
pub(crate) async fn miss_error(
    context: &RequestContext<'_>,
    lookup: impl Borrow<Lookup> + Send + 'static,
    replayed: Option<usize>,
) -> ExchangeError {
    let conflict = lookup.borrow().conflict.clone();
    explain(
        context,
        lookup,
        (replayed, conflict.map(Cause::OtherIdentity)),
    )
    .await
}

/// Explains why a request in `auto` is neither replayed nor sent.
pub(super) async fn unsendable_error(
    context: &RequestContext<'_>,
    lookup: impl Borrow<Lookup> + Send + 'static,
    secret: ReplayedSecret,
) -> ExchangeError {
    explain(context, lookup, (None, Some(Cause::ReplayedSecret(secret)))).await
}

async fn explain(
    context: &RequestContext<'_>,
    lookup: impl Borrow<Lookup> + Send + 'static,
    found: (Option<usize>, Option<Cause>),
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
    let explanation = Explanation {
        snapshot: Arc::clone(&context.snapshot),
        endpoint: Arc::clone(&context.endpoint),
        session: Arc::clone(&context.session),
        found,
    };
    let size = lookup.borrow().compared_size();
    let explained = context
        .work_on_bodies(size, move || explanation.explain(lookup.borrow()))
        .await;
    match explained {
        Ok(Ok(miss)) => ExchangeError::Miss(Box::new(miss)),
        Ok(Err(failure)) => ExchangeError::Plugin(failure),
        Err(error) => error,
    }
}

/// What a miss is explained with, on any thread.
struct Explanation {
    snapshot: Arc<Snapshot>,
    endpoint: Arc<Endpoint>,
    session: Arc<Session>,
    /// The number of exchanges if all of the key are replayed, and what is known of the cause.
    found: (Option<usize>, Option<Cause>),
}

impl Explanation {
    fn explain(&self, lookup: &Lookup) -> Result<Miss, PluginFailure> {
        let (snapshot, endpoint, session) = (&self.snapshot, &self.endpoint, &self.session);
        let plugins = &snapshot.plugins;
        let mut budget = ComparisonBudget::new(snapshot.config.limits.miss_comparison);
        let view = lookup.reported_view(plugins, &endpoint.name, session)?;
        let (body, key) = (lookup.request.body.inline().len(), &lookup.match_key.key);
        let view = budget.admit(view, body, body_digest(key));
        let message = plugins.keyed_request(&view, session.secrets())?;
        let guidance = snapshot.guidance(endpoint, session.name());
        let index = &lookup.index;
        let found = self.found.clone();
        let mut miss = index.explain_miss(message, key, budget, found, guidance);
        miss.unavailable.uncompared = lookup
            .truncated
            .as_ref()
            .map_or(0, TruncatedSearch::skipped);
        snapshot.withhold_secrets(&mut miss, session);
        Ok(miss)
    }
}
