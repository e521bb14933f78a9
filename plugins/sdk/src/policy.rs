//! The recording policy role: which exchanges are recorded.

use crate::{Answer, Message, not_implemented};

handle! {
    /// Conditions that the gateway checks by itself. An exchange that matches one is not recorded.
    Conditions
}

impl Conditions {
    /// Paths that match a pattern, for example `/healthz` or `/static/*`; `*` matches any run of
    /// characters.
    pub fn skip_path(&self, pattern: &str, reason: &str) {
        self.0.skip_path(pattern, reason);
    }

    /// A method, for example `OPTIONS`.
    pub fn skip_method(&self, method: &str, reason: &str) {
        self.0.skip_method(method, reason);
    }

    /// Status codes from `lowest` to `highest`, both included.
    pub fn skip_status(&self, lowest: u32, highest: u32, reason: &str) {
        self.0.skip_status(lowest, highest, reason);
    }

    /// Asks the gateway to call `decide` for each exchange that no condition matches.
    pub fn ask(&self) {
        self.0.ask();
    }
}

handle! {
    /// The decision about one exchange. Without a skip it is recorded.
    Verdict
}

impl Verdict {
    /// Does not record this exchange. The session's report counts the reason.
    pub fn skip(&self, reason: &str) {
        self.0.skip(reason);
    }

    /// Records the exchange with a tag; a later tag of the same name replaces an earlier one.
    pub fn tag(&self, name: &str, value: &str) {
        self.0.tag(name, value);
    }
}

/// Decides which exchanges are recorded.
pub trait RecordingPolicy {
    /// Runs once, before anything else: declares the conditions that the gateway checks by itself.
    fn prepare(conditions: &Conditions) -> Answer;

    /// Runs for each exchange if `prepare` called [`Conditions::ask`]: skips it, tags it, or
    /// neither. `response` is `None` if the upstream sent none.
    fn decide(_request: &Message, _response: Option<&Message>, _verdict: &Verdict) -> Answer {
        Err(not_implemented("decide"))
    }
}

/// Exports a type as the component's recording policy.
#[cfg(target_family = "wasm")]
#[macro_export]
macro_rules! recording_policy {
    ($plugin:ident) => {
        $crate::bindings::policy::export!($plugin with_types_in $crate::bindings::policy);
    };
}

/// Exports a type as the component's recording policy.
#[cfg(not(target_family = "wasm"))]
#[macro_export]
macro_rules! recording_policy {
    ($plugin:ident) => {
        $crate::assert_role!($plugin, RecordingPolicy);
    };
}

#[cfg(target_family = "wasm")]
impl<P: RecordingPolicy> crate::bindings::PolicyGuest for P {
    fn prepare(conditions: &crate::raw::Conditions) -> Answer {
        P::prepare(Conditions::from_raw(conditions))
    }

    fn decide(
        request: &crate::raw::Message,
        response: Option<&crate::raw::Message>,
        verdict: &crate::raw::Verdict,
    ) -> Answer {
        P::decide(
            Message::from_raw(request),
            response.map(Message::from_raw),
            Verdict::from_raw(verdict),
        )
    }
}
