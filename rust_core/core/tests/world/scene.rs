//! Stories told step by step.

use argus_core::rotation::Verdict;

use crate::actions::{Action, Config};
use crate::world::{DEADLINE, GRACE, World};

/// One tab, nothing lost, nobody else.
pub(crate) const PLAIN: Config = Config {
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
/// Two tabs and one jar.
pub(crate) const TWO_TABS: Config = Config { tabs: 2, ..PLAIN };
/// One tab, and somebody else.
pub(crate) const THIEF: Config = Config {
    has_thief: true,
    ..PLAIN
};
/// The shortest pause after which the newest token rotates.
pub(crate) const LATER: u32 = GRACE + DEADLINE + 1;
/// The job that came last, whichever it is now.
const LAST: usize = usize::MAX;

/// A world in which something happens, one thing after the other. Every step is held against the laws.
pub(crate) struct Scene(pub(crate) World);

impl Scene {
    /// The beginning.
    pub(crate) fn new(config: Config) -> Self {
        Self(World::new(config, None))
    }

    /// Something happens.
    pub(crate) fn act(&mut self, action: Action) -> &mut Self {
        let action = match action {
            Action::Work { pick: LAST } => Action::Work {
                pick: self.0.jobs.len() - 1,
            },
            other => other,
        };
        self.0.apply(action).unwrap();
        self
    }

    /// Time goes by.
    pub(crate) fn wait(&mut self, seconds: u32) -> &mut Self {
        self.act(Action::Wait { seconds })
    }

    /// A tab refreshes; nobody works on it yet.
    pub(crate) fn send(&mut self, tab: usize) -> &mut Self {
        let is_retry = false;
        self.act(Action::Send { tab, is_retry })
    }

    /// So many steps of the job that came last.
    pub(crate) fn work(&mut self, steps: usize) -> &mut Self {
        for _ in 0..steps {
            self.act(Action::Work { pick: LAST });
        }
        self
    }

    /// Everything that was begun is finished, and every answer arrives.
    pub(crate) fn finish(&mut self) -> Option<Verdict> {
        while !self.0.jobs.is_empty() {
            self.act(Action::Work { pick: 0 });
        }
        while !self.0.answers.is_empty() {
            self.act(Action::Deliver { pick: 0 });
        }
        self.0.verdict
    }

    /// A tab refreshes, and gets its answer.
    pub(crate) fn refresh(&mut self, tab: usize) -> Option<Verdict> {
        self.send(tab).finish()
    }

    /// The thief refreshes, and gets its answer.
    pub(crate) fn steal(&mut self) -> Option<Verdict> {
        self.act(Action::Steal).finish()
    }

    /// Generation of the token in a jar.
    pub(crate) fn generation(&self, jar: usize) -> u32 {
        self.0.jars[jar].generation
    }
}
