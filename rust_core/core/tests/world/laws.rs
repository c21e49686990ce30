//! What must hold, whatever happens: the assertions of the concept page on rotation, and some that follow from them.

use std::collections::{BTreeMap, BTreeSet};

use argus_core::record::{Lineage, SessionRecord, State, Stored};
use argus_core::rotation::{Adoption, Outcome, Presented, Verdict};

use crate::actions::Config;
use crate::jobs::{Refresh, Sender};
use crate::stores::{ABSOLUTE, IDLE, Node, Postgres};
use crate::world::{DEADLINE, GRACE};

/// A law that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken(pub(crate) &'static str);

/// One answer of the function, with all that went in.
pub(crate) struct Decision<'a> {
    /// Time of the node.
    pub(crate) now: u32,
    /// Lineage of the node.
    pub(crate) lineage: Lineage,
    /// What the session's key held.
    pub(crate) before: &'a [u8],
    /// Who asked, and with what.
    pub(crate) refresh: &'a Refresh,
    /// What the function was given.
    pub(crate) presented: &'a Presented,
    /// What it answered.
    pub(crate) outcome: &'a Outcome,
    /// What PostgreSQL knows.
    pub(crate) postgres: &'a Postgres,
}

/// What was seen so far, as far as laws need it.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "what has happened")]
pub(crate) struct Laws {
    config: Config,
    /// How often Redis lost data. (A change of its process alone loses nothing.)
    pub(crate) losses: u32,
    /// An honest caller did not get an answer.
    pub(crate) is_answer_lost: bool,
    /// A process died with what it had to write.
    pub(crate) is_bound_lost: bool,
    /// Somebody wants the session to end.
    pub(crate) has_end_begun: bool,
    /// `ENDED` was said.
    pub(crate) has_said_ended: bool,
    /// The owner wants to step up.
    pub(crate) has_step_up_begun: bool,
    /// Newest family with tokens.
    pub(crate) newest_family: u32,
    /// Newest family that both stores know as contested.
    pub(crate) contested: u32,
    /// Family, generation, moment and losses at the last rotation.
    last: (u32, u32, u32, u32),
    /// Highest generation of the newest family, and the losses when it was seen.
    seen: (u32, u32, u32),
    /// Family, bound and its time that PostgreSQL knew before the last loss.
    durable: (u32, u32, u32),
    /// Family that Redis said was contested, or `u32::MAX` if it said that the session ended, since the last loss.
    stopped: Option<u32>,
    /// Tokens that were accepted since the last loss.
    accepted: BTreeSet<(u32, u32)>,
    /// Highest (family, generation) that was issued.
    issued: (u32, u32),
    /// When each generation was first made.
    made: BTreeMap<(u32, u32), u32>,
    /// The family was contested by a request that was sent after the grace of its token.
    is_excused: bool,
}

/// Fails with the name of a law.
fn law(name: &'static str, holds: bool) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(Broken(name)) }
}

impl Laws {
    /// Nothing has happened.
    pub(crate) fn new(config: Config) -> Self {
        Self {
            config,
            losses: 0,
            is_answer_lost: false,
            is_bound_lost: false,
            has_end_begun: false,
            has_said_ended: false,
            has_step_up_begun: false,
            newest_family: 1,
            contested: 0,
            last: (0, 0, 0, 0),
            seen: (1, 1, 0),
            durable: (0, 0, 0),
            stopped: None,
            accepted: BTreeSet::new(),
            issued: (1, 1),
            made: BTreeMap::new(),
            is_excused: false,
        }
    }

    /// Redis loses data.
    pub(crate) fn lose(&mut self, postgres: &Postgres) {
        self.losses += 1;
        self.accepted.clear();
        self.keep(postgres);
        self.stopped = None;
    }

    /// Redis knows that a family is contested, or that the session ended (`u32::MAX`).
    pub(crate) fn stop(&mut self, family: u32) {
        self.stopped = self.stopped.max(Some(family));
    }

    fn keep(&mut self, postgres: &Postgres) {
        self.durable = (postgres.family, postgres.bound, postgres.bound_time);
    }

