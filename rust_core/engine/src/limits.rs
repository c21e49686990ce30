//! Limits of request fields, held before anything else is done.

use std::net::IpAddr;

use crate::proto::v1::ClientContext;
use crate::status::Refusal;

/// Most entries of a list.
pub(crate) const MAX_LIST: usize = 100;
/// Longest text in bytes where no other limit is published.
const MAX_TEXT: usize = 512;
/// Longest `attempt_id`, in bytes.
const MAX_ATTEMPT: usize = 64;
/// Longest evidence about a device, in bytes.
const MAX_EVIDENCE: usize = 128;

/// A token that is there. One that is too long is no fault of the caller, who passes on what it was shown: it is refused
/// as any other that is not good.
pub(crate) fn token(field: &str, value: &str) -> Result<(), Refusal> {
    if value.is_empty() {
        return Err(Refusal::field(field, "is missing; send the token"));
    }
    Ok(())
}

/// A text.
pub(crate) fn text(field: &str, value: &str) -> Result<(), Refusal> {
    longest(field, value, MAX_TEXT)
}

/// A list of texts.
pub(crate) fn texts(field: &str, values: &[String]) -> Result<(), Refusal> {
    if values.len() > MAX_LIST {
        return Err(Refusal::field(
            field,
            &format!("must have at most {MAX_LIST} entries"),
        ));
    }
    values.iter().try_for_each(|value| text(field, value))
}

/// `attempt_id`.
pub(crate) fn attempt(value: &str) -> Result<(), Refusal> {
    longest("attempt_id", value, MAX_ATTEMPT)
}

/// An enum's number, which must be a known one.
pub(crate) fn known<E: TryFrom<i32>>(field: &str, number: i32) -> Result<E, Refusal> {
    E::try_from(number).map_err(|_| Refusal::field(field, "must be one of the published values"))
}

/// What a caller says about the user's device.
pub(crate) fn context(context: Option<&ClientContext>) -> Result<(), Refusal> {
    let Some(context) = context else {
        return Ok(());
    };
    longest("client_context.tls_print", &context.tls_print, MAX_EVIDENCE)?;
    longest(
        "client_context.installation_id",
        &context.installation_id,
        MAX_EVIDENCE,
    )?;
    if !context.ip_address.is_empty() && context.ip_address.parse::<IpAddr>().is_err() {
        return Err(Refusal::field(
            "client_context.ip_address",
            "must be an IPv4 or IPv6 address in text form, or empty",
        ));
    }
    Ok(())
}

fn longest(field: &str, value: &str, limit: usize) -> Result<(), Refusal> {
    if value.len() > limit {
        return Err(Refusal::field(
            field,
            &format!("must be at most {limit} bytes long"),
        ));
    }
    Ok(())
}
