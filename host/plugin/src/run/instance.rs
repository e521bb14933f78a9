//! One running copy of a plugin: how it is started, prepared and asked.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use wasmtime::component::{self, InstancePre, Resource};
use wasmtime::{Store, Trap};

use super::cpu_clock::CpuTimer;
use super::guest_log::Log;
use super::usage::UsageCounters;
use crate::contract::bindings::exports::ouli::gateway::{matcher, recording_policy, redactor};
use crate::contract::call_state::{Answer, CallContext, Phase, State};
use crate::contract::wasi;
use crate::load::component::{Declarations, Roles};
use crate::load::prepared_image::InstrumentedComponent;
use crate::{Bounds, PluginError};
use ouli_codec::MessageView;
use ouli_redaction::Secrets;

/// What is needed to start a copy.
pub(crate) struct Template {
    pub(crate) instance_pre: InstancePre<State>,
    pub(crate) roles: Roles,
    pub(crate) settings: Arc<str>,
    pub(crate) hash: [u8; 32],
    pub(crate) bounds: Bounds,
    pub(crate) log: Arc<Log>,
    pub(crate) usage: Arc<UsageCounters>,
    /// The component is an image of a copy that was prepared: new ones need not be.
    pub(crate) is_snapshot: bool,
}

/// A running copy.
pub(crate) struct Instance {
    store: Store<State>,
    inner: component::Instance,
    matcher: Option<matcher::Guest>,
    redactor: Option<redactor::Guest>,
    policy: Option<recording_policy::Guest>,
    calls: u32,
    born: Instant,
    memory: usize,
    usage: Arc<UsageCounters>,
}

/// Which function to call, with what it takes.
pub enum GuestCall<'a> {
    /// `identify` on a request, or on a message of a conversation.
    Identify(&'a Arc<dyn MessageView>),
    /// `redact` on a message.
    Redact(&'a Arc<dyn MessageView>),
    /// `decide` on a request and its response, where there is one.
    Decide(&'a Arc<dyn MessageView>, Option<&'a Arc<dyn MessageView>>),
}

impl GuestCall<'_> {
    pub(crate) fn role(&self) -> &'static str {
        match self {
            Self::Identify(_) => "matcher",
            Self::Redact(_) => "redactor",
            Self::Decide(..) => "recording-policy",
        }
    }

    /// How long the answer may take, and the key in `[limits]` that says so.
    pub(crate) fn limit(&self, bounds: &Bounds) -> (Duration, &'static str) {
        match self {
            Self::Identify(_) => (bounds.identify, "matcher_cpu_time"),
            Self::Redact(_) => (bounds.redact, "redactor_cpu_time"),
            Self::Decide(..) => (bounds.decide, "policy_cpu_time"),
        }
    }

    fn messages(&self) -> [Option<Arc<dyn MessageView>>; 2] {
        match self {
            Self::Identify(message) | Self::Redact(message) => [Some(Arc::clone(message)), None],
            Self::Decide(request, response) => {
                [Some(Arc::clone(request)), response.map(Arc::clone)]
            }
        }
    }
}

/// What the guest said, or in its own words why it does not answer. The outer error says why the
/// copy is not to be used again.
pub(crate) type CallResult = Result<Result<Answer, String>, CallFailure>;

/// Why a copy is not to be used again.
#[derive(Debug)]
pub(crate) struct CallFailure {
    pub(crate) reason: String,
    /// It ran out of time, and so took that of others.
    pub(crate) timed_out: bool,
}

impl From<String> for CallFailure {
    fn from(reason: String) -> Self {
        Self {
            reason,
            timed_out: false,
        }
    }
}

impl Instance {
    /// Starts a copy and lets every role prepare.
    pub(crate) fn start_prepared(template: &Template) -> Result<(Self, Declarations), PluginError> {
        let failed = |role| move |reason| PluginError::Prepare { role, reason };
        let mut instance = Self::start(template).map_err(failed("component"))?;
        let mut declarations = Declarations::default();
        if let Some(guest) = instance.matcher.clone() {
            let answer = instance
                .prepare(template, |store| guest.call_prepare(store, sink()))
                .map_err(failed("matcher"))?;
            declarations.matcher = Some((answer.parts, answer.ask));
        }
        if let Some(guest) = instance.redactor.clone() {
            let answer = instance
                .prepare(template, |store| guest.call_prepare(store, sink()))
                .map_err(failed("redactor"))?;
            declarations.redactor = Some((answer.rules, answer.ask));
        }
        if let Some(guest) = instance.policy.clone() {
            let answer = instance
                .prepare(template, |store| guest.call_prepare(store, sink()))
                .map_err(failed("recording-policy"))?;
            declarations.policy = Some((answer.conditions, answer.ask));
        }
        Ok((instance, declarations))
    }

