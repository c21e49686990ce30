use proptest::prelude::*;

use super::*;

fn any_inputs() -> impl Strategy<Value = DeviceInputs> {
    let amounts = (0.0..200.0_f64, 0.0..200.0_f64, 0.0..800.0_f64);
    let known = (
        proptest::option::of(0.0..=1.0_f64),
        proptest::option::of(0.0..800.0_f64),
        proptest::option::of(any::<bool>()),
        proptest::option::of(any::<bool>()),
    );
    (amounts, known, 0_usize..4, any::<bool>()).prop_map(|(amounts, known, key, is_key_missing)| {
        let (passed, failed, unused_days) = amounts;
        let (usual_share, patch_days, is_end_of_life, is_integrity_bad) = known;
        DeviceInputs {
            passed,
            failed,
            usual_share,
            key: Key::ALL[key],
            is_key_missing,
            patch_days,
            is_end_of_life,
            is_integrity_bad,
            unused_days,
        }
    })
}

/// A device that nothing speaks against.
fn good() -> DeviceInputs {
    DeviceInputs {
        passed: 20.0,
        failed: 0.0,
        usual_share: Some(1.0),
        key: Key::Hardware,
        is_key_missing: false,
        patch_days: Some(3.0),
        is_end_of_life: Some(false),
        is_integrity_bad: Some(false),
        unused_days: 0.0,
    }
}

/// Nothing is known of it.
fn blank() -> DeviceInputs {
    DeviceInputs {
        passed: 0.0,
        usual_share: None,
        key: Key::None,
        patch_days: None,
        is_end_of_life: None,
        is_integrity_bad: None,
        ..good()
    }
}

fn score(inputs: &DeviceInputs) -> f64 {
    rate_device(inputs).unwrap().score
}

proptest! {
    /// The terms add up to the score, of a device and of a session.
    #[test]
    fn the_terms_add_up_to_the_score(inputs in any_inputs(), risk in 0.0..=1.0_f64, age in 0.0..1e6_f64, rated in proptest::option::of(0.0..=100.0_f64)) {
        let device = rate_device(&inputs).unwrap();
        let session = rate_session(device.clone(), &SessionInputs { risk, rated, proof_age_seconds: age }).unwrap();
        for rating in [device, session] {
            let sum: f64 = rating.terms.iter().map(|term| term.weight).sum();
            prop_assert!((100.0 / (1.0 + (-sum).exp()) - rating.score).abs() < 1e-6);
            prop_assert!((0.0..=100.0).contains(&rating.score));
        }
    }

    /// Every input moves the score in one direction.
    #[test]
    fn each_input_moves_the_score_in_one_direction(inputs in any_inputs(), more in 0.0..100.0_f64, worse in 0_usize..4) {
        let base = score(&inputs);
        let better = DeviceInputs { passed: inputs.passed + more, ..inputs };
        prop_assert!(score(&better) >= base);
        let share = inputs.usual_share.map(|share| share * 0.9);
        let lowered = [
            DeviceInputs { failed: inputs.failed + more, ..inputs },
            DeviceInputs { usual_share: share, ..inputs },
            DeviceInputs { key: Key::ALL[worse].min(inputs.key), ..inputs },
            DeviceInputs { is_key_missing: true, ..inputs },
            DeviceInputs { patch_days: inputs.patch_days.map(|days| days + more), ..inputs },
            DeviceInputs { is_end_of_life: Some(true), ..inputs },
            DeviceInputs { is_integrity_bad: Some(true), ..inputs },
            DeviceInputs { unused_days: inputs.unused_days + more, ..inputs },
        ];
        for one in lowered {
            prop_assert!(score(&one) <= base + 1e-9, "{one:?} above {inputs:?}");
        }
    }

    /// Caps hold whatever else speaks for a device.
    #[test]
    fn caps_hold(inputs in any_inputs()) {
        let old = score(&DeviceInputs { is_end_of_life: Some(true), ..inputs });
        let tampered = score(&DeviceInputs { is_integrity_bad: Some(true), ..inputs });
        let keyless = score(&DeviceInputs { is_key_missing: true, ..inputs });
        prop_assert!(old <= 40.0 && tampered <= 10.0 && keyless.abs() < 1e-9);
    }

    /// A session has at most its device's trust and what its risk leaves, and less with time.
    #[test]
    fn a_session_is_bounded_by_device_risk_and_time(inputs in any_inputs(), risk in 0.0..=1.0_f64, age in 0.0..1e6_f64, more in 0.0..1e6_f64) {
        let device = rate_device(&inputs).unwrap();
        let at = |risk, proof_age_seconds| {
            rate_session(device.clone(), &SessionInputs { risk, rated: None, proof_age_seconds }).unwrap().score
        };
        prop_assert!(at(risk, age) <= device.score.min(100.0 * (1.0 - risk)) + 1e-9);
        prop_assert!(at(risk, age + more) <= at(risk, age) + 1e-9);
        prop_assert!(at(1.0, age) <= at(risk, age) + 1e-9);
        prop_assert!((at(risk, 0.0) - device.score.min(100.0 * (1.0 - risk))).abs() < 1e-9);
    }
}

