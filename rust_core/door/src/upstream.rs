//! The servers behind the door: unix sockets of this process.

use std::error::Error as _;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use h2::Reason;
use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::UnixStream;
use tokio::sync::Mutex;
use tower_service::Service;

use crate::sent::Sent;

/// Authority of requests to the HTTP edge, which goes by the `host` header.
pub(crate) const BEHIND: &str = "argus";

/// Window of a stream: so much of an answer waits here for a slow caller.
const STREAM_WINDOW: u32 = 256 * 1024;
/// Window of the one connection: with less, a few slow callers would hold up all others.
const CONNECTION_WINDOW: u32 = 1 << 30;
const CONNECT: Duration = Duration::from_secs(2);

/// The server behind the door did not answer.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// It is away.
    Away,
    /// It has given the call up, and said why (RFC 9113, section 7).
    Reset(Reason),
}

impl From<&hyper::Error> for Unanswered {
    fn from(error: &hyper::Error) -> Self {
        let cause = error.source().and_then(|cause| cause.downcast_ref());
        let reason = cause.and_then(|cause: &h2::Error| cause.is_reset().then(|| cause.reason()));
        reason.flatten().map_or(Self::Away, Self::Reset)
    }
}

/// What is behind the door.
pub(crate) struct Upstream {
    grpc_socket: PathBuf,
    grpc: Mutex<Option<SendRequest<Sent>>>,
    http: Client<Edge, Sent>,
}

impl Upstream {
    /// A gRPC server and an HTTP/1.1 server; connects when it is asked for the first time.
    pub(crate) fn new(grpc_socket: PathBuf, http_socket: PathBuf) -> Self {
        Self {
            grpc_socket,
            grpc: Mutex::new(None),
            http: Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(Duration::from_secs(20))
                .build(Edge(http_socket)),
        }
    }

    /// Has the gRPC server answer. A request that did not leave is sent again on a new connection.
    pub(crate) async fn grpc(
        &self,
        mut request: Request<Sent>,
    ) -> Result<Response<Incoming>, Unanswered> {
        for _ in 0..2 {
            let mut sender = self.sender().await?;
            let mut failed = match sender.try_send_request(request).await {
                Ok(response) => return Ok(response),
                Err(failed) => failed,
            };
            request = failed
                .take_message()
                .ok_or_else(|| Unanswered::from(failed.error()))?;
        }
        Err(Unanswered::Away)
    }

    /// Has the HTTP edge answer.
    pub(crate) async fn http(
        &self,
        request: Request<Sent>,
    ) -> Result<Response<Incoming>, Unanswered> {
        self.http
            .request(request)
            .await
            .map_err(|_| Unanswered::Away)
    }

    async fn sender(&self) -> Result<SendRequest<Sent>, Unanswered> {
        let mut kept = self.grpc.lock().await;
        if let Some(sender) = kept.as_ref()
            && !sender.is_closed()
        {
            return Ok(sender.clone());
        }
        let connecting = tokio::time::timeout(CONNECT, self.connect());
        let sender = connecting.await.map_err(|_| Unanswered::Away)??;
        *kept = Some(sender.clone());
        Ok(sender)
    }

    async fn connect(&self) -> Result<SendRequest<Sent>, Unanswered> {
        let stream = UnixStream::connect(&self.grpc_socket)
            .await
            .map_err(|_| Unanswered::Away)?;
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(256 * 1024)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|_| Unanswered::Away)?;
        // It ends with its connection; whoever waits on it is told.
        tokio::spawn(connection);
        Ok(sender)
    }
}

/// Connects to the HTTP edge, whatever the address.
#[derive(Debug, Clone)]
struct Edge(PathBuf);

/// A connection to it.
#[derive(Debug)]
struct EdgeStream(TokioIo<UnixStream>);

impl Service<Uri> for Edge {
    type Response = EdgeStream;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<EdgeStream>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let path = self.0.clone();
        Box::pin(async move {
            let connected = tokio::time::timeout(CONNECT, UnixStream::connect(path)).await??;
            Ok(EdgeStream(TokioIo::new(connected)))
        })
    }
}

impl Connection for EdgeStream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl hyper::rt::Read for EdgeStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl hyper::rt::Write for EdgeStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
