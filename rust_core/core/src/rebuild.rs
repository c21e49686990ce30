//! What becomes of a session's key when it is rebuilt from `PostgreSQL`: the twin of the Redis function `rebuild`
//! (`lua/rebuild.lua`).

use crate::record::{Lineage, SessionRecord, State, Stored, Tombstone};

/// What `rebuild` did; the codes are the function's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Rebuilt {
    /// What was given, with what an older process knew, was written.
    Written = 0,
    /// The node is another one than what was given was read for.
    OtherLineage = 1,
    /// A current value exists that is not overtaken: another rebuild, a rotation or an end was faster.
    Exists = 2,
}

/// Rebuilds; answers what was done and the value of the key afterwards.
///
/// # Arguments
///
/// * `stored` - value of the session's key; empty: no such key.
/// * `node` - lineage of the node that holds it.
/// * `expected` - lineage that was read before `PostgreSQL` was.
/// * `given` - what `PostgreSQL` knows.
#[must_use]
pub fn rebuild(
    stored: &[u8],
    node: Lineage,
    expected: Lineage,
    given: Stored,
) -> (Rebuilt, Vec<u8>) {
    if expected != node {
        return (Rebuilt::OtherLineage, stored.to_vec());
    }
    let old = Stored::decode(stored).ok();
    if let Some(current) = old.as_ref().filter(|old| old.lineage() == node)
        && !is_overtaken(current, &given)
    {
        return (Rebuilt::Exists, stored.to_vec());
    }
    let merged = match old {
        Some(old) => merge(given, old),
        None => given,
    };
    (Rebuilt::Written, stamped(merged, node))
}

/// Ends and families are in `PostgreSQL` first: a living record is behind both, whoever wrote it. Of one family a current
/// record always knows more.
fn is_overtaken(current: &Stored, given: &Stored) -> bool {
    match (current, given) {
        (Stored::Ended(_), _) => false,
        (Stored::Living(_), Stored::Ended(_)) => true,
        (Stored::Living(current), Stored::Living(given)) => current.family < given.family,
    }
}

/// Puts what an older process knew of a session into what `PostgreSQL` knows: ended if either says so (the first end
/// stays what it was), the later idle deadline; of the same family the higher generation with its time and maker, and
/// contested if either says so. A family that was left never comes back: it is `PostgreSQL` then that was set back.
fn merge(given: Stored, old: Stored) -> Stored {
    let (mut new, old) = match (given, old) {
        (_, old @ Stored::Ended(_)) => return old,
        (given @ Stored::Ended(_), _) => return given,
        (Stored::Living(new), Stored::Living(old)) if old.family > new.family => {
            return Stored::Living(old);
        }
        (Stored::Living(new), Stored::Living(old)) => (new, old),
    };
    let idle_deadline = new.idle_deadline.max(old.idle_deadline);
    new.idle_deadline = idle_deadline.min(new.absolute_deadline);
    if old.family == new.family {
        if old.generation >= new.generation {
            new = SessionRecord {
                generation: old.generation,
                made: old.made,
                is_made_by_rotation: old.is_made_by_rotation,
                attempt: old.attempt,
                print: old.print,
                ..new
            };
        }
        if old.state == State::Contested {
            new.state = State::Contested;
        }
    }
    Stored::Living(new)
}

/// The value under the stamp of a node. A living record is marked: writes may have been lost.
fn stamped(stored: Stored, lineage: Lineage) -> Vec<u8> {
    match stored {
        Stored::Ended(tombstone) => Tombstone {
            lineage,
            ..tombstone
        }
        .encode(),
        Stored::Living(record) => SessionRecord {
            lineage,
            is_rebuilt: true,
            ..record
        }
        .encode(),
    }
}

#[cfg(test)]
mod tests;
