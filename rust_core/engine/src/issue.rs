//! Makes the tokens of a session or a client.

use argus_core::ids::SessionId;
use argus_core::token::{
    AccessClaims, Acr, Confirmation, Methods, RefreshClaims, SessionClaims, TokenType,
    access_expiry, issue_access, issue_refresh, new_token_id,
};
use prost_types::Duration;

use crate::proof;
use crate::proto::internal::{IssueClientTokenInput, IssueRequest};
use crate::proto::v1::TokenSet;
use crate::random::random;
use crate::ring::ComputedIds;
use crate::snapshot::{Client, Snapshot, Tenant};

/// Life of a client token, in seconds.
const CLIENT_TOKEN_LIFE: u32 = 900;

/// Why tokens could not be made.
#[derive(Debug, thiserror::Error)]
pub enum IssueFailure {
    /// What was asked for makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// The snapshot does not know something.
    #[error("the snapshot does not know {0}; read it anew")]
    Unknown(String),
    /// The cryptographic library failed.
    #[error("the token could not be made: {0}")]
    Failed(String),
}

impl IssueFailure {
    /// What was asked for can't be read.
    pub(crate) fn undecodable(message: &str) -> Self {
        Self::Invalid(format!("the bytes are not an encoded {message}"))
    }
}

/// Whose tokens are made, and how long they live. Times in seconds since 1970.
pub(crate) struct Grant<'a> {
    /// Tenant.
    pub(crate) tenant: &'a Tenant,
    /// User.
    pub(crate) user_id: &'a str,
    /// Client.
    pub(crate) client_id: &'a str,
    /// The session's claims.
    pub(crate) session: &'a SessionClaims,
    /// Groups of the user, where the client maps them.
    pub(crate) groups: &'a [String],
    /// What its tokens are bound to.
    pub(crate) confirmation: Option<&'a Confirmation>,
    /// Now.
    pub(crate) now: u32,
    /// End of the session.
    pub(crate) absolute_deadline: u32,
}

/// A refresh token's place in its family.
pub(crate) struct Generation {
    /// Its number.
    pub(crate) number: u32,
    /// When it was made.
    pub(crate) made: u32,
    /// Number of the key of its computed id.
    pub(crate) refresh_id_key: u8,
    /// How long it lives at most; never beyond the session.
    pub(crate) life: u32,
}

/// A token and when it ends.
pub(crate) struct Made {
    token: String,
    expires: u32,
}

impl Made {
    /// A token that was made before.
    pub(crate) fn again(token: String, expires: u32) -> Self {
        Self { token, expires }
    }
}

impl Grant<'_> {
    /// Makes an access token.
    pub(crate) fn access(
        &self,
        scope: &str,
        resources: &[String],
        life: u32,
    ) -> Result<Made, IssueFailure> {
        let expires = access_expiry(self.now, life, jitter()?, Some(self.absolute_deadline));
        let claims = AccessClaims {
            issuer: self.tenant.issuer.clone(),
            subject: self.user_id.to_owned(),
            audience: resources.to_vec(),
            expires,
            issued: self.now,
            token_id: token_id()?,
            client_id: self.client_id.to_owned(),
            scope: scope.to_owned(),
            session: Some(self.session.clone()),
            groups: self.groups.to_vec(),
            confirmation: self.confirmation.cloned(),
        };
        sign_access(self.tenant, &claims)
    }

    /// Makes a refresh token: the same one for the same generation, whenever and wherever it is made.
    pub(crate) fn refresh(
        &self,
        scope: &str,
        resources: &[String],
        generation: &Generation,
    ) -> Result<Made, IssueFailure> {
        let Generation {
            number,
            made,
            refresh_id_key,
            life,
        } = *generation;
        let expires = self.absolute_deadline.min(made.saturating_add(life));
        let Some(ComputedIds::Good(ids)) = self.tenant.computed_ids(refresh_id_key) else {
            return Err(IssueFailure::Unknown(format!(
                "refresh id key {refresh_id_key}"
            )));
        };
        let claims = RefreshClaims {
            issuer: self.tenant.issuer.clone(),
            subject: self.user_id.to_owned(),
            expires,
            issued: made,
            token_id: ids.token_id(&self.session.session_id, self.session.family, number),
            client_id: self.client_id.to_owned(),
            scope: scope.to_owned(),
            resources: resources.to_vec(),
            session: self.session.clone(),
            generation: number,
            refresh_id_key,
            groups: self.groups.to_vec(),
            confirmation: self.confirmation.cloned(),
        };
        let key = self
            .tenant
            .signing_key(TokenType::Refresh)
            .ok_or_else(|| no_key(self.tenant))?;
        let token =
            issue_refresh(key, &claims).map_err(|error| IssueFailure::Failed(error.to_string()))?;
        Ok(Made { token, expires })
    }

    /// Both as OAuth 2.0 names them.
    pub(crate) fn token_set(&self, access: Made, refresh: Made, scope: &str) -> TokenSet {
        let is_dpop = matches!(self.confirmation, Some(Confirmation::Key(_)));
        let mut tokens = token_set(self.now, access, scope);
        if is_dpop {
            "DPoP".clone_into(&mut tokens.token_type);
        }
        TokenSet {
            refresh_expires_in: Some(life(self.now, refresh.expires)),
            refresh_token: refresh.token,
            ..tokens
        }
    }
}

