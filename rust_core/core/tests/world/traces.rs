//! Stories that broke an earlier design, or this one before it was mended; each is told once more.

use argus_core::record::State;
use argus_core::rotation::Verdict;

use crate::actions::{Action, Config};
use crate::jobs::{Job, Reply, Token};
use crate::scene::{LATER, PLAIN, Scene, THIEF, TWO_TABS};
use crate::world::{DEADLINE, GRACE};

#[test]
fn two_tabs_and_the_first_token_of_one_arrives_late_inside_the_grace() {
    let mut scene = Scene::new(TWO_TABS);
    scene.send(1);
    assert_eq!(scene.send(0).work(1).0.verdict, Some(Verdict::Rotated));
    scene.act(Action::Deliver { pick: 0 }).wait(5);
    scene.send(0).work(1);
    assert_eq!(
        scene.0.verdict,
        Some(Verdict::Repeated),
        "no second rotation"
    );
    scene.wait(4);
    assert_eq!(scene.finish(), Some(Verdict::Current));
    assert_eq!(scene.generation(0), 2);
    assert_eq!(scene.wait(LATER).refresh(1), Some(Verdict::Rotated));
}

#[test]
fn own_jars_without_a_thief_contest_each_other_and_nobody_is_logged_out() {
    let mut scene = Scene::new(Config {
        has_own_jars: true,
        ..TWO_TABS
    });
    assert_eq!(scene.refresh(0), Some(Verdict::Rotated));
    scene.wait(GRACE + 1);
    assert_eq!(scene.refresh(1), Some(Verdict::AnswerLate));
    scene.wait(LATER);
    assert_eq!(scene.refresh(0), Some(Verdict::Rotated));
    assert_eq!(scene.refresh(1), Some(Verdict::Replayed));
    assert_eq!(scene.refresh(0), Some(Verdict::Contested));
    scene.act(Action::StepUp { tab: 0 }).finish();
    assert_eq!(scene.refresh(0), Some(Verdict::Rotated));
    assert_eq!(scene.refresh(1), Some(Verdict::OlderFamily));
}

#[test]
fn everything_is_lost_and_then_the_newest_token_is_shown() {
    let mut scene = Scene::new(TWO_TABS);
    scene.act(Action::Postgres { is_up: false });
    assert_eq!(scene.refresh(0), Some(Verdict::Rotated));
    scene.act(Action::FlushAll);
    assert_eq!(scene.send(0).work(2).0.verdict, Some(Verdict::Missing));
    assert!(matches!(scene.0.answers[0].reply, Reply::Unavailable));
    scene.act(Action::Crash { process: 0 });
    scene.act(Action::Crash { process: 1 });
    scene.act(Action::Postgres { is_up: true }).wait(LATER);
    assert_eq!(scene.refresh(0), Some(Verdict::Rotated));
    let token = scene.0.jars[0];
    assert_eq!((token.generation, scene.0.counts["adopted"]), (3, 1));
}

#[test]
fn rolled_back_and_then_a_retry_and_the_next_tab() {
    let mut scene = Scene::new(TWO_TABS);
    scene.act(Action::Postgres { is_up: false });
    scene.send(0).work(1).act(Action::Lose { pick: 0 });
    assert_eq!(scene.0.verdict, Some(Verdict::Rotated));
    scene.act(Action::Crash { process: 0 });
    scene.act(Action::Crash { process: 1 });
    scene.act(Action::Restart);
    scene.act(Action::Postgres { is_up: true });
    assert_eq!(
        scene.refresh(0),
        Some(Verdict::Rotated),
        "the same one again"
    );
    assert_eq!(scene.refresh(1), Some(Verdict::Repeated));
    assert_eq!(scene.generation(0), 2);
}

#[test]
fn a_rebuild_reads_active_and_the_session_ends_before_it_writes() {
    for loss in [Action::Attach, Action::FlushAll] {
        let mut scene = Scene::new(PLAIN);
        scene.act(Action::FlushAll).send(0).work(2);
        assert!(scene.0.jobs[0].is_holding());
        // PostgreSQL waits for the rebuild: the row is held.
        scene.act(Action::End { kind: 0 }).work(1);
        assert!(scene.0.postgres.end.is_none());
        scene.finish();
        assert!(scene.0.laws.has_said_ended);
        scene.act(loss);
        assert_eq!(scene.refresh(0), Some(Verdict::Ended));
    }
}

