//! Key sets of issuers, for whoever verifies without calling Argus.

use std::collections::HashMap;

use argus_core::token::{VerifyingKey, jwk_set};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// A key that verifies, parsed once.
#[pyclass(frozen, module = "argus._core")]
pub(crate) struct PublicKey(VerifyingKey);

impl PublicKey {
    pub(crate) const fn inner(&self) -> &VerifyingKey {
        &self.0
    }
}

#[pymethods]
impl PublicKey {
    /// The one `alg` of its signatures.
    #[getter]
    fn algorithm(&self) -> &'static str {
        self.0.algorithm().name()
    }

    /// RFC 7638 thumbprint with SHA-256.
    #[getter]
    fn thumbprint(&self) -> String {
        self.0.members().thumbprint()
    }

    /// Raises `ValueError` if the signature is not the key's.
    fn verify(&self, py: Python<'_>, message: &[u8], signature: &[u8]) -> PyResult<()> {
        py.detach(|| self.0.verify(message, signature))
            .map_err(|error| PyValueError::new_err(error.to_string()))
    }
}

/// Name, and why it was left out.
type Refused = (String, String);

/// The keys of a set that verify, by name, and what was left out.
#[pyfunction]
pub(crate) fn read_key_set(data: &[u8]) -> PyResult<(HashMap<String, PublicKey>, Vec<Refused>)> {
    let set = jwk_set::read(data).map_err(|error| PyValueError::new_err(error.to_string()))?;
    let keys = set
        .keys
        .into_iter()
        .map(|(name, key)| (name, PublicKey(key)))
        .collect();
    let refused = set
        .refused
        .into_iter()
        .map(|(name, why)| (name, why.to_string()))
        .collect();
    Ok((keys, refused))
}