/// The tokens of a session that was just created or stepped up.
pub(crate) fn session(
    snapshot: &Snapshot,
    request: &IssueRequest,
) -> Result<TokenSet, IssueFailure> {
    let tenant = tenant(snapshot, &request.tenant_id)?;
    let client = client(tenant, &request.client_id)?;
    let policy = tenant.policy(request.policy_revision).ok_or_else(|| {
        IssueFailure::Unknown(format!("policy revision {}", request.policy_revision))
    })?;
    let claims = session_claims(request)?;
    let confirmation = proof::from_message(request.cnf.as_ref());
    let grant = Grant {
        tenant,
        confirmation: confirmation.as_ref(),
        user_id: &request.user_id,
        client_id: &client.id,
        session: &claims,
        groups: &request.groups,
        now: request.now,
        absolute_deadline: request.absolute_deadline,
    };
    let resources = match request.resources.as_slice() {
        [] => vec![client.resource.clone()],
        some => some.to_vec(),
    };
    let refresh_id_key = u8::try_from(request.refresh_id_key)
        .map_err(|_| IssueFailure::Invalid("refresh_id_key must be from 0 to 255".to_owned()))?;
    if request.generation == 0 || resources.iter().any(String::is_empty) {
        return Err(IssueFailure::Invalid(
            "generation and resources must be set".to_owned(),
        ));
    }
    let generation = Generation {
        number: request.generation,
        made: request.made,
        refresh_id_key,
        life: policy.refresh,
    };
    let access = grant.access(&request.scope, &resources, policy.access)?;
    let refresh = grant.refresh(&request.scope, &resources, &generation)?;
    Ok(grant.token_set(access, refresh, &request.scope))
}

/// A client token.
pub(crate) fn client_token(
    snapshot: &Snapshot,
    request: &IssueClientTokenInput,
) -> Result<TokenSet, IssueFailure> {
    let tenant = tenant(snapshot, &request.tenant_id)?;
    let client = client(tenant, &request.client_id)?;
    let audience = if request.resource.is_empty() {
        &tenant.issuer
    } else {
        &request.resource
    };
    let claims = AccessClaims {
        issuer: tenant.issuer.clone(),
        subject: client.id.clone(),
        audience: vec![audience.clone()],
        expires: access_expiry(request.now, CLIENT_TOKEN_LIFE, jitter()?, None),
        issued: request.now,
        token_id: token_id()?,
        client_id: client.id.clone(),
        scope: request.scope.clone(),
        session: None,
        groups: Vec::new(),
        confirmation: None,
    };
    Ok(token_set(
        request.now,
        sign_access(tenant, &claims)?,
        &request.scope,
    ))
}

fn session_claims(request: &IssueRequest) -> Result<SessionClaims, IssueFailure> {
    let invalid =
        |what: &str| IssueFailure::Invalid(format!("{what} is not one that a token can carry"));
    let amr = Methods::from_names(request.amr.iter().map(String::as_str));
    let acr = u8::try_from(request.acr).ok().and_then(Acr::from_number);
    Ok(SessionClaims {
        session_id: SessionId::parse(&request.session_id).map_err(|_| invalid("session_id"))?,
        family: request.family,
        acr: acr.ok_or_else(|| invalid("acr"))?,
        amr: amr.ok_or_else(|| invalid("amr"))?,
        auth_time: request.auth_time,
    })
}

fn sign_access(tenant: &Tenant, claims: &AccessClaims) -> Result<Made, IssueFailure> {
    let key = tenant
        .signing_key(TokenType::Access)
        .ok_or_else(|| no_key(tenant))?;
    let token =
        issue_access(key, claims).map_err(|error| IssueFailure::Failed(error.to_string()))?;
    Ok(Made {
        token,
        expires: claims.expires,
    })
}

fn token_set(now: u32, access: Made, scope: &str) -> TokenSet {
    TokenSet {
        access_token: access.token,
        token_type: "Bearer".to_owned(),
        expires_in: Some(life(now, access.expires)),
        scope: scope.to_owned(),
        ..TokenSet::default()
    }
}

fn life(now: u32, expires: u32) -> Duration {
    Duration {
        seconds: i64::from(expires.saturating_sub(now)),
        nanos: 0,
    }
}

fn tenant<'a>(snapshot: &'a Snapshot, id: &str) -> Result<&'a Tenant, IssueFailure> {
    let tenant = snapshot
        .tenant(id)
        .ok_or_else(|| IssueFailure::Unknown(format!("tenant {id}")))?;
    Ok(tenant)
}

fn client<'a>(tenant: &'a Tenant, id: &str) -> Result<&'a Client, IssueFailure> {
    let client = tenant
        .client(id)
        .ok_or_else(|| IssueFailure::Unknown(format!("client {id}")))?;
    Ok(client)
}

fn no_key(tenant: &Tenant) -> IssueFailure {
    IssueFailure::Unknown(format!("a signing key of tenant {}", tenant.id))
}

fn token_id() -> Result<String, IssueFailure> {
    random()
        .map(new_token_id)
        .map_err(|error| IssueFailure::Failed(error.to_string()))
}

fn jitter() -> Result<u32, IssueFailure> {
    random()
        .map(u32::from_be_bytes)
        .map_err(|error| IssueFailure::Failed(error.to_string()))
}
