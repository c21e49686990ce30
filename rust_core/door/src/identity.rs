//! Who is at the other end of a connection, as the servers behind the door are told.

use std::net::SocketAddr;

use http::{HeaderMap, HeaderName, HeaderValue};

/// Beginning of the names that are the door's own: nobody outside can set them.
const OWN: &str = "x-argus-door-";
/// Address of the caller: an IP address alone.
pub(crate) const PEER: HeaderName = HeaderName::from_static("x-argus-door-peer");
/// SHA-256 of the caller's client certificate in base64url (RFC 8705, section 3.1).
pub(crate) const CERTIFICATE: HeaderName = HeaderName::from_static("x-argus-door-certificate");
/// "https" or "http": how the caller has reached the door.
pub(crate) const SCHEME: HeaderName = HeaderName::from_static("x-argus-door-scheme");
/// The same for all questions about one hot call.
pub(crate) const CALL: HeaderName = HeaderName::from_static("x-argus-door-call");
/// What the engine needs before it can answer: an encoded `argus.internal.v1.NeedsFlow`.
pub(crate) const NEED: HeaderName = HeaderName::from_static("x-argus-door-need-bin");

/// Whether a name is the door's own.
pub(crate) fn is_own(name: &HeaderName) -> bool {
    name.as_str().starts_with(OWN)
}

/// The other end of a connection.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    address: HeaderValue,
    certificate: Option<HeaderValue>,
    scheme: HeaderValue,
}

impl Peer {
    /// Of a connection from an address; with the thumbprint of its certificate, and whether it is encrypted.
    pub(crate) fn new(address: SocketAddr, certificate: Option<&str>, is_encrypted: bool) -> Self {
        let text = address.ip().to_canonical().to_string();
        Self {
            // Addresses and base64url are always good values.
            address: HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("")),
            certificate: certificate.and_then(|print| HeaderValue::try_from(print).ok()),
            scheme: HeaderValue::from_static(if is_encrypted { "https" } else { "http" }),
        }
    }

    /// Puts the truth in the place of whatever the caller says about itself.
    pub(crate) fn stamp(&self, headers: &mut HeaderMap) {
        let claimed: Vec<HeaderName> = headers
            .keys()
            .filter(|name| is_own(name))
            .cloned()
            .collect();
        for name in claimed {
            headers.remove(name);
        }
        headers.insert(PEER, self.address.clone());
        headers.insert(SCHEME, self.scheme.clone());
        if let Some(certificate) = &self.certificate {
            headers.insert(CERTIFICATE, certificate.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_caller_says_about_itself_does_not_get_through() {
        let mut headers = HeaderMap::new();
        for name in [PEER, CERTIFICATE, SCHEME, CALL, NEED] {
            headers.append(name.clone(), HeaderValue::from_static("forged"));
            headers.append(name, HeaderValue::from_static("forged twice"));
        }
        headers.insert("x-argus-door-later", HeaderValue::from_static("forged"));
        headers.insert("x-request-id", HeaderValue::from_static("kept"));
        let address = "[::ffff:192.0.2.7]:4711".parse().unwrap();
        Peer::new(address, None, true).stamp(&mut headers);
        let mut left: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect();
        left.sort_unstable();
        let expected = [
            ("x-argus-door-peer", "192.0.2.7"),
            ("x-argus-door-scheme", "https"),
            ("x-request-id", "kept"),
        ];
        assert_eq!(left, expected);
    }
}
