//! How far a session is trusted.

use super::device::InputError;
use super::halved;
use super::terms::{Code, Rating};

/// A session's trust halves in so many seconds without proof.
const PROOF_HALF_LIFE_SECONDS: f64 = 8.0 * 3600.0;

/// What a session adds to its device.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SessionInputs {
    /// Risk, 0 to 1.
    pub risk: f64,
    /// Trust that the session was given at its user's proof, or when something about its device changed since; `None`:
    /// what device and risk give now.
    pub rated: Option<f64>,
    /// Seconds since the user proved itself.
    pub proof_age_seconds: f64,
}

/// How far a session on a device is trusted.
///
/// # Errors
///
/// [`InputError`] for a risk or a trust that is none, or a negative age.
pub fn rate_session(device: Rating, inputs: &SessionInputs) -> Result<Rating, InputError> {
    let SessionInputs {
        risk,
        rated,
        proof_age_seconds: age,
    } = *inputs;
    if rated.is_some_and(|rated| !(0.0..=100.0).contains(&rated)) {
        return Err(InputError("rated"));
    }
    if !(0.0..=1.0).contains(&risk) {
        return Err(InputError("risk"));
    }
    if !age.is_finite() || age < 0.0 {
        return Err(InputError("proof_age_seconds"));
    }
    let rating = device.lowered(Code::Risk, format!("{risk:.2}"), 100.0 * (1.0 - risk), None);
    let rating = match rated {
        Some(rated) if (rated - rating.score).abs() > f64::EPSILON => {
            rating.moved(Code::RatedBefore, format!("{rated:.2}"), rated, None)
        }
        _ => rating,
    };
    let left = aged(rating.score, age);
    Ok(rating.lowered(
        Code::ProofAge,
        format!("{:.2} hours", age / 3600.0),
        left,
        None,
    ))
}

/// What is left of a session's trust so long after its user's proof.
#[must_use]
pub fn aged(score: f64, proof_age_seconds: f64) -> f64 {
    halved(score, proof_age_seconds, PROOF_HALF_LIFE_SECONDS)
}
