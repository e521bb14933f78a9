//! One plugin, loaded: admitted, compiled, linked, and what its `prepare` declared.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::admission::Needs;
use super::engine::Engine;
use super::{self_test, start};
use crate::contract::bindings::exports::ouli::gateway::{matcher, recording_policy, redactor};
use crate::contract::call_state::{Answer, Condition};
use crate::run::answer_cache::{Identified, Remembered};
use crate::run::circuit_breaker::Health;
use crate::run::instance::{Instance, Question, Said, Template};
use crate::run::pool::Pool;
use crate::run::usage::{Usage, Used};
use crate::{Bounds, PluginError, PluginFailure};
use ouli_codec::Message;
use ouli_matching::key::Part;
use ouli_message::glob;
use ouli_redaction::{Declared, Secrets};

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
    pub fail: bool,
    /// Each call gets a copy of its own.
    pub fresh: bool,
    /// Copies that are started before the first call.
    pub copies: usize,
    /// The limits under which it runs.
    pub bounds: Bounds,
}

/// A role that a plugin has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Role {
    /// The interface that it exports.
    pub name: &'static str,
    /// It is called per message, and does not only declare.
    pub asked: bool,
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
    pub(crate) matcher: Option<(Vec<Part>, bool)>,
    pub(crate) redactor: Option<(Vec<Declared>, bool)>,
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
        roles.filter_map(|(name, asked)| asked.map(|asked| Role { name, asked }))
    }

    /// True where one of the roles is called per message.
    pub(crate) fn asks(&self) -> bool {
        self.roles().any(|role| role.asked)
    }
}

/// A matcher whose calls take longer than this is not asked twice for the same request. To
/// remember costs a digest of the request and a look into a map.
const REMEMBER: Duration = Duration::from_micros(10);

/// A plugin ready to be asked.
pub struct Plugin {
    name: String,
    pub(crate) template: Template,
    pub(crate) declarations: Declarations,
    pub(crate) pool: Pool,
    pub(crate) health: Health,
    routes: Vec<String>,
    pub(crate) fail: bool,
    fresh: bool,
    needs: Needs,
    /// What the self-test found of state between calls.
    state: Option<String>,
    /// Where asking costs more than remembering.
    remembered: Option<Remembered>,
    /// It answered whatever the self-test asked.
    is_sound: bool,
}

impl Plugin {
    /// Checks, compiles, links and prepares a plugin, and starts as many copies as it will need.
    /// Takes the time of a compilation: not for a thread that serves.
    pub fn load(engine: &Engine, source: &Source) -> Result<Self, PluginError> {
        let bounds = source.bounds;
        let begun = start::begin(engine, source)?;
        let (template, first) = (begun.template, begun.first);
        let (declarations, needs) = (begun.declarations, begun.needs);
        let mut plugin = Self {
            name: source.name.clone(),
            template,
            declarations,
            pool: Pool::default(),
            health: Health::new(&bounds),
            routes: source.routes.clone(),
            fail: source.fail,
            fresh: source.fresh,
            needs,
            state: None,
            remembered: None,
            is_sound: false,
        };
        plugin.stock(first, source.copies)?;
        Ok(plugin)
    }

    /// Tries the plugin out and starts copies for the first calls, so that no request waits for the
    /// start of one. A plugin that is never asked needs none.
    fn stock(&mut self, first: Instance, copies: usize) -> Result<(), PluginError> {
        if self.fresh || !self.declarations.asks() {
            return Ok(());
        }
        let log = &self.template.log;
        let probed = log.muted(|| self_test::probe(&self.template, &self.declarations, first))?;
        if let Some(state) = &probed.state {
            tracing::warn!(
                "plugin {}: {state}, so replays may differ from run to run; keep nothing between \
                 calls, or write `instances = \"fresh\"` in its [[plugin]] section",
                self.name
            );
        }
        let most = self.template.bounds.remembered;
        if probed.state.is_none() && probed.call > REMEMBER && most > 0 {
            self.remembered = Some(Remembered::new(most));
        }
        self.is_sound = probed.call > Duration::ZERO;
        self.state = probed.state;
        let ready = probed.copies.len();
        for copy in probed.copies.into_iter().take(copies) {
            self.pool.stock(copy);
        }
        for _ in ready..copies {
            self.pool.stock(Instance::ready(&self.template)?);
        }
        Ok(())
    }

    /// What the matcher says of a request, from memory where it was asked before.
    pub(crate) fn identify(
        &self,
        request: &Arc<dyn Message>,
        secrets: &Arc<Secrets>,
    ) -> Result<Identified, PluginFailure> {
        let ask = || self.ask(&Question::Identify(request), secrets);
        let remembered = self.remembered.as_ref();
        let Some((memory, digest)) = remembered.zip(request.digest()) else {
            return ask().map(Identified::from);
        };
        if let Some(known) = memory.find(digest) {
            Usage::add(&self.template.usage.remembered, 1);
            return Ok(known);
        }
        let answer = Identified::from(ask()?);
        memory.keep(digest, answer.clone());
        Ok(answer)
    }

