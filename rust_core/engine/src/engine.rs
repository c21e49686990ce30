//! The engine as Python, and later the front door, sees it.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use prost::Message as _;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::answer::{Incoming, answer, authenticate};
use crate::call::{Shared, seconds};
use crate::clock::Clock;
use crate::counters::Counters;
use crate::effects::EffectQueue;
use crate::issue::{self, IssueFailure};
use crate::lease::Lease;
use crate::proof::{self, Unproven};
use crate::proto::internal::{Effects, IssueClientTokenInput, IssueRequest};
use crate::read::{self, NotRead};
use crate::snapshot::{Snapshot, SnapshotError};
use crate::status::{Refusal, Stop};
use crate::store::{Store, StoreError};
use crate::unknowns::Unknowns;

const OK: u8 = 0;
const STATUS: u8 = 1;
const NEEDS_FLOW: u8 = 2;
const FIELD: u8 = 2;
const AWAY: u8 = 3;

/// Threads that serve the connection to Redis and the items of batches.
const WORKERS: usize = 2;

/// How an engine is opened.
pub struct Options {
    /// URL of Redis: `redis://` or `rediss://`; `None`: [`Engine::use_primary`] says it.
    pub redis_url: Option<String>,
    /// Longest wait for an answer of Redis.
    pub redis_timeout: Duration,
    /// Certificate authorities for `rediss://`; `None`: the system's.
    pub redis_ca_pem: Option<Vec<u8>>,
    /// What may be believed of Redis; `None`: whatever it says, there is only the one.
    pub lease: Option<Arc<Lease>>,
    /// Most effects that wait.
    pub effect_capacity: usize,
    /// Time.
    pub clock: Clock,
}

/// An engine could not be opened. The text holds no URL: a password may be in it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL or the certificates are not good.
    #[error(
        "redis_url or redis_ca_pem cannot be used; say redis://[user:password@]host[:port][/database]"
    )]
    Redis,
    /// The system gave no threads.
    #[error("the engine's threads could not be started: {0}")]
    Threads(#[from] std::io::Error),
}

/// Answers the hot RPCs.
pub struct Engine {
    shared: Arc<Shared>,
    handle: Handle,
    runtime: Mutex<Option<Runtime>>,
}

