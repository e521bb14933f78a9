//! What one plugin instance can see and say during a call: the messages it borrows and the sinks it
//! answers through.

use std::cell::Cell;
use std::sync::Arc;

use bytes::Bytes;
use wasmtime::component::{Resource, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use super::wasi;
use crate::Bounds;
use crate::run::cpu_clock::CpuTimer;
use crate::run::guest_log::Log;
use crate::run::memory_limiter::Limiter;
use ouli_codec::MessageView;
use ouli_codec::json::Pointer;
use ouli_matching::key::KeyPart;
use ouli_redaction::{Edit, RuleDeclaration, Secrets};

/// A message lent to a guest: its handle is its place in [`CallContext`].
#[expect(unreachable_pub, reason = "generated code exports it")]
pub struct MessageSlot;

/// A sink lent to a guest. There is one of each kind at most, so the handle carries no meaning.
#[expect(unreachable_pub, reason = "generated code exports it")]
pub struct SinkSlot;

/// A message in the hands of a guest.
type MessageHandle = Resource<MessageSlot>;

/// Who is called: it decides which methods of a sink are allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nobody: the instance is idle.
    #[default]
    Idle,
    /// `prepare` of any role.
    Prepare,
    /// `identify`, `redact` or `decide`.
    Ask,
}

/// A condition under which an exchange is not recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// What is looked at.
    pub predicate: SkipPredicate,
    /// Why, in the words of the plugin.
    pub reason: String,
}

/// What a [`Condition`] looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SkipPredicate {
    /// The path fits this pattern.
    Path(String),
    /// The method is this one.
    Method(String),
    /// The status is in this range, both ends included.
    Status(u32, u32),
}

impl SkipPredicate {
    fn text(&self) -> &str {
        match self {
            Self::Path(text) | Self::Method(text) => text,
            Self::Status(..) => "",
        }
    }
}

impl std::fmt::Display for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.predicate {
            SkipPredicate::Path(pattern) => write!(f, "skip {pattern}"),
            SkipPredicate::Method(method) => write!(f, "skip {method}"),
            SkipPredicate::Status(lowest, highest) => write!(f, "skip {lowest}-{highest}"),
        }
    }
}

/// What a guest said in one call.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) ask: bool,
    pub(crate) abstain: bool,
    pub(crate) parts: Vec<KeyPart>,
    pub(crate) part_bytes: usize,
    pub(crate) rules: Vec<RuleDeclaration>,
    pub(crate) edits: Vec<Edit>,
    pub(crate) edit_bytes: usize,
    pub(crate) hold: usize,
    pub(crate) conditions: Vec<Condition>,
    pub(crate) skip: Option<String>,
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) text_bytes: usize,
}

/// What a guest may use during one call.
#[derive(Default)]
pub(crate) struct CallContext {
    pub(crate) phase: Phase,
    /// What the call is about.
    pub(crate) messages: [Option<Arc<dyn MessageView>>; MAX_CALL_MESSAGES],
    /// The parts that the guest has asked for and not dropped yet.
    pub(crate) parts: Vec<Option<Arc<dyn MessageView>>>,
    pub(crate) secrets: Option<Arc<Secrets>>,
    /// The message may hold secrets that nobody has named yet: a redactor is at work.
    pub(crate) is_unredacted: bool,
}

/// Messages that one call is about, at most. Handles of parts come after theirs.
const MAX_CALL_MESSAGES: usize = 2;

/// Pointers that a copy keeps parsed. Plugins ask for the same few each time.
const POINTERS: usize = 16;

/// The data of one store.
pub(crate) struct State {
    pub(crate) call: CallContext,
    pub(crate) answer: Answer,
    pub(crate) settings: Arc<str>,
    pub(crate) bounds: Bounds,
    pub(crate) log: Arc<Log>,
    pub(crate) limiter: Limiter,
    pub(crate) clock: CpuTimer,
    pub(crate) table: ResourceTable,
    /// Calls of the guest into the host since the last look.
    host_calls: Cell<u32>,
    pointers: Vec<(String, Pointer)>,
    seed: [u8; 32],
    monotonic: wasi::DeterministicClock,
    wasi: WasiCtx,
    /// A call has looked at the clock or taken random bytes.
    pub(crate) used_clock_or_random: bool,
}

