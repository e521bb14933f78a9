//! One loaded plugin: how it is called, and what is known of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::contract::declarations::Declarations;
use crate::contract::roles::Role;
use crate::load::engine::Engine;
use crate::load::requirements::Requirements;
use crate::load::{prepare, self_test};
use crate::run::answer_cache::{AnswerCache, IdentifyResult};
use crate::run::call_limiter::CallLimiter;
use crate::run::circuit_breaker::CircuitBreaker;
use crate::run::guest_call::{CallResult, GuestCall};
use crate::run::instance::Instance;
use crate::run::pool::InstancePool;
use crate::run::template::InstanceTemplate;
use crate::run::usage::UsageSnapshot;
use crate::sandbox::call_output::CallOutput;
use crate::{PluginError, PluginFailure, Source};
use ouli_codec::MessageView;
use ouli_message::glob;
use ouli_redaction::{EditError, Redactor, RedactorEdits, RuleDeclaration, Secrets};

/// Results of a matcher are cached if its calls take longer than this. A cache hit costs a digest
/// of the request and a look-up.
const CACHE_THRESHOLD: Duration = Duration::from_micros(10);

/// Compiling a larger file may take seconds, so it is logged first.
const LARGE_FILE: usize = 4 << 20;

/// A loaded plugin.
pub struct Plugin {
    name: String,
    template: InstanceTemplate,
    pub(crate) declarations: Declarations,
    pool: InstancePool,
    call_limiter: CallLimiter,
    breaker: CircuitBreaker,
    routes: Vec<String>,
    /// If its matcher fails, the request fails.
    pub(crate) fail_closed: bool,
    fresh_instances: bool,
    requirements: Requirements,
    state_dependence: Option<String>,
    /// Present if a call costs more than a cache hit.
    answer_cache: Option<AnswerCache>,
    passed_self_test: bool,
}

impl Plugin {
    /// Loads a plugin and starts its initial instances. This takes the time of a compilation, so it
    /// must not run on a thread that serves requests.
    ///
    /// # Errors
    /// If the plugin is invalid, exceeds a limit, or its `prepare` fails.
    pub fn load(engine: &Engine, source: &Source) -> Result<Self, PluginError> {
        let (name, size) = (&source.name, source.bytes.len());
        if size >= LARGE_FILE {
            let size = size >> 20;
            tracing::info!("compiling {name} ({size} MiB), which may take a minute unless cached");
        }
        let prepared = prepare::prepare_plugin(engine, source)?;
        let mut plugin = Self {
            name: source.name.clone(),
            template: prepared.template,
            declarations: prepared.declarations,
            pool: InstancePool::default(),
            call_limiter: CallLimiter::default(),
            breaker: CircuitBreaker::new(&source.bounds),
            routes: source.routes.clone(),
            fail_closed: source.fail_closed,
            fresh_instances: source.fresh_instances,
            requirements: prepared.requirements,
            state_dependence: None,
            answer_cache: None,
            passed_self_test: false,
        };
        plugin.prestart(prepared.first_instance, source.initial_instances)?;
        Ok(plugin)
    }

    /// Runs the self-test and starts the initial instances, so that the first requests do not wait
    /// for a start. A plugin that is never called needs no instance.
    fn prestart(&mut self, first: Instance, count: usize) -> Result<(), PluginError> {
        if self.fresh_instances || !self.declarations.has_called_role() {
            return Ok(());
        }
        let log = &self.template.log;
        let report = log.muted(|| self_test::run(&self.template, &self.declarations, first))?;
        if let Some(dependence) = &report.state_dependence {
            tracing::warn!(
                "plugin {}: {dependence}, so replays may differ from run to run; keep no state \
                 between calls, or set `instances = \"fresh\"` in its [[plugin]] section",
                self.name
            );
        }
        let cache_bytes = self.template.bounds.answer_cache;
        let is_cacheable = report.state_dependence.is_none();
        if is_cacheable && report.fastest_call > CACHE_THRESHOLD && cache_bytes > 0 {
            self.answer_cache = Some(AnswerCache::new(cache_bytes));
        }
        self.passed_self_test = report.fastest_call > Duration::ZERO;
        self.state_dependence = report.state_dependence;
        let started = report.instances.len();
        for instance in report.instances.into_iter().take(count) {
            self.pool.add_unused(instance);
        }
        for _ in started..count {
            self.pool.add_unused(Instance::start_ready(&self.template)?);
        }
        Ok(())
    }

    /// The result of `identify` for a request, from the cache if it is known.
    pub(crate) fn identify(
        &self,
        request: &Arc<dyn MessageView>,
        secrets: &Arc<Secrets>,
    ) -> Result<IdentifyResult, PluginFailure> {
        let call = || self.call(&GuestCall::Identify(request), secrets);
        let Some((cache, digest)) = self.answer_cache.as_ref().zip(request.digest()) else {
            return call().map(IdentifyResult::from);
        };
        if let Some(result) = cache.get(digest) {
            self.template.usage.count_cache_hit();
            return Ok(result);
        }
        let result = IdentifyResult::from(call()?);
        cache.insert(digest, result.clone());
        Ok(result)
    }

