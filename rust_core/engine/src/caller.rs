//! Who calls: the client of the token in `authorization`. Never touches Redis.

use std::cell::RefCell;
use std::sync::Arc;

use argus_core::token::{
    AccessClaims, Audience, Expected, FoundKey, KeySource, TokenType, verify_access,
};

use crate::proto::internal;
use crate::snapshot::{Client, Snapshot, Tenant};
use crate::status::Refusal;

/// Scope whose holders' word about the user's device is taken.
pub(crate) const CONTEXT_ASSERT: &str = "context.assert";
/// Scope whose holders refresh other clients' tokens.
pub(crate) const REFRESH_FOR_CLIENTS: &str = "tokens.refresh_for_clients";

/// An authenticated caller.
pub(crate) struct Caller {
    /// Its tenant.
    pub(crate) tenant: Arc<Tenant>,
    /// The client.
    pub(crate) client: Arc<Client>,
    /// Scopes of its token that the client still has.
    scopes: Vec<String>,
}

/// Why a call has no caller.
pub(crate) enum NoCaller {
    /// There is no token, or its client may not call.
    Refused(Refusal),
    /// Its token is not good.
    Fault(CallerFault),
    /// The token may be good, but the snapshot does not know something.
    Unknown(Unknown),
}

/// What is wrong with a caller's token.
pub(crate) struct CallerFault {
    /// Tenant that the token names; `None`: none that there is. Whether the token is really of it is not known.
    pub(crate) tenant_id: Option<String>,
    /// Class of the fault.
    pub(crate) class: &'static str,
}

/// Something of a known tenant that the snapshot does not know.
pub(crate) struct Unknown {
    /// The tenant.
    pub(crate) tenant_id: String,
    /// A name for it.
    pub(crate) name: String,
}

impl Unknown {
    /// What is wrong with the token if there is nothing to know.
    pub(crate) fn into_fault(self) -> CallerFault {
        let class = if self.name.starts_with("key/") {
            "key"
        } else {
            "client"
        };
        CallerFault {
            tenant_id: Some(self.tenant_id),
            class,
        }
    }
}

impl Caller {
    /// Authenticates a caller by its client token.
    pub(crate) fn authenticate(
        snapshot: &Snapshot,
        authorization: Option<&str>,
        now: u32,
    ) -> Result<Self, NoCaller> {
        let token = authorization
            .and_then(bearer)
            .ok_or_else(|| NoCaller::Refused(Refusal::caller_unauthenticated()))?;
        let source = Watched::new(snapshot, None);
        let invalid = |class| {
            let tenant_id = source.named.borrow().clone();
            NoCaller::Fault(CallerFault { tenant_id, class })
        };
        let expected = Expected::access(Audience::Issuer, now);
        let (tenant_id, claims) = verify_access(token, &expected, &source).map_err(|fault| {
            let unknown = source.unknown().map(NoCaller::Unknown);
            unknown.unwrap_or_else(|| invalid(fault.name()))
        })?;
        let tenant = snapshot.tenant(&tenant_id).ok_or_else(|| invalid("iss"))?;
        // A bound token would need a proof, which callers can't send yet.
        if claims.session.is_some()
            || claims.subject != claims.client_id
            || claims.confirmation.is_some()
        {
            return Err(invalid("claims"));
        }
        let client = tenant.client(&claims.client_id).ok_or_else(|| {
            let name = format!("client/{}/{}", tenant.id, claims.client_id);
            NoCaller::Unknown(Unknown { tenant_id, name })
        })?;
        if claims.issued <= tenant.not_before.max(client.not_before) {
            return Err(invalid("not_before"));
        }
        if client.is_disabled {
            return Err(NoCaller::Refused(Refusal::caller_disabled(&client.id)));
        }
        Ok(Self {
            tenant: Arc::clone(tenant),
            client: Arc::clone(client),
            scopes: held(&claims, client),
        })
    }

    /// Whether it holds a scope.
    pub(crate) fn has(&self, scope: &str) -> bool {
        self.scopes.iter().any(|one| one == scope)
    }

    /// Refuses a caller that may not call an RPC.
    pub(crate) fn check(&self, scope: &str, system_tenant_only: bool) -> Result<(), Refusal> {
        if system_tenant_only && !self.tenant.is_system {
            return Err(Refusal::caller_not_system());
        }
        if !self.has(scope) {
            return Err(Refusal::caller_scope_missing(scope));
        }
        Ok(())
    }

    /// For Python.
    pub(crate) fn to_message(&self) -> internal::Caller {
        internal::Caller {
            tenant_id: self.tenant.id.clone(),
            client_id: self.client.id.clone(),
            scopes: self.scopes.clone(),
            is_system: self.tenant.is_system,
        }
    }
}

/// The token of `Bearer <token>`; the scheme's case doesn't matter (RFC 9110, section 11.1).
fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// A scope that was taken from the client is gone from its tokens, too.
fn held(claims: &AccessClaims, client: &Client) -> Vec<String> {
    claims
        .scope
        .split(' ')
        .filter(|scope| client.has(scope))
        .map(str::to_owned)
        .collect()
}

/// The keys of a snapshot, of one tenant or of all; remembers what was asked for and what it did not find.
pub(crate) struct Watched<'a> {
    snapshot: &'a Snapshot,
    only: Option<&'a str>,
    missed: RefCell<Option<Unknown>>,
    named: RefCell<Option<String>>,
}

impl<'a> Watched<'a> {
    /// Keys of one tenant, or of all.
    pub(crate) fn new(snapshot: &'a Snapshot, only: Option<&'a str>) -> Self {
        Self {
            snapshot,
            only,
            missed: RefCell::new(None),
            named: RefCell::new(None),
        }
    }

    /// The key that a known tenant does not have, if that was the fault.
    pub(crate) fn unknown(&self) -> Option<Unknown> {
        self.missed.borrow_mut().take()
    }
}

impl KeySource for Watched<'_> {
    fn tenant_id(&self, issuer: &str) -> Option<&str> {
        let found = self.snapshot.tenant_id(issuer);
        *self.named.borrow_mut() = found.map(str::to_owned);
        found.filter(|id| self.only.is_none_or(|only| only == *id))
    }

    fn key(&self, tenant_id: &str, token_type: TokenType, kid: &str) -> Option<FoundKey<'_>> {
        let found = self.snapshot.key(tenant_id, token_type, kid);
        if found.is_none() {
            let name = format!("key/{tenant_id}/{}/{kid}", token_type.name());
            *self.missed.borrow_mut() = Some(Unknown {
                tenant_id: tenant_id.to_owned(),
                name,
            });
        }
        found
    }
}