    /// What holds of every verdict.
    pub(crate) fn decide(&mut self, decision: &Decision<'_>) -> Result<(), Broken> {
        let verdict = decision.outcome.verdict;
        Self::stamp(decision)?;
        match verdict {
            Verdict::Replayed => self.stop(decision.refresh.token.family),
            Verdict::ReplayedEnded => self.stop(u32::MAX),
            _ => {}
        }
        if verdict.needs_rebuild() {
            return Ok(());
        }
        self.honest(decision)?;
        if verdict.is_yes() {
            self.accept(decision)?;
        }
        if verdict == Verdict::Rotated {
            self.rotate(decision)?;
        }
        Ok(())
    }

    /// Laws on what decides: the stamp, the proof, the deadlines, and that nobody makes tokens here but Argus.
    fn stamp(decision: &Decision<'_>) -> Result<(), Broken> {
        let (outcome, presented) = (decision.outcome, decision.presented);
        let verdict = outcome.verdict;
        let stored = Stored::decode(decision.before);
        let is_current = stored
            .as_ref()
            .is_ok_and(|one| one.lineage() == decision.lineage);
        law(
            "7: no decision comes from a record whose stamp is not the lineage",
            is_current || verdict.needs_rebuild(),
        )?;
        let is_bound = matches!(&stored, Ok(Stored::Living(record)) if record.is_bound);
        law(
            "8: no proof: a bound record is unchanged",
            !is_bound
                || presented.has_proof
                || verdict.needs_rebuild()
                || outcome.record == decision.before,
        )?;
        law(
            "a step-up that is not the first sign of a replay changes nothing",
            !verdict.is_step_up()
                || verdict == Verdict::Replayed
                || outcome.record == decision.before,
        )?;
        law(
            "the idle deadline counts from the token at least",
            verdict != Verdict::IdleTimeout || decision.now >= presented.issued_at + IDLE,
        )?;
        let is_old = decision.now >= decision.postgres.created + ABSOLUTE;
        law("the absolute deadline holds", !is_old || !verdict.is_yes())?;
        law(
            "the absolute deadline is not early",
            is_old || verdict != Verdict::AbsoluteTimeout,
        )?;
        law(
            "no alarm where nobody makes tokens",
            outcome.adoption != Adoption::Unexplained,
        )
    }

    /// Laws on what honest callers are told.
    fn honest(&mut self, decision: &Decision<'_>) -> Result<(), Broken> {
        let verdict = decision.outcome.verdict;
        let config = self.config;
        let is_idle = decision.now >= decision.presented.issued_at + IDLE;
        let is_old = decision.now >= decision.postgres.created + ABSOLUTE;
        if decision.refresh.sender == Sender::Thief || is_idle || is_old || self.has_end_begun {
            return Ok(());
        }
        let is_alone = !config.has_thief && !config.is_strict;
        let is_replay = matches!(
            verdict,
            Verdict::Contested | Verdict::Replayed | Verdict::ReplayedEnded
        );
        // An answer was lost, and the token shown after its grace: a step-up in any case. If the newest token has been
        // rotated meanwhile, it looks like a replay.
        let token = decision.refresh.token;
        let replaced = self.made.get(&(token.family, token.generation + 1));
        let is_late = replaced.is_some_and(|made| decision.refresh.sent > made + GRACE);
        self.is_excused |= is_replay && self.is_answer_lost && is_late && !config.is_bound;
        let has_copies = config.has_own_jars && !config.is_bound;
        law(
            "1: no thief, no end: contested only with unbound copied jars, or by a token shown after its grace",
            !is_alone || !is_replay || has_copies || self.is_excused,
        )?;
        // A policy may end the session where these contest it.
        let is_policy = (has_copies || self.is_excused) && config.ends_on_replay;
        law(
            "1: no thief, no end: nobody is refused",
            !is_alone || !verdict.is_refused() || is_policy,
        )?;
        if self.has_step_up_begun || !is_alone {
            return Ok(());
        }
        law(
            "2: one jar, no answer lost: not even a step-up",
            config.has_own_jars || self.is_answer_lost || verdict.is_yes(),
        )?;
        law(
            "2: bound: no step-up even where answers are lost",
            !config.is_bound || verdict.is_yes(),
        )
    }

