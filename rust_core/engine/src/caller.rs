//! Who calls: the client of the token in `authorization`. Never touches Redis.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use argus_core::token::{Audience, Expected, FoundKey, KeySource, KnownAccess, TokenType};

use crate::proto::internal;
use crate::signatures::Signatures;
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
    token: Arc<KnownAccess>,
}

/// Why a call has no caller.
pub(crate) enum NoCaller {
    /// There is no token, or its client may not call.
    Refused(Refusal),
    /// Its token is not good.
    Fault(CallerFault),
    /// Its token is not good, unless the snapshot is behind: it does not know something that the token names.
    Unknown(CallerFault),
    /// Its token names a key that can't be read here.
    Unread,
}

/// What is wrong with a caller's token.
pub(crate) struct CallerFault {
    /// Tenant that the token names; `None`: none that there is. Whether the token is really of it is not known.
    pub(crate) tenant_id: Option<String>,
    /// Class of the fault.
    pub(crate) class: &'static str,
}

/// Why there is nothing to verify a token by, though there may be somewhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lack {
    /// The snapshot does not know the key, or the issuer: it may be behind.
    Unknown,
    /// There is such a key, and this process can't read it.
    Unread,
}

impl Caller {
    /// Authenticates a caller by its client token.
    pub(crate) fn authenticate(
        signatures: &Signatures,
        snapshot: &Snapshot,
        authorization: Option<&str>,
        now: u32,
    ) -> Result<Self, NoCaller> {
        let token = authorization
            .and_then(bearer)
            .ok_or_else(|| NoCaller::Refused(Refusal::caller_unauthenticated()))?;
        let source = Watched::new(snapshot, None);
        let fault = |class| CallerFault {
            tenant_id: source.named.borrow().clone(),
            class,
        };
        let invalid = |class| NoCaller::Fault(fault(class));
        let expected = Expected::access(Audience::Issuer, now);
        let verified = signatures.verify(token, &expected, &source);
        let known = verified.map_err(|class| match source.lack() {
            None => invalid(class.name()),
            Some(Lack::Unknown) => NoCaller::Unknown(fault(class.name())),
            Some(Lack::Unread) => NoCaller::Unread,
        })?;
        let (tenant_id, claims) = (&known.tenant_id, &known.claims);
        let tenant = snapshot.tenant(tenant_id).ok_or_else(|| invalid("iss"))?;
        // A bound token would need a proof, which callers can't send yet.
        if claims.session.is_some()
            || claims.subject != claims.client_id
            || claims.confirmation.is_some()
        {
            return Err(invalid("claims"));
        }
        let client = tenant
            .client(&claims.client_id)
            .ok_or_else(|| NoCaller::Unknown(fault("client")))?;
        if claims.issued <= tenant.not_before.max(client.not_before) {
            return Err(invalid("not_before"));
        }
        if client.is_disabled {
            return Err(NoCaller::Refused(Refusal::caller_disabled(&client.id)));
        }
        Ok(Self {
            tenant: Arc::clone(tenant),
            client: Arc::clone(client),
            token: Arc::clone(&known),
        })
    }

    /// Whether it holds a scope.
    pub(crate) fn has(&self, scope: &str) -> bool {
        self.scopes().any(|one| one == scope)
    }

    /// Scopes of its token that the client still has: one that was taken from the client is gone from its tokens, too.
    fn scopes(&self) -> impl Iterator<Item = &str> {
        let told = self.token.claims.scope.split(' ');
        told.filter(|scope| self.client.has(scope))
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
            scopes: self.scopes().map(str::to_owned).collect(),
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

/// The keys of a snapshot, of one tenant or of all; remembers which tenant was named, and what it lacked.
pub(crate) struct Watched<'a> {
    snapshot: &'a Snapshot,
    only: Option<&'a str>,
    lack: Cell<Option<Lack>>,
    named: RefCell<Option<String>>,
}

impl<'a> Watched<'a> {
    /// Keys of one tenant, or of all.
    pub(crate) fn new(snapshot: &'a Snapshot, only: Option<&'a str>) -> Self {
        Self {
            snapshot,
            only,
            lack: Cell::new(None),
            named: RefCell::new(None),
        }
    }

    /// What was lacking, if that was the fault.
    pub(crate) fn lack(&self) -> Option<Lack> {
        self.lack.get()
    }
}

impl KeySource for Watched<'_> {
    fn tenant_id(&self, issuer: &str) -> Option<&str> {
        let found = self.snapshot.tenant_id(issuer);
        // Of one tenant alone, any other issuer is a wrong one.
        if found.is_none() && self.only.is_none() {
            self.lack.set(Some(Lack::Unknown));
        }
        *self.named.borrow_mut() = found.map(str::to_owned);
        found.filter(|id| self.only.is_none_or(|only| only == *id))
    }

    fn key(&self, tenant_id: &str, token_type: TokenType, kid: &str) -> Option<FoundKey<'_>> {
        let tenant = self.snapshot.tenant(tenant_id)?;
        let found = tenant.key(token_type, kid);
        self.lack.set(tenant.lack(token_type, kid));
        found
    }
}
