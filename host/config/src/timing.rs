//! At what pace streams are replayed.

use std::time::Duration;

use crate::config_error::ValueError;
use crate::table_reader::{closest_match, expected};
use crate::value_tree::{Node, Value};

/// At what pace recorded streams are replayed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Timing {
    /// Without a pause.
    #[default]
    Instant,
    /// With the pauses that were recorded, each so many times as long.
    Scaled(f64),
}

/// The slowest pace: a pause of a second becomes one of 1000 seconds.
const MAX_FACTOR: f64 = 1000.0;

impl Timing {
    /// How long after the start something is due that was recorded after so many microseconds.
    pub fn delay(self, at: u64) -> Duration {
        match self {
            Self::Instant => Duration::ZERO,
            Self::Scaled(factor) => Duration::from_micros(at).mul_f64(factor),
        }
    }
}

/// `instant`, `recorded`, or a number.
pub(super) fn timing(node: &Node) -> Result<Timing, ValueError> {
    const HINT: &str = "write \"instant\", \"recorded\", or a factor such as 0.5";
    let factor = match &node.value {
        Value::String(word) => match word.as_str() {
            "instant" => return Ok(Timing::Instant),
            "recorded" => return Ok(Timing::Scaled(1.0)),
            other => other.parse().map_err(|_| {
                let hint = closest_match(other, &["instant", "recorded"]);
                let hint = hint.map_or(HINT.to_owned(), |word| format!("did you mean `{word}`?"));
                ValueError::new(format!("`{other}` is not known here")).with_hint(hint)
            })?,
        },
        #[expect(
            clippy::cast_precision_loss,
            reason = "a factor this large is refused below"
        )]
        Value::Integer(number) => *number as f64,
        Value::Float(number) => *number,
        Value::Boolean(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_) => {
            return Err(expected("a word or a number", node).with_hint(HINT));
        }
    };
    if (0.0..=MAX_FACTOR).contains(&factor) {
        return Ok(Timing::Scaled(factor));
    }
    Err(ValueError::new(format!("{factor} is out of range"))
        .with_hint(format!("write a factor from 0 to {MAX_FACTOR}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_a_word_or_a_factor() {
        let text = |text: &str| Value::String(text.to_owned());
        let cases = [
            (text("instant"), Some(Timing::Instant)),
            (text("recorded"), Some(Timing::Scaled(1.0))),
            (text("0.5"), Some(Timing::Scaled(0.5))),
            (Value::Float(2.5), Some(Timing::Scaled(2.5))),
            (Value::Integer(3), Some(Timing::Scaled(3.0))),
            (Value::Integer(-1), None),
            (Value::Float(f64::NAN), None),
            (text("record"), None),
            (Value::Boolean(true), None),
        ];
        for (value, expected) in cases {
            let node = Node::without_line(value);
            assert_eq!(timing(&node).ok(), expected, "{node:?}");
        }
    }

    #[test]
    fn a_factor_stretches_what_was_recorded() {
        assert_eq!(Timing::Instant.delay(1_000_000), Duration::ZERO);
        assert_eq!(
            Timing::Scaled(0.5).delay(1_000_000),
            Duration::from_millis(500)
        );
    }
}
