//! The pace of replayed streams.

use std::time::Duration;

use crate::config_error::ValueError;
use crate::value_parsers::{expected, unknown_word};
use crate::value_tree::{Node, Value};

/// The pace of replayed streams.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Timing {
    /// Without pauses.
    #[default]
    Instant,
    /// With the recorded pauses, multiplied by this factor.
    Scaled(f64),
}

/// The slowest pace: a pause of 1 s becomes 1000 s.
const MAX_FACTOR: f64 = 1000.0;

impl Timing {
    /// The time from the start at which to send what was recorded after `micros`.
    pub fn delay(self, micros: u64) -> Duration {
        match self {
            Self::Instant => Duration::ZERO,
            Self::Scaled(factor) => Duration::from_micros(micros).mul_f64(factor),
        }
    }
}

/// `instant`, `recorded`, or a number.
pub(super) fn timing(node: &Node) -> Result<Timing, ValueError> {
    const ALLOWED: &str = "\"instant\", \"recorded\", or a factor, as 0.5";
    let factor = match &node.value {
        Value::String(word) => match word.as_str() {
            "instant" => return Ok(Timing::Instant),
            "recorded" => return Ok(Timing::Scaled(1.0)),
            other => other
                .parse()
                .map_err(|_| unknown_word(other, &["instant", "recorded"], ALLOWED))?,
        },
        #[expect(
            clippy::cast_precision_loss,
            reason = "a factor this large is refused below"
        )]
        Value::Integer(number) => *number as f64,
        Value::Float(number) => *number,
        Value::Boolean(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_) => {
            let problem = expected("a string or a number", node);
            return Err(problem.with_hint(format!("allowed: {ALLOWED}")));
        }
    };
    if (0.0..=MAX_FACTOR).contains(&factor) {
        return Ok(Timing::Scaled(factor));
    }
    Err(ValueError::new(format!("{factor} is out of range"))
        .with_hint(format!("allowed: 0 to {MAX_FACTOR}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timing_is_a_word_or_a_factor() {
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
    fn a_factor_scales_recorded_times() {
        assert_eq!(Timing::Instant.delay(1_000_000), Duration::ZERO);
        assert_eq!(
            Timing::Scaled(0.5).delay(1_000_000),
            Duration::from_millis(500)
        );
    }
}