    /// Laws on tokens that are accepted.
    fn accept(&mut self, decision: &Decision<'_>) -> Result<(), Broken> {
        let (token, postgres) = (decision.refresh.token, decision.postgres);
        let record = SessionRecord::decode(&decision.outcome.record)
            .map_err(|_| Broken("a yes leaves a living record"))?;
        law("4: after ENDED nothing is accepted", !self.has_said_ended)?;
        law(
            "a family that both stores know as contested is over",
            token.family > self.contested,
        )?;
        law(
            "tokens of a family older than the newest one issued are over",
            token.family >= self.newest_family,
        )?;
        law(
            "without loss a family that was contested, or a session that ended, stays so",
            self.stopped.is_none_or(|family| token.family > family),
        )?;
        law(
            "the first refresh after a sign-in or step-up rotates, or is held",
            decision.outcome.verdict != Verdict::Repeated || record.is_made_by_rotation,
        )?;
        let expected = match decision.outcome.verdict {
            Verdict::Rotated => record.generation == token.generation + 1,
            Verdict::Current => record.generation > token.generation,
            _ => record.generation == token.generation,
        };
        law(
            "3: a token yields the next one or the current one",
            expected,
        )?;
        if self.losses == 0 {
            self.keep(postgres);
        }
        let (family, bound, time) = self.durable;
        let is_replaced = token.family == family && token.generation < bound;
        law(
            "unbound, a token that PostgreSQL knew as replaced before the last loss is not accepted after the grace",
            self.config.is_bound || !is_replaced || decision.now <= time + GRACE,
        )?;
        let is_news = self.accepted.insert((token.family, token.generation));
        law(
            "10: strict, no loss: no generation is accepted twice",
            !self.config.is_strict || is_news,
        )?;
        self.issued = self.issued.max((record.family, record.generation));
        Ok(())
    }

    fn rotate(&mut self, decision: &Decision<'_>) -> Result<(), Broken> {
        let token = decision.refresh.token;
        let (family, generation, made, losses) = self.last;
        let is_next =
            family == token.family && generation == token.generation && losses == self.losses;
        law(
            "9: without loss two rotations are more than grace and deadline apart",
            self.config.is_strict || !is_next || decision.now - made > GRACE + DEADLINE,
        )?;
        self.last = (
            token.family,
            token.generation + 1,
            decision.now,
            self.losses,
        );
        self.is_bound_lost = false;
        let next = (token.family, token.generation + 1);
        self.made.entry(next).or_insert(decision.now);
        Ok(())
    }

    /// What holds of the stores at every moment.
    pub(crate) fn hold(
        &mut self,
        node: &Node,
        postgres: &Postgres,
        is_settled: bool,
    ) -> Result<(), Broken> {
        let Some(record) = node.record() else {
            return Ok(());
        };
        law(
            "4: after ENDED no record and user say that the session lives",
            !self.has_said_ended || !node.is_living(&record),
        )?;
        law(
            "a record of a family older than the newest one issued never comes back",
            record.family >= self.newest_family,
        )?;
        law(
            "a contest that both stores know is never forgotten",
            record.family > self.contested || record.state == State::Contested,
        )?;
        if self.seen.0 == record.family && self.seen.2 == self.losses {
            law(
                "6: without loss G never falls",
                record.generation >= self.seen.1,
            )?;
        }
        self.seen = (record.family, record.generation, self.losses);
        self.issued = self.issued.max((record.family, record.generation));
        law(
            "6: the bound is no higher than the highest generation issued",
            (postgres.family, postgres.bound) <= self.issued || postgres.family > self.issued.0,
        )?;
        let is_written = is_settled
            && !self.is_bound_lost
            && (self.last.0, self.last.3) == (record.family, self.losses)
            && postgres.family == record.family
            && postgres.end.is_none();
        law(
            "6: PostgreSQL there and all written: the bound is no lower than G",
            !is_written || postgres.bound >= record.generation,
        )?;
        // A bound that another process still had when the record was rebuilt may be higher: its token is adopted.
        law(
            "6: the same, without loss: the bound is G",
            !is_written || self.losses > 0 || postgres.bound == record.generation,
        )
    }
}
