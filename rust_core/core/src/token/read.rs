//! Reads the claims of a payload: each present and well formed, or a fault.

use serde_json::Value;

use super::claims::{AccessClaims, Confirmation, RefreshClaims, SessionClaims};
use super::fault::FaultClass;
use super::json::Object;
use super::levels::{Acr, Methods};
use crate::ids::SessionId;

/// Longest identifier in a claim, in bytes (OpenID Connect Core, section 2, says it of `sub`).
const MAX_IDENTIFIER_LEN: usize = 255;

/// The claims that every token has (RFC 9068, section 2.2), well formed; and the rest of its payload.
#[derive(Debug, Clone, PartialEq)]
pub struct Claims {
    /// Issuer.
    pub issuer: String,
    /// Subject.
    pub subject: String,
    /// Audience: at least one.
    pub audience: Vec<String>,
    /// Expiry. Seconds since 1970.
    pub expires: u32,
    /// Not to be used before. Seconds since 1970.
    pub not_before: Option<u32>,
    /// When it was made. Seconds since 1970.
    pub issued: u32,
    /// Token id.
    pub token_id: String,
    /// Client.
    pub client_id: String,
    /// Scope, space-separated; empty where there is none.
    pub scope: String,
    /// Level.
    pub acr: Option<Acr>,
    /// Methods.
    pub amr: Option<Methods>,
    /// When the user proved itself. Seconds since 1970.
    pub auth_time: Option<u32>,
    /// What the token is bound to.
    pub confirmation: Option<Confirmation>,
    payload: Object,
}

impl Claims {
    /// Reads what is well formed in itself; whether it fits the moment and the place, [`super::verify()`] says.
    ///
    /// # Errors
    ///
    /// `Aud`, `Exp`, `Nbf`, `Iat`, `Iss` or `Claims`.
    pub fn read(payload: Object) -> Result<Self, FaultClass> {
        let of = Members(&payload);
        Ok(Self {
            issuer: of.identifier("iss").map_err(|_| FaultClass::Iss)?,
            audience: of.audience()?,
            expires: of.number("exp", FaultClass::Exp)?.ok_or(FaultClass::Exp)?,
            not_before: of.number("nbf", FaultClass::Nbf)?,
            issued: of
                .number("iat", FaultClass::Iat)?
                .ok_or(FaultClass::Claims)?,
            subject: of.identifier("sub")?,
            token_id: of.identifier("jti")?,
            client_id: of.identifier("client_id")?,
            scope: of.text("scope")?.unwrap_or_default().to_owned(),
            acr: of.optional("acr", |value| Acr::from_name(value.as_str()?))?,
            amr: of.optional("amr", |value| Methods::from_names(texts(value)?))?,
            auth_time: of.number("auth_time", FaultClass::Claims)?,
            confirmation: of.optional("cnf", confirmation)?,
            payload,
        })
    }

