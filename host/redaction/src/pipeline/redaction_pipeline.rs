//! The redaction of exchanges, requests and messages.

use std::sync::Arc;

use bytes::Bytes;

use super::redactor::Redactor;
use super::redactor_calls::{self, RedactorCalls};
use super::rule_applier::RuleApplier;
use super::rule_sets::{PipelineError, RuleSets};
use super::streamed_response::StreamedResponse;
use crate::conversation_message::ConversationMessage;
use crate::cut_secret::{self, CutSecret};
use crate::guard::Guard;
use crate::identities::Identities;
use crate::pass::{Counts, Purpose, Redaction};
use crate::redacted_view::RequestView;
use crate::rules::Rules;
use crate::secrets::Secrets;
use ouli_codec::MessageView;
use ouli_codec::grpc::Schema;
use ouli_codec::identity::has_hole;
use ouli_message::{Exchange, Request};

/// Removes secrets by the declared rules of all redactors, and by the code of those that are
/// called.
pub struct RedactionPipeline<R> {
    redactors: Vec<Arc<R>>,
    rule_sets: RuleSets,
    schema: Schema,
}

/// An exchange without its secrets.
#[derive(Debug)]
pub struct RedactedExchange {
    /// The exchange.
    pub exchange: Exchange,
    /// How many secrets each rule removed.
    pub counts: Counts,
}

impl<R: Redactor> RedactionPipeline<R> {
    /// A pipeline of redactors, in the order in which they are called. Rules whose ids are
    /// `disabled` do not apply.
    ///
    /// # Errors
    /// If there are too many redactors, or if rules are invalid.
    pub fn new(
        redactors: Vec<Arc<R>>,
        disabled: &[String],
        schema: Schema,
    ) -> Result<Self, PipelineError> {
        Ok(Self {
            rule_sets: RuleSets::new(&redactors, disabled)?,
            redactors,
            schema,
        })
    }

    /// The types of gRPC messages.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The declared rules of all redactors.
    pub fn all_rules(&self) -> &Arc<Rules> {
        self.rule_sets.all()
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
    ) -> Result<Arc<dyn MessageView>, R::Error> {
        let rules = self.rules(request.path());
        let called = self.called(request.path());
        let identities = Arc::new(Identities::default());
        let request = if called.is_empty() {
            request
        } else {
            let redaction = Redaction::new(&rules, &secrets, Purpose::Holes);
            let redaction = redaction.with_identities(&identities);
            let redacted = redaction.redact_request(&request).value;
            let calls = RedactorCalls {
                redactors: called,
                endpoint: &endpoint,
                session: &session,
                secrets: &secrets,
                schema: &self.schema,
            };
            Arc::new(calls.redact_request(redacted)?)
        };
        Ok(Arc::new(RequestView::with_identities(
            (endpoint, session),
            request,
            (rules, secrets),
            identities,
        )))
    }

    /// A message of a conversation as matchers see it: without secrets.
    ///
    /// # Errors
    /// If a redactor fails.
    pub fn message_view(
        &self,
        message: ConversationMessage<'_>,
        secrets: &Arc<Secrets>,
    ) -> Result<Arc<dyn MessageView>, R::Error> {
        let path = message.request.path();
        let rules = self.rules(path);
        let identities = Arc::new(Identities::default());
        let message_type = message.message_type(&self.schema);
        let apply_rules_for = |purpose, bytes: &Bytes| {
            let redaction = Redaction::new(&rules, secrets, purpose).with_identities(&identities);
            let message_type = message_type.as_ref();
            let outcome = redaction.redact_message(message.protocol, message_type, bytes);
            outcome.value
        };
        let apply_rules = |bytes: &Bytes| apply_rules_for(Purpose::Holes, bytes);
        let mut bytes = apply_rules(message.bytes);
        for redactor in self.called(path) {
            let part = message.to_part(bytes.clone(), message_type.as_ref());
            if let Some(edited) = redactor_calls::edit_message(redactor, part, &bytes, secrets)? {
                bytes = apply_rules(&edited);
            }
        }
        if !has_hole(&bytes) {
            return Ok(Arc::new(message.to_part(bytes, message_type.as_ref())));
        }
        let by_class = apply_rules_for(Purpose::Key, &bytes);
        let with_holes = message.to_part(bytes, message_type.as_ref());
        let part = message.to_part(by_class, message_type.as_ref());
        Ok(Arc::new(part.with_holes_of(with_holes, identities)))
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
    ) -> Result<RedactedExchange, R::Error> {
        self.redact_timed((exchange, u64::MAX), session, secrets)
    }

    /// The same for an exchange whose response began at this time of the registry. Secrets in it
    /// that were not known before are marked as made by the server.
    ///
    /// # Errors
    /// If a redactor fails.
    pub fn redact_timed(
        &self,
        (exchange, response_begun): (Exchange, u64),
        session: &Arc<str>,
        secrets: &Arc<Secrets>,
    ) -> Result<RedactedExchange, R::Error> {
        let endpoint: Arc<str> = exchange.endpoint.as_str().into();
        let path = exchange.request.path().to_owned();
        let has_response = exchange.has_response();
        let rules = self.rules(&path);
        let redaction = Redaction::new(&rules, secrets, Purpose::Write);
        let mut applier = RuleApplier::new((redaction, response_begun), &self.schema, &path);
        let mut request = applier.redact_request(&exchange.request);
        let known = secrets.version();
        let received = exchange.response.coded.exact().is_some();
        let received = received.then(|| exchange.response.body.clone());
        let mut response = applier.redact_response(StreamedResponse {
            response: exchange.response,
            stream: exchange.stream,
        });
        let mut found_more = secrets.version() > known;
        let calls = RedactorCalls {
            redactors: self.called(&path),
            endpoint: &endpoint,
            session,
            secrets,
            schema: &self.schema,
        };
        let is_called = !calls.redactors.is_empty();
        if is_called {
            request = calls.redact_request(request)?;
            response = calls.redact_response(&request, response, has_response)?;
            found_more = true;
        }
        // A secret that is found late may also occur in what was redacted before. A response alone
        // is redacted until nothing more is found, but the messages of a stream only one by one.
        if is_called || (found_more && response.stream.is_some()) {
            response = applier.redact_response(response);
        }
        if found_more {
            request = applier.redact_request(&request);
        }
        if received.is_some_and(|received| received != response.response.body) {
            response.response.coded.forget_exact();
        }
        let exchange = Exchange {
            endpoint: exchange.endpoint,
            request,
            response: response.response,
            stream: response.stream,
            failure: exchange.failure,
            tags: exchange.tags,
        };
        let counts = applier.into_counts();
        Ok(RedactedExchange { exchange, counts })
    }

    /// The secret that the redacted body of a truncated request may end with a part of.
    pub fn cut_secret(
        &self,
        request: &Request,
        secrets: &Secrets,
        guard: &Guard,
    ) -> Option<CutSecret> {
        let (path, body) = (request.path(), request.body.inline());
        let is_code_called = !self.called(path).is_empty();
        cut_secret::find(body, &self.rules(path), secrets, guard, is_code_called)
    }

    /// The rules of the redactors that apply to a path.
    fn rules(&self, path: &str) -> Arc<Rules> {
        self.rule_sets.for_path(&self.redactors, path)
    }

    /// The redactors that are called for messages of this path.
    fn called(&self, path: &str) -> Vec<&R> {
        self.redactors
            .iter()
            .map(|redactor| &**redactor)
            .filter(|redactor| redactor.is_called() && redactor.covers(path))
            .collect()
    }
}
