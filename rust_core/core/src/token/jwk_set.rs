//! Key sets of issuers (RFC 7517, section 5), as whoever verifies by them takes them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::compact::text;
use super::json::{self, Object};
use super::jwk;
use super::keys::{KeyRefused, VerifyingKey};
use super::proof_key::PRIVATE_MEMBERS;

/// Most bytes of a key set.
pub const MAX_SET_LEN: usize = 64 * 1024;

/// Most bytes of a key's name. Other issuers' names may hold any character: they are looked up in a map and nothing
/// else.
pub const MAX_NAME_LEN: usize = 256;

/// It is no key set; a set that was read before stays good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a key set")]
pub struct NotAKeySet;

/// Why a key of a set is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EntryRefused {
    /// It has no `kid`, or an empty or a long one: no token can name it.
    #[error("the key has no name")]
    Nameless,
    /// Another good key of the set has the same `kid`: which one is meant nobody knows.
    #[error("another key has the same name")]
    Ambiguous,
    /// It shows a private or symmetric half: everybody can sign with it.
    #[error("the key is not public")]
    Private,
    /// It is no key to verify with.
    #[error(transparent)]
    Key(#[from] KeyRefused),
}

/// The keys of a set that verify, by name.
#[derive(Debug, Default)]
pub struct KeySet {
    /// Good keys by `kid`.
    pub keys: BTreeMap<String, VerifyingKey>,
    /// What was left out: `kid`, empty if there is none, and why.
    pub refused: Vec<(String, EntryRefused)>,
}

/// Reads a key set. Keys that can't be used are left out, as RFC 7517 asks; a set without any good key is one, too.
///
/// # Errors
///
/// [`NotAKeySet`] for more than [`MAX_SET_LEN`], anything but strict JSON, or one without a list of objects `keys`.
pub fn read(bytes: &[u8]) -> Result<KeySet, NotAKeySet> {
    if bytes.len() > MAX_SET_LEN {
        return Err(NotAKeySet);
    }
    // An issuer that is asked for its keys is trusted with how many they are, within the length.
    let object = json::parse_wide_object(bytes, MAX_SET_LEN).map_err(|_| NotAKeySet)?;
    let Some(Value::Array(entries)) = object.get("keys") else {
        return Err(NotAKeySet);
    };
    let mut set = KeySet::default();
    let mut names = BTreeMap::<&str, usize>::new();
    let mut good = Vec::new();
    for entry in entries {
        let entry = entry.as_object().ok_or(NotAKeySet)?;
        let name = text(entry, "kid").unwrap_or_default();
        match read_entry(entry, name) {
            Ok(key) => {
                *names.entry(name).or_default() += 1;
                good.push((name, key));
            }
            Err(why) => set.refused.push((shortened(name), why)),
        }
    }
    for (name, key) in good {
        if names.get(name) == Some(&1) {
            set.keys.insert(name.to_owned(), key);
        } else {
            set.refused.push((name.to_owned(), EntryRefused::Ambiguous));
        }
    }
    Ok(set)
}

fn read_entry(entry: &Object, name: &str) -> Result<VerifyingKey, EntryRefused> {
    if PRIVATE_MEMBERS
        .iter()
        .any(|member| entry.contains_key(*member))
    {
        return Err(EntryRefused::Private);
    }
    if !(1..=MAX_NAME_LEN).contains(&name.len()) {
        return Err(EntryRefused::Nameless);
    }
    Ok(jwk::read_verifying_key(entry)?)
}

fn shortened(name: &str) -> String {
    name.chars().take(MAX_NAME_LEN).collect()
}
