//! What Argus decides: tokens, session records, rotation, trust, conditions of policies. No I/O, no clock, no Python.

pub mod condition;
pub mod deadlines;
pub mod functions;
pub mod ids;
pub mod rebuild;
pub mod record;
pub mod rotation;
pub mod token;
pub mod trust;
