//! Refusals, as `google.rpc.Status` with details.

use std::collections::BTreeMap;
use std::time::Duration;

use prost::Message as _;
use prost_types::Any;
use tonic_types::Status;
use tonic_types::pb::{BadRequest, RetryInfo, bad_request::FieldViolation};

use crate::proto::ErrorInfo;
use crate::proto::internal::NeedsFlow;
use crate::proto::v1::ErrorReason;

mod refusals;

/// Domain of every reason that Argus sends.
const DOMAIN: &str = "argus";

/// Why a call has no response.
#[derive(Debug)]
pub(crate) enum Stop {
    /// A clear answer that is not a yes.
    Refused(Refusal),
    /// The engine can't answer alone.
    Flow(Box<NeedsFlow>),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<NeedsFlow> for Stop {
    fn from(need: NeedsFlow) -> Self {
        Self::Flow(Box::new(need))
    }
}

/// A reason with its variables and a sentence that says what to do next.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Refusal {
    /// The reason; it decides the code.
    pub(crate) reason: ErrorReason,
    /// The reason's variables.
    pub(crate) metadata: Vec<(&'static str, String)>,
    message: String,
    retry_after: Option<Duration>,
}

impl Refusal {
    /// What it says to a developer.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// `google.rpc.Code` of the reason.
    pub(crate) fn code(&self) -> i32 {
        match self.reason {
            ErrorReason::FieldInvalid => 3,
            ErrorReason::DeadlineExceeded => 4,
            ErrorReason::Overloaded | ErrorReason::QuotaExceeded => 8,
            ErrorReason::CallerScopeMissing
            | ErrorReason::CallerTenantMismatch
            | ErrorReason::CallerDisabled
            | ErrorReason::TrustTooLow
            | ErrorReason::TokenScopeMissing => 7,
            ErrorReason::Unimplemented => 12,
            ErrorReason::Unavailable => 14,
            ErrorReason::CallerUnauthenticated
            | ErrorReason::CallerTokenInvalid
            | ErrorReason::TokenInvalid
            | ErrorReason::StepUpRequired
            | ErrorReason::TokenProofRequired
            | ErrorReason::SessionEnded => 16,
            _ => 13,
        }
    }

    /// The reason's published name, without the prefix.
    pub(crate) fn reason_name(&self) -> &'static str {
        self.reason
            .as_str_name()
            .trim_start_matches("ERROR_REASON_")
    }

    /// Encoded `google.rpc.Status`.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let info = ErrorInfo {
            reason: self.reason_name().to_owned(),
            domain: DOMAIN.to_owned(),
            metadata: self.metadata_map(),
        };
        let mut details = vec![any("google.rpc.ErrorInfo", info.encode_to_vec())];
        if let (ErrorReason::FieldInvalid, Some((_, field))) = (self.reason, self.metadata.first())
        {
            let violation = FieldViolation {
                field: field.clone(),
                description: self.message.clone(),
                ..FieldViolation::default()
            };
            let request = BadRequest {
                field_violations: vec![violation],
            };
            details.push(any("google.rpc.BadRequest", request.encode_to_vec()));
        }
        if let Some(delay) = self.retry_after {
            let retry = RetryInfo {
                retry_delay: prost_types::Duration::try_from(delay).ok(),
            };
            details.push(any("google.rpc.RetryInfo", retry.encode_to_vec()));
        }
        let status = Status {
            code: self.code(),
            message: self.message.clone(),
            details,
        };
        status.encode_to_vec()
    }

    /// The reason's variables as a map.
    pub(crate) fn metadata_map(&self) -> BTreeMap<String, String> {
        self.metadata
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect()
    }
}

/// Encoded `google.rpc.Status`: a part of Argus is away, and nothing was decided.
#[must_use]
pub fn unavailable(component: &str) -> Vec<u8> {
    Refusal::unavailable(component).encode()
}

/// Encoded `google.rpc.Status`: there is no place for the call.
#[must_use]
pub fn overloaded() -> Vec<u8> {
    Refusal::overloaded().encode()
}

/// Encoded `google.rpc.Status`: the request's deadline passed.
#[must_use]
pub fn deadline_exceeded() -> Vec<u8> {
    Refusal::deadline_exceeded().encode()
}

/// Encoded `google.rpc.Status`: the call ended before its request was there.
#[must_use]
pub fn request_missing() -> Vec<u8> {
    Refusal::field("request", "must be one whole message").encode()
}

/// Encoded `google.rpc.Status`: a defect of Argus.
#[must_use]
pub fn internal(request_id: &str) -> Vec<u8> {
    Refusal::internal(request_id).encode()
}

/// A detail of a status.
pub(crate) fn any(name: &str, value: Vec<u8>) -> Any {
    Any {
        type_url: format!("type.googleapis.com/{name}"),
        value,
    }
}
