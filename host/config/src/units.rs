//! Sizes and durations as people write them: `64KiB`, `10s`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::config_error::ValueError;

const SIZES: &[(&str, u64)] = &[
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];
const TIMES: &[(&str, u64)] = &[
    ("h", 3_600_000_000),
    ("m", 60_000_000),
    ("s", 1_000_000),
    ("ms", 1_000),
    ("us", 1),
];

/// A number of bytes, written as `64KiB`, `1MiB` or `512`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

/// A length of time in whole microseconds, written as `10s`, `5ms` or `2m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HumanDuration(pub Duration);

impl FromStr for ByteSize {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let (number, unit) = split(text);
        let factor = match unit {
            "" => Some(1),
            named => factor(SIZES, named),
        };
        product(number, factor).map(Self).ok_or_else(|| {
            ValueError::new(format!("`{text}` is not a size")).with_hint(
                "write a whole number of bytes or one with B, KiB, MiB or GiB, as `64KiB`",
            )
        })
    }
}

impl FromStr for HumanDuration {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let (number, unit) = split(text);
        product(number, factor(TIMES, unit))
            .map(|micros| Self(Duration::from_micros(micros)))
            .ok_or_else(|| {
                ValueError::new(format!("`{text}` is not a duration"))
                    .with_hint("write a whole number with its unit us, ms, s, m or h, as `10s`")
            })
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_largest(f, self.0, SIZES, "B")
    }
}

impl fmt::Display for HumanDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = u64::try_from(self.0.as_micros()).unwrap_or(u64::MAX);
        write_largest(f, micros, TIMES, "s")
    }
}

fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

fn factor(units: &[(&str, u64)], name: &str) -> Option<u64> {
    units
        .iter()
        .find(|(unit, _)| *unit == name)
        .map(|(_, factor)| *factor)
}

fn product(number: &str, factor: Option<u64>) -> Option<u64> {
    number.parse::<u64>().ok()?.checked_mul(factor?)
}

/// Writes `amount` in the largest unit that divides it; `zero` is the unit of nothing.
fn write_largest(
    f: &mut fmt::Formatter<'_>,
    amount: u64,
    units: &[(&str, u64)],
    zero: &str,
) -> fmt::Result {
    for (unit, factor) in units {
        if amount != 0 && amount.is_multiple_of(*factor) {
            return write!(f, "{}{unit}", amount / factor);
        }
    }
    write!(f, "0{zero}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_written() {
        let cases = [
            ("0", 0, "0B"),
            ("512", 512, "512B"),
            ("64KiB", 65_536, "64KiB"),
            ("1024 KiB", 1 << 20, "1MiB"),
            ("3GiB", 3 << 30, "3GiB"),
            ("1500B", 1500, "1500B"),
        ];
        for (text, bytes, shown) in cases {
            let size: ByteSize = text.parse().unwrap();
            assert_eq!(size.0, bytes, "{text}");
            assert_eq!(size.to_string(), shown, "{text}");
        }
        for text in ["", "KiB", "64KB", "64kib", "-1", "1.5MiB", "99999999999GiB"] {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
    }

    #[test]
    fn durations_are_read_and_written() {
        let cases = [
            ("10s", 10_000, "10s"),
            ("5ms", 5, "5ms"),
            ("2m", 120_000, "2m"),
            ("90 s", 90_000, "90s"),
            ("1h", 3_600_000, "1h"),
            ("0s", 0, "0s"),
        ];
        for (text, millis, shown) in cases {
            let span: HumanDuration = text.parse().unwrap();
            assert_eq!(span.0, Duration::from_millis(millis), "{text}");
            assert_eq!(span.to_string(), shown, "{text}");
        }
        assert_eq!(
            HumanDuration(Duration::from_micros(1500)).to_string(),
            "1500us"
        );
        for text in [
            "",
            "10",
            "s",
            "1.5s",
            "-1s",
            "10 seconds",
            "99999999999999h",
        ] {
            assert!(text.parse::<HumanDuration>().is_err(), "{text}");
        }
    }
}
