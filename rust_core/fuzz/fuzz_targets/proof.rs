//! libFuzzer's entry into `argus_fuzz::proof`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    argus_fuzz::proof::check(data);
});
