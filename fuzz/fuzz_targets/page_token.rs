#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sharing::fuzzing::page_token(data));
