//! At what pace streams are replayed.

use std::time::Duration;

use crate::config_error::Problem;
use crate::table_reader::{expected, nearest};
use crate::value_tree::{Node, Value};

/// At what pace recorded streams are replayed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Timing {
    /// Without a pause.
    #[default]
    Instant,
    /// With the pauses that were recorded, each so many times as long.
    Factor(f64),
}

/// The slowest pace: a pause of a second becomes one of 1000 seconds.
const SLOWEST: f64 = 1000.0;

impl Timing {
    /// How long after the start something is due that was recorded after so many microseconds.
    pub fn due(self, at: u64) -> Duration {
        match self {
            Self::Instant => Duration::ZERO,
            Self::Factor(factor) => Duration::from_micros(at).mul_f64(factor),
        }
    }
}

/// `instant`, `recorded`, or a number.
pub(super) fn timing(node: &Node) -> Result<Timing, Problem> {
    const HINT: &str = "write \"instant\", \"recorded\", or a factor such as 0.5";
    let factor = match &node.value {
        Value::Text(word) => match word.as_str() {
            "instant" => return Ok(Timing::Instant),
            "recorded" => return Ok(Timing::Factor(1.0)),
            other => other.parse().map_err(|_| {
                let hint = nearest(other, &["instant", "recorded"]);
                let hint = hint.map_or(HINT.to_owned(), |word| format!("did you mean `{word}`?"));
                Problem::new(format!("`{other}` is not known here")).hint(hint)
            })?,
        },
        #[expect(
            clippy::cast_precision_loss,
            reason = "a factor this large is refused below"
        )]
        Value::Integer(number) => *number as f64,
        Value::Float(number) => *number,
        Value::Flag(_) | Value::Date(_) | Value::List(_) | Value::Table(_) => {
            return Err(expected("a word or a number", node).hint(HINT));
        }
    };
    if (0.0..=SLOWEST).contains(&factor) {
        return Ok(Timing::Factor(factor));
    }
    Err(Problem::new(format!("{factor} is out of range"))
        .hint(format!("write a factor from 0 to {SLOWEST}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_a_word_or_a_factor() {
        let text = |text: &str| Value::Text(text.to_owned());
        let cases = [
            (text("instant"), Some(Timing::Instant)),
            (text("recorded"), Some(Timing::Factor(1.0))),
            (text("0.5"), Some(Timing::Factor(0.5))),
            (Value::Float(2.5), Some(Timing::Factor(2.5))),
            (Value::Integer(3), Some(Timing::Factor(3.0))),
            (Value::Integer(-1), None),
            (Value::Float(f64::NAN), None),
            (text("record"), None),
            (Value::Flag(true), None),
        ];
        for (value, expected) in cases {
            let node = Node::unplaced(value);
            assert_eq!(timing(&node).ok(), expected, "{node:?}");
        }
    }

    #[test]
    fn a_factor_stretches_what_was_recorded() {
        assert_eq!(Timing::Instant.due(1_000_000), Duration::ZERO);
        assert_eq!(
            Timing::Factor(0.5).due(1_000_000),
            Duration::from_millis(500)
        );
    }
}
