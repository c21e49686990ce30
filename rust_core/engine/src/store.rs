//! Calls of the Redis functions.

mod proofs;

use std::sync::Mutex;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use argus_core::functions::function_name;
use argus_core::record::Lineage;
use argus_core::rotation::{Adoption, Presented, Verdict};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{
    Client, Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, RedisResult, TlsCertificates,
};
use tokio::time::timeout;

/// Times a lost connection is tried again before the calls that wait for it are told that Redis is away.
const RECONNECTS: usize = 2;

/// Shortest time between two connections made anew because of an answer (not of a loss, which the client library sees to).
const RENEWAL: Duration = Duration::from_secs(1);

/// Why Redis gave no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StoreError {
    /// It is away, starting, not the primary, or did not answer in time.
    Away(&'static str),
    /// It does not know the functions.
    FunctionsMissing,
}

/// Keys of one session's check.
#[derive(Debug)]
pub(crate) struct SessionKeys {
    /// The session's record.
    pub(crate) session: Vec<u8>,
    /// Its user's record.
    pub(crate) user: Vec<u8>,
    /// Its tenant's not-before value.
    pub(crate) tenant: Vec<u8>,
    /// Its client's not-before value.
    pub(crate) client: Vec<u8>,
}

/// A value and the lineage of the node that it was read from.
#[derive(Debug)]
pub(crate) struct Stamped {
    /// Lineage of the node.
    pub(crate) lineage: Lineage,
    /// The value; empty: there is none.
    pub(crate) value: Vec<u8>,
}

/// What was read of one session.
#[derive(Debug)]
pub(crate) struct Seen {
    /// Redis time.
    pub(crate) now_ms: i64,
    /// The session's record.
    pub(crate) session: Stamped,
    /// Its user's record.
    pub(crate) user: Stamped,
    /// The not-before values of its tenant and client.
    pub(crate) not_before: NotBefores,
}

/// The not-before values of a tenant and a client.
#[derive(Debug)]
pub(crate) struct NotBefores {
    /// Redis time.
    pub(crate) now_ms: i64,
    /// The tenant's.
    pub(crate) tenant: Stamped,
    /// The client's.
    pub(crate) client: Stamped,
}

/// Answer of `rotate`.
#[derive(Debug)]
pub(crate) struct Rotated {
    /// The verdict.
    pub(crate) verdict: Verdict,
    /// Redis time.
    pub(crate) now_ms: i64,
    /// Lineage of the node.
    pub(crate) lineage: Lineage,
    /// What the session key holds now.
    pub(crate) record: Vec<u8>,
    /// Whether the token was newer than the record knew.
    pub(crate) adoption: Adoption,
}

/// Answer of `touch`.
#[derive(Debug)]
pub(crate) struct Touched {
    /// Its status.
    pub(crate) status: i64,
    /// What the session key holds now.
    pub(crate) record: Vec<u8>,
}

/// Redis, through one multiplexed connection that comes back by itself.
pub(crate) struct Store {
    connection: ArcSwap<ConnectionManager>,
    client: Client,
    config: ConnectionManagerConfig,
    renewed: Mutex<Option<Instant>>,
    wait: Duration,
    names: Names,
}

/// Full names of the functions.
struct Names {
    read: String,
    stamped: String,
    rotate: String,
    touch: String,
}

/// `[status, now_ms, lineage, session, user]`.
type ReadReply = (i64, i64, Vec<u8>, Vec<u8>, Vec<u8>);
/// `[status, now_ms, lineage, value]`.
type ValueReply = (i64, i64, Vec<u8>, Vec<u8>);

