//! Every refusal, each with the sentence that says what to do next.

use std::time::Duration;

use argus_core::token::Acr;

use super::Refusal;
use crate::proto::v1::{EndReason, ErrorReason};

/// How long a caller waits before it asks again while a store is away.
const RETRY_AFTER: Duration = Duration::from_secs(1);

impl Refusal {
    fn new(reason: ErrorReason, message: impl Into<String>) -> Self {
        Self {
            reason,
            metadata: Vec::new(),
            message: message.into(),
            retry_after: None,
        }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.metadata.push((name, value.into()));
        self
    }

    /// A field breaks a rule.
    pub(crate) fn field(field: &str, rule: &str) -> Self {
        Self::new(ErrorReason::FieldInvalid, format!("{field} {rule}")).with("field", field)
    }

    /// The call carries no client token.
    pub(crate) fn caller_unauthenticated() -> Self {
        Self::new(
            ErrorReason::CallerUnauthenticated,
            "the call carries no client token; send the metadata `authorization: Bearer <client token>` \
             with a token from IssueClientToken",
        )
    }

    /// The call's client token is not good.
    pub(crate) fn caller_token_invalid() -> Self {
        Self::new(
            ErrorReason::CallerTokenInvalid,
            "the call's client token is not valid (any more); get a new one from IssueClientToken",
        )
    }

    /// The calling client is disabled.
    pub(crate) fn caller_disabled(client_id: &str) -> Self {
        let message = format!("client {client_id} is disabled; an administrator can enable it");
        Self::new(ErrorReason::CallerDisabled, message).with("clientId", client_id)
    }

    /// The caller's token lacks the RPC's scope.
    pub(crate) fn caller_scope_missing(scope: &str) -> Self {
        let message = format!(
            "the call's client token lacks the scope {scope}; give it to the client and get a new token"
        );
        Self::new(ErrorReason::CallerScopeMissing, message).with("requiredScope", scope)
    }

    /// Only clients of the system tenant may call.
    pub(crate) fn caller_not_system() -> Self {
        Self::new(
            ErrorReason::CallerTenantMismatch,
            "only clients of the system tenant may call this; use a client of that tenant",
        )
    }

    /// The presented token is not good here; why stands in the audit event only.
    pub(crate) fn token_invalid() -> Self {
        Self::new(
            ErrorReason::TokenInvalid,
            "the token is not valid here (any more); let the client refresh, or the user sign in again",
        )
    }

    /// The token lacks scopes.
    pub(crate) fn token_scope_missing(scopes: &str) -> Self {
        let message =
            format!("the token is good and lacks a scope; ask for a token with all of: {scopes}");
        Self::new(ErrorReason::TokenScopeMissing, message).with("requiredScopes", scopes)
    }

    /// A proof of possession is missing or not good; why stands in the audit event only.
    pub(crate) fn token_proof_required(binding: &str) -> Self {
        Self::new(
            ErrorReason::TokenProofRequired,
            "a proof of possession is missing or not good; let the client make a new one for this very request, with \
             the key that the token is bound to",
        )
        .with("binding", binding)
    }

    /// The subject must prove itself; the cause names why, empty where none of the published causes fits.
    pub(crate) fn step_up(cause: &str) -> Self {
        let refusal = Self::new(
            ErrorReason::StepUpRequired,
            "the user must prove itself again or stronger; start a step-up and use the tokens it gives",
        );
        if cause.is_empty() {
            refusal
        } else {
            refusal.with("cause", cause)
        }
    }

    /// The token's level is not one that the caller takes.
    pub(crate) fn step_up_acr(acr_values: &str) -> Self {
        Self::step_up("ACR").with("acrValues", acr_values)
    }

    /// The token's level was reached without a factor of the kind that the policy asks for.
    pub(crate) fn step_up_factor(acr_values: &str, kind: &str) -> Self {
        Self::step_up("SECOND_FACTOR")
            .with("acrValues", acr_values)
            .with("secondFactor", kind)
    }

    /// The user proved itself too long ago.
    pub(crate) fn step_up_age(max_age_seconds: i64) -> Self {
        Self::step_up("AUTH_AGE").with("maxAgeSeconds", max_age_seconds.to_string())
    }

    /// The session is trusted less than a step-up is asked for; of level 2 where its device's trust is not enough.
    pub(crate) fn step_up_trust(score: u32, floor: u32, needs_factor: bool) -> Self {
        let refusal = Self::step_up("TRUST")
            .with("score", score.to_string())
            .with("floor", floor.to_string());
        if needs_factor {
            refusal.with("acrValues", Acr::Aal2.name())
        } else {
            refusal
        }
    }

    /// The session is trusted less than the policy allows.
    pub(crate) fn trust_too_low(score: u32, floor: u32, next_step: &str) -> Self {
        let message = format!(
            "the session is trusted by {score} of 100, and the policy asks for {floor}; ExplainTrust says why, and \
             nextStep what helps: STEP_UP, or ANOTHER_DEVICE"
        );
        Self::new(ErrorReason::TrustTooLow, message)
            .with("score", score.to_string())
            .with("floor", floor.to_string())
            .with("nextStep", next_step)
    }

    /// The session has ended.
    pub(crate) fn session_ended(reason: EndReason) -> Self {
        let name = reason.as_str_name().trim_start_matches("END_REASON_");
        Self::new(
            ErrorReason::SessionEnded,
            format!("the session has ended ({name}); the user must sign in again"),
        )
        .with("endReason", name)
    }

    /// A part of Argus is away; nothing was decided.
    pub(crate) fn unavailable(component: &str) -> Self {
        let message = format!("{component} is away and nothing was decided; try again");
        let mut refusal = Self::new(ErrorReason::Unavailable, message).with("component", component);
        refusal.retry_after = Some(RETRY_AFTER);
        refusal
    }

    /// Redis answered, and is not known to be the one that counts now.
    pub(crate) fn no_lease() -> Self {
        Self::unavailable("redis").with("cause", "NO_LEASE")
    }

    /// The request's deadline passed.
    pub(crate) fn deadline_exceeded() -> Self {
        Self::new(
            ErrorReason::DeadlineExceeded,
            "the request's deadline passed; try again, with a longer one if this happens often",
        )
    }

    /// There is no place for the call.
    pub(super) fn overloaded() -> Self {
        let message = "the server has as many calls as it can bear; try again in a moment";
        let mut refusal = Self::new(ErrorReason::Overloaded, message);
        refusal.retry_after = Some(RETRY_AFTER);
        refusal
    }

    /// A caller, or its tenant, has used up its quota.
    pub(crate) fn quota_exceeded(scope: &str, per_second: u32, wait: Duration) -> Self {
        let mut refusal = Self::new(
            ErrorReason::QuotaExceeded,
            format!(
                "the {scope} may make {per_second} calls a second of a process; try again a little later"
            ),
        );
        refusal.metadata = vec![
            ("scope", scope.to_owned()),
            ("perSecond", per_second.to_string()),
        ];
        refusal.retry_after = Some(wait);
        refusal
    }

    /// A defect of Argus.
    pub(crate) fn internal(request_id: &str) -> Self {
        Self::new(
            ErrorReason::Internal,
            "Argus met a defect of its own; report the request id",
        )
        .with("requestId", request_id)
    }

    /// The engine does not serve the method.
    pub(crate) fn unimplemented() -> Self {
        Self::new(
            ErrorReason::Unimplemented,
            "the server does not serve this method",
        )
    }
}
