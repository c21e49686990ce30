//! `BatchVerifyAccessTokens`: many tokens in one call, each with a status of its own.

use std::future::poll_fn;
use std::task::{Context, Poll};

use tokio::task::JoinSet;

use crate::call::Call;
use crate::limits::MAX_LIST;
use crate::proto::v1::{
    BatchVerifyAccessTokensRequest, BatchVerifyAccessTokensResponse, BatchVerifyAccessTokensResult,
    VerifyAccessTokenResponse,
};
use crate::status::{Refusal, Stop};
use crate::verify::verify;

/// Answers one request; its items run side by side. If one of them needs a flow, so does the batch.
pub(crate) async fn batch(
    call: &Call,
    request: BatchVerifyAccessTokensRequest,
) -> Result<BatchVerifyAccessTokensResponse, Stop> {
    let count = request.requests.len();
    if !(1..=MAX_LIST).contains(&count) {
        return Err(
            Refusal::field("requests", &format!("must have 1 to {MAX_LIST} entries")).into(),
        );
    }
    let mut items = JoinSet::new();
    let mut results = vec![BatchVerifyAccessTokensResult::default(); count];
    for (position, item) in request.requests.into_iter().enumerate() {
        let call = call.clone();
        let mut checking = Box::pin(async move { verify(&call, &item).await });
        // What is known in memory takes no task.
        let at_once = |context: &mut Context<'_>| Poll::Ready(checking.as_mut().poll(context));
        match poll_fn(at_once).await {
            Poll::Ready(outcome) => results[position] = result(outcome)?,
            Poll::Pending => {
                items.spawn(async move { (position, checking.await) });
            }
        }
    }
    while let Some(joined) = items.join_next().await {
        let (position, outcome) = joined.map_err(|_| Refusal::internal(&call.request_id))?;
        results[position] = result(outcome)?;
    }
    Ok(BatchVerifyAccessTokensResponse { results })
}

fn result(
    outcome: Result<VerifyAccessTokenResponse, Stop>,
) -> Result<BatchVerifyAccessTokensResult, Stop> {
    match outcome {
        Ok(verified) => Ok(good(verified)),
        Err(Stop::Refused(refusal)) => Ok(refused(&refusal)),
        Err(flow @ Stop::Flow(_)) => Err(flow),
    }
}

fn good(verified: VerifyAccessTokenResponse) -> BatchVerifyAccessTokensResult {
    BatchVerifyAccessTokensResult {
        verified: Some(verified),
        ..BatchVerifyAccessTokensResult::default()
    }
}

fn refused(refusal: &Refusal) -> BatchVerifyAccessTokensResult {
    BatchVerifyAccessTokensResult {
        code: refusal.code(),
        reason: refusal.reason.into(),
        verified: None,
        metadata: refusal.metadata_map(),
    }
}
