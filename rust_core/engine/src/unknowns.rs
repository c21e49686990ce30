//! Names that the snapshot does not know: each leads to one new reading of the snapshot, not to one a call.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

/// How long an unknown name stays refused after it was asked for.
const REFUSED_MS: i64 = 30_000;
/// Calls that meet the same unknown name so soon after the first one are under way together with it.
const TOGETHER_MS: i64 = 1_000;
/// Most names that are remembered; while so many are asked for, further ones are refused at once.
const CAPACITY: usize = 256;

/// Unknown names that were asked for lately.
#[derive(Debug, Default)]
pub(crate) struct Unknowns {
    asked: Mutex<HashMap<String, Asked>>,
}

#[derive(Debug)]
struct Asked {
    first_ms: i64,
    request_ids: HashSet<String>,
}

impl Unknowns {
    /// Whether a call may have the snapshot read anew because of a name: the first one, and those that come together
    /// with it, once each.
    pub(crate) fn may_ask(&self, name: &str, request_id: &str, now_ms: i64) -> bool {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = asked.get_mut(name)
            && now_ms - entry.first_ms < REFUSED_MS
        {
            return now_ms - entry.first_ms < TOGETHER_MS
                && entry.request_ids.len() < CAPACITY
                && entry.request_ids.insert(request_id.to_owned());
        }
        asked.retain(|_, entry| now_ms - entry.first_ms < REFUSED_MS);
        if asked.len() >= CAPACITY {
            return false;
        }
        let request_ids = HashSet::from([request_id.to_owned()]);
        asked.insert(
            name.to_owned(),
            Asked {
                first_ms: now_ms,
                request_ids,
            },
        );
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_asked_for_once_a_call_and_again_after_half_a_minute() {
        let unknowns = Unknowns::default();
        assert!(unknowns.may_ask("kid", "1", 0));
        assert!(!unknowns.may_ask("kid", "1", 10));
        assert!(
            unknowns.may_ask("kid", "2", 20),
            "a call that was under way together with the first"
        );
        assert!(!unknowns.may_ask("kid", "3", 2_000));
        assert!(unknowns.may_ask("another", "3", 2_000));
        assert!(unknowns.may_ask("kid", "3", 30_000));
    }

    #[test]
    fn many_names_are_not_remembered() {
        let unknowns = Unknowns::default();
        for number in 0..CAPACITY {
            assert!(unknowns.may_ask(&number.to_string(), "1", 0));
        }
        assert!(!unknowns.may_ask("one more", "1", 0));
        assert!(unknowns.may_ask("one more", "1", 30_000));
    }
}
