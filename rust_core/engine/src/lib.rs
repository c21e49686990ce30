//! Answers the hot RPCs over Redis: bytes in, bytes out.
//!
//! The engine knows Redis and a snapshot of what `PostgreSQL` says about keys, clients and policies. What needs
//! `PostgreSQL` itself it does not answer: it says what a flow must do before it is asked again.

mod answer;
mod batch;
mod call;
mod caller;
mod check;
mod clock;
mod counters;
mod effects;
mod engine;
mod evidence;
mod introspect;
mod issue;
pub mod lease;
mod limits;
mod policy;
mod proof;
pub mod proto;
mod random;
mod read;
mod refresh;
mod refreshed;
mod snapshot;
mod state;
mod status;
mod store;
mod tally;
mod unknowns;
mod verify;

pub use answer::Incoming;
pub use clock::Clock;
pub use engine::{Engine, OpenError, Options};
pub use issue::IssueFailure;
pub use random::{RandomFailed, random};
pub use snapshot::SnapshotError;
