//! The data of one store: what the guest may use during a call, and what it wrote.

use std::cell::Cell;
use std::sync::Arc;

use bytes::Bytes;
use wasmtime::component::{Resource, ResourceTable};
use wasmtime::{Error, Result};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use super::call_output::CallOutput;
use super::cpu_timer::CpuTimer;
use super::log::PluginLog;
use super::output_lines::OutputLines;
use super::output_tail::OutputTail;
use super::resource_limiter::InstanceLimiter;
use super::wasi_context::{self, DeterministicClock};
use crate::Bounds;
use crate::condition::SkipPredicate;
use ouli_codec::MessageView;
use ouli_codec::json::Pointer;
use ouli_matching::key::KeyPart;
use ouli_redaction::{Edit, RuleDeclaration, Secrets};

/// A message lent to a guest. The handle is the message's index in [`CallContext`].
#[expect(unreachable_pub, reason = "generated code exports it")]
pub struct MessageSlot;

/// A sink lent to a guest. There is at most one of each kind, so the handle carries no meaning.
#[expect(unreachable_pub, reason = "generated code exports it")]
pub struct SinkSlot;

/// A message handle that the guest owns.
type MessageHandle = Resource<MessageSlot>;

/// Which function runs. It decides which methods of a sink are allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    /// None: the instance is idle.
    #[default]
    Idle,
    /// `prepare` of any role.
    Prepare,
    /// `identify`, `redact` or `decide`.
    Call,
}

/// What a guest may use during one call.
#[derive(Default)]
pub(crate) struct CallContext {
    pub(crate) phase: Phase,
    /// The arguments of the call.
    pub(crate) messages: [Option<Arc<dyn MessageView>>; MAX_CALL_MESSAGES],
    /// Parts of a stream that the guest owns until it drops them.
    pub(crate) parts: Vec<Option<Arc<dyn MessageView>>>,
    pub(crate) secrets: Option<Arc<Secrets>>,
    /// The message may hold secrets that are not registered yet: a redactor runs.
    pub(crate) is_unredacted: bool,
}

/// Messages that are arguments of one call. Handles of parts are numbered after them.
pub(crate) const MAX_CALL_MESSAGES: usize = 2;

/// Pointers that an instance keeps parsed. A plugin uses the same few in each call.
const MAX_PARSED_POINTERS: usize = 16;

/// The data of one store.
pub(crate) struct State {
    pub(crate) call: CallContext,
    pub(crate) output: CallOutput,
    pub(crate) settings: Arc<str>,
    pub(crate) log: Arc<PluginLog>,
    pub(crate) limiter: InstanceLimiter,
    pub(crate) timer: CpuTimer,
    /// What the guest wrote to its standard output and error during this call.
    pub(crate) output_tail: OutputTail,
    output_lines: OutputLines,
    pub(crate) table: ResourceTable,
    /// A call has read the clock or taken random bytes.
    pub(super) used_clock_or_random: bool,
    bounds: Bounds,
    /// Calls of the guest into the host since they were last taken.
    host_calls: Cell<u32>,
    pointers: Vec<(String, Pointer)>,
    seed: [u8; 32],
    monotonic: DeterministicClock,
    wasi: WasiCtx,
}

