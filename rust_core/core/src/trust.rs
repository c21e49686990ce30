//! Trust in devices and sessions: 0 to 100, explained term by term. Deterministic, and without a clock: ages are
//! arguments.
//!
//! `logit T = b + 1.5·ln((s+1)/(f+1)) + 2·(share − ½) + key + patch`, then caps, then the decay of a device that is not
//! used. A session's trust is the lower one of its device's and of what its risk leaves; it halves every eight hours
//! without proof. Every input moves the score in one direction only.
//!
//! What is not known weighs nothing, and a device of which nothing at all is known has at most [`NO_SIGNAL_CAP`].

mod device;
mod session;
mod terms;

pub use device::{
    DeviceInputs, InputError, Key, LOGINS_HALF_LIFE_DAYS, NO_SIGNAL_CAP, rate_device,
};
pub use session::{SessionInputs, aged, rate_session};
pub use terms::{Code, Rating, Term};

/// What is left of an amount after so much time; both in the same unit.
#[must_use]
pub fn halved(amount: f64, elapsed: f64, half_life: f64) -> f64 {
    amount * (-elapsed.max(0.0) / half_life).exp2()
}

#[cfg(test)]
mod tests;
