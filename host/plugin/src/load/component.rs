//! One plugin, loaded: admitted, compiled, linked, and what its `prepare` declared.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::admission::Requirements;
use super::engine::Engine;
use super::{self_test, start};
use crate::contract::bindings::exports::ouli::gateway::{matcher, recording_policy, redactor};
use crate::contract::call_state::{Answer, Condition};
use crate::run::answer_cache::{AnswerCache, IdentifyAnswer};
use crate::run::circuit_breaker::CircuitBreaker;
use crate::run::instance::{CallResult, GuestCall, Instance, Template};
use crate::run::pool::InstancePool;
use crate::run::usage::{UsageCounters, UsageSnapshot};
use crate::{Bounds, PluginError, PluginFailure};
use ouli_codec::MessageView;
use ouli_matching::key::KeyPart;
use ouli_message::glob;
use ouli_redaction::{RuleDeclaration, Secrets};

/// A plugin as it is handed to the host: its bytes and what the configuration says of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// How it is called in reports: the file's name, or `builtin:...`.
    pub name: String,
    /// The component.
    pub bytes: Arc<[u8]>,
    /// Patterns of paths that it is asked for; none means all.
    pub routes: Vec<String>,
    /// Its settings as JSON text.
    pub settings: String,
    /// Where its matcher fails the request fails, instead of being left to the next matcher.
    pub fail_closed: bool,
    /// Each call gets a copy of its own.
    pub fresh_instances: bool,
    /// Copies that are started before the first call.
    pub initial_instances: usize,
    /// The limits under which it runs.
    pub bounds: Bounds,
}

/// A role that a plugin has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Role {
    /// The interface that it exports.
    pub name: &'static str,
    /// It is called per message, and does not only declare.
    pub is_called: bool,
}

/// Places of the roles' functions in a component, looked up once.
pub(crate) struct Roles {
    pub(crate) matcher: Option<matcher::GuestIndices>,
    pub(crate) redactor: Option<redactor::GuestIndices>,
    pub(crate) policy: Option<recording_policy::GuestIndices>,
}

/// What the roles declared in `prepare`.
#[derive(Debug, Default)]
pub(crate) struct Declarations {
    pub(crate) matcher: Option<(Vec<KeyPart>, bool)>,
    pub(crate) redactor: Option<(Vec<RuleDeclaration>, bool)>,
    pub(crate) policy: Option<(Vec<Condition>, bool)>,
}

impl Declarations {
    /// The roles that there are.
    pub(crate) fn roles(&self) -> impl Iterator<Item = Role> + use<> {
        let roles = [
            ("matcher", self.matcher.as_ref().map(|(_, ask)| *ask)),
            ("redactor", self.redactor.as_ref().map(|(_, ask)| *ask)),
            (
                "recording-policy",
                self.policy.as_ref().map(|(_, ask)| *ask),
            ),
        ];
        let roles = roles.into_iter();
        roles.filter_map(|(name, asked)| {
            asked.map(|asked| Role {
                name,
                is_called: asked,
            })
        })
    }

    /// True where one of the roles is called per message.
    pub(crate) fn has_called_role(&self) -> bool {
        self.roles().any(|role| role.is_called)
    }
}

/// A matcher whose calls take longer than this is not asked twice for the same request. To
/// remember costs a digest of the request and a look into a map.
const CACHE_THRESHOLD: Duration = Duration::from_micros(10);

/// A plugin ready to be asked.
pub struct Plugin {
    name: String,
    pub(crate) template: Template,
    pub(crate) declarations: Declarations,
    pub(crate) pool: InstancePool,
    pub(crate) breaker: CircuitBreaker,
    routes: Vec<String>,
    pub(crate) fail_closed: bool,
    fresh_instances: bool,
    requirements: Requirements,
    /// What the self-test found of state between calls.
    state_dependence: Option<String>,
    /// Where asking costs more than remembering.
    answer_cache: Option<AnswerCache>,
    /// It answered whatever the self-test asked.
    passed_probe: bool,
}

impl Plugin {
    /// Checks, compiles, links and prepares a plugin, and starts as many copies as it will need.
    /// Takes the time of a compilation: not for a thread that serves.
    pub fn load(engine: &Engine, source: &Source) -> Result<Self, PluginError> {
        let bounds = source.bounds;
        let begun = start::load(engine, source)?;
        let (template, first) = (begun.template, begun.first_instance);
        let (declarations, needs) = (begun.declarations, begun.requirements);
        let mut plugin = Self {
            name: source.name.clone(),
            template,
            declarations,
            pool: InstancePool::default(),
            breaker: CircuitBreaker::new(&bounds),
            routes: source.routes.clone(),
            fail_closed: source.fail_closed,
            fresh_instances: source.fresh_instances,
            requirements: needs,
            state_dependence: None,
            answer_cache: None,
            passed_probe: false,
        };
        plugin.prestart(first, source.initial_instances)?;
        Ok(plugin)
    }

