//! What flows ask of the engine about single tokens: to issue them, to read them, and to check proofs of their keys.

use std::sync::Arc;

use prost::Message as _;

use super::{Engine, NEEDS_FLOW, OK, STATUS};
use crate::call::seconds;
use crate::issue::{self, IssueFailure};
use crate::proof::{self, Unproven};
use crate::proto::internal::{IssueClientTokenInput, IssueRequest, TokenClaims};
use crate::read::{self, NotRead};
use crate::snapshot::Snapshot;

const FIELD: u8 = 2;
const AWAY: u8 = 3;

impl Engine {
    /// Encoded `argus.v1.TokenSet` for an encoded `argus.internal.v1.IssueRequest`.
    ///
    /// # Errors
    ///
    /// [`IssueFailure`].
    pub fn issue(&self, request: &[u8]) -> Result<Vec<u8>, IssueFailure> {
        let request =
            IssueRequest::decode(request).map_err(|_| IssueFailure::undecodable("IssueRequest"))?;
        Ok(issue::session(&*self.snapshot()?, &request)?.encode_to_vec())
    }

    /// Encoded `argus.v1.TokenSet` for an encoded `argus.internal.v1.IssueClientTokenInput`.
    ///
    /// # Errors
    ///
    /// [`IssueFailure`].
    pub fn issue_client_token(&self, request: &[u8]) -> Result<Vec<u8>, IssueFailure> {
        let request = IssueClientTokenInput::decode(request)
            .map_err(|_| IssueFailure::undecodable("IssueClientTokenInput"))?;
        Ok(issue::client_token(&*self.snapshot()?, &request)?.encode_to_vec())
    }

    /// Checks a proof of possession: (0, encoded `argus.v1.Confirmation`), (1, class of the fault), (2, field that the
    /// caller got wrong) or (3, part that is away). With an attempt the proof is used up, but for that same attempt.
    #[must_use]
    pub fn check_proof(
        &self,
        proof: &[u8],
        tenant_id: &str,
        caller: &str,
        attempt: Option<&[u8]>,
    ) -> (u8, Vec<u8>) {
        if self.is_closed() {
            return (AWAY, b"engine".to_vec());
        }
        let checking = proof::check(&self.shared, proof, tenant_id, caller, attempt);
        match self.handle.block_on(checking) {
            Ok(confirmation) => (OK, confirmation.encode_to_vec()),
            Err(Unproven::Fault(class)) => (STATUS, class.as_bytes().to_vec()),
            Err(Unproven::Field(field)) => (FIELD, field.into_bytes()),
            Err(Unproven::Away) => (AWAY, b"redis".to_vec()),
        }
    }

    /// The claims of an access or refresh token that is good but for its expiry: (0, encoded
    /// `argus.internal.v1.TokenClaims`); (1, class of the fault); (2, nothing): the snapshot may be behind, ask again
    /// once it was read anew; or (3, part that is away).
    #[must_use]
    pub fn read_token(&self, token: &str, snapshot_confirmed: bool) -> (u8, Vec<u8>) {
        self.read(snapshot_confirmed, |snapshot, now| {
            read::read(snapshot, token, now)
        })
    }

    /// The same of a refresh token that is good now, or whose signing key alone was pulled.
    #[must_use]
    pub fn read_refresh_token(
        &self,
        tenant_id: &str,
        token: &str,
        snapshot_confirmed: bool,
    ) -> (u8, Vec<u8>) {
        self.read(snapshot_confirmed, |snapshot, now| {
            read::read_refresh(snapshot, tenant_id, token, now)
        })
    }

    fn read(
        &self,
        snapshot_confirmed: bool,
        read: impl FnOnce(&Snapshot, u32) -> Result<TokenClaims, NotRead>,
    ) -> (u8, Vec<u8>) {
        let Ok(snapshot) = self.snapshot() else {
            return (AWAY, b"snapshot".to_vec());
        };
        match read(&snapshot, seconds(self.shared.clock.now_ms())) {
            Ok(claims) => (OK, claims.encode_to_vec()),
            Err(NotRead::Unread) => (AWAY, b"keys".to_vec()),
            Err(NotRead::Unknown(_)) if !snapshot_confirmed => (NEEDS_FLOW, Vec::new()),
            Err(NotRead::Unknown(class) | NotRead::Fault(class)) => (STATUS, class.into()),
        }
    }

    fn snapshot(&self) -> Result<Arc<Snapshot>, IssueFailure> {
        let snapshot = self.shared.snapshot.load_full();
        snapshot.ok_or_else(|| IssueFailure::Unknown("anything yet".to_owned()))
    }
}
