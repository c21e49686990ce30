//! One call under way: what it may use, and how it says no.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use argus_core::deadlines;
use argus_core::ids::{SessionId, not_before_key};
use argus_core::record::Lineage;
use argus_core::token::FaultClass;

use crate::activity::ActivityQueue;
use crate::caller::{CONTEXT_ASSERT, Caller, CallerFault, Lack};
use crate::clock::Clock;
use crate::counters::{Alarm, Counters};
use crate::effects::EffectQueue;
use crate::policy::Policy;
use crate::proto::internal::{Effect, FlowNeed, NeedsFlow};
use crate::proto::v1::ClientContext;
use crate::quota::Quotas;
use crate::signatures::Signatures;
use crate::snapshot::{Client, Snapshot, Tenant};
use crate::status::{Refusal, Stop};
use crate::store::{NO_LEASE, SessionKeys, Store, StoreError};

/// What all calls share.
pub(crate) struct Shared {
    /// Time.
    pub(crate) clock: Clock,
    /// Redis.
    pub(crate) store: Arc<Store>,
    /// Uses of sessions that wait to be written.
    pub(crate) activity: ActivityQueue,
    /// Tokens of callers that were verified. Apart from the others: there are few, and each comes with every call.
    pub(crate) callers: Signatures,
    /// Tokens that callers have asked about, and that were verified.
    pub(crate) signatures: Signatures,
    /// What is known from `PostgreSQL`.
    pub(crate) snapshot: ArcSwapOption<Snapshot>,
    /// What must reach `PostgreSQL`.
    pub(crate) effects: EffectQueue,
    /// Counts.
    pub(crate) counters: Counters,
    /// What callers may still do.
    pub(crate) quotas: Quotas,
}

impl Shared {
    /// Queues an effect.
    pub(crate) fn push(&self, effect: Effect) {
        if !self.effects.push(effect) {
            self.counters.dropped_effect();
        }
    }

    /// The one answer to every caller's token that is not good; the class of its fault is counted, and goes into an
    /// audit event where the token names a tenant that there is.
    pub(crate) fn refuse_caller(&self, fault: CallerFault, request_id: &str) -> Refusal {
        self.counters.caller_fault(fault.class);
        if let Some(tenant_id) = fault.tenant_id {
            let mut effect = Effect {
                tenant_id,
                time_ms: self.clock.now_ms(),
                request_id: request_id.to_owned(),
                ..Effect::default()
            };
            set_event(&mut effect, "caller.refused", "failure", fault.class);
            self.push(effect);
        }
        Refusal::caller_token_invalid()
    }
}

/// One call of an authenticated caller.
#[derive(Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a need that a flow has met"
)]
pub(crate) struct Call {
    /// What all calls share.
    pub(crate) shared: Arc<Shared>,
    /// The snapshot that the whole call goes by.
    pub(crate) snapshot: Arc<Snapshot>,
    /// Who calls.
    pub(crate) caller: Arc<Caller>,
    /// Request id.
    pub(crate) request_id: String,
    /// A flow has proved during this call that `PostgreSQL` can be written to.
    pub(crate) postgresql_answers: bool,
    /// The snapshot was read, or found to be up to date, since the call came: what it does not know there is not.
    pub(crate) snapshot_confirmed: bool,
    /// A flow has judged the request's context during this call, and found it good.
    pub(crate) context_judged: bool,
    /// A flow has judged during this call what the rules of policies say of the session.
    pub(crate) rules_judged: bool,
    /// The same for all questions about one call, and nobody else's to choose.
    pub(crate) id: String,
    /// Now. Seconds since 1970.
    pub(crate) now: u32,
}

/// Whom a call is about; empty where it is not known.
#[derive(Debug, Clone, Default)]
pub(crate) struct Subject {
    /// User.
    pub(crate) user_id: String,
    /// Session.
    pub(crate) session_id: String,
    /// Client of the token.
    pub(crate) client_id: String,
    /// Address of the user's device.
    pub(crate) ip_address: String,
}

impl Call {
    /// The caller's tenant: a token of one tenant never reaches another's data.
    pub(crate) fn tenant(&self) -> &Tenant {
        &self.caller.tenant
    }

