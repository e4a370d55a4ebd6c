#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hama_core::testing::parse::words(bytes));
