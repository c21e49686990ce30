//! Messages and access rules, generated from `proto/`.

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
}