    /// The context of a request, where the caller's word for it is taken.
    pub(crate) fn context<'a>(
        &self,
        context: Option<&'a ClientContext>,
    ) -> Option<&'a ClientContext> {
        context.filter(|_| self.caller.has(CONTEXT_ASSERT))
    }

    /// Names of the keys of a session's check.
    pub(crate) fn keys(&self, session_id: &SessionId, subject: &Subject) -> SessionKeys {
        let tenant_id = &self.tenant().id;
        SessionKeys {
            session: session_id.redis_key(),
            user: self.snapshot.keyspace.user_key(tenant_id, &subject.user_id),
            tenant: not_before_key(tenant_id, None),
            client: not_before_key(tenant_id, Some(&subject.client_id)),
        }
    }

    /// The client of a token, if it may have tokens.
    pub(crate) fn client(&self, subject: &Subject) -> Result<Arc<Client>, Stop> {
        let Some(client) = self.tenant().client(&subject.client_id) else {
            return Err(self.lacking(Lack::Unknown, "client", subject));
        };
        if client.is_disabled {
            return Err(self.refuse_token("client_disabled", subject));
        }
        Ok(Arc::clone(client))
    }

    /// The policy of a session: of its own revision, tightened by what is in force for its client now; of what a
    /// narrower scope gave it, by what presets demand of the client.
    pub(crate) fn policy(&self, revision: u32, client: &Client) -> Result<Policy, Stop> {
        let find = |revision: u32| {
            self.tenant().policy(revision).ok_or_else(|| {
                self.unconfirmed()
                    .unwrap_or_else(|| Refusal::unavailable("policy").into())
            })
        };
        let (own, present) = (find(revision)?, find(client.policy_revision)?);
        Ok(own.tightened(own.bound(present, &client.ceiling)))
    }

    /// A new reading of the snapshot, unless there was one since the call came.
    fn unconfirmed(&self) -> Option<Stop> {
        (!self.snapshot_confirmed).then(|| {
            self.need(FlowNeed::Snapshot, &Subject::default(), Lineage::default())
                .into()
        })
    }

    /// What a token meets that names something which is not here.
    pub(crate) fn lacking(&self, lack: Lack, class: &'static str, subject: &Subject) -> Stop {
        match lack {
            Lack::Unread => Refusal::unavailable("keys").into(),
            Lack::Unknown => self
                .unconfirmed()
                .unwrap_or_else(|| self.refuse_token(class, subject)),
        }
    }

    /// What a token meets whose verification failed.
    pub(crate) fn fault(&self, fault: FaultClass, lack: Option<Lack>, subject: &Subject) -> Stop {
        match lack {
            Some(lack) => self.lacking(lack, fault.name(), subject),
            None => self.refuse_token(fault.name(), subject),
        }
    }

    /// The one answer to every token that is not good here; the class goes into the audit event and is counted.
    pub(crate) fn refuse_token(&self, class: &'static str, subject: &Subject) -> Stop {
        self.shared.counters.token_fault(class);
        self.note(subject, "token.refused", class);
        Refusal::token_invalid().into()
    }

    /// What a failing Redis means to the call.
    pub(crate) fn store_failed(&self, error: StoreError) -> Stop {
        match error {
            StoreError::Away(kind) => {
                self.shared.counters.redis_failure(kind);
                if kind == NO_LEASE {
                    Refusal::no_lease().into()
                } else {
                    Refusal::unavailable("redis").into()
                }
            }
            StoreError::FunctionsMissing => self
                .need(FlowNeed::Functions, &Subject::default(), Lineage::default())
                .into(),
        }
    }

    /// What must be done before the call can be answered.
    pub(crate) fn need(&self, need: FlowNeed, subject: &Subject, lineage: Lineage) -> NeedsFlow {
        NeedsFlow {
            need: need.into(),
            tenant_id: self.tenant().id.clone(),
            user_id: subject.user_id.clone(),
            session_id: subject.session_id.clone(),
            client_id: subject.client_id.clone(),
            lineage: lineage.to_vec(),
            answer: Vec::new(),
            effect: None,
            context: None,
        }
    }

    /// An audit event of a failure, queued.
    pub(crate) fn note(&self, subject: &Subject, event: &str, reason: &str) {
        let mut effect = self.effect(subject, self.shared.clock.now_ms());
        set_event(&mut effect, event, "failure", reason);
        self.push(effect);
    }

    /// An event that somebody should be woken for: queued, and counted, so that it is seen while `PostgreSQL` is away.
    pub(crate) fn alarm(&self, subject: &Subject, alarm: Alarm, reason: &str) {
        self.shared.counters.alarm(alarm);
        self.note(subject, alarm.event(), reason);
    }

    /// An effect of this call with nothing in it yet.
    pub(crate) fn effect(&self, subject: &Subject, time_ms: i64) -> Effect {
        Effect {
            tenant_id: self.tenant().id.clone(),
            user_id: subject.user_id.clone(),
            session_id: subject.session_id.clone(),
            client_id: subject.client_id.clone(),
            time_ms,
            request_id: self.request_id.clone(),
            caller: self.caller.client.id.clone(),
            ip_address: subject.ip_address.clone(),
            ..Effect::default()
        }
    }

    /// Queues an effect.
    pub(crate) fn push(&self, effect: Effect) {
        self.shared.push(effect);
    }
}

/// Makes an effect an audit event, too.
pub(crate) fn set_event(effect: &mut Effect, event: &str, outcome: &str, reason: &str) {
    event.clone_into(&mut effect.event);
    outcome.clone_into(&mut effect.outcome);
    reason.clone_into(&mut effect.reason);
}

/// Whole seconds of a time in milliseconds.
pub(crate) fn seconds(now_ms: i64) -> u32 {
    deadlines::seconds(now_ms)
}
