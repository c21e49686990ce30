//! What the engine knows from `PostgreSQL`, replaced whole by Python.

use std::collections::HashMap;
use std::sync::Arc;

use argus_core::ids::Keyspace;
use argus_core::token::{FoundKey, SigningKey, TokenType};
use prost::Message as _;

use crate::caller::Lack;
use crate::policy::{Floor, Policy};
use crate::proto::internal::{
    self, ClientSnapshot, KeySnapshot, PolicySnapshot, SnapshotKeyUse, TenantSnapshot,
};
use crate::ring::{ComputedIds, KeyRing};

/// A snapshot was refused; the one before stays in force.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// It is not an encoded `argus.internal.v1.Snapshot`.
    #[error("the snapshot cannot be decoded")]
    Malformed,
    /// The bucket key has another length, or is another one than before.
    #[error("the bucket key must be 32 bytes and never changes")]
    BucketKey,
    /// Two tenants have the same issuer.
    #[error("two tenants have the issuer {0}")]
    Issuer(String),
}

/// A key that cannot be used; all others can.
#[derive(Debug, thiserror::Error)]
#[error("key {kid} of tenant {tenant_id} cannot be used: {why}")]
pub struct KeyFault {
    /// Its tenant.
    tenant_id: String,
    /// Its name.
    kid: String,
    /// What is wrong with it.
    why: String,
}

/// A tenant has keys that can't be read here: its key set would not be whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key of the set can't be read here")]
pub struct KeysUnread;

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
    /// Published key set; `None`: a key of it can't be read here.
    pub(crate) jwks: Option<Vec<u8>>,
    access: KeyRing,
    refresh: KeyRing,
    refresh_ids: HashMap<u8, ComputedIds>,
    clients: HashMap<String, Arc<Client>>,
    policies: HashMap<u32, Policy>,
    trust_floors: HashMap<u32, HashMap<String, Floor>>,
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
    /// What rules of policies say of its sessions must be judged at each refresh.
    pub(crate) judges_rules: bool,
    /// What presets demand of its sessions, whoever the user.
    pub(crate) ceiling: Policy,
    scopes: Vec<String>,
}

impl Snapshot {
    /// Reads an encoded snapshot, and says which keys of it cannot be used; parsed ones are taken over from the one
    /// before.
    pub(crate) fn decode(
        bytes: &[u8],
        before: Option<&Self>,
    ) -> Result<(Self, Vec<KeyFault>), SnapshotError> {
        let message = internal::Snapshot::decode(bytes).map_err(|_| SnapshotError::Malformed)?;
        if before.is_some_and(|before| before.bucket_key != message.bucket_key) {
            return Err(SnapshotError::BucketKey);
        }
        let mut tenants = HashMap::new();
        let mut issuers = HashMap::new();
        let mut faults = Vec::new();
        for tenant in &message.tenants {
            let known = before.and_then(|before| before.tenant(&tenant.id));
            let tenant = Arc::new(Tenant::read(tenant, known, &mut faults));
            tenants.insert(tenant.id.clone(), Arc::clone(&tenant));
            if let Some(other) = issuers.insert(tenant.issuer.clone(), tenant) {
                return Err(SnapshotError::Issuer(other.issuer.clone()));
            }
        }
        let snapshot = Self {
            version: message.version,
            keyspace: Keyspace::new(&message.bucket_key).map_err(|_| SnapshotError::BucketKey)?,
            bucket_key: message.bucket_key,
            tenants,
            issuers,
        };
        Ok((snapshot, faults))
    }

    /// The tenant of an id.
    pub(crate) fn tenant(&self, id: &str) -> Option<&Arc<Tenant>> {
        self.tenants.get(id)
    }

    /// Id of the tenant that is this issuer.
    pub(crate) fn tenant_id(&self, issuer: &str) -> Option<&str> {
        self.issuers.get(issuer).map(|tenant| tenant.id.as_str())
    }
}

impl Tenant {
    fn read(
        message: &TenantSnapshot,
        before: Option<&Arc<Self>>,
        faults: &mut Vec<KeyFault>,
    ) -> Self {
        let mut tenant = Self {
            id: message.id.clone(),
            issuer: message.issuer.clone(),
            is_system: message.is_system,
            not_before: message.not_before,
            jwks: None,
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
            trust_floors: message.policies.iter().map(trust_floors).collect(),
        };
        for key in &message.keys {
            if let Err(why) = tenant.add(key, before) {
                faults.push(KeyFault {
                    tenant_id: message.id.clone(),
                    kid: key.kid.clone(),
                    why,
                });
            }
        }
        if let Some(before) = before {
            tenant.access.sign_on_with(&before.access);
            tenant.refresh.sign_on_with(&before.refresh);
        }
        tenant.jwks = tenant.access.published();
        tenant
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
                let known = before.and_then(|tenant| tenant.computed_ids(number));
                let ids = ComputedIds::read(key, number, known)?;
                self.refresh_ids.insert(number, ids);
                Ok(())
            }
            SnapshotKeyUse::Unspecified => Err("its use is not known".to_owned()),
        }
    }

    /// The key of a name.
    pub(crate) fn key(&self, token_type: TokenType, kid: &str) -> Option<FoundKey<'_>> {
        self.ring(token_type).find(kid)
    }

    /// Why there is no key of a name to verify by, unless it is for good.
    pub(crate) fn lack(&self, token_type: TokenType, kid: &str) -> Option<Lack> {
        self.ring(token_type).lack(kid)
    }

    /// The key that signs now.
    pub(crate) fn signing_key(&self, token_type: TokenType) -> Option<&SigningKey> {
        self.ring(token_type).signing_key()
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

    /// Floor of trust of a scope under a policy revision.
    pub(crate) fn trust_floor(&self, revision: u32, scope: &str) -> Floor {
        let floors = self.trust_floors.get(&revision);
        floors
            .and_then(|floors| floors.get(scope))
            .copied()
            .unwrap_or_default()
    }

    fn ring(&self, token_type: TokenType) -> &KeyRing {
        match token_type {
            TokenType::Access => &self.access,
            TokenType::Refresh => &self.refresh,
        }
    }
}

fn nothing_demanded() -> PolicySnapshot {
    PolicySnapshot {
        refresh_is_activity: true,
        ..PolicySnapshot::default()
    }
}

fn trust_floors(policy: &PolicySnapshot) -> (u32, HashMap<String, Floor>) {
    let floors = policy.trust_floors.iter().map(|one| {
        let floor = Floor {
            step_up_below: one.step_up_below,
            deny_below: one.deny_below,
        };
        (one.scope.clone(), floor)
    });
    (policy.revision, floors.collect())
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
            judges_rules: message.judges_rules,
            ceiling: message
                .ceiling
                .as_ref()
                .map_or_else(|| Policy::ceiling(&nothing_demanded()), Policy::ceiling),
            scopes: message.scopes.clone(),
        }
    }
}
