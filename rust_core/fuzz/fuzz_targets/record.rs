//! libFuzzer's entry into `argus_fuzz::record`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    argus_fuzz::record::check(data);
});
