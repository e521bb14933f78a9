//! Redaction of whole exchanges, streams included: first the declared rules, then the redactors
//! that run code.

mod chunks;
mod redaction_pipeline;
mod redactor;
mod redactor_calls;
mod rule_applier;
mod rule_sets;
mod streamed_response;
#[cfg(test)]
mod tests;

pub use redaction_pipeline::{RedactedExchange, RedactionPipeline};
pub use redactor::{Redactor, RedactorEdits};
pub use rule_sets::PipelineError;
