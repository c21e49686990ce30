//! The primary lease.

use std::sync::Arc;

use argus_engine::lease;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Which Redis node counts, and until when this process knows it.
#[pyclass(frozen, module = "argus._core")]
pub(crate) struct Lease(pub(crate) Arc<lease::Lease>);

#[pymethods]
impl Lease {
    /// How long a confirmation counts.
    #[classattr]
    const LIFE_MS: i64 = lease::LIFE_MS;

    /// How long a node that takes the place of another one waits.
    #[classattr]
    const TAKEOVER_MS: i64 = lease::TAKEOVER_MS;

    #[new]
    fn new() -> Self {
        Self(Arc::new(lease::Lease::new()))
    }

    /// Now, by the clock of leases.
    #[staticmethod]
    fn now_ms() -> i64 {
        lease::Lease::now_ms()
    }

    /// The node of this lineage counts: so said the answer to a question that was asked at `asked_ms`.
    fn grant(&self, lineage: &[u8], asked_ms: i64) -> PyResult<()> {
        let lineage = lineage
            .try_into()
            .map_err(|_| PyValueError::new_err("a lineage has 8 bytes"))?;
        self.0.grant(lineage, asked_ms);
        Ok(())
    }

    /// No node counts any more, as far as this process knows.
    fn revoke(&self) {
        self.0.revoke();
    }

    /// Whether what the node of this lineage has answered may be used now.
    fn allows(&self, lineage: &[u8]) -> bool {
        lineage
            .try_into()
            .is_ok_and(|lineage| self.0.allows(lineage))
    }

    /// Whether any node's answers may be used now.
    fn is_held(&self) -> bool {
        self.0.is_held()
    }

    /// Milliseconds since the question that the last confirmation answered, or None.
    fn age_ms(&self) -> Option<i64> {
        self.0.age_ms()
    }
}
