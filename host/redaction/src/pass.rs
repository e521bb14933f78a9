//! Redaction of whole messages: passes over a message until nothing changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::identities::Identities;
use crate::placeholder;
use crate::rule::Rule;
use crate::rules::Rules;
use crate::secret::{Secret, SeenIn};
use crate::secrets::Secrets;
use ouli_codec::randomness::is_common_word;
use ouli_message::{Content, Request, Response};

/// The purpose of a redacted message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Recording: every secret has its own placeholder, such as `<token-1>`.
    Write,
    /// Matching: a placeholder names the class only, such as `<token>`. Where a rule names the
    /// location, it is the class of that rule, otherwise of the rule that found the secret first.
    Key,
    /// Keys: a hole in the place of each secret and of each placeholder with a number.
    Holes,
}

/// Number of replaced secrets by the id of the rule.
pub type Counts = BTreeMap<String, u64>;

/// A redacted message.
#[derive(Clone, Debug)]
pub struct Outcome<T> {
    /// The message.
    pub value: T,
    /// The replaced secrets. Placeholders that were there before are not counted.
    pub counts: Counts,
}

/// Redacts the messages of one session.
#[derive(Clone, Copy, Debug)]
pub struct Redaction<'a> {
    rules: &'a Rules,
    secrets: &'a Secrets,
    purpose: Purpose,
    /// When the response began, if the message is one that is recorded.
    response_begun: Option<u64>,
    /// The identities in the holes of the message.
    identities: Option<&'a Identities>,
}

impl<'a> Redaction<'a> {
    /// Redaction with the rules and the secrets of one session.
    pub fn new(rules: &'a Rules, secrets: &'a Secrets, purpose: Purpose) -> Self {
        Self {
            rules,
            secrets,
            purpose,
            response_begun: None,
            identities: None,
        }
    }

    /// The same for a response that began at this time of the registry.
    pub(super) fn of_response(mut self, begun: u64) -> Self {
        self.response_begun = Some(begun);
        self
    }

    /// The same for a message whose holes these identities belong in.
    pub(crate) fn with_identities(mut self, identities: &'a Identities) -> Self {
        self.identities = Some(identities);
        self
    }

    /// Redacts a request. A body that is not in memory stays unchanged.
    pub fn redact_request(&self, request: &Request) -> Outcome<Request> {
        self.run_to_fixpoint(request.clone(), |pass, request| {
            pass.redact_fields(&mut request.fields);
            pass.redact_fields(&mut request.trailers);
            if let Some(target) = pass.redact_target(&request.target) {
                request.target = target;
            }
            let content_type = request.fields.get_str("content-type");
            pass.redact_content(content_type, &mut request.body);
        })
    }

    /// Redacts a response and drops its volatile headers.
    pub fn redact_response(&self, response: &Response) -> Outcome<Response> {
        self.run_to_fixpoint(response.clone(), |pass, response| {
            let volatile = &pass.rules.volatile;
            let omitted = &mut response.omitted;
            response.fields.retain(|name, _| {
                let is_kept = volatile.get(name.as_str()).is_none();
                if !is_kept && !omitted.contains(name) {
                    omitted.push(name.clone());
                }
                is_kept
            });
            response
                .trailers
                .retain(|name, _| volatile.get(name.as_str()).is_none());
            pass.redact_reason(&mut response.reason);
            pass.redact_fields(&mut response.fields);
            pass.redact_fields(&mut response.trailers);
            let content_type = response.fields.get_str("content-type");
            pass.redact_content(content_type, &mut response.body);
        })
    }

    /// Redacts a body, or one message of a stream, of the given content type.
    pub fn redact_body(&self, content_type: Option<&str>, body: &Bytes) -> Outcome<Bytes> {
        self.run_to_fixpoint(body.clone(), |pass, body| {
            if let Some(new) = pass.redact_body(content_type, body).replacement {
                *body = new;
            }
        })
    }

    pub(super) fn begin_pass(&self) -> RedactionPass<'a> {
        RedactionPass {
            rules: self.rules,
            secrets: self.secrets,
            purpose: self.purpose,
            response_begun: self.response_begun,
            identities: self.identities,
            counts: Counts::new(),
            found: 0,
        }
    }

    /// Repeats a pass until it finds nothing new: a secret found late in a message may also occur
    /// before, and a text may parse differently once a secret in it is replaced.
    pub(super) fn run_to_fixpoint<T>(
        &self,
        mut value: T,
        apply: impl Fn(&mut RedactionPass<'a>, &mut T),
    ) -> Outcome<T> {
        let mut pass = self.begin_pass();
        for _ in 0..MAX_PASSES {
            let before = (pass.found, self.secrets.version());
            apply(&mut pass, &mut value);
            if before == (pass.found, self.secrets.version()) {
                break;
            }
        }
        Outcome {
            value,
            counts: pass.counts,
        }
    }
}

