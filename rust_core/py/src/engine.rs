//! The engine.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use argus_engine::{Caches, Incoming, IssueFailure, Options, QuotaOptions};
use pyo3::exceptions::{PyKeyError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::clock::Clock;
use crate::lease::Lease;

/// Answers the hot RPCs: bytes in, bytes out, with the GIL free.
#[pyclass(frozen, module = "argus._core")]
pub(crate) struct Engine(pub(crate) Arc<argus_engine::Engine>);

#[pymethods]
impl Engine {
    #[new]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments in Python")]
    #[pyo3(signature = (
        *, redis_url, clock, redis_timeout_ms = 2000, effect_capacity = 100_000, redis_ca_pem = None, lease = None,
        caller_cache = 0, signature_cache = 0, state_cache = 0, activity_queue = 0, quotas = None,
    ))]
    fn new(
        redis_url: Option<String>,
        clock: &Clock,
        redis_timeout_ms: u64,
        effect_capacity: usize,
        redis_ca_pem: Option<Vec<u8>>,
        lease: Option<&Lease>,
        caller_cache: u64,
        signature_cache: u64,
        state_cache: u64,
        activity_queue: usize,
        quotas: Option<(u32, u32)>,
    ) -> PyResult<Self> {
        let options = Options {
            redis_url,
            redis_timeout: Duration::from_millis(redis_timeout_ms),
            redis_ca_pem,
            lease: lease.map(|lease| Arc::clone(&lease.0)),
            effect_capacity,
            caches: Caches {
                caller_bytes: caller_cache,
                signature_bytes: signature_cache,
                state_bytes: state_cache,
                activity_queue,
            },
            quotas: QuotaOptions {
                caller: quotas.and_then(|(caller, _)| NonZeroU32::new(caller)),
                tenant: quotas.and_then(|(_, tenant)| NonZeroU32::new(tenant)),
            },
            clock: clock.0.clone(),
        };
        let engine = argus_engine::Engine::open(options);
        engine
            .map(|engine| Self(Arc::new(engine)))
            .map_err(|error| PyValueError::new_err(error.to_string()))
    }

    /// Speaks to the Redis at this URL from now on.
    fn use_primary(&self, url: &str) -> PyResult<()> {
        let used = self.0.use_primary(url);
        used.map_err(|error| PyValueError::new_err(error.to_string()))
    }

    /// Asks Redis over the engine's own connection; why it can't be used, or None.
    fn ping(&self, py: Python<'_>) -> Option<&'static str> {
        py.detach(|| self.0.ping())
    }

    /// Takes an encoded `argus.internal.v1.Snapshot` in the place of the one before.
    fn load(&self, py: Python<'_>, snapshot: &[u8]) -> PyResult<Vec<String>> {
        let loaded = py.detach(|| self.0.load(snapshot));
        let faults = loaded.map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(faults.iter().map(ToString::to_string).collect())
    }

    /// Version of the snapshot; 0 before the first.
    fn snapshot_version(&self) -> u64 {
        self.0.snapshot_version()
    }

    /// Answers one of `HOT_METHODS`.
    #[expect(
        clippy::too_many_arguments,
        clippy::fn_params_excessive_bools,
        reason = "keyword arguments in Python"
    )]
    #[pyo3(signature = (
        method, request, *, authorization, request_id, deadline_ms, postgresql_answers = false,
        snapshot_confirmed = false, context_judged = false, rules_judged = false, is_repeat = false, call_id = "",
        scope = "",
    ))]
    fn answer<'py>(
        &self,
        py: Python<'py>,
        method: &str,
        request: &[u8],
        authorization: Option<&str>,
        request_id: &str,
        deadline_ms: i64,
        postgresql_answers: bool,
        snapshot_confirmed: bool,
        context_judged: bool,
        rules_judged: bool,
        is_repeat: bool,
        call_id: &str,
        scope: &str,
    ) -> (u8, Bound<'py, PyBytes>) {
        let incoming = Incoming {
            path: method,
            request,
            authorization,
            request_id,
            call_id,
            deadline_ms,
            postgresql_answers,
            snapshot_confirmed,
            context_judged,
            rules_judged,
            is_repeat,
            scope,
        };
        let (kind, bytes) = py.detach(|| self.0.answer(incoming));
        (kind, PyBytes::new(py, &bytes))
    }

    /// Authenticates the caller of an RPC that Python serves.
    #[pyo3(signature = (authorization, *, scope, system_tenant_only, request_id = "", snapshot_confirmed = false))]
    fn authenticate<'py>(
        &self,
        py: Python<'py>,
        authorization: Option<&str>,
        scope: &str,
        system_tenant_only: bool,
        request_id: &str,
        snapshot_confirmed: bool,
    ) -> (u8, Bound<'py, PyBytes>) {
        let incoming = Incoming {
            authorization,
            request_id,
            snapshot_confirmed,
            ..Incoming::default()
        };
        let (kind, bytes) = py.detach(|| self.0.authenticate(incoming, scope, system_tenant_only));
        (kind, PyBytes::new(py, &bytes))
    }

    /// Checks a proof of possession; with an attempt it is used up, but for that same attempt.
    #[pyo3(signature = (proof, *, tenant_id, caller, attempt))]
    fn check_proof<'py>(
        &self,
        py: Python<'py>,
        proof: &[u8],
        tenant_id: &str,
        caller: &str,
        attempt: Option<&[u8]>,
    ) -> (u8, Bound<'py, PyBytes>) {
        let (kind, bytes) = py.detach(|| self.0.check_proof(proof, tenant_id, caller, attempt));
        (kind, PyBytes::new(py, &bytes))
    }

    /// Encoded `argus.v1.TokenSet` for an encoded `argus.internal.v1.IssueRequest`.
    fn issue<'py>(&self, py: Python<'py>, request: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        let tokens = py
            .detach(|| self.0.issue(request))
            .map_err(|failure| to_python(&failure))?;
        Ok(PyBytes::new(py, &tokens))
    }

    /// Encoded `argus.v1.TokenSet` for an encoded `argus.internal.v1.IssueClientTokenInput`.
    fn issue_client_token<'py>(
        &self,
        py: Python<'py>,
        request: &[u8],
    ) -> PyResult<Bound<'py, PyBytes>> {
        let tokens = py
            .detach(|| self.0.issue_client_token(request))
            .map_err(|failure| to_python(&failure))?;
        Ok(PyBytes::new(py, &tokens))
    }

    /// The claims of a token whose signature, type, issuer and times are good, expired ones too.
    #[pyo3(signature = (token, *, snapshot_confirmed = false))]
    fn read_token<'py>(
        &self,
        py: Python<'py>,
        token: &str,
        snapshot_confirmed: bool,
    ) -> (u8, Bound<'py, PyBytes>) {
        let (kind, bytes) = py.detach(|| self.0.read_token(token, snapshot_confirmed));
        (kind, PyBytes::new(py, &bytes))
    }

    /// The claims of a refresh token that stands for its session, if only for a step-up.
    #[pyo3(signature = (token, *, tenant_id, snapshot_confirmed = false))]
    fn read_refresh_token<'py>(
        &self,
        py: Python<'py>,
        token: &str,
        tenant_id: &str,
        snapshot_confirmed: bool,
    ) -> (u8, Bound<'py, PyBytes>) {
        let (kind, bytes) = py.detach(|| {
            self.0
                .read_refresh_token(tenant_id, token, snapshot_confirmed)
        });
        (kind, PyBytes::new(py, &bytes))
    }

    /// Up to `limit` effects, the oldest, which stay in the queue.
    fn peek_effects<'py>(&self, py: Python<'py>, limit: usize) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.peek_effects(limit))
    }

    /// Takes the oldest effects out of the queue.
    fn discard_effects(&self, count: usize) {
        self.0.discard_effects(count);
    }

    /// Adds effects.
    fn queue_effects(&self, effects: &[u8]) -> PyResult<()> {
        let queued = self.0.queue_effects(effects);
        queued.map_err(|_| PyValueError::new_err("the bytes are not encoded Effects"))
    }

    /// Queues the counts of refusals that were not told yet.
    fn end_counts(&self) {
        self.0.end_counts();
    }

    /// How many effects wait, and for how many milliseconds the oldest has.
    fn effects_queued(&self) -> (usize, i64) {
        self.0.effects_queued()
    }

    /// The tenant's published key set as JSON.
    fn jwks<'py>(&self, py: Python<'py>, tenant_id: &str) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let set = self.0.jwks(tenant_id);
        let set = set.map_err(|error| PyKeyError::new_err(error.to_string()))?;
        Ok(set.map(|set| PyBytes::new(py, &set)))
    }

    /// Counts since the start.
    fn counters(&self) -> BTreeMap<String, u64> {
        self.0.counters()
    }

    /// Figures of now.
    fn gauges(&self) -> BTreeMap<&'static str, i64> {
        self.0.gauges()
    }

    /// Writes the uses of sessions that wait; how many still do.
    fn write_activity(&self, py: Python<'_>, wait_ms: u64) -> usize {
        py.detach(|| self.0.write_activity(Duration::from_millis(wait_ms)))
    }

    /// Ends the engine's threads.
    fn close(&self, py: Python<'_>) {
        py.detach(|| self.0.close());
    }
}

fn to_python(failure: &IssueFailure) -> PyErr {
    let text = failure.to_string();
    match failure {
        IssueFailure::Invalid(_) => PyValueError::new_err(text),
        IssueFailure::Unknown(_) => PyKeyError::new_err(text),
        IssueFailure::Failed(_) => PyRuntimeError::new_err(text),
    }
}
