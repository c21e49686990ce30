//! Header lists, seen as they come, before anything is decoded.
//!
//! To decode one is what costs most of a request without a message, and the library answers those that are too large by
//! itself: nobody would see how many a caller sends.

use std::sync::Arc;

use crate::abuse::Conduct;

/// How the client's side of a connection begins (RFC 9113, section 3.4).
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const FRAME_HEAD: usize = 9;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;

/// Watches what comes in on an HTTP/2 connection.
#[derive(Debug)]
pub(crate) struct Heads {
    conduct: Arc<Conduct>,
    most: usize,
    /// Bytes to go until the next frame.
    payload: usize,
    head: Vec<u8>,
    /// Bytes of the header list that is coming.
    list: usize,
}

impl Heads {
    /// Counts header lists of more than `most` bytes, as they are sent.
    pub(crate) fn new(most: usize, conduct: Arc<Conduct>) -> Self {
        Self {
            conduct,
            most,
            payload: PREFACE.len(),
            head: Vec::with_capacity(FRAME_HEAD),
            list: 0,
        }
    }

    /// The next bytes have come.
    pub(crate) fn see(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let wanted = if self.payload > 0 {
                self.payload
            } else {
                FRAME_HEAD - self.head.len()
            };
            let (part, rest) = bytes.split_at(wanted.min(bytes.len()));
            bytes = rest;
            if self.payload > 0 {
                self.payload -= part.len();
            } else {
                self.head.extend_from_slice(part);
                self.frame();
            }
        }
    }

    fn frame(&mut self) {
        let &[high, middle, low, kind, ..] = self.head.as_slice() else {
            return;
        };
        if self.head.len() < FRAME_HEAD {
            return;
        }
        self.head.clear();
        self.payload = u32::from_be_bytes([0, high, middle, low]) as usize;
        let before = match kind {
            HEADERS => 0,
            CONTINUATION => self.list,
            _ => return,
        };
        self.list = before.saturating_add(self.payload);
        if before <= self.most && self.list > self.most {
            self.conduct.wide_head();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: usize = 100;

    fn frame(kind: u8, length: u8) -> Vec<u8> {
        let mut frame = vec![0, 0, length, kind, 4, 0, 0, 0, 1];
        // Whatever is in it is not taken for a frame.
        frame.extend(vec![HEADERS; length.into()]);
        frame
    }

    /// Whether three times these frames are too much, however they are cut.
    fn is_too_much(frames: &[Vec<u8>]) -> bool {
        let mut sent = PREFACE.to_vec();
        for _ in 0..=Conduct::WIDE_HEADS {
            sent.extend(frames.concat());
        }
        let found = [1, 7, 64, sent.len()].map(|piece| {
            let conduct = Conduct::new(1000);
            let mut heads = Heads::new(MOST, Arc::clone(&conduct));
            sent.chunks(piece).for_each(|part| heads.see(part));
            conduct.is_too_much()
        });
        assert!(found.iter().all(|one| *one == found[0]));
        found[0]
    }

    #[test]
    fn wide_header_lists_are_counted_in_one_frame_or_several() {
        assert!(is_too_much(&[frame(HEADERS, 101)]));
        assert!(is_too_much(&[
            frame(HEADERS, 60),
            frame(CONTINUATION, 40),
            frame(CONTINUATION, 1)
        ]));
    }

    #[test]
    fn others_are_not_nor_is_anything_else() {
        assert!(!is_too_much(&[frame(HEADERS, 100)]));
        assert!(!is_too_much(&[frame(HEADERS, 60), frame(CONTINUATION, 40)]));
        assert!(!is_too_much(&[frame(HEADERS, 60), frame(HEADERS, 60)]));
        assert!(!is_too_much(&[
            frame(0, 255),
            frame(HEADERS, 10),
            frame(0, 255)
        ]));
    }
}
