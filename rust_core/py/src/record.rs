//! The packed session record.

use argus_core::record::{self, State};
use argus_core::token::Methods;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// The packed record of a living session. Times are seconds since 1970.
#[pyclass(frozen, module = "argus._core")]
pub(crate) struct SessionRecord(record::SessionRecord);

#[pymethods]
impl SessionRecord {
    #[new]
    #[expect(
        clippy::too_many_arguments,
        clippy::needless_pass_by_value,
        reason = "keyword arguments in Python"
    )]
    #[pyo3(signature = (
        *, contested = false, bound = false, made_by_rotation = false, family, generation, made,
        attempt = [0; 4], print = [0; 4], binding = [0; 16], device = [0; 16],
        created, idle_deadline, absolute_deadline, policy_revision, acr, amr, auth_time, refresh_id_key,
        trust = 0, risk = 0, context = [0; 9],
    ))]
    fn new(
        contested: bool,
        bound: bool,
        made_by_rotation: bool,
        family: u32,
        generation: u32,
        made: u32,
        attempt: [u8; 4],
        print: [u8; 4],
        binding: [u8; 16],
        device: [u8; 16],
        created: u32,
        idle_deadline: u32,
        absolute_deadline: u32,
        policy_revision: u32,
        acr: u8,
        amr: Vec<String>,
        auth_time: u32,
        refresh_id_key: u8,
        trust: u16,
        risk: u8,
        context: [u8; 9],
    ) -> PyResult<Self> {
        let methods = Methods::from_names(amr.iter().map(String::as_str));
        let methods = methods
            .ok_or_else(|| PyValueError::new_err("amr holds a method that RFC 8176 does not"))?;
        Ok(Self(record::SessionRecord {
            state: if contested {
                State::Contested
            } else {
                State::Active
            },
            is_bound: bound,
            is_made_by_rotation: made_by_rotation,
            is_rebuilt: false,
            lineage: [0; 8],
            family,
            generation,
            made,
            attempt,
            print,
            binding,
            device,
            created,
            idle_deadline,
            absolute_deadline,
            policy_revision,
            acr,
            amr: methods.bits(),
            auth_time,
            refresh_id_key,
            trust,
            risk,
            context,
        }))
    }

    /// With a lineage of zeros: the function that writes it puts the real one in.
    fn to_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let unstamped = record::SessionRecord {
            lineage: [0; 8],
            ..self.0.clone()
        };
        PyBytes::new(py, &unstamped.encode())
    }

    /// Reads a packed record.
    #[staticmethod]
    fn from_bytes(data: &[u8]) -> PyResult<Self> {
        let record = record::SessionRecord::decode(data);
        record
            .map(Self)
            .map_err(|error| PyValueError::new_err(error.to_string()))
    }

    #[getter]
    fn lineage<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.lineage)
    }

    #[getter]
    fn contested(&self) -> bool {
        self.0.state == State::Contested
    }

    #[getter]
    fn bound(&self) -> bool {
        self.0.is_bound
    }

    #[getter]
    fn made_by_rotation(&self) -> bool {
        self.0.is_made_by_rotation
    }

    #[getter]
    fn rebuilt(&self) -> bool {
        self.0.is_rebuilt
    }

    #[getter]
    fn family(&self) -> u32 {
        self.0.family
    }

    #[getter]
    fn generation(&self) -> u32 {
        self.0.generation
    }

    #[getter]
    fn made(&self) -> u32 {
        self.0.made
    }

    #[getter]
    fn created(&self) -> u32 {
        self.0.created
    }

    #[getter]
    fn idle_deadline(&self) -> u32 {
        self.0.idle_deadline
    }

    #[getter]
    fn absolute_deadline(&self) -> u32 {
        self.0.absolute_deadline
    }

    #[getter]
    fn policy_revision(&self) -> u32 {
        self.0.policy_revision
    }

    #[getter]
    fn acr(&self) -> u8 {
        self.0.acr
    }

    #[getter]
    fn amr(&self) -> Vec<&'static str> {
        Methods::from_bits(self.0.amr).names().collect()
    }

    #[getter]
    fn auth_time(&self) -> u32 {
        self.0.auth_time
    }

    #[getter]
    fn refresh_id_key(&self) -> u8 {
        self.0.refresh_id_key
    }

    #[getter]
    fn trust(&self) -> Option<f64> {
        self.0.trust()
    }

    #[getter]
    fn risk(&self) -> u8 {
        self.0.risk
    }

    #[getter]
    fn context<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.context)
    }
}
