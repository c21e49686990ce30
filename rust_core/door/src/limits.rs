//! What strangers may use up.

use std::time::Duration;

/// Bounds of a door.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Whether gRPC is answered; without it such calls are HTTP requests like all others.
    pub grpc: bool,
    /// Most connections at a time; further ones wait in the system's queue.
    pub connections: usize,
    /// Most streams of one connection at a time.
    pub streams: u32,
    /// Most bytes of the header list of a request.
    pub header_list: u32,
    /// Most bytes of the message of a hot call.
    pub message: usize,
    /// Most bytes of all requests that have begun and not yet come whole; one connection has an eighth of it.
    pub waiting: usize,
    /// Most calls that wait for a server behind the door at a time; more are turned away at once.
    pub passed: usize,
    /// Most calls a second that one connection may give up; beyond it the connection is closed. A header list of more
    /// than half of what it may have counts as a quarter of them.
    pub aborts_per_second: u32,
    /// Longest time until a new connection has said which protocol it speaks, and for TLS has shaken hands.
    pub handshake: Duration,
    /// Longest time that the head of an HTTP/1.1 request may take to arrive, the message of a hot call, and the beginning
    /// of any other request; also the longest silence after it, until the server behind the door has begun to answer.
    pub request: Duration,
    /// Time after which a silent HTTP/2 connection is pinged.
    pub keep_alive: Duration,
    /// Longest time until such a ping is answered.
    pub keep_alive_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            grpc: true,
            connections: 10_000,
            streams: 1000,
            header_list: 64 * 1024,
            message: 2 * 1024 * 1024,
            waiting: 128 * 1024 * 1024,
            passed: 4000,
            aborts_per_second: 200,
            handshake: Duration::from_secs(5),
            request: Duration::from_secs(10),
            keep_alive: Duration::from_secs(30),
            keep_alive_timeout: Duration::from_secs(20),
        }
    }
}
