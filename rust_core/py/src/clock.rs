//! The clock.

use pyo3::prelude::*;

/// The time that decisions are made by: the system's, plus an offset that only tests set.
#[pyclass(frozen, module = "argus._core")]
pub(crate) struct Clock(pub(crate) argus_engine::Clock);

#[pymethods]
impl Clock {
    #[new]
    #[pyo3(signature = (*, offset_ms = 0))]
    fn new(offset_ms: i64) -> Self {
        Self(argus_engine::Clock::new(offset_ms))
    }

    /// Milliseconds since 1970.
    fn now_ms(&self) -> i64 {
        self.0.now_ms()
    }

    /// Moves the clock (tests).
    fn advance(&self, ms: i64) {
        self.0.advance(ms);
    }

    /// Distance from the system's clock.
    #[getter]
    fn offset_ms(&self) -> i64 {
        self.0.offset_ms()
    }
}