#[test]
fn a_rebuild_of_a_dead_process_arrives_after_the_end() {
    let mut scene = Scene::new(PLAIN);
    scene.act(Action::FlushAll).send(0).work(2);
    scene.act(Action::Crash { process: 1 });
    assert!(matches!(scene.0.jobs[..], [Job::Straggler(..)]));
    scene.act(Action::End { kind: 0 });
    scene.work(2);
    assert!(scene.0.laws.has_said_ended);
    scene.finish();
    assert_eq!(scene.refresh(0), Some(Verdict::Ended));
}

#[test]
fn an_end_while_postgresql_is_away_and_then_redis_forgets_it() {
    let mut scene = Scene::new(PLAIN);
    scene.act(Action::Postgres { is_up: false });
    scene.act(Action::End { kind: 0 }).work(1);
    assert_eq!(scene.send(0).work(1).0.verdict, Some(Verdict::Ended));
    scene.act(Action::FlushAll).send(0).work(2);
    let reply = scene.0.answers[1].reply;
    assert!(matches!(reply, Reply::Unavailable), "nobody knows any more");
    assert!(!scene.0.laws.has_said_ended, "PENDING is all that was said");
    scene.act(Action::Postgres { is_up: true }).finish();
    assert_eq!(scene.refresh(0), Some(Verdict::Ended));
}

#[test]
fn a_rebuild_for_the_old_primary_is_not_written_by_the_new_one() {
    let mut scene = Scene::new(PLAIN);
    scene.act(Action::FlushAll).send(0).work(2);
    scene.act(Action::Promote { missing: 0 }).work(1);
    assert_eq!(scene.0.counts["rebuild OtherLineage"], 1);
    assert!(scene.0.node.record().is_none());
    assert_eq!(scene.finish(), Some(Verdict::Rotated));
}

#[test]
fn answers_out_of_order_bring_no_older_token_back() {
    let mut scene = Scene::new(TWO_TABS);
    scene.send(0).work(1);
    scene.send(1).work(1);
    assert_eq!(scene.0.verdict, Some(Verdict::Current));
    scene.act(Action::Deliver { pick: 1 }).wait(DEADLINE - 1);
    scene.send(1).work(1);
    assert_eq!(scene.0.verdict, Some(Verdict::Repeated));
    scene.act(Action::Deliver { pick: 1 });
    scene.act(Action::Deliver { pick: 0 });
    assert_eq!(scene.generation(0), 2);
    assert_eq!(scene.wait(LATER).refresh(0), Some(Verdict::Rotated));
}

#[test]
fn a_thief_refreshes_twice_at_once_and_the_owner_retries_inside_the_grace() {
    for (is_thief_alike, retried, next) in [
        (true, Verdict::Current, Verdict::Rotated),
        (false, Verdict::PrintChanged, Verdict::Replayed),
    ] {
        let mut scene = Scene::new(Config {
            is_thief_alike,
            ..THIEF
        });
        scene.act(Action::Copy { jar: 0 });
        assert_eq!(scene.steal(), Some(Verdict::Rotated));
        assert_eq!(scene.steal(), Some(Verdict::Repeated));
        assert_eq!(scene.refresh(0), Some(retried));
        if !is_thief_alike {
            assert_eq!(scene.wait(LATER).steal(), Some(Verdict::Rotated));
        }
        assert_eq!(scene.wait(LATER).refresh(0), Some(next));
        let stolen = scene.wait(LATER).steal();
        assert_ne!(
            stolen,
            Some(Verdict::Rotated),
            "seen at the first refresh out of step"
        );
    }
}

#[test]
fn bound_a_copied_token_is_worth_nothing_however_late_the_owner_retries() {
    let mut scene = Scene::new(Config {
        is_bound: true,
        ..THIEF
    });
    scene.act(Action::Copy { jar: 0 });
    assert_eq!(scene.steal(), Some(Verdict::ProofRequired));
    for _ in 0..3 {
        scene
            .send(0)
            .work(1)
            .act(Action::Lose { pick: 0 })
            .wait(LATER);
    }
    assert_eq!(scene.0.node.record().unwrap().generation, 2);
    assert_eq!(scene.refresh(0), Some(Verdict::Current));
    assert_eq!(scene.wait(LATER).refresh(0), Some(Verdict::Rotated));
    assert_eq!(scene.steal(), Some(Verdict::ProofRequired));
}

