//! What the servers do: one step of a job at a time, so that jobs overtake each other.

use argus_core::rebuild::{Rebuilt, rebuild};
use argus_core::record::{Lineage, Stored, Tombstone};
use argus_core::rotation::{Outcome, Presented, Verdict, rotate};

use crate::jobs::{Answer, End, Job, Refresh, Reply, Sender, Stage, Token, Written};
use crate::laws::{Broken, Decision};
use crate::stores::{ABSOLUTE, IDLE};
use crate::world::{DEADLINE, GRACE, World};

/// How often the function is asked about one token.
const ASKED: u32 = 3;
const REPLAY: u8 = 12;

impl World {
    /// A job goes on by one step.
    pub(crate) fn work(&mut self, at: usize) -> Result<(), Broken> {
        match self.jobs.remove(at) {
            Job::Refresh(refresh) => {
                if let Some(refresh) = self.refresh(refresh)? {
                    self.jobs.insert(at, Job::Refresh(refresh));
                }
            }
            Job::StepUp { tab, sent, stage } => {
                if let Some(stage) = self.step_up(tab, sent, stage) {
                    self.jobs.insert(at, Job::StepUp { tab, sent, stage });
                }
            }
            Job::End(end) => self.end(at, end),
            Job::Bury(end) => self.bury(at, end),
            Job::Contest(family) => self.contest(at, family),
            Job::Straggler(lineage, given) => {
                self.postgres.holders += 1;
                let _ = self.rebuild(lineage, given);
            }
        }
        Ok(())
    }

    /// A process writes what waits; what PostgreSQL does not take stays.
    pub(crate) fn flush(&mut self, process: usize) {
        if self.postgres.is_free() {
            for (_, written) in std::mem::take(&mut self.queues[process]) {
                self.write(written);
            }
        }
    }

    fn refresh(&mut self, mut refresh: Refresh) -> Result<Option<Refresh>, Broken> {
        match refresh.stage.clone() {
            Stage::Ask => return self.ask(refresh),
            Stage::Read => {
                let process = refresh.process();
                match self.read(process, refresh.has_newer_family) {
                    None => return Ok(self.reply(&refresh, Reply::Unavailable)),
                    Some(Read::Current) => refresh.stage = Stage::Ask,
                    Some(Read::Held(lineage, given)) => {
                        refresh.stage = Stage::Write(lineage, given);
                    }
                }
            }
            Stage::Write(lineage, given) => match self.rebuild(lineage, given) {
                None => return Ok(self.reply(&refresh, Reply::Unavailable)),
                Some(Rebuilt::OtherLineage) => refresh.stage = Stage::Read,
                Some(_) => refresh.stage = Stage::Ask,
            },
            Stage::Record(written, reply) => {
                if !self.postgres.is_up {
                    let process = refresh.process();
                    self.queues[process].push((self.now, written));
                    let is_good = matches!(reply, Reply::Good(..));
                    self.laws.is_answer_lost |= is_good;
                    let reply = if is_good { Reply::Unavailable } else { reply };
                    return Ok(self.reply(&refresh, reply));
                } else if self.postgres.is_free() {
                    self.write(written);
                    return Ok(self.reply(&refresh, reply));
                }
            }
        }
        Ok(Some(refresh))
    }

    /// Asks the function, as the engine does.
    fn ask(&mut self, mut refresh: Refresh) -> Result<Option<Refresh>, Broken> {
        let process = refresh.process();
        let oldest = self.queues[process]
            .first()
            .map_or(self.now, |(since, _)| *since);
        let may_rotate = self.now - oldest <= GRACE;
        let is_provable = self.postgres.is_up && may_rotate;
        refresh.asked += 1;
        if !self.node.is_up || refresh.asked > ASKED || (self.config.is_strict && !is_provable) {
            return Ok(self.reply(&refresh, Reply::Unavailable));
        }
        let before = self.node.values.session.clone();
        let presented = self.presented(&refresh, may_rotate);
        let (user, lineage) = (&self.node.values.user, self.node.lineage);
        let outcome = rotate(
            &before,
            user,
            lineage,
            &presented,
            i64::from(self.now) * 1000,
        );
        if !outcome.record.is_empty() {
            self.node.set_session(outcome.record.clone());
        }
        self.verdict = Some(outcome.verdict);
        self.count(format!("{:?}", outcome.verdict));
        self.tell(|_| format!("          {:?} gets {:?}", refresh.sender, outcome.verdict));
        let decision = Decision {
            now: self.now,
            lineage,
            before: &before,
            refresh: &refresh,
            presented: &presented,
            outcome: &outcome,
            postgres: &self.postgres,
        };
        self.laws.decide(&decision)?;
        if outcome.adoption.is_adopted() {
            self.count("adopted");
        }
        Ok(self.follow(refresh, &outcome))
    }

