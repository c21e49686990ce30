//! How far a device is trusted.

use super::halved;
use super::terms::{Code, Rating, Term};

/// Half-life of passed and failed logins, in days.
pub const LOGINS_HALF_LIFE_DAYS: f64 = 60.0;
/// Highest score of a device of which nothing is known; what decays, decays down to it.
pub const NO_SIGNAL_CAP: f64 = 30.0;

/// A device that has shown nothing is trusted less than one of even odds, and by more than a cookie alone makes good.
const BASE: f64 = -1.0;
const LOGINS_WEIGHT: f64 = 1.5;
const LOGINS_MOST: f64 = 3.0;
const SHARE_WEIGHT: f64 = 2.0;
const PATCH_FREE_DAYS: f64 = 30.0;
const PATCH_WEIGHT: f64 = -0.5;
const PATCH_LEAST: f64 = -2.0;
const END_OF_LIFE_CAP: f64 = 40.0;
const INTEGRITY_CAP: f64 = 10.0;
const KEY_MISSING_CAP: f64 = 0.0;
const UNUSED_HALF_LIFE_DAYS: f64 = 30.0;

/// Kind of key by which a device is known, from the weakest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// By none.
    None,
    /// By a cookie, which can be copied.
    Cookie,
    /// By a key that software holds.
    Software,
    /// By a key that hardware holds, or one that was attested.
    Hardware,
}

impl Key {
    /// All kinds, from the weakest.
    pub const ALL: [Self; 4] = [Self::None, Self::Cookie, Self::Software, Self::Hardware];

    /// Published name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Cookie => "cookie",
            Self::Software => "software",
            Self::Hardware => "hardware",
        }
    }

    fn weight(self) -> f64 {
        match self {
            Self::None => -1.5,
            Self::Cookie => 0.0,
            Self::Software => 1.0,
            Self::Hardware => 2.0,
        }
    }
}

/// What is known of a device now; `None` is unknown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DeviceInputs {
    /// Logins that were passed, faded with [`LOGINS_HALF_LIFE_DAYS`].
    pub passed: f64,
    /// Logins that failed, faded likewise.
    pub failed: f64,
    /// Share of its last logins in its usual network and country, 0 to 1.
    pub usual_share: Option<f64>,
    /// Key by which it is known.
    pub key: Key,
    /// It has a key enrolled that it did not show.
    pub is_key_missing: bool,
    /// Days that its software is behind the newest release.
    pub patch_days: Option<f64>,
    /// Its operating system gets no repairs any more.
    pub is_end_of_life: Option<bool>,
    /// A service says that it was tampered with.
    pub is_integrity_bad: Option<bool>,
    /// Days since it was used last.
    pub unused_days: f64,
}

/// Inputs that no device can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is out of range")]
pub struct InputError(pub(super) &'static str);

impl DeviceInputs {
    fn check(&self) -> Result<(), InputError> {
        let amounts = [
            ("passed", self.passed),
            ("failed", self.failed),
            ("patch_days", self.patch_days.unwrap_or_default()),
            ("unused_days", self.unused_days),
        ];
        let bad = amounts
            .into_iter()
            .find(|(_, amount)| !amount.is_finite() || *amount < 0.0);
        match (bad, self.usual_share) {
            (Some((name, _)), _) => Err(InputError(name)),
            (None, Some(share)) if !(0.0..=1.0).contains(&share) => Err(InputError("usual_share")),
            _ => Ok(()),
        }
    }

    /// Nothing at all is known of it.
    fn is_blank(&self) -> bool {
        self.passed + self.failed <= 0.0
            && self.usual_share.is_none()
            && self.key == Key::None
            && self.patch_days.is_none()
            && self.is_end_of_life.is_none()
            && self.is_integrity_bad.is_none()
    }
}

/// How far a device is trusted.
///
/// # Errors
///
/// [`InputError`] for a negative amount, or a share that is none.
pub fn rate_device(inputs: &DeviceInputs) -> Result<Rating, InputError> {
    inputs.check()?;
    let mut rating = Rating::of(vec![
        term(Code::Base, BASE, String::new()),
        logins(inputs.passed, inputs.failed),
        usual_network(inputs.usual_share),
        term(Code::Key, inputs.key.weight(), inputs.key.name().to_owned()),
        patch_level(inputs.patch_days),
    ]);
    if inputs.is_end_of_life == Some(true) {
        rating = rating.capped(Code::PatchEndOfLife, "yes", END_OF_LIFE_CAP);
    }
    if inputs.is_blank() {
        rating = rating.capped(Code::NoSignal, "yes", NO_SIGNAL_CAP);
    }
    if inputs.is_integrity_bad == Some(true) {
        rating = rating.capped(Code::IntegrityBad, "yes", INTEGRITY_CAP);
    }
    if inputs.is_key_missing {
        rating = rating.capped(Code::DeviceKeyMissing, "yes", KEY_MISSING_CAP);
    }
    Ok(unused(rating, inputs.unused_days))
}

fn logins(passed: f64, failed: f64) -> Term {
    let weight = LOGINS_WEIGHT * ((passed + 1.0) / (failed + 1.0)).ln();
    let weight = weight.clamp(-LOGINS_MOST, LOGINS_MOST);
    term(
        Code::Logins,
        weight,
        format!("{passed:.2} passed, {failed:.2} failed"),
    )
}

fn usual_network(share: Option<f64>) -> Term {
    let weight = share.map_or(0.0, |share| SHARE_WEIGHT * (share - 0.5));
    term(
        Code::UsualNetwork,
        weight,
        seen(share, "of the last logins"),
    )
}

fn patch_level(days: Option<f64>) -> Term {
    let behind = days.map_or(0.0, |days| (days - PATCH_FREE_DAYS).max(0.0));
    let weight = (PATCH_WEIGHT * behind / PATCH_FREE_DAYS).max(PATCH_LEAST);
    term(Code::PatchLevel, weight, seen(days, "days behind"))
}

/// What is above what nothing at all would give fades to it; a score below it does not rise by waiting.
fn unused(rating: Rating, days: f64) -> Rating {
    let above = (rating.score - NO_SIGNAL_CAP).max(0.0);
    let left = rating.score - above + halved(above, days, UNUSED_HALF_LIFE_DAYS);
    rating.lowered(Code::Unused, format!("{days:.2} days"), left, None)
}

fn term(code: Code, weight: f64, seen: String) -> Term {
    Term {
        code,
        weight,
        seen,
        cap: None,
    }
}

fn seen(value: Option<f64>, unit: &str) -> String {
    value.map_or_else(
        || "unknown".to_owned(),
        |value| format!("{value:.2} {unit}"),
    )
}
