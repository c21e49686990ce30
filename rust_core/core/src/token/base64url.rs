//! base64url as RFC 7515, section 2 has it: no padding, no other alphabet, zero trailing bits.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The text is not canonical base64url.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not base64url")]
pub struct NotBase64Url;

/// Encodes without padding.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes the one canonical encoding of some bytes.
///
/// # Errors
///
/// [`NotBase64Url`] for padding, white space, another alphabet or trailing bits that are not zero.
pub fn decode(text: &str) -> Result<Vec<u8>, NotBase64Url> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| NotBase64Url)
}

/// Whether a text has only characters of the alphabet and a length that some bytes have.
#[must_use]
pub fn is_encoded(text: &str) -> bool {
    let is_of_alphabet = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    text.len() % 4 != 1 && text.bytes().all(is_of_alphabet)
}

/// Length of the encoding of that many bytes.
#[must_use]
pub const fn encoded_len(len: usize) -> usize {
    (len * 4).div_ceil(3)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Bytes have one encoding, and a text that decodes is one.
        #[test]
        fn encodings_are_canonical(bytes in prop::collection::vec(any::<u8>(), 0..40), text in "[A-Za-z0-9_=+/ -]{0,9}") {
            let encoded = encode(&bytes);
            prop_assert_eq!(encoded.len(), encoded_len(bytes.len()));
            prop_assert!(is_encoded(&encoded));
            prop_assert_eq!(decode(&encoded), Ok(bytes));
            if let Ok(bytes) = decode(&text) {
                prop_assert!(is_encoded(&text));
                prop_assert_eq!(encode(&bytes), text);
            }
        }
    }
}