#[test]
fn the_formula_is_the_published_one() {
    // −1 + 1.5·ln 4 + 2·(.75 − .5) + 1 − .5, worked out by hand.
    let inputs = DeviceInputs {
        passed: 3.0,
        usual_share: Some(0.75),
        key: Key::Software,
        patch_days: Some(60.0),
        ..good()
    };
    assert!((score(&inputs) - 88.888_888_888).abs() < 1e-6);
}

#[test]
fn nothing_known_is_neither_fine_nor_changed() {
    assert!(score(&blank()) <= NO_SIGNAL_CAP);
    let rated = rate_device(&blank()).unwrap();
    let unknown = |code| {
        rated
            .terms
            .iter()
            .any(|term| term.code == code && term.seen == "unknown" && term.weight == 0.0)
    };
    assert!(unknown(Code::UsualNetwork) && unknown(Code::PatchLevel));
}

#[test]
fn an_unused_device_fades_to_what_nothing_gives_and_does_not_rise_to_it() {
    let month = DeviceInputs {
        unused_days: 30.0,
        ..good()
    };
    let fresh = score(&good());
    assert!((score(&month) - f64::midpoint(fresh, NO_SIGNAL_CAP)).abs() < 1e-9);
    let bad = DeviceInputs {
        is_integrity_bad: Some(true),
        unused_days: 3000.0,
        ..good()
    };
    assert!((score(&bad) - 10.0).abs() < 1e-9);
}

#[test]
fn a_session_halves_every_eight_hours() {
    assert!((aged(80.0, 8.0 * 3600.0) - 40.0).abs() < 1e-9);
    assert!((aged(80.0, 16.0 * 3600.0) - 20.0).abs() < 1e-9);
}

#[test]
fn what_no_device_can_have_is_refused() {
    for bad in [f64::NAN, -1.0, f64::INFINITY] {
        assert_eq!(
            rate_device(&DeviceInputs {
                passed: bad,
                ..good()
            }),
            Err(InputError("passed"))
        );
        assert_eq!(
            rate_device(&DeviceInputs {
                unused_days: bad,
                ..good()
            }),
            Err(InputError("unused_days"))
        );
        let shared = DeviceInputs {
            usual_share: Some(bad),
            ..good()
        };
        assert_eq!(rate_device(&shared), Err(InputError("usual_share")));
        let device = rate_device(&good()).unwrap();
        let session = SessionInputs {
            risk: bad,
            rated: None,
            proof_age_seconds: 0.0,
        };
        assert_eq!(rate_session(device, &session), Err(InputError("risk")));
    }
}
