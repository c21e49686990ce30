//! What the servers are working on, and what they answer.

use argus_core::record::{Lineage, Stored};

/// Servers of Argus.
pub(crate) const PROCESSES: usize = 2;

/// A refresh token that is good in itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    /// Refresh family.
    pub(crate) family: u32,
    /// Generation.
    pub(crate) generation: u32,
    /// When it was made.
    pub(crate) issued: u32,
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sender {
    /// A tab of the owner.
    Tab(usize),
    /// Somebody else.
    Thief,
}

/// What a caller is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply {
    /// Good: a refresh token, and whether a cookie is set with it.
    Good(Token, bool),
    /// Step up.
    StepUp,
    /// The session is over, or the token is refused.
    Refused,
    /// Come again.
    Unavailable,
}

/// An answer on its way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer {
    /// Who asked.
    pub(crate) sender: Sender,
    /// When.
    pub(crate) sent: u32,
    /// What is told.
    pub(crate) reply: Reply,
}

/// How far a refresh has come.
#[derive(Debug, Clone)]
pub(crate) enum Stage {
    /// The function is to be asked.
    Ask,
    /// PostgreSQL is to be read.
    Read,
    /// PostgreSQL was read, its row is held, Redis is to be written.
    Write(Lineage, Stored),
    /// What follows from the verdict is to be written before the reply.
    Record(Written, Reply),
}

/// A refresh under way.
#[derive(Debug, Clone)]
pub(crate) struct Refresh {
    /// Who asks.
    pub(crate) sender: Sender,
    /// When it was sent.
    pub(crate) sent: u32,
    /// The token.
    pub(crate) token: Token,
    /// Attempt.
    pub(crate) attempt: [u8; 4],
    /// How far it has come.
    pub(crate) stage: Stage,
    /// How often the function was asked.
    pub(crate) asked: u32,
    /// A token told of a newer family.
    pub(crate) has_newer_family: bool,
}

impl Refresh {
    /// The process that serves it.
    pub(crate) fn process(&self) -> usize {
        usize::from(self.attempt[3]) % PROCESSES
    }
}

/// Something for PostgreSQL.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Written {
    /// A bound (generation 0: none) and a use.
    Bound {
        family: u32,
        generation: u32,
        made: u32,
        idle_deadline: u32,
    },
    /// The family is contested.
    Contested(u32),
    /// The session ended by a replay.
    Ended(u32),
}

/// What is to be ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The session.
    Session,
    /// All sessions of the user up to now.
    UserWide,
    /// The user.
    Disabled,
}

/// How far a step-up has come.
#[derive(Debug, Clone)]
pub(crate) enum StepUp {
    /// PostgreSQL is to get the new family.
    Begin,
    /// Redis is to get it.
    Tell(u32),
    /// Redis had lost the session: PostgreSQL is to be read.
    Read(u32),
    /// It was read, its row is held.
    Write(u32, Lineage, Stored),
}

/// A job of the servers.
#[derive(Debug, Clone)]
pub(crate) enum Job {
    /// A refresh; dies with its process and its deadline.
    Refresh(Refresh),
    /// A step-up of a tab; dies likewise.
    StepUp {
        tab: usize,
        sent: u32,
        stage: StepUp,
    },
    /// An end that was asked for: PostgreSQL first, Redis first if that is away.
    End(End),
    /// An end that PostgreSQL knows: Redis must acknowledge it (an outbox row: it outlives everything).
    Bury(End),
    /// A contest that PostgreSQL knows: the same.
    Contest(u32),
    /// The second half of a rebuild whose process is gone: on its way to Redis, and nobody holds the row any more.
    Straggler(Lineage, Stored),
}

impl Job {
    /// When it was sent, if it has a deadline.
    pub(crate) fn sent(&self) -> Option<u32> {
        match self {
            Self::Refresh(refresh) => Some(refresh.sent),
            Self::StepUp { sent, .. } => Some(*sent),
            _ => None,
        }
    }

    /// It holds the row in PostgreSQL.
    pub(crate) fn is_holding(&self) -> bool {
        match self {
            Self::Refresh(refresh) => matches!(refresh.stage, Stage::Write(..)),
            Self::StepUp { stage, .. } => matches!(stage, StepUp::Write(..)),
            _ => false,
        }
    }
}
