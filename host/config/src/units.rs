//! Sizes and durations as the configuration writes them: `64KiB`, `10s`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::config_error::ValueError;

/// Sizes in bytes.
pub(super) const KIB: u64 = 1 << 10;
pub(super) const MIB: u64 = 1 << 20;
pub(super) const GIB: u64 = 1 << 30;

/// Durations in microseconds.
pub(super) const MS: u64 = 1_000;
pub(super) const SECOND: u64 = 1_000 * MS;
pub(super) const MINUTE: u64 = 60 * SECOND;
pub(super) const HOUR: u64 = 60 * MINUTE;
pub(super) const DAY: u64 = 24 * HOUR;

/// Units from the largest to the smallest.
type Units = &'static [(&'static str, u64)];

const SIZES: Units = &[("GiB", GIB), ("MiB", MIB), ("KiB", KIB), ("B", 1)];
const TIMES: Units = &[
    ("h", HOUR),
    ("m", MINUTE),
    ("s", SECOND),
    ("ms", MS),
    ("us", 1),
];

/// A number of bytes, written as `64KiB`, `1MiB` or `512`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

/// A length of time in whole microseconds, written as `10s`, `5ms` or `2m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct HumanDuration(pub(super) Duration);

impl FromStr for ByteSize {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let (number, unit) = split_unit(text);
        let factor = match unit {
            "" => Some(1),
            named => factor(SIZES, named),
        };
        multiply(number, factor).map(Self).ok_or_else(|| {
            let problem = ValueError::new(format!("{text:?} is not a size"));
            problem.with_hint("write a whole number with B, KiB, MiB or GiB, as \"64KiB\"")
        })
    }
}

impl FromStr for HumanDuration {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let (number, unit) = split_unit(text);
        let micros = multiply(number, factor(TIMES, unit)).ok_or_else(|| {
            let problem = ValueError::new(format!("{text:?} is not a duration"));
            problem.with_hint("write a whole number with us, ms, s, m or h, as \"10s\"")
        })?;
        Ok(Self(Duration::from_micros(micros)))
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_in_largest_unit(f, self.0, SIZES, "B")
    }
}

impl fmt::Display for HumanDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = u64::try_from(self.0.as_micros()).unwrap_or(u64::MAX);
        write_in_largest_unit(f, micros, TIMES, "s")
    }
}

/// The digits of a text, and the unit after them.
fn split_unit(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

fn factor(units: Units, name: &str) -> Option<u64> {
    units
        .iter()
        .find(|(unit, _)| *unit == name)
        .map(|(_, factor)| *factor)
}

fn multiply(number: &str, factor: Option<u64>) -> Option<u64> {
    number.parse::<u64>().ok()?.checked_mul(factor?)
}

/// Writes `amount` in the largest unit that divides it; 0 has the unit `zero`.
fn write_in_largest_unit(
    f: &mut fmt::Formatter<'_>,
    amount: u64,
    units: Units,
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
    fn sizes_round_trip() {
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
    fn durations_round_trip() {
        let cases = [
            ("10s", 10_000, "10s"),
            ("5ms", 5, "5ms"),
            ("2m", 120_000, "2m"),
            ("90 s", 90_000, "90s"),
            ("1h", 3_600_000, "1h"),
            ("0s", 0, "0s"),
        ];
        for (text, millis, shown) in cases {
            let time: HumanDuration = text.parse().unwrap();
            assert_eq!(time.0, Duration::from_millis(millis), "{text}");
            assert_eq!(time.to_string(), shown, "{text}");
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
