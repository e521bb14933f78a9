//! The guard's check of an exchange before it is written.

use std::fmt;
use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};

use super::outcome::Outcome;
use super::stale_digests::OriginalBodies;
use ouli_cassette::{CheckRejection, WriteCheck};
use ouli_message::{CodedBody, Exchange, Stream};
use ouli_plugin::Plugins;
use ouli_redaction::{Guard, GuardRejection, KnownSecrets, Secrets};

/// The guard with the secrets of one session. It checks the bytes that are written.
pub(super) struct GuardCheck {
    pub(super) guard: Arc<Guard>,
    pub(super) secrets: Arc<Secrets>,
    /// The secrets that were known when the exchange was redacted: until it is written, some may be
    /// forgotten.
    pub(super) known: Option<KnownSecrets>,
    /// Maximum size in bytes of a body that is written as text or base64.
    pub(super) inline_body: usize,
    /// What redacts exchanges of this session that were written before.
    pub(super) plugins: Arc<Plugins>,
    pub(super) session: Arc<str>,
}

impl fmt::Debug for GuardCheck {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("GuardCheck")
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

impl WriteCheck for GuardCheck {
    fn check(&self, bytes: &[u8]) -> Result<(), CheckRejection> {
        let result = self.scan_with_guard(bytes);
        result.map_err(|refusal| CheckRejection {
            reason: refusal.to_string(),
            rule: refusal.rule,
        })
    }

    fn mask(&self, exchange: &Exchange) -> Option<Exchange> {
        let original = OriginalBodies::of(exchange);
        let redacted = self
            .plugins
            .redact(exchange.clone(), &self.session, &self.secrets);
        let mut masked = redacted.ok()?.exchange;
        original.remove_stale_digests(&mut masked);
        if masked.response.body != exchange.response.body {
            masked.response.coded = CodedBody::Derived;
        }
        Some(masked)
    }
}

impl GuardCheck {
    /// Scans content that is not UTF-8. It is written as base64, where [`WriteCheck::check`] cannot
    /// find a secret.
    pub(super) fn scan_binary_content(&self, exchange: &Exchange) -> Result<(), Outcome> {
        let (request, response) = (&exchange.request, &exchange.response);
        let fields = request.fields.iter().chain(response.fields.iter());
        let values = fields.map(|(_, value)| value.as_bytes());
        let bodies = [&request.body, &response.body].map(|body| body.inline());
        let messages = exchange.stream.iter().flat_map(Stream::messages);
        let messages = messages.map(|message| message.kind.inline_bytes());
        for bytes in values.chain(bodies).chain(messages) {
            if std::str::from_utf8(bytes).is_err() {
                self.scan(bytes)?;
            }
        }
        Ok(())
    }

    /// Scans the coded bytes of a body, and the base64 that is written for them. Text that occurs
    /// in compressed bytes by chance must not cost the recording.
    pub(super) fn scan_coded(&self, bytes: &[u8]) -> Result<(), Outcome> {
        self.scan(bytes)?;
        if bytes.len() > self.inline_body {
            return Ok(());
        }
        self.scan(STANDARD.encode(bytes).as_bytes())
    }

    fn scan(&self, bytes: &[u8]) -> Result<(), Outcome> {
        self.scan_with_guard(bytes).map_err(refused)
    }

    fn scan_with_guard(&self, bytes: &[u8]) -> Result<(), GuardRejection> {
        match &self.known {
            Some(known) => self.guard.scan_known(bytes, &self.secrets, known),
            None => self.guard.scan(bytes, &self.secrets),
        }
    }

    /// Checks that no secret of the exchange that began at this time is forgotten.
    pub(super) fn check_all_known(&self, begun: u64) -> Result<(), Outcome> {
        match self.secrets.has_lost_since(begun) {
            true => Err(refused(GuardRejection::overflow())),
            false => Ok(()),
        }
    }
}

/// The outcome of an exchange that the guard rejects.
pub(super) fn refused(rejection: GuardRejection) -> Outcome {
    Outcome::Refused {
        reason: rejection.to_string(),
        rule: rejection.rule,
    }
}
