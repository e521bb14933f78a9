//! The differences between two JSON documents, by pointer; arrays compare by index.

use super::pairs::{Paired, pair_by_name};
use super::raw_difference::{DifferenceCollector, Location, Step};
use crate::key::Json;

/// Adds the differences below `way`, which is where both documents stand in the body.
pub(super) fn compare(
    live: &Json,
    recorded: &Json,
    way: &mut Vec<Step>,
    into: &mut DifferenceCollector,
) {
    match (live, recorded) {
        (Json::Object(live), Json::Object(recorded)) => {
            let step = |(name, _): &(String, Json)| Step::Name(name.clone());
            for member in pair_by_name(live, recorded, |(name, _)| name.as_str()) {
                child(&member, step, way, into);
            }
        }
        (Json::Array(live), Json::Array(recorded)) => {
            let step = |(index, _): &(usize, Json)| Step::Index(*index);
            for element in pair_by_name(live, recorded, |(index, _)| *index) {
                child(&element, step, way, into);
            }
        }
        (live, recorded) if live == recorded => {}
        (live, recorded) => into.add(
            || Location::Pointer(way.clone()),
            || Some(live.to_string()),
            || Some(recorded.to_string()),
        ),
    }
}

fn child<N>(
    child: &Paired<'_, (N, Json)>,
    step: impl Fn(&(N, Json)) -> Step,
    way: &mut Vec<Step>,
    into: &mut DifferenceCollector,
) {
    match child {
        Paired::Both(live, recorded) => {
            way.push(step(live));
            compare(&live.1, &recorded.1, way, into);
        }
        Paired::Live(only) => {
            way.push(step(only));
            let place = || Location::Pointer(way.clone());
            into.add(place, || Some(only.1.to_string()), || None);
        }
        Paired::Recorded(only) => {
            way.push(step(only));
            let place = || Location::Pointer(way.clone());
            into.add(place, || None, || Some(only.1.to_string()));
        }
    }
    way.pop();
}