    /// Any other claim of the payload.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Value> {
        self.payload.get(name)
    }

    /// As an access token of Argus's own: of a session with all that belongs to one, or of a client with nothing of it.
    ///
    /// # Errors
    ///
    /// `Claims`.
    pub fn into_access(self) -> Result<AccessClaims, FaultClass> {
        let of = Members(&self.payload);
        let session = if self.payload.contains_key("sid") {
            Some(self.session()?)
        } else {
            let is_client_token =
                self.subject == self.client_id && !self.payload.contains_key("fam");
            is_client_token.then_some(None).ok_or(FaultClass::Claims)?
        };
        Ok(AccessClaims {
            session,
            groups: of.list("groups")?,
            issuer: self.issuer,
            subject: self.subject,
            audience: self.audience,
            expires: self.expires,
            issued: self.issued,
            token_id: self.token_id,
            client_id: self.client_id,
            scope: self.scope,
            confirmation: self.confirmation,
        })
    }

    /// As a refresh token of Argus's own, which is for nobody else. Whether its id is the computed one is not said here.
    ///
    /// # Errors
    ///
    /// `Aud`, `Claims`.
    pub fn into_refresh(self) -> Result<RefreshClaims, FaultClass> {
        if self.audience != [self.issuer.as_str()] {
            return Err(FaultClass::Aud);
        }
        let of = Members(&self.payload);
        Ok(RefreshClaims {
            session: self.session()?,
            resources: of.list("resource")?,
            groups: of.list("groups")?,
            generation: of.ordinal("gen")?,
            refresh_id_key: of
                .optional("jk", |value| u8::try_from(value.as_u64()?).ok())?
                .ok_or(FaultClass::Claims)?,
            issuer: self.issuer,
            subject: self.subject,
            expires: self.expires,
            issued: self.issued,
            token_id: self.token_id,
            client_id: self.client_id,
            scope: self.scope,
            confirmation: self.confirmation,
        })
    }

    fn session(&self) -> Result<SessionClaims, FaultClass> {
        let of = Members(&self.payload);
        let sid = of.text("sid")?.ok_or(FaultClass::Claims)?;
        Ok(SessionClaims {
            session_id: SessionId::parse(sid).map_err(|_| FaultClass::Claims)?,
            family: of.ordinal("fam")?,
            acr: self.acr.ok_or(FaultClass::Claims)?,
            amr: self.amr.ok_or(FaultClass::Claims)?,
            auth_time: self.auth_time.ok_or(FaultClass::Claims)?,
        })
    }
}

/// Typed access to the members of a payload. A member of another type is a fault, never "absent".
pub(super) struct Members<'a>(pub(super) &'a Object);

impl<'a> Members<'a> {
    /// A member that may be absent and otherwise must be what `read` takes.
    pub(super) fn optional<T>(
        &self,
        name: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, FaultClass> {
        self.0
            .get(name)
            .map(|value| read(value).ok_or(FaultClass::Claims))
            .transpose()
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&'a str>, FaultClass> {
        self.optional(name, Value::as_str)
    }

    pub(super) fn identifier(&self, name: &str) -> Result<String, FaultClass> {
        let is_identifier = |text: &&str| {
            (1..=MAX_IDENTIFIER_LEN).contains(&text.len()) && !text.chars().any(char::is_control)
        };
        let text = self.text(name)?.filter(is_identifier);
        text.map(str::to_owned).ok_or(FaultClass::Claims)
    }

    /// An integer of seconds, or a count. What doesn't fit 32 bits is no time: milliseconds, above all.
    pub(super) fn number(&self, name: &str, fault: FaultClass) -> Result<Option<u32>, FaultClass> {
        self.optional(name, |value| u32::try_from(value.as_u64()?).ok())
            .map_err(|_| fault)
    }

    /// A number from 1 that must be there.
    fn ordinal(&self, name: &str) -> Result<u32, FaultClass> {
        self.number(name, FaultClass::Claims)?
            .filter(|number| *number > 0)
            .ok_or(FaultClass::Claims)
    }

    fn list(&self, name: &str) -> Result<Vec<String>, FaultClass> {
        let list = self.optional(name, texts)?;
        Ok(list
            .unwrap_or_default()
            .into_iter()
            .map(str::to_owned)
            .collect())
    }

    fn audience(&self) -> Result<Vec<String>, FaultClass> {
        let audience = match self.0.get("aud") {
            Some(Value::String(one)) => vec![one.clone()],
            Some(Value::Array(_)) => self.list("aud").map_err(|_| FaultClass::Aud)?,
            _ => vec![],
        };
        (!audience.is_empty())
            .then_some(audience)
            .ok_or(FaultClass::Aud)
    }
}

/// A list of nothing but strings.
fn texts(value: &Value) -> Option<Vec<&str>> {
    value.as_array()?.iter().map(Value::as_str).collect()
}

/// `cnf` of one kind that Argus knows; another one could not be checked, so it is a fault.
fn confirmation(value: &Value) -> Option<Confirmation> {
    let object = value.as_object().filter(|object| object.len() == 1)?;
    let text = |name| object.get(name).and_then(Value::as_str).map(str::to_owned);
    text("jkt")
        .map(Confirmation::Key)
        .or_else(|| text("x5t#S256").map(Confirmation::Certificate))
}
