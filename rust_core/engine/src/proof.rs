//! Proofs of possession (DPoP, RFC 9449; mTLS, RFC 8705): good in themselves, used once, of the right key.

use std::time::Duration;

use argus_core::ids::used_proof_key;
use argus_core::record::SessionRecord;
use argus_core::token::dpop::{self, HttpRequest, MAX_PROOF_AGE, PROOF_LEEWAY};
use argus_core::token::http_uri::{HttpUri, MAX_URI_LEN};
use argus_core::token::{CheckedProof, Confirmation};
use aws_lc_rs::digest;
use prost::Message as _;

use crate::call::{Call, Shared, Subject, seconds};
use crate::proto::v1::proof::Kind;
use crate::proto::v1::{self, DpopProof, Proof};
use crate::status::{Refusal, Stop};
use crate::store::StoreError;

/// Longest HTTP method, in bytes.
const MAX_METHOD_LEN: usize = 32;
/// How long a used proof is remembered: at least as long as any process, its clock off by a second or two, takes it.
const MEMORY: Duration = Duration::from_secs(MAX_PROOF_AGE as u64 + PROOF_LEEWAY as u64 + 5);

/// Classes of fault that a proof does not have in itself.
pub(crate) mod class {
    /// The token is bound, and there is no proof.
    pub(crate) const MISSING: &str = "missing";
    /// It is of another key than the token.
    pub(crate) const OTHER_KEY: &str = "other_key";
    /// It is a DPoP proof, and the token is bound to nothing.
    pub(crate) const UNBOUND: &str = "unbound";
    /// The session's record is bound to something else than the token.
    pub(crate) const OTHER_BINDING: &str = "other_binding";
    /// It was used before.
    pub(crate) const REPLAYED: &str = "replayed";
}

/// What a request is told apart from others by: a proof that was used may be used for the same one again.
pub(crate) type Attempt = [u8; 16];

/// A digest of what makes a request the same one.
pub(crate) fn attempt(parts: &[&[u8]]) -> Attempt {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(&part.len().to_be_bytes());
        context.update(part);
    }
    let full = context.finish();
    full.as_ref().first_chunk().copied().unwrap_or_default()
}

/// A proof that is good in itself.
#[derive(Debug)]
pub(crate) struct Shown {
    /// The key it proves.
    pub(crate) confirmation: Confirmation,
    /// Its `jti`, which must not have been used; none of a TLS handshake, which can't be repeated.
    proof_id: Option<String>,
}

impl Shown {
    /// It is a DPoP proof.
    pub(crate) fn is_dpop(&self) -> bool {
        matches!(self.confirmation, Confirmation::Key(_))
    }
}

/// Why a proof is none.
pub(crate) enum NotShown {
    /// What its caller says about the HTTP request can't be used.
    Field(Refusal),
    /// Its fault: the binding it is for, and the class.
    Fault(&'static str, &'static str),
}

/// Reads a proof, if there is one.
pub(crate) fn read(
    proof: Option<&Proof>,
    access_token: Option<&str>,
    now: u32,
) -> Result<Option<Shown>, NotShown> {
    let kind = proof.and_then(|proof| proof.kind.as_ref());
    kind.map(|kind| match kind {
        Kind::Dpop(proof) => read_dpop(proof, access_token, now),
        Kind::MtlsCertificateSha256(sha256) => read_mtls(sha256),
    })
    .transpose()
}

fn read_dpop(proof: &DpopProof, access_token: Option<&str>, now: u32) -> Result<Shown, NotShown> {
    if !(1..=MAX_METHOD_LEN).contains(&proof.http_method.len()) {
        let rule = format!("must be an HTTP method of at most {MAX_METHOD_LEN} bytes");
        return Err(NotShown::Field(Refusal::field(
            "proof.dpop.http_method",
            &rule,
        )));
    }
    let uri = HttpUri::parse(&proof.http_uri).map_err(|_| {
        let rule = format!(
            "must be the absolute http or https URI of the client's request (RFC 3986), of at most {MAX_URI_LEN} bytes"
        );
        NotShown::Field(Refusal::field("proof.dpop.http_uri", &rule))
    })?;
    let request = HttpRequest {
        method: &proof.http_method,
        uri: &uri,
        access_token,
    };
    let CheckedProof {
        confirmation,
        token_id,
    } = dpop::check(&proof.jwt, &request, now)
        .map_err(|fault| NotShown::Fault(DPOP, fault.name()))?;
    Ok(Shown {
        confirmation,
        proof_id: Some(token_id),
    })
}

fn read_mtls(sha256: &[u8]) -> Result<Shown, NotShown> {
    let sha256: &[u8; 32] = sha256.try_into().map_err(|_| {
        NotShown::Field(Refusal::field(
            "proof.mtls_certificate_sha256",
            "must be a SHA-256: 32 bytes",
        ))
    })?;
    Ok(Shown {
        confirmation: Confirmation::certificate(sha256),
        proof_id: None,
    })
}

/// Uses a proof; false if it was used for something else before. Nothing is used up while Redis is away.
pub(crate) async fn spend(
    shared: &Shared,
    shown: &Shown,
    tenant_id: &str,
    caller: &str,
    attempt: &[u8],
) -> Result<bool, StoreError> {
    let Some(proof_id) = &shown.proof_id else {
        return Ok(true);
    };
    let thumbprint = shown.confirmation.thumbprint();
    let key = used_proof_key(tenant_id, caller, thumbprint, proof_id);
    let before = shared.store.use_proof(&key, attempt, MEMORY).await?;
    Ok(before.is_none_or(|before| before == attempt))
}

