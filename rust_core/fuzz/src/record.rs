//! The decoders of what Redis holds, and the rules that decide on it.
//!
//! Laws of the decoders: what is accepted is written the same again, byte for byte; what is not has another length,
//! version or state. Laws of the rules (rotation, rebuild): what they leave is readable, of the same node, of no older
//! family or generation, and an end or a contest stays one.

use arbitrary::{Result, Unstructured};
use argus_core::ids::SessionId;
use argus_core::rebuild::{Rebuilt, rebuild};
use argus_core::record::{
    Lineage, NotBefore, RecordError, SessionRecord, State, Stored, Tombstone, UserRecord, VERSION,
};
use argus_core::rotation::{Outcome as Decision, Presented, Verdict, rotate};
use argus_core::token::Methods;

use crate::Outcome;
use crate::memory::within;

/// Most bytes that decoding a value may hold.
pub const MEMORY: usize = 1024;

/// Checks the laws for some bytes: as each kind of value; those that follow a session's record say what is presented.
pub fn check(data: &[u8]) -> Outcome {
    let is_value = session(data) | user(data) | not_before(data) | id(data);
    let rest = [SessionRecord::SIZE, Tombstone::SIZE]
        .into_iter()
        .filter_map(|size| data.split_at_checked(size))
        .find(|(value, rest)| !rest.is_empty() && Stored::decode(value).is_ok());
    let is_case = rest.is_some_and(|(value, rest)| {
        let mut bytes = Unstructured::new(rest);
        rotation(value, &mut bytes).is_ok() && rebuilding(value, &mut bytes).is_ok()
    });
    Outcome::of(is_value || is_case)
}

fn session(data: &[u8]) -> bool {
    let found = within(MEMORY, || Stored::decode(data));
    match &found {
        Ok(Stored::Living(record)) => {
            assert_eq!(record.encode(), data);
            let methods = Methods::from_bits(record.amr);
            assert_eq!(Methods::from_names(methods.names()), Some(methods));
        }
        Ok(Stored::Ended(tombstone)) => assert_eq!(tombstone.encode(), data),
        Err(error) => {
            let sizes = [SessionRecord::SIZE, Tombstone::SIZE];
            let expected = match data.first() {
                _ if !sizes.contains(&data.len()) => RecordError::Length,
                Some(&VERSION) => RecordError::State,
                _ => RecordError::Version,
            };
            assert_eq!(*error, expected);
        }
    }
    found.is_ok()
}

fn user(data: &[u8]) -> bool {
    let Ok(record) = within(MEMORY, || UserRecord::decode(data)) else {
        return false;
    };
    // Bit 1 of the flags is only for the functions in Redis.
    let mut known = data.to_vec();
    known[1] &= 1;
    assert_eq!(record.encode(), known);
    true
}

fn not_before(data: &[u8]) -> bool {
    let found = within(MEMORY, || NotBefore::decode(data));
    if let Ok(value) = &found {
        assert_eq!(value.encode(), data);
    }
    found.is_ok()
}

fn id(data: &[u8]) -> bool {
    let Some(id) = std::str::from_utf8(data)
        .ok()
        .and_then(|text| within(MEMORY, || SessionId::parse(text)).ok())
    else {
        return false;
    };
    assert_eq!(id.as_str().as_bytes(), data);
    let key = String::from_utf8(id.redis_key()).unwrap();
    assert!(key.contains(&format!("{{{:04x}}}", id.bucket())));
    true
}

/// What is presented: arbitrary, or near to what the record says, as the first byte has it.
fn presented(record: Option<&SessionRecord>, bytes: &mut Unstructured<'_>) -> Result<Presented> {
    let near = bytes.arbitrary::<bool>()?;
    let flags = bytes.arbitrary::<u8>()?;
    let is = |bit: u8| flags & (1 << bit) != 0;
    let mut number = |known: fn(&SessionRecord) -> u32| -> Result<u32> {
        match record.filter(|_| near) {
            Some(record) => Ok(known(record).wrapping_add_signed(bytes.arbitrary::<i8>()?.into())),
            None => bytes.arbitrary(),
        }
    };
    Ok(Presented {
        family: number(|record| record.family)?,
        generation: number(|record| record.generation)?,
        issued_at: number(|record| record.made)?,
        not_before: number(|record| record.created)?,
        absolute_max: number(|record| record.absolute_deadline.wrapping_sub(record.created))?,
        idle: number(|record| record.idle_deadline.wrapping_sub(record.made))?,
        has_proof: is(0),
        is_strict: is(1),
        may_rotate: is(2),
        ends_on_replay: is(3),
        is_activity: is(4),
        attempt: bytes.arbitrary()?,
        print: bytes.arbitrary()?,
        grace: bytes.arbitrary()?,
        deadline: bytes.arbitrary()?,
    })
}

fn rotation(value: &[u8], bytes: &mut Unstructured<'_>) -> Result<()> {
    let stored = Stored::decode(value).unwrap();
    let record = match &stored {
        Stored::Living(record) => Some(record),
        Stored::Ended(_) => None,
    };
    let presented = presented(record, bytes)?;
    let now_ms = match (record, bytes.arbitrary::<Option<i32>>()?) {
        (Some(record), Some(after)) => i64::from(record.made) * 1000 + i64::from(after),
        _ => bytes.arbitrary()?,
    };
    let node = if bytes.ratio(1, 8)? {
        bytes.arbitrary()?
    } else {
        stored.lineage()
    };
    let user = UserRecord {
        is_disabled: bytes.ratio(1, 8)?,
        lineage: if bytes.ratio(1, 8)? {
            Lineage::default()
        } else {
            node
        },
        not_before: if bytes.ratio(1, 8)? {
            bytes.arbitrary()?
        } else {
            0
        },
    };
    let decide = || rotate(value, &user.encode(), node, &presented, now_ms);
    let decision = within(8 * MEMORY, decide);
    assert_eq!(decision, decide(), "decided twice, it is decided otherwise");
    check_decision(&stored, node, &presented, &decision);
    Ok(())
}

