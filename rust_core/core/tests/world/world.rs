//! One session, its people and its stores.

use std::collections::BTreeMap;

use argus_core::record::{SessionRecord, State, Stored};
use argus_core::rotation::Verdict;

use crate::actions::{Action, Config};
use crate::jobs::{
    Answer, End, Job, PROCESSES, Refresh, Reply, Sender, Stage, StepUp, Token, Written,
};
use crate::laws::{Broken, Laws};
use crate::stores::{Node, Postgres};

/// How long the token before the newest gets the newest.
pub(crate) const GRACE: u32 = 30;
/// Longest deadline of a request.
pub(crate) const DEADLINE: u32 = 10;
const BEGIN: u32 = 1_800_000_000;

/// One session, its people and its stores.
pub(crate) struct World {
    pub(crate) config: Config,
    pub(crate) now: u32,
    pub(crate) node: Node,
    pub(crate) postgres: Postgres,
    pub(crate) jobs: Vec<Job>,
    pub(crate) answers: Vec<Answer>,
    /// What each process has not yet written, with the time it waits since.
    pub(crate) queues: [Vec<(u32, Written)>; PROCESSES],
    pub(crate) jars: Vec<Token>,
    pub(crate) thief: Option<Token>,
    pub(crate) laws: Laws,
    pub(crate) counts: BTreeMap<String, u64>,
    /// The last verdict.
    pub(crate) verdict: Option<Verdict>,
    /// What happened, for a trace.
    pub(crate) story: Option<Vec<String>>,
    attempts: u32,
    last_attempts: Vec<[u8; 4]>,
}

impl World {
    /// A session that was just created: PostgreSQL knows it, Redis knows it, every jar has its first token.
    pub(crate) fn new(config: Config, story: Option<Vec<String>>) -> Self {
        let mut world = Self {
            config,
            now: BEGIN,
            node: Node::new(),
            postgres: Postgres::new(BEGIN, config.is_bound),
            jobs: Vec::new(),
            answers: Vec::new(),
            queues: [const { Vec::new() }; PROCESSES],
            jars: vec![
                Token {
                    family: 1,
                    generation: 1,
                    issued: BEGIN
                };
                config.jars()
            ],
            thief: None,
            laws: Laws::new(config),
            counts: BTreeMap::new(),
            verdict: None,
            story,
            attempts: 0,
            last_attempts: vec![[0; 4]; config.tabs],
        };
        if let Stored::Living(record) = world.postgres.session() {
            let lineage = world.node.lineage;
            let record = SessionRecord { lineage, ..record };
            world.node.set_session(record.encode());
        }
        world.node.set_user(world.postgres.user(world.node.lineage));
        world.node.save();
        world
    }

    /// Does what an action says, and holds the laws against it.
    pub(crate) fn apply(&mut self, action: Action) -> Result<(), Broken> {
        self.tell(|world| format!("{:>6} s  {action:?}", world.now - BEGIN));
        match action {
            Action::Send { tab, is_retry } => self.send(tab % self.config.tabs, is_retry),
            Action::Copy { jar } => self.thief = Some(self.jars[jar % self.jars.len()]),
            Action::Steal => {
                if let Some(token) = self.thief {
                    self.queue(Sender::Thief, token, false);
                }
            }
            Action::Work { pick } if !self.jobs.is_empty() => self.work(pick % self.jobs.len())?,
            Action::Deliver { pick } if !self.answers.is_empty() => {
                let answer = self.answers.remove(pick % self.answers.len());
                self.deliver(answer);
            }
            Action::Lose { pick } if !self.answers.is_empty() => {
                let answer = self.answers.remove(pick % self.answers.len());
                self.lose(answer);
            }
            Action::Wait { seconds } => self.wait(seconds)?,
            Action::Flush { process } => self.flush(process % PROCESSES),
            Action::Crash { process } => self.crash(process % PROCESSES),
            Action::End { kind } => {
                let kinds = [End::Session, End::Session, End::UserWide, End::Disabled];
                self.laws.has_end_begun = true;
                self.jobs.push(Job::End(kinds[kind % kinds.len()]));
            }
            Action::StepUp { tab } => {
                self.laws.has_step_up_begun = true;
                self.jobs.push(Job::StepUp {
                    tab: tab % self.config.tabs,
                    sent: self.now,
                    stage: StepUp::Begin,
                });
            }
            Action::Postgres { is_up } => self.postgres.is_up = is_up,
            Action::Redis { is_up } => self.node.is_up = is_up,
            Action::Save => self.node.save(),
            Action::Restart | Action::Promote { .. } | Action::Attach | Action::FlushAll => {
                self.lose_data(action);
            }
            _ => {}
        }
        self.laws
            .hold(&self.node, &self.postgres, self.is_settled())
    }

    /// One more of something.
    pub(crate) fn count(&mut self, name: impl Into<String>) {
        *self.counts.entry(name.into()).or_default() += 1;
    }

    /// Adds a line to the story, if there is one.
    pub(crate) fn tell(&mut self, line: impl Fn(&Self) -> String) {
        let line = self.story.is_some().then(|| line(self));
        if let (Some(story), Some(line)) = (&mut self.story, line) {
            story.push(line);
        }
    }

    /// The jar of a tab.
    pub(crate) fn jar(&self, tab: usize) -> usize {
        if self.config.has_own_jars { tab } else { 0 }
    }

    fn send(&mut self, tab: usize, is_retry: bool) {
        let token = self.jars[self.jar(tab)];
        self.queue(Sender::Tab(tab), token, is_retry);
    }

