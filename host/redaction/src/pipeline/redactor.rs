//! What the pipeline needs of a redactor.

use std::sync::Arc;

use crate::declared_rules::RuleDeclaration;
use crate::edits::{Edit, EditError};
use crate::secrets::Secrets;
use ouli_codec::MessageView;

/// Declares redaction rules, and may run code for each message.
pub trait Redactor {
    /// Why a call failed.
    type Error;

    /// The rules that the pipeline applies by itself.
    fn rules(&self) -> &[RuleDeclaration];

    /// True if its rules are the default ones. Those of others come before them.
    fn has_default_rules(&self) -> bool {
        false
    }

    /// True if [`Self::redact`] is called for each message.
    fn is_called(&self) -> bool;

    /// True if the redactor applies to requests with this path.
    fn covers(&self, path: &str) -> bool;

    /// Runs the redactor's code on a message from which the declared rules have removed their
    /// secrets.
    ///
    /// # Errors
    /// If the call fails. The message must not be used then, because it may hold secrets.
    fn redact(
        &self,
        message: &Arc<dyn MessageView>,
        secrets: &Arc<Secrets>,
    ) -> Result<RedactorEdits, Self::Error>;

    /// The error of a call that returned edits which cannot be applied.
    fn invalid_edit(&self, error: EditError) -> Self::Error;
}

/// The changes that a redactor makes to one message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RedactorEdits {
    /// The changes.
    pub edits: Vec<Edit>,
    /// Bytes at the end of a stream part that the redactor sees again with the next part.
    pub hold: usize,
}
