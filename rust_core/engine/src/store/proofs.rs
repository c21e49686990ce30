//! What is remembered of used proofs.

use std::time::Duration;

use super::{Store, StoreError};

impl Store {
    /// Remembers, in one step, what a proof was used for; answers what it was used for before, if it was.
    pub(crate) async fn use_proof(
        &self,
        key: &[u8],
        attempt: &[u8],
        life: Duration,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let mut command = redis::cmd("SET");
        command.arg(key).arg(attempt).arg("NX").arg("GET");
        command
            .arg("PX")
            .arg(u64::try_from(life.as_millis()).unwrap_or(u64::MAX));
        let before = self.link()?.one(&command).await?;
        // It is no function's answer, and names no node: what was held before it must still be.
        self.link()?;
        Ok(before)
    }
}
