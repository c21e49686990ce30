//! Stories that broke an earlier design, or this one before it was mended; each is told once more.

use argus_core::record::State;
use argus_core::rotation::Verdict;

use crate::actions::{Action, Config};
use crate::jobs::{Job, Reply, Token};
use crate::world::{DEADLINE, GRACE, World};

/// One tab, nothing lost, nobody else.
const PLAIN: Config = Config {
    is_bound: false,
    is_strict: false,
    ends_on_replay: false,
    tabs: 1,
    has_own_jars: false,
    has_thief: false,
    is_thief_alike: false,
    loses_answers: true,
    loses_data: true,
    has_outages: true,
    has_ends: true,
    has_step_ups: true,
};
const TWO_TABS: Config = Config { tabs: 2, ..PLAIN };
const THIEF: Config = Config {
    has_thief: true,
    ..PLAIN
};
/// The shortest pause after which the newest token rotates.
const LATER: u32 = GRACE + DEADLINE + 1;
/// The job that came last, whichever it is now.
const LAST: usize = usize::MAX;

/// A world in which something happens, one thing after the other. Every step is held against the laws.
struct Scene(World);

impl Scene {
    fn new(config: Config) -> Self {
        Self(World::new(config, None))
    }

    fn act(&mut self, action: Action) -> &mut Self {
        let action = match action {
            Action::Work { pick: LAST } => Action::Work {
                pick: self.0.jobs.len() - 1,
            },
            other => other,
        };
        self.0.apply(action).unwrap();
        self
    }

    fn wait(&mut self, seconds: u32) -> &mut Self {
        self.act(Action::Wait { seconds })
    }

    fn send(&mut self, tab: usize) -> &mut Self {
        let is_retry = false;
        self.act(Action::Send { tab, is_retry })
    }

    /// So many steps of the job that came last.
    fn work(&mut self, steps: usize) -> &mut Self {
        for _ in 0..steps {
            self.act(Action::Work { pick: LAST });
        }
        self
    }

    /// Everything that was begun is finished, and every answer arrives.
    fn finish(&mut self) -> Option<Verdict> {
        while !self.0.jobs.is_empty() {
            self.act(Action::Work { pick: 0 });
        }
        while !self.0.answers.is_empty() {
            self.act(Action::Deliver { pick: 0 });
        }
        self.0.verdict
    }

    fn refresh(&mut self, tab: usize) -> Option<Verdict> {
        self.send(tab).finish()
    }

    fn steal(&mut self) -> Option<Verdict> {
        self.act(Action::Steal).finish()
    }

    fn generation(&self, jar: usize) -> u32 {
        self.0.jars[jar].generation
    }
}

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
