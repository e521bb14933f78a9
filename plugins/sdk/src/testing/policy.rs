//! Calls a recording policy in a test.

use std::cell::{Cell, RefCell};

use super::Sample;
use super::environment::{self, Phase};
use crate::RecordingPolicy;

/// A condition that a policy declared.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the names are those of the methods of `Conditions`"
)]
pub enum Condition {
    SkipPath {
        pattern: String,
        reason: String,
    },
    SkipMethod {
        method: String,
        reason: String,
    },
    SkipStatus {
        lowest: u32,
        highest: u32,
        reason: String,
    },
}

/// What a policy declared, and its decision about an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    declared: Vec<Condition>,
    skip: Option<String>,
    tags: Vec<(String, String)>,
}

impl Decided {
    /// What `prepare` declared.
    #[must_use]
    pub fn declared(&self) -> &[Condition] {
        &self.declared
    }

    /// Why `decide` skips the exchange; `None` if it is recorded.
    #[must_use]
    pub fn skip(&self) -> Option<&str> {
        self.skip.as_deref()
    }

    /// The tags, in the order in which they were set.
    #[must_use]
    pub fn tags(&self) -> &[(String, String)] {
        &self.tags
    }

    /// The value of a tag.
    #[must_use]
    pub fn tag(&self, name: &str) -> Option<&str> {
        let tag = self.tags.iter().find(|(known, _)| known == name);
        tag.map(|(_, value)| &**value)
    }
}

/// Calls a policy: `prepare`, and `decide` if `prepare` asked for it. Conditions are not checked.
pub fn decide<P: RecordingPolicy>(
    request: &Sample,
    response: Option<&Sample>,
) -> Result<Decided, String> {
    environment::reset();
    let conditions = crate::Conditions(Conditions::default());
    environment::run(Phase::Prepare, || P::prepare(&conditions))?;
    let verdict = crate::Verdict(Verdict::default());
    if conditions.0.is_called.get() {
        let response = response.map(|response| response.clone().answering(request).view());
        let request = request.view();
        environment::run(Phase::Call, || {
            P::decide(&request, response.as_ref(), &verdict)
        })?;
    }
    Ok(Decided {
        declared: conditions.0.conditions.into_inner(),
        skip: verdict.0.skip.into_inner(),
        tags: verdict.0.tags.into_inner(),
    })
}

/// Records the calls of the contract's methods.
#[derive(Default)]
pub(crate) struct Conditions {
    conditions: RefCell<Vec<Condition>>,
    is_called: Cell<bool>,
}

impl Conditions {
    pub(crate) fn skip_path(&self, pattern: &str, reason: &str) {
        let (pattern, reason) = (pattern.to_owned(), reason.to_owned());
        self.add(Condition::SkipPath { pattern, reason });
    }

    pub(crate) fn skip_method(&self, method: &str, reason: &str) {
        let (method, reason) = (method.to_owned(), reason.to_owned());
        self.add(Condition::SkipMethod { method, reason });
    }

    pub(crate) fn skip_status(&self, lowest: u32, highest: u32, reason: &str) {
        self.add(Condition::SkipStatus {
            lowest,
            highest,
            reason: reason.to_owned(),
        });
    }

    pub(crate) fn ask(&self) {
        self.is_called
            .set(environment::require_phase(Phase::Prepare, "ask"));
    }

    fn add(&self, condition: Condition) {
        self.conditions.borrow_mut().push(condition);
    }
}

/// Records the calls of the contract's methods.
#[derive(Default)]
pub(crate) struct Verdict {
    skip: RefCell<Option<String>>,
    tags: RefCell<Vec<(String, String)>>,
}

impl Verdict {
    /// The first reason counts.
    pub(crate) fn skip(&self, reason: &str) {
        let mut skip = self.skip.borrow_mut();
        skip.get_or_insert_with(|| reason.to_owned());
    }

    pub(crate) fn tag(&self, name: &str, value: &str) {
        let mut tags = self.tags.borrow_mut();
        tags.retain(|(known, _)| known != name);
        tags.push((name.to_owned(), value.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::{Condition, decide};
    use crate::testing::{log, request, response};
    use crate::{Answer, Conditions, Level, Message, RecordingPolicy, Verdict};

    struct Policy;

    impl RecordingPolicy for Policy {
        fn prepare(conditions: &Conditions) -> Answer {
            conditions.skip_status(500, 599, "the server failed");
            conditions.ask();
            Ok(())
        }

        fn decide(request: &Message, response: Option<&Message>, verdict: &Verdict) -> Answer {
            let Some(response) = response else {
                crate::log(Level::Warn, "no response");
                verdict.skip("no response");
                verdict.skip("another reason");
                return Ok(());
            };
            verdict.tag("path", "?");
            verdict.tag("kind", &request.kind());
            verdict.tag("path", &response.path());
            Ok(())
        }
    }

    #[test]
    fn a_response_belongs_to_its_request_and_the_last_tag_counts() {
        let decided = decide::<Policy>(&request("GET", "/a?b"), Some(&response(200))).unwrap();
        assert_eq!((decided.skip(), decided.tags().len()), (None, 2));
        assert_eq!(
            (decided.tag("path"), decided.tag("kind")),
            (Some("/a"), Some("request"))
        );
        let declared = Condition::SkipStatus {
            lowest: 500,
            highest: 599,
            reason: "the server failed".to_owned(),
        };
        assert_eq!(decided.declared(), [declared]);
    }

    #[test]
    fn the_first_reason_counts() {
        let decided = decide::<Policy>(&request("GET", "/"), None).unwrap();
        assert_eq!(decided.skip(), Some("no response"));
        assert_eq!(log(), ["warn: no response"]);
    }
}
