#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sharing::fuzzing::predicate_json(data));
