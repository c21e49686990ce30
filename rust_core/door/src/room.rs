//! Room in memory for requests that have begun and not yet come whole.
//!
//! Whoever sends the beginnings of many large requests would otherwise fill the memory before anybody has asked who
//! calls. A request that comes in one piece needs no room.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// One connection has this part of the room, so that it takes several to fill it.
const SHARES: usize = 8;

/// Room of a connection, within that of all.
#[derive(Debug, Clone)]
pub(crate) struct Room {
    all: Arc<Semaphore>,
    own: Arc<Semaphore>,
}

/// What a request takes of it until it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Held(Vec<OwnedSemaphorePermit>);

impl Room {
    /// Room for one more connection, within so many bytes for all.
    pub(crate) fn share(all: &Arc<Semaphore>, bytes: usize) -> Self {
        Self {
            all: Arc::clone(all),
            own: Arc::new(Semaphore::new(bytes / SHARES)),
        }
    }

    /// Takes so many bytes more; false: there is no room for them.
    pub(crate) fn take(&self, bytes: usize, held: &mut Held) -> bool {
        let Ok(bytes) = u32::try_from(bytes) else {
            return false;
        };
        for semaphore in [&self.own, &self.all] {
            match Arc::clone(semaphore).try_acquire_many_owned(bytes) {
                Ok(permit) => held.add(permit),
                Err(_) => return false,
            }
        }
        true
    }
}

impl Held {
    /// One permit for each semaphore, however often something is added.
    fn add(&mut self, permit: OwnedSemaphorePermit) {
        let of_same =
            |held: &&mut OwnedSemaphorePermit| Arc::ptr_eq(held.semaphore(), permit.semaphore());
        match self.0.iter_mut().find(of_same) {
            Some(held) => held.merge(permit),
            None => self.0.push(permit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_connection_takes_more_than_its_share_and_all_together_no_more_than_there_is() {
        let all = Arc::new(Semaphore::new(800));
        let rooms: Vec<Room> = (0..9).map(|_| Room::share(&all, 800)).collect();
        let mut held: Vec<Held> = Vec::new();
        for room in &rooms[..8] {
            let mut one = Held::default();
            assert!(room.take(60, &mut one) && room.take(40, &mut one));
            assert!(!room.take(1, &mut Held::default()));
            held.push(one);
        }
        assert!(!rooms[8].take(1, &mut Held::default()));
        held.pop();
        assert!(rooms[8].take(100, &mut Held::default()));
        assert!(rooms[7].take(100, &mut Held::default()));
        drop(held);
        assert_eq!(all.available_permits(), 800);
    }
}
