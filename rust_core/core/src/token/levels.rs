//! How a subject proved itself: level (`acr`) and methods (`amr`, RFC 8176).

use serde::{Serialize, Serializer};

/// Authentication level: the AAL of NIST SP 800-63B-4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Acr {
    /// One factor.
    Aal1 = 1,
    /// Two factors.
    Aal2 = 2,
    /// Two factors, one of them hardware and resistant to phishing.
    Aal3 = 3,
}

impl Acr {
    /// Every level, weakest first.
    pub const ALL: [Self; 3] = [Self::Aal1, Self::Aal2, Self::Aal3];

    /// The level of a claim's value.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|acr| acr.name() == name)
    }

    /// The level of a number 1-3.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|acr| acr.number() == number)
    }

    /// The claim's value.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aal1 => "urn:argus:acr:1",
            Self::Aal2 => "urn:argus:acr:2",
            Self::Aal3 => "urn:argus:acr:3",
        }
    }

    /// 1-3, as the session record has it.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }
}

impl Serialize for Acr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// Names of the methods; the place is the bit of [`Methods`], for ever.
const NAMES: [&str; 16] = [
    "pwd", "otp", "mfa", "hwk", "swk", "user", "pin", "face", "fpt", "geo", "rba", "sms", "kba",
    "mca", "sc", "tel",
];

/// A set of authentication methods, as the bits that the session record has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Methods(u16);

impl Methods {
    /// The set of some bits.
    #[must_use]
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    /// The bits; bit 0 is `pwd`.
    #[must_use]
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// The set of some names; `None` if one is unknown.
    #[must_use]
    pub fn from_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        names.into_iter().try_fold(Self::default(), |set, name| {
            let bit = NAMES.iter().position(|known| *known == name)?;
            Some(Self(set.0 | 1 << bit))
        })
    }

    /// Whether one method is in both.
    #[must_use]
    pub const fn meets(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }

    /// The names, in the order of their bits.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        NAMES
            .into_iter()
            .enumerate()
            .filter(move |(bit, _)| self.0 & (1 << bit) != 0)
            .map(|(_, name)| name)
    }
}

impl Serialize for Methods {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.names())
    }
}

/// Kind of second factor that a policy asks for, beside a level above the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum SecondFactor {
    /// Any.
    Any = 0,
    /// One whose answer counts once (NIST SP 800-53 IA-2(8)).
    ReplayResistant = 1,
    /// One that answers to its own site only (NIST SP 800-63B-4, 3.2.5).
    PhishingResistant = 2,
    /// The same, with a key that can't be copied.
    Hardware = 3,
}

impl SecondFactor {
    /// Every kind, weakest first.
    pub const ALL: [Self; 4] = [
        Self::Any,
        Self::ReplayResistant,
        Self::PhishingResistant,
        Self::Hardware,
    ];

    /// The kind of a number; of one that this release does not know, the strictest.
    #[must_use]
    pub fn from_number(number: u32) -> Self {
        let known = Self::ALL.into_iter().find(|kind| *kind as u32 == number);
        known.unwrap_or(Self::Hardware)
    }

    /// What a policy calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::ReplayResistant => "replay_resistant",
            Self::PhishingResistant => "phishing_resistant",
            Self::Hardware => "hardware",
        }
    }

    /// Whether one of the methods is of the kind (`python/argus/credentials/levels.py`).
    #[must_use]
    pub fn is_among(self, methods: Methods) -> bool {
        let names: &[&str] = match self {
            Self::Any => return true,
            Self::ReplayResistant => &["otp", "hwk", "swk", "sc"],
            Self::PhishingResistant => &["hwk", "swk", "sc"],
            Self::Hardware => &["hwk", "sc"],
        };
        Methods::from_names(names.iter().copied()).is_some_and(|kind| methods.meets(kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_a_factor_of_a_kind_has_one_of_each_weaker_kind() {
        for bits in 0..=u16::MAX {
            let methods = Methods::from_bits(bits);
            let kinds = SecondFactor::ALL.map(|kind| kind.is_among(methods));
            assert!(kinds.is_sorted_by(|weaker, stricter| weaker >= stricter));
        }
    }

    #[test]
    fn kinds_are_told_by_methods() {
        let among = |names: &[&str]| {
            let methods = Methods::from_names(names.iter().copied());
            SecondFactor::ALL.map(|kind| methods.is_some_and(|methods| kind.is_among(methods)))
        };
        assert_eq!(among(&["pwd"]), [true, false, false, false]);
        assert_eq!(among(&["pwd", "otp", "mfa"]), [true, true, false, false]);
        assert_eq!(among(&["swk", "user", "mfa"]), [true, true, true, false]);
        assert_eq!(among(&["pwd", "hwk", "mfa"]), [true; 4]);
        assert_eq!(SecondFactor::from_number(9), SecondFactor::Hardware);
    }

    #[test]
    fn levels_have_one_name_and_number() {
        for acr in Acr::ALL {
            assert_eq!(Acr::from_name(acr.name()), Some(acr));
            assert_eq!(Acr::from_number(acr.number()), Some(acr));
        }
        assert_eq!(Acr::from_name("urn:argus:acr:4"), None);
        assert_eq!(Acr::from_number(0), None);
    }

    #[test]
    fn methods_survive_names_and_bits() {
        for bits in 0..=u16::MAX {
            let methods = Methods::from_bits(bits);
            assert_eq!(Methods::from_names(methods.names()), Some(methods));
        }
        assert_eq!(
            Methods::from_names(["pwd", "mfa"]).map(Methods::bits),
            Some(0b101)
        );
        assert_eq!(Methods::from_names(["pwd", "magic"]), None);
    }
}
