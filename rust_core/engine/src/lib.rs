//! Answers the hot RPCs over Redis: bytes in, bytes out.
//!
//! The engine knows Redis and a snapshot of what `PostgreSQL` says about keys, clients and policies. What needs
//! `PostgreSQL` itself it does not answer: it says what a flow must do before it is asked again.

mod activity;
mod answer;
mod batch;
mod cached;
mod call;
mod caller;
mod check;
mod clock;
mod counters;
mod effects;
mod engine;
mod evidence;
mod figures;
mod introspect;
mod issue;
pub mod lease;
mod limits;
mod options;
mod policy;
mod proof;
pub mod proto;
mod quota;
mod random;
mod read;
mod refresh;
mod refreshed;
mod ring;
mod signatures;
mod snapshot;
mod state;
mod states;
mod status;
mod store;
mod tally;
mod trust;
mod verify;

pub use answer::{Answer, Incoming};
pub use clock::Clock;
pub use engine::Engine;
pub use evidence::context_prints;
pub use issue::IssueFailure;
pub use options::{Caches, OpenError, Options};
pub use quota::QuotaOptions;
pub use random::{RandomFailed, random};
pub use snapshot::{KeyFault, KeysUnread, SnapshotError};
pub use status::{deadline_exceeded, internal, overloaded, request_missing, unavailable};
