//! The engine as Python and the front door see it.

mod tokens;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use prost::Message as _;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::time::timeout;

use crate::activity::{self, ActivityQueue};
use crate::answer::{Answer, Incoming, answer, authenticate};
use crate::call::Shared;
use crate::counters::Counters;
use crate::effects::EffectQueue;
use crate::figures;
use crate::options::{OpenError, Options};
use crate::proto::internal::{Effects, NeedsFlow};
use crate::quota::Quotas;
use crate::signatures::Signatures;
use crate::snapshot::{KeyFault, KeysUnread, Snapshot, SnapshotError};
use crate::status::{Refusal, Stop};
use crate::store::{Store, StoreError, Tracking};

const OK: u8 = 0;
const STATUS: u8 = 1;
const NEEDS_FLOW: u8 = 2;

/// Threads that serve the connection to Redis and the items of batches.
const WORKERS: usize = 2;

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
        let store = Arc::new(Store::new(
            options.redis_timeout,
            options.redis_ca_pem,
            options.lease,
            options.clock.clone(),
        ));
        if let Some(url) = &options.redis_url {
            let _inside = runtime.enter();
            store.lead_to(url).map_err(|_| OpenError::Redis)?;
        }
        let caches = options.caches;
        if caches.state_bytes > 0 {
            Tracking::start(&store, caches.state_bytes)?;
        }
        let shared = Arc::new(Shared {
            activity: ActivityQueue::new(caches.activity_queue, options.clock.clone()),
            clock: options.clock,
            store,
            callers: Signatures::new(caches.caller_bytes),
            signatures: Signatures::new(caches.signature_bytes),
            snapshot: ArcSwapOption::empty(),
            effects: EffectQueue::new(options.effect_capacity),
            counters: Counters::new(),
            quotas: Quotas::new(options.quotas),
        });
        runtime.spawn(activity::write_on(Arc::clone(&shared)));
        Ok(Self {
            shared,
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

    /// Takes a snapshot in the place of the one before; says which keys of it cannot be used.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`]; the one before stays in force.
    pub fn load(&self, snapshot: &[u8]) -> Result<Vec<KeyFault>, SnapshotError> {
        let before = self.shared.snapshot.load();
        let (snapshot, faults) = Snapshot::decode(snapshot, before.as_deref())?;
        self.shared.snapshot.store(Some(Arc::new(snapshot)));
        Ok(faults)
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

    /// The same on the engine's own threads ([`Self::handle`]).
    pub async fn answer_in_place(&self, incoming: Incoming<'_>) -> Answer {
        match answer(&self.shared, incoming).await {
            Ok(response) => Answer::Response(response),
            Err(Stop::Refused(refusal)) => Answer::Refused(refusal.encode()),
            Err(Stop::Flow(need)) => Answer::Flow(need),
        }
    }

    /// Keeps what a need has to say where nobody is there to meet it: a verdict that must reach `PostgreSQL`.
    pub fn keep(&self, need: NeedsFlow) {
        if let Some(effect) = need.effect {
            self.shared.push(effect);
        }
    }

    /// The engine's threads.
    #[must_use]
    pub const fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Authenticates the caller of an RPC that Python serves: (0, `argus.internal.v1.Caller`), (1, `google.rpc.Status`)
    /// or (2, `argus.internal.v1.NeedsFlow`), encoded. Never touches Redis.
    #[must_use]
    pub fn authenticate(
        &self,
        incoming: Incoming<'_>,
        scope: &str,
        system_tenant_only: bool,
    ) -> (u8, Vec<u8>) {
        match authenticate(&self.shared, incoming, scope, system_tenant_only) {
            Ok(caller) => (OK, caller),
            Err(Stop::Refused(refusal)) => (STATUS, refusal.encode()),
            Err(Stop::Flow(need)) => (NEEDS_FLOW, need.encode_to_vec()),
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
    ///
    /// # Errors
    ///
    /// [`KeysUnread`].
    pub fn jwks(&self, tenant_id: &str) -> Result<Option<Vec<u8>>, KeysUnread> {
        let snapshot = self.shared.snapshot.load();
        let tenant = snapshot
            .as_ref()
            .and_then(|snapshot| snapshot.tenant(tenant_id));
        tenant
            .map(|tenant| tenant.jwks.clone().ok_or(KeysUnread))
            .transpose()
    }

    /// Counts since the start, by `name{label=value}`.
    #[must_use]
    pub fn counters(&self) -> BTreeMap<String, u64> {
        let mut counters = self.shared.counters.all();
        counters.extend(figures::counters(&self.shared));
        counters
    }

    /// Writes the uses of sessions that wait; answers how many still do after the time: Redis did not take them.
    #[must_use]
    pub fn write_activity(&self, wait: Duration) -> usize {
        if !self.is_closed() {
            let writing = activity::write_all(&self.shared);
            let _ = self.handle.block_on(async { timeout(wait, writing).await });
        }
        self.shared.activity.queued().0
    }

    /// Figures of now, by name.
    #[must_use]
    pub fn gauges(&self) -> BTreeMap<&'static str, i64> {
        figures::gauges(&self.shared)
    }

    /// Ends the engine's threads; calls are then answered with `UNAVAILABLE`.
    pub fn close(&self) {
        let runtime = self
            .runtime
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(runtime) = runtime {
            self.shared.store.tracking.stop();
            runtime.shutdown_background();
        }
    }

    fn is_closed(&self) -> bool {
        self.runtime
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_none()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.close();
    }
}
