//! Random bytes from the cryptographic library.

use aws_lc_rs::rand;

/// The system gave no random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gave no random bytes")]
pub struct RandomFailed;

/// So many random bytes.
///
/// # Errors
///
/// [`RandomFailed`].
pub fn random<const N: usize>() -> Result<[u8; N], RandomFailed> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| RandomFailed)?;
    Ok(bytes)
}
