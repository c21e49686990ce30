//! libFuzzer's entry into `argus_fuzz::jwk`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    argus_fuzz::jwk::check(data);
});
