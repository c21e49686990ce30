//! What services verify with that don't call Argus: the engine's own reading of tokens and proofs.

use std::cell::RefCell;

use argus_core::token::dpop::{self, HttpRequest};
use argus_core::token::http_uri::HttpUri;
use argus_core::token::{
    Audience, Expected, FaultClass, FoundKey, KeySource, TokenType, VerifyingKey, verify_access,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::key_set::PublicKey;

const GOOD: u8 = 0;
const REFUSED: u8 = 1;
const KEY_WANTED: u8 = 2;

/// One issuer, and one key of it at most; notes the name of the key that it was asked for.
struct OneKey<'a> {
    issuer: &'a str,
    tenant_id: &'a str,
    key: Option<&'a VerifyingKey>,
    wanted: RefCell<Option<String>>,
}

impl KeySource for OneKey<'_> {
    fn tenant_id(&self, issuer: &str) -> Option<&str> {
        (issuer == self.issuer).then_some(self.tenant_id)
    }

    fn key(&self, _tenant_id: &str, _token_type: TokenType, kid: &str) -> Option<FoundKey<'_>> {
        self.wanted.replace(Some(kid.to_owned()));
        self.key.map(|key| FoundKey {
            key,
            is_revoked: false,
        })
    }
}

/// Verifies an access token by one key, or says which key it wants.
#[pyfunction]
#[pyo3(signature = (token, key, *, issuer, tenant_id, audience, now))]
pub(crate) fn verify_access_token<'py>(
    py: Python<'py>,
    token: &str,
    key: Option<&PublicKey>,
    issuer: &str,
    tenant_id: &str,
    audience: &str,
    now: u32,
) -> PyResult<(u8, Bound<'py, PyBytes>)> {
    let key = key.map(PublicKey::inner);
    let (kind, content) = py
        .detach(|| {
            let source = OneKey {
                issuer,
                tenant_id,
                key,
                wanted: RefCell::default(),
            };
            let expected = Expected::access(Audience::Resource(audience), now).of_tenant(tenant_id);
            match (
                verify_access(token, &expected, &source),
                source.wanted.take(),
            ) {
                (Ok((_, claims)), _) => serde_json::to_vec(&claims).map(|json| (GOOD, json)),
                (Err(FaultClass::Key), Some(kid)) if key.is_none() => {
                    Ok((KEY_WANTED, kid.into_bytes()))
                }
                (Err(fault), _) => Ok((REFUSED, fault.name().into())),
            }
        })
        .map_err(|error| PyValueError::new_err(error.to_string()))?;
    Ok((kind, PyBytes::new(py, &content)))
}

/// Checks a `DPoP` proof in itself, and as one of this request with this access token.
#[pyfunction]
#[pyo3(signature = (proof, *, method, uri, access_token, now))]
pub(crate) fn check_dpop_proof(
    py: Python<'_>,
    proof: &str,
    method: &str,
    uri: &str,
    access_token: &str,
    now: u32,
) -> PyResult<(String, String)> {
    py.detach(|| {
        let uri = HttpUri::parse(uri).map_err(|_| "uri")?;
        let request = HttpRequest {
            method,
            uri: &uri,
            access_token: Some(access_token),
        };
        let checked = dpop::check(proof, &request, now).map_err(FaultClass::name)?;
        Ok((
            checked.confirmation.thumbprint().to_owned(),
            checked.token_id,
        ))
    })
    .map_err(|fault: &str| PyValueError::new_err(fault.to_owned()))
}