impl State {
    pub(crate) fn new(
        settings: Arc<str>,
        seed: [u8; 32],
        bounds: Bounds,
        log: Arc<PluginLog>,
        monotonic: DeterministicClock,
    ) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(bounds.handles);
        Self {
            call: CallContext::default(),
            output: CallOutput::default(),
            settings,
            log,
            limiter: InstanceLimiter::new(bounds),
            timer: CpuTimer::default(),
            output_tail: OutputTail::default(),
            output_lines: OutputLines::default(),
            table,
            used_clock_or_random: false,
            bounds,
            host_calls: Cell::new(0),
            pointers: Vec::new(),
            seed,
            wasi: wasi_context::new(&seed, &monotonic),
            monotonic,
        }
    }

    /// Starts a call. The wall clock and the random numbers restart, so that the result depends on
    /// the message and not on earlier calls.
    pub(crate) fn begin_call(&mut self, call: CallContext) {
        if std::mem::take(&mut self.used_clock_or_random) {
            self.wasi = wasi_context::new(&self.seed, &self.monotonic);
        }
        self.call = call;
    }

    /// Ends a call and returns what the guest wrote.
    pub(crate) fn end_call(&mut self) -> CallOutput {
        self.call = CallContext::default();
        std::mem::take(&mut self.output)
    }

    /// Takes what the guest wrote to its standard output or error. Output of `redact` is dropped.
    pub(super) fn take_output(&mut self, bytes: &[u8]) {
        if self.call.is_unredacted {
            // The panic message of a redactor may quote a secret that is not registered yet.
            self.output_tail.withhold();
            return;
        }
        self.output_tail.push(bytes);
        let (log, secrets) = (&self.log, self.call.secrets.as_deref());
        self.output_lines
            .push(bytes, |line| log.line("debug", line, secrets));
    }

    /// Logs a last line without its end.
    pub(crate) fn end_output(&mut self) {
        let (log, secrets) = (&self.log, self.call.secrets.as_deref());
        self.output_lines
            .end(|line| log.line("debug", line, secrets));
    }

    /// Counts a call of the guest into the host.
    pub(crate) fn count_host_call(&self) {
        self.host_calls.set(self.host_calls.get().wrapping_add(1));
    }

    /// The calls of the guest into the host since the last time.
    pub(crate) fn take_host_calls(&self) -> u64 {
        u64::from(self.host_calls.take())
    }

    /// The message behind a handle.
    pub(crate) fn message(&self, handle: u32) -> Result<&Arc<dyn MessageView>> {
        self.count_host_call();
        let index = handle as usize;
        let slot = match index.checked_sub(MAX_CALL_MESSAGES) {
            None => self.call.messages.get(index),
            Some(part) => self.call.parts.get(part),
        };
        slot.and_then(Option::as_ref)
            .ok_or_else(|| Error::msg("the plugin has no message with this handle"))
    }

    /// Gives the guest a part of a message. The guest owns it until it drops it.
    pub(crate) fn add_part_handle(&mut self, part: Arc<dyn MessageView>) -> Result<MessageHandle> {
        let parts = &mut self.call.parts;
        let free = parts.iter().position(Option::is_none);
        let index = free.unwrap_or(parts.len());
        if index >= self.bounds.handles {
            return Err(Error::msg(
                "too many parts of a stream at once: drop each part after use \
                 (limits.plugin_handles)",
            ));
        }
        if index == parts.len() {
            parts.push(None);
        }
        parts[index] = Some(part);
        let handle = u32::try_from(index + MAX_CALL_MESSAGES).map_err(Error::new)?;
        Ok(Resource::new_own(handle))
    }

    /// Frees the handle of a part. Handles of arguments are borrowed and stay.
    pub(crate) fn drop_part_handle(&mut self, handle: u32) {
        let part = (handle as usize).checked_sub(MAX_CALL_MESSAGES);
        if let Some(slot) = part.and_then(|part| self.call.parts.get_mut(part)) {
            *slot = None;
        }
    }

    /// The index of a parsed pointer; an instance parses each pointer once.
    pub(crate) fn pointer(&mut self, text: &str) -> Result<usize> {
        let known = self.pointers.iter().position(|(known, _)| known == text);
        if let Some(index) = known {
            return Ok(index);
        }
        let pointer = parse_pointer(text)?;
        if self.pointers.len() >= MAX_PARSED_POINTERS {
            self.pointers.clear();
        }
        self.pointers.push((text.to_owned(), pointer));
        Ok(self.pointers.len() - 1)
    }

    /// The JSON text at a pointer that [`Self::pointer`] returned the index of.
    pub(crate) fn json_text(&self, handle: u32, pointer: usize) -> Result<Option<String>> {
        let document = self.message(handle)?.json();
        let (_, pointer) = &self.pointers[pointer];
        Ok(document.and_then(|document| {
            let first = document.find(pointer).next();
            first.map(|node| node.text().to_owned())
        }))
    }

    /// Counts text that the guest passed in.
    pub(crate) fn count_text(&mut self, texts: &[&str]) -> Result<()> {
        let bytes = texts.iter().map(|text| text.len()).sum();
        self.output.count_text(bytes, &self.bounds)
    }

    /// Counts a list of texts that the guest passed in.
    pub(crate) fn count_texts(&mut self, texts: &[String]) -> Result<()> {
        let bytes = texts.iter().map(String::len).sum();
        self.output.count_text(bytes, &self.bounds)
    }

    /// Rejects a method that belongs to the other phase.
    pub(crate) fn require_phase(&self, phase: Phase, method: &str) -> Result<()> {
        if self.call.phase == phase {
            return Ok(());
        }
        Err(Error::msg(format!("`{method}` cannot be called here")))
    }

    /// Adds a part to the key.
    pub(crate) fn add_part(&mut self, part: KeyPart) -> Result<()> {
        self.count_host_call();
        self.output.add_part(part, &self.bounds)
    }

    /// Adds an edit that inserts `new_bytes` bytes.
    pub(crate) fn add_edit(&mut self, edit: Edit, new_bytes: usize) -> Result<()> {
        self.count_host_call();
        self.require_phase(Phase::Call, "edit")?;
        self.output.add_edit(edit, new_bytes, &self.bounds)
    }

    /// Adds a declared redaction rule.
    pub(crate) fn add_rule(&mut self, rule: RuleDeclaration) -> Result<()> {
        self.count_host_call();
        self.require_phase(Phase::Prepare, "rules")?;
        self.output.add_rule(rule, &self.bounds)
    }

    /// Adds a declared condition.
    pub(crate) fn add_condition(&mut self, predicate: SkipPredicate, reason: String) -> Result<()> {
        self.count_host_call();
        self.count_text(&[predicate.text(), &reason])?;
        self.require_phase(Phase::Prepare, "conditions")?;
        self.output.add_condition(predicate, reason, &self.bounds)
    }

    /// Sets the reason not to record the exchange. The first reason counts.
    pub(crate) fn set_skip(&mut self, reason: String) -> Result<()> {
        self.count_host_call();
        self.require_phase(Phase::Call, "skip")?;
        self.count_text(&[&reason])?;
        self.output.skip.get_or_insert(reason);
        Ok(())
    }

    /// Sets a tag of the exchange.
    pub(crate) fn set_tag(&mut self, name: String, value: String) -> Result<()> {
        self.count_host_call();
        self.require_phase(Phase::Call, "tag")?;
        self.count_text(&[&name, &value])?;
        self.output.set_tag(name, value, &self.bounds)
    }

    /// `ask` of any role: the host calls the role for each message.
    pub(crate) fn set_ask(&mut self) -> Result<()> {
        self.count_host_call();
        self.require_phase(Phase::Prepare, "ask")?;
        self.output.ask = true;
        Ok(())
    }
}

/// The slice of a body that a guest asked for.
pub(crate) fn slice(body: &Bytes, offset: u64, max: u32) -> Bytes {
    let start = usize::try_from(offset)
        .unwrap_or(usize::MAX)
        .min(body.len());
    let end = start.saturating_add(max as usize).min(body.len());
    body.slice(start..end)
}

/// A pointer as a guest wrote it.
pub(crate) fn parse_pointer(text: &str) -> Result<Pointer> {
    Pointer::parse(text).map_err(|error| Error::msg(format!("`{text}`: {error}")))
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ouli_config::Limits;
    use std::time::Duration;

    #[test]
    fn handles_are_bounded_by_plugin_handles() {
        let limits = Limits {
            plugin_handles: 8,
            ..Limits::default()
        };
        let log = Arc::new(PluginLog::new("a plugin".to_owned(), 1, 100));
        let clock = DeterministicClock::starting_at(Duration::ZERO);
        let mut state = State::new("{}".into(), [0; 32], Bounds::from(&limits), log, clock);
        let pushed = (0..100).take_while(|number| state.table.push(*number).is_ok());
        assert_eq!(pushed.count(), 8);
    }
}
