//! How an engine is opened.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::lease::Lease;
use crate::quota::QuotaOptions;

/// What is kept in memory of what was seen before. By default nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Caches {
    /// About how many bytes of verified tokens of callers; 0: none.
    pub caller_bytes: u64,
    /// About how many bytes of verified tokens that callers ask about; 0: none.
    pub signature_bytes: u64,
    /// About how many bytes of states of sessions; 0: none.
    pub state_bytes: u64,
    /// Most uses of sessions that may wait to be written together; 0: each is written in place.
    pub activity_queue: usize,
}

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
    /// What is kept in memory.
    pub caches: Caches,
    /// How many calls are taken.
    pub quotas: QuotaOptions,
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
