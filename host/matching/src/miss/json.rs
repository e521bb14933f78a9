//! Compares two JSON documents by pointer. Arrays are compared by index.

use super::pairs::{Paired, pair_by_name};
use super::raw_difference::{DifferenceCollector, Location, Step};
use crate::key::Json;

/// Adds the differences between two values at `path` in the body.
pub(super) fn compare(
    live: &Json,
    recorded: &Json,
    path: &mut Vec<Step>,
    collector: &mut DifferenceCollector,
) {
    match (live, recorded) {
        (Json::Object(live), Json::Object(recorded)) => {
            let step = |(name, _): &(String, Json)| Step::Name(name.clone());
            for member in pair_by_name(live, recorded, |(name, _)| name.as_str()) {
                child(&member, step, path, collector);
            }
        }
        (Json::Array(live), Json::Array(recorded)) => {
            let step = |(index, _): &(usize, Json)| Step::Index(*index);
            for element in pair_by_name(live, recorded, |(index, _)| *index) {
                child(&element, step, path, collector);
            }
        }
        (live, recorded) if live == recorded => {}
        (live, recorded) => collector.add(
            || Location::Pointer(path.clone()),
            || Some(live.to_string()),
            || Some(recorded.to_string()),
        ),
    }
}

fn child<N>(
    child: &Paired<'_, (N, Json)>,
    step: impl Fn(&(N, Json)) -> Step,
    path: &mut Vec<Step>,
    collector: &mut DifferenceCollector,
) {
    match child {
        Paired::Both(live, recorded) => {
            path.push(step(live));
            compare(&live.1, &recorded.1, path, collector);
        }
        Paired::Live(only) => {
            path.push(step(only));
            let location = || Location::Pointer(path.clone());
            collector.add(location, || Some(only.1.to_string()), || None);
        }
        Paired::Recorded(only) => {
            path.push(step(only));
            let location = || Location::Pointer(path.clone());
            collector.add(location, || None, || Some(only.1.to_string()));
        }
    }
    path.pop();
}
