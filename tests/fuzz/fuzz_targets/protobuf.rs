//! Feeds `properties/protobuf.rs` with inputs of libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ouli_fuzz::check("protobuf", input));