/// Found by this model: the mark was lost between the function and PostgreSQL, and only PostgreSQL kept it.
#[test]
fn redis_forgets_a_contest_before_postgresql_knows_of_it() {
    for loss in [Action::FlushAll, Action::Restart] {
        let mut scene = Scene::new(THIEF);
        scene.act(Action::Copy { jar: 0 });
        scene.refresh(0);
        scene.wait(LATER).refresh(0);
        scene.act(Action::Steal).work(1);
        assert_eq!(scene.0.verdict, Some(Verdict::Replayed));
        scene.act(loss);
        scene.send(0).work(3);
        assert_eq!(scene.0.node.record().unwrap().state, State::Active);
        scene.finish();
        assert_eq!(scene.0.node.record().unwrap().state, State::Contested);
        assert_eq!(scene.refresh(0), Some(Verdict::Contested));
    }
}

/// Found by this model: whoever had read PostgreSQL before the contest, and died, writes after it.
#[test]
fn a_rebuild_of_a_dead_process_arrives_after_the_contest() {
    for loss in [Action::Restart, Action::FlushAll] {
        let mut scene = Scene::new(THIEF);
        scene.act(Action::Copy { jar: 0 });
        scene.refresh(0);
        scene.wait(LATER).refresh(0);
        scene.act(Action::Steal).work(1).act(loss);
        scene.send(0).work(2).act(Action::Crash { process: 0 });
        assert!(matches!(scene.0.jobs[1], Job::Straggler(..)));
        scene.act(Action::Work { pick: 0 });
        scene.act(Action::Work { pick: 1 });
        assert_eq!(scene.0.counts["contested for good"], 1);
        scene.finish();
        assert_eq!(scene.0.node.record().unwrap().state, State::Contested);
    }
}

/// Found by this model: without the row held, an older family comes back, and with it whoever has a token of it.
#[test]
fn a_rebuild_is_overtaken_by_a_step_up_and_redis_is_emptied() {
    let mut scene = Scene::new(THIEF);
    scene.act(Action::Copy { jar: 0 });
    scene.act(Action::FlushAll).send(0).work(2);
    assert!(scene.0.jobs[0].is_holding());
    scene.act(Action::StepUp { tab: 0 }).work(1);
    assert_eq!(scene.0.postgres.family, 1, "it waits for the rebuild");
    scene.act(Action::FlushAll).finish();
    assert_eq!(scene.0.jars[0].family, 2);
    assert_eq!(scene.steal(), Some(Verdict::OlderFamily));
}

/// Known, and accepted: shown after its grace, a token means a step-up; if the newest one has rotated while the request
/// was under way, the family is contested.
#[test]
fn a_request_sent_after_the_grace_arrives_after_the_next_rotation() {
    let mut scene = Scene::new(TWO_TABS);
    scene.send(0).work(1).act(Action::Lose { pick: 0 });
    scene.wait(GRACE - 1).send(0).work(1);
    assert_eq!(scene.0.verdict, Some(Verdict::Current));
    scene.wait(3).send(1);
    scene.act(Action::Deliver { pick: 0 }).wait(DEADLINE - 1);
    scene.send(0).work(1);
    assert_eq!(scene.0.verdict, Some(Verdict::Rotated));
    assert_eq!(scene.finish(), Some(Verdict::Replayed));
    scene.act(Action::StepUp { tab: 0 }).finish();
    assert_eq!(scene.refresh(1), Some(Verdict::Rotated));
}

/// Known, and accepted: a cookie of the old family that arrives after that of the new one asks for one more step-up.
#[test]
fn an_answer_of_the_old_family_arrives_after_the_step_up() {
    let mut scene = Scene::new(TWO_TABS);
    scene.send(0).work(1);
    scene.act(Action::StepUp { tab: 1 }).work(2);
    scene.act(Action::Deliver { pick: 1 });
    let stepped_up = Token {
        family: 2,
        generation: 1,
        issued: scene.0.now,
    };
    assert_eq!(scene.0.jars[0], stepped_up);
    scene.act(Action::Deliver { pick: 0 });
    assert_eq!(scene.refresh(0), Some(Verdict::OlderFamily));
}
