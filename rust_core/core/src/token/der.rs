//! The few elements of DER that a public RSA key is made of.

/// Modulus and exponent of a DER `RSAPublicKey` (RFC 8017, A.1.1) that the library wrote, without leading zeros.
pub(super) fn rsa_numbers(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (sequence, _) = element(der, 0x30)?;
    let (modulus, rest) = element(sequence, 0x02)?;
    let (exponent, _) = element(rest, 0x02)?;
    let bare = |number: &[u8]| number.iter().position(|byte| *byte != 0);
    Some((&modulus[bare(modulus)?..], &exponent[bare(exponent)?..]))
}

/// The content of the DER element in front, which must have the tag, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, first], rest) = der.split_first_chunk()?;
    let (digits, rest) =
        rest.split_at_checked(usize::from(first & 0x7f) * usize::from(first >> 7))?;
    let long = digits.iter().try_fold(0_usize, |sum, digit| {
        Some(sum.checked_mul(256)? | usize::from(*digit))
    })?;
    let length = if digits.is_empty() {
        usize::from(first)
    } else {
        long
    };
    (found == tag).then(|| rest.split_at_checked(length))?
}
