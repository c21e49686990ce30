//! Messages and access rules, generated from `proto/`.

use std::collections::BTreeMap;

/// The public API, `argus.v1`.
#[allow(clippy::all, clippy::pedantic, missing_docs)]
#[path = "proto/argus.v1.rs"]
#[rustfmt::skip]
pub mod v1;

/// Between Python and the engine, `argus.internal.v1`.
#[path = "proto"]
pub mod internal {
    // One deeper than the public API, as the generated code has it when it names that.
    #[allow(clippy::all, clippy::pedantic, missing_docs)]
    #[path = "argus.internal.v1.rs"]
    #[rustfmt::skip]
    mod v1;

    pub use v1::*;
}

/// The hot RPCs and the scopes that they ask of callers.
#[rustfmt::skip]
pub mod access;

/// `google.rpc.ErrorInfo`. That of `tonic-types` keeps its variables in a `HashMap`, whose order is another each time;
/// the same refusal is to be the same bytes.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct ErrorInfo {
    /// The reason's name, without its prefix.
    #[prost(string, tag = "1")]
    pub(crate) reason: String,
    /// Whose reason it is.
    #[prost(string, tag = "2")]
    pub(crate) domain: String,
    /// The reason's variables.
    #[prost(btree_map = "string, string", tag = "3")]
    pub(crate) metadata: BTreeMap<String, String>,
}

/// An RPC that the engine answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HotMethod {
    /// Name, e.g. `VerifyAccessToken`.
    pub name: &'static str,
    /// Full name as HTTP/2 has it, e.g. `/argus.v1.TokenService/VerifyAccessToken`.
    pub path: &'static str,
    /// Scope that the caller's client token must hold.
    pub scope: &'static str,
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use tonic_types::pb::ErrorInfo as Published;

    use super::ErrorInfo;
    use super::v1::{DpopProof, Proof, RefreshTokenRequest, TokenSet, proof::Kind};

    #[test]
    fn secrets_are_not_printed() {
        let secret = || "hunter2".to_owned();
        let tokens = TokenSet {
            access_token: secret(),
            refresh_token: secret(),
            ..TokenSet::default()
        };
        let proof = Proof {
            kind: Some(Kind::Dpop(DpopProof {
                jwt: secret(),
                ..DpopProof::default()
            })),
        };
        let request = RefreshTokenRequest {
            refresh_token: secret(),
            proof: Some(proof.clone()),
            ..RefreshTokenRequest::default()
        };
        let printed = format!("{tokens:?} {:?} {proof:?} {request:?}", proof.kind);
        assert!(!printed.contains(&secret()), "{printed}");
    }

    #[test]
    fn an_error_info_is_the_published_message_in_one_order() {
        let variables = || (b'a'..b'k').map(|name| (char::from(name).to_string(), "1".to_owned()));
        let published = Published {
            reason: "QUOTA_EXCEEDED".to_owned(),
            domain: "argus".to_owned(),
            metadata: variables().collect(),
        };
        let own = || ErrorInfo {
            reason: published.reason.clone(),
            domain: published.domain.clone(),
            metadata: variables().rev().collect(),
        };
        assert_eq!(own().encode_to_vec(), own().encode_to_vec());
        assert_eq!(
            Published::decode(&*own().encode_to_vec()),
            Ok(published.clone())
        );
    }
}
