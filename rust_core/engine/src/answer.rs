//! From a method's name and bytes to an outcome and bytes.

use std::sync::Arc;
use std::time::Duration;

use argus_core::token::new_token_id;
use prost::Message;
use prost::encoding::{DecodeContext, decode_key, skip_field};
use tokio::time::timeout;

use crate::batch::batch;
use crate::call::{Call, Shared, seconds};
use crate::caller::{Caller, NoCaller};
use crate::introspect::introspect;
use crate::proto::HotMethod;
use crate::proto::access::{
    BATCH_VERIFY_ACCESS_TOKENS, HOT_METHODS, INTROSPECT_TOKEN, REFRESH_TOKEN, VERIFY_ACCESS_TOKEN,
};
use crate::proto::internal::{FlowNeed, NeedsFlow};
use crate::random::random;
use crate::refresh::refresh;
use crate::snapshot::Snapshot;
use crate::status::{Refusal, Stop};
use crate::verify::verify;

/// Longest time that a call may take, whatever its deadline.
const LONGEST: Duration = Duration::from_secs(10);

/// Most fields of a request, each entry of a list counted: more than any good request has. An empty entry of a batch
/// takes two bytes on the wire and 320 in memory, so a request of 2 MiB would become half a gigabyte.
const MAX_FIELDS: usize = 1000;

/// A call as it came in.
#[derive(Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Incoming<'a> {
    /// Full name of the method.
    pub path: &'a str,
    /// Encoded request.
    pub request: &'a [u8],
    /// Metadata `authorization`.
    pub authorization: Option<&'a str>,
    /// Request id.
    pub request_id: &'a str,
    /// The same for all questions about one call; empty: there is but one.
    pub call_id: &'a str,
    /// Time left for it.
    pub deadline_ms: i64,
    /// A flow has proved during this call that `PostgreSQL` can be written to.
    pub postgresql_answers: bool,
    /// A reading of the snapshot has begun and ended since the call came: what it does not know there is not.
    pub snapshot_confirmed: bool,
    /// A flow has judged the request's context during this call, and found it good.
    pub context_judged: bool,
    /// A flow has judged during this call what the rules of policies say of the session.
    pub rules_judged: bool,
    /// The engine was asked about this very call before, and what it needed was done: its quota was charged then.
    pub is_repeat: bool,
    /// Scope that the caller must hold in the place of the method's: it called another RPC, which asks this one. Empty:
    /// the method's own.
    pub scope: &'a str,
}

/// What became of a hot call.
#[derive(Debug)]
pub enum Answer {
    /// Encoded response.
    Response(Vec<u8>),
    /// Encoded `google.rpc.Status`.
    Refused(Vec<u8>),
    /// The engine can't answer alone.
    Flow(Box<NeedsFlow>),
}

/// Answers a call within its deadline, and counts it.
pub(crate) async fn answer(shared: &Arc<Shared>, incoming: Incoming<'_>) -> Result<Vec<u8>, Stop> {
    let Some(method) = HOT_METHODS
        .iter()
        .find(|method| method.path == incoming.path)
    else {
        return Err(Refusal::unimplemented().into());
    };
    let left = u64::try_from(incoming.deadline_ms).unwrap_or_default();
    let longest = LONGEST.min(Duration::from_millis(left));
    let late = || Err(Refusal::deadline_exceeded().into());
    let outcome = if longest.is_zero() {
        late()
    } else {
        timeout(longest, admit(shared, method, incoming))
            .await
            .unwrap_or_else(|_| late())
    };
    let label = match &outcome {
        Ok(_) => "OK",
        Err(Stop::Refused(refusal)) => refusal.reason_name(),
        Err(Stop::Flow(need)) => need.need().as_str_name(),
    };
    shared.counters.call(method.name, label);
    outcome
}

/// Authenticates the caller, checks its scope, and answers.
async fn admit(
    shared: &Arc<Shared>,
    method: &HotMethod,
    incoming: Incoming<'_>,
) -> Result<Vec<u8>, Stop> {
    let snapshot = shared
        .snapshot
        .load_full()
        .ok_or_else(|| Refusal::unavailable("snapshot"))?;
    let now = seconds(shared.clock.now_ms());
    let caller = caller(shared, &snapshot, incoming, now)?;
    let scope = if incoming.scope.is_empty() {
        method.scope
    } else {
        incoming.scope
    };
    caller.check(scope, false)?;
    charge(shared, &caller, incoming, method)?;
    let call = Call {
        shared: Arc::clone(shared),
        snapshot,
        caller: Arc::new(caller),
        request_id: incoming.request_id.to_owned(),
        postgresql_answers: incoming.postgresql_answers,
        snapshot_confirmed: incoming.snapshot_confirmed,
        context_judged: incoming.context_judged,
        rules_judged: incoming.rules_judged,
        id: call_id(incoming)?,
        now,
    };
    dispatch(&call, method, incoming.request).await
}

