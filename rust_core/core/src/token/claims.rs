//! What Argus's tokens say, in the order they say it.

use aws_lc_rs::digest;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::base64url;
use super::levels::{Acr, Methods};
use crate::ids::SessionId;

/// What a token is bound to (RFC 7800 `cnf`). A bound token without its proof is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Confirmation {
    /// `jkt`: thumbprint of a key (RFC 9449).
    Key(String),
    /// `x5t#S256`: thumbprint of a certificate (RFC 8705).
    Certificate(String),
}

impl Confirmation {
    /// Of a TLS client certificate, by the SHA-256 of its DER.
    #[must_use]
    pub fn certificate(sha256: &[u8; 32]) -> Self {
        Self::Certificate(base64url::encode(sha256))
    }

    /// The thumbprint, as the claim has it.
    #[must_use]
    pub fn thumbprint(&self) -> &str {
        match self {
            Self::Key(thumbprint) | Self::Certificate(thumbprint) => thumbprint,
        }
    }

    /// What session records and `PostgreSQL` keep of it: the first 16 bytes of the thumbprint's SHA-256.
    #[must_use]
    pub fn digest(&self) -> [u8; 16] {
        let full = digest::digest(&digest::SHA256, self.thumbprint().as_bytes());
        full.as_ref().first_chunk().copied().unwrap_or_default()
    }
}

impl Serialize for Confirmation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        match self {
            Self::Key(thumbprint) => map.serialize_entry("jkt", thumbprint)?,
            Self::Certificate(thumbprint) => map.serialize_entry("x5t#S256", thumbprint)?,
        }
        map.end()
    }
}

/// The claims that tie a token to a session. Level, methods and time are those of the token's family, never the
/// record's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionClaims {
    /// Session.
    #[serde(rename = "sid", serialize_with = "session_id")]
    pub session_id: SessionId,
    /// Number of the refresh family, from 1; rises at every authentication and step-up.
    #[serde(rename = "fam")]
    pub family: u32,
    /// Level.
    pub acr: Acr,
    /// Methods.
    pub amr: Methods,
    /// When the user proved itself. Seconds since 1970.
    pub auth_time: u32,
}

/// Claims of an access token (`at+jwt`, RFC 9068), of a session or of a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccessClaims {
    /// Issuer.
    #[serde(rename = "iss")]
    pub issuer: String,
    /// User; the client itself in a client token.
    #[serde(rename = "sub")]
    pub subject: String,
    /// Resources the token is for; one is written as a string, more as a list.
    #[serde(rename = "aud", serialize_with = "one_or_many")]
    pub audience: Vec<String>,
    /// First second at which it is not good any more.
    #[serde(rename = "exp")]
    pub expires: u32,
    /// When it was made. Seconds since 1970.
    #[serde(rename = "iat")]
    pub issued: u32,
    /// Id of the token.
    #[serde(rename = "jti")]
    pub token_id: String,
    /// Client it was issued to.
    pub client_id: String,
    /// Granted scope, space-separated.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub scope: String,
    /// The session; `None` makes a client token.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionClaims>,
    /// Groups of the user, where the client maps them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// What the token is bound to.
    #[serde(rename = "cnf", skip_serializing_if = "Option::is_none")]
    pub confirmation: Option<Confirmation>,
}

/// Claims of a refresh token (`rt+jwt`). Its audience is its issuer: only Argus reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshClaims {
    /// Issuer and audience.
    pub issuer: String,
    /// User.
    pub subject: String,
    /// Absolute deadline of the session.
    pub expires: u32,
    /// When the generation was made. Seconds since 1970.
    pub issued: u32,
    /// Computed id ([`super::RefreshIdKey`]).
    pub token_id: String,
    /// Client it was issued to.
    pub client_id: String,
    /// Granted scope, space-separated.
    pub scope: String,
    /// Granted resources.
    pub resources: Vec<String>,
    /// The session.
    pub session: SessionClaims,
    /// Generation in its family, from 1.
    pub generation: u32,
    /// Number of the key of its computed id.
    pub refresh_id_key: u8,
    /// Groups of the user, where the client maps them: its access tokens say them, too.
    pub groups: Vec<String>,
    /// What the token is bound to.
    pub confirmation: Option<Confirmation>,
}

impl Serialize for RefreshClaims {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("iss", &self.issuer)?;
        map.serialize_entry("sub", &self.subject)?;
        map.serialize_entry("aud", &self.issuer)?;
        map.serialize_entry("exp", &self.expires)?;
        map.serialize_entry("iat", &self.issued)?;
        map.serialize_entry("jti", &self.token_id)?;
        map.serialize_entry("client_id", &self.client_id)?;
        if !self.scope.is_empty() {
            map.serialize_entry("scope", &self.scope)?;
        }
        if !self.resources.is_empty() {
            map.serialize_entry("resource", &self.resources)?;
        }
        map.serialize_entry("sid", self.session.session_id.as_str())?;
        map.serialize_entry("fam", &self.session.family)?;
        map.serialize_entry("gen", &self.generation)?;
        map.serialize_entry("jk", &self.refresh_id_key)?;
        map.serialize_entry("acr", &self.session.acr)?;
        map.serialize_entry("amr", &self.session.amr)?;
        map.serialize_entry("auth_time", &self.session.auth_time)?;
        if !self.groups.is_empty() {
            map.serialize_entry("groups", &self.groups)?;
        }
        if let Some(confirmation) = &self.confirmation {
            map.serialize_entry("cnf", confirmation)?;
        }
        map.end()
    }
}

fn session_id<S: Serializer>(id: &SessionId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(id.as_str())
}

fn one_or_many<S: Serializer>(values: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    match values {
        [one] => serializer.serialize_str(one),
        many => serializer.collect_seq(many),
    }
}
