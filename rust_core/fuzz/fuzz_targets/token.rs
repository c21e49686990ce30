//! libFuzzer's entry into `argus_fuzz::token`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    argus_fuzz::token::check(data);
});
