//! What makes up a score.

/// Beyond it a score is 0 or 100 to every digit that is told.
const MOST_LOGIT: f64 = 40.0;

/// What a term is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// Where every device begins.
    Base,
    /// Logins that were passed and failed on the device.
    Logins,
    /// Share of its last logins in its usual network and country.
    UsualNetwork,
    /// Kind of key by which it is known.
    Key,
    /// Days that its software is behind the newest release.
    PatchLevel,
    /// Its operating system gets no repairs any more.
    PatchEndOfLife,
    /// Nothing is known of it.
    NoSignal,
    /// A service says that it was tampered with.
    IntegrityBad,
    /// It has a key enrolled and did not show it.
    DeviceKeyMissing,
    /// It was not used for a while.
    Unused,
    /// Risk of the session.
    Risk,
    /// What the device has become since the session was rated.
    RatedBefore,
    /// Time since the user's proof.
    ProofAge,
}

impl Code {
    /// Published name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Base => "BASE",
            Self::Logins => "LOGINS",
            Self::UsualNetwork => "USUAL_NETWORK",
            Self::Key => "KEY",
            Self::PatchLevel => "PATCH_LEVEL",
            Self::PatchEndOfLife => "PATCH_END_OF_LIFE",
            Self::NoSignal => "NO_SIGNAL",
            Self::IntegrityBad => "INTEGRITY_BAD",
            Self::DeviceKeyMissing => "DEVICE_KEY_MISSING",
            Self::Unused => "UNUSED",
            Self::Risk => "RISK",
            Self::RatedBefore => "RATED_BEFORE",
            Self::ProofAge => "PROOF_AGE",
        }
    }
}

/// One part of a score.
#[derive(Debug, Clone, PartialEq)]
pub struct Term {
    /// What it is about.
    pub code: Code,
    /// What it adds to the logit of the score.
    pub weight: f64,
    /// The value that it is made of; "unknown" where there is none.
    pub seen: String,
    /// Highest score that this leaves, where it is a cap that was applied.
    pub cap: Option<f64>,
}

/// A score, and the terms that add up to it: `score = 100 / (1 + exp(−Σ weight))`.
#[derive(Debug, Clone, PartialEq)]
pub struct Rating {
    /// 0 to 100.
    pub score: f64,
    /// What it is made of, in the order in which it was applied.
    pub terms: Vec<Term>,
}

impl Rating {
    /// The rating that terms make.
    pub(super) fn of(terms: Vec<Term>) -> Self {
        let sum: f64 = terms.iter().map(|term| term.weight).sum();
        Self {
            score: 100.0 / (1.0 + (-sum).exp()),
            terms,
        }
    }

    /// Brings the score down to a cap, if it is above it.
    pub(super) fn capped(self, code: Code, seen: &str, cap: f64) -> Self {
        self.lowered(code, seen.to_owned(), cap, Some(cap))
    }

    /// Brings the score down, if it is higher.
    pub(super) fn lowered(self, code: Code, seen: String, to: f64, cap: Option<f64>) -> Self {
        if to < self.score {
            self.moved(code, seen, to, cap)
        } else {
            self
        }
    }

    /// Brings the score to another one; the term is what this adds to the logit.
    pub(super) fn moved(mut self, code: Code, seen: String, to: f64, cap: Option<f64>) -> Self {
        self.terms.push(Term {
            code,
            weight: logit(to) - logit(self.score),
            seen,
            cap,
        });
        self.score = to;
        self
    }
}

fn logit(score: f64) -> f64 {
    (score / (100.0 - score))
        .ln()
        .clamp(-MOST_LOGIT, MOST_LOGIT)
}