    fn queue(&mut self, sender: Sender, token: Token, is_retry: bool) {
        self.attempts += 1;
        let mut attempt = self.attempts.to_be_bytes();
        if let Sender::Tab(tab) = sender {
            if is_retry && self.last_attempts[tab] != [0; 4] {
                attempt = self.last_attempts[tab];
            }
            self.last_attempts[tab] = attempt;
        }
        self.jobs.push(Job::Refresh(Refresh {
            sender,
            sent: self.now,
            token,
            attempt,
            stage: Stage::Ask,
            asked: 0,
            has_newer_family: false,
        }));
    }

    /// A browser takes the last cookie that it was told, whatever came before it.
    fn deliver(&mut self, answer: Answer) {
        let Reply::Good(token, sets_cookie) = answer.reply else {
            return;
        };
        match answer.sender {
            Sender::Thief => self.thief = Some(token),
            Sender::Tab(tab) => {
                let jar = self.jar(tab);
                if sets_cookie {
                    self.jars[jar] = token;
                }
            }
        }
    }

    fn lose(&mut self, answer: Answer) {
        if matches!(answer.reply, Reply::Good(_, true)) && answer.sender != Sender::Thief {
            self.laws.is_answer_lost = true;
        }
        self.count("answer lost");
    }

    /// What is late is dropped; where no answers are lost, it gets done in time instead.
    fn wait(&mut self, seconds: u32) -> Result<(), Broken> {
        let is_late = move |sent: u32, now: u32| sent + DEADLINE < now + seconds;
        if !self.config.loses_answers {
            for _ in 0..200 {
                let now = self.now;
                let late = |job: &Job| job.sent().is_some_and(|sent| is_late(sent, now));
                // Who holds the row first: others may wait for it.
                let holder = self.jobs.iter().position(Job::is_holding);
                if let Some(at) = holder.or_else(|| self.jobs.iter().position(late)) {
                    self.work(at)?;
                } else if let Some(at) = self.answers.iter().position(|one| is_late(one.sent, now))
                {
                    let answer = self.answers.remove(at);
                    self.deliver(answer);
                } else {
                    break;
                }
            }
        }
        let now = self.now;
        for at in (0..self.jobs.len()).rev() {
            if self.jobs[at].sent().is_some_and(|sent| is_late(sent, now)) {
                self.give_up(at);
            }
        }
        for at in (0..self.answers.len()).rev() {
            if is_late(self.answers[at].sent, now) {
                let answer = self.answers.remove(at);
                self.lose(answer);
            }
        }
        self.now += seconds;
        if seconds > 0 {
            (0..PROCESSES).for_each(|process| self.flush(process));
        }
        Ok(())
    }

    /// A job ends without an answer.
    fn give_up(&mut self, at: usize) {
        let job = self.jobs.remove(at);
        if job.is_holding() {
            self.postgres.holders -= 1;
        }
        match job {
            Job::Refresh(refresh) => {
                let process = refresh.process();
                match refresh.stage {
                    // Whatever ends the call, what it had to write is written later.
                    Stage::Record(written, _) => {
                        self.laws.is_answer_lost = true;
                        self.queues[process].push((self.now, written));
                    }
                    Stage::Write(lineage, given) => self.jobs.push(Job::Straggler(lineage, given)),
                    _ => {}
                }
            }
            Job::StepUp { .. } => self.laws.is_answer_lost = true,
            _ => {}
        }
    }

    fn crash(&mut self, process: usize) {
        self.count("crash");
        for at in (0..self.jobs.len()).rev() {
            let is_hers = match &self.jobs[at] {
                Job::Refresh(refresh) => refresh.process() == process,
                Job::StepUp { .. } => process == 0,
                _ => false,
            };
            if is_hers {
                self.give_up(at);
            }
        }
        self.queues[process].clear();
        self.laws.is_bound_lost = true;
    }

    fn lose_data(&mut self, action: Action) {
        let before = self.node.values.clone();
        let was_contested = self
            .node
            .record()
            .is_some_and(|one| one.state == State::Contested);
        match action {
            Action::Restart => self.node.restart(),
            Action::Promote { missing } => self.node.promote(missing),
            Action::Attach => self.node.attach(),
            _ => {
                // The lineage stays, and what came before FLUSHALL came before it. (What a dead process has sent is read
                // by Redis before what is sent after its death.)
                self.jobs.retain(|job| !matches!(job, Job::Straggler(..)));
                self.node.flush_all();
            }
        }
        if self.node.values != before {
            self.laws.lose(&self.postgres);
        }
        let name = format!("{action:?}");
        let name = name.split([' ', '{']).next().unwrap_or_default().to_owned();
        self.count(format!("loss {name}"));
        if self.jobs.iter().any(Job::is_holding) {
            self.count(format!("loss {name} during a rebuild"));
        }
        if !self.postgres.is_up {
            self.count(format!("loss {name}, PostgreSQL away"));
        }
        if was_contested {
            self.count(format!("loss {name}, contested"));
        }
    }

    /// PostgreSQL is there, and nothing waits for it.
    fn is_settled(&self) -> bool {
        self.postgres.is_free()
            && self.queues.iter().all(Vec::is_empty)
            && !self.jobs.iter().any(|job| {
                matches!(job, Job::StepUp { .. })
                    || matches!(job, Job::Refresh(one) if matches!(one.stage, Stage::Record(..)))
            })
    }
}
