//! The connection to Redis.
//!
//! It leads to one node at a time; which one is said from outside (the node of a plain URL, or the primary that the
//! sentinels name), so that both halves of Argus speak to the same.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{
    Client, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind, FromRedisValue,
    IntoConnectionInfo as _, Pipeline, ProtocolVersion, RedisError, RedisResult, ServerErrorKind,
    TlsCertificates,
};
use tokio::time::timeout;

use super::answers::StoreError;

/// Times a lost connection is tried again before the calls that wait for it are told that Redis is away.
const RECONNECTS: usize = 2;

/// Shortest time between two connections made anew because of an answer (not of a loss, which the client library sees to).
const RENEWAL: Duration = Duration::from_secs(1);

/// No node is known.
const NO_PRIMARY: &str = "no_primary";

/// The node that answered is a replica.
const NOT_PRIMARY: &str = "not_primary";

/// One multiplexed connection that comes back by itself.
pub(crate) struct Link {
    target: ArcSwapOption<Target>,
    config: ConnectionManagerConfig,
    ca_pem: Option<Vec<u8>>,
    renewed: Mutex<Option<Instant>>,
    wait: Duration,
}

/// The node that the link leads to.
pub(super) struct Target {
    url: String,
    client: Client,
    /// The same for connections on which the node may speak unasked.
    pub(super) tracking: Client,
    connection: ConnectionManager,
}

impl Link {
    /// A link that leads nowhere yet.
    pub(crate) fn new(wait: Duration, ca_pem: Option<Vec<u8>>) -> Self {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(wait))
            .set_response_timeout(Some(wait))
            .set_number_of_retries(RECONNECTS)
            .set_max_delay(wait / 4);
        Self {
            target: ArcSwapOption::empty(),
            config,
            ca_pem,
            renewed: Mutex::new(None),
            wait,
        }
    }

    /// Leads to a URL from now on (`redis://` or `rediss://`, the password in it); connects at the first call. Must run
    /// inside the runtime that is to serve the connection. Says whether it led elsewhere before.
    pub(crate) fn lead_to(&self, url: &str) -> RedisResult<bool> {
        let target = self.target.load();
        if target.as_ref().is_some_and(|target| target.url == url) {
            return Ok(false);
        }
        let plain = url.into_connection_info()?;
        let tracking = plain
            .redis_settings()
            .clone()
            .set_protocol(ProtocolVersion::RESP3);
        let tracking = self.client(plain.clone().set_redis_settings(tracking))?;
        self.connect(url.to_owned(), self.client(plain)?, tracking)?;
        Ok(true)
    }

    fn client(&self, to: ConnectionInfo) -> RedisResult<Client> {
        if !matches!(to.addr(), ConnectionAddr::TcpTls { .. }) {
            return Client::open(to);
        }
        // Another part of the process may have chosen a provider already; either is good.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let certificates = TlsCertificates {
            client_tls: None,
            root_cert: self.ca_pem.clone(),
        };
        Client::build_with_tls(to, certificates)
    }

    /// The node that it leads to.
    pub(super) fn target(&self) -> Option<Arc<Target>> {
        self.target.load_full()
    }

    /// Whether it still leads to a node.
    pub(super) fn leads_to(&self, target: &Target) -> bool {
        let now = self.target.load();
        now.as_ref().is_some_and(|now| now.url == target.url)
    }

    /// Longest wait for an answer.
    pub(super) const fn wait(&self) -> Duration {
        self.wait
    }

    fn connect(&self, url: String, client: Client, tracking: Client) -> RedisResult<()> {
        let connection =
            ConnectionManager::new_lazy_with_config(client.clone(), self.config.clone())?;
        self.target.store(Some(Arc::new(Target {
            url,
            client,
            tracking,
            connection,
        })));
        Ok(())
    }

    /// Sends a command, once.
    pub(crate) async fn one<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        let mut connection = self.connection()?;
        timeout(self.wait, command.query_async(&mut connection))
            .await
            .map_err(|_| StoreError::Away("timeout"))?
            .map_err(|error| self.failed(&error))
    }

    /// Sends a batch of reads; once more where the connection turns out to have been closed meanwhile.
    pub(crate) async fn batch<T: FromRedisValue>(&self, batch: &Pipeline) -> Result<T, StoreError> {
        let mut connection = self.connection()?;
        let attempt = async {
            match batch.query_async(&mut connection).await {
                Err(error) if error.is_connection_dropped() => {
                    batch.query_async(&mut connection).await
                }
                other => other,
            }
        };
        timeout(self.wait, attempt)
            .await
            .map_err(|_| StoreError::Away("timeout"))?
            .map_err(|error: RedisError| self.failed(&error))
    }

    fn connection(&self) -> Result<ConnectionManager, StoreError> {
        let target = self.target.load();
        let target = target.as_ref().ok_or(StoreError::Away(NO_PRIMARY))?;
        Ok(target.connection.clone())
    }

    /// What an error means. The manager remembers a refused handshake (a password that was being changed, say) for
    /// good and reconnects after losses only: an error that is no loss makes a new one, once a second at most.
    fn failed(&self, error: &RedisError) -> StoreError {
        let meaning = judge(error);
        let may_be_remembered = !error.is_io_error() && meaning != StoreError::FunctionsMissing;
        if may_be_remembered
            && self.may_renew()
            && let Some(target) = self.target.load_full()
        {
            let (client, tracking) = (target.client.clone(), target.tracking.clone());
            let _ = self.connect(target.url.clone(), client, tracking);
        }
        meaning
    }

    fn may_renew(&self) -> bool {
        let Ok(mut renewed) = self.renewed.lock() else {
            return true;
        };
        let is_due = renewed.is_none_or(|at| at.elapsed() >= RENEWAL);
        if is_due {
            *renewed = Some(Instant::now());
        }
        is_due
    }
}

/// What an error of the client library means. Its text may hold an address; it goes nowhere.
pub(super) fn judge(error: &RedisError) -> StoreError {
    let is_about_functions = |text: &str| text.to_ascii_lowercase().contains("function not found");
    if is_about_functions(&error.to_string()) {
        return StoreError::FunctionsMissing;
    }
    StoreError::Away(match error.kind() {
        _ if error.is_timeout() => "timeout",
        _ if error.is_io_error() => "connection",
        ErrorKind::AuthenticationFailed => "authentication",
        ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown) => NOT_PRIMARY,
        ErrorKind::Server(_) => "server",
        ErrorKind::Parse | ErrorKind::UnexpectedReturnType => "reply",
        _ => "client",
    })
}
