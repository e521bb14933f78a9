//! All plugins of one generation, put together: what they declared runs natively, those that ask
//! are asked in order.

use std::sync::Arc;

use bytes::Bytes;

use crate::contract::call_state::{Condition, SkipPredicate};
use crate::contract::conversation_message::ConversationMessage;
use crate::load::component::Plugin;
use crate::load::self_test;
use crate::redaction::{Redacted, Redactors};
use crate::run::instance::GuestCall;
use crate::{PluginError, PluginFailure};
use ouli_codec::MessageView;
use ouli_codec::grpc::Schema;
use ouli_matching::key::{self, DescribedPart, Key, KeyPart};
use ouli_message::{Exchange, Request, glob};
use ouli_redaction::{RequestView, Secrets};

/// One generation of plugins. Immutable, so a request that holds it sees no other.
pub struct Plugins {
    all: Vec<Arc<Plugin>>,
    redactors: Redactors,
}

/// The key of a request.
#[derive(Clone)]
pub struct MatchKey {
    /// The key.
    pub key: Key,
    /// The plugin that made it.
    pub matcher: Arc<Plugin>,
}

/// What the policies say of an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Record it, with these tags.
    Keep(Vec<(String, String)>),
    /// Do not record it, for this reason.
    Skip(String),
}

impl std::fmt::Display for Decision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Skip(reason) => write!(f, "skip ({reason})"),
            Self::Keep(tags) if tags.is_empty() => f.write_str("keep"),
            Self::Keep(tags) => {
                let tags: Vec<_> = tags.iter().map(|(n, v)| format!("{n}={v}")).collect();
                write!(f, "keep ({})", tags.join(", "))
            }
        }
    }
}

impl Plugins {
    /// Puts loaded plugins together, in the order in which they are asked; the built-in ones come
    /// last. `off` are ids of redaction rules that are switched off.
    ///
    /// # Errors
    /// Where their rules do not fit together.
    pub fn new(all: Vec<Arc<Plugin>>, off: &[String], schema: Schema) -> Result<Self, PluginError> {
        let redactors = Redactors::new(&all, off, schema)?;
        Ok(Self { all, redactors })
    }

    /// How messages of gRPC are read.
    pub fn schema(&self) -> &Schema {
        self.redactors.schema()
    }

    /// The plugins in order.
    pub fn all(&self) -> &[Arc<Plugin>] {
        &self.all
    }

    /// Ids in `off` that no rule has.
    pub fn unknown_disabled(&self) -> Vec<String> {
        self.redactors.unknown_disabled()
    }

    /// A request as matchers see it: redacted, as far as it is read.
    pub fn view(
        &self,
        endpoint: Arc<str>,
        session: Arc<str>,
        request: Arc<Request>,
        secrets: Arc<Secrets>,
    ) -> Result<Arc<dyn MessageView>, PluginFailure> {
        self.redactors.view(endpoint, session, request, secrets)
    }

    /// Makes this thread ready to serve: what is set up at the first use in each thread is set up
    /// now, and each matcher that is asked has a copy here.
    pub fn warm_up(&self) {
        wasmtime::Engine::tls_eager_initialize();
        let secrets = Arc::new(Secrets::default());
        let rules = self.redactors.all_redactor_rules();
        for request in self_test::requests() {
            let view: Arc<dyn MessageView> = Arc::new(RequestView::new(
                "api".into(),
                "warm".into(),
                request,
                Arc::clone(rules),
                Arc::clone(&secrets),
            ));
            for plugin in &self.all {
                plugin.warm_up(&view, &secrets);
                if let Some((parts, _)) = &plugin.declarations.matcher {
                    key::derive(parts, &*view);
                }
            }
        }
    }

    /// The key of a request.
    pub fn key(
        &self,
        request: &Arc<dyn MessageView>,
        secrets: &Arc<Secrets>,
    ) -> Result<MatchKey, PluginFailure> {
        let websocket = websocket(&**request);
        self.first_matcher(request, secrets, |matcher, parts, more| MatchKey {
            key: if more.is_empty() && websocket.is_none() {
                key::derive(parts, &**request)
            } else {
                let all: Vec<_> = parts
                    .iter()
                    .chain(more)
                    .chain(&websocket)
                    .cloned()
                    .collect();
                key::derive(&all, &**request)
            },
            matcher: Arc::clone(matcher),
        })
    }

    /// The parts of a request's key in full.
    pub fn describe(
        &self,
        request: &Arc<dyn MessageView>,
        secrets: &Arc<Secrets>,
    ) -> Result<Vec<DescribedPart>, PluginFailure> {
        self.first_matcher(request, secrets, |_, parts, more| {
            let mut described = key::describe(parts, &**request);
            described.extend(key::describe(more, &**request));
            let websocket = websocket(&**request);
            described.extend(key::describe(websocket.as_slice(), &**request));
            described
        })
    }

    /// A message of a conversation as matchers see it: redacted.
    ///
    /// # Errors
    /// Where a redactor fails.
    pub fn message_view(
        &self,
        said: ConversationMessage<'_>,
        secrets: &Arc<Secrets>,
    ) -> Result<Arc<dyn MessageView>, PluginFailure> {
        self.redactors.message_view(said, secrets)
    }

