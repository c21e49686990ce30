//! What the engine knows from `PostgreSQL`, replaced whole by Python.

use std::collections::HashMap;
use std::sync::Arc;

use argus_core::ids::Keyspace;
use argus_core::token::{FoundKey, KeySource, RefreshIdKey, SigningKey, TokenType};
use prost::Message as _;

use crate::policy::Policy;
use crate::proto::internal::{self, ClientSnapshot, KeySnapshot, SnapshotKeyUse, TenantSnapshot};

/// A snapshot was refused; the one before stays in force.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// It is not an encoded `argus.internal.v1.Snapshot`.
    #[error("the snapshot cannot be decoded")]
    Malformed,
    /// The bucket key has another length, or is another one than before.
    #[error("the bucket key must be 32 bytes and never changes")]
    BucketKey,
    /// A key cannot be used.
    #[error("key {kid} of tenant {tenant_id} cannot be used: {why}")]
    Key {
        /// Its tenant.
        tenant_id: String,
        /// Its name.
        kid: String,
        /// What is wrong with it.
        why: String,
    },
    /// Two tenants have the same issuer.
    #[error("two tenants have the issuer {0}")]
    Issuer(String),
}

/// Everything of all tenants.
pub(crate) struct Snapshot {
    /// Rises with every change.
    pub(crate) version: u64,
    /// Names of Redis keys.
    pub(crate) keyspace: Keyspace,
    bucket_key: Vec<u8>,
    tenants: HashMap<String, Arc<Tenant>>,
    issuers: HashMap<String, Arc<Tenant>>,
}

/// One tenant.
pub(crate) struct Tenant {
    /// Tenant id.
    pub(crate) id: String,
    /// Issuer.
    pub(crate) issuer: String,
    /// Its clients may call RPCs marked `system_tenant_only`.
    pub(crate) is_system: bool,
    /// Its client tokens issued up to then are refused. Seconds since 1970; 0 = none.
    pub(crate) not_before: u32,
    /// Published key set.
    pub(crate) jwks: Vec<u8>,
    access: KeyRing,
    refresh: KeyRing,
    refresh_ids: HashMap<u8, ComputedIds>,
    clients: HashMap<String, Arc<Client>>,
    policies: HashMap<u32, Policy>,
}

/// One client.
pub(crate) struct Client {
    /// Client id.
    pub(crate) id: String,
    /// Its registered resource.
    pub(crate) resource: String,
    /// Disabled.
    pub(crate) is_disabled: bool,
    /// Revision of the policy in force for it now.
    pub(crate) policy_revision: u32,
    /// Its client tokens issued up to then are refused. Seconds since 1970; 0 = none.
    pub(crate) not_before: u32,
    scopes: Vec<String>,
}

/// A key of computed refresh token ids.
#[derive(Clone)]
pub(crate) enum ComputedIds {
    /// It can be used.
    Good(Arc<RefreshIdKey>),
    /// It was pulled: everything that it made is refused.
    Revoked,
}

#[derive(Default)]
struct KeyRing {
    keys: HashMap<String, Key>,
    signing: Option<Arc<SigningKey>>,
}

struct Key {
    pair: Arc<SigningKey>,
    is_revoked: bool,
}

impl Snapshot {
    /// Reads an encoded snapshot; parsed keys are taken over from the one before.
    pub(crate) fn decode(bytes: &[u8], before: Option<&Self>) -> Result<Self, SnapshotError> {
        let message = internal::Snapshot::decode(bytes).map_err(|_| SnapshotError::Malformed)?;
        if before.is_some_and(|before| before.bucket_key != message.bucket_key) {
            return Err(SnapshotError::BucketKey);
        }
        let mut tenants = HashMap::new();
        let mut issuers = HashMap::new();
        for tenant in &message.tenants {
            let known = before.and_then(|before| before.tenant(&tenant.id));
            let tenant = Arc::new(Tenant::read(tenant, known)?);
            tenants.insert(tenant.id.clone(), Arc::clone(&tenant));
            if let Some(other) = issuers.insert(tenant.issuer.clone(), tenant) {
                return Err(SnapshotError::Issuer(other.issuer.clone()));
            }
        }
        Ok(Self {
            version: message.version,
            keyspace: Keyspace::new(&message.bucket_key).map_err(|_| SnapshotError::BucketKey)?,
            bucket_key: message.bucket_key,
            tenants,
            issuers,
        })
    }

    /// The tenant of an id.
    pub(crate) fn tenant(&self, id: &str) -> Option<&Arc<Tenant>> {
        self.tenants.get(id)
    }
}

impl KeySource for Snapshot {
    fn tenant_id(&self, issuer: &str) -> Option<&str> {
        self.issuers.get(issuer).map(|tenant| tenant.id.as_str())
    }

    fn key(&self, tenant_id: &str, token_type: TokenType, kid: &str) -> Option<FoundKey<'_>> {
        self.tenant(tenant_id)?.key(token_type, kid)
    }
}

