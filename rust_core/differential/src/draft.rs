//! A token in the making: members of header and claims as text, edits of the text, who signs, edits of the whole.

use argus_core::token::{Algorithm, TokenType, base64url};
use aws_lc_rs::hmac;
use fastrand::Rng;

use crate::values;
use crate::world::{API, ISSUER, NOW, Signer, World};

/// An edit of the text of a part, before it is encoded and signed.
pub(crate) type TextEdit = fn(&mut Vec<u8>, &mut Rng);
/// An edit of the whole token.
pub(crate) type TokenEdit = fn(&mut String, &mut Rng);

/// Members of a JSON object as text; any name as often as one likes.
#[derive(Default)]
pub(crate) struct Members(Vec<(String, String)>);

impl Members {
    /// Names of the members, as they are written.
    pub(crate) fn names(&self) -> Vec<String> {
        self.0.iter().map(|(name, _)| name.clone()).collect()
    }

    /// Text of a member's value.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Sets a member where it is, or adds it.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value.into(),
            None => self.add(name, value),
        }
    }

    /// Adds a member, whether or not there is one of the name.
    pub(crate) fn add(&mut self, name: &str, value: impl Into<String>) {
        self.0.push((name.to_owned(), value.into()));
    }

    /// Takes a member out.
    pub(crate) fn remove(&mut self, name: &str) {
        self.0.retain(|(known, _)| known != name);
    }

    fn text(&self) -> Vec<u8> {
        let members: Vec<String> = self
            .0
            .iter()
            // A name in quotes is one that is written in an odd way.
            .map(|(name, value)| {
                if name.starts_with('"') {
                    format!("{name}:{value}")
                } else {
                    format!("{}:{value}", values::quoted(name))
                }
            })
            .collect();
        format!("{{{}}}", members.join(",")).into_bytes()
    }
}

/// What stands in the place of the signature.
pub(crate) enum Signature {
    /// That of a key.
    By(Signer),
    /// Nothing.
    Missing,
    /// An HMAC with the text of the public key.
    Hmac,
}

/// A token in the making.
pub(crate) struct Draft {
    pub(crate) token_type: TokenType,
    pub(crate) header: Members,
    pub(crate) claims: Members,
    pub(crate) header_edits: Vec<TextEdit>,
    pub(crate) payload_edits: Vec<TextEdit>,
    pub(crate) signature: Signature,
    pub(crate) token_edits: Vec<TokenEdit>,
}

impl Draft {
    /// A good token, no two alike.
    pub(crate) fn good(world: &World, random: &mut Rng) -> Self {
        let (token_type, signer) = match random.u8(..16) {
            0..2 => (TokenType::Access, Signer::Rsa),
            2..11 => (TokenType::Access, Signer::Access),
            _ => (TokenType::Refresh, Signer::Refresh),
        };
        let key = world.key(signer);
        let mut header = Members::default();
        header.set("alg", values::quoted(key.algorithm().name()));
        header.set("typ", values::quoted(token_type.name()));
        header.set("kid", values::quoted(key.kid()));
        Self {
            token_type,
            header,
            claims: claims(world, token_type, random),
            header_edits: Vec::new(),
            payload_edits: Vec::new(),
            signature: Signature::By(signer),
            token_edits: Vec::new(),
        }
    }

    /// The token.
    pub(crate) fn finish(self, world: &World, random: &mut Rng) -> String {
        let (mut header, mut payload) = (self.header.text(), self.claims.text());
        for edit in self.header_edits {
            edit(&mut header, random);
        }
        for edit in self.payload_edits {
            edit(&mut payload, random);
        }
        let input = format!(
            "{}.{}",
            base64url::encode(&header),
            base64url::encode(&payload)
        );
        let signature = match self.signature {
            Signature::By(signer) => world.key(signer).sign(input.as_bytes()).unwrap(),
            Signature::Missing => Vec::new(),
            Signature::Hmac => {
                let public = world.key(Signer::Rsa).public_jwk();
                let key = hmac::Key::new(hmac::HMAC_SHA256, public.as_bytes());
                hmac::sign(&key, input.as_bytes()).as_ref().to_vec()
            }
        };
        let mut token = format!("{input}.{}", base64url::encode(&signature));
        for edit in self.token_edits {
            edit(&mut token, random);
        }
        token
    }
}

/// Claims of a good token.
fn claims(world: &World, token_type: TokenType, random: &mut Rng) -> Members {
    let mut claims = Members::default();
    let issued = NOW - random.u32(..250);
    claims.set("iss", values::quoted(ISSUER));
    claims.set("sub", values::quoted("u-1"));
    claims.set("client_id", values::quoted("web"));
    claims.set("iat", issued.to_string());
    claims.set(
        "jti",
        values::quoted(&base64url::encode(&random.u128(..).to_be_bytes())),
    );
    claims.set("sid", values::quoted(&world.session_id));
    claims.set("fam", random.u32(1..).to_string());
    claims.set(
        "acr",
        values::quoted(&format!("urn:argus:acr:{}", random.u8(1..4))),
    );
    claims.set(
        "amr",
        values::pick(random, &["[]", r#"["pwd"]"#, r#"["pwd","otp","mfa"]"#]),
    );
    claims.set("auth_time", (issued - random.u32(..1000)).to_string());
    match token_type {
        TokenType::Access => {
            let one = values::quoted(API);
            let aud = if random.bool() {
                one
            } else {
                format!("[\"x\",{one}]")
            };
            claims.set("aud", aud);
            claims.set("exp", (issued + 300).to_string());
        }
        TokenType::Refresh => {
            claims.set("aud", values::quoted(ISSUER));
            claims.set("exp", (issued + 86_400).to_string());
            claims.set("gen", random.u32(1..).to_string());
            claims.set("jk", random.u8(..).to_string());
        }
    }
    for (name, value) in [
        ("scope", values::quoted("read write")),
        ("groups", r#"["staff","é"]"#.to_owned()),
        (
            "cnf",
            r#"{"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}"#.to_owned(),
        ),
        ("tid", values::quoted(crate::world::TENANT)),
        ("token_use", values::quoted(token_type.token_use())),
        ("nbf", issued.to_string()),
        ("more", values::plain(random)),
    ] {
        if random.u8(..4) == 0 {
            claims.set(name, value);
        }
    }
    claims
}

/// Another algorithm than that of a key.
pub(crate) const fn another(algorithm: Algorithm) -> Algorithm {
    match algorithm {
        Algorithm::Rs256 => Algorithm::EdDsa,
        Algorithm::EdDsa => Algorithm::Rs256,
    }
}
