//! What a policy asks of a session's trust, and of the context that it is used in.

use argus_core::ids::SessionId;
use argus_core::record::SessionRecord;
use argus_core::token::Acr;
use argus_core::trust::{NO_SIGNAL_CAP, aged};

use crate::call::{Call, Subject, seconds};
use crate::evidence;
use crate::policy::{Floor, Policy};
use crate::proto::internal::{ContextChange, FlowNeed};
use crate::proto::v1::ClientContext;
use crate::snapshot::Client;
use crate::state::Living;
use crate::status::{Refusal, Stop};

/// What is to be known of a session for its floors and its context.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    /// Trust at the user's proof; `None`: not rated.
    trust: Option<f64>,
    risk: u8,
    acr: u8,
    proof_age: u32,
    family: u32,
    context: [u8; 9],
    revision: u32,
    policy: Policy,
}

impl Standing {
    /// By a record and the policy that is in force for it.
    pub(crate) fn of(living: &Living) -> Self {
        let SessionRecord {
            risk,
            acr,
            auth_time,
            family,
            context,
            policy_revision: revision,
            ..
        } = living.record;
        Self {
            trust: living.record.trust(),
            risk,
            acr,
            proof_age: seconds(living.now_ms).saturating_sub(auth_time),
            family,
            context,
            revision,
            policy: living.policy,
        }
    }

    /// Trust now, as it is told and compared: a whole number; `None`: not rated.
    pub(crate) fn score(&self) -> Option<u32> {
        self.trust.map(|trust| self.now(trust))
    }

    /// Refuses a session whose trust is below the floors of all or of one of the scopes.
    pub(crate) fn check_floors<'a>(
        &self,
        call: &Call,
        client: &Client,
        scopes: impl Iterator<Item = &'a str>,
    ) -> Result<(), Refusal> {
        let mut floor = self.policy.trust;
        if self.policy.has_trust_floors {
            let tenant = call.tenant();
            floor = scopes.fold(floor, |floor, scope| {
                let own = floor.and(tenant.trust_floor(self.revision, scope));
                if self.policy.has_floors_of_its_own() {
                    return own;
                }
                own.and(tenant.trust_floor(client.policy_revision, scope))
            });
        }
        if floor == Floor::default() {
            return Ok(());
        }
        self.check(floor)
    }

    /// Trust that was never rated is neither fine nor changed: it counts as that of a device of which nothing is known.
    fn check(&self, floor: Floor) -> Result<(), Refusal> {
        let proved = self.trust.unwrap_or(NO_SIGNAL_CAP);
        let score = self.now(proved);
        if score < floor.deny_below {
            let is_mended = whole(proved) >= floor.deny_below;
            let next_step = if is_mended {
                "STEP_UP"
            } else {
                "ANOTHER_DEVICE"
            };
            return Err(Refusal::trust_too_low(score, floor.deny_below, next_step));
        }
        if score < floor.step_up_below && !self.is_proved(floor.step_up_below) {
            let needs_factor = whole(proved) < floor.step_up_below;
            return Err(Refusal::step_up_trust(
                score,
                floor.step_up_below,
                needs_factor,
            ));
        }
        Ok(())
    }

    /// A second factor stands for what the device lacks, as long as a device of full trust would: what asks for a
    /// step-up must be mended by one.
    fn is_proved(&self, floor: u32) -> bool {
        let without_device = f64::from(100_u8.saturating_sub(self.risk));
        self.acr >= Acr::Aal2.number() && self.now(without_device) >= floor
    }

    fn now(&self, trust: f64) -> u32 {
        whole(aged(trust, f64::from(self.proof_age)))
    }

    /// Asks a flow to judge a context that differs from the last one that was judged. What is missing is unknown, and
    /// changes nothing.
    pub(crate) fn check_context(
        &self,
        call: &Call,
        subject: &Subject,
        session_id: &SessionId,
        context: Option<&ClientContext>,
        is_refresh: bool,
    ) -> Result<(), Stop> {
        if !self.policy.checks_context || call.context_judged {
            return Ok(());
        }
        let Some(context) = call
            .context(context)
            .filter(|one| **one != ClientContext::default())
        else {
            return Ok(());
        };
        let (strong, weak) = evidence::parts(context);
        let parts = [
            context.ip_address.as_bytes(),
            strong.unwrap_or_default(),
            weak.as_deref().unwrap_or_default().as_bytes(),
        ];
        let digest = call.snapshot.keyspace.context_digest(session_id, parts);
        if digest == self.context {
            return Ok(());
        }
        let mut need = call.need(FlowNeed::Context, subject, [0; 8]);
        need.context = Some(ContextChange {
            context: Some(context.clone()),
            digest: digest.to_vec(),
            family: self.family,
            refresh: is_refresh,
            request_id: call.request_id.clone(),
            caller: call.caller.client.id.clone(),
        });
        Err(need.into())
    }
}

/// A score as it is told.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is from 0 to 100"
)]
fn whole(score: f64) -> u32 {
    score.round() as u32
}
