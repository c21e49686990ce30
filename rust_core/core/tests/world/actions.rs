//! What may happen in the world, and how likely it is.

use crate::random::Random;

/// What a world is like; it stays so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "what a world may have")]
pub(crate) struct Config {
    /// Tokens need a proof, and only the owner has it.
    pub(crate) is_bound: bool,
    /// `rotation = strict`.
    pub(crate) is_strict: bool,
    /// A replay ends the session.
    pub(crate) ends_on_replay: bool,
    /// How many tabs.
    pub(crate) tabs: usize,
    /// Each tab has a jar of its own, with a copy of the first token.
    pub(crate) has_own_jars: bool,
    /// Somebody copies tokens and uses them.
    pub(crate) has_thief: bool,
    /// The thief shows the owner's print.
    pub(crate) is_thief_alike: bool,
    /// Answers are lost or late, and processes crash.
    pub(crate) loses_answers: bool,
    /// Redis loses data or changes its process.
    pub(crate) loses_data: bool,
    /// Stores are away now and then.
    pub(crate) has_outages: bool,
    /// Somebody ends the session.
    pub(crate) has_ends: bool,
    /// The owner steps up.
    pub(crate) has_step_ups: bool,
}

impl Config {
    /// A world like any other.
    pub(crate) fn any(random: &mut Random) -> Self {
        Self {
            is_bound: random.percent(25),
            is_strict: random.percent(20),
            ends_on_replay: random.percent(15),
            tabs: 1 + usize::from(random.percent(60)) + usize::from(random.percent(30)),
            has_own_jars: random.percent(25),
            has_thief: random.percent(35),
            is_thief_alike: random.percent(50),
            loses_answers: random.percent(50),
            loses_data: random.percent(65),
            has_outages: random.percent(50),
            has_ends: random.percent(25),
            has_step_ups: random.percent(35),
        }
    }

    /// How many jars there are.
    pub(crate) fn jars(self) -> usize {
        if self.has_own_jars { self.tabs } else { 1 }
    }
}

/// Something that happens. Picks are taken modulo what there is; what is not possible does not happen. So every part
/// of a list of actions is a list of actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// A tab refreshes; a retry repeats its last attempt.
    Send { tab: usize, is_retry: bool },
    /// The thief copies the token of a jar.
    Copy { jar: usize },
    /// The thief refreshes.
    Steal,
    /// A job of the servers goes on by one step.
    Work { pick: usize },
    /// An answer arrives.
    Deliver { pick: usize },
    /// An answer is lost.
    Lose { pick: usize },
    /// Time goes by; what waits is written, what is late is dropped.
    Wait { seconds: u32 },
    /// A process writes its bounds.
    Flush { process: usize },
    /// PostgreSQL goes or comes.
    Postgres { is_up: bool },
    /// Redis goes or comes.
    Redis { is_up: bool },
    /// Redis takes a snapshot.
    Save,
    /// Redis restarts from its last snapshot.
    Restart,
    /// A replica that lacks so many writes takes over.
    Promote { missing: usize },
    /// A first replica attaches.
    Attach,
    /// FLUSHALL.
    FlushAll,
    /// A process is killed.
    Crash { process: usize },
    /// Somebody ends the session: it alone, all of the user, or by disabling the user.
    End { kind: usize },
    /// The owner steps up in a tab.
    StepUp { tab: usize },
}

/// Pauses around the edges of the table (grace 30 s, deadline 10 s, idle 3600 s), and long ones.
const PAUSES: [u32; 20] = [
    0, 1, 1, 1, 2, 3, 5, 9, 10, 20, 29, 31, 41, 41, 41, 42, 45, 100, 600, 1500,
];

impl Action {
    /// Something that a world like this one knows.
    pub(crate) fn any(random: &mut Random, config: Config) -> Self {
        loop {
            if let Some(action) = Self::pick(random, config) {
                return action;
            }
        }
    }

    fn pick(random: &mut Random, config: Config) -> Option<Self> {
        let small = |random: &mut Random| usize::try_from(random.below(8)).unwrap_or_default();
        Some(match random.below(100) {
            0..20 => Self::Send {
                tab: small(random),
                is_retry: random.percent(40),
            },
            20..46 => Self::Work {
                pick: small(random),
            },
            46..58 => Self::Deliver {
                pick: small(random),
            },
            58..74 => Self::Wait {
                seconds: Self::pause(random),
            },
            74..76 if config.loses_answers => Self::Lose {
                pick: small(random),
            },
            76..78 if config.loses_answers => Self::Crash {
                process: small(random),
            },
            78..79 if config.has_thief => Self::Copy { jar: small(random) },
            79..84 if config.has_thief => Self::Steal,
            84..88 if config.loses_data => Self::loss(random),
            88..95 if config.has_outages => Self::outage(random),
            95..96 => Self::Flush {
                process: small(random),
            },
            96..97 if config.has_ends && random.percent(30) => Self::End {
                kind: small(random),
            },
            97..99 if config.has_step_ups => Self::StepUp { tab: small(random) },
            _ => return None,
        })
    }

    fn pause(random: &mut Random) -> u32 {
        if random.below(300) == 0 {
            return 4000;
        }
        let at = usize::try_from(random.below(PAUSES.len() as u64)).unwrap_or_default();
        PAUSES[at]
    }

    fn loss(random: &mut Random) -> Self {
        match random.below(7) {
            0 | 1 => Self::Save,
            2 => Self::Restart,
            3 | 4 => Self::Promote {
                missing: usize::try_from(random.below(12)).unwrap_or_default(),
            },
            5 => Self::Attach,
            _ => Self::FlushAll,
        }
    }

    fn outage(random: &mut Random) -> Self {
        if random.percent(60) {
            let is_up = random.percent(40);
            Self::Postgres { is_up }
        } else {
            let is_up = random.percent(70);
            Self::Redis { is_up }
        }
    }
}
