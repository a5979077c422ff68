#![no_main]

// What the Parquet decoder panics with is caught and told as a broken checkpoint. The hook of libFuzzer would end the process before
// that; what nobody catches still ends it.
libfuzzer_sys::fuzz_target!(
    init: std::panic::set_hook(Box::new(|info| eprintln!("{info}"))),
    |data: &[u8]| delta::fuzzing::checkpoint(data)
);