impl State {
    pub(crate) fn new(
        settings: Arc<str>,
        seed: [u8; 32],
        bounds: Bounds,
        log: Arc<Log>,
        monotonic: wasi::DeterministicClock,
    ) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(bounds.handles);
        Self {
            call: CallContext::default(),
            answer: Answer::default(),
            settings,
            bounds,
            log,
            limiter: Limiter::new(bounds),
            clock: CpuTimer::default(),
            table,
            host_calls: Cell::new(0),
            pointers: Vec::new(),
            seed,
            wasi: wasi::context(&seed, &monotonic),
            monotonic,
            used_clock_or_random: false,
        }
    }

    /// Makes ready for a call: the wall clock and chance begin anew, so that an answer depends on
    /// the message and not on the calls before it.
    pub(crate) fn begin_call(&mut self, loan: CallContext) {
        if std::mem::take(&mut self.used_clock_or_random) {
            self.wasi = wasi::context(&self.seed, &self.monotonic);
        }
        self.call = loan;
    }

    /// Counts a call of the guest.
    pub(crate) fn count_host_call(&self) {
        self.host_calls.set(self.host_calls.get().wrapping_add(1));
    }

    /// The calls of the guest since the last look.
    pub(crate) fn take_host_calls(&self) -> u64 {
        u64::from(self.host_calls.take())
    }

    /// The message behind a handle.
    pub(crate) fn message(&self, handle: u32) -> wasmtime::Result<&Arc<dyn MessageView>> {
        self.count_host_call();
        let place = handle as usize;
        let slot = match place.checked_sub(MAX_CALL_MESSAGES) {
            None => self.call.messages.get(place),
            Some(part) => self.call.parts.get(part),
        };
        slot.and_then(Option::as_ref)
            .ok_or_else(|| wasmtime::Error::msg("this message is not lent to the plugin"))
    }

    /// Gives the guest a part of a message, which is its own until it drops it.
    pub(crate) fn add_part_handle(
        &mut self,
        part: Arc<dyn MessageView>,
    ) -> wasmtime::Result<MessageHandle> {
        let parts = &mut self.call.parts;
        let free = parts.iter().position(Option::is_none);
        let place = free.unwrap_or(parts.len());
        if place >= self.bounds.handles {
            return Err(wasmtime::Error::msg(
                "too many parts of a stream at once: drop each when it was looked at \
                 (limits.plugin_handles)",
            ));
        }
        if place == parts.len() {
            parts.push(None);
        }
        parts[place] = Some(part);
        let handle = u32::try_from(place + MAX_CALL_MESSAGES).map_err(wasmtime::Error::new)?;
        Ok(Resource::new_own(handle))
    }

    /// Takes a part back.
    pub(crate) fn drop_part_handle(&mut self, handle: u32) {
        let part = (handle as usize).checked_sub(MAX_CALL_MESSAGES);
        if let Some(slot) = part.and_then(|part| self.call.parts.get_mut(part)) {
            *slot = None;
        }
    }

    /// A pointer, parsed once for each copy.
    pub(crate) fn pointer(&mut self, text: &str) -> wasmtime::Result<usize> {
        let known = self.pointers.iter().position(|(own, _)| own == text);
        if let Some(place) = known {
            return Ok(place);
        }
        let pointer = parse_pointer(text)?;
        if self.pointers.len() >= POINTERS {
            self.pointers.clear();
        }
        self.pointers.push((text.to_owned(), pointer));
        Ok(self.pointers.len() - 1)
    }

    /// The JSON text at a pointer that [`Self::pointer`] gave the place of.
    pub(crate) fn json_text(
        &self,
        handle: u32,
        pointer: usize,
    ) -> wasmtime::Result<Option<String>> {
        let document = self.message(handle)?.json();
        let (_, pointer) = &self.pointers[pointer];
        Ok(document.and_then(|document| {
            let found = document.find(pointer);
            found.first().map(|node| document.slice(node).to_owned())
        }))
    }

    /// Takes account of text that the guest gives.
    pub(crate) fn account_text(&mut self, texts: &[&str]) -> wasmtime::Result<()> {
        self.count_text(texts.iter().map(|text| text.len()).sum())
    }

    /// The same for a list.
    pub(crate) fn account_texts(&mut self, texts: &[String]) -> wasmtime::Result<()> {
        self.count_text(texts.iter().map(String::len).sum())
    }

    fn count_text(&mut self, size: usize) -> wasmtime::Result<()> {
        self.answer.text_bytes += size;
        if self.answer.text_bytes > self.bounds.text {
            return Err(limit_exceeded("bytes of text in one call", "text_bytes"));
        }
        Ok(())
    }

    /// Refuses a method that belongs to the other phase.
    pub(crate) fn require_phase(&self, phase: Phase, what: &str) -> wasmtime::Result<()> {
        if self.call.phase == phase {
            return Ok(());
        }
        Err(wasmtime::Error::msg(format!(
            "`{what}` cannot be called here"
        )))
    }

    /// Adds a part to the key, within the limits.
    pub(crate) fn add_part(&mut self, part: KeyPart) -> wasmtime::Result<()> {
        self.count_host_call();
        let size = match &part {
            KeyPart::Custom { name, value } => name.len() + value.len(),
            KeyPart::Endpoint
            | KeyPart::Method
            | KeyPart::Authority
            | KeyPart::Path
            | KeyPart::Query { .. }
            | KeyPart::Header(_)
            | KeyPart::Headers { .. }
            | KeyPart::Body { .. } => 0,
        };
        self.answer.part_bytes += size;
        if self.answer.parts.len() >= self.bounds.key_parts {
            return Err(limit_exceeded("parts in a key", "key_parts"));
        }
        if self.answer.part_bytes > self.bounds.key_bytes {
            return Err(limit_exceeded("bytes in a key", "key_bytes"));
        }
        self.answer.parts.push(part);
        Ok(())
    }

    /// Adds an edit of `size` new bytes, within the limits.
    pub(crate) fn add_edit(&mut self, edit: Edit, size: usize) -> wasmtime::Result<()> {
        self.count_host_call();
        self.require_phase(Phase::Ask, "edit")?;
        self.answer.edit_bytes += size;
        if self.answer.edits.len() >= self.bounds.edits {
            return Err(limit_exceeded("edits of one message", "edits"));
        }
        if self.answer.edit_bytes > self.bounds.edit_bytes {
            return Err(limit_exceeded(
                "bytes of edits of one message",
                "edit_bytes",
            ));
        }
        self.answer.edits.push(edit);
        Ok(())
    }

    /// Adds a declared rule, within the limits.
    pub(crate) fn add_rule(&mut self, rule: RuleDeclaration) -> wasmtime::Result<()> {
        self.count_host_call();
        self.require_phase(Phase::Prepare, "rules")?;
        if self.answer.rules.len() >= self.bounds.rules {
            return Err(limit_exceeded("rules of one redactor", "rules"));
        }
        self.answer.rules.push(rule);
        Ok(())
    }

    /// Adds a declared condition, within the limits.
    pub(crate) fn add_condition(
        &mut self,
        when: SkipPredicate,
        reason: String,
    ) -> wasmtime::Result<()> {
        self.count_host_call();
        self.account_text(&[when.text(), &reason])?;
        self.require_phase(Phase::Prepare, "conditions")?;
        if self.answer.conditions.len() >= self.bounds.rules {
            return Err(limit_exceeded("conditions of one policy", "rules"));
        }
        self.answer.conditions.push(Condition {
            predicate: when,
            reason,
        });
        Ok(())
    }
}

