//! The texts of a report that stand on one line: for logs, for clients, and for close reasons.

use super::cause::Cause;
use super::report::{Miss, Nearest};
use super::resolution::Resolution;
use super::truncate::shorten;

impl Miss {
    /// The first sentence of the report, without a full stop.
    pub fn summary(&self) -> String {
        let (line, session) = (shorten(&self.request_line), &self.session);
        match &self.cause {
            Cause::NoCassette => {
                format!("{line} is not recorded: session {session} has no cassette")
            }
            Cause::Empty => format!("{line} is not recorded: session {session} is empty"),
            Cause::NoMatch => {
                if let Some(damage) = self.unavailable.damage() {
                    return format!(
                        "{line} matches no exchange of session {session} that can be read: {damage}"
                    );
                }
                let missed = format!("{line} is not recorded in session {session}");
                match self.nearest.first() {
                    Some(nearest) => format!("{missed}: {}", nearest.comparison()),
                    None => missed,
                }
            }
            Cause::OtherIdentity(conflict) => {
                let (clause, kind) = (conflict.clause(), conflict.kind());
                format!("{line} is recorded in session {session} with other {kind}: {clause}")
            }
            Cause::ReplayedSecret(secret) => {
                let clause = secret.clause();
                format!("{line} is not recorded in session {session} and not sent: {clause}")
            }
            Cause::Edited { exchange } => format!(
                "{line} matches exchange {exchange} of session {session}, but it was edited and is \
                 not replayed (strict)"
            ),
            Cause::Exhausted { recorded: 1 } => {
                format!("{line} is recorded once in session {session}, and it was replayed")
            }
            Cause::Exhausted { recorded } => format!(
                "{line} is recorded {recorded} times in session {session}, and all were replayed"
            ),
        }
    }

    /// True if the exchange that matches was edited.
    pub(super) fn is_edited(&self) -> bool {
        matches!(self.cause, Cause::Edited { .. })
    }

    /// The first difference from the nearest recorded request, for the reason of a WebSocket close
    /// frame, which has 123 bytes (RFC 6455, section 5.5.1).
    pub fn close_reason(&self) -> String {
        let line = &self.request_line;
        let mut differences = self.nearest.iter().flat_map(|nearest| &nearest.differences);
        if let Cause::OtherIdentity(conflict) = &self.cause {
            let kind = if conflict.is_minted {
                "value"
            } else {
                "secret"
            };
            return format!("{line} has another {kind} in {}", conflict.part);
        }
        match differences.next() {
            Some(first) => format!("{line} differs in {}", first.location()),
            None => format!("{line} is not recorded"),
        }
    }

    /// The first sentence, the remedy and the command, on one line.
    pub fn detail(&self) -> String {
        let mut sentences = vec![self.summary()];
        if let Some(remedy) = &self.remedy {
            let (exchange, effects) = (remedy.exchange, remedy.side_effects());
            let flags = &remedy.flags;
            sentences.push(format!(
                "To match exchange {exchange}, add {flags}{effects}"
            ));
        }
        if let Some(edits) = self.unavailable.edits().filter(|_| !self.is_edited()) {
            sentences.push(capitalized(&edits));
        }
        sentences.extend(self.unavailable.limited().as_deref().map(capitalized));
        if let Some(advice) = &self.command {
            let introduction = capitalized(advice.introduction());
            sentences.push(format!("{introduction}: {}", advice.command));
        }
        if matches!(self.cause, Cause::Exhausted { .. }) {
            sentences.push(REPEAT.to_owned());
        }
        sentences.join(". ")
    }
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// What else can be done about a request that was replayed as often as it is recorded.
pub(super) const REPEAT: &str = "on_exhausted = \"repeat\" repeats the last response";

impl Nearest {
    /// How the live request differs from this one.
    fn comparison(&self) -> String {
        let ordinal = self.ordinal;
        let Some(first) = self.differences.first() else {
            return format!("exchange {ordinal} differs only where a secret is");
        };
        let location = shorten(&first.location());
        let others = self.differences.len() + self.omitted_differences - 1;
        let others = match others {
            0 => String::new(),
            1 => " and 1 more place".to_owned(),
            others => format!(" and {others} more places"),
        };
        match &first.resolution {
            Resolution::PathForm(form) if others.is_empty() => {
                format!("{location} differs only in {form} from exchange {ordinal}")
            }
            _ if others.is_empty() => format!("{location} differs from exchange {ordinal}"),
            _ => format!("{location}{others} differ from exchange {ordinal}"),
        }
    }
}
