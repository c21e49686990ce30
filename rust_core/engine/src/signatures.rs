//! The signature cache: tokens that were verified, by the SHA-256 of their text.
//!
//! A hit can only say yes: whatever it can't say yes to is verified in full, so that every refusal is the one that there
//! would be without it. Key, reader and times are checked at every hit ([`KnownAccess::check`]).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use argus_core::token::{Expected, FaultClass, KeySource, KnownAccess};
use aws_lc_rs::digest::{SHA256, digest};
use moka::Expiry;
use moka::notification::RemovalCause;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

/// What an entry takes besides its token: name, places in the cache's lists.
const OVERHEAD: usize = 256;

type Name = [u8; 32];

/// Tokens that were verified.
pub(crate) struct Signatures {
    known: Option<Cache<Name, Known>>,
    /// Tokens that were known.
    pub(crate) hits: AtomicU64,
    /// Tokens that were verified in full.
    pub(crate) misses: AtomicU64,
    /// Entries that made place for others before their token was over.
    pub(crate) evicted: Arc<AtomicU64>,
}

#[derive(Clone)]
struct Known {
    token: Arc<KnownAccess>,
    life: Duration,
}

/// Entries leave when their token is over.
struct UntilExpiry;

impl Expiry<Name, Known> for UntilExpiry {
    fn expire_after_create(&self, _: &Name, known: &Known, _: Instant) -> Option<Duration> {
        Some(known.life)
    }
}

impl Signatures {
    /// A cache of about so many bytes; 0: none.
    pub(crate) fn new(bytes: u64) -> Self {
        let evicted = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&evicted);
        let known = (bytes > 0).then(|| {
            Cache::builder()
                .max_capacity(bytes)
                .weigher(|_, known: &Known| weight(&known.token))
                .eviction_policy(EvictionPolicy::lru())
                .expire_after(UntilExpiry)
                .eviction_listener(move |_, _, cause| {
                    if cause == RemovalCause::Size {
                        counted.fetch_add(1, Ordering::Relaxed);
                    }
                })
                .build()
        });
        Self {
            known,
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            evicted,
        }
    }

    /// Verifies an access token, by what is known of it where that is enough.
    pub(crate) fn verify(
        &self,
        token: &str,
        expected: &Expected<'_>,
        keys: &impl KeySource,
    ) -> Result<Arc<KnownAccess>, FaultClass> {
        let Some(cache) = &self.known else {
            return KnownAccess::verify(token, expected, keys).map(Arc::new);
        };
        let name = name(token);
        if let Some(known) = cache.get(&name) {
            if known.token.check(expected, keys).is_ok() {
                self.hits.fetch_add(1, Ordering::Relaxed);
                return Ok(known.token);
            }
            // Its key may be gone; a token that is good somewhere else comes back by itself.
            cache.invalidate(&name);
        }
        self.misses.fetch_add(1, Ordering::Relaxed);
        let token = Arc::new(KnownAccess::verify(token, expected, keys)?);
        let left = token.expires().saturating_sub(expected.now);
        let known = Known {
            token: Arc::clone(&token),
            life: Duration::from_secs(left.into()),
        };
        cache.insert(name, known);
        Ok(token)
    }

    /// How many entries there are, and about how many bytes they take.
    pub(crate) fn size(&self) -> (u64, u64) {
        let Some(cache) = &self.known else {
            return (0, 0);
        };
        cache.run_pending_tasks();
        (cache.entry_count(), cache.weighted_size())
    }
}

fn name(token: &str) -> Name {
    let full = digest(&SHA256, token.as_bytes());
    full.as_ref().first_chunk().copied().unwrap_or_default()
}

fn weight(token: &KnownAccess) -> u32 {
    u32::try_from(token.size() + OVERHEAD).unwrap_or(u32::MAX)
}
