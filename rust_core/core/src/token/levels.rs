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

#[cfg(test)]
mod tests {
    use super::*;

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