    /// Tries the plugin out and starts copies for the first calls, so that no request waits for the
    /// start of one. A plugin that is never asked needs none.
    fn prestart(&mut self, first: Instance, copies: usize) -> Result<(), PluginError> {
        if self.fresh_instances || !self.declarations.has_called_role() {
            return Ok(());
        }
        let log = &self.template.log;
        let probed = log.muted(|| self_test::probe(&self.template, &self.declarations, first))?;
        if let Some(state) = &probed.state_dependence {
            tracing::warn!(
                "plugin {}: {state}, so replays may differ from run to run; keep nothing between \
                 calls, or write `instances = \"fresh\"` in its [[plugin]] section",
                self.name
            );
        }
        let most = self.template.bounds.answer_cache_bytes;
        if probed.state_dependence.is_none() && probed.fastest_call > CACHE_THRESHOLD && most > 0 {
            self.answer_cache = Some(AnswerCache::new(most));
        }
        self.passed_probe = probed.fastest_call > Duration::ZERO;
        self.state_dependence = probed.state_dependence;
        let ready = probed.instances.len();
        for copy in probed.instances.into_iter().take(copies) {
            self.pool.add_unused(copy);
        }
        for _ in ready..copies {
            self.pool.add_unused(Instance::start_ready(&self.template)?);
        }
        Ok(())
    }

    /// What the matcher says of a request, from memory where it was asked before.
    pub(crate) fn identify(
        &self,
        request: &Arc<dyn MessageView>,
        secrets: &Arc<Secrets>,
    ) -> Result<IdentifyAnswer, PluginFailure> {
        let ask = || self.ask(&GuestCall::Identify(request), secrets);
        let remembered = self.answer_cache.as_ref();
        let Some((memory, digest)) = remembered.zip(request.digest()) else {
            return ask().map(IdentifyAnswer::from);
        };
        if let Some(known) = memory.get(digest) {
            UsageCounters::add(&self.template.usage.cache_hits, 1);
            return Ok(known);
        }
        let answer = IdentifyAnswer::from(ask()?);
        memory.insert(digest, answer.clone());
        Ok(answer)
    }

    /// Asks the plugin, in an idle copy or a new one.
    pub(crate) fn ask(
        &self,
        question: &GuestCall<'_>,
        secrets: &Arc<Secrets>,
    ) -> Result<Answer, PluginFailure> {
        let bounds = &self.template.bounds;
        let (wait, _) = question.limit(bounds);
        let Some(_pass) = self.pool.acquire_permit(bounds, wait) else {
            // Much asked is not ailing, so this does not count against its health.
            let most = bounds.max_concurrent_calls;
            let why = format!("has {most} calls under way (limits.plugin_max_concurrent_calls)");
            return Err(self.failure(question, &why, secrets));
        };
        if let Err(why) = self.breaker.admit(Instant::now) {
            let mut failure = self.failure(question, &why, secrets);
            failure.paused = true;
            return Err(failure);
        }
        match self.ask_instance(question, secrets) {
            Ok(said) => {
                self.breaker.record_success();
                said.map_err(|text| self.failure(question, &format!("refused: {text}"), secrets))
            }
            Err(broken) => {
                let failure = self.failure(question, &broken.reason, secrets);
                let now = Instant::now();
                if self
                    .breaker
                    .record_failure(&failure.reason, broken.timed_out, now)
                {
                    tracing::error!("{failure}; it is not asked for a while");
                }
                Err(failure)
            }
        }
    }

    fn ask_instance(&self, question: &GuestCall<'_>, secrets: &Arc<Secrets>) -> CallResult {
        let bounds = &self.template.bounds;
        let mut instance = match self.pool.checkout() {
            Some(instance) => instance,
            None => Instance::start_ready(&self.template).map_err(|error| error.to_string())?,
        };
        // Only a call that came to its end puts the copy back.
        let said = instance.ask(bounds, question, secrets)?;
        if !self.fresh_instances {
            self.pool.check_in(instance, bounds);
        }
        Ok(said)
    }