    fn presented(&self, refresh: &Refresh, may_rotate: bool) -> Presented {
        let is_owner = refresh.sender != Sender::Thief;
        let is_alike = is_owner || self.config.is_thief_alike;
        Presented {
            family: refresh.token.family,
            generation: refresh.token.generation,
            issued_at: refresh.token.issued,
            has_proof: is_owner && self.config.is_bound,
            attempt: refresh.attempt,
            print: if is_alike { [1; 4] } else { [2; 4] },
            grace: GRACE,
            deadline: DEADLINE,
            is_strict: self.config.is_strict,
            may_rotate,
            ends_on_replay: self.config.ends_on_replay,
            is_activity: true,
            idle: IDLE,
            absolute_max: ABSOLUTE,
            not_before: 0,
        }
    }

    /// What follows from a verdict.
    fn follow(&mut self, mut refresh: Refresh, outcome: &Outcome) -> Option<Refresh> {
        match outcome.verdict {
            Verdict::Missing | Verdict::Stale | Verdict::NewerFamily => {
                refresh.has_newer_family = outcome.verdict == Verdict::NewerFamily;
                refresh.stage = Stage::Read;
                Some(refresh)
            }
            // The user's row is held from its reading to the writing: one step.
            Verdict::UserMissing if self.postgres.is_up => {
                self.node.set_user(self.postgres.user(self.node.lineage));
                Some(refresh)
            }
            Verdict::UserMissing => self.reply(&refresh, Reply::Unavailable),
            Verdict::Replayed => {
                let family = refresh.token.family;
                refresh.stage = Stage::Record(Written::Contested(family), Reply::StepUp);
                Some(refresh)
            }
            Verdict::ReplayedEnded => {
                refresh.stage = Stage::Record(Written::Ended(self.now), Reply::Refused);
                Some(refresh)
            }
            verdict if verdict.is_yes() => self.grant(refresh, outcome),
            verdict if verdict.is_step_up() => self.reply(&refresh, Reply::StepUp),
            _ => self.reply(&refresh, Reply::Refused),
        }
    }

    /// A good answer, and what PostgreSQL must learn.
    fn grant(&mut self, mut refresh: Refresh, outcome: &Outcome) -> Option<Refresh> {
        let record = self.node.record()?;
        let is_new = outcome.verdict == Verdict::Rotated || outcome.adoption.is_adopted();
        let bound = Written::Bound {
            family: record.family,
            generation: if is_new { record.generation } else { 0 },
            made: record.made,
            idle_deadline: record.idle_deadline,
        };
        let newest = Token {
            family: record.family,
            generation: record.generation,
            issued: record.made,
        };
        let reply = match outcome.verdict {
            Verdict::Rotated | Verdict::Current => Reply::Good(newest, true),
            _ => Reply::Good(refresh.token, false),
        };
        if self.config.is_strict && outcome.verdict == Verdict::Rotated {
            refresh.stage = Stage::Record(bound, reply);
            return Some(refresh);
        }
        let process = refresh.process();
        self.queues[process].push((self.now, bound));
        self.reply(&refresh, reply)
    }

    fn reply(&mut self, refresh: &Refresh, reply: Reply) -> Option<Refresh> {
        let (sender, sent) = (refresh.sender, refresh.sent);
        if reply == Reply::Unavailable {
            self.count("unavailable");
        }
        self.answers.push(Answer {
            sender,
            sent,
            reply,
        });
        None
    }

    /// PostgreSQL takes something in.
    fn write(&mut self, written: Written) {
        match written {
            Written::Bound {
                family,
                generation,
                made,
                idle_deadline,
            } => self.postgres.raise(family, generation, made, idle_deadline),
            Written::Contested(family) => {
                if self.postgres.end.is_none() && self.postgres.family == family {
                    self.postgres.is_contested = true;
                    self.jobs.push(Job::Contest(family));
                }
            }
            Written::Ended(at) => {
                self.end_row(REPLAY, at);
                self.jobs.push(Job::Bury(End::Session));
            }
        }
    }

    pub(crate) fn end_row(&mut self, reason: u8, ended_at: u32) {
        self.postgres.end.get_or_insert(Tombstone {
            reason,
            lineage: [0; 8],
            ended_at,
        });
    }

    /// First half of a rebuild: nothing where a store is away.
    pub(crate) fn read(&mut self, process: usize, has_newer: bool) -> Option<Read> {
        if !self.node.is_up || !self.postgres.is_up {
            return None;
        }
        self.flush(process);
        if self.node.current().is_some() && !has_newer {
            return Some(Read::Current);
        }
        self.postgres.holders += 1;
        self.count("rebuild");
        Some(Read::Held(self.node.lineage, self.postgres.session()))
    }

    /// Second half: compare-and-set, then the row is let go.
    pub(crate) fn rebuild(&mut self, lineage: Lineage, given: Stored) -> Option<Rebuilt> {
        self.postgres.holders -= 1;
        if !self.node.is_up {
            return None;
        }
        let stored = &self.node.values.session;
        let (rebuilt, value) = rebuild(stored, self.node.lineage, lineage, given);
        self.count(format!("rebuild {rebuilt:?}"));
        if rebuilt == Rebuilt::Written {
            self.node.set_session(value);
        }
        Some(rebuilt)
    }
}

/// What the first half of a rebuild found.
pub(crate) enum Read {
    /// Somebody was faster.
    Current,
    /// PostgreSQL's row, held, and the node that it is for.
    Held(Lineage, Stored),
}