impl Store {
    /// A store behind a URL (`redis://` or `rediss://`, the password in it); connects at the first call. Must run
    /// inside the runtime that is to serve the connection.
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
            names: Names {
                read: function_name("read"),
                stamped: function_name("stamped"),
                rotate: function_name("rotate"),
                touch: function_name("touch"),
            },
        })
    }

    /// Reads all that a session's check needs, in one round trip.
    pub(crate) async fn look(&self, keys: &SessionKeys) -> Result<Seen, StoreError> {
        let mut batch = Pipeline::with_capacity(3);
        batch.add_command(call(
            "FCALL_RO",
            &self.names.read,
            &[&keys.session, &keys.user],
        ));
        batch.add_command(call("FCALL_RO", &self.names.stamped, &[&keys.tenant]));
        batch.add_command(call("FCALL_RO", &self.names.stamped, &[&keys.client]));
        let (read, tenant, client): (ReadReply, ValueReply, ValueReply) =
            self.batch(&batch).await?;
        let (_, now_ms, node, session, user) = read;
        Ok(Seen {
            now_ms,
            session: Stamped::new(&node, session)?,
            user: Stamped::new(&node, user)?,
            not_before: NotBefores {
                now_ms,
                tenant: Stamped::of(tenant)?,
                client: Stamped::of(client)?,
            },
        })
    }

    /// Reads the not-before values of a tenant and a client, in one round trip.
    pub(crate) async fn look_at_not_before(
        &self,
        tenant: &[u8],
        client: &[u8],
    ) -> Result<NotBefores, StoreError> {
        let mut batch = Pipeline::with_capacity(2);
        batch.add_command(call("FCALL_RO", &self.names.stamped, &[tenant]));
        batch.add_command(call("FCALL_RO", &self.names.stamped, &[client]));
        let (tenant, client): (ValueReply, ValueReply) = self.batch(&batch).await?;
        Ok(NotBefores {
            now_ms: tenant.1,
            tenant: Stamped::of(tenant)?,
            client: Stamped::of(client)?,
        })
    }

    /// Decides on a refresh token. Sent once: a repeat of a lost call is the caller's to make.
    pub(crate) async fn rotate(
        &self,
        keys: &SessionKeys,
        presented: &Presented,
    ) -> Result<Rotated, StoreError> {
        let mut command = call("FCALL", &self.names.rotate, &[&keys.session, &keys.user]);
        for argument in presented.arguments() {
            command.arg(argument);
        }
        let (verdict, now_ms, node, record, adoption): (i64, i64, Vec<u8>, Vec<u8>, i64) =
            self.one(&command).await?;
        Ok(Rotated {
            verdict: Verdict::from_code(verdict).ok_or(StoreError::Away("reply"))?,
            now_ms,
            lineage: lineage(&node)?,
            record,
            adoption: Adoption::from_code(adoption).ok_or(StoreError::Away("reply"))?,
        })
    }

    /// Records a use of a session now, by a token that says that it was in use at `seen`, too (0: it does not).
    pub(crate) async fn touch(
        &self,
        keys: &SessionKeys,
        idle: u32,
        absolute_max: u32,
        seen: u32,
    ) -> Result<Touched, StoreError> {
        let mut command = call("FCALL", &self.names.touch, &[&keys.session, &keys.user]);
        command.arg(0).arg(idle).arg(absolute_max).arg(seen);
        let (status, _, _, record): ValueReply = self.one(&command).await?;
        Ok(Touched { status, record })
    }

    async fn one<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        let mut connection = self.connection();
        timeout(self.wait, command.query_async(&mut connection))
            .await
            .map_err(|_| StoreError::Away("timeout"))?
            .map_err(|error| self.failed(&error))
    }

    /// Sends a batch of reads; once more where the connection turns out to have been closed meanwhile.
    async fn batch<T: FromRedisValue>(&self, batch: &Pipeline) -> Result<T, StoreError> {
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

impl Stamped {
    fn new(node: &[u8], value: Vec<u8>) -> Result<Self, StoreError> {
        Ok(Self {
            lineage: lineage(node)?,
            value,
        })
    }

    fn of((_, _, node, value): ValueReply) -> Result<Self, StoreError> {
        Self::new(&node, value)
    }
}

fn lineage(node: &[u8]) -> Result<Lineage, StoreError> {
    Lineage::try_from(node).map_err(|_| StoreError::Away("reply"))
}

fn call(command: &str, name: &str, keys: &[&[u8]]) -> Cmd {
    let mut command = redis::cmd(command);
    command.arg(name).arg(keys.len());
    for key in keys {
        command.arg(*key);
    }
    command
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
