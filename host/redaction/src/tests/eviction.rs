//! What forgetting costs, and that no known secret is ever missed, nor a forgotten one found.

use std::collections::HashMap;
use std::sync::Arc;

use super::random::Random;
use crate::forgotten_secrets::SearchSteps;
use crate::searcher_tier::Dropped;
use crate::secret::SeenIn;
use crate::secret_eviction::MAX_FORGOTTEN;
use crate::{SecretBounds, SecretMemory, Secrets};

fn value(number: usize) -> String {
    let mixed = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!("t0k-{mixed:016x}-{number}")
}

fn see(secrets: &Secrets, value: &str, place: SeenIn) {
    secrets.get_or_register(&"rule".into(), "token", value.as_bytes(), place, || true);
}

#[test]
fn a_new_secret_beyond_the_bound_costs_no_step_in_proportion_to_all() {
    let bounds = SecretBounds {
        count: 8192,
        ..SecretBounds::default()
    };
    let secrets = Secrets::with_bounds(bounds);
    (0..bounds.count).for_each(|number| secrets.register("token", value(number).as_bytes()));
    let before = secrets.searcher();
    for number in bounds.count..bounds.count + 1000 {
        let len = secrets.len();
        secrets.register("token", value(number).as_bytes());
        let forgotten = len + 1 - secrets.len();
        assert!(forgotten <= MAX_FORGOTTEN, "{forgotten} at once");
    }
    assert!(secrets.len() < bounds.count, "some are forgotten");
    let after = secrets.searcher();
    assert!(
        Arc::ptr_eq(&before.tiers()[0], &after.tiers()[0]),
        "the searcher was built again"
    );
    assert!(before.find_any(value(0).as_bytes()).is_some());
    assert!(after.find_any(value(0).as_bytes()).is_none());
    // Once half of it is forgotten, it is.
    for number in 0..bounds.count {
        secrets.register("token", value(10 * bounds.count + number).as_bytes());
    }
    let (all, forgotten) = held(&secrets);
    assert!(2 * forgotten.anchors <= all, "{forgotten:?} of {all}");
}

/// The anchors of the searcher, and what it holds of forgotten secrets.
fn held(secrets: &Secrets) -> (usize, Dropped) {
    let (searcher, evictions) = {
        let registry = secrets.registry.read();
        (registry.searcher(), registry.evictions)
    };
    let mut forgotten = Dropped::default();
    for tier in searcher.tiers() {
        forgotten.add(tier.add_known_to(&mut Vec::new(), evictions));
    }
    (searcher.anchors(), forgotten)
}

/// Whether a secret was recorded, and when it was seen last.
type Model = HashMap<String, (bool, u64)>;

/// Removes from the model what is forgotten. Nothing that stays is to be forgotten earlier.
fn forget(model: &mut Model, gone: &mut Model, secrets: &Secrets, newest: &str) {
    let registry = secrets.registry.read();
    let is_known = |value: &String| registry.get(value.as_bytes()).is_some();
    let forgotten: Vec<_> = model.keys().filter(|it| !is_known(it)).cloned().collect();
    let forgotten: Model = forgotten
        .into_iter()
        .filter_map(|it| model.remove_entry(&it))
        .collect();
    let first_left = model.iter().filter(|(value, _)| *value != newest);
    let first_left = first_left.map(|(_, order)| *order).min();
    if let Some((last, first)) = forgotten.values().max().zip(first_left) {
        assert!(*last <= first, "{last:?} is forgotten, {first:?} is not");
    }
    gone.extend(forgotten);
}

fn check_search(model: &Model, gone: &Model, secrets: &Secrets) {
    let searcher = secrets.searcher();
    let forgotten = secrets.forgotten();
    for value in model.keys() {
        assert!(searcher.find_any(value.as_bytes()).is_some(), "{value}");
    }
    for (value, (is_recorded, _)) in gone {
        assert!(searcher.find_any(value.as_bytes()).is_none(), "{value}");
        let forgotten = forgotten.as_deref();
        let found = forgotten.and_then(|it| it.find(value.as_bytes(), &mut SearchSteps::default()));
        assert_eq!(found.is_some(), *is_recorded, "{value}");
    }
    assert_eq!(
        held(secrets).1,
        secrets.registry.read().index.forgotten(),
        "what is held for forgotten secrets"
    );
}

#[test]
fn known_secrets_are_found_and_forgotten_ones_are_not_whatever_happens() {
    let bounds = SecretBounds {
        count: 60,
        bytes: 1 << 20,
        fingerprint_bytes: 1 << 20,
    };
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..20 {
        let secrets = Secrets::with_bounds(bounds);
        let (mut model, mut gone) = (Model::new(), Model::new());
        for _ in 0..600 {
            let value = value(random.below(150));
            let is_recorded = random.below(3) == 0;
            let place = if is_recorded {
                SeenIn::Request
            } else {
                SeenIn::Lookup
            };
            see(&secrets, &value, place);
            let before = model.get(&value).is_some_and(|(recorded, _)| *recorded);
            // One that is recorded again after it was forgotten is known, and has a fingerprint.
            let was_recorded = gone.remove(&value).is_some_and(|(recorded, _)| recorded);
            let order = (before || is_recorded, secrets.now());
            model.insert(value.clone(), order);
            forget(&mut model, &mut gone, &secrets, &value);
            if was_recorded {
                see(&secrets, &value, SeenIn::Request);
                model.insert(value, (true, secrets.now()));
            }
            match random.below(40) {
                0..10 => check_search(&model, &gone, &secrets),
                10 => {
                    secrets.compact();
                    let unrecorded = model.extract_if(|_, (recorded, _)| !*recorded);
                    gone.extend(unrecorded.collect::<Vec<_>>());
                }
                _ => {}
            }
            assert!(secrets.len() == model.len() && secrets.len() <= bounds.count);
        }
        check_search(&model, &gone, &secrets);
    }
}

#[test]
fn the_memory_of_forgotten_secrets_is_free_again() {
    let limit = 4 << 20;
    let memory = Arc::new(SecretMemory::new(limit));
    let secrets = Secrets::in_memory(SecretBounds::default(), &memory);
    let mut least = usize::MAX;
    for number in 0..30_000 {
        see(&secrets, &value(number), SeenIn::Lookup);
        if number % 100 == 99 {
            assert!(
                secrets
                    .searcher()
                    .find_any(value(number).as_bytes())
                    .is_some()
            );
            assert!(secrets.searcher().bytes() <= limit);
        }
        assert!(memory.used() <= limit, "{} bytes", memory.used());
        if number > 10_000 {
            least = least.min(secrets.len());
        }
    }
    // What is held for forgotten ones makes no others forgotten.
    assert!(least > 4000, "{least}");
    secrets.compact();
    assert!(memory.used() < 1000, "{} bytes", memory.used());
}