    /// Starts a copy that is ready to be asked.
    pub(crate) fn start_ready(template: &Template) -> Result<Self, PluginError> {
        if template.is_snapshot {
            let role = "component";
            return Self::start(template).map_err(|reason| PluginError::Prepare { role, reason });
        }
        Self::start_prepared(template).map(|(instance, _)| instance)
    }

    /// The component as this copy of it is now; none where the copy holds handles of the host's, or
    /// cannot be read.
    pub(crate) fn snapshot(&mut self, readable: &InstrumentedComponent<'_>) -> Option<Vec<u8>> {
        if !self.store.data().table.is_empty() {
            return None;
        }
        set_deadline(&mut self.store, SNAPSHOT_TIME);
        readable.snapshot(&mut self.store, self.inner)
    }

    fn start(template: &Template) -> Result<Self, String> {
        let state = State::new(
            Arc::clone(&template.settings),
            template.hash,
            template.bounds,
            Arc::clone(&template.log),
            wasi::DeterministicClock::starting_at(if template.is_snapshot {
                SNAPSHOT_CLOCK_START
            } else {
                Duration::ZERO
            }),
        );
        let mut store = Store::new(template.instance_pre.engine(), state);
        store.limiter(|state| &mut state.limiter);
        store.epoch_deadline_callback(|mut context| Ok(context.data_mut().clock.tick()));
        let limit = (template.bounds.prepare, PREPARE);
        set_deadline(&mut store, limit.0);
        let linked = template.instance_pre.instantiate(&mut store);
        let instance = linked.map_err(|error| explain(&error, limit))?;
        let mut load = || -> wasmtime::Result<_> {
            let roles = &template.roles;
            let matcher = roles.matcher.as_ref();
            let redactor = roles.redactor.as_ref();
            let policy = roles.policy.as_ref();
            Ok((
                matcher
                    .map(|role| role.load(&mut store, &instance))
                    .transpose()?,
                redactor
                    .map(|role| role.load(&mut store, &instance))
                    .transpose()?,
                policy
                    .map(|role| role.load(&mut store, &instance))
                    .transpose()?,
            ))
        };
        let (matcher, redactor, policy) = load().map_err(|error| format!("{error:#}"))?;
        UsageCounters::add(&template.usage.instances_started, 1);
        template.usage.instances.fetch_add(1, Ordering::Relaxed);
        Ok(Self {
            store,
            inner: instance,
            matcher,
            redactor,
            policy,
            calls: 0,
            born: Instant::now(),
            memory: 0,
            usage: Arc::clone(&template.usage),
        })
    }

    fn prepare(
        &mut self,
        template: &Template,
        call: impl FnOnce(&mut Store<State>) -> wasmtime::Result<Result<(), String>>,
    ) -> Result<Answer, String> {
        self.store.data_mut().call = CallContext {
            phase: Phase::Prepare,
            ..CallContext::default()
        };
        let said = self.enter((template.bounds.prepare, PREPARE), call);
        said.map_err(|broken| broken.reason)?
    }

    /// Asks. After an outer error this copy is not to be used again.
    pub(crate) fn ask(
        &mut self,
        bounds: &Bounds,
        question: &GuestCall<'_>,
        secrets: &Arc<Secrets>,
    ) -> CallResult {
        let said = self.call(bounds, question, secrets);
        self.count();
        said
    }

    /// Asks about a message that nobody sent, which does not count.
    pub(crate) fn ask_uncounted(
        &mut self,
        bounds: &Bounds,
        question: &GuestCall<'_>,
        secrets: &Arc<Secrets>,
    ) -> CallResult {
        let said = self.call(bounds, question, secrets);
        self.store.data().take_host_calls();
        self.update_memory_usage();
        said
    }

