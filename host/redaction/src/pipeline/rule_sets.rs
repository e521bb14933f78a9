//! The declared rules of all redactors, compiled together for each set of redactors that applies to
//! a path.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::redactor::Redactor;
use crate::declared_rules::RuleDeclaration;
use crate::rules::{RuleError, Rules};

/// A set of redactors: one bit for each.
type RedactorSet = u64;

/// Redactors that a [`RedactorSet`] can hold.
const MAX_REDACTORS: usize = RedactorSet::BITS as usize;

/// Why redactors cannot be combined.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// There are too many redactors.
    #[error("more than {MAX_REDACTORS} redactors")]
    TooManyRedactors,
    /// Rules are invalid.
    #[error("{}", join(.0))]
    Rules(Vec<RuleError>),
}

fn join(errors: &[RuleError]) -> String {
    let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
    errors.join("; ")
}

/// Compiled rules.
pub(super) struct RuleSets {
    disabled: Vec<String>,
    /// The rules of all redactors. Without routes, all redactors apply to every path.
    all: Arc<Rules>,
    by_set: Mutex<HashMap<RedactorSet, Arc<Rules>>>,
}

impl RuleSets {
    /// Compiles the rules of all redactors, except those whose ids are `disabled`.
    pub(super) fn new<R: Redactor>(
        redactors: &[Arc<R>],
        disabled: &[String],
    ) -> Result<Self, PipelineError> {
        if redactors.len() > MAX_REDACTORS {
            return Err(PipelineError::TooManyRedactors);
        }
        let all = compile(redactors.iter(), disabled).map_err(PipelineError::Rules)?;
        Ok(Self {
            disabled: disabled.to_vec(),
            all: Arc::new(all),
            by_set: Mutex::default(),
        })
    }

    /// The rules of all redactors.
    pub(super) fn all(&self) -> &Arc<Rules> {
        &self.all
    }

    /// The rules of the redactors that apply to a path.
    pub(super) fn for_path<R: Redactor>(&self, redactors: &[Arc<R>], path: &str) -> Arc<Rules> {
        if redactors.iter().all(|redactor| redactor.covers(path)) {
            return Arc::clone(&self.all);
        }
        let set = redactors
            .iter()
            .enumerate()
            .fold(0, |set: RedactorSet, (bit, redactor)| {
                set | RedactorSet::from(redactor.covers(path)) << bit
            });
        let mut by_set = self.by_set.lock();
        let rules = by_set.entry(set).or_insert_with(|| {
            let covering = redactors.iter().filter(|redactor| redactor.covers(path));
            // All rules have compiled together, so a subset compiles too. If it ever does not, the
            // rules of all redactors apply: that removes more, not less.
            compile(covering, &self.disabled).map_or_else(|_| Arc::clone(&self.all), Arc::new)
        });
        Arc::clone(rules)
    }
}

fn compile<'a, R: Redactor + 'a>(
    redactors: impl Iterator<Item = &'a Arc<R>>,
    disabled: &[String],
) -> Result<Rules, Vec<RuleError>> {
    let (mut own, mut defaults): (Vec<RuleDeclaration>, Vec<RuleDeclaration>) = Default::default();
    for redactor in redactors {
        let rules = match redactor.has_default_rules() {
            true => &mut defaults,
            false => &mut own,
        };
        rules.extend_from_slice(redactor.rules());
    }
    Rules::compile_with_defaults(own, defaults, disabled)
}
