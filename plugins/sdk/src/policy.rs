//! The role of a recording policy: what is worth recording.

use crate::{Answer, Message, unwritten};

handle! {
    /// Conditions that the gateway checks by itself. An exchange that meets one is not recorded.
    Conditions
}

impl Conditions {
    /// Paths that match a pattern in which `*` stands for any run of characters, for example
    /// `/healthz` or `/static/*`.
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

    /// Asks the gateway to call `decide` for each exchange that no condition skipped.
    pub fn ask(&self) {
        self.0.ask();
    }
}

handle! {
    /// What becomes of one exchange: it is recorded unless something is said.
    Verdict
}

impl Verdict {
    /// Do not record this exchange. The reason is counted in the session's report.
    pub fn skip(&self, reason: &str) {
        self.0.skip(reason);
    }

    /// Record it with a tag; a later tag of the same name replaces an earlier one.
    pub fn tag(&self, name: &str, value: &str) {
        self.0.tag(name, value);
    }
}

/// Says what is worth recording.
pub trait RecordingPolicy {
    /// Once, before anything else: declares the conditions that the gateway checks
    /// by itself.
    fn prepare(declare: &Conditions) -> Answer;

    /// Per exchange, where `prepare` said [`Conditions::ask`]: skips it, tags it, or neither. There
    /// is no response where the upstream gave none.
    fn decide(_request: &Message, _response: Option<&Message>, _give: &Verdict) -> Answer {
        Err(unwritten("decide"))
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
        $crate::has_role!($plugin, RecordingPolicy);
    };
}

#[cfg(target_family = "wasm")]
impl<P: RecordingPolicy> crate::bindings::PolicyGuest for P {
    fn prepare(declare: &crate::raw::Conditions) -> Answer {
        P::prepare(Conditions::lent(declare))
    }

    fn decide(
        request: &crate::raw::Message,
        response: Option<&crate::raw::Message>,
        give: &crate::raw::Verdict,
    ) -> Answer {
        P::decide(
            Message::lent(request),
            response.map(Message::lent),
            Verdict::lent(give),
        )
    }
}
