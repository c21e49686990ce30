//! Names of Redis keys, and ids that carry their slot.

use argus_core::ids::{self, SessionId};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Names of Redis keys, and ids that carry their slot.
#[pyclass(frozen, module = "argus._core")]
pub(crate) struct Keyspace(ids::Keyspace);

#[pymethods]
impl Keyspace {
    #[new]
    fn new(bucket_key: &[u8]) -> PyResult<Self> {
        let keyspace = ids::Keyspace::new(bucket_key);
        keyspace
            .map(Self)
            .map_err(|error| PyValueError::new_err(error.to_string()))
    }

    /// 2 bytes of bucket and 16 random bytes as base64url, 24 characters.
    fn new_session_id(&self, tenant_id: &str, user_id: &str) -> PyResult<String> {
        let random =
            argus_engine::random().map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
        Ok(self.0.session_id(tenant_id, user_id, random).to_string())
    }

    /// Whether a text has the form of a session id.
    #[staticmethod]
    fn is_session_id(text: &str) -> bool {
        SessionId::parse(text).is_ok()
    }

    /// Name of a session's record.
    #[staticmethod]
    fn session_key<'py>(py: Python<'py>, session_id: &str) -> PyResult<Bound<'py, PyBytes>> {
        let id = SessionId::parse(session_id)
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(PyBytes::new(py, &id.redis_key()))
    }

    /// Name of a user's record.
    fn user_key<'py>(
        &self,
        py: Python<'py>,
        tenant_id: &str,
        user_id: &str,
    ) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.user_key(tenant_id, user_id))
    }

    /// Name of the index of a user's sessions.
    fn index_key<'py>(
        &self,
        py: Python<'py>,
        tenant_id: &str,
        user_id: &str,
    ) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.index_key(tenant_id, user_id))
    }

    /// Name of a tenant's not-before value, or with a client of that client's.
    #[staticmethod]
    #[pyo3(signature = (tenant_id, client_id = ""))]
    fn not_before_key<'py>(
        py: Python<'py>,
        tenant_id: &str,
        client_id: &str,
    ) -> Bound<'py, PyBytes> {
        let client_id = Some(client_id).filter(|id| !id.is_empty());
        PyBytes::new(py, &ids::not_before_key(tenant_id, client_id))
    }
}
