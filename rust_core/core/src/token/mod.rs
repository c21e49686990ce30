//! Tokens: JSON Web Tokens of the RFC 9068 kind, read strictly and made exactly.
//!
//! A JWT library is not a verifier. The parser here is Argus's own, over a vetted library for cryptography alone; each
//! fault has a [`FaultClass`], which goes into the audit event and never to the caller.

pub mod base64url;
pub mod claims;
pub mod compact;
mod der;
pub mod dpop;
pub mod fault;
pub mod http_uri;
pub mod issue;
pub mod json;
pub mod jwk;
pub mod jwk_set;
pub mod keys;
mod known;
pub mod levels;
pub mod proof_key;
mod read;
pub mod refresh_id;
pub mod verify;

pub use claims::{AccessClaims, Confirmation, RefreshClaims, SessionClaims};
pub use compact::{MAX_TOKEN_LEN, TokenType};
pub use dpop::{CheckedProof, HttpRequest};
pub use fault::FaultClass;
pub use http_uri::HttpUri;
pub use issue::{IssueError, access_expiry, issue_access, issue_refresh, new_token_id};
pub use keys::{Algorithm, SigningKey, VerifyingKey, generate_ed25519, generate_rsa};
pub use known::KnownAccess;
pub use levels::{Acr, Methods, SecondFactor};
pub use refresh_id::RefreshIdKey;
pub use verify::{
    Audience, Claims, Expected, Expiry, FoundKey, KeySource, RevokedKeys, Verified,
    VerifiedRefresh, verify, verify_access, verify_refresh,
};
