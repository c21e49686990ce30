//! The connection on which Redis tells which keys have changed (`CLIENT TRACKING`).
//!
//! It is one of its own, for nothing but reads that are to be kept: so tracking needs no `OPTIN`, which would take a
//! command more for each of them. Answers and changes come over it in one order. What was read counts for as long as no
//! change of it was told and a question that was asked less than [`FRESH_MS`] ago was answered: then nothing older can
//! be under way. All else goes to Redis as it would without a cache.
//!
//! A thread of its own serves it: changes must not wait behind calls.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use argus_core::record::Lineage;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, FromRedisValue, Pipeline};
use tokio::runtime::Builder;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::answers::StoreError;
use super::ledger::{FRESH_MS, Ledger};
use super::link::{Target, judge};
use super::{Store, ValueReply};
use crate::states::States;

/// Time from an answer to the question whether the connection works to the next question.
const BEAT: Duration = Duration::from_millis(80);
/// Time from a lost connection to the next one.
const RETRY: Duration = Duration::from_millis(200);
/// Longest wait for a read over it. What came later would not count.
const PATIENCE: Duration = Duration::from_millis(FRESH_MS.unsigned_abs());

/// One life of the connection.
pub(crate) struct Watch {
    connection: MultiplexedConnection,
    /// What it has said.
    pub(crate) ledger: Arc<Ledger>,
    /// What was read over it.
    pub(crate) states: States,
    /// The node at its other end.
    pub(crate) lineage: Lineage,
}

impl Watch {
    /// Sends a batch of reads whose answers may be kept.
    pub(crate) async fn batch<T: FromRedisValue>(&self, batch: &Pipeline) -> Result<T, StoreError> {
        let mut connection = self.connection.clone();
        timeout(PATIENCE, batch.query_async(&mut connection))
            .await
            .map_err(|_| StoreError::Away("timeout"))?
            .map_err(|error| judge(&error))
    }
}

/// Keeps such a connection for as long as the engine lives.
#[derive(Default)]
pub(crate) struct Tracking {
    watch: ArcSwapOption<Watch>,
    stop: Notify,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Connections that were lost or refused.
    pub(crate) losses: AtomicU64,
    /// Questions that were answered without Redis.
    pub(crate) hits: AtomicU64,
    /// Questions that were not.
    pub(crate) misses: AtomicU64,
    /// Entries that made place for others.
    pub(crate) evicted: Arc<AtomicU64>,
}

impl Tracking {
    /// The connection that there is.
    pub(crate) fn watch(&self) -> Option<Arc<Watch>> {
        self.watch.load_full()
    }

    /// Counts a question that was answered by what was known, or was not.
    pub(crate) fn count(&self, is_hit: bool) {
        let counter = if is_hit { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Forgets everything at once.
    pub(crate) fn lose(&self) {
        if let Some(watch) = self.watch.swap(None) {
            watch.ledger.lose();
        }
    }

    /// Begins, for states of about so many bytes.
    ///
    /// # Errors
    ///
    /// The system gives no thread.
    pub(crate) fn start(store: &Arc<Store>, bytes: u64) -> std::io::Result<()> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let own = Arc::clone(store);
        let thread = std::thread::Builder::new()
            .name("argus-tracking".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = own.tracking.stop.notified() => {}
                        () = keep(&own, bytes) => {}
                    }
                });
                own.tracking.lose();
            })?;
        *store.tracking.thread() = Some(thread);
        Ok(())
    }

    /// Ends the thread.
    pub(crate) fn stop(&self) {
        self.stop.notify_one();
        let thread = self.thread().take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }

    fn thread(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.thread.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn keep(store: &Store, bytes: u64) {
    loop {
        if let Some(target) = store.link.target() {
            follow(store, &target, bytes).await;
            store.tracking.lose();
            store.tracking.losses.fetch_add(1, Ordering::Relaxed);
        }
        sleep(RETRY).await;
    }
}

/// Connects, and asks again and again whether the connection works; ends where it does not, or another node counts.
async fn follow(store: &Store, target: &Arc<Target>, bytes: u64) -> Option<()> {
    let epochs = usize::try_from(4 * States::capacity(bytes)).unwrap_or(usize::MAX);
    let ledger = Arc::new(Ledger::new(epochs.clamp(1 << 10, 1 << 22)));
    let connection = connect(store, target, &ledger).await?;
    let lineage = beat(store, &connection, &ledger).await?;
    store.tracking.watch.store(Some(Arc::new(Watch {
        connection: connection.clone(),
        ledger: Arc::clone(&ledger),
        states: States::new(bytes, Arc::clone(&store.tracking.evicted)),
        lineage,
    })));
    while store.link.leads_to(target) && !ledger.is_lost() {
        sleep(BEAT).await;
        if beat(store, &connection, &ledger).await? != lineage {
            break;
        }
    }
    None
}

async fn connect(
    store: &Store,
    target: &Target,
    ledger: &Arc<Ledger>,
) -> Option<MultiplexedConnection> {
    let wait = store.link.wait();
    let taking = Arc::clone(ledger);
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(wait))
        .set_response_timeout(Some(wait))
        .set_push_sender(move |told| -> Result<(), ()> {
            taking.take(told);
            Ok(())
        });
    let connecting = target
        .tracking
        .get_multiplexed_async_connection_with_config(&config);
    let mut connection = timeout(wait, connecting).await.ok()?.ok()?;
    let mut command = redis::cmd("CLIENT");
    command.arg("TRACKING").arg("ON");
    let tracking = command.query_async::<()>(&mut connection);
    timeout(wait, tracking).await.ok()?.ok()?;
    Some(connection)
}

/// Asks the node who it is. Its answer says that whatever it told before has come.
async fn beat(
    store: &Store,
    connection: &MultiplexedConnection,
    ledger: &Ledger,
) -> Option<Lineage> {
    let asked_ms = store.clock.steady_ms();
    let mut connection = connection.clone();
    let command = store.question();
    let asking = command.query_async::<ValueReply>(&mut connection);
    let (_, node_ms, node, _) = timeout(store.link.wait(), asking).await.ok()?.ok()?;
    let lineage = Lineage::try_from(node.as_slice()).ok()?;
    ledger.confirm(asked_ms, node_ms.saturating_sub(asked_ms));
    Some(lineage)
}
