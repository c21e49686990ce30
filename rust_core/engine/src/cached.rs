//! Goes by what was read of a session before, where that counts as much as reading it now.
//!
//! Only a yes comes from here: whatever is not one is asked of Redis, so that a cache changes no refusal, and no end of
//! a session is decided by a record that may be old.

use std::sync::atomic::Ordering;

use argus_core::deadlines;

use crate::activity::Use;
use crate::call::{Call, Subject, seconds};
use crate::check::{Checked, Told, session_keys};
use crate::proof;
use crate::proto::v1::Activity;
use crate::snapshot::Client;
use crate::state::{self, Living};
use crate::states::KnownState;
use crate::store::{Marks, SessionKeys, Watch};
use crate::trust::Standing;

/// A session's state as it is known; `None`: Redis must be asked.
pub(crate) fn check(
    call: &Call,
    subject: &Subject,
    told: &Told<'_>,
    client: &Client,
    activity: Activity,
) -> Option<Checked> {
    let store = &call.shared.store;
    // First of all until when it is known that nothing changed, and only then what there is: never the other way.
    let (watch, confirmed_ms) = store.watch()?;
    let found = watch.states.get(&told.session.session_id);
    let known =
        found.filter(|known| watch.ledger.holds(&known.marks) && known.is_of(call, subject));
    let yes = known.and_then(|known| {
        let living = now(call, client, &watch, &known)?;
        is_good(call, subject, told, &living).then_some(())?;
        (activity == Activity::Passive || is_used(call, subject, told, &living, &known)).then(
            || Checked {
                state_time_ms: watch.ledger.node_ms(confirmed_ms).max(known.living.now_ms),
                confirmed_ms: Some(confirmed_ms),
                standing: Some(Standing::of(&living)),
            },
        )
    });
    store.tracking.count(yes.is_some());
    yes
}

/// What was read, under the policy and at the time of now.
fn now(call: &Call, client: &Client, watch: &Watch, known: &KnownState) -> Option<Living> {
    let record = &known.living.record;
    Some(Living {
        policy: call.policy(record.policy_revision, client).ok()?,
        now_ms: watch.ledger.node_ms(call.shared.clock.steady_ms()),
        ..known.living.clone()
    })
}

fn is_good(call: &Call, subject: &Subject, told: &Told<'_>, living: &Living) -> bool {
    proof::agrees(&living.record, told.bound_to)
        && state::check(call, subject, told.session, living, told.issued).is_ok()
}

/// Counts the use; false where that takes a write in place.
fn is_used(
    call: &Call,
    subject: &Subject,
    told: &Told<'_>,
    living: &Living,
    known: &KnownState,
) -> bool {
    let policy = living.policy;
    let at = seconds(living.now_ms);
    let deadline = deadlines::after_use(&living.record, at, policy.idle, policy.absolute);
    if !deadlines::is_worth_a_write(&living.record, deadline, policy.idle)
        || known.is_used.load(Ordering::Relaxed)
    {
        return true;
    }
    let Ok(keys) = session_keys(call, &told.session.session_id, subject) else {
        return false;
    };
    let waits = wait(call, subject, living, told.issued, deadline, keys);
    known.is_used.fetch_or(waits, Ordering::Relaxed);
    waits
}

/// Lets a use wait to be written with others, where it can: a deadline that comes nearer is written in place, and so is
/// the first use after half of the idle time, which must not be late.
pub(crate) fn wait(
    call: &Call,
    subject: &Subject,
    living: &Living,
    issued: u32,
    deadline: u32,
    keys: SessionKeys,
) -> bool {
    let Living { record, policy, .. } = living;
    let now = seconds(living.now_ms);
    let left = record.idle_deadline.saturating_sub(now);
    if deadline < record.idle_deadline || left < policy.idle / 2 {
        return false;
    }
    call.shared.activity.push(keys, now, |keys, active| Use {
        keys,
        active: active.into(),
        idle: policy.idle,
        absolute: policy.absolute,
        seen: living.seen(issued),
        effect: used(call, subject, living, deadline),
    })
}

/// What a use must bring to `PostgreSQL`.
pub(crate) fn used(
    call: &Call,
    subject: &Subject,
    living: &Living,
    deadline: u32,
) -> crate::proto::internal::Effect {
    let mut effect = call.effect(subject, living.now_ms);
    effect.last_active = seconds(living.now_ms);
    effect.idle_deadline = deadline;
    effect
}

/// Keeps what was read over the tracking connection and found to be good.
pub(crate) fn keep(
    call: &Call,
    subject: &Subject,
    told: &Told<'_>,
    living: Living,
    (watch, marks): (&Watch, Marks),
) {
    let known = KnownState::new(call, subject, living, marks);
    watch.states.put(&told.session.session_id, known);
}
