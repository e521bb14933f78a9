//! One running copy of a plugin, and the stock of idle ones.
//!
//! Copies are reused, since starting one costs far more than asking one. A copy is taken out of the
//! stock for a call and put back after a good one; a copy that trapped is never seen again.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use wasmtime::component::Resource;
use wasmtime::{Store, Trap};

use super::bindings::exports::ouli::gateway::{matcher, recording_policy, redactor};
use super::component::{Declarations, Plugin, Template};
use super::state::{Answer, Loan, Phase, State};
use super::{PluginError, PluginFailure, engine};
use crate::exchange::Message;
use crate::exchange::redaction::Secrets;

/// Idle copies that one thread keeps. More may run at once; those beyond are dropped when they come
/// back.
const IDLE: usize = 8;

/// Calls after which a copy is replaced, since linear memory never shrinks.
const CALLS: u32 = 10_000;

/// Parts of a stock. Each thread has one of its own, as far as there are enough.
const SHARDS: usize = 16;

/// The stock of idle copies of one plugin, in a part for each thread, so that threads do not wait
/// for each other and a copy stays near its core.
#[derive(Default)]
pub(super) struct Pool([Mutex<Vec<Instance>>; SHARDS]);

thread_local! {
    /// The part of every stock that belongs to this thread.
    static SHARD: usize = {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        THREADS.fetch_add(1, Ordering::Relaxed) % SHARDS
    };
}

impl Pool {
    fn take(&self) -> Option<Instance> {
        self.lock().pop()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Instance>> {
        let shard = &self.0[SHARD.with(|shard| *shard)];
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn put(&self, instance: Instance) {
        if instance.calls >= CALLS {
            return;
        }
        let mut idle = self.lock();
        if idle.len() < IDLE {
            idle.push(instance);
        }
    }
}

/// A running copy.
pub(super) struct Instance {
    store: Store<State>,
    matcher: Option<matcher::Guest>,
    redactor: Option<redactor::Guest>,
    policy: Option<recording_policy::Guest>,
    calls: u32,
}

/// Which function to call, with what it takes.
pub(super) enum Question {
    Identify(Arc<dyn Message>),
    Redact(Arc<dyn Message>),
    Decide(Arc<dyn Message>, Arc<dyn Message>),
}

impl Question {
    fn role(&self) -> &'static str {
        match self {
            Self::Identify(_) => "matcher",
            Self::Redact(_) => "redactor",
            Self::Decide(..) => "recording-policy",
        }
    }
}

impl Plugin {
    /// Asks the plugin, in an idle copy or a new one.
    pub(super) fn ask(
        &self,
        question: &Question,
        secrets: &Arc<Secrets>,
    ) -> Result<Answer, PluginFailure> {
        let fail = |reason| PluginFailure {
            plugin: self.template.name.clone(),
            role: question.role(),
            reason,
        };
        let said = match self.ask_once(question, secrets) {
            // The clock runs on while the machine does something else, so a call that was late may
            // not be to blame. One that is will be late again.
            Err(broken) if broken.late => self.ask_once(question, secrets),
            said => said,
        };
        match said {
            Ok(said) => said.map_err(|text| fail(format!("refused: {text}"))),
            Err(broken) => Err(fail(broken.reason)),
        }
    }

