//! The URI of an HTTP request, as far as DPoP compares it.

use fluent_uri::Uri;

/// Longest URI, in bytes of its text.
pub const MAX_URI_LEN: usize = 2048;

/// The text is not the URI of an HTTP request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the absolute URI of an HTTP request")]
pub struct NotAnHttpUri;

/// An absolute `http` or `https` URI without query and fragment, normalised by syntax and scheme (RFC 3986, sections
/// 6.2.2 and 6.2.3; RFC 9449, section 4.3 asks for both): two are equal where their requests have the same target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpUri(String);

impl HttpUri {
    /// Reads a URI.
    ///
    /// # Errors
    ///
    /// [`NotAnHttpUri`] for another scheme, a missing host, user information (RFC 9110, section 4.2.4), more than
    /// [`MAX_URI_LEN`], or what RFC 3986 does not allow.
    pub fn parse(text: &str) -> Result<Self, NotAnHttpUri> {
        if text.len() > MAX_URI_LEN {
            return Err(NotAnHttpUri);
        }
        let uri = Uri::parse(text).map_err(|_| NotAnHttpUri)?.normalize();
        let authority = uri.authority().ok_or(NotAnHttpUri)?;
        let scheme = uri.scheme().as_str();
        if !["http", "https"].contains(&scheme)
            || authority.host().is_empty()
            || authority.has_userinfo()
        {
            return Err(NotAnHttpUri);
        }
        let path = Some(uri.path().as_str()).filter(|path| !path.is_empty());
        let path = path.unwrap_or("/");
        Ok(Self(format!("{scheme}://{authority}{path}")))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn same(one: &str, other: &str) -> bool {
        HttpUri::parse(one).unwrap() == HttpUri::parse(other).unwrap()
    }

    #[test]
    fn what_rfc_3986_calls_equal_is_equal() {
        let plain = "https://server.example.com/a/token";
        for other in [
            "HTTPS://Server.EXAMPLE.com/a/token",
            "https://server.example.com:443/a/token",
            "https://server.example.com:/a/token",
            "https://server.example.com/a/b/../token",
            "https://server.example.com/a/./token",
            "https://server.example.com/%61/%74oken",
            "https://server.example.com/a/%2e%2E/a/token",
            "https://server.example.com/a/token?query#fragment",
            "https://s%65rver.example.com/a/token",
        ] {
            assert!(same(plain, other), "{other}");
        }
        assert!(same("http://a.example", "http://a.example:80/"));
        assert!(same("http://a.example/%c3%bc", "http://a.example/%C3%BC"));
        assert!(same("http://[2001:DB8::0:1]/", "http://[2001:db8::1]/"));
    }

    #[test]
    fn what_it_does_not_is_not() {
        let plain = "https://server.example.com/a/token";
        for other in [
            "http://server.example.com/a/token",
            "https://server.example.com:444/a/token",
            "https://server.example.com/a/token/",
            "https://server.example.com/a/Token",
            "https://server.example.com/a//token",
            "https://server.example.com/a%2Ftoken",
            "https://server.example.com./a/token",
            "https://example.com/a/token",
        ] {
            assert!(!same(plain, other), "{other}");
        }
    }

    #[test]
    fn nothing_else_is_an_http_uri() {
        let long = format!("https://a.example/{}", "a".repeat(MAX_URI_LEN));
        for text in [
            "",
            "/token",
            "//a.example/",
            "https:/a.example",
            "https:a.example",
            "https://",
            "https:///token",
            "https://:443/",
            "ftp://a.example/",
            "urn:a",
            "https://user@a.example/",
            "https://a.example\\token",
            "https://a.example/to ken",
            "https://a.example/token\n",
            " https://a.example/",
            "https://a.example/%zz",
            "https://a.example/ü",
            "https://a.example:port/",
            long.as_str(),
        ] {
            assert_eq!(HttpUri::parse(text), Err(NotAnHttpUri), "{text:?}");
        }
    }

    proptest! {
        /// Normal forms stay as they are, and nothing panics.
        #[test]
        fn normal_forms_are_stable(text in "https?://[a-zA-Z0-9.%:\\[\\]-]{0,12}[/a-zA-Z0-9.%~?#;=_-]{0,24}") {
            if let Ok(uri) = HttpUri::parse(&text) {
                prop_assert_eq!(HttpUri::parse(&uri.0), Ok(uri));
            }
        }
    }
}
