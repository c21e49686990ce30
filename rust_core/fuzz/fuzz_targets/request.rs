//! libFuzzer's entry into `argus_fuzz::request`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    argus_fuzz::request::check(data);
});
