//! An empty gRPC server: what a call costs where there is nothing to be done.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};

use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::bytes::Bytes;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tonic::server::{Grpc, UnaryService};
use tonic::{Request, Response, Status};

use crate::codec::Encoded;

/// As many threads as the engine has, so that the two are alike but for the work.
const WORKERS: usize = 2;

/// Answers every unary call with the same bytes. Dropping it ends it.
pub struct Echo {
    address: SocketAddr,
    _runtime: Runtime,
}

impl Echo {
    /// Listens and serves.
    ///
    /// # Errors
    ///
    /// Nobody can listen there, or there are no threads for it.
    pub fn open(address: SocketAddr, answer: Vec<u8>) -> io::Result<Self> {
        let listener = StdListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .thread_name("argus-echo")
            .enable_all()
            .build()?;
        let listener = {
            let _inside = runtime.enter();
            TcpListener::from_std(listener)?
        };
        runtime.spawn(listen(listener, Bytes::from(answer)));
        Ok(Self {
            address,
            _runtime: runtime,
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn listen(listener: TcpListener, answer: Bytes) {
    // A listener that fails is seen by whoever calls.
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(stream, answer.clone()));
    }
}

async fn serve(stream: TcpStream, answer: Bytes) {
    // Without it answers wait for others.
    let _ = stream.set_nodelay(true);
    let respond = service_fn(move |request| {
        let fixed = Fixed(answer.clone());
        async move { Ok::<_, Infallible>(Grpc::new(Encoded).unary(fixed, request).await) }
    });
    // What goes wrong with a connection is its caller's to see.
    let _ = http2::Builder::new(TokioExecutor::new())
        .auto_date_header(false)
        .serve_connection(TokioIo::new(stream), respond)
        .await;
}

/// The same answer, whatever is asked.
struct Fixed(Bytes);

impl UnaryService<Bytes> for Fixed {
    type Response = Bytes;
    type Future = Ready<Result<Response<Bytes>, Status>>;

    fn call(&mut self, _: Request<Bytes>) -> Self::Future {
        ready(Ok(Response::new(self.0.clone())))
    }
}
