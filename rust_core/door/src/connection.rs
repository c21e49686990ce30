//! One connection, from its first byte to its last.

use std::future::{Future as _, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::ready;
use std::time::Instant;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::PollSemaphore;

use crate::abuse::Conduct;
use crate::busy::Busy;
use crate::fair::Fair;
use crate::heads::{Heads, PREFACE};
use crate::identity::Peer;
use crate::limits::Limits;
use crate::listener::closed;
use crate::room::Room;
use crate::route::{Shared, route};
use crate::tls::thumbprint;
use crate::turn::{Turn, Turns};
use crate::unclosed::Unclosed;

/// By so much of the preface HTTP/2 is known; no HTTP/1.1 request begins so.
const KNOWN_BY: usize = 14;

/// Which protocol a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Http1,
    Http2,
}

/// What all requests of a connection share.
#[derive(Debug)]
pub(crate) struct Line {
    /// Who is at its other end.
    pub(crate) peer: Peer,
    /// Room for what has come of requests that are not whole.
    pub(crate) room: Room,
    /// What callers have not closed yet of calls that were answered.
    pub(crate) unclosed: Arc<Unclosed>,
}

/// Serves a connection until it ends, or the door closes and its last call is answered.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    stream: TcpStream,
    address: SocketAddr,
    tls: Option<Arc<ServerConfig>>,
    closing: watch::Receiver<bool>,
) {
    let handshake = shared.limits.handshake;
    let Some(config) = tls else {
        if let Ok(Ok(protocol)) = timeout(handshake, sniff(&stream)).await {
            let peer = Peer::new(address, None, false);
            speak(shared, stream, protocol, peer, closing).await;
        } else {
            shared.figures.mute.add();
        }
        return;
    };
    let accepting = TlsAcceptor::from(config).accept(stream);
    if let Ok(Ok(stream)) = timeout(handshake, accepting).await {
        let (_, session) = stream.get_ref();
        let is_http2 = session.alpn_protocol() == Some(b"h2");
        let certificate = session
            .peer_certificates()
            .and_then(|chain| chain.first())
            .map(thumbprint);
        let peer = Peer::new(address, certificate.as_deref(), true);
        let protocol = if is_http2 {
            Protocol::Http2
        } else {
            Protocol::Http1
        };
        speak(shared, stream, protocol, peer, closing).await;
    } else {
        shared.figures.mute.add();
    }
}

/// What a connection without TLS speaks, by its first bytes, which stay where they are.
async fn sniff(stream: &TcpStream) -> io::Result<Protocol> {
    let mut first = [0; KNOWN_BY];
    loop {
        let seen = stream.peek(&mut first).await?;
        if seen == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if !PREFACE.starts_with(&first[..seen]) {
            return Ok(Protocol::Http1);
        }
        if seen == KNOWN_BY {
            return Ok(Protocol::Http2);
        }
        // Nothing tells when more has come while there is something to read.
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

async fn speak<S>(
    shared: Arc<Shared>,
    stream: S,
    protocol: Protocol,
    peer: Peer,
    mut closing: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let builder = builder(&shared.limits, protocol);
    let conduct = Conduct::new(shared.limits.aborts_per_second);
    let counted = Arc::clone(&conduct);
    let room = Room::share(&shared.waiting, shared.limits.waiting);
    let unclosed = Unclosed::new(shared.limits.request);
    let line = Arc::new(Line {
        peer,
        room,
        unclosed,
    });
    let figures = Arc::clone(&shared);
    let figures = &figures.figures;
    let turn = Turn::new();
    let mut busy = Busy::new(PollSemaphore::new(Arc::clone(&shared.busy)));
    let _turns = Turns(Arc::clone(&turn));
    let heads = (protocol == Protocol::Http2).then(|| {
        let wide = shared.limits.header_list as usize / 2;
        Heads::new(wide, Arc::clone(&conduct))
    });
    let stream = TokioIo::new(Fair::new(
        stream,
        Arc::clone(&turn),
        Arc::clone(&conduct),
        heads,
    ));
    let asked = Arc::clone(&turn);
    let answer = service_fn(move |request| {
        // HTTP/1.1 answers one request at a time.
        let is_many = protocol == Protocol::Http2;
        let waiting = is_many.then(|| asked.request()).flatten();
        let under_way = counted.begin();
        let unanswered = asked.unanswered();
        let (shared, line) = (Arc::clone(&shared), Arc::clone(&line));
        async move {
            let response = route(shared, line, request, under_way, waiting).await;
            drop(unanswered);
            response
        }
    });
    let mut serving = std::pin::pin!(builder.serve_connection(stream, answer));
    let mut is_closing = false;
    loop {
        let in_turns = poll_fn(|context| {
            ready!(busy.poll_turn(context));
            turn.begin(Instant::now());
            let polled = serving.as_mut().poll(context);
            busy.had_turn(turn.is_used_up(Instant::now()));
            polled
        });
        tokio::select! {
            // Whatever goes wrong with a connection is its caller's to see.
            _ = in_turns => return,
            () = conduct.too_much() => return figures.cut.add(),
            () = closed(&mut closing), if !is_closing => {
                is_closing = true;
                serving.as_mut().graceful_shutdown();
            }
        }
    }
}

fn builder(limits: &Limits, protocol: Protocol) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.request)
        .max_buf_size(limits.header_list as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .auto_date_header(false)
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(limits.header_list)
        .keep_alive_interval(limits.keep_alive)
        .keep_alive_timeout(limits.keep_alive_timeout);
    match protocol {
        Protocol::Http1 => builder.http1_only(),
        Protocol::Http2 => builder.http2_only(),
    }
}
