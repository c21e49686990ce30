//! The compact serialisation of RFC 7515, section 7.1, and its header.

use serde_json::Value;

use super::base64url;
use super::fault::FaultClass;
use super::json::{self, Object};
use super::keys::Algorithm;

/// Longest token, in bytes of its text. Held before anything is decoded.
pub const MAX_TOKEN_LEN: usize = 8 * 1024;

const MAX_KID_LEN: usize = 64;

/// Header members that bring or point to a key. They are never used, never fetched.
const FOREIGN_KEYS: [&str; 6] = ["jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256"];

/// Header members of RFC 8555: what is signed for an ACME server is no token.
const OF_OTHER_PROTOCOLS: [&str; 2] = ["nonce", "url"];

/// What a token is for: its media type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenType {
    /// `at+jwt` (RFC 9068): an access token of a session, or a client token.
    Access,
    /// `rt+jwt`: a refresh token.
    Refresh,
}

impl TokenType {
    /// The header's `typ`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Access => "at+jwt",
            Self::Refresh => "rt+jwt",
        }
    }

    /// What `token_use` says where a token has it.
    #[must_use]
    pub const fn token_use(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Refresh => "refresh",
        }
    }

    /// Reads `typ`: case and the prefix `application/` don't matter (RFC 7515, section 4.1.9).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let bare = bare_type(name);
        [Self::Access, Self::Refresh]
            .into_iter()
            .find(|token_type| token_type.name() == bare)
    }
}

/// A media type without what doesn't matter.
pub(super) fn bare_type(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    lower
        .strip_prefix("application/")
        .map(str::to_owned)
        .unwrap_or(lower)
}

/// The three parts of a token. Nothing in them is verified.
#[derive(Debug)]
pub struct Compact<'a> {
    /// What the signature is over: header and payload as presented.
    pub signing_input: &'a [u8],
    /// Decoded header.
    pub header: Vec<u8>,
    /// Decoded payload.
    pub payload: Vec<u8>,
    /// Signature as presented: text of the right alphabet.
    signature: &'a str,
}

impl<'a> Compact<'a> {
    /// Splits and decodes a token.
    ///
    /// # Errors
    ///
    /// `Structure` unless there are exactly three parts, `Size` above [`MAX_TOKEN_LEN`] (`Key` where the header alone is
    /// above it: only key material makes a header long), `Base64` for a part that is not canonical base64url.
    pub fn decode(token: &'a str) -> Result<Self, FaultClass> {
        // Looking for dots stops at the limit too, so that a long text costs no more than a good token.
        let head = &token.as_bytes()[..token.len().min(MAX_TOKEN_LEN + 1)];
        let mut dots = head
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b'.')
            .map(|(at, _)| at);
        let (first, second, third) = (dots.next(), dots.next(), dots.next());
        if third.is_some() {
            return Err(FaultClass::Structure);
        }
        if token.len() > MAX_TOKEN_LEN {
            return Err(first.map_or(FaultClass::Key, |_| FaultClass::Size));
        }
        let (Some(first), Some(second)) = (first, second) else {
            return Err(FaultClass::Structure);
        };
        let decode = |part: &str| base64url::decode(part).map_err(|_| FaultClass::Base64);
        Ok(Self {
            signing_input: &token.as_bytes()[..second],
            header: decode(&token[..first])?,
            payload: decode(&token[first + 1..second])?,
            signature: Some(&token[second + 1..])
                .filter(|part| base64url::is_encoded(part))
                .ok_or(FaultClass::Base64)?,
        })
    }

    /// The signature of a key whose signatures have that many bytes.
    ///
    /// # Errors
    ///
    /// `Signature` for another length, `Base64` for trailing bits that are not zero.
    pub fn signature(&self, len: usize) -> Result<Vec<u8>, FaultClass> {
        if self.signature.len() != base64url::encoded_len(len) {
            return Err(FaultClass::Signature);
        }
        base64url::decode(self.signature).map_err(|_| FaultClass::Base64)
    }
}

/// What a header may say that matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Algorithm that the token claims; the key decides.
    pub algorithm: Algorithm,
    /// Type.
    pub token_type: TokenType,
    /// Name of the key: only ever looked up in a map.
    pub kid: String,
}

impl Header {
    /// Reads a decoded header.
    ///
    /// # Errors
    ///
    /// `Json`; `Key` where it brings a key of its own or `kid` is missing or malformed; `Crit` for `crit` or `b64`;
    /// `Claims` for nested or compressed content; `Alg`, `Typ` where those are missing or unknown; `Typ` for a header of
    /// another protocol.
    pub fn read(bytes: &[u8]) -> Result<Self, FaultClass> {
        let object = json::parse_object(bytes).map_err(|_| FaultClass::Json)?;
        let has = |name: &&str| object.contains_key(*name);
        if FOREIGN_KEYS.iter().any(has) {
            return Err(FaultClass::Key);
        }
        check_extensions(&object)?;
        if OF_OTHER_PROTOCOLS.iter().any(has) {
            return Err(FaultClass::Typ);
        }
        Ok(Self {
            algorithm: text(&object, "alg")
                .and_then(Algorithm::from_name)
                .ok_or(FaultClass::Alg)?,
            token_type: text(&object, "typ")
                .and_then(TokenType::from_name)
                .ok_or(FaultClass::Typ)?,
            kid: text(&object, "kid")
                .filter(|kid| is_kid(kid))
                .ok_or(FaultClass::Key)?
                .to_owned(),
        })
    }
}

