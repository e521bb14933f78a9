//! One running instance of a plugin: start, `prepare`, calls.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::component::{self, Resource};
use wasmtime::{Store, Trap};

use super::guest_call::{CallFailure, CallResult, GuestCall, TimeLimit};
use super::snapshot::InstrumentedComponent;
use super::template::InstanceTemplate;
use super::usage::UsageCounters;
use crate::contract::bindings::exports::ouli::gateway::{matcher, recording_policy, redactor};
use crate::contract::declarations::{Declarations, Declared};
use crate::sandbox::call_output::CallOutput;
use crate::sandbox::cpu_timer::CpuTimer;
use crate::sandbox::state::{CallContext, MessageSlot, Phase, SinkSlot, State};
use crate::sandbox::wasi_context::DeterministicClock;
use crate::{Bounds, PluginError};
use ouli_message::error_chain::error_chain;
use ouli_redaction::Secrets;

/// The key of the time limit for starting an instance and for `prepare`.
const PREPARE_KEY: &str = "prepare_cpu_time";

/// The first reading of the monotonic clock of an instance that starts from a snapshot. It is later
/// than all readings while the snapshot was made.
const SNAPSHOT_CLOCK_START: Duration = Duration::from_secs(3600);

/// The time limit of a snapshot. No code of the guest runs meanwhile.
const SNAPSHOT_TIME: Duration = Duration::from_secs(10);

/// A running instance.
pub(crate) struct Instance {
    store: Store<State>,
    inner: component::Instance,
    matcher: Option<matcher::Guest>,
    redactor: Option<redactor::Guest>,
    policy: Option<recording_policy::Guest>,
    calls: u32,
    started: Instant,
    memory: usize,
    usage: Arc<UsageCounters>,
}

impl Instance {
    /// Starts an instance and runs `prepare` of every role.
    pub(crate) fn start_prepared(
        template: &InstanceTemplate,
    ) -> Result<(Self, Declarations), PluginError> {
        let failed = |role| move |reason| PluginError::Prepare { role, reason };
        let mut instance = Self::start(template).map_err(failed("component"))?;
        let mut declarations = Declarations::default();
        if let Some(guest) = instance.matcher.clone() {
            let output = instance
                .prepare(template, |store| guest.call_prepare(store, sink()))
                .map_err(failed("matcher"))?;
            declarations.matcher = Some(Declared {
                items: output.parts,
                is_called: output.ask,
            });
        }
        if let Some(guest) = instance.redactor.clone() {
            let output = instance
                .prepare(template, |store| guest.call_prepare(store, sink()))
                .map_err(failed("redactor"))?;
            declarations.redactor = Some(Declared {
                items: output.rules,
                is_called: output.ask,
            });
        }
        if let Some(guest) = instance.policy.clone() {
            let output = instance
                .prepare(template, |store| guest.call_prepare(store, sink()))
                .map_err(failed("recording-policy"))?;
            declarations.policy = Some(Declared {
                items: output.conditions,
                is_called: output.ask,
            });
        }
        Ok((instance, declarations))
    }

    /// Starts an instance that is ready for calls.
    pub(crate) fn start_ready(template: &InstanceTemplate) -> Result<Self, PluginError> {
        if template.is_snapshot {
            let role = "component";
            return Self::start(template).map_err(|reason| PluginError::Prepare { role, reason });
        }
        Self::start_prepared(template).map(|(instance, _)| instance)
    }

    /// A component that starts in the present state of this instance. None if the guest holds
    /// handles of the host, or if its state cannot be read.
    pub(crate) fn snapshot(&mut self, component: &InstrumentedComponent<'_>) -> Option<Vec<u8>> {
        if !self.store.data().table.is_empty() {
            return None;
        }
        set_deadline(&mut self.store, SNAPSHOT_TIME);
        component.snapshot(&mut self.store, self.inner)
    }

    fn start(template: &InstanceTemplate) -> Result<Self, String> {
        let clock_start = match template.is_snapshot {
            true => SNAPSHOT_CLOCK_START,
            false => Duration::ZERO,
        };
        let state = State::new(
            Arc::clone(&template.settings),
            template.hash,
            template.bounds,
            Arc::clone(&template.log),
            DeterministicClock::starting_at(clock_start),
        );
        let mut store = Store::new(template.instance_pre.engine(), state);
        store.limiter(|state| &mut state.limiter);
        store.epoch_deadline_callback(|mut context| Ok(context.data_mut().timer.tick()));
        let limit = (template.bounds.prepare_cpu_time, PREPARE_KEY);
        set_deadline(&mut store, limit.0);
        let inner = template
            .instance_pre
            .instantiate(&mut store)
            .map_err(|error| explain_with_output(&error, limit, store.data()))?;
        let mut load_roles = || -> wasmtime::Result<_> {
            let roles = &template.roles;
            let matcher = roles.matcher.as_ref();
            let redactor = roles.redactor.as_ref();
            let policy = roles.policy.as_ref();
            Ok((
                matcher
                    .map(|role| role.load(&mut store, &inner))
                    .transpose()?,
                redactor
                    .map(|role| role.load(&mut store, &inner))
                    .transpose()?,
                policy
                    .map(|role| role.load(&mut store, &inner))
                    .transpose()?,
            ))
        };
        let (matcher, redactor, policy) = load_roles().map_err(|error| format!("{error:#}"))?;
        template.usage.count_start();
        Ok(Self {
            store,
            inner,
            matcher,
            redactor,
            policy,
            calls: 0,
            started: Instant::now(),
            memory: 0,
            usage: Arc::clone(&template.usage),
        })
    }

