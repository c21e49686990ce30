//! `jsonwebtoken`, used as its documentation says: keys of the issuer by `kid`, algorithms of the keys, issuer and audience
//! exact, the claims that must be there. Times are left to the other oracle: this one reads the system's clock.

use std::collections::HashMap;

use argus_core::token::{Algorithm as Ours, TokenType};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::Value;

use crate::world::{API, ISSUER, World};

pub(crate) struct Oracle {
    keys: HashMap<TokenType, Vec<(String, DecodingKey, Validation)>>,
}

impl Oracle {
    pub(crate) fn new(world: &World) -> Self {
        let keys = [TokenType::Access, TokenType::Refresh].map(|token_type| {
            let ring = world.ring(token_type).into_iter().map(|key| {
                let jwk: Value = serde_json::from_str(&key.public_jwk()).unwrap();
                let member = |name: &str| jwk[name].as_str().unwrap().to_owned();
                let (decoding, algorithm) = match key.algorithm() {
                    Ours::Rs256 => (
                        DecodingKey::from_rsa_components(&member("n"), &member("e")).unwrap(),
                        Algorithm::RS256,
                    ),
                    Ours::EdDsa => (
                        DecodingKey::from_ed_components(&member("x")).unwrap(),
                        Algorithm::EdDSA,
                    ),
                };
                (
                    key.kid().to_owned(),
                    decoding,
                    validation(algorithm, token_type),
                )
            });
            (token_type, ring.collect())
        });
        Self { keys: keys.into() }
    }

    /// The claims of a token that it accepts, else why not. Where no key has the name, each is tried.
    pub(crate) fn judge(&self, token_type: TokenType, token: &str) -> Result<Value, String> {
        let header = decode_header(token).map_err(|error| error.to_string())?;
        let ring = &self.keys[&token_type];
        let named: Vec<_> = ring
            .iter()
            .filter(|(kid, ..)| header.kid.as_ref() == Some(kid))
            .collect();
        let tried = if named.is_empty() {
            ring.iter().collect()
        } else {
            named
        };
        let mut refusal = "no key".to_owned();
        for (_, key, validation) in tried {
            match decode::<Value>(token, key, validation) {
                Ok(data) => return Ok(data.claims),
                Err(error) => refusal = error.to_string(),
            }
        }
        Err(refusal)
    }
}

fn validation(algorithm: Algorithm, token_type: TokenType) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[match token_type {
        TokenType::Access => API,
        TokenType::Refresh => ISSUER,
    }]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    validation.validate_exp = false;
    validation
}
