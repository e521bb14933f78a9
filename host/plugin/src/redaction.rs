//! The redactors of one generation: their declared rules, compiled together, and those that are
//! asked per message.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use crate::load::component::Plugin;
use crate::run::instance::GuestCall;
use crate::{PluginError, PluginFailure};
use ouli_codec::MessageView;
use ouli_codec::grpc::Schema;
use ouli_message::{Exchange, Request, Response};
use ouli_redaction::{
    Edit, Purpose, RedactedMessage, Redaction, RequestView, RuleDeclaration, Rules, Secrets,
};

/// How often a rule took something out, by its id.
pub type RedactionCounts = BTreeMap<String, u64>;

/// An exchange with its secrets taken out.
#[derive(Debug)]
pub struct Redacted {
    /// The exchange.
    pub exchange: Exchange,
    /// How often each rule fired.
    pub counts: RedactionCounts,
}

/// Redactors that share a set of routes have their rules compiled together; a set is a bit for each
/// redactor.
type RedactorSet = u64;

/// Redactors in one generation beyond which sets no longer fit.
const MAX_REDACTORS: usize = 64;

/// The surroundings of a message that redactors are asked about.
pub(super) struct RedactionContext<'a> {
    pub(super) request: &'a Request,
    pub(super) endpoint: &'a Arc<str>,
    pub(super) session: &'a Arc<str>,
    pub(super) secrets: &'a Arc<Secrets>,
}

pub(super) struct Redactors {
    plugins: Vec<Arc<Plugin>>,
    disabled: Vec<String>,
    /// The rules where all redactors apply, which without routes is always.
    all_redactor_rules: Arc<Rules>,
    sets: Mutex<HashMap<RedactorSet, Arc<Rules>>>,
    schema: Schema,
}

impl Redactors {
    pub(super) fn new(
        all: &[Arc<Plugin>],
        off: &[String],
        schema: Schema,
    ) -> Result<Self, PluginError> {
        let plugins: Vec<_> = all
            .iter()
            .filter(|plugin| plugin.declarations.redactor.is_some())
            .cloned()
            .collect();
        if plugins.len() > MAX_REDACTORS {
            return Err(PluginError::Rule(format!(
                "more than {MAX_REDACTORS} redactors"
            )));
        }
        let everywhere = compile(plugins.iter(), off)?;
        Ok(Self {
            plugins,
            disabled: off.to_vec(),
            all_redactor_rules: everywhere,
            sets: Mutex::default(),
            schema,
        })
    }

    /// The rules where all redactors apply.
    pub(super) fn all_redactor_rules(&self) -> &Arc<Rules> {
        &self.all_redactor_rules
    }

    pub(super) fn schema(&self) -> &Schema {
        &self.schema
    }

    pub(super) fn unknown_disabled(&self) -> Vec<String> {
        self.all_redactor_rules.unknown_disabled().to_vec()
    }

    pub(super) fn view(
        &self,
        endpoint: Arc<str>,
        session: Arc<str>,
        request: Arc<Request>,
        secrets: Arc<Secrets>,
    ) -> Result<Arc<dyn MessageView>, PluginFailure> {
        let rules = self.rules(request.path());
        let request = if self.called_redactors(request.path()).next().is_some() {
            let redaction = Redaction::new(&rules, &secrets, Purpose::Key);
            let first = redaction.redact_request(&request).value;
            Arc::new(self.call_for_request(first, &endpoint, &session, &secrets)?)
        } else {
            request
        };
        Ok(Arc::new(RequestView::new(
            endpoint, session, request, rules, secrets,
        )))
    }

    pub(super) fn redact(
        &self,
        exchange: Exchange,
        session: &Arc<str>,
        secrets: &Arc<Secrets>,
    ) -> Result<Redacted, PluginFailure> {
        let endpoint: Arc<str> = exchange.endpoint.as_str().into();
        let path = exchange.request.path().to_owned();
        let rules = self.rules(&path);
        let redaction = Redaction::new(&rules, secrets, Purpose::Write);
        let asked = self.called_redactors(&path).next().is_some();
        let answered = exchange.has_response();
        let mut counts = RedactionCounts::new();
        let request = redaction.redact_request(&exchange.request);
        let known = secrets.len();
        add(&mut counts, request.counts);
        let mut request = request.value;
        let mut answer = self.apply_declared_rules(
            &redaction,
            exchange.response,
            exchange.stream,
            (&path, &mut counts),
        );
        let mut news = secrets.len() > known;
        if asked {
            request = self.call_for_request(request, &endpoint, session, secrets)?;
            let place = RedactionContext {
                request: &request,
                endpoint: &endpoint,
                session,
                secrets,
            };
            answer = self.call_for_stream(&place, answer, answered)?;
            news = true;
        }
        // What was found late may stand earlier. A response settles by itself; messages of a stream
        // do so one by one.
        if asked || (news && answer.stream.is_some()) {
            answer = self.apply_declared_rules(
                &redaction,
                answer.response,
                answer.stream,
                (&path, &mut counts),
            );
        }
        if news {
            let again = redaction.redact_request(&request);
            add(&mut counts, again.counts);
            request = again.value;
        }
        let exchange = Exchange {
            endpoint: exchange.endpoint,
            request,
            response: answer.response,
            stream: answer.stream,
            failure: exchange.failure,
            tags: exchange.tags,
        };
        Ok(Redacted { exchange, counts })
    }

