//! The other reading of an accepted token: none of it by the code that is being checked.

use std::collections::BTreeSet;

use argus_core::token::claims::AccessClaims;
use argus_core::token::{
    Confirmation, MAX_TOKEN_LEN, RefreshClaims, SessionClaims, TokenType, base64url,
};
use argus_samples::NOW;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::LEEWAY;
use super::tenants::named;

/// The claims that matter, as serde's derived code reads them. What one type of token alone has may be anything in the
/// other.
#[derive(Deserialize)]
pub(super) struct Reading {
    pub(super) iss: String,
    pub(super) tid: Option<Value>,
    pub(super) exp: u32,
    pub(super) iat: u32,
    sub: String,
    aud: Value,
    nbf: Option<u32>,
    jti: String,
    client_id: String,
    #[serde(default)]
    scope: String,
    sid: Option<String>,
    fam: Option<u32>,
    acr: Option<String>,
    amr: Option<Vec<String>>,
    auth_time: Option<u32>,
    #[serde(default)]
    groups: Vec<String>,
    cnf: Option<Value>,
    token_use: Option<Value>,
    #[serde(rename = "gen")]
    generation: Option<Value>,
    jk: Option<Value>,
    resource: Option<Value>,
}

/// What the verifier read that both types of token say.
pub(super) struct Said<'a> {
    issuer: &'a str,
    subject: &'a str,
    token_id: &'a str,
    client_id: &'a str,
    scope: &'a str,
    expires: u32,
    issued: u32,
    groups: &'a [String],
    confirmation: Option<&'a Confirmation>,
}

macro_rules! said {
    ($claims:ty) => {
        impl<'a> From<&'a $claims> for Said<'a> {
            fn from(claims: &'a $claims) -> Self {
                Self {
                    issuer: &claims.issuer,
                    subject: &claims.subject,
                    token_id: &claims.token_id,
                    client_id: &claims.client_id,
                    scope: &claims.scope,
                    expires: claims.expires,
                    issued: claims.issued,
                    groups: &claims.groups,
                    confirmation: claims.confirmation.as_ref(),
                }
            }
        }
    };
}

said!(AccessClaims);
said!(RefreshClaims);

impl Reading {
    /// Reads an accepted token; the laws of header, time and use that both types share.
    pub(super) fn of(token: &str, token_type: TokenType) -> Self {
        assert!(token.len() <= MAX_TOKEN_LEN);
        let header = header(token);
        let key = named(header["kid"].as_str().unwrap()).unwrap().key;
        assert_eq!(header["alg"], key.algorithm().name());
        let typ = header["typ"].as_str().unwrap().to_ascii_lowercase();
        assert!(typ == token_type.name() || typ == format!("application/{}", token_type.name()));
        for name in [
            "crit", "b64", "jwk", "jku", "x5u", "x5c", "zip", "cty", "enc",
        ] {
            assert!(header.get(name).is_none(), "{name} in an accepted header");
        }
        let [_, payload] = parts(token);
        let reading: Self = serde_json::from_slice(&payload).unwrap();
        assert!(reading.exp > NOW, "it is over");
        if token_type == TokenType::Access {
            assert!(reading.nbf.is_none_or(|start| start <= NOW + LEEWAY));
            assert!(reading.auth_time.is_none_or(|time| time <= NOW + LEEWAY));
        }
        let token_use = reading.token_use.as_ref();
        assert!(token_use.is_none_or(|value| value == token_type.token_use()));
        reading
    }

    /// Whom it is for.
    pub(super) fn audience(&self) -> Vec<String> {
        match &self.aud {
            Value::String(one) => vec![one.clone()],
            many => serde_json::from_value(many.clone()).unwrap(),
        }
    }

    /// What both types of token say is what was read of it.
    pub(super) fn assert_same(&self, said: &Said<'_>, session: Option<&SessionClaims>) {
        assert_eq!(said.issuer, self.iss);
        assert_eq!(said.subject, self.sub);
        assert_eq!(said.token_id, self.jti);
        assert_eq!(said.client_id, self.client_id);
        assert_eq!(said.scope, self.scope);
        assert_eq!((said.expires, said.issued), (self.exp, self.iat));
        assert_eq!(said.groups, self.groups);
        let bound_to = said.confirmation.map(|confirmation| match confirmation {
            Confirmation::Key(thumbprint) => json!({"jkt": thumbprint}),
            Confirmation::Certificate(thumbprint) => json!({"x5t#S256": thumbprint}),
        });
        assert_eq!(bound_to, self.cnf);
        match session {
            Some(session) => self.assert_same_session(session),
            None => assert_eq!((&self.sid, self.fam), (&None, None)),
        }
    }

    fn assert_same_session(&self, session: &SessionClaims) {
        assert_eq!(Some(session.session_id.as_str()), self.sid.as_deref());
        assert_eq!(Some(session.family), self.fam);
        assert_eq!(Some(session.auth_time), self.auth_time);
        assert_eq!(Some(session.acr.name()), self.acr.as_deref());
        let methods = self.amr.iter().flatten().map(String::as_str);
        assert_eq!(
            session.amr.names().collect::<BTreeSet<_>>(),
            methods.collect()
        );
        assert!(self.amr.is_some());
    }

    /// What refresh tokens alone say is what was read of it.
    pub(super) fn assert_same_refresh(&self, claims: &RefreshClaims) {
        assert_eq!(
            self.audience(),
            [self.iss.as_str()],
            "not for its issuer alone"
        );
        assert_eq!(self.generation, Some(claims.generation.into()));
        assert_eq!(self.jk, Some(claims.refresh_id_key.into()));
        let resources = self.resource.clone().unwrap_or(json!([]));
        assert_eq!(resources, json!(claims.resources));
    }
}

/// Header of a token.
pub(super) fn header(token: &str) -> Value {
    let [header, _] = parts(token);
    serde_json::from_slice(&header).unwrap()
}

/// Bytes of header and payload.
pub(super) fn parts(token: &str) -> [Vec<u8>; 2] {
    let parts: Vec<&str> = token.split('.').collect();
    [decode(parts[0]), decode(parts[1])]
}

/// By the other alphabet and with the padding that tokens don't have, so not by the code that is being checked.
fn decode(part: &str) -> Vec<u8> {
    assert!(!part.contains(['+', '/', '=']));
    let padding = "=".repeat((4 - part.len() % 4) % 4);
    let standard = part.replace('-', "+").replace('_', "/") + &padding;
    let bytes = STANDARD.decode(standard).unwrap();
    assert_eq!(base64url::encode(&bytes), part);
    bytes
}