/// Refuses headers that demand what is not understood.
pub(super) fn check_extensions(header: &Object) -> Result<(), FaultClass> {
    let has = |name: &&str| header.contains_key(*name);
    // No extension is understood, so whatever `crit` names is not; `b64` is refused in a JWT (RFC 7797, section 7).
    if ["crit", "b64"].iter().any(has) {
        return Err(FaultClass::Crit);
    }
    if ["cty", "zip", "enc"].iter().any(has) {
        return Err(FaultClass::Claims);
    }
    Ok(())
}

/// A member that is a string.
pub(super) fn text<'a>(object: &'a Object, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str)
}

/// Whether a text can be the name of a key at all.
fn is_kid(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._~@:-".contains(&byte);
    (1..=MAX_KID_LEN).contains(&text.len()) && text.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(token: &str) -> FaultClass {
        Compact::decode(token).unwrap_err()
    }

    #[test]
    fn exactly_three_parts() {
        assert!(Compact::decode("e30.e30.AA").is_ok());
        assert!(Compact::decode("e30.e30.").is_ok());
        for token in [
            "",
            "e30",
            "e30.e30",
            "e30.e30.AA.AA",
            "{\"payload\":\"e30\"}",
        ] {
            assert_eq!(fault(token), FaultClass::Structure, "{token:?}");
        }
    }

    #[test]
    fn only_canonical_base64url() {
        for token in [
            "e30=.e30.AA",
            "e30.e30.AA==",
            "e30.e30.A",
            "e31.e30.AA",
            "e30.e30.+/8",
            "e30.e 30.AA",
            "e30.e30.AA\n",
            "e30.é.AA",
        ] {
            assert_eq!(fault(token), FaultClass::Base64, "{token:?}");
        }
    }

    #[test]
    fn a_signature_has_one_text() {
        let signature = |text: &str, len| {
            Compact::decode(&format!("e30.e30.{text}"))
                .unwrap()
                .signature(len)
        };
        assert_eq!(signature("AQ", 1), Ok(vec![1]));
        assert_eq!(signature("AR", 1), Err(FaultClass::Base64));
        assert_eq!(signature("AQ", 2), Err(FaultClass::Signature));
        assert_eq!(signature("", 1), Err(FaultClass::Signature));
    }

    #[test]
    fn long_tokens_are_not_decoded() {
        let signature = "A".repeat(MAX_TOKEN_LEN - "e30.e30.".len());
        assert!(Compact::decode(&format!("e30.e30.{signature}")).is_ok());
        assert_eq!(fault(&format!("e30.e30.!{signature}")), FaultClass::Size);
        assert_eq!(
            fault(&format!("{signature}AAAAAAAAA.e30.AA")),
            FaultClass::Key
        );
        assert_eq!(fault(&".".repeat(100_000)), FaultClass::Structure);
    }

    #[test]
    fn header_rules() {
        let header = |more: &str| {
            Header::read(format!(r#"{{"alg":"RS256","typ":"at+jwt","kid":"k"{more}}}"#).as_bytes())
        };
        assert!(header("").is_ok());
        assert!(header(r#","foo":"bar""#).is_ok());
        for (more, class) in [
            (r#","jwk":{}"#, FaultClass::Key),
            (r#","x5t#S256":"a""#, FaultClass::Key),
            (r#","crit":[]"#, FaultClass::Crit),
            (r#","b64":true"#, FaultClass::Crit),
            (r#","cty":"JWT""#, FaultClass::Claims),
            (r#","zip":"DEF""#, FaultClass::Claims),
            (r#","nonce":"n""#, FaultClass::Typ),
            (r#","alg":"RS256""#, FaultClass::Json),
        ] {
            assert_eq!(header(more), Err(class), "{more}");
        }
    }

    #[test]
    fn types_are_read_without_case_and_prefix() {
        for name in [
            "at+jwt",
            "AT+JWT",
            "application/at+jwt",
            "Application/At+Jwt",
        ] {
            assert_eq!(TokenType::from_name(name), Some(TokenType::Access));
        }
        for name in [
            "",
            "JWT",
            "at+jwt ",
            "application/application/at+jwt",
            "x/at+jwt",
        ] {
            assert_eq!(TokenType::from_name(name), None);
        }
    }

    #[test]
    fn kids_are_short_and_plain() {
        assert!(is_kid("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"));
        assert!(is_kid(&"k".repeat(64)));
        for kid in ["", "*", "a/b", "a b", "a\n", "é", &"k".repeat(65)] {
            assert!(!is_kid(kid), "{kid:?}");
            let header = serde_json::json!({"alg": "RS256", "typ": "at+jwt", "kid": kid});
            assert_eq!(
                Header::read(header.to_string().as_bytes()),
                Err(FaultClass::Key)
            );
        }
    }
}