/// The slice of a body that a guest asked for.
pub(crate) fn slice(body: &Bytes, offset: u64, most: u32) -> Bytes {
    let from = usize::try_from(offset)
        .unwrap_or(usize::MAX)
        .min(body.len());
    let to = from.saturating_add(most as usize).min(body.len());
    body.slice(from..to)
}

/// A pointer as a guest wrote it.
pub(crate) fn parse_pointer(text: &str) -> wasmtime::Result<Pointer> {
    Pointer::parse(text).map_err(|error| wasmtime::Error::msg(format!("`{text}`: {error}")))
}

fn limit_exceeded(what: &str, limit: &str) -> wasmtime::Error {
    wasmtime::Error::msg(format!("too many {what} (limits.plugin_{limit})"))
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

    #[test]
    fn handles_are_bounded_by_plugin_handles() {
        let limits = Limits {
            plugin_handles: 8,
            ..Limits::default()
        };
        let log = Arc::new(Log::new("a plugin".to_owned(), 1, 100));
        let clock = wasi::DeterministicClock::starting_at(std::time::Duration::ZERO);
        let mut state = State::new("{}".into(), [0; 32], Bounds::from(&limits), log, clock);
        let pushed = (0..100).take_while(|number| state.table.push(*number).is_ok());
        assert_eq!(pushed.count(), 8);
    }
}
