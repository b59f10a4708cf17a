#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| flowbind_fuzz::export(data));
