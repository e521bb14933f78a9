//! What one plugin instance can see and say during a call: the messages it borrows and the sinks it
//! answers through.

use std::cell::Cell;
use std::sync::Arc;

use bytes::Bytes;
use wasmtime::component::{Resource, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use super::wasi;
use crate::Bounds;
use crate::run::cpu_clock::Clock;
use crate::run::guest_log::Log;
use crate::run::memory_limiter::Limiter;
use ouli_codec::Message;
use ouli_codec::json::Pointer;
use ouli_matching::key::Part;
use ouli_redaction::{Declared, Edit, Secrets};

/// A message lent to a guest: its handle is its place in [`Loan`].
#[expect(unreachable_pub, reason = "generated code exports it")]
pub struct MessageSlot;

/// A sink lent to a guest. There is one of each kind at most, so the handle carries no meaning.
#[expect(unreachable_pub, reason = "generated code exports it")]
pub struct SinkSlot;

/// A message in the hands of a guest.
type Lent = Resource<MessageSlot>;

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
    pub when: When,
    /// Why, in the words of the plugin.
    pub reason: String,
}

/// What a [`Condition`] looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// The path fits this pattern.
    Path(String),
    /// The method is this one.
    Method(String),
    /// The status is in this range, both ends included.
    Status(u32, u32),
}

impl When {
    fn text(&self) -> &str {
        match self {
            Self::Path(text) | Self::Method(text) => text,
            Self::Status(..) => "",
        }
    }
}

impl std::fmt::Display for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.when {
            When::Path(pattern) => write!(f, "skip {pattern}"),
            When::Method(method) => write!(f, "skip {method}"),
            When::Status(lowest, highest) => write!(f, "skip {lowest}-{highest}"),
        }
    }
}

/// What a guest said in one call.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) ask: bool,
    pub(crate) abstain: bool,
    pub(crate) parts: Vec<Part>,
    pub(crate) part_bytes: usize,
    pub(crate) rules: Vec<Declared>,
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
pub(crate) struct Loan {
    pub(crate) phase: Phase,
    /// What the call is about.
    pub(crate) messages: [Option<Arc<dyn Message>>; LENT],
    /// The parts that the guest has asked for and not dropped yet.
    pub(crate) parts: Vec<Option<Arc<dyn Message>>>,
    pub(crate) secrets: Option<Arc<Secrets>>,
    /// The message may hold secrets that nobody has named yet: a redactor is at work.
    pub(crate) raw: bool,
}

/// Messages that one call is about, at most. Handles of parts come after theirs.
const LENT: usize = 2;

/// Pointers that a copy keeps parsed. Plugins ask for the same few each time.
const POINTERS: usize = 16;

/// The data of one store.
pub(crate) struct State {
    pub(crate) loan: Loan,
    pub(crate) answer: Answer,
    pub(crate) settings: Arc<str>,
    pub(crate) bounds: Bounds,
    pub(crate) log: Arc<Log>,
    pub(crate) limiter: Limiter,
    pub(crate) clock: Clock,
    pub(crate) table: ResourceTable,
    /// Calls of the guest into the host since the last look.
    crossings: Cell<u32>,
    pointers: Vec<(String, Pointer)>,
    seed: [u8; 32],
    monotonic: wasi::Clock,
    wasi: WasiCtx,
    /// A call has looked at the clock or taken random bytes.
    pub(crate) is_touched: bool,
}