    fn failure(&self, question: &GuestCall<'_>, reason: &str, secrets: &Secrets) -> PluginFailure {
        UsageCounters::add(&self.template.usage.failures, 1);
        PluginFailure {
            plugin: self.name.clone(),
            role: question.role(),
            reason: self.template.log.sanitize(reason, secrets),
            paused: false,
        }
    }

    /// Asks the matcher about a message that nobody sent, so that this thread is ready for those
    /// that come.
    pub(crate) fn warm_up(&self, request: &Arc<dyn MessageView>, secrets: &Arc<Secrets>) {
        let asks = self.declarations.matcher.as_ref().map(|(_, ask)| *ask);
        if asks != Some(true) || !self.passed_probe {
            return;
        }
        let Some(mut copy) = self.pool.checkout() else {
            return;
        };
        let bounds = &self.template.bounds;
        let question = GuestCall::Identify(request);
        let log = &self.template.log;
        if log
            .muted(|| copy.ask_uncounted(bounds, &question, secrets))
            .is_ok()
        {
            self.pool.check_in(copy, bounds);
        }
    }

    /// Asks for the sake of asking: the answer is dropped.
    ///
    /// # Errors
    /// Where there is no answer.
    pub fn ask_and_discard(
        &self,
        question: &GuestCall<'_>,
        secrets: &Arc<Secrets>,
    ) -> Result<(), PluginFailure> {
        self.ask(question, secrets).map(drop)
    }

    /// The roles that it has.
    pub fn roles(&self) -> Vec<Role> {
        self.declarations.roles().collect()
    }

    /// What it was used for until now.
    pub fn usage(&self) -> UsageSnapshot {
        self.template.usage.snapshot()
    }

    /// What the component needs.
    pub fn requirements(&self) -> &Requirements {
        &self.requirements
    }

    /// What its self-test found where its answers depend on what was asked before.
    pub fn state_dependence(&self) -> Option<&str> {
        self.state_dependence.as_deref()
    }

    /// True where new copies begin as `prepare` left the first one.
    pub fn is_snapshot(&self) -> bool {
        self.template.is_snapshot
    }

    /// Why it is not asked now, where it failed too often.
    pub fn breaker_reason(&self) -> Option<String> {
        self.breaker.open_reason()
    }

    /// How the plugin is called in reports.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// True where it is part of the gateway.
    pub fn is_builtin(&self) -> bool {
        self.name.starts_with("builtin:")
    }

    /// The SHA-256 of the component in lower-case hex.
    pub fn digest(&self) -> String {
        use std::fmt::Write as _;
        self.template
            .hash
            .iter()
            .fold(String::new(), |mut hex, byte| {
                // Writing to a string cannot fail.
                let _ = write!(hex, "{byte:02x}");
                hex
            })
    }

    /// The patterns of paths that it is asked for; none means all.
    pub fn routes(&self) -> &[String] {
        &self.routes
    }

    /// True where the plugin is asked for this path.
    pub fn covers(&self, path: &str) -> bool {
        self.routes.is_empty() || self.routes.iter().any(|route| glob::matches(route, path))
    }

    /// What it declared, a readable line each.
    pub fn describe(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some((parts, ask)) = &self.declarations.matcher {
            let names: Vec<_> = parts.iter().map(KeyPart::name).collect();
            lines.push(format!("matcher: {}{}", names.join(", "), ask_label(*ask)));
        }
        if let Some((rules, ask)) = &self.declarations.redactor {
            lines.push(format!(
                "redactor: {} rules{}",
                rules.len(),
                ask_label(*ask)
            ));
            lines.extend(wrapped(rules.iter().map(RuleDeclaration::id)));
        }
        if let Some((conditions, ask)) = &self.declarations.policy {
            let count = conditions.len();
            lines.push(format!(
                "recording-policy: {count} conditions{}",
                ask_label(*ask)
            ));
            lines.extend(wrapped(conditions.iter().map(ToString::to_string)));
        }
        lines
    }
}

/// Words in lines of a terminal's width, indented.
fn wrapped(words: impl Iterator<Item = String>) -> Vec<String> {
    const WIDTH: usize = 90;
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        match lines.last_mut() {
            Some(line) if line.len() + word.len() < WIDTH => {
                line.push_str(", ");
                line.push_str(&word);
            }
            Some(_) | None => lines.push(format!("  {word}")),
        }
    }
    lines
}

fn ask_label(ask: bool) -> &'static str {
    if ask {
        ", and is asked per message"
    } else {
        ""
    }
}
