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
    /// Fields that a narrower scope than the client gave.
    pub(crate) narrower: Narrower,
}

/// Fields of a policy that a narrower scope than the client gave: a group, a user, a rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Narrower(u16);

impl Narrower {
    const IDLE: Self = Self(1);
    const ABSOLUTE: Self = Self(1 << 1);
    const ACCESS: Self = Self(1 << 2);
    const REFRESH: Self = Self(1 << 3);
    const GRACE: Self = Self(1 << 4);
    const DEADLINE: Self = Self(1 << 5);
    const REFRESH_IS_ACTIVITY: Self = Self(1 << 6);
    const ROTATION: Self = Self(1 << 7);
    const REUSE: Self = Self(1 << 8);
    const TRUST_STEP_UP: Self = Self(1 << 9);
    const TRUST_DENY: Self = Self(1 << 10);
    const TRUST_FLOORS: Self = Self(1 << 11);

    /// The field of a key; of one that the engine knows nothing of, none.
    fn of(key: &str) -> Self {
        match key {
            "idle_seconds" => Self::IDLE,
            "absolute_seconds" => Self::ABSOLUTE,
            "access_seconds" => Self::ACCESS,
            "refresh_seconds" => Self::REFRESH,
            "grace_seconds" => Self::GRACE,
            "request_deadline_seconds" => Self::DEADLINE,
            "refresh_is_activity" => Self::REFRESH_IS_ACTIVITY,
            "rotation" => Self::ROTATION,
            "reuse" => Self::REUSE,
            "trust_step_up_below" => Self::TRUST_STEP_UP,
            "trust_deny_below" => Self::TRUST_DENY,
            "trust_floors" => Self::TRUST_FLOORS,
            _ => Self::default(),
        }
    }

    fn has(self, field: Self) -> bool {
        self.0 & field.0 != 0
    }
}

impl<'a> FromIterator<&'a str> for Narrower {
    fn from_iter<T: IntoIterator<Item = &'a str>>(keys: T) -> Self {
        Self(keys.into_iter().fold(0, |all, key| all | Self::of(key).0))
    }
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
            narrower: self.narrower,
        }
    }

    /// What a session of this policy is held to: the client's present policy, and the ceiling of its presets in the
    /// fields that a narrower scope gave. Contexts are left to the flow that judges them.
    pub(crate) fn bound(&self, present: Self, ceiling: &Self) -> Self {
        if self.narrower == Narrower::default() {
            return present;
        }
        let is = |field| self.narrower.has(field);
        // Where the client's is as long as its sessions live it says nothing of one that may live longer.
        let span = |field, present_span: u32, ceiling_span: u32| {
            let is_as_long = is(Narrower::ABSOLUTE) && present_span >= present.absolute;
            either(is(field) || is_as_long, ceiling_span, present_span)
        };
        Self {
            idle: span(Narrower::IDLE, present.idle, ceiling.idle),
            access: span(Narrower::ACCESS, present.access, ceiling.access),
            refresh: span(Narrower::REFRESH, present.refresh, ceiling.refresh),
            absolute: either(is(Narrower::ABSOLUTE), ceiling.absolute, present.absolute),
            grace: either(is(Narrower::GRACE), ceiling.grace, present.grace),
            deadline: either(is(Narrower::DEADLINE), ceiling.deadline, present.deadline),
            refresh_is_activity: either(
                is(Narrower::REFRESH_IS_ACTIVITY),
                ceiling.refresh_is_activity,
                present.refresh_is_activity,
            ),
            is_strict: either(is(Narrower::ROTATION), ceiling.is_strict, present.is_strict),
            ends_on_replay: either(
                is(Narrower::REUSE),
                ceiling.ends_on_replay,
                present.ends_on_replay,
            ),
            trust: Floor {
                step_up_below: either(
                    is(Narrower::TRUST_STEP_UP),
                    ceiling.trust.step_up_below,
                    present.trust.step_up_below,
                ),
                deny_below: either(
                    is(Narrower::TRUST_DENY),
                    ceiling.trust.deny_below,
                    present.trust.deny_below,
                ),
            },
            has_trust_floors: present.has_trust_floors && !self.has_floors_of_its_own(),
            ..present
        }
    }

    /// Its floors of single scopes are its own: the client's do not count beside them.
    pub(crate) fn has_floors_of_its_own(&self) -> bool {
        self.narrower.has(Narrower::TRUST_FLOORS)
    }

    /// What presets demand: fields that say nothing demand nothing.
    pub(crate) fn ceiling(demanded: &PolicySnapshot) -> Self {
        Self {
            idle: or_endless(demanded.idle),
            absolute: or_endless(demanded.absolute),
            access: or_endless(demanded.access),
            grace: or_endless(demanded.grace),
            deadline: or_endless(demanded.deadline),
            ..Self::from(demanded)
        }
    }
}

fn either<T>(is_first: bool, first: T, second: T) -> T {
    if is_first { first } else { second }
}

fn or_endless(span: u32) -> u32 {
    either(span == 0, u32::MAX, span)
}

impl From<&PolicySnapshot> for Policy {
    fn from(snapshot: &PolicySnapshot) -> Self {
        Self {
            idle: snapshot.idle,
            absolute: snapshot.absolute,
            access: snapshot.access,
            refresh: or_endless(snapshot.refresh),
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
            narrower: snapshot.narrower.iter().map(String::as_str).collect(),
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

#[cfg(test)]
mod tests;
