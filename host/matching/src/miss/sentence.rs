//! The texts of a report that stand on one line: for logs, for clients, and for close reasons.

use super::report::{Cause, Miss, Nearest};
use super::resolution::Resolution;
use super::truncate::shorten;

impl Miss {
    /// The first sentence of the report, without a full stop.
    pub fn summary(&self) -> String {
        let (line, session) = (shorten(&self.request_line), &self.session);
        match self.cause {
            Cause::NoCassette => {
                format!("{line} is not recorded: session {session} has no cassette")
            }
            Cause::Empty => format!("{line} is not recorded: session {session} is empty"),
            Cause::NoMatch => {
                let missed = format!("{line} is not recorded in session {session}");
                match self.nearest.first() {
                    Some(nearest) => format!("{missed}: {}", nearest.comparison()),
                    None => missed,
                }
            }
            Cause::Exhausted { recorded: 1 } => {
                format!("{line} is recorded once in session {session}, and it was replayed")
            }
            Cause::Exhausted { recorded } => format!(
                "{line} is recorded {recorded} times in session {session}, and all were replayed"
            ),
        }
    }

    /// The first sentence, the remedy and the command, on one line.
    pub fn detail(&self) -> String {
        let mut sentences = vec![self.summary()];
        if let Some(remedy) = &self.remedy {
            let exchange = remedy.exchange;
            sentences.push(format!(
                "To match exchange {exchange}, add {}",
                remedy.flags
            ));
        }
        if let Some(command) = &self.command {
            sentences.push(format!("To record it, run: {command}"));
        }
        if matches!(self.cause, Cause::Exhausted { .. }) {
            sentences.push(REPEAT.to_owned());
        }
        sentences.join(". ")
    }
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
        let location = match &first.at {
            Some(at) => format!("{} {}", first.part, shorten(at)),
            None => first.part.clone(),
        };
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
