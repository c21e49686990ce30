//! What signatures cost that nobody can do without: the bound of a refresh.

use std::hint::black_box;
use std::time::Duration;

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ED25519, Ed25519KeyPair, KeyPair as _, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_SHA256, RsaKeyPair,
};

use crate::LoadError;
use crate::calls::thread_cpu;

/// About as long as the header and claims of an access token.
const MESSAGE: [u8; 640] = [b'.'; 640];

/// CPU time of one signature each, keys parsed before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignatureCosts {
    /// Made with RSA-2048, PKCS #1 v1.5 and SHA-256.
    pub rsa_2048_sign: Duration,
    /// Checked with the same key.
    pub rsa_2048_verify: Duration,
    /// Made with Ed25519.
    pub ed25519_sign: Duration,
    /// Checked with Ed25519.
    pub ed25519_verify: Duration,
}

/// Makes and checks so many signatures of each kind on the calling thread, with new keys.
///
/// # Errors
///
/// [`LoadError::Plan`] for none, [`LoadError::System`] where there is no randomness.
pub fn signature_costs(count: u32) -> Result<SignatureCosts, LoadError> {
    if count == 0 {
        return Err(LoadError::Plan("there must be a signature"));
    }
    measure(count).map_err(|_| LoadError::System("a signature could not be made".to_owned()))
}

fn measure(count: u32) -> Result<SignatureCosts, Unspecified> {
    let random = SystemRandom::new();
    let rsa = RsaKeyPair::generate(KeySize::Rsa2048)?;
    let rsa_public = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, rsa.public_key().as_ref())?;
    let mut rsa_signature = vec![0; rsa.public_modulus_len()];
    let ed25519 = Ed25519KeyPair::generate()?;
    let ed25519_public = ParsedPublicKey::new(&ED25519, ed25519.public_key().as_ref())?;
    let ed25519_signature = ed25519.sign(&MESSAGE);
    Ok(SignatureCosts {
        rsa_2048_sign: each(count, || {
            rsa.sign(&RSA_PKCS1_SHA256, &random, &MESSAGE, &mut rsa_signature)
        })?,
        rsa_2048_verify: each(count, || rsa_public.verify_sig(&MESSAGE, &rsa_signature))?,
        ed25519_sign: each(count, || {
            black_box(ed25519.sign(&MESSAGE));
            Ok(())
        })?,
        ed25519_verify: each(count, || {
            ed25519_public.verify_sig(&MESSAGE, ed25519_signature.as_ref())
        })?,
    })
}

/// CPU time of one, after one for warmth.
fn each(
    count: u32,
    mut once: impl FnMut() -> Result<(), Unspecified>,
) -> Result<Duration, Unspecified> {
    once()?;
    let begun = thread_cpu();
    for _ in 0..count {
        once()?;
    }
    Ok(thread_cpu().saturating_sub(begun) / count)
}