    pub(super) fn called_redactors(&self, path: &str) -> impl Iterator<Item = &Arc<Plugin>> {
        self.plugins.iter().filter(move |plugin| {
            let asks = plugin
                .declarations
                .redactor
                .as_ref()
                .is_some_and(|(_, ask)| *ask);
            asks && plugin.covers(path)
        })
    }

    fn call_for_request(
        &self,
        mut request: Request,
        endpoint: &Arc<str>,
        session: &Arc<str>,
        secrets: &Arc<Secrets>,
    ) -> Result<Request, PluginFailure> {
        let path = request.path().to_owned();
        // Made anew only once it was changed, so that it is parsed once for all who look at it.
        let mut message = None;
        for plugin in self.called_redactors(&path) {
            let shown = message.get_or_insert_with(|| {
                let (endpoint, session) = (Arc::clone(endpoint), Arc::clone(session));
                into_shared(RedactedMessage::request(
                    endpoint,
                    session,
                    Arc::new(request.clone()),
                ))
            });
            let answer = call_redactor(plugin, shown, secrets)?;
            if answer.edits.is_empty() {
                continue;
            }
            message = None;
            ouli_redaction::edit_request(&mut request, answer.edits)
                .map_err(|error| wrong(plugin, &error))?;
        }
        Ok(request)
    }

    pub(super) fn call_for_response(
        &self,
        place: &RedactionContext<'_>,
        mut response: Response,
    ) -> Result<Response, PluginFailure> {
        let request = Arc::new(place.request.clone());
        // As above.
        let mut message = None;
        for plugin in self.called_redactors(place.request.path()) {
            let shown = message.get_or_insert_with(|| {
                into_shared(RedactedMessage::response(
                    Arc::clone(place.endpoint),
                    Arc::clone(place.session),
                    Arc::clone(&request),
                    Arc::new(response.clone()),
                ))
            });
            let answer = call_redactor(plugin, shown, place.secrets)?;
            if answer.edits.is_empty() {
                continue;
            }
            message = None;
            ouli_redaction::edit_response(&mut response, answer.edits)
                .map_err(|error| wrong(plugin, &error))?;
        }
        Ok(response)
    }

    /// The rules for a path.
    pub(super) fn rules(&self, path: &str) -> Arc<Rules> {
        if self.plugins.iter().all(|plugin| plugin.covers(path)) {
            return Arc::clone(&self.all_redactor_rules);
        }
        let covering = || self.plugins.iter().filter(|plugin| plugin.covers(path));
        let set = self
            .plugins
            .iter()
            .enumerate()
            .fold(0, |set: RedactorSet, (bit, plugin)| {
                set | RedactorSet::from(plugin.covers(path)) << bit
            });
        let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        let rules = sets.entry(set).or_insert_with(|| {
            // Each rule was compiled once already, so a smaller set compiles too; if not, more is
            // redacted, not less.
            compile(covering(), &self.disabled)
                .unwrap_or_else(|_| Arc::clone(&self.all_redactor_rules))
        });
        Arc::clone(rules)
    }
}

fn compile<'a>(
    plugins: impl Iterator<Item = &'a Arc<Plugin>>,
    off: &[String],
) -> Result<Arc<Rules>, PluginError> {
    let declared: Vec<RuleDeclaration> = plugins
        .filter_map(|plugin| plugin.declarations.redactor.as_ref())
        .flat_map(|(rules, _)| rules.iter().cloned())
        .collect();
    let rules = Rules::compile(declared, off).map_err(|errors| {
        let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
        PluginError::Rule(lines.join("; "))
    })?;
    Ok(Arc::new(rules))
}

/// What a redactor wants of one message.
pub(super) struct RedactorAnswer {
    pub(super) edits: Vec<Edit>,
    /// Of a stream: bytes at the end that it wants to see again with what follows.
    pub(super) hold: usize,
}

/// A message to be lent.
pub(super) fn into_shared(message: impl MessageView + 'static) -> Arc<dyn MessageView> {
    Arc::new(message)
}

pub(super) fn call_redactor(
    plugin: &Plugin,
    message: &Arc<dyn MessageView>,
    secrets: &Arc<Secrets>,
) -> Result<RedactorAnswer, PluginFailure> {
    let answer = plugin.ask(&GuestCall::Redact(message), secrets)?;
    Ok(RedactorAnswer {
        edits: answer.edits,
        hold: answer.hold,
    })
}

pub(super) fn wrong(plugin: &Plugin, error: &ouli_redaction::EditError) -> PluginFailure {
    PluginFailure {
        plugin: plugin.name().to_owned(),
        role: "redactor",
        reason: format!("made an edit that cannot be applied: {error}"),
        paused: false,
    }
}

pub(super) fn add(counts: &mut RedactionCounts, more: RedactionCounts) {
    for (rule, times) in more {
        *counts.entry(rule).or_default() += times;
    }
}
