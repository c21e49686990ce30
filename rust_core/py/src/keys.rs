//! Signing keys.

use argus_core::token::{SigningKey, generate_ed25519, generate_rsa, keys::RsaSize};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Makes an RSA key of 2048, 3072 or 4096 bits: PKCS#8 DER.
#[pyfunction]
pub(crate) fn generate_rsa_key(py: Python<'_>, bits: u32) -> PyResult<Bound<'_, PyBytes>> {
    let size = RsaSize::from_bits(bits)
        .ok_or_else(|| PyValueError::new_err("bits must be 2048, 3072 or 4096"))?;
    let der = py
        .detach(|| generate_rsa(size))
        .map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
    Ok(PyBytes::new(py, &der))
}

/// Makes an Ed25519 key: PKCS#8 DER.
#[pyfunction]
pub(crate) fn generate_ed25519_key(py: Python<'_>) -> PyResult<Bound<'_, PyBytes>> {
    let der = generate_ed25519().map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
    Ok(PyBytes::new(py, &der))
}

/// RFC 7638 thumbprint and public JWK of a PKCS#8 key.
#[pyfunction]
pub(crate) fn public_jwk(private_key: &[u8]) -> PyResult<(String, String)> {
    let key = SigningKey::from_pkcs8(private_key)
        .map_err(|error| PyValueError::new_err(error.to_string()))?;
    Ok((key.kid().to_owned(), key.public_jwk()))
}
