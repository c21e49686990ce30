//! The listener.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use argus_engine::Engine;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::busy::Busy;
use crate::connection::serve;
use crate::documents::Documents;
use crate::figures::{Counted, Figures};
use crate::limits::Limits;
use crate::route::Shared;
use crate::tls::{Certificate, CertificateError};
use crate::upstream::Upstream;

/// Pause after an `accept` that has failed: mostly there are too many files open, which passes.
const PAUSE: Duration = Duration::from_millis(50);

/// What a door needs.
pub struct Options {
    /// Where it listens.
    pub address: SocketAddr,
    /// Unix socket of the gRPC server.
    pub grpc_socket: PathBuf,
    /// Unix socket of the HTTP edge.
    pub http_socket: PathBuf,
    /// Certificate; `None`: without TLS.
    pub certificate: Option<Certificate>,
    /// Bounds.
    pub limits: Limits,
}

/// The door can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Nobody can listen there.
    #[error("{0}")]
    Listen(#[from] io::Error),
    /// The certificate can't be used.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

/// A port that is served until it is closed.
pub struct Door {
    address: SocketAddr,
    shared: Arc<Shared>,
    engine: Arc<Engine>,
    tls: Arc<ArcSwapOption<ServerConfig>>,
    closing: watch::Sender<bool>,
    serving: Mutex<Option<tokio::task::JoinHandle<()>>>,
}

impl Door {
    /// Listens and serves, on the engine's threads.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub fn open(engine: Arc<Engine>, options: Options) -> Result<Self, OpenError> {
        let listener = StdListener::bind(options.address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let config = options.certificate.as_ref().map(Certificate::config);
        let tls = Arc::new(ArcSwapOption::new(config.transpose()?));
        let (closing, told) = watch::channel(false);
        let places = Arc::new(Semaphore::new(options.limits.passed));
        let _inside = engine.handle().enter();
        let listener = TcpListener::from_std(listener)?;
        let shared = Arc::new(Shared {
            engine: Arc::clone(&engine),
            upstream: Upstream::new(options.grpc_socket, options.http_socket),
            documents: Documents::new(),
            places,
            waiting: Arc::new(Semaphore::new(options.limits.waiting)),
            busy: Busy::places(),
            limits: options.limits,
            figures: Arc::new(Figures::default()),
        });
        let listening = listen(listener, Arc::clone(&shared), Arc::clone(&tls), told);
        let serving = tokio::spawn(listening);
        Ok(Self {
            address,
            shared,
            engine,
            tls,
            closing,
            serving: Mutex::new(Some(serving)),
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has counted so far.
    #[must_use]
    pub fn counted(&self) -> Counted {
        self.shared.figures.counted()
    }

    /// Has new connections use another certificate; those that there are go on.
    ///
    /// # Errors
    ///
    /// [`CertificateError`]; the one before stays.
    pub fn use_certificate(&self, certificate: &Certificate) -> Result<(), CertificateError> {
        self.tls.store(Some(certificate.config()?));
        Ok(())
    }

    /// Takes no further connections and lets calls under way finish, for `grace` at most; whether all have.
    pub fn close(&self, grace: Duration) -> bool {
        let serving = self
            .serving
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(mut serving) = serving else {
            return true;
        };
        self.closing.send_replace(true);
        self.engine.handle().block_on(async {
            let is_done = tokio::time::timeout(grace, &mut serving).await.is_ok();
            serving.abort();
            is_done
        })
    }
}

/// Comes back when the door closes.
pub(crate) async fn closed(closing: &mut watch::Receiver<bool>) {
    // A door that is gone is closed.
    let _ = closing.wait_for(|closing| *closing).await;
}

async fn listen(
    listener: TcpListener,
    shared: Arc<Shared>,
    tls: Arc<ArcSwapOption<ServerConfig>>,
    mut closing: watch::Receiver<bool>,
) {
    let room = Arc::new(Semaphore::new(shared.limits.connections));
    let mut connections = JoinSet::new();
    let told = closing.clone();
    loop {
        let accepting = async {
            // It is never closed.
            let place = Arc::clone(&room).acquire_owned().await.ok();
            (place, listener.accept().await)
        };
        tokio::select! {
            () = closed(&mut closing) => break,
            // What is over is forgotten.
            Some(_) = connections.join_next() => {}
            (place, accepted) = accepting => match accepted {
                Ok((stream, address)) => {
                    // Without it answers wait for others; a socket that refuses it is broken anyway.
                    let _ = stream.set_nodelay(true);
                    let serving = serve(
                        Arc::clone(&shared), stream, address, tls.load_full(), told.clone(),
                    );
                    let open = shared.figures.open();
                    connections.spawn(async move {
                        let _held = (place, open);
                        serving.await;
                    });
                }
                Err(_) => tokio::time::sleep(PAUSE).await,
            },
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}
