//! Small pieces of work of the crates, with what they need prepared: measured by criterion (`benches/crates.rs`) and
//! counted in instructions (`src/main.rs`). One list, so that both speak of the same.
#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a benchmark that can't begin may fail loudly"
)]

mod decisions;
mod hot;
mod tokens;

/// A piece of work that can be done any number of times.
pub struct Work {
    /// Name, for ever: results are compared by it.
    pub name: &'static str,
    /// Does it once.
    pub once: Box<dyn Fn()>,
}

impl Work {
    fn new<T>(name: &'static str, once: impl Fn() -> T + 'static) -> Self {
        let once = Box::new(move || {
            std::hint::black_box(once());
        });
        Self { name, once }
    }
}

/// All works. The key sizes are 2048 bits for RSA, 256 for Ed25519 and P-256.
#[must_use]
pub fn works() -> Vec<Work> {
    [tokens::works(), decisions::works(), hot::works()]
        .into_iter()
        .flatten()
        .collect()
}
