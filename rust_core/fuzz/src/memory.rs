//! How much memory a piece of work may take.

/// Runs work that may hold at most so many bytes at any moment.
///
/// Counted are the allocations of the calling thread that go through Rust; what the C code of the cryptographic library
/// takes is not.
pub(crate) fn within<T>(limit: usize, work: impl FnOnce() -> T) -> T {
    let mut result = None;
    let used = allocation_counter::measure(|| result = Some(work()));
    assert!(
        used.bytes_max <= limit as u64,
        "{} bytes at once, more than {limit}",
        used.bytes_max
    );
    result.unwrap()
}
