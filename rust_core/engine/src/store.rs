//! Calls of the Redis functions.

mod answers;
mod ledger;
mod link;
mod proofs;
mod tracking;

use std::sync::Arc;
use std::time::Duration;

use argus_core::functions::function_name;
use argus_core::record::Lineage;
use argus_core::rotation::{Adoption, Presented, Verdict};
use redis::{Cmd, Pipeline, RedisResult};

use crate::activity::Use;
use crate::clock::Clock;
use crate::lease::Lease;
pub(crate) use answers::{NotBefores, Rotated, Seen, SessionKeys, Stamped, StoreError, Touched};
pub(crate) use ledger::Marks;
use ledger::is_fresh;
use link::Link;
pub(crate) use tracking::{Tracking, Watch};

/// Why an answer is not used: it came from a node that is not known to count now.
pub(crate) const NO_LEASE: &str = "no_lease";

/// What `ping` asks for: a key that there never is.
const NO_KEY: &[u8] = b"a1:ping";

/// Redis, by the functions that Argus keeps there. Every answer names the lineage of the node that gave it; under
/// Sentinel only that of the leased one is used, and only while the lease is good.
pub(crate) struct Store {
    link: Link,
    lease: Option<Arc<Lease>>,
    names: Names,
    /// By the same clock as everything that is decided.
    clock: Clock,
    /// What Redis tells of changes.
    pub(crate) tracking: Tracking,
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
    /// A store that leads nowhere yet. With a lease only what that allows is used.
    pub(crate) fn new(
        wait: Duration,
        ca_pem: Option<Vec<u8>>,
        lease: Option<Arc<Lease>>,
        clock: Clock,
    ) -> Self {
        Self {
            clock,
            tracking: Tracking::default(),
            link: Link::new(wait, ca_pem),
            lease,
            names: Names {
                read: function_name("read"),
                stamped: function_name("stamped"),
                rotate: function_name("rotate"),
                touch: function_name("touch"),
            },
        }
    }

    /// Leads to the node of a URL from now on. Must run inside the runtime that is to serve the connection.
    pub(crate) fn lead_to(&self, url: &str) -> RedisResult<()> {
        if self.link.lead_to(url)? {
            self.tracking.lose();
        }
        Ok(())
    }

    /// The tracking connection, if what was read over it may count now; and up to when it is known to be whole.
    pub(crate) fn watch(&self) -> Option<(Arc<Watch>, i64)> {
        let watch = self.tracking.watch()?;
        let is_allowed = |lease: &Arc<Lease>| lease.allows(watch.lineage);
        if !self.lease.as_ref().is_none_or(is_allowed) {
            return None;
        }
        let confirmed_ms = watch.ledger.confirmed_ms();
        is_fresh(confirmed_ms, self.clock.steady_ms()).then_some((watch, confirmed_ms))
    }

    /// Whether what was known then counts still: to be asked once the answer is ready, as the process may have been
    /// stopped meanwhile.
    pub(crate) fn still_counts(&self, confirmed_ms: i64) -> bool {
        is_fresh(confirmed_ms, self.clock.steady_ms())
    }

    /// Whether the node answers as a call would have it answer.
    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        let answer: ValueReply = self.link()?.one(&self.question()).await?;
        self.stamped(answer).map(|_| ())
    }

    /// Asks a node who it is.
    fn question(&self) -> Cmd {
        call("FCALL_RO", &self.names.stamped, &[NO_KEY])
    }

    /// Reads all that a session's check needs, in one round trip.
    pub(crate) async fn look(&self, keys: &SessionKeys) -> Result<Seen, StoreError> {
        self.seen(self.link()?.batch(&self.reads(keys)).await?)
    }

    /// The same over the tracking connection, so that it may be kept.
    pub(crate) async fn look_tracked(
        &self,
        watch: &Watch,
        keys: &SessionKeys,
    ) -> Result<Seen, StoreError> {
        self.seen(watch.batch(&self.reads(keys)).await?)
    }

    fn reads(&self, keys: &SessionKeys) -> Pipeline {
        let mut batch = Pipeline::with_capacity(3);
        batch.add_command(call(
            "FCALL_RO",
            &self.names.read,
            &[&keys.session, &keys.user],
        ));
        batch.add_command(call("FCALL_RO", &self.names.stamped, &[&keys.tenant]));
        batch.add_command(call("FCALL_RO", &self.names.stamped, &[&keys.client]));
        batch
    }

    fn seen(
        &self,
        (read, tenant, client): (ReadReply, ValueReply, ValueReply),
    ) -> Result<Seen, StoreError> {
        let (_, now_ms, node, session, user) = read;
        Ok(Seen {
            now_ms,
            session: self.stamp(&node, session)?,
            user: self.stamp(&node, user)?,
            not_before: NotBefores {
                now_ms,
                tenant: self.stamped(tenant)?,
                client: self.stamped(client)?,
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
        let (tenant, client): (ValueReply, ValueReply) = self.link()?.batch(&batch).await?;
        Ok(NotBefores {
            now_ms: tenant.1,
            tenant: self.stamped(tenant)?,
            client: self.stamped(client)?,
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
            self.link()?.one(&command).await?;
        Ok(Rotated {
            verdict: Verdict::from_code(verdict).ok_or(StoreError::Away("reply"))?,
            now_ms,
            lineage: self.lineage(&node)?,
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
        let (status, _, node, record): ValueReply = self.link()?.one(&command).await?;
        self.lineage(&node)?;
        Ok(Touched { status, record })
    }

    /// Records uses of sessions, each at its moment.
    pub(crate) async fn touch_all(
        &self,
        uses: &[(Arc<Use>, u32)],
    ) -> Result<Vec<Touched>, StoreError> {
        let mut batch = Pipeline::with_capacity(uses.len());
        for (one, active) in uses {
            let keys = &one.keys;
            let mut command = call("FCALL", &self.names.touch, &[&keys.session, &keys.user]);
            command
                .arg(*active)
                .arg(one.idle)
                .arg(one.absolute)
                .arg(one.seen);
            batch.add_command(command);
        }
        let answers: Vec<ValueReply> = self.link()?.batch(&batch).await?;
        let touched = |(status, _, node, record): ValueReply| {
            self.lineage(&node).map(|_| Touched { status, record })
        };
        answers.into_iter().map(touched).collect()
    }

    /// The link, where there is any use in asking.
    fn link(&self) -> Result<&Link, StoreError> {
        match &self.lease {
            Some(lease) if !lease.is_held() => Err(StoreError::Away(NO_LEASE)),
            _ => Ok(&self.link),
        }
    }

    /// The lineage of the node that has answered, if its answer may be used. To be asked after the answer has come:
    /// the process may have been stopped while it waited.
    fn lineage(&self, node: &[u8]) -> Result<Lineage, StoreError> {
        let lineage = Lineage::try_from(node).map_err(|_| StoreError::Away("reply"))?;
        match &self.lease {
            Some(lease) if !lease.allows(lineage) => Err(StoreError::Away(NO_LEASE)),
            _ => Ok(lineage),
        }
    }

    fn stamp(&self, node: &[u8], value: Vec<u8>) -> Result<Stamped, StoreError> {
        let lineage = self.lineage(node)?;
        Ok(Stamped { lineage, value })
    }

    fn stamped(&self, (_, _, node, value): ValueReply) -> Result<Stamped, StoreError> {
        self.stamp(&node, value)
    }
}

fn call(command: &str, name: &str, keys: &[&[u8]]) -> Cmd {
    let mut command = redis::cmd(command);
    command.arg(name).arg(keys.len());
    for key in keys {
        command.arg(*key);
    }
    command
}
