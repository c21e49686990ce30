//! The front door.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use argus_door::{Certificate, Counted, Limits, OpenError, Options};
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;

use crate::engine::Engine;

/// One port for gRPC and HTTP: hot calls are answered in place, all else is passed on over unix sockets.
#[pyclass(frozen, module = "argus._core")]
pub(crate) struct Door(argus_door::Door);

#[pymethods]
impl Door {
    #[new]
    #[pyo3(signature = (engine, address, *, grpc_socket, http_socket, certificate = None, limits = None))]
    fn new(
        py: Python<'_>,
        engine: &Engine,
        address: &str,
        grpc_socket: PathBuf,
        http_socket: PathBuf,
        certificate: Option<&DoorCertificate>,
        limits: Option<&DoorLimits>,
    ) -> PyResult<Self> {
        let address: SocketAddr = address
            .parse()
            .map_err(|_| PyValueError::new_err("the address must be an IP address and a port"))?;
        let options = Options {
            address,
            grpc_socket,
            http_socket,
            certificate: certificate.map(|one| one.0.clone()),
            limits: limits.map(|one| one.0.clone()).unwrap_or_default(),
        };
        let engine = Arc::clone(&engine.0);
        py.detach(|| argus_door::Door::open(engine, options))
            .map(Self)
            .map_err(|error| match error {
                OpenError::Listen(error) => PyOSError::new_err(error.to_string()),
                OpenError::Certificate(error) => PyValueError::new_err(error.to_string()),
            })
    }

    /// Port that it listens on.
    #[getter]
    fn port(&self) -> u16 {
        self.0.address().port()
    }

    /// What it has counted since it was opened.
    fn counted(&self) -> DoorCounts {
        DoorCounts(self.0.counted())
    }

    /// Has new connections use another certificate.
    fn use_certificate(&self, certificate: &DoorCertificate) -> PyResult<()> {
        let used = self.0.use_certificate(&certificate.0);
        used.map_err(|error| PyValueError::new_err(error.to_string()))
    }

    /// Takes no further connections and lets calls finish, so many seconds at most; whether all have.
    fn close(&self, py: Python<'_>, grace: f64) -> PyResult<bool> {
        let grace = Duration::try_from_secs_f64(grace)
            .map_err(|_| PyValueError::new_err("grace must be a time in seconds"))?;
        Ok(py.detach(|| self.0.close(grace)))
    }
}

/// What a door has counted.
#[pyclass(frozen, module = "argus._core")]
pub(crate) struct DoorCounts(Counted);

#[pymethods]
impl DoorCounts {
    /// Upper bounds of the histogram of times, in seconds.
    #[classattr]
    const BUCKETS: [f64; argus_door::BUCKETS.len()] = argus_door::BUCKETS;

    /// Connections that are open now.
    #[getter]
    fn connections(&self) -> u64 {
        self.0.connections
    }

    /// The other counts, by name.
    #[getter]
    fn totals(&self) -> BTreeMap<&'static str, u64> {
        BTreeMap::from([
            ("mute", self.0.mute),
            ("cut", self.0.cut),
            ("passed", self.0.passed),
            ("shed", self.0.shed),
            ("late", self.0.late),
        ])
    }

    /// Hot calls answered in place: method, gRPC code, reason, how many.
    #[getter]
    fn handled(&self) -> Vec<(&'static str, i32, String, u64)> {
        let told = self.0.handled.iter();
        told.map(|one| (one.method, one.code, one.reason.clone(), one.count))
            .collect()
    }

    /// How long that took: method, seconds together, how many in each bucket.
    #[getter]
    fn timed(&self) -> Vec<(&'static str, f64, Vec<u64>)> {
        let told = self.0.timed.iter();
        told.map(|one| (one.method, one.seconds, one.within.clone()))
            .collect()
    }
}

/// What strangers may use up; what is not given has its default.
#[pyclass(frozen, module = "argus._core")]
pub(crate) struct DoorLimits(Limits);

#[pymethods]
impl DoorLimits {
    #[new]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments in Python")]
    #[pyo3(signature = (*, grpc = true, connections = None, streams = None, waiting = None, passed = None, aborts_per_second = None, handshake = None, request = None))]
    fn new(
        grpc: bool,
        connections: Option<usize>,
        streams: Option<u32>,
        waiting: Option<usize>,
        passed: Option<usize>,
        aborts_per_second: Option<u32>,
        handshake: Option<f64>,
        request: Option<f64>,
    ) -> PyResult<Self> {
        let mut limits = Limits {
            grpc,
            ..Limits::default()
        };
        limits.connections = connections.unwrap_or(limits.connections);
        limits.streams = streams.unwrap_or(limits.streams);
        limits.waiting = waiting.unwrap_or(limits.waiting);
        limits.passed = passed.unwrap_or(limits.passed);
        limits.aborts_per_second = aborts_per_second.unwrap_or(limits.aborts_per_second);
        for (given, limit) in [
            (handshake, &mut limits.handshake),
            (request, &mut limits.request),
        ] {
            if let Some(seconds) = given {
                *limit = Duration::try_from_secs_f64(seconds)
                    .map_err(|_| PyValueError::new_err("times are seconds"))?;
            }
        }
        Ok(Self(limits))
    }
}

/// A certificate chain with its key, and whose clients' certificates are asked for.
#[pyclass(frozen, module = "argus._core")]
pub(crate) struct DoorCertificate(Certificate);

#[pymethods]
impl DoorCertificate {
    #[new]
    #[pyo3(signature = (chain, key, *, client_authorities = None, requires_client = false))]
    fn new(
        chain: Vec<u8>,
        key: Vec<u8>,
        client_authorities: Option<Vec<u8>>,
        requires_client: bool,
    ) -> Self {
        Self(Certificate {
            chain,
            key,
            client_authorities,
            requires_client,
        })
    }
}
