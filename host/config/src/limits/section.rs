//! Reads `[limits]` and the `limits` of a plugin.

use super::table::{Limit, Limits, Unit, rows};
use crate::config_error::ValueError;
use crate::table_reader::Section;
use crate::value_parsers::{byte_size, count, duration};
use crate::value_tree::Node;

/// The section `[limits]`. Keys that are absent keep their defaults.
pub(crate) fn read(section: Section<'_>) -> Limits {
    read_over(section, Limits::default(), parse)
}

/// The `limits` of one plugin. Keys that are absent have their values of `[limits]`.
pub(crate) fn read_plugin_limits(section: Section<'_>, global: &Limits) -> Limits {
    read_over(section, global.clone(), |limit, node| {
        if limit.is_per_plugin() {
            return parse(limit, node);
        }
        let problem = ValueError::new("not a limit of a single plugin");
        Err(problem.with_hint(format!("set `{}` in `[limits]`", limit.key)))
    })
}

fn read_over(
    mut section: Section<'_>,
    mut limits: Limits,
    parse: impl Fn(&Limit, &Node) -> Result<u64, ValueError>,
) -> Limits {
    for limit in rows() {
        if let Some(amount) = section.read(limit.key, |node| parse(limit, node)) {
            (limit.set)(&mut limits, amount);
        }
    }
    section.reject_unknown_keys();
    limits
}

fn parse(limit: &Limit, node: &Node) -> Result<u64, ValueError> {
    let amount = match limit.unit {
        Unit::Count => count(node),
        Unit::Bytes => byte_size(node),
        Unit::Time => {
            duration(node).map(|time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
        }
    };
    let problem = match amount {
        Ok(amount) if limit.range.contains(&amount) => return Ok(amount),
        Ok(amount) => ValueError::new(format!("{} is out of range", limit.format_amount(amount))),
        Err(problem) => problem,
    };
    let (min, max) = limit.range_text();
    let default = limit.format_value(&Limits::default());
    let allowed = format!("allowed: {min} to {max}, default {default}");
    let hint = match &problem.hint {
        Some(hint) => format!("{hint}; {allowed}"),
        None => allowed,
    };
    Err(problem.with_hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_in_range_and_keys_are_unique() {
        let defaults = Limits::default();
        let fields = format!("{defaults:?}").matches(": ").count();
        assert_eq!(fields, rows().count());
        for limit in rows() {
            let same = rows().filter(|other| other.key == limit.key);
            assert_eq!(same.count(), 1, "{}", limit.key);
            let default = (limit.get)(&defaults);
            assert!(limit.range.contains(&default), "{}", limit.key);
            assert!(format!("{defaults:?}").contains(&format!("{}: ", limit.key)));
        }
    }

    #[test]
    fn each_row_sets_the_field_of_its_name() {
        for limit in rows() {
            let mut limits = Limits::default();
            let amount = limit.range.start() + 1_000;
            (limit.set)(&mut limits, amount);
            assert_eq!((limit.get)(&limits), amount, "{}", limit.key);
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
    fn texts_are_whole_sentences_without_stray_spaces() {
        for limit in rows() {
            let text = limit.description;
            assert!(text.starts_with(char::is_uppercase), "{text}");
            assert!(text.ends_with('.') && !text.contains("  "), "{text}");
            assert!(!limit.rationale.ends_with('.'), "{}", limit.rationale);
        }
    }
}
