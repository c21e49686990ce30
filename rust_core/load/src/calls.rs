//! Makes the calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use prost::bytes::Bytes;
use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

use crate::codec::Encoded;
use crate::pace::metronome;
use crate::{Answer, Latency, LoadError, Pace, Plan, Progress, Report};

/// A call that has ended.
struct Ended {
    number: usize,
    answer: Answer,
    took: Duration,
    late: Duration,
}

/// What every call of a run needs.
struct Caller {
    channels: Vec<Channel>,
    path: PathAndQuery,
    authorization: Option<AsciiMetadataValue>,
    requests: Vec<Bytes>,
    deadline: Duration,
}

/// Does what a plan says, on the calling thread.
pub(crate) fn run(plan: Plan, progress: &Arc<Progress>) -> Result<Report, LoadError> {
    let runtime: Runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| LoadError::System(error.to_string()))?;
    runtime.block_on(async {
        let (calls, pace) = (plan.calls, plan.pace);
        let caller = Arc::new(Caller::connect(plan).await?);
        let cpu = thread_cpu();
        let begun = Instant::now();
        let ended = match pace {
            Pace::Closed { in_flight } => closed(&caller, calls, in_flight, progress).await,
            Pace::Open { rate } => open(&caller, calls, rate, progress).await?,
        };
        let took = begun.elapsed();
        report(ended, took, thread_cpu().saturating_sub(cpu))
    })
}

impl Caller {
    /// Connects before the first call, so that no call pays for it.
    async fn connect(plan: Plan) -> Result<Self, LoadError> {
        let unreachable = |error: tonic::transport::Error| LoadError::Unreachable {
            address: plan.address.clone(),
            reason: std::error::Error::source(&error)
                .map_or_else(|| error.to_string(), ToString::to_string),
        };
        let endpoint = Endpoint::from_shared(format!("http://{}", plan.address))
            .map_err(unreachable)?
            .tcp_nodelay(true);
        let mut channels = Vec::with_capacity(plan.connections);
        for _ in 0..plan.connections {
            channels.push(endpoint.connect().await.map_err(unreachable)?);
        }
        let authorization = match plan.authorization.as_str() {
            "" => None,
            some => Some(
                some.parse()
                    .map_err(|_| LoadError::Plan("authorization must be visible ASCII"))?,
            ),
        };
        Ok(Self {
            channels,
            authorization,
            path: plan
                .method
                .parse()
                .map_err(|_| LoadError::Plan("the method must be like /package.Service/Method"))?,
            requests: plan.requests.into_iter().map(Bytes::from).collect(),
            deadline: plan.deadline,
        })
    }

    /// One call, counted from when it was due.
    async fn call(&self, number: usize, due: Instant) -> Ended {
        let late = due.elapsed();
        let answered = self.ask(number).await;
        Ended {
            number,
            took: due.elapsed(),
            late,
            answer: match answered {
                Ok(content) => Answer {
                    code: Code::Ok as i32,
                    content,
                },
                Err(status) => Answer {
                    code: status.code() as i32,
                    content: status.message().as_bytes().to_vec(),
                },
            },
        }
    }

    async fn ask(&self, number: usize) -> Result<Vec<u8>, Status> {
        let mut request = Request::new(self.requests[number % self.requests.len()].clone());
        request.set_timeout(self.deadline);
        if let Some(authorization) = &self.authorization {
            request
                .metadata_mut()
                .insert("authorization", authorization.clone());
        }
        let mut grpc = Grpc::new(self.channels[number % self.channels.len()].clone());
        grpc.ready()
            .await
            .map_err(|error| Status::unavailable(error.to_string()))?;
        let answered: Bytes = grpc
            .unary(request, self.path.clone(), Encoded)
            .await?
            .into_inner();
        Ok(answered.to_vec())
    }
}

/// Keeps a number of calls in flight.
async fn closed(
    caller: &Arc<Caller>,
    calls: usize,
    in_flight: usize,
    progress: &Arc<Progress>,
) -> Vec<Ended> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut callers = JoinSet::new();
    for _ in 0..in_flight.min(calls) {
        let (caller, next, progress) =
            (Arc::clone(caller), Arc::clone(&next), Arc::clone(progress));
        callers.spawn(async move {
            let mut ended = Vec::new();
            while !progress.is_stopped() {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= calls {
                    break;
                }
                ended.push(caller.call(number, Instant::now()).await);
                progress.answered.fetch_add(1, Ordering::Relaxed);
            }
            ended
        });
    }
    callers.join_all().await.into_iter().flatten().collect()
}

/// Makes calls when they are due.
async fn open(
    caller: &Arc<Caller>,
    calls: usize,
    rate: f64,
    progress: &Arc<Progress>,
) -> Result<Vec<Ended>, LoadError> {
    let mut due = metronome(calls, rate, progress)?;
    let mut under_way = JoinSet::new();
    while let Some(next) = due.recv().await {
        let (caller, progress) = (Arc::clone(caller), Arc::clone(progress));
        under_way.spawn(async move {
            let ended = caller.call(next.number, next.at).await;
            progress.answered.fetch_add(1, Ordering::Relaxed);
            ended
        });
    }
    Ok(under_way.join_all().await)
}

fn report(
    mut ended: Vec<Ended>,
    took: Duration,
    client_cpu: Duration,
) -> Result<Report, LoadError> {
    let none = || LoadError::System("there is no memory for a histogram".to_owned());
    let (mut latency, mut response, mut lateness) = (
        Latency::new().ok_or_else(none)?,
        Latency::new().ok_or_else(none)?,
        Latency::new().ok_or_else(none)?,
    );
    ended.sort_unstable_by_key(|one| one.number);
    for one in &ended {
        latency.add(one.took);
        response.add(one.took.saturating_sub(one.late));
        lateness.add(one.late);
    }
    Ok(Report {
        took,
        answers: ended.into_iter().map(|one| one.answer).collect(),
        latency,
        response,
        lateness,
        client_cpu,
    })
}

/// CPU time of the calling thread so far.
pub(crate) fn thread_cpu() -> Duration {
    let spent = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        u64::try_from(spent.tv_sec).unwrap_or_default(),
        u32::try_from(spent.tv_nsec).unwrap_or_default(),
    )
}