    fn call(
        &mut self,
        bounds: &Bounds,
        question: &GuestCall<'_>,
        secrets: &Arc<Secrets>,
    ) -> CallResult {
        self.store.data_mut().begin_call(CallContext {
            phase: Phase::Ask,
            messages: question.messages(),
            parts: Vec::new(),
            secrets: Some(Arc::clone(secrets)),
            is_unredacted: matches!(question, GuestCall::Redact(_)),
        });
        self.calls += 1;
        let limit = question.limit(bounds);
        let missing = || "lost its role".to_owned();
        match question {
            GuestCall::Identify(_) => {
                let guest = self.matcher.clone().ok_or_else(missing)?;
                self.enter(limit, |store| {
                    guest.call_identify(store, message(0), sink())
                })
            }
            GuestCall::Redact(_) => {
                let guest = self.redactor.clone().ok_or_else(missing)?;
                self.enter(limit, |store| guest.call_redact(store, message(0), sink()))
            }
            GuestCall::Decide(_, response) => {
                let guest = self.policy.clone().ok_or_else(missing)?;
                let response = response.map(|_| message(1));
                self.enter(limit, |store| {
                    guest.call_decide(store, message(0), response, sink())
                })
            }
        }
    }

    fn count(&mut self) {
        let state = self.store.data();
        UsageCounters::add(&self.usage.calls, 1);
        UsageCounters::add(&self.usage.host_calls, state.take_host_calls());
        self.update_memory_usage();
    }

    fn update_memory_usage(&mut self) {
        let memory = self.store.data().limiter.memory();
        if memory != self.memory {
            self.memory = memory;
            self.usage.peak_memory.fetch_max(memory, Ordering::Relaxed);
        }
    }

    /// Runs guest code within a time.
    fn enter(
        &mut self,
        limit: TimeLimit,
        call: impl FnOnce(&mut Store<State>) -> wasmtime::Result<Result<(), String>>,
    ) -> CallResult {
        set_deadline(&mut self.store, limit.0);
        let store = &mut self.store;
        // A panic of host code below must not take the thread's other requests with it.
        let result = std::panic::catch_unwind(AssertUnwindSafe(|| call(store)))
            .map_err(|_| "met a fault of the host".to_owned())?
            .map_err(|error| CallFailure {
                reason: explain(&error, limit),
                timed_out: error.downcast_ref() == Some(&Trap::Interrupt),
            })?;
        let state = self.store.data_mut();
        state.call = CallContext::default();
        let answer = std::mem::take(&mut state.answer);
        Ok(result.map(|()| answer))
    }

    /// True where it is to be replaced by a new copy.
    pub(crate) fn should_replace(&self, bounds: &Bounds) -> bool {
        self.calls >= bounds.calls
            || self.memory > bounds.idle_memory
            || self.born.elapsed() >= bounds.age
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.usage.instances.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How long a call may take, and the key in `[limits]` that says so.
type TimeLimit = (Duration, &'static str);

/// The key of the time for the start of a copy and for `prepare`.
const PREPARE: &str = "prepare_cpu_time";

/// What the monotonic clock of a copy of an image begins with: later than any look at it while the
/// image was made.
const SNAPSHOT_CLOCK_START: Duration = Duration::from_secs(3600);

/// How long an image may take; nothing of the guest's runs then.
const SNAPSHOT_TIME: Duration = Duration::from_secs(10);

fn set_deadline(store: &mut Store<State>, limit: Duration) {
    store.data_mut().clock = CpuTimer::new(limit);
    store.set_epoch_deadline(1);
}

/// Says what stopped a guest, without anything that the guest wrote.
fn explain(error: &wasmtime::Error, (time, key): TimeLimit) -> String {
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => {
            format!("ran for longer than {time:?} and was stopped (limits.{key})")
        }
        Some(Trap::StackOverflow) => "trapped: its call stack overflowed".to_owned(),
        Some(Trap::UnreachableCodeReached) => {
            "trapped: it panicked or aborted (its own words: RUST_LOG=debug)".to_owned()
        }
        Some(trap) => format!("trapped: {trap}"),
        None => format!("trapped: {}", error.root_cause()),
    }
}

fn message(place: u32) -> Resource<crate::contract::call_state::MessageSlot> {
    Resource::new_borrow(place)
}

fn sink() -> Resource<crate::contract::call_state::SinkSlot> {
    Resource::new_borrow(0)
}
