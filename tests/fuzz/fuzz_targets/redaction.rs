//! Feeds `properties/redaction.rs` with inputs of libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ouli_fuzz::check("redaction", input));
