//! The stores of the world: one Redis process with its past, and `PostgreSQL` as the plainest data there is.

use argus_core::record::{Lineage, SessionRecord, State, Stored, Tombstone, UserRecord};

/// Longest gap between two uses.
pub(crate) const IDLE: u32 = 3600;
/// Longest life; some worlds last longer.
pub(crate) const ABSOLUTE: u32 = 6000;

/// Both keys of a moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Values {
    /// The session's key; empty: none.
    pub(crate) session: Vec<u8>,
    /// The user's key; empty: none.
    pub(crate) user: Vec<u8>,
}

/// A Redis process, and what its predecessors wrote.
#[derive(Debug)]
pub(crate) struct Node {
    /// Its fingerprint.
    pub(crate) lineage: Lineage,
    /// It answers.
    pub(crate) is_up: bool,
    /// What it holds.
    pub(crate) values: Values,
    processes: u64,
    /// What it, and those before it, held: the newest last.
    past: Vec<Values>,
    snapshot: Values,
}

impl Node {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self {
            lineage: 1_u64.to_be_bytes(),
            processes: 1,
            is_up: true,
            values: Values::default(),
            past: Vec::new(),
            snapshot: Values::default(),
        }
    }

    /// Writes the session's key.
    pub(crate) fn set_session(&mut self, value: Vec<u8>) {
        if value != self.values.session {
            self.past.push(self.values.clone());
            self.values.session = value;
        }
    }

    /// Writes the user's key.
    pub(crate) fn set_user(&mut self, value: Vec<u8>) {
        if value != self.values.user {
            self.past.push(self.values.clone());
            self.values.user = value;
        }
    }

    /// What the session's key holds, if this process wrote it.
    pub(crate) fn current(&self) -> Option<Stored> {
        Stored::decode(&self.values.session)
            .ok()
            .filter(|stored| stored.lineage() == self.lineage)
    }

    /// The session's record, if this process wrote it and the session lives.
    pub(crate) fn record(&self) -> Option<SessionRecord> {
        match self.current() {
            Some(Stored::Living(record)) => Some(record),
            _ => None,
        }
    }

    /// A record and its user say that the session is good.
    pub(crate) fn is_living(&self, record: &SessionRecord) -> bool {
        UserRecord::decode(&self.values.user).is_ok_and(|user| {
            user.lineage == self.lineage && !user.is_disabled && record.created > user.not_before
        })
    }

    /// Keeps what it holds for a later restart.
    pub(crate) fn save(&mut self) {
        self.snapshot = self.values.clone();
    }

    /// A new process begins with the last snapshot.
    pub(crate) fn restart(&mut self) {
        self.attach();
        self.values = self.snapshot.clone();
    }

    /// A replica that lacks the last writes takes over.
    pub(crate) fn promote(&mut self, missing: usize) {
        self.attach();
        if missing > 0 && !self.past.is_empty() {
            let kept = self.past.len().saturating_sub(missing);
            self.values = self.past[kept].clone();
            self.past.truncate(kept);
        }
    }

    /// A first replica attaches, or a demoted primary comes back: nothing is lost.
    pub(crate) fn attach(&mut self) {
        self.processes += 1;
        self.lineage = self.processes.to_be_bytes();
    }

    /// Everything is gone, and the process goes on.
    pub(crate) fn flush_all(&mut self) {
        self.past.push(std::mem::take(&mut self.values));
    }
}

/// The row of the session and of its user.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "columns of two rows")]
pub(crate) struct Postgres {
    /// It answers.
    pub(crate) is_up: bool,
    /// Rebuilds that hold the session's row: nobody changes it before they have written to Redis.
    pub(crate) holders: usize,
    /// End of the session.
    pub(crate) end: Option<Tombstone>,
    /// Family that is contested.
    pub(crate) is_contested: bool,
    /// Refresh family.
    pub(crate) family: u32,
    /// Lower bound of the family's generation.
    pub(crate) bound: u32,
    /// When that generation was made.
    pub(crate) bound_time: u32,
    /// By a rotation.
    pub(crate) is_rotated: bool,
    /// Idle deadline after the last use that was told.
    pub(crate) idle_deadline: u32,
    /// When the session began.
    pub(crate) created: u32,
    /// Tokens need a proof.
    pub(crate) is_bound: bool,
    /// The user is disabled.
    pub(crate) is_disabled: bool,
    /// The user's sessions created up to then are over.
    pub(crate) not_before: u32,
}

impl Postgres {
    /// A session that begins now.
    pub(crate) fn new(now: u32, is_bound: bool) -> Self {
        Self {
            is_up: true,
            holders: 0,
            end: None,
            is_contested: false,
            family: 1,
            bound: 1,
            bound_time: now,
            is_rotated: false,
            idle_deadline: now + IDLE,
            created: now,
            is_bound,
            is_disabled: false,
            not_before: 0,
        }
    }

    /// It answers, and nobody holds the row.
    pub(crate) fn is_free(&self) -> bool {
        self.is_up && self.holders == 0
    }

    /// What a rebuild writes.
    pub(crate) fn session(&self) -> Stored {
        if let Some(end) = self.end {
            return Stored::Ended(end);
        }
        Stored::Living(SessionRecord {
            state: if self.is_contested {
                State::Contested
            } else {
                State::Active
            },
            is_bound: self.is_bound,
            is_made_by_rotation: self.is_rotated,
            is_rebuilt: false,
            lineage: [0; 8],
            family: self.family,
            generation: self.bound,
            made: self.bound_time,
            attempt: [0; 4],
            print: [0; 4],
            binding: [u8::from(self.is_bound); 16],
            device: [0; 16],
            created: self.created,
            idle_deadline: self.idle_deadline,
            absolute_deadline: self.created + ABSOLUTE,
            policy_revision: 1,
            acr: 1,
            amr: 1,
            auth_time: self.created,
            refresh_id_key: 0,
            trust: 0,
            risk: 0,
            context: [0; 9],
        })
    }

    /// What a rebuild of the user writes.
    pub(crate) fn user(&self, lineage: Lineage) -> Vec<u8> {
        let user = UserRecord {
            is_disabled: self.is_disabled,
            lineage,
            not_before: self.not_before,
        };
        user.encode()
    }

    /// Takes a bound and a use in; everything only rises.
    pub(crate) fn raise(&mut self, family: u32, generation: u32, made: u32, idle_deadline: u32) {
        if self.end.is_some() {
            return;
        }
        if family == self.family && generation > self.bound {
            self.bound = generation;
            self.bound_time = made;
            self.is_rotated = true;
        }
        self.idle_deadline = self.idle_deadline.max(idle_deadline);
    }
}
