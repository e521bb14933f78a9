//! One pass of redaction over a message.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::placeholder;
use crate::rule::Rule;
use crate::rules::Rules;
use crate::secret::Secret;
use crate::secrets::Secrets;
use ouli_message::{Content, Request, Response};

/// What a redacted message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To be written: every secret has its own placeholder, such as `<token-1>`.
    Write,
    /// To be compared: a placeholder says the class alone, such as `<token>`. Where a rule names
    /// the place, it is the class of that rule; elsewhere that of the rule which saw the secret
    /// first.
    Key,
}

/// How many secrets each rule took out, by its id.
pub type Counts = BTreeMap<String, u64>;

/// A message without its secrets.
#[derive(Clone, Debug)]
pub struct Outcome<T> {
    /// The message.
    pub value: T,
    /// What was taken out of it. Placeholders that stood there before do not count.
    pub counts: Counts,
}

/// Rules at work for the messages of one session.
#[derive(Clone, Copy, Debug)]
pub struct Redaction<'a> {
    rules: &'a Rules,
    secrets: &'a Secrets,
    purpose: Purpose,
}

impl<'a> Redaction<'a> {
    /// Rules at work for the messages of one session.
    pub fn new(rules: &'a Rules, secrets: &'a Secrets, purpose: Purpose) -> Self {
        Self {
            rules,
            secrets,
            purpose,
        }
    }

    /// Takes the secrets out of a request. A body that is not in memory stays as it is.
    pub fn redact_request(&self, request: &Request) -> Outcome<Request> {
        self.to_fixpoint(request.clone(), |run, request| {
            run.redact_fields(&mut request.fields);
            run.redact_fields(&mut request.trailers);
            if let Some(target) = run.redact_target(&request.target) {
                request.target = target;
            }
            let content_type = request.fields.get_str("content-type");
            run.redact_content(content_type, &mut request.body);
        })
    }

    /// Takes the secrets out of a response and drops its volatile headers.
    pub fn redact_response(&self, response: &Response) -> Outcome<Response> {
        self.to_fixpoint(response.clone(), |run, response| {
            let volatile = &run.rules.volatile;
            response
                .fields
                .retain(|name, _| volatile.get(name.as_str()).is_none());
            response
                .trailers
                .retain(|name, _| volatile.get(name.as_str()).is_none());
            run.redact_fields(&mut response.fields);
            run.redact_fields(&mut response.trailers);
            let content_type = response.fields.get_str("content-type");
            run.redact_content(content_type, &mut response.body);
        })
    }

    /// Takes the secrets out of a body, or of one message of a stream, of the given content type.
    pub fn redact_body(&self, content_type: Option<&str>, body: &Bytes) -> Outcome<Bytes> {
        self.to_fixpoint(body.clone(), |run, body| {
            if let Some(new) = run.redact_body(content_type, body).replacement {
                *body = new;
            }
        })
    }

    pub(super) fn begin_pass(&self) -> RedactionPass<'a> {
        RedactionPass {
            rules: self.rules,
            secrets: self.secrets,
            purpose: self.purpose,
            counts: Counts::new(),
            found: 0,
        }
    }

    /// A secret that shows late in a message may also stand earlier in it, and a secret that is cut
    /// off may leave a text with another meaning; so a message is gone through until it settles.
    pub(super) fn to_fixpoint<T>(
        &self,
        mut value: T,
        pass: impl Fn(&mut RedactionPass<'a>, &mut T),
    ) -> Outcome<T> {
        let mut run = self.begin_pass();
        for _ in 0..MAX_PASSES {
            let before = (run.found, self.secrets.len());
            pass(&mut run, &mut value);
            if before == (run.found, self.secrets.len()) {
                break;
            }
        }
        Outcome {
            value,
            counts: run.counts,
        }
    }
}

/// Messages settle in two rounds; more is for those that are made to be difficult.
pub(super) const MAX_PASSES: usize = 4;

/// One pass and what it counted.
pub(super) struct RedactionPass<'a> {
    pub(super) rules: &'a Rules,
    pub(super) secrets: &'a Secrets,
    pub(super) purpose: Purpose,
    counts: Counts,
    /// How many secrets were found, whatever the purpose.
    found: u64,
}

impl RedactionPass<'_> {
    /// What comes in the place of a value where a rule names the place. None where the value stays:
    /// it is empty, or a placeholder already.
    pub(super) fn placeholder_for(&mut self, rule: &Rule, value: &[u8]) -> Option<String> {
        if value.is_empty() {
            return None;
        }
        if !placeholder::is_placeholder(value) {
            let secret = self.register(rule, value);
            return Some(match self.purpose {
                Purpose::Write => secret.placeholder(),
                Purpose::Key => placeholder::unnumbered(&rule.class),
            });
        }
        match self.purpose {
            Purpose::Write => None,
            Purpose::Key => {
                let new = placeholder::unnumbered(&rule.class);
                (new.as_bytes() != value).then_some(new)
            }
        }
    }

    /// What comes in the place of a value that a pattern found.
    pub(super) fn placeholder_for_match(&mut self, rule: &Rule, value: &[u8]) -> String {
        let secret = self.register(rule, value);
        self.placeholder_text(&secret)
    }

    /// What comes in the place of a secret that was found again.
    pub(super) fn placeholder_for_known(&mut self, secret: &Secret) -> String {
        self.count(secret.rule());
        self.placeholder_text(secret)
    }

    /// Remembers what else of a value is secret.
    pub(super) fn register_uncounted(&mut self, rule: &Rule, value: &[u8]) {
        if !value.is_empty() && !placeholder::is_placeholder(value) {
            let searched = || !self.rules.is_name(value);
            self.secrets
                .get_or_register(&rule.id, &rule.class, value, searched);
        }
    }

    /// What was counted.
    pub(super) fn into_counts(self) -> Counts {
        self.counts
    }

    fn register(&mut self, rule: &Rule, value: &[u8]) -> Arc<Secret> {
        self.count(&rule.id);
        let rules = self.rules;
        let searched = || !rules.is_name(value);
        self.secrets
            .get_or_register(&rule.id, &rule.class, value, searched)
    }

    fn placeholder_text(&self, secret: &Secret) -> String {
        match self.purpose {
            Purpose::Write => secret.placeholder(),
            Purpose::Key => placeholder::unnumbered(secret.class()),
        }
    }

    fn count(&mut self, rule: &str) {
        self.found += 1;
        if self.purpose == Purpose::Key {
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
