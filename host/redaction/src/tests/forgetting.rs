//! What a session forgets when it has seen more secrets than its limits allow.

use std::sync::Arc;

use crate::secret::{Secret, SeenIn};
use crate::{SecretBounds, Secrets};

const FEW: SecretBounds = SecretBounds {
    count: 1000,
    bytes: 64 << 10,
    fingerprint_bytes: 1 << 20,
};

fn look_up(secrets: &Secrets, value: &str) -> Arc<Secret> {
    let place = SeenIn::Lookup;
    secrets.get_or_register(&"rule".into(), "token", value.as_bytes(), place, || true)
}

fn is_known(secrets: &Secrets, value: &str) -> bool {
    secrets.searcher().find_any(value.as_bytes()).is_some()
}

#[test]
fn the_least_recently_seen_secrets_are_forgotten() {
    let secrets = Secrets::with_bounds(FEW);
    let value = |number: usize| format!("secret-value-{number:06}");
    for number in 0..5000 {
        secrets.register("token", value(number).as_bytes());
        secrets.register("token", value(7).as_bytes());
        assert!(secrets.len() <= FEW.count);
    }
    assert!(is_known(&secrets, &value(4999)) && is_known(&secrets, &value(4200)));
    assert!(is_known(&secrets, &value(7)), "seen again and again");
    assert!(!is_known(&secrets, &value(8)));
    assert_eq!(
        secrets.placeholder("token", value(7).as_bytes()),
        "<token-2>"
    );
    // It has the next number, so that no two secrets have one placeholder.
    assert_eq!(
        secrets.placeholder("token", value(8).as_bytes()),
        "<token-5001>"
    );
}

#[test]
fn requests_that_were_looked_up_are_forgotten_before_recordings() {
    let secrets = Secrets::with_bounds(SecretBounds::default());
    secrets.register_env("KEY", b"env-secret-value");
    secrets.register("token", b"recorded-secret-value");
    for number in 0..70_000 {
        look_up(&secrets, &format!("live-secret-{number:06}"));
    }
    assert!(secrets.len() <= 65_537);
    assert!(is_known(&secrets, "recorded-secret-value"));
    assert!(is_known(&secrets, "env-secret-value"));
    assert!(is_known(&secrets, "live-secret-069999"));
    assert!(!is_known(&secrets, "live-secret-000000"));
}

#[test]
fn secrets_of_the_environment_are_never_forgotten() {
    let secrets = Secrets::with_bounds(SecretBounds {
        count: 2,
        bytes: 100,
        fingerprint_bytes: 1000,
    });
    for number in 0..5 {
        assert!(secrets.register_env("KEY", format!("env-secret-{number}").as_bytes()));
    }
    (0..100).for_each(|number| secrets.register("a", format!("other-{number:03}").as_bytes()));
    assert!((0..5).all(|number| is_known(&secrets, &format!("env-secret-{number}"))));
    assert_eq!(secrets.len(), 7);
}

#[test]
fn an_exchange_with_more_secrets_than_the_limits_is_noticed() {
    let secrets = Secrets::with_bounds(FEW);
    let mut number = 0_u64;
    let mut exchange = |count: usize| {
        let begun = secrets.begin_exchange();
        for _ in 0..count {
            number += 1;
            secrets.register("token", &number.to_le_bytes());
        }
        secrets.has_lost_since(begun)
    };
    assert!(
        (0..20).all(|_| !exchange(800)),
        "earlier ones are forgotten"
    );
    assert!(exchange(1001));
    assert!(!exchange(800), "the next exchange is not affected");
    let begun = secrets.begin_exchange();
    secrets.register("token", &vec![b'x'; FEW.bytes + 1]);
    assert!(secrets.has_lost_since(begun));
    let begun = secrets.begin_exchange();
    (0..5000).for_each(|number| drop(look_up(&secrets, &format!("live-{number}"))));
    assert!(
        !secrets.has_lost_since(begun),
        "other requests do not count"
    );
}

#[test]
fn a_searcher_of_before_finds_what_was_forgotten_since() {
    let secrets = Secrets::with_bounds(FEW);
    secrets.register("token", b"first-secret-value");
    let known = secrets.known();
    assert!(secrets.forgotten_of(&known, usize::MAX).is_none());
    (0..5000_u64).for_each(|number| secrets.register("token", &number.to_le_bytes()));
    assert!(!is_known(&secrets, "first-secret-value"));
    let before = secrets.forgotten_of(&known, usize::MAX).unwrap();
    assert!(before.find_any(b"first-secret-value").is_some());
}

#[test]
fn a_compact_registry_knows_what_was_recorded() {
    let secrets = Secrets::default();
    secrets.register("token", b"recorded-secret-value");
    look_up(&secrets, "live-secret-value");
    let before = secrets.version();
    secrets.compact();
    assert!(secrets.version() > before);
    assert!(is_known(&secrets, "recorded-secret-value"));
    assert!(!is_known(&secrets, "live-secret-value"));
    assert_eq!((secrets.len(), secrets.bytes()), (1, 21));
    assert_eq!(
        secrets.placeholder("token", b"recorded-secret-value"),
        "<token-1>"
    );
    assert_eq!(secrets.placeholder("token", b"new"), "<token-3>");
}