    fn ask_once(&self, question: &Question, secrets: &Arc<Secrets>) -> Result<Said, Broken> {
        let mut instance = match self.pool.take() {
            Some(instance) => instance,
            None => Instance::prepared(&self.template)
                .map(|(instance, _)| instance)
                .map_err(|error| Broken::from(error.to_string()))?,
        };
        // Only a call that came to its end puts the copy back.
        let said = instance.ask(&self.template, question, secrets)?;
        self.pool.put(instance);
        Ok(said)
    }
}

/// What the guest said, or in its own words why it does not answer.
type Said = Result<Answer, String>;

/// Why a copy is not to be used again.
struct Broken {
    reason: String,
    /// It ran out of time.
    late: bool,
}

impl From<String> for Broken {
    fn from(reason: String) -> Self {
        Self {
            reason,
            late: false,
        }
    }
}

impl Instance {
    /// Starts a copy and lets every role prepare.
    pub(super) fn prepared(template: &Template) -> Result<(Self, Declarations), PluginError> {
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

    fn start(template: &Template) -> Result<Self, String> {
        let state = State::new(
            Arc::clone(&template.settings),
            &template.hash,
            template.bounds,
            Arc::clone(&template.log),
        );
        let engine = template.linked.engine();
        let mut store = Store::new(engine, state);
        store.limiter(|state| &mut state.limits);
        store.set_epoch_deadline(engine::ticks(template.bounds.prepare));
        let linked = template.linked.instantiate(&mut store);
        let instance =
            linked.map_err(|error| explain(&error, (template.bounds.prepare, PREPARE)))?;
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
        Ok(Self {
            store,
            matcher,
            redactor,
            policy,
            calls: 0,
        })
    }

    fn prepare(
        &mut self,
        template: &Template,
        call: impl FnOnce(&mut Store<State>) -> wasmtime::Result<Result<(), String>>,
    ) -> Result<Answer, String> {
        self.store.data_mut().loan = Loan {
            phase: Phase::Prepare,
            ..Loan::default()
        };
        let said = self.enter((template.bounds.prepare, PREPARE), call);
        said.map_err(|broken| broken.reason)?
    }

    fn ask(
        &mut self,
        template: &Template,
        question: &Question,
        secrets: &Arc<Secrets>,
    ) -> Result<Said, Broken> {
        let messages = match question {
            Question::Identify(message) | Question::Redact(message) => {
                vec![Some(Arc::clone(message))]
            }
            Question::Decide(request, response) => {
                vec![Some(Arc::clone(request)), Some(Arc::clone(response))]
            }
        };
        self.store.data_mut().loan = Loan {
            phase: Phase::Ask,
            lent: messages.len(),
            messages,
            secrets: Some(Arc::clone(secrets)),
            raw: matches!(question, Question::Redact(_)),
        };
        let bounds = template.bounds;
        let missing = || "lost its role".to_owned();
        match question {
            Question::Identify(_) => {
                let guest = self.matcher.clone().ok_or_else(missing)?;
                self.enter((bounds.identify, "matcher_time"), |store| {
                    guest.call_identify(store, message(0), sink())
                })
            }
            Question::Redact(_) => {
                let guest = self.redactor.clone().ok_or_else(missing)?;
                self.enter((bounds.redact, "redactor_time"), |store| {
                    guest.call_redact(store, message(0), sink())
                })
            }
            Question::Decide(..) => {
                let guest = self.policy.clone().ok_or_else(missing)?;
                self.enter((bounds.decide, "policy_time"), |store| {
                    guest.call_decide(store, message(0), Some(message(1)), sink())
                })
            }
        }
    }

    /// Runs guest code under a deadline. The outer error means that this copy is broken.
    fn enter(
        &mut self,
        limit: TimeLimit,
        call: impl FnOnce(&mut Store<State>) -> wasmtime::Result<Result<(), String>>,
    ) -> Result<Said, Broken> {
        self.calls += 1;
        self.store.set_epoch_deadline(engine::ticks(limit.0));
        let store = &mut self.store;
        // A panic of host code below must not take the thread's other requests with it.
        let result = std::panic::catch_unwind(AssertUnwindSafe(|| call(store)))
            .map_err(|_| "met a fault of the host".to_owned())?
            .map_err(|error| Broken {
                reason: explain(&error, limit),
                late: error.downcast_ref() == Some(&Trap::Interrupt),
            })?;
        let state = self.store.data_mut();
        state.loan = Loan::default();
        let answer = std::mem::take(&mut state.answer);
        Ok(result.map(|()| answer))
    }
}

/// How long a call may take, and the key in `[limits]` that says so.
type TimeLimit = (Duration, &'static str);

/// The key of the time for the start of an instance and for `prepare`.
const PREPARE: &str = "prepare_time";

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
        None => explain_other(error),
    }
}

fn explain_other(error: &wasmtime::Error) -> String {
    let root = error.root_cause().to_string();
    if root.contains("growing memory") || root.contains("growing table") {
        return format!("trapped: {root} (limits.plugin_memory)");
    }
    format!("trapped: {root}")
}

fn message(place: u32) -> Resource<super::state::MessageSlot> {
    Resource::new_borrow(place)
}

fn sink() -> Resource<super::state::SinkSlot> {
    Resource::new_borrow(0)
}
