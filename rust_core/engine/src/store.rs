//! Calls of the Redis functions.

mod answers;
mod link;
mod proofs;

use std::time::Duration;

use argus_core::functions::function_name;
use argus_core::record::Lineage;
use argus_core::rotation::{Adoption, Presented, Verdict};
use redis::{Cmd, Pipeline, RedisResult};

pub(crate) use answers::{NotBefores, Rotated, Seen, SessionKeys, Stamped, StoreError, Touched};
use link::Link;

/// Redis, by the functions that Argus keeps there.
pub(crate) struct Store {
    link: Link,
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
    /// A store behind a URL; connects at the first call. Must run inside the runtime that is to serve the connection.
    pub(crate) fn open(url: &str, wait: Duration, ca_pem: Option<Vec<u8>>) -> RedisResult<Self> {
        Ok(Self {
            link: Link::open(url, wait, ca_pem)?,
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
            self.link.batch(&batch).await?;
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
        let (tenant, client): (ValueReply, ValueReply) = self.link.batch(&batch).await?;
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
            self.link.one(&command).await?;
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
        let (status, _, _, record): ValueReply = self.link.one(&command).await?;
        Ok(Touched { status, record })
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