impl State {
    pub(crate) fn new(
        settings: Arc<str>,
        seed: [u8; 32],
        bounds: Bounds,
        log: Arc<Log>,
        monotonic: wasi::Clock,
    ) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(bounds.handles);
        Self {
            loan: Loan::default(),
            answer: Answer::default(),
            settings,
            bounds,
            log,
            limiter: Limiter::new(bounds),
            clock: Clock::default(),
            table,
            crossings: Cell::new(0),
            pointers: Vec::new(),
            seed,
            wasi: wasi::context(&seed, &monotonic),
            monotonic,
            is_touched: false,
        }
    }

    /// Makes ready for a call: the wall clock and chance begin anew, so that an answer depends on
    /// the message and not on the calls before it.
    pub(crate) fn lend_all(&mut self, loan: Loan) {
        if std::mem::take(&mut self.is_touched) {
            self.wasi = wasi::context(&self.seed, &self.monotonic);
        }
        self.loan = loan;
    }

    /// Counts a call of the guest.
    pub(crate) fn cross(&self) {
        self.crossings.set(self.crossings.get().wrapping_add(1));
    }

    /// The calls of the guest since the last look.
    pub(crate) fn take_crossings(&self) -> u64 {
        u64::from(self.crossings.take())
    }

    /// The message behind a handle.
    pub(crate) fn message(&self, handle: u32) -> wasmtime::Result<&Arc<dyn Message>> {
        self.cross();
        let place = handle as usize;
        let slot = match place.checked_sub(LENT) {
            None => self.loan.messages.get(place),
            Some(part) => self.loan.parts.get(part),
        };
        slot.and_then(Option::as_ref)
            .ok_or_else(|| wasmtime::Error::msg("this message is not lent to the plugin"))
    }

    /// Gives the guest a part of a message, which is its own until it drops it.
    pub(crate) fn lend(&mut self, part: Arc<dyn Message>) -> wasmtime::Result<Lent> {
        let parts = &mut self.loan.parts;
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
        let handle = u32::try_from(place + LENT).map_err(wasmtime::Error::new)?;
        Ok(Resource::new_own(handle))
    }

    /// Takes a part back.
    pub(crate) fn forget(&mut self, handle: u32) {
        let part = (handle as usize).checked_sub(LENT);
        if let Some(slot) = part.and_then(|part| self.loan.parts.get_mut(part)) {
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
    pub(crate) fn text(&mut self, texts: &[&str]) -> wasmtime::Result<()> {
        self.count_text(texts.iter().map(|text| text.len()).sum())
    }

    /// The same for a list.
    pub(crate) fn texts(&mut self, texts: &[String]) -> wasmtime::Result<()> {
        self.count_text(texts.iter().map(String::len).sum())
    }

    fn count_text(&mut self, size: usize) -> wasmtime::Result<()> {
        self.answer.text_bytes += size;
        if self.answer.text_bytes > self.bounds.text {
            return Err(over("bytes of text in one call", "text"));
        }
        Ok(())
    }

    /// Refuses a method that belongs to the other phase.
    pub(crate) fn only_in(&self, phase: Phase, what: &str) -> wasmtime::Result<()> {
        if self.loan.phase == phase {
            return Ok(());
        }
        Err(wasmtime::Error::msg(format!(
            "`{what}` cannot be called here"
        )))
    }

    /// Adds a part to the key, within the limits.
    pub(crate) fn add_part(&mut self, part: Part) -> wasmtime::Result<()> {
        self.cross();
        let size = match &part {
            Part::Own { name, value } => name.len() + value.len(),
            Part::Endpoint
            | Part::Method
            | Part::Authority
            | Part::Path
            | Part::Query { .. }
            | Part::Header(_)
            | Part::Headers { .. }
            | Part::Body { .. } => 0,
        };
        self.answer.part_bytes += size;
        if self.answer.parts.len() >= self.bounds.key_parts {
            return Err(over("parts in a key", "key_parts"));
        }
        if self.answer.part_bytes > self.bounds.key_bytes {
            return Err(over("bytes in a key", "key_bytes"));
        }
        self.answer.parts.push(part);
        Ok(())
    }

    /// Adds an edit of `size` new bytes, within the limits.
    pub(crate) fn add_edit(&mut self, edit: Edit, size: usize) -> wasmtime::Result<()> {
        self.cross();
        self.only_in(Phase::Ask, "edit")?;
        self.answer.edit_bytes += size;
        if self.answer.edits.len() >= self.bounds.edits {
            return Err(over("edits of one message", "edits"));
        }
        if self.answer.edit_bytes > self.bounds.edit_bytes {
            return Err(over("bytes of edits of one message", "edit_bytes"));
        }
        self.answer.edits.push(edit);
        Ok(())
    }

    /// Adds a declared rule, within the limits.
    pub(crate) fn add_rule(&mut self, rule: Declared) -> wasmtime::Result<()> {
        self.cross();
        self.only_in(Phase::Prepare, "rules")?;
        if self.answer.rules.len() >= self.bounds.rules {
            return Err(over("rules of one redactor", "rules"));
        }
        self.answer.rules.push(rule);
        Ok(())
    }

    /// Adds a declared condition, within the limits.
    pub(crate) fn add_condition(&mut self, when: When, reason: String) -> wasmtime::Result<()> {
        self.cross();
        self.text(&[when.text(), &reason])?;
        self.only_in(Phase::Prepare, "conditions")?;
        if self.answer.conditions.len() >= self.bounds.rules {
            return Err(over("conditions of one policy", "rules"));
        }
        self.answer.conditions.push(Condition { when, reason });
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

fn over(what: &str, limit: &str) -> wasmtime::Error {
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
        let clock = wasi::Clock::at(std::time::Duration::ZERO);
        let mut state = State::new("{}".into(), [0; 32], Bounds::from(&limits), log, clock);
        let pushed = (0..100).take_while(|number| state.table.push(*number).is_ok());
        assert_eq!(pushed.count(), 8);
    }
}
