//! One limit: how it is named, listed, read and checked.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::config_error::ValueError;
use crate::limits::{Limits, rows};
use crate::table_reader::{Section, expected, text};
use crate::units::{ByteSize, HumanDuration};
use crate::value_tree::{Node, Value};

pub(super) const KIB: u64 = 1 << 10;
pub(super) const MIB: u64 = 1 << 20;
pub(super) const GIB: u64 = 1 << 30;

/// A bound of the program.
#[derive(Clone, Debug)]
pub struct Limit {
    /// Its key in `[limits]`.
    pub key: &'static str,
    /// What it bounds.
    pub description: &'static str,
    /// Why its default is what it is: a standard, what others ship, or a reason of our own.
    pub rationale: &'static str,
    unit: Unit,
    /// The values that it may take, in its unit.
    range: RangeInclusive<u64>,
    field: LimitField,
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Count,
    Bytes,
    Duration,
}

/// The field of [`Limits`] that holds a limit.
#[derive(Clone, Copy, Debug)]
pub(super) enum LimitField {
    Size(fn(&mut Limits) -> &mut usize),
    Word(fn(&mut Limits) -> &mut u32),
    Time(fn(&mut Limits) -> &mut Duration),
}

impl Limit {
    /// Its value in `limits`, as it is written in the configuration.
    pub fn format_value(&self, limits: &Limits) -> String {
        self.format_amount(self.field.get(&mut limits.clone()))
    }

    /// The line of `[limits]` that sets it to its value in `limits`.
    pub fn toml_line(&self, limits: &Limits) -> String {
        let (key, value) = (self.key, self.format_value(limits));
        match self.unit {
            Unit::Count => format!("{key} = {value}"),
            Unit::Bytes | Unit::Duration => format!("{key} = \"{value}\""),
        }
    }

    /// True where each plugin may have a value of its own.
    pub fn is_per_plugin(&self) -> bool {
        let times = [
            "matcher_cpu_time",
            "redactor_cpu_time",
            "policy_cpu_time",
            "prepare_cpu_time",
        ];
        self.key.starts_with("plugin_") || times.contains(&self.key)
    }

    /// The smallest and the largest value that it may have, as they are written in the
    /// configuration.
    pub fn range_text(&self) -> (String, String) {
        (
            self.format_amount(*self.range.start()),
            self.format_amount(*self.range.end()),
        )
    }

    fn format_amount(&self, amount: u64) -> String {
        match self.unit {
            Unit::Count => amount.to_string(),
            Unit::Bytes => ByteSize(amount).to_string(),
            Unit::Duration => HumanDuration(Duration::from_micros(amount)).to_string(),
        }
    }

    fn read(&self, node: &Node) -> Result<u64, ValueError> {
        let amount = match self.unit {
            Unit::Count => read_count(node)?,
            Unit::Bytes => read_bytes(node)?,
            Unit::Duration => read_micros(node)?,
        };
        if self.range.contains(&amount) {
            return Ok(amount);
        }
        let (least, most) = self.range_text();
        let problem = ValueError::new(format!("{} is out of range", self.format_amount(amount)));
        Err(problem.with_hint(format!("write a value from {least} to {most}")))
    }
}

impl LimitField {
    fn get(self, limits: &mut Limits) -> u64 {
        match self {
            Self::Size(field) => *field(limits) as u64,
            Self::Word(field) => u64::from(*field(limits)),
            Self::Time(field) => u64::try_from(field(limits).as_micros()).unwrap_or(u64::MAX),
        }
    }

    fn set(self, limits: &mut Limits, amount: u64) {
        match self {
            // A range that the machine cannot address ends at what it can.
            Self::Size(field) => *field(limits) = usize::try_from(amount).unwrap_or(usize::MAX),
            Self::Word(field) => *field(limits) = u32::try_from(amount).unwrap_or(u32::MAX),
            Self::Time(field) => *field(limits) = Duration::from_micros(amount),
        }
    }
}

/// The section `[limits]`; what it does not name keeps its default.
pub(super) fn read(section: Section<'_>) -> Limits {
    read_over(section, Limits::default(), |_| true)
}

/// The `limits` of one plugin; what they do not name is as `[limits]` says.
pub(super) fn read_plugin_limits(section: Section<'_>, all: &Limits) -> Limits {
    read_over(section, all.clone(), Limit::is_per_plugin)
}