    /// Calls the plugin in an idle instance, or in a new one.
    pub(crate) fn call(
        &self,
        call: &GuestCall<'_>,
        secrets: &Arc<Secrets>,
    ) -> Result<CallOutput, PluginFailure> {
        let bounds = &self.template.bounds;
        let limit = bounds.max_concurrent_calls;
        let (wait, _) = call.time_limit(bounds);
        let Some(_permit) = self.call_limiter.acquire(limit, wait) else {
            // Overload is not a plugin failure, so the circuit breaker does not count it.
            let reason =
                format!("has {limit} calls in progress (limits.plugin_max_concurrent_calls)");
            return Err(self.failure(call, &reason, secrets));
        };
        if let Err(reason) = self.breaker.admit(Instant::now) {
            let mut failure = self.failure(call, &reason, secrets);
            failure.circuit_open = true;
            return Err(failure);
        }
        match self.call_instance(call, secrets) {
            Ok(result) => {
                self.breaker.record_success();
                let refused = |text| self.failure(call, &format!("refused: {text}"), secrets);
                result.map_err(refused)
            }
            Err(error) => {
                let failure = self.failure(call, &error.reason, secrets);
                let (reason, timed_out) = (&failure.reason, error.timed_out);
                if self
                    .breaker
                    .record_failure(reason, timed_out, Instant::now())
                {
                    tracing::error!("{failure}; it is paused after too many failures");
                }
                Err(failure)
            }
        }
    }

    fn call_instance(&self, call: &GuestCall<'_>, secrets: &Arc<Secrets>) -> CallResult {
        let bounds = &self.template.bounds;
        let mut instance = match self.pool.checkout() {
            Some(instance) => instance,
            None => Instance::start_ready(&self.template).map_err(|error| error.to_string())?,
        };
        // If the call fails, the instance is dropped.
        let result = instance.call(bounds, call, secrets)?;
        if !self.fresh_instances {
            self.pool.check_in(instance, bounds);
        }
        Ok(result)
    }

    fn failure(&self, call: &GuestCall<'_>, reason: &str, secrets: &Secrets) -> PluginFailure {
        self.template.usage.count_failure();
        PluginFailure {
            plugin: self.name.clone(),
            role: call.role(),
            reason: self.template.log.sanitize(reason, secrets),
            circuit_open: false,
        }
    }

    /// Calls the matcher with a request that is not traffic, so that this thread has an instance
    /// and its code is warm.
    pub(crate) fn warm_up(&self, request: &Arc<dyn MessageView>, secrets: &Arc<Secrets>) {
        let matcher = self.declarations.matcher.as_ref();
        if !matcher.is_some_and(|matcher| matcher.is_called) || !self.passed_self_test {
            return;
        }
        let Some(mut instance) = self.pool.checkout() else {
            return;
        };
        let bounds = &self.template.bounds;
        let call = GuestCall::Identify(request);
        let log = &self.template.log;
        let result = log.muted(|| instance.call_uncounted(bounds, &call, secrets));
        if result.is_ok() {
            self.pool.check_in(instance, bounds);
        }
    }

    /// Calls the plugin and discards the result.
    ///
    /// # Errors
    /// If the call fails.
    pub fn call_and_discard(
        &self,
        call: &GuestCall<'_>,
        secrets: &Arc<Secrets>,
    ) -> Result<(), PluginFailure> {
        self.call(call, secrets).map(drop)
    }

    /// The roles of the plugin.
    pub fn roles(&self) -> Vec<Role> {
        self.declarations.roles().collect()
    }

    /// The usage counters.
    pub fn usage(&self) -> UsageSnapshot {
        self.template.usage.snapshot()
    }

    /// The resources that the component needs.
    pub fn requirements(&self) -> &Requirements {
        &self.requirements
    }

    /// What the self-test found, if the results depend on earlier calls.
    pub fn state_dependence(&self) -> Option<&str> {
        self.state_dependence.as_deref()
    }

    /// True if new instances start from a snapshot that was made after `prepare`.
    pub fn is_snapshot(&self) -> bool {
        self.template.is_snapshot
    }

    /// Why the plugin is not called now, if its circuit is open.
    pub fn breaker_reason(&self) -> Option<String> {
        self.breaker.open_reason()
    }

    /// The name in reports.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// True if the plugin is part of the gateway.
    pub fn is_builtin(&self) -> bool {
        self.name.starts_with("builtin:")
    }

    /// The SHA-256 of the component in lower-case hex.
    pub fn digest(&self) -> String {
        let bytes = self.template.hash.iter();
        bytes.map(|byte| format!("{byte:02x}")).collect()
    }

    /// Patterns of the paths that the plugin applies to; an empty list means all paths.
    pub fn routes(&self) -> &[String] {
        &self.routes
    }

    /// True if the plugin applies to this path.
    pub fn covers(&self, path: &str) -> bool {
        self.routes.is_empty() || self.routes.iter().any(|route| glob::matches(route, path))
    }

    /// What the plugin declared, as lines of text.
    pub fn describe(&self) -> Vec<String> {
        self.declarations.describe()
    }
}

impl Redactor for Plugin {
    type Error = PluginFailure;

    fn rules(&self) -> &[RuleDeclaration] {
        let redactor = self.declarations.redactor.as_ref();
        redactor.map_or(&[], |redactor| &redactor.items)
    }

    fn has_default_rules(&self) -> bool {
        self.is_builtin()
    }

    fn is_called(&self) -> bool {
        let redactor = self.declarations.redactor.as_ref();
        redactor.is_some_and(|redactor| redactor.is_called)
    }

    fn covers(&self, path: &str) -> bool {
        Self::covers(self, path)
    }

    fn redact(
        &self,
        message: &Arc<dyn MessageView>,
        secrets: &Arc<Secrets>,
    ) -> Result<RedactorEdits, PluginFailure> {
        let output = self.call(&GuestCall::Redact(message), secrets)?;
        Ok(RedactorEdits {
            edits: output.edits,
            hold: output.hold,
        })
    }

    fn invalid_edit(&self, error: EditError) -> PluginFailure {
        PluginFailure {
            plugin: self.name.clone(),
            role: "redactor",
            reason: format!("made an edit that cannot be applied: {error}"),
            circuit_open: false,
        }
    }
}
