//! Certificates of the door, changed while it serves.

use std::sync::Arc;

use aws_lc_rs::digest;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

/// A certificate chain with its key, and whose clients' certificates are asked for.
#[derive(Clone)]
pub struct Certificate {
    /// Chain, PEM, the door's own first.
    pub chain: Vec<u8>,
    /// Its private key, PEM.
    pub key: Vec<u8>,
    /// Authorities whose certificates clients may bring, PEM; `None`: none is asked for.
    pub client_authorities: Option<Vec<u8>>,
    /// A connection without a client's certificate is refused.
    pub requires_client: bool,
}

/// A certificate can't be used; the one before stays.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The chain is no PEM file with certificates.
    #[error("the certificate chain is no PEM file with certificates")]
    Chain,
    /// There is no private key.
    #[error("the key file has no private key in PEM")]
    Key,
    /// The key is not the certificate's.
    #[error("the private key does not fit the certificate")]
    Mismatch,
    /// The authorities can't be used.
    #[error("the client authorities are no PEM file with certificates")]
    Authorities,
}

impl Certificate {
    /// What a TLS listener goes by.
    pub(crate) fn config(&self) -> Result<Arc<ServerConfig>, CertificateError> {
        let chain = certificates(&self.chain).ok_or(CertificateError::Chain)?;
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|_| CertificateError::Key)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|_| CertificateError::Mismatch)?;
        let builder = match &self.client_authorities {
            None => builder.with_no_client_auth(),
            Some(pem) => {
                let roots = authorities(pem).ok_or(CertificateError::Authorities)?;
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
                let verifier = if self.requires_client {
                    verifier
                } else {
                    verifier.allow_unauthenticated()
                };
                let verifier = verifier
                    .build()
                    .map_err(|_| CertificateError::Authorities)?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder
            .with_single_cert(chain, key)
            .map_err(|_| CertificateError::Mismatch)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

/// SHA-256 of a certificate in base64url (RFC 8705, section 3.1).
pub(crate) fn thumbprint(certificate: &CertificateDer<'_>) -> String {
    let digest = digest::digest(&digest::SHA256, certificate);
    argus_core::token::base64url::encode(digest.as_ref())
}

fn certificates(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    read.ok().filter(|chain| !chain.is_empty())
}

fn authorities(pem: &[u8]) -> Option<Arc<RootCertStore>> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem)? {
        roots.add(certificate).ok()?;
    }
    Some(Arc::new(roots))
}
