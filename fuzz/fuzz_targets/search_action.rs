#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entitled::decoders::check("search_action", bytes));
