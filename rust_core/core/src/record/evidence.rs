//! What tells one holder of a refresh token from another.
//!
//! A record keeps 4 bytes of the attempt that made its generation and 4 of the holder's print. The print has two
//! halves: 2 bytes of *strong* evidence (a device cookie, a client key unique to one installation) and 2 of *weak*
//! evidence (the family of TLS and user agent). "The strongest evidence that both sides have" is then the strong half
//! if both sides have one, else the weak half if both have one, else nothing.
//!
//! Missing evidence is unknown, never "changed". So where nothing can be compared, two holders are not told apart:
//! callers that send no context, and tokens whose maker a lost store forgot, would otherwise be asked to step up at
//! every race of two tabs. This gives a thief nothing that copying the weak evidence would not give, too: the newest
//! token again inside the grace, unseen until the first refresh that is not in step.

use aws_lc_rs::digest;

/// What one side of a comparison knows about a holder; zeros are unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Evidence {
    /// Attempt ([`attempt`]).
    pub attempt: [u8; 4],
    /// Print ([`print`]).
    pub print: [u8; 4],
}

/// Whether two pieces of evidence are of the same holder, as far as they can be compared: an equal attempt, or no
/// difference in the strongest print that both have.
#[must_use]
pub fn same_holder(one: &Evidence, other: &Evidence) -> bool {
    if one.attempt != [0; 4] && one.attempt == other.attempt {
        return true;
    }
    let both_have = |(mine, theirs): &(u16, u16)| *mine != 0 && *theirs != 0;
    let strongest = halves(one.print)
        .into_iter()
        .zip(halves(other.print))
        .find(both_have);
    strongest.is_none_or(|(mine, theirs)| mine == theirs)
}

/// Four bytes of a caller's `attempt_id`; zeros for an empty one.
#[must_use]
pub fn attempt(attempt_id: &str) -> [u8; 4] {
    if attempt_id.is_empty() {
        [0; 4]
    } else {
        short_digest(b"attempt", attempt_id.as_bytes())
    }
}

/// Print of a holder's strong and weak evidence.
#[must_use]
pub fn print(strong: Option<&[u8]>, weak: Option<&[u8]>) -> [u8; 4] {
    let half = |kind: &[u8], evidence: Option<&[u8]>| {
        evidence.map_or([0; 2], |bytes| short_digest(kind, bytes))
    };
    let [a, b] = half(b"strong", strong);
    let [c, d] = half(b"weak", weak);
    [a, b, c, d]
}

/// The strong and the weak half of a print.
fn halves([strong_high, strong_low, weak_high, weak_low]: [u8; 4]) -> [u16; 2] {
    [
        u16::from_be_bytes([strong_high, strong_low]),
        u16::from_be_bytes([weak_high, weak_low]),
    ]
}

/// First bytes of a digest; never all zeros, which mean unknown.
fn short_digest<const N: usize>(kind: &[u8], bytes: &[u8]) -> [u8; N] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(kind);
    context.update(&[0]);
    context.update(bytes);
    let full = context.finish();
    full.as_ref()
        .first_chunk()
        .copied()
        .filter(|short| *short != [0; N])
        .unwrap_or([1; N])
}
