use super::*;

type Value = fn(&Policy) -> u32;

const FIELDS: [(&str, Value); 12] = [
    ("idle_seconds", |policy| policy.idle),
    ("absolute_seconds", |policy| policy.absolute),
    ("access_seconds", |policy| policy.access),
    ("refresh_seconds", |policy| policy.refresh),
    ("grace_seconds", |policy| policy.grace),
    ("request_deadline_seconds", |policy| policy.deadline),
    ("refresh_is_activity", |policy| {
        policy.refresh_is_activity.into()
    }),
    ("rotation", |policy| policy.is_strict.into()),
    ("reuse", |policy| policy.ends_on_replay.into()),
    ("trust_step_up_below", |policy| policy.trust.step_up_below),
    ("trust_deny_below", |policy| policy.trust.deny_below),
    ("trust_floors", |policy| policy.has_trust_floors.into()),
];

fn own(narrower: &[&str]) -> Policy {
    Policy::from(&PolicySnapshot {
        narrower: narrower.iter().map(|&key| key.to_owned()).collect(),
        ..PolicySnapshot::default()
    })
}

fn present() -> Policy {
    Policy::from(&PolicySnapshot {
        idle: 600,
        absolute: 1200,
        access: 60,
        refresh: 300,
        grace: 20,
        deadline: 10,
        strict: true,
        end_on_replay: true,
        trust_step_up_below: 70,
        trust_deny_below: 30,
        trust_floors: vec![crate::proto::internal::TrustFloor::default()],
        ..PolicySnapshot::default()
    })
}

fn ceiling() -> Policy {
    Policy::ceiling(&PolicySnapshot {
        refresh_is_activity: true,
        ..PolicySnapshot::default()
    })
}

#[test]
fn what_nobody_demands_has_no_ceiling() {
    let ceiling = ceiling();
    for span in [
        ceiling.idle,
        ceiling.absolute,
        ceiling.access,
        ceiling.refresh,
        ceiling.grace,
        ceiling.deadline,
    ] {
        assert_eq!(span, u32::MAX);
    }
    assert!(ceiling.refresh_is_activity && !ceiling.is_strict && !ceiling.ends_on_replay);
    assert_eq!(ceiling.trust, Floor::default());
}

#[test]
fn where_no_scope_is_narrower_the_client_bounds_everything() {
    assert_eq!(own(&[]).bound(present(), &ceiling()), present());
    assert_eq!(
        own(&["on_country_change"]).bound(present(), &ceiling()),
        present()
    );
}

#[test]
fn of_a_narrower_field_the_ceiling_counts_and_of_no_other() {
    let (present, ceiling) = (present(), ceiling());
    for (key, value) in FIELDS {
        let bound = own(&[key]).bound(present, &ceiling);
        assert_eq!(value(&bound), value(&ceiling), "{key}");
        for (other, theirs) in FIELDS.iter().filter(|(other, _)| *other != key) {
            assert_eq!(theirs(&bound), theirs(&present), "{other} beside {key}");
        }
    }
}

#[test]
fn a_span_as_long_as_the_clients_sessions_does_not_bound_a_longer_one() {
    let mut present = present();
    present.idle = present.absolute;
    let ceiling = Policy {
        idle: 900,
        ..ceiling()
    };
    let bound = own(&["absolute_seconds"]).bound(present, &ceiling);
    assert_eq!((bound.idle, bound.access), (900, present.access));
    assert_eq!(own(&["reuse"]).bound(present, &ceiling).idle, present.idle);
}