fn read_over(mut section: Section<'_>, base: Limits, wanted: impl Fn(&Limit) -> bool) -> Limits {
    let mut limits = base;
    for limit in rows().filter(|limit| wanted(limit)) {
        if let Some(amount) = section.read(limit.key, |node| limit.read(node)) {
            limit.field.set(&mut limits, amount);
        }
    }
    section.reject_unknown_keys();
    limits
}

/// A limit on a number of things.
pub(super) const fn count(
    key: &'static str,
    range: RangeInclusive<u64>,
    place: LimitField,
    about: &'static str,
    source: &'static str,
) -> Limit {
    Limit {
        key,
        description: about,
        rationale: source,
        unit: Unit::Count,
        range,
        field: place,
    }
}

/// A limit on a size in bytes.
pub(super) const fn bytes(
    key: &'static str,
    range: RangeInclusive<u64>,
    place: LimitField,
    about: &'static str,
    source: &'static str,
) -> Limit {
    Limit {
        key,
        description: about,
        rationale: source,
        unit: Unit::Bytes,
        range,
        field: place,
    }
}

/// A limit on a length of time, from a millisecond to a day.
pub(super) const fn time(
    key: &'static str,
    place: LimitField,
    about: &'static str,
    source: &'static str,
) -> Limit {
    Limit {
        key,
        description: about,
        rationale: source,
        unit: Unit::Duration,
        range: 1_000..=86_400_000_000,
        field: place,
    }
}

/// A length of time, with its unit.
pub(super) fn read_duration(node: &Node) -> Result<Duration, ValueError> {
    if let Value::Integer(number) = node.value {
        let problem = ValueError::new(format!("{number} has no unit"));
        return Err(problem.with_hint(format!("write `{number}s` or `{number}ms`")));
    }
    text(node)?.parse::<HumanDuration>().map(|span| span.0)
}

fn read_micros(node: &Node) -> Result<u64, ValueError> {
    let span = read_duration(node)?;
    Ok(u64::try_from(span.as_micros()).unwrap_or(u64::MAX))
}

fn read_count(node: &Node) -> Result<u64, ValueError> {
    if let Value::Integer(number) = node.value {
        return u64::try_from(number).map_err(|_| ValueError::new("a limit cannot be negative"));
    }
    Err(expected("a whole number", node))
}

fn read_bytes(node: &Node) -> Result<u64, ValueError> {
    if let Value::Integer(_) = node.value {
        return read_count(node);
    }
    text(node)?.parse::<ByteSize>().map(|size| size.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_has_one_row_and_a_default_in_range() {
        let defaults = Limits::default();
        let fields = format!("{defaults:?}").matches(": ").count();
        assert_eq!(fields, rows().count());
        for limit in rows() {
            let same = rows().filter(|other| other.key == limit.key);
            assert_eq!(same.count(), 1, "{}", limit.key);
            let default = limit.field.get(&mut defaults.clone());
            assert!(limit.range.contains(&default), "{}", limit.key);
            assert!(format!("{defaults:?}").contains(&format!("{}: ", limit.key)));
        }
    }

    #[test]
    fn every_row_sets_the_field_that_it_names() {
        for limit in rows() {
            let mut limits = Limits::default();
            let amount = limit.range.start() + 1_000;
            limit.field.set(&mut limits, amount);
            assert_eq!(limit.field.get(&mut limits), amount, "{}", limit.key);
            let value = format!(" {}: ", limit.key);
            let (before, after) = (format!("{:?}", Limits::default()), format!("{limits:?}"));
            let changed = after
                .split(',')
                .zip(before.split(','))
                .filter(|(new, old)| new != old);
            let changed: Vec<_> = changed.map(|(new, _)| new).collect();
            assert_eq!(changed.len(), 1, "{changed:?}");
            assert!(changed[0].contains(&value), "{changed:?} is not {value}");
        }
    }

    #[test]
    fn a_size_may_be_a_number_and_a_duration_may_not() {
        let number = Node::without_line(Value::Integer(4096));
        assert_eq!(read_bytes(&number), Ok(4096));
        assert!(read_duration(&number).unwrap_err().hint.is_some());
    }
}
