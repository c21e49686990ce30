//! What the owner asks for besides tokens: step-ups and ends.

use argus_core::record::{SessionRecord, State, Stored, Tombstone};

use crate::jobs::{Answer, End, Job, Reply, Sender, StepUp, Token};
use crate::server::Read;
use crate::stores::IDLE;
use crate::world::World;

const SIGNED_OUT: u8 = 1;

impl World {
    /// The owner proved themselves: a new family, in PostgreSQL first.
    pub(crate) fn step_up(&mut self, tab: usize, sent: u32, stage: StepUp) -> Option<StepUp> {
        match stage {
            StepUp::Begin if !self.postgres.is_up || self.postgres.end.is_some() => None,
            StepUp::Begin if !self.postgres.is_free() => Some(StepUp::Begin),
            StepUp::Begin => {
                let postgres = &mut self.postgres;
                postgres.family += 1;
                (postgres.bound, postgres.bound_time) = (1, self.now);
                (postgres.is_rotated, postgres.is_contested) = (false, false);
                Some(StepUp::Tell(postgres.family))
            }
            StepUp::Tell(_) if !self.node.is_up => Some(stage),
            StepUp::Tell(family) => match self.node.current() {
                None => Some(StepUp::Read(family)),
                Some(Stored::Ended(_)) => None,
                Some(Stored::Living(record)) => {
                    self.begin_family(&record, family);
                    let issued = self.node.record()?.made;
                    self.laws.newest_family = self.laws.newest_family.max(family);
                    self.count("step-up");
                    let token = Token {
                        family,
                        generation: 1,
                        issued,
                    };
                    self.answers.push(Answer {
                        sender: Sender::Tab(tab),
                        sent,
                        reply: Reply::Good(token, true),
                    });
                    None
                }
            },
            StepUp::Read(family) => match self.read(0, false) {
                None => Some(stage),
                Some(Read::Current) => Some(StepUp::Tell(family)),
                Some(Read::Held(lineage, given)) => Some(StepUp::Write(family, lineage, given)),
            },
            StepUp::Write(family, lineage, given) => {
                let _ = self.rebuild(lineage, given);
                Some(StepUp::Tell(family))
            }
        }
    }

    /// The Redis half of a step-up.
    fn begin_family(&mut self, record: &SessionRecord, family: u32) {
        if record.family < family {
            let next = SessionRecord {
                state: State::Active,
                is_made_by_rotation: false,
                is_rebuilt: false,
                family,
                generation: 1,
                made: self.now,
                attempt: [0; 4],
                print: [0; 4],
                idle_deadline: self.now + IDLE,
                ..record.clone()
            };
            self.node.set_session(next.encode());
        }
    }

    /// PostgreSQL first; if that is away Redis alone, and later both.
    pub(crate) fn end(&mut self, at: usize, end: End) {
        if self.postgres.is_free() {
            match end {
                End::Session => self.end_row(SIGNED_OUT, self.now),
                End::UserWide => self.postgres.not_before = self.now,
                End::Disabled => self.postgres.is_disabled = true,
            }
            self.jobs.insert(at, Job::Bury(end));
        } else {
            if !self.postgres.is_up && self.node.is_up && end == End::Session {
                self.set_tombstone(SIGNED_OUT, self.now);
                self.count("end, PostgreSQL away");
            }
            self.jobs.insert(at, Job::End(end));
        }
    }

    /// Redis acknowledges an end: only now is `ENDED` said.
    pub(crate) fn bury(&mut self, at: usize, end: End) {
        if !self.node.is_up {
            self.jobs.insert(at, Job::Bury(end));
            return;
        }
        match (end, self.postgres.end) {
            (End::Session, Some(row)) => self.set_tombstone(row.reason, row.ended_at),
            _ => self.node.set_user(self.postgres.user(self.node.lineage)),
        }
        self.laws.has_said_ended = true;
        self.count(format!("ended {end:?}"));
    }

    /// The function `end`: the first end stays what it was.
    fn set_tombstone(&mut self, reason: u8, ended_at: u32) {
        let (reason, ended_at) = match Stored::decode(&self.node.values.session) {
            Ok(Stored::Ended(first)) => (first.reason, first.ended_at),
            _ => (reason, ended_at),
        };
        let lineage = self.node.lineage;
        let tombstone = Tombstone {
            reason,
            lineage,
            ended_at,
        };
        self.node.set_session(tombstone.encode());
        self.laws.stop(u32::MAX);
    }

    /// The function `contest`. Redis may have lost the record meanwhile; then the mark waits there for a rebuild that is
    /// on its way since before the contest.
    pub(crate) fn contest(&mut self, at: usize, family: u32) {
        if !self.node.is_up {
            self.jobs.insert(at, Job::Contest(family));
            return;
        }
        let state = State::Contested;
        let contested = match Stored::decode(&self.node.values.session) {
            Ok(Stored::Ended(_)) => None,
            Ok(Stored::Living(record)) if record.family > family => None,
            Ok(Stored::Living(record)) if record.family == family => {
                Some(SessionRecord { state, ..record })
            }
            _ => Some(contest_that_waits(family)),
        };
        if let Some(contested) = contested {
            self.node.set_session(contested.encode());
        }
        self.laws.contested = self.laws.contested.max(family);
        self.count("contested for good");
    }
}

/// A contest that waits for a rebuild: current on no node.
fn contest_that_waits(family: u32) -> SessionRecord {
    SessionRecord {
        state: State::Contested,
        is_bound: false,
        is_made_by_rotation: false,
        is_rebuilt: false,
        lineage: [0; 8],
        family,
        generation: 0,
        made: 0,
        attempt: [0; 4],
        print: [0; 4],
        binding: [0; 16],
        device: [0; 16],
        created: 0,
        idle_deadline: 0,
        absolute_deadline: 0,
        policy_revision: 0,
        acr: 0,
        amr: 0,
        auth_time: 0,
        refresh_id_key: 0,
        trust: 0,
        risk: 0,
        context: [0; 9],
    }
}
