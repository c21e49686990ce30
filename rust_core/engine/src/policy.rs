//! What the engine needs of an effective policy.

use argus_core::token::{Acr, SecondFactor};

use crate::proto::internal::PolicySnapshot;

/// One revision of an effective policy, or the tighter of two. All times in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a field of its own")]
pub(crate) struct Policy {
    /// Longest gap between two uses.
    pub(crate) idle: u32,
    /// Longest life.
    pub(crate) absolute: u32,
    /// Life of access tokens.
    pub(crate) access: u32,
    /// Longest life of a refresh token.
    pub(crate) refresh: u32,
    /// Grace of rotation.
    pub(crate) grace: u32,
    /// Request deadline.
    pub(crate) deadline: u32,
    /// A refresh is activity by itself.
    pub(crate) refresh_is_activity: bool,
    /// Rotation to the letter of RFC 9700.
    pub(crate) is_strict: bool,
    /// A replay ends the session.
    pub(crate) ends_on_replay: bool,
    /// Lowest level that a session may be refreshed at.
    pub(crate) required_acr: Acr,
    /// Kind of second factor that counts towards it.
    pub(crate) second_factor: SecondFactor,
    /// Floors of trust for everything.
    pub(crate) trust: Floor,
    /// There are floors of single scopes, too ([`crate::snapshot::Tenant::trust_floors`]).
    pub(crate) has_trust_floors: bool,
    /// A change of a session's context must be judged.
    pub(crate) checks_context: bool,
}

/// A floor of trust, 0-100; zeros let everything pass.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Floor {
    /// Trust below which a step-up is asked for.
    pub(crate) step_up_below: u32,
    /// Trust below which is refused.
    pub(crate) deny_below: u32,
}

impl Floor {
    /// What holds where both do.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            step_up_below: self.step_up_below.max(other.step_up_below),
            deny_below: self.deny_below.max(other.deny_below),
        }
    }
}

impl Policy {
    /// The tighter of two policies, field by field: a policy that was tightened bites at the next use, one that was
    /// loosened is for new sessions. `grace ≥ 2 × deadline` holds for the result if it holds for both.
    ///
    /// The level and the kind of factor of a session's own policy follow what is in force for its user, up and down: a
    /// step-up goes by that, too, and must be enough.
    pub(crate) fn tightened(self, other: Self) -> Self {
        Self {
            idle: self.idle.min(other.idle),
            absolute: self.absolute.min(other.absolute),
            access: self.access.min(other.access),
            refresh: self.refresh.min(other.refresh),
            grace: self.grace.min(other.grace),
            deadline: self.deadline.min(other.deadline),
            refresh_is_activity: self.refresh_is_activity && other.refresh_is_activity,
            is_strict: self.is_strict || other.is_strict,
            ends_on_replay: self.ends_on_replay || other.ends_on_replay,
            required_acr: self.required_acr.max(other.required_acr),
            second_factor: self.second_factor.max(other.second_factor),
            trust: self.trust.and(other.trust),
            has_trust_floors: self.has_trust_floors || other.has_trust_floors,
            checks_context: self.checks_context || other.checks_context,
        }
    }
}

impl From<&PolicySnapshot> for Policy {
    fn from(snapshot: &PolicySnapshot) -> Self {
        Self {
            idle: snapshot.idle,
            absolute: snapshot.absolute,
            access: snapshot.access,
            refresh: match snapshot.refresh {
                0 => u32::MAX,
                life => life,
            },
            grace: snapshot.grace,
            deadline: snapshot.deadline,
            refresh_is_activity: snapshot.refresh_is_activity,
            is_strict: snapshot.strict,
            ends_on_replay: snapshot.end_on_replay,
            required_acr: required(snapshot.required_acr),
            second_factor: SecondFactor::from_number(snapshot.second_factor),
            trust: Floor {
                step_up_below: snapshot.trust_step_up_below,
                deny_below: snapshot.trust_deny_below,
            },
            has_trust_floors: !snapshot.trust_floors.is_empty(),
            checks_context: snapshot.checks_context,
        }
    }
}

/// The level of a number; of one that this release does not know, the highest.
fn required(number: u32) -> Acr {
    let known = Acr::ALL
        .into_iter()
        .find(|acr| u32::from(acr.number()) >= number);
    known.unwrap_or(Acr::Aal3)
}
