//! The fuzzer: feeds one reader with bytes that libFuzzer derives from those that reached new code.
//!
//! Its environment variable `OULI_FUZZ` names the reader; see `run.sh`.
#![no_main]

mod properties;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use properties::TARGETS;

static CHECK: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("OULI_FUZZ").unwrap_or_default();
    let target = TARGETS.iter().find(|target| target.name == name);
    let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
    let target = target.unwrap_or_else(|| panic!("OULI_FUZZ is one of {}", names.join(", ")));
    target.check
});

fuzz_target!(|bytes: &[u8]| CHECK(bytes));