impl Engine {
    /// An engine over a Redis; connects at the first call.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub fn open(options: Options) -> Result<Self, OpenError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .thread_name("argus-engine")
            .enable_all()
            .build()?;
        let store = Store::new(options.redis_timeout, options.redis_ca_pem, options.lease);
        if let Some(url) = &options.redis_url {
            let _inside = runtime.enter();
            store.lead_to(url).map_err(|_| OpenError::Redis)?;
        }
        let shared = Shared {
            clock: options.clock,
            store,
            snapshot: ArcSwapOption::empty(),
            effects: EffectQueue::new(options.effect_capacity),
            counters: Counters::new(),
            unknowns: Unknowns::default(),
        };
        Ok(Self {
            shared: Arc::new(shared),
            handle: runtime.handle().clone(),
            runtime: Mutex::new(Some(runtime)),
        })
    }

    /// Speaks to the Redis at a URL from now on.
    ///
    /// # Errors
    ///
    /// [`OpenError::Redis`]; the one before stays.
    pub fn use_primary(&self, url: &str) -> Result<(), OpenError> {
        let _inside = self.handle.enter();
        self.shared.store.lead_to(url).map_err(|_| OpenError::Redis)
    }

    /// Asks Redis over the engine's own connection, as a call does; says why it can't be used, if so.
    #[must_use]
    pub fn ping(&self) -> Option<&'static str> {
        if self.is_closed() {
            return Some("closed");
        }
        match self.handle.block_on(self.shared.store.ping()) {
            // The first call that misses the functions loads them.
            Ok(()) | Err(StoreError::FunctionsMissing) => None,
            Err(StoreError::Away(kind)) => Some(kind),
        }
    }

    /// Takes a snapshot in the place of the one before.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`]; the one before stays in force.
    pub fn load(&self, snapshot: &[u8]) -> Result<(), SnapshotError> {
        let before = self.shared.snapshot.load();
        let snapshot = Snapshot::decode(snapshot, before.as_deref())?;
        self.shared.snapshot.store(Some(Arc::new(snapshot)));
        Ok(())
    }

    /// Version of the snapshot; 0 before the first.
    #[must_use]
    pub fn snapshot_version(&self) -> u64 {
        self.shared
            .snapshot
            .load()
            .as_ref()
            .map_or(0, |snapshot| snapshot.version)
    }

    /// Answers a hot RPC: (0, response), (1, `google.rpc.Status`) or (2, `argus.internal.v1.NeedsFlow`), encoded.
    #[must_use]
    pub fn answer(&self, incoming: Incoming<'_>) -> (u8, Vec<u8>) {
        if self.is_closed() {
            return (STATUS, Refusal::unavailable("engine").encode());
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            self.handle.block_on(answer(&self.shared, incoming))
        }));
        match outcome {
            Ok(Ok(response)) => (OK, response),
            Ok(Err(Stop::Refused(refusal))) => (STATUS, refusal.encode()),
            Ok(Err(Stop::Flow(need))) => (NEEDS_FLOW, need.encode_to_vec()),
            Err(_) => (STATUS, Refusal::internal(incoming.request_id).encode()),
        }
    }

    /// Authenticates the caller of an RPC that Python serves: (0, `argus.internal.v1.Caller`) or (1,
    /// `google.rpc.Status`), encoded. Never touches Redis.
    #[must_use]
    pub fn authenticate(
        &self,
        authorization: Option<&str>,
        scope: &str,
        system_tenant_only: bool,
        request_id: &str,
    ) -> (u8, Vec<u8>) {
        let asked = authenticate(
            &self.shared,
            authorization,
            scope,
            system_tenant_only,
            request_id,
        );
        match asked {
            Ok(caller) => (OK, caller),
            Err(refusal) => (STATUS, refusal.encode()),
        }
    }

    /// Encoded `argus.v1.TokenSet` for an encoded `argus.internal.v1.IssueRequest`.
    ///
    /// # Errors
    ///
    /// [`IssueFailure`].
    pub fn issue(&self, request: &[u8]) -> Result<Vec<u8>, IssueFailure> {
        let request =
            IssueRequest::decode(request).map_err(|_| IssueFailure::undecodable("IssueRequest"))?;
        Ok(issue::session(&*self.snapshot()?, &request)?.encode_to_vec())
    }

    /// Encoded `argus.v1.TokenSet` for an encoded `argus.internal.v1.IssueClientTokenInput`.
    ///
    /// # Errors
    ///
    /// [`IssueFailure`].
    pub fn issue_client_token(&self, request: &[u8]) -> Result<Vec<u8>, IssueFailure> {
        let request = IssueClientTokenInput::decode(request)
            .map_err(|_| IssueFailure::undecodable("IssueClientTokenInput"))?;
        Ok(issue::client_token(&*self.snapshot()?, &request)?.encode_to_vec())
    }

    /// Checks a proof of possession: (0, encoded `argus.v1.Confirmation`), (1, class of the fault), (2, field that the
    /// caller got wrong) or (3, part that is away). With an attempt the proof is used up, but for that same attempt.
    #[must_use]
    pub fn check_proof(
        &self,
        proof: &[u8],
        tenant_id: &str,
        caller: &str,
        attempt: Option<&[u8]>,
    ) -> (u8, Vec<u8>) {
        if self.is_closed() {
            return (AWAY, b"engine".to_vec());
        }
        let checking = proof::check(&self.shared, proof, tenant_id, caller, attempt);
        match self.handle.block_on(checking) {
            Ok(confirmation) => (OK, confirmation.encode_to_vec()),
            Err(Unproven::Fault(class)) => (STATUS, class.as_bytes().to_vec()),
            Err(Unproven::Field(field)) => (FIELD, field.into_bytes()),
            Err(Unproven::Away) => (AWAY, b"redis".to_vec()),
        }
    }

    /// (0, encoded `argus.internal.v1.TokenClaims`) or (1, class of the fault).
    #[must_use]
    pub fn read_token(&self, token: &str) -> (u8, Vec<u8>) {
        let Ok(snapshot) = self.snapshot() else {
            return (STATUS, b"key".to_vec());
        };
        match read::read(&snapshot, token, seconds(self.shared.clock.now_ms())) {
            Ok(claims) => (OK, claims.encode_to_vec()),
            Err(fault) => (STATUS, fault.as_bytes().to_vec()),
        }
    }

    /// (0, encoded `argus.internal.v1.TokenClaims`) of a refresh token that is good now or whose signing key alone was
    /// pulled; (1, class of the fault); or (2, nothing): the snapshot may be behind, ask again once it was read anew.
    #[must_use]
    pub fn read_refresh_token(
        &self,
        tenant_id: &str,
        token: &str,
        request_id: &str,
    ) -> (u8, Vec<u8>) {
        let now_ms = self.shared.clock.now_ms();
        let Ok(snapshot) = self.snapshot() else {
            return (NEEDS_FLOW, Vec::new());
        };
        match read::read_refresh(&snapshot, tenant_id, token, seconds(now_ms)) {
            Ok(claims) => (OK, claims.encode_to_vec()),
            Err(NotRead::Unknown(name))
                if self.shared.unknowns.may_ask(&name, request_id, now_ms) =>
            {
                (NEEDS_FLOW, Vec::new())
            }
            Err(NotRead::Unknown(_)) => (STATUS, b"key".to_vec()),
            Err(NotRead::Fault(class)) => (STATUS, class.as_bytes().to_vec()),
        }
    }

    /// The oldest effects, which stay in the queue: encoded `argus.internal.v1.Effects`.
    #[must_use]
    pub fn peek_effects(&self, limit: usize) -> Vec<u8> {
        let effects = self.shared.effects.peek(limit);
        Effects { effects }.encode_to_vec()
    }

    /// Takes the oldest effects out of the queue.
    pub fn discard_effects(&self, count: usize) {
        self.shared.effects.discard(count);
    }

    /// Adds effects; counts those that were dropped because the queue is full.
    ///
    /// # Errors
    ///
    /// [`prost::DecodeError`] if they are none.
    pub fn queue_effects(&self, effects: &[u8]) -> Result<(), prost::DecodeError> {
        for effect in Effects::decode(effects)?.effects {
            if !self.shared.effects.push(effect) {
                self.shared.counters.dropped_effect();
            }
        }
        Ok(())
    }

    /// Adds the counts of refusals of the minutes that are under way: before an end.
    pub fn end_counts(&self) {
        self.shared.effects.tell_counts(i64::MAX);
    }

    /// How many effects wait, and for how many milliseconds the oldest has.
    #[must_use]
    pub fn effects_queued(&self) -> (usize, i64) {
        self.shared.effects.queued(self.shared.clock.now_ms())
    }

    /// A tenant's published key set as JSON.
    #[must_use]
    pub fn jwks(&self, tenant_id: &str) -> Option<Vec<u8>> {
        let snapshot = self.shared.snapshot.load();
        Some(snapshot.as_ref()?.tenant(tenant_id)?.jwks.clone())
    }

    /// Counts since the start, by `name{label=value}`.
    #[must_use]
    pub fn counters(&self) -> BTreeMap<String, u64> {
        self.shared.counters.all()
    }

    /// Ends the engine's threads; calls are then answered with `UNAVAILABLE`.
    pub fn close(&self) {
        let runtime = self
            .runtime
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(runtime) = runtime {
            runtime.shutdown_background();
        }
    }

    fn is_closed(&self) -> bool {
        self.runtime
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_none()
    }

    fn snapshot(&self) -> Result<Arc<Snapshot>, IssueFailure> {
        let snapshot = self.shared.snapshot.load_full();
        snapshot.ok_or_else(|| IssueFailure::Unknown("anything yet".to_owned()))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.close();
    }
}