/// Takes a call from its caller's quota, once however often the engine is asked about it.
fn charge(
    shared: &Shared,
    caller: &Caller,
    incoming: Incoming<'_>,
    method: &HotMethod,
) -> Result<(), Refusal> {
    if incoming.is_repeat {
        return Ok(());
    }
    let calls = if *method == BATCH_VERIFY_ACCESS_TOKENS {
        // Its fields are its items.
        fields(incoming.request).max(1)
    } else {
        1
    };
    shared.quotas.take(caller, calls)
}

fn call_id(incoming: Incoming<'_>) -> Result<String, Refusal> {
    if !incoming.call_id.is_empty() {
        return Ok(incoming.call_id.to_owned());
    }
    let random = random().map_err(|_| Refusal::internal(incoming.request_id))?;
    Ok(new_token_id(random))
}

async fn dispatch(call: &Call, method: &HotMethod, request: &[u8]) -> Result<Vec<u8>, Stop> {
    Ok(match *method {
        VERIFY_ACCESS_TOKEN => verify(call, &decode(request)?).await?.encode_to_vec(),
        BATCH_VERIFY_ACCESS_TOKENS => batch(call, decode(request)?).await?.encode_to_vec(),
        REFRESH_TOKEN => refresh(call, &decode(request)?).await?.encode_to_vec(),
        INTROSPECT_TOKEN => introspect(call, &decode(request)?).await?.encode_to_vec(),
        _ => return Err(Refusal::unimplemented().into()),
    })
}

fn decode<M: Message + Default>(request: &[u8]) -> Result<M, Refusal> {
    if is_wide(request) {
        let rule = format!("must have at most {MAX_FIELDS} fields and list entries");
        return Err(Refusal::field("request", &rule));
    }
    M::decode(request).map_err(|_| {
        Refusal::field(
            "request",
            "cannot be decoded; send the method's request message",
        )
    })
}

/// Whether a request has more than [`MAX_FIELDS`], seen before anything is built.
fn is_wide(request: &[u8]) -> bool {
    fields(request) > MAX_FIELDS
}

/// How many fields a request has at its top; counting ends with the first beyond [`MAX_FIELDS`].
fn fields(mut request: &[u8]) -> usize {
    let mut skip = || {
        let (tag, wire) = decode_key(&mut request)?;
        skip_field(wire, tag, &mut request, DecodeContext::default())
    };
    (0..=MAX_FIELDS).take_while(|_| skip().is_ok()).count()
}

/// Authenticates the caller of a method that Python serves.
pub(crate) fn authenticate(
    shared: &Shared,
    incoming: Incoming<'_>,
    scope: &str,
    system_tenant_only: bool,
) -> Result<Vec<u8>, Stop> {
    let snapshot = shared
        .snapshot
        .load_full()
        .ok_or_else(|| Refusal::unavailable("snapshot"))?;
    let now = seconds(shared.clock.now_ms());
    let caller = caller(shared, &snapshot, incoming, now)?;
    caller.check(scope, system_tenant_only)?;
    if !incoming.snapshot_confirmed {
        shared.quotas.take(&caller, 1)?;
    }
    Ok(caller.to_message().encode_to_vec())
}

/// Who calls. A name that the snapshot does not know has it read anew before the token is refused.
fn caller(
    shared: &Shared,
    snapshot: &Snapshot,
    incoming: Incoming<'_>,
    now: u32,
) -> Result<Caller, Stop> {
    let caller = Caller::authenticate(&shared.callers, snapshot, incoming.authorization, now);
    caller.map_err(|none| match none {
        NoCaller::Refused(refusal) => refusal.into(),
        NoCaller::Unread => Refusal::unavailable("keys").into(),
        NoCaller::Unknown(_) if !incoming.snapshot_confirmed => {
            let mut need = NeedsFlow::default();
            need.set_need(FlowNeed::Snapshot);
            need.into()
        }
        NoCaller::Unknown(fault) | NoCaller::Fault(fault) => {
            shared.refuse_caller(fault, incoming.request_id).into()
        }
    })
}