/// Two passes suffice for ordinary messages; the limit bounds the work for crafted ones.
pub(super) const MAX_PASSES: usize = 4;

/// The state of the passes over one message.
pub(super) struct RedactionPass<'a> {
    pub(super) rules: &'a Rules,
    pub(super) secrets: &'a Secrets,
    pub(super) purpose: Purpose,
    response_begun: Option<u64>,
    pub(super) identities: Option<&'a Identities>,
    counts: Counts,
    /// Number of secrets found, also for keys, which do not count by rule.
    found: u64,
}

impl RedactionPass<'_> {
    /// The placeholder for a value whose location a rule names. None if the value stays: it is
    /// empty, already a placeholder, or no secret by the rule.
    pub(super) fn placeholder_for(&mut self, rule: &Rule, value: &[u8]) -> Option<String> {
        self.placeholder_in_place(rule, value, true)
    }

    /// The same for the name of an account, which is not searched for elsewhere.
    pub(super) fn placeholder_for_account(&mut self, rule: &Rule, name: &[u8]) -> Option<String> {
        self.placeholder_in_place(rule, name, false)
    }

    fn placeholder_in_place(
        &mut self,
        rule: &Rule,
        value: &[u8],
        is_searched_for: bool,
    ) -> Option<String> {
        if value.is_empty() || !rule.applies_to(value) {
            return None;
        }
        let Some(found) = placeholder::parse_whole(value) else {
            let secret = self.register(rule, value, is_searched_for);
            return Some(match self.purpose {
                Purpose::Key => placeholder::unnumbered(&rule.class),
                Purpose::Write | Purpose::Holes => self.placeholder_text(&secret),
            });
        };
        match self.purpose {
            Purpose::Write => None,
            Purpose::Holes => self.identities?.hole_for_placeholder(&found),
            Purpose::Key => {
                let new = placeholder::unnumbered(&rule.class);
                (new.as_bytes() != value).then_some(new)
            }
        }
    }

    /// The placeholder for a value that a pattern matched.
    pub(super) fn placeholder_for_match(&mut self, rule: &Rule, value: &[u8]) -> String {
        let secret = self.register(rule, value, true);
        self.placeholder_text(&secret)
    }

    /// The placeholder for another occurrence of a known secret.
    pub(super) fn placeholder_for_known(&mut self, secret: &Secret) -> String {
        self.count(secret.rule());
        self.secrets.see(secret, self.place());
        self.placeholder_text(secret)
    }

    /// Registers a secret that is part of a replaced value, without counting it.
    pub(super) fn register_uncounted(&mut self, rule: &Rule, value: &[u8]) {
        if !value.is_empty() && !placeholder::is_placeholder(value) {
            self.get_or_register(rule, value, true);
        }
    }

    /// The replaced secrets by rule.
    pub(super) fn into_counts(self) -> Counts {
        self.counts
    }

    fn register(&mut self, rule: &Rule, value: &[u8], is_searched_for: bool) -> Arc<Secret> {
        self.count(&rule.id);
        self.get_or_register(rule, value, is_searched_for)
    }

    fn get_or_register(&self, rule: &Rule, value: &[u8], is_searched_for: bool) -> Arc<Secret> {
        let is_searched_for =
            || is_searched_for && !self.rules.is_name(value) && !is_common_word(value);
        let place = self.place();
        self.secrets
            .get_or_register(&rule.id, &rule.class, value, place, is_searched_for)
    }

    fn place(&self) -> SeenIn {
        match self.response_begun {
            _ if !self.is_recording() => SeenIn::Lookup,
            Some(begun) => SeenIn::Response { begun },
            None => SeenIn::Request,
        }
    }

    fn is_recording(&self) -> bool {
        self.purpose == Purpose::Write
    }

    fn placeholder_text(&self, secret: &Secret) -> String {
        match (self.purpose, self.identities) {
            (Purpose::Holes, Some(identities)) => identities.hole_for_secret(secret),
            (Purpose::Write | Purpose::Holes, _) => secret.placeholder(),
            (Purpose::Key, _) => placeholder::unnumbered(secret.class()),
        }
    }

    fn count(&mut self, rule: &str) {
        self.found += 1;
        if !self.is_recording() {
            return;
        }
        match self.counts.get_mut(rule) {
            Some(count) => *count += 1,
            None => {
                self.counts.insert(rule.to_owned(), 1);
            }
        }
    }

    fn redact_content(&mut self, content_type: Option<&str>, content: &mut Content) {
        if let Content::Inline(bytes) = content
            && let Some(new) = self.redact_body(content_type, bytes).replacement
        {
            *bytes = new;
        }
    }
}
