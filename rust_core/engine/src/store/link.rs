//! The connection to Redis.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{
    Client, Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, RedisResult, TlsCertificates,
};
use tokio::time::timeout;

use super::answers::StoreError;

/// Times a lost connection is tried again before the calls that wait for it are told that Redis is away.
const RECONNECTS: usize = 2;

/// Shortest time between two connections made anew because of an answer (not of a loss, which the client library sees to).
const RENEWAL: Duration = Duration::from_secs(1);

/// One multiplexed connection that comes back by itself.
pub(crate) struct Link {
    connection: ArcSwap<ConnectionManager>,
    client: Client,
    config: ConnectionManagerConfig,
    renewed: Mutex<Option<Instant>>,
    wait: Duration,
}

impl Link {
    /// A link to a URL (`redis://` or `rediss://`, the password in it); connects at the first call. Must run inside the
    /// runtime that is to serve the connection.
    pub(crate) fn open(url: &str, wait: Duration, ca_pem: Option<Vec<u8>>) -> RedisResult<Self> {
        let client = if url.starts_with("rediss://") {
            // Another part of the process may have chosen a provider already; either is good.
            let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
            let certificates = TlsCertificates {
                client_tls: None,
                root_cert: ca_pem,
            };
            Client::build_with_tls(url, certificates)?
        } else {
            Client::open(url)?
        };
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(wait))
            .set_response_timeout(Some(wait))
            .set_number_of_retries(RECONNECTS)
            .set_max_delay(wait / 4);
        Ok(Self {
            connection: ArcSwap::from_pointee(ConnectionManager::new_lazy_with_config(
                client.clone(),
                config.clone(),
            )?),
            client,
            config,
            renewed: Mutex::new(None),
            wait,
        })
    }

    /// Sends a command, once.
    pub(crate) async fn one<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        let mut connection = self.connection();
        timeout(self.wait, command.query_async(&mut connection))
            .await
            .map_err(|_| StoreError::Away("timeout"))?
            .map_err(|error| self.failed(&error))
    }

    /// Sends a batch of reads; once more where the connection turns out to have been closed meanwhile.
    pub(crate) async fn batch<T: FromRedisValue>(&self, batch: &Pipeline) -> Result<T, StoreError> {
        let mut connection = self.connection();
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

    fn connection(&self) -> ConnectionManager {
        ConnectionManager::clone(&self.connection.load())
    }

    /// What an error means. The manager remembers a refused handshake (a password that was being changed, say) for
    /// good and reconnects after losses only: an error that is no loss makes a new one, once a second at most.
    fn failed(&self, error: &RedisError) -> StoreError {
        let meaning = judge(error);
        if !error.is_io_error() && meaning != StoreError::FunctionsMissing && self.may_renew() {
            let (client, config) = (self.client.clone(), self.config.clone());
            if let Ok(fresh) = ConnectionManager::new_lazy_with_config(client, config) {
                self.connection.store(fresh.into());
            }
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
fn judge(error: &RedisError) -> StoreError {
    let is_about_functions = |text: &str| text.to_ascii_lowercase().contains("function not found");
    if is_about_functions(&error.to_string()) {
        return StoreError::FunctionsMissing;
    }
    StoreError::Away(match error.kind() {
        _ if error.is_timeout() => "timeout",
        _ if error.is_io_error() => "connection",
        ErrorKind::AuthenticationFailed => "authentication",
        ErrorKind::Server(_) => "server",
        ErrorKind::Parse | ErrorKind::UnexpectedReturnType => "reply",
        _ => "client",
    })
}
