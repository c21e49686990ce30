//! Trust in devices and sessions.

use argus_core::trust::{self, InputError, Key, Rating};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Code, weight in logits, value seen, cap.
type Term = (&'static str, f64, String, Option<f64>);

/// What is known of a device now; None is unknown.
#[pyclass(frozen, module = "argus._core")]
pub(crate) struct TrustInputs(trust::DeviceInputs);

#[pymethods]
impl TrustInputs {
    #[new]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments in Python")]
    #[pyo3(signature = (
        *, passed = 0.0, failed = 0.0, usual_share = None, key = "none", key_missing = false, patch_days = None,
        end_of_life = None, integrity_bad = None, unused_days = 0.0,
    ))]
    fn new(
        passed: f64,
        failed: f64,
        usual_share: Option<f64>,
        key: &str,
        key_missing: bool,
        patch_days: Option<f64>,
        end_of_life: Option<bool>,
        integrity_bad: Option<bool>,
        unused_days: f64,
    ) -> PyResult<Self> {
        let kind = Key::ALL.into_iter().find(|kind| kind.name() == key);
        Ok(Self(trust::DeviceInputs {
            passed,
            failed,
            usual_share,
            key: kind.ok_or_else(|| PyValueError::new_err("key is not a kind of key"))?,
            is_key_missing: key_missing,
            patch_days,
            is_end_of_life: end_of_life,
            is_integrity_bad: integrity_bad,
            unused_days,
        }))
    }

    /// Trust in the device, and its terms.
    fn device(&self) -> PyResult<(f64, Vec<Term>)> {
        trust::rate_device(&self.0).map(told).map_err(refused)
    }

    /// Trust in a session on it, and its terms.
    #[pyo3(signature = (*, risk = 0.0, rated = None, proof_age_seconds = 0.0))]
    fn session(
        &self,
        risk: f64,
        rated: Option<f64>,
        proof_age_seconds: f64,
    ) -> PyResult<(f64, Vec<Term>)> {
        let device = trust::rate_device(&self.0).map_err(refused)?;
        let inputs = trust::SessionInputs {
            risk,
            rated,
            proof_age_seconds,
        };
        trust::rate_session(device, &inputs)
            .map(told)
            .map_err(refused)
    }
}

/// What is left of a session's trust so long after its user's proof.
#[pyfunction]
pub(crate) fn aged_trust(score: f64, proof_age_seconds: f64) -> f64 {
    trust::aged(score, proof_age_seconds)
}

/// SHA-256 of the strong and of the weak evidence in an encoded `argus.v1.ClientContext`; empty where there is none.
#[pyfunction]
pub(crate) fn context_prints(context: &[u8]) -> PyResult<(Vec<u8>, Vec<u8>)> {
    let prints = argus_engine::context_prints(context);
    let [strong, weak] = prints.map_err(|error| PyValueError::new_err(error.to_string()))?;
    Ok((strong, weak))
}

fn told(rating: Rating) -> (f64, Vec<Term>) {
    let terms = rating
        .terms
        .into_iter()
        .map(|term| (term.code.name(), term.weight, term.seen, term.cap));
    (rating.score, terms.collect())
}

fn refused(error: InputError) -> PyErr {
    PyValueError::new_err(error.to_string())
}