    /// Asks the plugin, in an idle copy or a new one.
    pub(crate) fn ask(
        &self,
        question: &Question<'_>,
        secrets: &Arc<Secrets>,
    ) -> Result<Answer, PluginFailure> {
        let bounds = &self.template.bounds;
        let (wait, _) = question.limit(bounds);
        let Some(_pass) = self.pool.enter(bounds, wait) else {
            // Much asked is not ailing, so this does not count against its health.
            let most = bounds.in_flight;
            let why = format!("has {most} calls under way (limits.plugin_in_flight)");
            return Err(self.failure(question, &why, secrets));
        };
        if let Err(why) = self.health.admit(Instant::now) {
            let mut failure = self.failure(question, &why, secrets);
            failure.paused = true;
            return Err(failure);
        }
        match self.ask_copy(question, secrets) {
            Ok(said) => {
                self.health.well();
                said.map_err(|text| self.failure(question, &format!("refused: {text}"), secrets))
            }
            Err(broken) => {
                let failure = self.failure(question, &broken.reason, secrets);
                let now = Instant::now();
                if self.health.failed(&failure.reason, broken.late, now) {
                    tracing::error!("{failure}; it is not asked for a while");
                }
                Err(failure)
            }
        }
    }

    fn ask_copy(&self, question: &Question<'_>, secrets: &Arc<Secrets>) -> Said {
        let bounds = &self.template.bounds;
        let mut instance = match self.pool.take() {
            Some(instance) => instance,
            None => Instance::ready(&self.template).map_err(|error| error.to_string())?,
        };
        // Only a call that came to its end puts the copy back.
        let said = instance.ask(bounds, question, secrets)?;
        if !self.fresh {
            self.pool.put(instance, bounds);
        }
        Ok(said)
    }

    fn failure(&self, question: &Question<'_>, reason: &str, secrets: &Secrets) -> PluginFailure {
        Usage::add(&self.template.usage.failures, 1);
        PluginFailure {
            plugin: self.name.clone(),
            role: question.role(),
            reason: self.template.log.shown(reason, secrets),
            paused: false,
        }
    }

    /// Asks the matcher about a message that nobody sent, so that this thread is ready for those
    /// that come.
    pub(crate) fn warm(&self, request: &Arc<dyn Message>, secrets: &Arc<Secrets>) {
        let asks = self.declarations.matcher.as_ref().map(|(_, ask)| *ask);
        if asks != Some(true) || !self.is_sound {
            return;
        }
        let Some(mut copy) = self.pool.take() else {
            return;
        };
        let bounds = &self.template.bounds;
        let question = Question::Identify(request);
        let log = &self.template.log;
        if log
            .muted(|| copy.try_out(bounds, &question, secrets))
            .is_ok()
        {
            self.pool.put(copy, bounds);
        }
    }

    /// Asks for the sake of asking: the answer is dropped.
    ///
    /// # Errors
    /// Where there is no answer.
    pub fn try_ask(
        &self,
        question: &Question<'_>,
        secrets: &Arc<Secrets>,
    ) -> Result<(), PluginFailure> {
        self.ask(question, secrets).map(drop)
    }

    /// The roles that it has.
    pub fn roles(&self) -> Vec<Role> {
        self.declarations.roles().collect()
    }

    /// What it was used for until now.
    pub fn used(&self) -> Used {
        self.template.usage.now()
    }

    /// What the component needs.
    pub fn needs(&self) -> &Needs {
        &self.needs
    }

    /// What its self-test found where its answers depend on what was asked before.
    pub fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// True where new copies begin as `prepare` left the first one.
    pub fn is_image(&self) -> bool {
        self.template.is_image
    }

    /// Why it is not asked now, where it failed too often.
    pub fn ailment(&self) -> Option<String> {
        self.health.ailment()
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
            let names: Vec<_> = parts.iter().map(Part::name).collect();
            lines.push(format!("matcher: {}{}", names.join(", "), asked(*ask)));
        }
        if let Some((rules, ask)) = &self.declarations.redactor {
            lines.push(format!("redactor: {} rules{}", rules.len(), asked(*ask)));
            lines.extend(wrapped(rules.iter().map(Declared::id)));
        }
        if let Some((conditions, ask)) = &self.declarations.policy {
            let count = conditions.len();
            lines.push(format!(
                "recording-policy: {count} conditions{}",
                asked(*ask)
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

fn asked(ask: bool) -> &'static str {
    if ask {
        ", and is asked per message"
    } else {
        ""
    }
}
