//! The state cache: what Redis said of sessions that were good, for as long as it tells every change.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use argus_core::ids::SessionId;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use crate::call::{Call, Subject};
use crate::state::Living;
use crate::store::Marks;

/// What an entry takes besides its texts: itself, its name, places in the cache's lists.
const OVERHEAD: usize = size_of::<KnownState>() + 256;

/// The state of a session that was good.
pub(crate) struct KnownState {
    /// The record and what goes with it, as it was read.
    pub(crate) living: Living,
    /// Epochs of its keys before it was read.
    pub(crate) marks: Marks,
    /// A use of it waits to be written, or was: then a change of the record is on its way.
    pub(crate) is_used: AtomicBool,
    tenant_id: String,
    user_id: String,
    client_id: String,
}

impl KnownState {
    /// Of a session that was found to be good.
    pub(crate) fn new(call: &Call, subject: &Subject, living: Living, marks: Marks) -> Self {
        Self {
            living,
            marks,
            is_used: AtomicBool::new(false),
            tenant_id: call.tenant().id.clone(),
            user_id: subject.user_id.clone(),
            client_id: subject.client_id.clone(),
        }
    }

    /// Whether it was read for this user and this client: their state is in it.
    pub(crate) fn is_of(&self, call: &Call, subject: &Subject) -> bool {
        self.tenant_id == call.tenant().id
            && self.user_id == subject.user_id
            && self.client_id == subject.client_id
    }

    fn weight(&self) -> u32 {
        let texts = self.tenant_id.len() + self.user_id.len() + self.client_id.len();
        u32::try_from(OVERHEAD + texts).unwrap_or(u32::MAX)
    }
}

type Name = [u8; 24];

/// What is known over one tracking connection.
pub(crate) struct States {
    known: Cache<Name, Arc<KnownState>>,
}

impl States {
    /// A cache of about so many bytes; counts what made place for others.
    pub(crate) fn new(bytes: u64, evicted: Arc<AtomicU64>) -> Self {
        let known = Cache::builder()
            .max_capacity(bytes)
            .weigher(|_, known: &Arc<KnownState>| known.weight())
            .eviction_policy(EvictionPolicy::lru())
            .eviction_listener(move |_, _, cause| {
                if cause.was_evicted() {
                    evicted.fetch_add(1, Ordering::Relaxed);
                }
            })
            .build();
        Self { known }
    }

    /// What was read of a session.
    pub(crate) fn get(&self, session_id: &SessionId) -> Option<Arc<KnownState>> {
        self.known.get(&name(session_id)?)
    }

    /// Keeps what was read of a session.
    pub(crate) fn put(&self, session_id: &SessionId, known: KnownState) {
        if let Some(name) = name(session_id) {
            self.known.insert(name, Arc::new(known));
        }
    }

    /// How many entries there are, and about how many bytes they take.
    pub(crate) fn size(&self) -> (u64, u64) {
        self.known.run_pending_tasks();
        (self.known.entry_count(), self.known.weighted_size())
    }

    /// How many sessions fit into so many bytes.
    pub(crate) const fn capacity(bytes: u64) -> u64 {
        bytes / OVERHEAD as u64
    }
}

fn name(session_id: &SessionId) -> Option<Name> {
    session_id.as_str().as_bytes().try_into().ok()
}
