//! The redactors of one generation: their declared rules, compiled together, and those that are
//! asked per message.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use crate::load::component::Plugin;
use crate::run::instance::Question;
use crate::{PluginError, PluginFailure};
use ouli_codec::Message;
use ouli_codec::grpc::Schema;
use ouli_message::{Exchange, Request, Response};
use ouli_redaction::{
    Declared, Edit, PlainMessage, Purpose, Redaction, RequestView, Rules, Secrets,
};

/// How often a rule took something out, by its id.
pub type RedactionCount = BTreeMap<String, u64>;

/// An exchange with its secrets taken out.
#[derive(Debug)]
pub struct Redacted {
    /// The exchange.
    pub exchange: Exchange,
    /// How often each rule fired.
    pub counts: RedactionCount,
}

/// Redactors that share a set of routes have their rules compiled together; a set is a bit for each
/// redactor.
type Set = u64;

/// Redactors in one generation beyond which sets no longer fit.
const MOST: usize = 64;

/// The surroundings of a message that redactors are asked about.
pub(super) struct Place<'a> {
    pub(super) request: &'a Request,
    pub(super) endpoint: &'a Arc<str>,
    pub(super) session: &'a Arc<str>,
    pub(super) secrets: &'a Arc<Secrets>,
}

pub(super) struct Redactors {
    plugins: Vec<Arc<Plugin>>,
    off: Vec<String>,
    /// The rules where all redactors apply, which without routes is always.
    everywhere: Arc<Rules>,
    sets: Mutex<HashMap<Set, Arc<Rules>>>,
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
        if plugins.len() > MOST {
            return Err(PluginError::Rule(format!("more than {MOST} redactors")));
        }
        let everywhere = compile(plugins.iter(), off)?;
        Ok(Self {
            plugins,
            off: off.to_vec(),
            everywhere,
            sets: Mutex::default(),
            schema,
        })
    }

    /// The rules where all redactors apply.
    pub(super) fn everywhere(&self) -> &Arc<Rules> {
        &self.everywhere
    }

    pub(super) fn schema(&self) -> &Schema {
        &self.schema
    }

    pub(super) fn unknown_off(&self) -> Vec<String> {
        self.everywhere.unknown_off().to_vec()
    }

    pub(super) fn view(
        &self,
        endpoint: Arc<str>,
        session: Arc<str>,
        request: Arc<Request>,
        secrets: Arc<Secrets>,
    ) -> Result<Arc<dyn Message>, PluginFailure> {
        let rules = self.rules(request.path());
        let request = if self.asked(request.path()).next().is_some() {
            let redaction = Redaction::new(&rules, &secrets, Purpose::Key);
            let first = redaction.request(&request).value;
            Arc::new(self.ask_request(first, &endpoint, &session, &secrets)?)
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
        let asked = self.asked(&path).next().is_some();
        let answered = exchange.is_answered();
        let mut counts = RedactionCount::new();
        let request = redaction.request(&exchange.request);
        let known = secrets.len();
        add(&mut counts, request.counts);
        let mut request = request.value;
        let mut answer = self.declared(
            &redaction,
            exchange.response,
            exchange.stream,
            (&path, &mut counts),
        );
        let mut news = secrets.len() > known;
        if asked {
            request = self.ask_request(request, &endpoint, session, secrets)?;
            let place = Place {
                request: &request,
                endpoint: &endpoint,
                session,
                secrets,
            };
            answer = self.ask_answer(&place, answer, answered)?;
            news = true;
        }
        // What was found late may stand earlier. A response settles by itself; messages of a stream
        // do so one by one.
        if asked || (news && answer.stream.is_some()) {
            answer = self.declared(
                &redaction,
                answer.response,
                answer.stream,
                (&path, &mut counts),
            );
        }
        if news {
            let again = redaction.request(&request);
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

    pub(super) fn asked(&self, path: &str) -> impl Iterator<Item = &Arc<Plugin>> {
        self.plugins.iter().filter(move |plugin| {
            let asks = plugin
                .declarations
                .redactor
                .as_ref()
                .is_some_and(|(_, ask)| *ask);
            asks && plugin.covers(path)
        })
    }

    fn ask_request(
        &self,
        mut request: Request,
        endpoint: &Arc<str>,
        session: &Arc<str>,
        secrets: &Arc<Secrets>,
    ) -> Result<Request, PluginFailure> {
        let path = request.path().to_owned();
        // Made anew only once it was changed, so that it is parsed once for all who look at it.
        let mut message = None;
        for plugin in self.asked(&path) {
            let shown = message.get_or_insert_with(|| {
                let (endpoint, session) = (Arc::clone(endpoint), Arc::clone(session));
                shared(PlainMessage::request(
                    endpoint,
                    session,
                    Arc::new(request.clone()),
                ))
            });
            let answer = ask(plugin, shown, secrets)?;
            if answer.edits.is_empty() {
                continue;
            }
            message = None;
            ouli_redaction::edit_request(&mut request, answer.edits)
                .map_err(|error| wrong(plugin, &error))?;
        }
        Ok(request)
    }

    pub(super) fn ask_response(
        &self,
        place: &Place<'_>,
        mut response: Response,
    ) -> Result<Response, PluginFailure> {
        let request = Arc::new(place.request.clone());
        // As above.
        let mut message = None;
        for plugin in self.asked(place.request.path()) {
            let shown = message.get_or_insert_with(|| {
                shared(PlainMessage::response(
                    Arc::clone(place.endpoint),
                    Arc::clone(place.session),
                    Arc::clone(&request),
                    Arc::new(response.clone()),
                ))
            });
            let answer = ask(plugin, shown, place.secrets)?;
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
            return Arc::clone(&self.everywhere);
        }
        let covering = || self.plugins.iter().filter(|plugin| plugin.covers(path));
        let set = self
            .plugins
            .iter()
            .enumerate()
            .fold(0, |set: Set, (bit, plugin)| {
                set | Set::from(plugin.covers(path)) << bit
            });
        let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        let rules = sets.entry(set).or_insert_with(|| {
            // Each rule was compiled once already, so a smaller set compiles too; if not, more is
            // redacted, not less.
            compile(covering(), &self.off).unwrap_or_else(|_| Arc::clone(&self.everywhere))
        });
        Arc::clone(rules)
    }
}

fn compile<'a>(
    plugins: impl Iterator<Item = &'a Arc<Plugin>>,
    off: &[String],
) -> Result<Arc<Rules>, PluginError> {
    let declared: Vec<Declared> = plugins
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
pub(super) struct Wanted {
    pub(super) edits: Vec<Edit>,
    /// Of a stream: bytes at the end that it wants to see again with what follows.
    pub(super) hold: usize,
}

/// A message to be lent.
pub(super) fn shared(message: impl Message + 'static) -> Arc<dyn Message> {
    Arc::new(message)
}

pub(super) fn ask(
    plugin: &Plugin,
    message: &Arc<dyn Message>,
    secrets: &Arc<Secrets>,
) -> Result<Wanted, PluginFailure> {
    let answer = plugin.ask(&Question::Redact(message), secrets)?;
    Ok(Wanted {
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

pub(super) fn add(counts: &mut RedactionCount, more: RedactionCount) {
    for (rule, times) in more {
        *counts.entry(rule).or_default() += times;
    }
}