/// Why a flow can't go by a proof.
pub(crate) enum Unproven {
    /// Class of its fault.
    Fault(&'static str),
    /// Field that the caller got wrong, and what it must be.
    Field(String),
    /// Redis is away; nothing was used up.
    Away,
}

/// Checks an encoded proof for a flow; with an attempt it is used up.
pub(crate) async fn check(
    shared: &Shared,
    proof: &[u8],
    tenant_id: &str,
    caller: &str,
    attempt: Option<&[u8]>,
) -> Result<v1::Confirmation, Unproven> {
    let proof = Proof::decode(proof).map_err(|_| Unproven::Fault(class::MISSING))?;
    let now = seconds(shared.clock.now_ms());
    let shown = read(Some(&proof), None, now).map_err(|none| match none {
        NotShown::Field(refusal) => Unproven::Field(refusal.message().to_owned()),
        NotShown::Fault(_, class) => Unproven::Fault(class),
    })?;
    let shown = shown.ok_or(Unproven::Fault(class::MISSING))?;
    if let Some(attempt) = attempt {
        let is_unused = spend(shared, &shown, tenant_id, caller, attempt)
            .await
            .map_err(|_| Unproven::Away)?;
        if !is_unused {
            return Err(Unproven::Fault(class::REPLAYED));
        }
    }
    Ok(to_message(&shown.confirmation))
}

/// What a request shows of a key; refuses what is not good in itself.
pub(crate) fn shown(
    call: &Call,
    subject: &Subject,
    proof: Option<&Proof>,
    access_token: Option<&str>,
) -> Result<Option<Shown>, Stop> {
    read(proof, access_token, call.now).map_err(|none| match none {
        NotShown::Field(refusal) => refusal.into(),
        NotShown::Fault(binding, class) => refuse(call, subject, binding, class),
    })
}

/// Refuses a bound token that does not come with a proof of its key.
pub(crate) fn check_key(
    call: &Call,
    subject: &Subject,
    bound_to: Option<&Confirmation>,
    shown: Option<&Shown>,
) -> Result<(), Stop> {
    let Some(bound_to) = bound_to else {
        return Ok(());
    };
    let class = match shown {
        Some(shown) if shown.confirmation == *bound_to => return Ok(()),
        Some(_) => class::OTHER_KEY,
        None => class::MISSING,
    };
    Err(refuse(call, subject, binding(bound_to), class))
}

/// Uses a request's proof for an attempt, or refuses it as used.
pub(crate) async fn spend_or_refuse(
    call: &Call,
    subject: &Subject,
    shown: Option<&Shown>,
    attempt: impl FnOnce() -> Attempt,
) -> Result<(), Stop> {
    let Some(shown) = shown else {
        return Ok(());
    };
    // As audit events name it, so that flows and calls have one memory.
    let caller = format!("client:{}", call.caller.client.id);
    let tenant_id = &call.tenant().id;
    let is_unused = spend(&call.shared, shown, tenant_id, &caller, &attempt())
        .await
        .map_err(|error| call.store_failed(error))?;
    if is_unused {
        return Ok(());
    }
    let binding = binding(&shown.confirmation);
    Err(refuse(call, subject, binding, class::REPLAYED))
}

/// The one answer to every proof that is missing or not good; the class goes into the audit event.
pub(crate) fn refuse(call: &Call, subject: &Subject, binding: &'static str, class: &str) -> Stop {
    call.note(subject, "proof.refused", class);
    Refusal::token_proof_required(binding).into()
}

/// Refuses a token that is not bound to exactly what the record of its family is bound to: a defect, or a token that
/// somebody else made.
pub(crate) fn check_record(
    call: &Call,
    subject: &Subject,
    record: &SessionRecord,
    bound_to: Option<&Confirmation>,
) -> Result<(), Stop> {
    if agrees(record, bound_to) {
        return Ok(());
    }
    let binding = bound_to.map_or(UNKNOWN, binding);
    Err(refuse(call, subject, binding, class::OTHER_BINDING))
}

/// Whether a record is bound to exactly what a token is bound to.
pub(crate) fn agrees(record: &SessionRecord, bound_to: Option<&Confirmation>) -> bool {
    match bound_to {
        Some(bound_to) => record.is_bound && record.binding == bound_to.digest(),
        None => !record.is_bound,
    }
}

const DPOP: &str = "dpop";
/// The record does not keep which kind of key it is.
pub(crate) const UNKNOWN: &str = "key";

/// What `TOKEN_PROOF_REQUIRED` calls a binding.
pub(crate) fn binding(confirmation: &Confirmation) -> &'static str {
    match confirmation {
        Confirmation::Key(_) => DPOP,
        Confirmation::Certificate(_) => "mtls",
    }
}

/// As a message says it.
pub(crate) fn to_message(confirmation: &Confirmation) -> v1::Confirmation {
    use v1::confirmation::Kind;
    let kind = match confirmation {
        Confirmation::Key(thumbprint) => Kind::Jkt(thumbprint.clone()),
        Confirmation::Certificate(thumbprint) => Kind::X5tS256(thumbprint.clone()),
    };
    v1::Confirmation { kind: Some(kind) }
}

/// Out of a message; nothing where it says nothing.
pub(crate) fn from_message(message: Option<&v1::Confirmation>) -> Option<Confirmation> {
    use v1::confirmation::Kind;
    Some(match message?.kind.as_ref()? {
        Kind::Jkt(thumbprint) => Confirmation::Key(thumbprint.clone()),
        Kind::X5tS256(thumbprint) => Confirmation::Certificate(thumbprint.clone()),
    })
}