    /// The key of a message of a conversation: of the parts that a matcher declares those that a
    /// message has, which is its body, and those of a plugin's own making.
    ///
    /// # Errors
    /// Where a matcher fails.
    pub fn message_key(
        &self,
        message: &Arc<dyn MessageView>,
        secrets: &Arc<Secrets>,
    ) -> Result<MatchKey, PluginFailure> {
        self.first_matcher(message, secrets, |matcher, parts, more| MatchKey {
            key: key::derive(&message_parts(parts, more), &**message),
            matcher: Arc::clone(matcher),
        })
    }

    /// The parts of a message's key in full.
    ///
    /// # Errors
    /// Where a matcher fails.
    pub fn describe_message(
        &self,
        message: &Arc<dyn MessageView>,
        secrets: &Arc<Secrets>,
    ) -> Result<Vec<DescribedPart>, PluginFailure> {
        self.first_matcher(message, secrets, |_, parts, more| {
            key::describe(&message_parts(parts, more), &**message)
        })
    }

    /// Takes the secrets out of an exchange, for the disk.
    pub fn redact(
        &self,
        exchange: Exchange,
        session: &Arc<str>,
        secrets: &Arc<Secrets>,
    ) -> Result<Redacted, PluginFailure> {
        self.redactors.redact(exchange, session, secrets)
    }

    /// What the policies say of a redacted exchange.
    pub fn decide(
        &self,
        exchange: &Exchange,
        session: &Arc<str>,
        secrets: &Arc<Secrets>,
    ) -> Result<Decision, PluginFailure> {
        let path = exchange.request.path();
        let mut tags = Vec::new();
        let mut pair: Option<(Arc<dyn MessageView>, Arc<dyn MessageView>)> = None;
        for plugin in self.all.iter().filter(|plugin| plugin.covers(path)) {
            let Some((conditions, ask)) = &plugin.declarations.policy else {
                continue;
            };
            if let Some(met) = conditions.iter().find(|one| one.met(exchange)) {
                return Ok(Decision::Skip(met.reason.clone()));
            }
            if !ask {
                continue;
            }
            let (request, response) =
                pair.get_or_insert_with(|| self.redactors.policy_views(exchange, session));
            let response = exchange.has_response().then_some(&*response);
            let answer = plugin.ask(&GuestCall::Decide(request, response), secrets)?;
            if let Some(reason) = answer.skip {
                return Ok(Decision::Skip(reason));
            }
            tags.extend(answer.tags);
        }
        Ok(Decision::Keep(tags))
    }

    /// Runs `take` with the parts of the first matcher that does not abstain: those it declared and
    /// those it adds.
    fn first_matcher<T>(
        &self,
        request: &Arc<dyn MessageView>,
        secrets: &Arc<Secrets>,
        take: impl Fn(&Arc<Plugin>, &[KeyPart], &[KeyPart]) -> T,
    ) -> Result<T, PluginFailure> {
        let mut failure = None;
        for plugin in self.all.iter().filter(|one| one.covers(request.path())) {
            let Some((parts, ask)) = &plugin.declarations.matcher else {
                continue;
            };
            if !ask {
                return Ok(take(plugin, parts, &[]));
            }
            match plugin.identify(request, secrets) {
                Ok(answer) if answer.abstain => {}
                Ok(answer) => return Ok(take(plugin, parts, &answer.parts)),
                Err(error) if plugin.fail_closed => return Err(error),
                Err(error) => {
                    if !error.paused {
                        tracing::error!("{error}; the next matcher decides");
                    }
                    failure = Some(error);
                }
            }
        }
        Err(failure.unwrap_or_else(|| PluginFailure {
            plugin: "none".to_owned(),
            role: "matcher",
            reason: "every matcher abstained, and the built-in one is switched off".to_owned(),
            paused: false,
        }))
    }
}

impl Condition {
    fn met(&self, exchange: &Exchange) -> bool {
        match &self.predicate {
            SkipPredicate::Path(pattern) => glob::matches(pattern, exchange.request.path()),
            SkipPredicate::Method(method) => exchange.request.method.as_str() == method,
            SkipPredicate::Status(lowest, highest) => {
                let status = u32::from(exchange.response.status.as_u16());
                exchange.has_response() && (*lowest..=*highest).contains(&status)
            }
        }
    }
}

/// The part that keeps a WebSocket apart from a request for the page at the same place. The host
/// adds it by itself, whatever a matcher declares.
fn websocket(request: &dyn MessageView) -> Option<KeyPart> {
    request.is_websocket().then(|| KeyPart::Custom {
        name: "protocol".to_owned(),
        value: Bytes::from_static(b"websocket"),
    })
}

fn message_parts(parts: &[KeyPart], more: &[KeyPart]) -> Vec<KeyPart> {
    let kept = parts.iter().chain(more).filter(|part| match part {
        KeyPart::Body { .. } | KeyPart::Custom { .. } => true,
        KeyPart::Endpoint
        | KeyPart::Method
        | KeyPart::Authority
        | KeyPart::Path
        | KeyPart::Query { .. }
        | KeyPart::Header(_)
        | KeyPart::Headers { .. } => false,
    });
    kept.cloned().collect()
}