    fn prepare(
        &mut self,
        template: &InstanceTemplate,
        call: impl FnOnce(&mut Store<State>) -> wasmtime::Result<Result<(), String>>,
    ) -> Result<CallOutput, String> {
        self.store.data_mut().call = CallContext {
            phase: Phase::Prepare,
            ..CallContext::default()
        };
        let limit = (template.bounds.prepare_cpu_time, PREPARE_KEY);
        self.enter(limit, call).map_err(|failure| failure.reason)?
    }

    /// Calls the guest. After an outer error the instance must not be used again.
    pub(crate) fn call(
        &mut self,
        bounds: &Bounds,
        call: &GuestCall<'_>,
        secrets: &Arc<Secrets>,
    ) -> CallResult {
        let result = self.call_role(bounds, call, secrets);
        self.usage.count_call(self.store.data().take_host_calls());
        self.update_memory_usage();
        result
    }

    /// Calls the guest with a message that is not traffic. The usage counters do not change.
    pub(crate) fn call_uncounted(
        &mut self,
        bounds: &Bounds,
        call: &GuestCall<'_>,
        secrets: &Arc<Secrets>,
    ) -> CallResult {
        let result = self.call_role(bounds, call, secrets);
        self.store.data().take_host_calls();
        self.update_memory_usage();
        result
    }

    fn call_role(
        &mut self,
        bounds: &Bounds,
        call: &GuestCall<'_>,
        secrets: &Arc<Secrets>,
    ) -> CallResult {
        self.store.data_mut().begin_call(CallContext {
            phase: Phase::Call,
            messages: call.messages(),
            parts: Vec::new(),
            secrets: Some(Arc::clone(secrets)),
            is_unredacted: matches!(call, GuestCall::Redact(_)),
        });
        self.calls += 1;
        let limit = call.time_limit(bounds);
        let missing = || "does not export this role".to_owned();
        match call {
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

    fn update_memory_usage(&mut self) {
        let memory = self.store.data().limiter.memory();
        if memory != self.memory {
            self.memory = memory;
            self.usage.record_memory(memory);
        }
    }

    /// Runs guest code within a time limit.
    fn enter(
        &mut self,
        limit: TimeLimit,
        call: impl FnOnce(&mut Store<State>) -> wasmtime::Result<Result<(), String>>,
    ) -> CallResult {
        set_deadline(&mut self.store, limit.0);
        self.store.data_mut().output_tail.clear();
        let store = &mut self.store;
        // A panic in a host function fails this call only, not the other requests of the thread.
        let result = std::panic::catch_unwind(AssertUnwindSafe(|| call(store)));
        self.store.data_mut().end_output();
        let result = result
            .map_err(|_| "failed: a host function panicked".to_owned())?
            .map_err(|error| CallFailure {
                reason: explain_with_output(&error, limit, self.store.data()),
                timed_out: error.downcast_ref() == Some(&Trap::Interrupt),
            })?;
        let output = self.store.data_mut().end_call();
        Ok(result.map(|()| output))
    }

    /// True if a new instance replaces this one.
    pub(super) fn should_replace(&self, bounds: &Bounds) -> bool {
        self.calls >= bounds.max_calls_per_instance
            || self.memory > bounds.idle_memory
            || self.started.elapsed() >= bounds.max_instance_age
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.usage.count_drop();
    }
}

fn set_deadline(store: &mut Store<State>, limit: Duration) {
    store.data_mut().timer = CpuTimer::new(limit);
    store.set_epoch_deadline(1);
}

/// Says what stopped a guest, and what it wrote to its standard output and error.
fn explain_with_output(error: &wasmtime::Error, limit: TimeLimit, state: &State) -> String {
    let no_secrets = Secrets::default();
    let secrets = state.call.secrets.as_deref().unwrap_or(&no_secrets);
    let output = state
        .output_tail
        .explain(|text| state.log.sanitize(text, secrets));
    format!("{}{output}", explain(error, limit))
}

/// Says what stopped a guest.
fn explain(error: &wasmtime::Error, (limit, key): TimeLimit) -> String {
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => {
            format!("exceeded its time limit of {limit:?} and was stopped (limits.{key})")
        }
        Some(Trap::StackOverflow) => "trapped: call stack overflow".to_owned(),
        Some(Trap::UnreachableCodeReached) => "trapped: it panicked or aborted".to_owned(),
        Some(trap) => format!("trapped: {trap}"),
        None => format!("trapped: {}", error_chain(error.root_cause())),
    }
}

fn message(index: u32) -> Resource<MessageSlot> {
    Resource::new_borrow(index)
}

fn sink() -> Resource<SinkSlot> {
    Resource::new_borrow(0)
}