impl Tenant {
    fn read(message: &TenantSnapshot, before: Option<&Arc<Self>>) -> Result<Self, SnapshotError> {
        let mut tenant = Self {
            id: message.id.clone(),
            issuer: message.issuer.clone(),
            is_system: message.is_system,
            not_before: message.not_before,
            jwks: Vec::new(),
            access: KeyRing::default(),
            refresh: KeyRing::default(),
            refresh_ids: HashMap::new(),
            clients: message
                .clients
                .iter()
                .map(|client| (client.id.clone(), Arc::new(Client::from(client))))
                .collect(),
            policies: message
                .policies
                .iter()
                .map(|policy| (policy.revision, Policy::from(policy)))
                .collect(),
        };
        for key in &message.keys {
            tenant.add(key, before).map_err(|why| SnapshotError::Key {
                tenant_id: message.id.clone(),
                kid: key.kid.clone(),
                why,
            })?;
        }
        tenant.jwks = tenant.access.published();
        Ok(tenant)
    }

    fn add(&mut self, key: &KeySnapshot, before: Option<&Arc<Self>>) -> Result<(), String> {
        match key.r#use() {
            SnapshotKeyUse::Access => self.access.add(key, before.map(|tenant| &tenant.access)),
            SnapshotKeyUse::Refresh => self.refresh.add(key, before.map(|tenant| &tenant.refresh)),
            SnapshotKeyUse::RefreshId => {
                let number = key
                    .kid
                    .parse()
                    .map_err(|_| "its kid must be a number from 0 to 255")?;
                let ids = if key.revoked {
                    ComputedIds::Revoked
                } else {
                    ComputedIds::Good(Arc::new(
                        RefreshIdKey::new(number, &key.private_key)
                            .map_err(|error| error.to_string())?,
                    ))
                };
                self.refresh_ids.insert(number, ids);
                Ok(())
            }
            SnapshotKeyUse::Unspecified => Err("its use is not known".to_owned()),
        }
    }

    /// The key of a name.
    pub(crate) fn key(&self, token_type: TokenType, kid: &str) -> Option<FoundKey<'_>> {
        let key = self.ring(token_type).keys.get(kid)?;
        Some(FoundKey {
            key: key.pair.public(),
            is_revoked: key.is_revoked,
        })
    }

    /// The key that signs now.
    pub(crate) fn signing_key(&self, token_type: TokenType) -> Option<&SigningKey> {
        self.ring(token_type).signing.as_deref()
    }

    /// The key of computed ids of a number.
    pub(crate) fn computed_ids(&self, number: u8) -> Option<&ComputedIds> {
        self.refresh_ids.get(&number)
    }

    /// The client of an id.
    pub(crate) fn client(&self, id: &str) -> Option<&Arc<Client>> {
        self.clients.get(id)
    }

    /// A policy revision.
    pub(crate) fn policy(&self, revision: u32) -> Option<Policy> {
        self.policies.get(&revision).copied()
    }

    fn ring(&self, token_type: TokenType) -> &KeyRing {
        match token_type {
            TokenType::Access => &self.access,
            TokenType::Refresh => &self.refresh,
        }
    }
}

impl KeyRing {
    fn add(&mut self, key: &KeySnapshot, before: Option<&Self>) -> Result<(), String> {
        // A kid is the thumbprint of its key: the same kid is the same key.
        let known = before
            .and_then(|ring| ring.keys.get(&key.kid))
            .map(|known| Arc::clone(&known.pair));
        let pair = match known {
            Some(pair) => pair,
            None => Arc::new(
                SigningKey::from_pkcs8(&key.private_key).map_err(|error| error.to_string())?,
            ),
        };
        if pair.kid() != key.kid || pair.algorithm().name() != key.algorithm {
            return Err("its kid or algorithm is not that of its material".to_owned());
        }
        if key.signs && !key.revoked {
            self.signing = Some(Arc::clone(&pair));
        }
        let is_revoked = key.revoked;
        self.keys.insert(key.kid.clone(), Key { pair, is_revoked });
        Ok(())
    }

    /// JSON Web Key Set (RFC 7517, section 5) of the keys that were not pulled, in the order of their names.
    fn published(&self) -> Vec<u8> {
        let mut good: Vec<&Key> = self.keys.values().filter(|key| !key.is_revoked).collect();
        good.sort_by(|one, other| one.pair.kid().cmp(other.pair.kid()));
        let keys: Vec<String> = good.iter().map(|key| key.pair.public_jwk()).collect();
        format!(r#"{{"keys":[{}]}}"#, keys.join(",")).into_bytes()
    }
}

impl Client {
    /// Whether it has a scope now.
    pub(crate) fn has(&self, scope: &str) -> bool {
        self.scopes.iter().any(|one| one == scope)
    }
}

impl From<&ClientSnapshot> for Client {
    fn from(message: &ClientSnapshot) -> Self {
        Self {
            id: message.id.clone(),
            resource: message.resource.clone(),
            is_disabled: message.disabled,
            policy_revision: message.policy_revision,
            not_before: message.not_before,
            scopes: message.scopes.clone(),
        }
    }
}
