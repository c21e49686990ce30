//! Makes tokens.

use serde::Serialize;

use super::base64url;
use super::claims::{AccessClaims, RefreshClaims};
use super::compact::{MAX_TOKEN_LEN, TokenType};
use super::json::{self, MAX_VALUES};
use super::keys::SigningKey;

/// One part in this many of an access token's life may be cut off, so that tokens made together don't end together.
const JITTER_PART: u32 = 20;

/// A token could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IssueError {
    /// The claims could not be written.
    #[error("the claims could not be written")]
    Encoding,
    /// The cryptographic library failed, or made a signature that is not good.
    #[error("the token could not be signed")]
    Signing,
    /// The token would be longer than what Argus reads.
    #[error("the token would be longer than {MAX_TOKEN_LEN} bytes")]
    TooLong,
    /// The token would have more values than what Argus reads: too many groups or resources.
    #[error("the token would have more than {MAX_VALUES} claims and elements of claims")]
    TooWide,
}

#[derive(Serialize)]
struct HeaderMembers<'a> {
    alg: &'static str,
    typ: &'static str,
    kid: &'a str,
}

/// Makes an access token. Equal claims and key make an equal token.
///
/// # Errors
///
/// [`IssueError`].
pub fn issue_access(key: &SigningKey, claims: &AccessClaims) -> Result<String, IssueError> {
    issue(key, TokenType::Access, claims)
}

/// Makes a refresh token. Equal claims and key make an equal token.
///
/// # Errors
///
/// [`IssueError`].
pub fn issue_refresh(key: &SigningKey, claims: &RefreshClaims) -> Result<String, IssueError> {
    issue(key, TokenType::Refresh, claims)
}

fn issue(
    key: &SigningKey,
    token_type: TokenType,
    claims: &impl Serialize,
) -> Result<String, IssueError> {
    let header = HeaderMembers {
        alg: key.algorithm().name(),
        typ: token_type.name(),
        kid: key.kid(),
    };
    let mut token = encode(&header)?;
    token.push('.');
    token.push_str(&encode(claims)?);
    let signature = key
        .sign(token.as_bytes())
        .map_err(|_| IssueError::Signing)?;
    token.push('.');
    token.push_str(&base64url::encode(&signature));
    if token.len() > MAX_TOKEN_LEN {
        return Err(IssueError::TooLong);
    }
    Ok(token)
}

fn encode(part: &impl Serialize) -> Result<String, IssueError> {
    let json = serde_json::to_string(part).map_err(|_| IssueError::Encoding)?;
    if !json::is_within_limits(&json, MAX_VALUES) {
        return Err(IssueError::TooWide);
    }
    Ok(base64url::encode(json.as_bytes()))
}

/// The `jti` of an access token, made of 16 bytes from a secure random source.
#[must_use]
pub fn new_token_id(random: [u8; 16]) -> String {
    base64url::encode(&random)
}

/// When an access token ends: its life less up to 5 % by `random`, never after the session's absolute deadline.
#[must_use]
pub fn access_expiry(issued: u32, life: u32, random: u32, absolute_deadline: Option<u32>) -> u32 {
    let jitter = random % (life / JITTER_PART).saturating_add(1);
    let expires = issued.saturating_add(life - jitter);
    absolute_deadline.map_or(expires, |deadline| expires.min(deadline))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn access_tokens_end_within_five_percent_and_the_deadline(issued in 0..2_000_000_000_u32, life in 1..100_000_u32, random: u32, deadline: u32) {
            let expires = access_expiry(issued, life, random, None);
            prop_assert!(expires <= issued + life);
            prop_assert!(expires >= issued + life - life / 20);
            prop_assert_eq!(access_expiry(issued, life, random, Some(deadline)), expires.min(deadline));
        }
    }

    #[test]
    fn the_whole_range_of_jitter_is_used() {
        let ends: std::collections::BTreeSet<u32> = (0..1000)
            .map(|random| access_expiry(0, 300, random, None))
            .collect();
        assert_eq!(ends, (285..=300).collect());
        assert_eq!(access_expiry(u32::MAX, 300, 0, None), u32::MAX);
    }
}
