//! Keys of a tenant, as far as this process has them.

use std::collections::HashMap;
use std::sync::Arc;

use argus_core::token::{FoundKey, RefreshIdKey, SigningKey};

use crate::caller::Lack;
use crate::proto::internal::KeySnapshot;

/// A key of computed refresh token ids.
#[derive(Clone)]
pub(crate) enum ComputedIds {
    /// It can be used.
    Good(Arc<RefreshIdKey>),
    /// It was pulled: everything that it made is refused.
    Revoked,
    /// This process can't read it.
    Unread,
}

/// The keys of a tenant for one type of token.
#[derive(Default)]
pub(crate) struct KeyRing {
    keys: HashMap<String, Key>,
    signing: Option<Arc<SigningKey>>,
}

enum Key {
    Good(Arc<SigningKey>),
    /// It was pulled; its name is enough to refuse what it signed.
    Pulled(Option<Arc<SigningKey>>),
    /// This process can't read it.
    Unread,
}

impl KeyRing {
    /// Adds a key; one that was there before is taken over from there.
    ///
    /// # Errors
    ///
    /// What is wrong with it; it is then one that can't be read here.
    pub(crate) fn add(&mut self, key: &KeySnapshot, before: Option<&Self>) -> Result<(), String> {
        // A kid is the thumbprint of its key: the same kid is the same key.
        let known = before
            .and_then(|ring| ring.keys.get(&key.kid))
            .and_then(Key::pair);
        let (pair, fault) =
            match known.map_or_else(|| read_pair(key), |pair| Ok(Some(Arc::clone(pair)))) {
                Ok(pair) => (pair, Ok(())),
                Err(why) => (None, Err(why)),
            };
        if key.signs && !key.revoked {
            self.signing.clone_from(&pair);
        }
        let entry = match pair {
            pair if key.revoked => Key::Pulled(pair),
            Some(pair) => Key::Good(pair),
            None => Key::Unread,
        };
        self.keys.insert(key.kid.clone(), entry);
        fault
    }

    /// Where the key that signs now can't be read, the one before goes on, as long as it is good.
    pub(crate) fn sign_on_with(&mut self, before: &Self) {
        if self.signing.is_none()
            && let Some(pair) = &before.signing
            && let Some(Key::Good(_)) = self.keys.get(pair.kid())
        {
            self.signing = Some(Arc::clone(pair));
        }
    }

    /// The key of a name.
    pub(crate) fn find(&self, kid: &str) -> Option<FoundKey<'_>> {
        let key = self.keys.get(kid)?;
        Some(FoundKey {
            key: key.pair()?.public(),
            is_revoked: matches!(key, Key::Pulled(_)),
        })
    }

    /// Why there is no key of a name to verify by, unless it is for good.
    pub(crate) fn lack(&self, kid: &str) -> Option<Lack> {
        match self.keys.get(kid) {
            None => Some(Lack::Unknown),
            Some(Key::Unread) => Some(Lack::Unread),
            Some(Key::Good(_) | Key::Pulled(_)) => None,
        }
    }

    /// The key that signs now.
    pub(crate) fn signing_key(&self) -> Option<&SigningKey> {
        self.signing.as_deref()
    }

    /// JSON Web Key Set (RFC 7517, section 5) of the keys that were not pulled, in the order of their names; `None`: it
    /// would not be whole, as one of them can't be read.
    pub(crate) fn published(&self) -> Option<Vec<u8>> {
        if self.keys.values().any(|key| matches!(key, Key::Unread)) {
            return None;
        }
        let mut good: Vec<&SigningKey> = self.keys.values().filter_map(Key::good).collect();
        good.sort_by(|one, other| one.kid().cmp(other.kid()));
        let keys: Vec<String> = good.iter().map(|pair| pair.public_jwk()).collect();
        Some(format!(r#"{{"keys":[{}]}}"#, keys.join(",")).into_bytes())
    }
}

/// The key that was given, if it is the one that it says it is; `None`: none was.
fn read_pair(key: &KeySnapshot) -> Result<Option<Arc<SigningKey>>, String> {
    if key.private_key.is_empty() {
        return Ok(None);
    }
    let pair = SigningKey::from_pkcs8(&key.private_key).map_err(|error| error.to_string())?;
    if pair.kid() != key.kid || pair.algorithm().name() != key.algorithm {
        return Err("its kid or algorithm is not that of its material".to_owned());
    }
    Ok(Some(Arc::new(pair)))
}

impl Key {
    fn pair(&self) -> Option<&Arc<SigningKey>> {
        match self {
            Self::Good(pair) | Self::Pulled(Some(pair)) => Some(pair),
            Self::Pulled(None) | Self::Unread => None,
        }
    }

    fn good(&self) -> Option<&SigningKey> {
        match self {
            Self::Good(pair) => Some(pair),
            Self::Pulled(_) | Self::Unread => None,
        }
    }
}

impl ComputedIds {
    /// One that can't be read now is what it was before.
    pub(crate) fn read(
        key: &KeySnapshot,
        number: u8,
        before: Option<&Self>,
    ) -> Result<Self, String> {
        if key.revoked {
            return Ok(Self::Revoked);
        }
        if key.private_key.is_empty() {
            // Of a number that was pulled it is another key.
            let is_good = before.filter(|before| matches!(before, Self::Good(_)));
            return Ok(is_good.cloned().unwrap_or(Self::Unread));
        }
        let ids = RefreshIdKey::new(number, &key.private_key).map_err(|error| error.to_string())?;
        Ok(Self::Good(Arc::new(ids)))
    }
}
