//! All plugins of one generation. The host applies what they declared and calls the others in
//! order.

use std::fmt;
use std::sync::Arc;

use crate::contract::declarations::Declared;
use crate::key_parts::{keyed, message_parts, request_key, websocket_part};
use crate::load::self_test;
use crate::match_key::{FirstMatch, MatchKey};
use crate::run::guest_call::GuestCall;
use crate::{Plugin, PluginError, PluginFailure};
use ouli_codec::MessageView;
use ouli_codec::grpc::Schema;
use ouli_matching::key::{self, DescribedPart, KeyPart, KeyedMessage, MintedRules, Variant};
use ouli_message::{Exchange, Fields, Request};
use ouli_redaction::{
    ConversationMessage, CutSecret, Guard, RedactedExchange, RedactionPipeline, RequestView,
    Secrets, exchange_views,
};

/// One generation of plugins. It is immutable, so a request uses the same plugins from start to
/// end.
pub struct Plugins {
    all: Vec<Arc<Plugin>>,
    redaction: RedactionPipeline<Plugin>,
}

/// What the recording policies decide about an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Record it with these tags.
    Keep(Vec<(String, String)>),
    /// Do not record it, for this reason.
    Skip(String),
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
    /// A generation of loaded plugins, in the order in which they are called; the built-in ones
    /// come last. Redaction rules whose ids are `disabled` do not apply.
    ///
    /// # Errors
    /// If their redaction rules cannot be combined.
    pub fn new(
        all: Vec<Arc<Plugin>>,
        disabled: &[String],
        schema: Schema,
    ) -> Result<Self, PluginError> {
        let redactors = all
            .iter()
            .filter(|plugin| plugin.declarations.redactor.is_some())
            .cloned()
            .collect();
        let redaction = RedactionPipeline::new(redactors, disabled, schema)
            .map_err(|error| PluginError::Rule(error.to_string()))?;
        Ok(Self { all, redaction })
    }

    /// The types of gRPC messages.
    pub fn schema(&self) -> &Schema {
        self.redaction.schema()
    }

    /// The plugins in order.
    pub fn all(&self) -> &[Arc<Plugin>] {
        &self.all
    }

    /// Disabled ids that no rule has.
    pub fn unknown_disabled(&self) -> Vec<String> {
        self.redaction.all_rules().unknown_disabled().to_vec()
    }

    /// A request as matchers see it: without secrets, redacted when it is read.
    ///
    /// # Errors
    /// If a redactor fails.
    pub fn view(
        &self,
        endpoint: Arc<str>,
        session: Arc<str>,
        request: Arc<Request>,
        secrets: Arc<Secrets>,
    ) -> Result<Arc<dyn MessageView>, PluginFailure> {
        self.redaction.view(endpoint, session, request, secrets)
    }

    /// True if a plugin is called for each message, so that guest code runs, and may log.
    pub fn calls_guests(&self) -> bool {
        let mut all = self.all.iter();
        all.any(|plugin| plugin.declarations.has_called_role())
    }

    /// Prepares this thread for requests: initialises what the engine needs per thread, and calls
    /// each matcher once.
    pub fn warm_up(&self) {
        wasmtime::Engine::tls_eager_initialize();
        let secrets = Arc::new(Secrets::default());
        let rules = self.redaction.all_rules();
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
                if let Some(matcher) = &plugin.declarations.matcher {
                    key::derive(&matcher.items, &*view);
                }
            }
        }
    }

    /// The key of a request.
    ///
    /// # Errors
    /// If no matcher returns a key.
    pub fn key(
        &self,
        request: &Arc<dyn MessageView>,
        secrets: &Arc<Secrets>,
    ) -> Result<MatchKey, PluginFailure> {
        let found = self.first_matcher(request, secrets, |matcher, declared, added| {
            request_key(request, matcher, declared, added)
        })?;
        Ok(found.into_key())
    }

    /// The key of a recorded request, and what selected its response, which has these fields.
    ///
    /// # Errors
    /// If no matcher returns a key.
    pub fn recorded_key(
        &self,
        request: &Arc<dyn MessageView>,
        secrets: &Arc<Secrets>,
        response: &Fields,
    ) -> Result<(MatchKey, Variant), PluginFailure> {
        let found = self.first_matcher(request, secrets, |matcher, declared, added| {
            let parts = declared.iter().chain(added);
            let variant = Variant::of(parts, request.fields(), response);
            (request_key(request, matcher, declared, added), variant)
        })?;
        Ok(found.into_key_with())
    }

    /// The rules for values that clients make up, of the built-in matcher.
    pub fn minted_rules(&self) -> Option<&MintedRules> {
        let matchers = self.all.iter().filter(|plugin| plugin.is_builtin());
        let mut matchers = matchers.filter_map(|plugin| plugin.declarations.matcher.as_ref());
        matchers.find_map(|matcher| {
            matcher.items.iter().find_map(|part| match part {
                KeyPart::Minted(rules) => Some(rules),
                _ => None,
            })
        })
    }

    /// The parts of a request's key with their values.
    ///
    /// # Errors
    /// If no matcher returns a key.
    pub fn describe(
        &self,
        request: &Arc<dyn MessageView>,
        secrets: &Arc<Secrets>,
    ) -> Result<Vec<DescribedPart>, PluginFailure> {
        let found = self.first_matcher(request, secrets, |_, declared, added| {
            let mut described = key::describe(declared, &**request);
            described.extend(key::describe(added, &**request));
            let websocket = websocket_part(&**request);
            described.extend(key::describe(websocket.as_slice(), &**request));
            described
        })?;
        Ok(found.result)
    }

    /// A request with the parts of its key.
    ///
    /// # Errors
    /// If no matcher returns a key.
    pub fn keyed_request(
        &self,
        request: &Arc<dyn MessageView>,
        secrets: &Arc<Secrets>,
    ) -> Result<KeyedMessage, PluginFailure> {
        let found = self.first_matcher(request, secrets, |matcher, declared, added| {
            let websocket = websocket_part(&**request);
            let parts = declared.iter().chain(added).chain(&websocket);
            keyed(matcher, parts.cloned().collect(), request)
        })?;
        Ok(found.result)
    }

    /// A message of a conversation with the parts of its key.
    ///
    /// # Errors
    /// If no matcher returns a key.
    pub fn keyed_message(
        &self,
        message: &Arc<dyn MessageView>,
        secrets: &Arc<Secrets>,
    ) -> Result<KeyedMessage, PluginFailure> {
        let found = self.first_matcher(message, secrets, |matcher, declared, added| {
            keyed(matcher, message_parts(&**message, declared, added), message)
        })?;
        Ok(found.result)
    }

    /// A message of a conversation as matchers see it: without secrets.
    ///
    /// # Errors
    /// If a redactor fails.
    pub fn message_view(
        &self,
        message: ConversationMessage<'_>,
        secrets: &Arc<Secrets>,
    ) -> Result<Arc<dyn MessageView>, PluginFailure> {
        self.redaction.message_view(message, secrets)
    }

    /// The key of a message of a conversation: the body and the custom parts of the matcher's key.
    /// A message has no other parts.
    ///
    /// # Errors
    /// If no matcher returns a key.
    pub fn message_key(
        &self,
        message: &Arc<dyn MessageView>,
        secrets: &Arc<Secrets>,
    ) -> Result<MatchKey, PluginFailure> {
        let found = self.first_matcher(message, secrets, |matcher, declared, added| MatchKey {
            key: key::derive(&message_parts(&**message, declared, added), &**message),
            matcher: Arc::clone(matcher),
            failure: None,
        })?;
        Ok(found.into_key())
    }

    /// The parts of a message's key with their values.
    ///
    /// # Errors
    /// If no matcher returns a key.
    pub fn describe_message(
        &self,
        message: &Arc<dyn MessageView>,
        secrets: &Arc<Secrets>,
    ) -> Result<Vec<DescribedPart>, PluginFailure> {
        let found = self.first_matcher(message, secrets, |_, declared, added| {
            key::describe(&message_parts(&**message, declared, added), &**message)
        })?;
        Ok(found.result)
    }

    /// True for the name or the class of a rule.
    pub fn is_rule_name(&self, name: &str) -> bool {
        self.redaction.all_rules().is_name(name.as_bytes())
    }

    /// An exchange without secrets, to be written.
    ///
    /// # Errors
    /// If a redactor fails.
    pub fn redact(
        &self,
        exchange: Exchange,
        session: &Arc<str>,
        secrets: &Arc<Secrets>,
    ) -> Result<RedactedExchange, PluginFailure> {
        self.redaction.redact(exchange, session, secrets)
    }

    /// The same for an exchange whose response began at this time of the registry.
    ///
    /// # Errors
    /// If a redactor fails.
    pub fn redact_timed(
        &self,
        exchange: (Exchange, u64),
        session: &Arc<str>,
        secrets: &Arc<Secrets>,
    ) -> Result<RedactedExchange, PluginFailure> {
        self.redaction.redact_timed(exchange, session, secrets)
    }

    /// The secret that the redacted body of a truncated request may end with a part of.
    pub fn cut_secret(
        &self,
        request: &Request,
        secrets: &Secrets,
        guard: &Guard,
    ) -> Option<CutSecret> {
        self.redaction.cut_secret(request, secrets, guard)
    }

    /// What the recording policies decide about a redacted exchange.
    ///
    /// # Errors
    /// If a policy fails.
    pub fn decide(
        &self,
        exchange: &Exchange,
        session: &Arc<str>,
        secrets: &Arc<Secrets>,
    ) -> Result<Decision, PluginFailure> {
        let path = exchange.request.path();
        let mut tags = Vec::new();
        let mut views = None;
        for plugin in self.all.iter().filter(|plugin| plugin.covers(path)) {
            let Some(Declared { items, is_called }) = &plugin.declarations.policy else {
                continue;
            };
            if let Some(condition) = items.iter().find(|one| one.matches(exchange)) {
                return Ok(Decision::Skip(condition.reason.clone()));
            }
            if !is_called {
                continue;
            }
            let (request, response) =
                views.get_or_insert_with(|| exchange_views(exchange, session, self.schema()));
            let response = exchange.has_response().then_some(&*response);
            let output = plugin.call(&GuestCall::Decide(request, response), secrets)?;
            if let Some(reason) = output.skip {
                return Ok(Decision::Skip(reason));
            }
            tags.extend(output.tags);
        }
        Ok(Decision::Keep(tags))
    }

    /// Calls `take` with the first matcher that does not abstain, the parts that it declared and
    /// the parts that it added for this request.
    fn first_matcher<T>(
        &self,
        request: &Arc<dyn MessageView>,
        secrets: &Arc<Secrets>,
        take: impl Fn(&Arc<Plugin>, &[KeyPart], &[KeyPart]) -> T,
    ) -> Result<FirstMatch<T>, PluginFailure> {
        let path = request.path();
        let mut last_failure = None;
        for plugin in self.all.iter().filter(|plugin| plugin.covers(path)) {
            let Some(Declared { items, is_called }) = &plugin.declarations.matcher else {
                continue;
            };
            if !is_called {
                let result = take(plugin, items, &[]);
                return Ok(FirstMatch::new(result, last_failure));
            }
            match plugin.identify(request, secrets) {
                Ok(result) if result.abstain => {}
                Ok(result) => {
                    let result = take(plugin, items, &result.parts);
                    return Ok(FirstMatch::new(result, last_failure));
                }
                Err(failure) if plugin.fail_closed => return Err(failure),
                Err(failure) => {
                    if !failure.circuit_open {
                        tracing::error!("{failure}; the next matcher decides");
                    }
                    last_failure = Some(failure);
                }
            }
        }
        Err(last_failure.unwrap_or_else(|| PluginFailure {
            plugin: "none".to_owned(),
            role: "matcher",
            reason: "every matcher abstained, and the built-in one is disabled".to_owned(),
            circuit_open: false,
        }))
    }
}
