//! What tells one holder of a refresh token from another, out of a request's context.

use argus_core::record;
use aws_lc_rs::digest;
use prost::{DecodeError, Message as _};

use crate::proto::v1::ClientContext;

/// Bytes of the User-Agent that are looked at.
const MAX_USER_AGENT: usize = 512;

/// Print of a holder: its installation is strong evidence, TLS and browser family are weak.
pub(crate) fn print(context: Option<&ClientContext>) -> [u8; 4] {
    let Some(context) = context else {
        return record::print(None, None);
    };
    let (strong, weak) = parts(context);
    record::print(strong, weak.as_deref().map(str::as_bytes))
}

/// Strong and weak evidence themselves, where there are any.
pub(crate) fn parts(context: &ClientContext) -> (Option<&[u8]>, Option<String>) {
    let strong = Some(context.installation_id.as_bytes()).filter(|id| !id.is_empty());
    let family = family(&context.user_agent);
    let has_weak = !context.tls_print.is_empty() || !family.is_empty();
    let weak = has_weak.then(|| format!("{}\n{family}", context.tls_print));
    (strong, weak)
}

/// SHA-256 of an encoded context's strong and of its weak evidence; empty where there is none.
///
/// # Errors
///
/// [`DecodeError`] if the bytes are not a context.
pub fn context_prints(context: &[u8]) -> Result<[Vec<u8>; 2], DecodeError> {
    let context = ClientContext::decode(context)?;
    let (strong, weak) = parts(&context);
    let print = |bytes: &[u8]| digest::digest(&digest::SHA256, bytes).as_ref().to_vec();
    Ok([
        strong.map(print).unwrap_or_default(),
        weak.map(|weak| print(weak.as_bytes())).unwrap_or_default(),
    ])
}

/// A User-Agent without its version numbers: an update does not make another browser.
fn family(user_agent: &str) -> String {
    let looked_at = &user_agent.as_bytes()[..user_agent.len().min(MAX_USER_AGENT)];
    looked_at
        .iter()
        .map(u8::to_ascii_lowercase)
        .filter(u8::is_ascii_alphabetic)
        .map(char::from)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(user_agent: &str, installation_id: &str) -> ClientContext {
        ClientContext {
            user_agent: user_agent.to_owned(),
            installation_id: installation_id.to_owned(),
            ..ClientContext::default()
        }
    }

    #[test]
    fn an_update_is_the_same_browser_and_nothing_is_unknown() {
        let old = print(Some(&context("Mozilla/5.0 Firefox/120.0", "")));
        assert_eq!(
            old,
            print(Some(&context("Mozilla/5.0 Firefox/121.0.1", "")))
        );
        assert_ne!(old, print(Some(&context("Mozilla/5.0 Chrome/120.0", ""))));
        assert_eq!(print(None), [0; 4]);
        assert_eq!(print(Some(&ClientContext::default())), [0; 4]);
    }

    #[test]
    fn installation_and_browser_have_a_half_each() {
        let one = print(Some(&context("Firefox", "one")));
        let two = print(Some(&context("Firefox", "two")));
        assert_ne!(one[..2], two[..2]);
        assert_eq!(one[2..], two[2..]);
    }
}
