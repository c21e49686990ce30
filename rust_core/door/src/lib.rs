//! The front door: one port for gRPC and HTTP.
//!
//! Hot calls are answered here by the engine. Every other gRPC call goes on to the Python server behind it, and every
//! other HTTP request to the HTTP edge, both unchanged and over unix sockets. What a caller says about itself in
//! metadata that the door sets is taken out, always.

mod abuse;
mod body;
mod busy;
mod connection;
mod documents;
mod fair;
mod figures;
mod framing;
mod heads;
mod hot;
mod identity;
mod limits;
mod listener;
mod pass;
mod room;
mod route;
mod sent;
mod status;
mod tls;
mod turn;
mod unclosed;
mod upstream;

pub use figures::{BUCKETS, Counted, Handled, Timed};
pub use limits::Limits;
pub use listener::{Door, OpenError, Options};
pub use tls::{Certificate, CertificateError};
