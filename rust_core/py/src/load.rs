//! The load client of benchmarks, and their yardsticks.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use argus_load::{LoadError, Pace, Plan, Report};
use pyo3::exceptions::{PyConnectionError, PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// A run under way: one method, called many times from a thread of its own. Giving it up stops the run.
#[pyclass(frozen, module = "argus._core")]
pub(crate) struct Load(Mutex<argus_load::Load>);

#[pymethods]
impl Load {
    #[new]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments in Python")]
    #[pyo3(signature = (
        address, method, requests, *, calls, authorization, deadline_ms, connections, in_flight = None, rate = None,
    ))]
    fn new(
        address: String,
        method: String,
        requests: Vec<Vec<u8>>,
        calls: usize,
        authorization: String,
        deadline_ms: u64,
        connections: usize,
        in_flight: Option<usize>,
        rate: Option<f64>,
    ) -> PyResult<Self> {
        let pace = match (in_flight, rate) {
            (Some(in_flight), None) => Pace::Closed { in_flight },
            (None, Some(rate)) => Pace::Open { rate },
            _ => {
                return Err(PyValueError::new_err(
                    "either in_flight or rate must be given",
                ));
            }
        };
        let plan = Plan {
            address,
            method,
            requests,
            calls,
            authorization,
            pace,
            connections,
            deadline: Duration::from_millis(deadline_ms),
        };
        argus_load::Load::start(plan)
            .map(|load| Self(Mutex::new(load)))
            .map_err(|error| to_py(&error))
    }

    /// Calls answered so far.
    #[getter]
    fn answered(&self, py: Python<'_>) -> usize {
        py.detach(|| self.load().answered())
    }

    /// Waits for the end of the run, so many seconds at most; None if it has not come by then.
    fn wait(&self, py: Python<'_>, seconds: f64) -> PyResult<Option<LoadReport>> {
        let at_most = Duration::try_from_secs_f64(seconds)
            .map_err(|_| PyValueError::new_err("seconds must be a time"))?;
        match py.detach(|| self.load().wait(at_most)) {
            None => Ok(None),
            Some(outcome) => outcome
                .map(|report| Some(LoadReport(report)))
                .map_err(|error| to_py(&error)),
        }
    }
}

impl Load {
    fn load(&self) -> std::sync::MutexGuard<'_, argus_load::Load> {
        // What is inside stays whole whatever another thread has met.
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// What came of a run.
#[pyclass(frozen, module = "argus._core")]
pub(crate) struct LoadReport(Report);

#[pymethods]
impl LoadReport {
    /// From the first call to the last answer.
    #[getter]
    fn seconds(&self) -> f64 {
        self.0.took.as_secs_f64()
    }

    /// CPU time of the client's thread.
    #[getter]
    fn client_cpu_seconds(&self) -> f64 {
        self.0.client_cpu.as_secs_f64()
    }

    /// Answers by `google.rpc.Code`.
    #[getter]
    fn codes(&self) -> BTreeMap<i32, usize> {
        let mut codes = BTreeMap::new();
        for answer in &self.0.answers {
            *codes.entry(answer.code).or_default() += 1;
        }
        codes
    }

    /// Of each call its code, and the encoded response or what the server said.
    fn answers<'py>(&self, py: Python<'py>) -> Vec<(i32, Bound<'py, PyBytes>)> {
        let answers = self.0.answers.iter();
        answers
            .map(|one| (one.code, PyBytes::new(py, &one.content)))
            .collect()
    }

    /// Seconds within which so many percent of the calls were answered; in an open loop from when they were due.
    fn latency(&self, percent: f64) -> f64 {
        self.0.latency.percentile(percent).as_secs_f64()
    }

    /// Seconds within which so many percent of the calls were answered, from when they were made.
    fn response(&self, percent: f64) -> f64 {
        self.0.response.percentile(percent).as_secs_f64()
    }

    /// Seconds by which so many percent of the calls of an open loop were late at most.
    fn lateness(&self, percent: f64) -> f64 {
        self.0.lateness.percentile(percent).as_secs_f64()
    }
}

/// A gRPC server that answers every unary call with the same bytes, on threads of its own.
#[pyclass(frozen, module = "argus._core")]
pub(crate) struct Echo(argus_load::Echo);

#[pymethods]
impl Echo {
    #[new]
    fn new(address: &str, answer: Vec<u8>) -> PyResult<Self> {
        let address: SocketAddr = address
            .parse()
            .map_err(|_| PyValueError::new_err("the address must be an IP address and a port"))?;
        let opened = argus_load::Echo::open(address, answer);
        opened
            .map(Self)
            .map_err(|error| PyOSError::new_err(error.to_string()))
    }

    /// Port that it listens on.
    #[getter]
    fn port(&self) -> u16 {
        self.0.address().port()
    }
}

/// CPU seconds of one bare signature of each kind: the mean of so many.
#[pyfunction]
pub(crate) fn signature_costs(py: Python<'_>, count: u32) -> PyResult<BTreeMap<&'static str, f64>> {
    let costs = py
        .detach(|| argus_load::signature_costs(count))
        .map_err(|error| to_py(&error))?;
    Ok(BTreeMap::from([
        ("RSA-2048 sign", costs.rsa_2048_sign.as_secs_f64()),
        ("RSA-2048 verify", costs.rsa_2048_verify.as_secs_f64()),
        ("Ed25519 sign", costs.ed25519_sign.as_secs_f64()),
        ("Ed25519 verify", costs.ed25519_verify.as_secs_f64()),
    ]))
}

fn to_py(error: &LoadError) -> PyErr {
    let message = error.to_string();
    match error {
        LoadError::Plan(_) => PyValueError::new_err(message),
        LoadError::Unreachable { .. } => PyConnectionError::new_err(message),
        LoadError::System(_) => PyOSError::new_err(message),
    }
}