fn check_decision(stored: &Stored, node: Lineage, presented: &Presented, decision: &Decision) {
    let verdict = decision.verdict;
    if stored.lineage() != node {
        assert_eq!(
            (verdict, decision.record.as_slice()),
            (Verdict::Stale, &[][..])
        );
        return;
    }
    let after = Stored::decode(&decision.record).unwrap();
    assert_eq!(after.lineage(), node);
    let (before, after) = match (stored, &after) {
        (Stored::Ended(before), after) => {
            assert_eq!((verdict, after), (Verdict::Ended, &Stored::Ended(*before)));
            return;
        }
        (Stored::Living(_), Stored::Ended(_)) => {
            assert_eq!(verdict, Verdict::ReplayedEnded);
            return;
        }
        (Stored::Living(before), Stored::Living(after)) => (before, after),
    };
    let is_rotated = u32::from(verdict == Verdict::Rotated);
    assert!(
        after.generation >= before.generation,
        "a generation came back"
    );
    assert!(
        after.generation
            <= before
                .generation
                .max(presented.generation)
                .saturating_add(is_rotated),
        "a generation out of nothing"
    );
    if verdict == Verdict::Rotated {
        assert!(
            after.generation > presented.generation,
            "a token is its own successor"
        );
    }
    if verdict.is_yes() {
        assert_eq!(before.state, State::Active, "a contested family went on");
        assert_eq!(presented.family, before.family);
        assert!(
            presented.has_proof || !before.is_bound,
            "bound, and no proof"
        );
    }
    if before.state == State::Contested {
        assert_eq!(after.state, State::Contested, "a contest was forgotten");
    }
    let unmoved = SessionRecord {
        state: after.state,
        generation: after.generation,
        made: after.made,
        is_made_by_rotation: after.is_made_by_rotation,
        attempt: after.attempt,
        print: after.print,
        idle_deadline: after.idle_deadline,
        ..before.clone()
    };
    assert_eq!(
        *after, unmoved,
        "something moved that rotation has no say in"
    );
}

/// What `PostgreSQL` says: near to what is there, or arbitrary.
fn given(old: &Stored, bytes: &mut Unstructured<'_>) -> Result<Option<Stored>> {
    let is_near = bytes.arbitrary::<bool>()?;
    let is_ended = bytes.ratio(1, 4)?;
    if let (Stored::Living(record), true, false) = (old, is_near, is_ended) {
        let mut near = |number: u32| -> Result<u32> {
            Ok(number.wrapping_add_signed(bytes.arbitrary::<i8>()?.into()))
        };
        return Ok(Some(Stored::Living(SessionRecord {
            family: near(record.family)?,
            generation: near(record.generation)?,
            made: near(record.made)?,
            idle_deadline: near(record.idle_deadline)?,
            state: if bytes.arbitrary()? {
                State::Contested
            } else {
                State::Active
            },
            lineage: Lineage::default(),
            ..record.clone()
        })));
    }
    let mut given = vec![
        0;
        if is_ended {
            Tombstone::SIZE
        } else {
            SessionRecord::SIZE
        }
    ];
    bytes.fill_buffer(&mut given)?;
    Ok(Stored::decode(&given).ok())
}

fn rebuilding(value: &[u8], bytes: &mut Unstructured<'_>) -> Result<()> {
    let old = Stored::decode(value).unwrap();
    let node: Lineage = if bytes.arbitrary()? {
        old.lineage()
    } else {
        bytes.arbitrary()?
    };
    let expected: Lineage = if bytes.ratio(7, 8)? {
        node
    } else {
        bytes.arbitrary()?
    };
    let Some(given) = given(&old, bytes)? else {
        return Ok(());
    };
    let (done, after) = rebuild(value, node, expected, given.clone());
    if done != Rebuilt::Written {
        assert_eq!(after, value, "{done:?}, and yet it was written");
        return Ok(());
    }
    assert_eq!(expected, node);
    let after = Stored::decode(&after).unwrap();
    assert_eq!(after.lineage(), node);
    match (&old, &given, &after) {
        (Stored::Ended(_), _, Stored::Living(_)) | (_, Stored::Ended(_), Stored::Living(_)) => {
            panic!("an end was forgotten");
        }
        (Stored::Living(old), Stored::Living(given), Stored::Living(after)) => {
            assert_eq!(
                after.family,
                old.family.max(given.family),
                "an older family came back"
            );
            let known = [old, given]
                .into_iter()
                .filter(|one| one.family == after.family);
            let newest = known.clone().map(|one| one.generation).max();
            assert_eq!(Some(after.generation), newest, "a generation was forgotten");
            let is_contested = known.clone().any(|one| one.state == State::Contested);
            assert_eq!(after.state == State::Contested, is_contested);
            assert!(after.is_rebuilt);
        }
        _ => {}
    }
    Ok(())
}
