//! Refusals told one by one up to a number, the rest as a count, so that nobody can flood the audit.
//!
//! Whoever may present tokens can present bad ones as fast as the network lets it. Within a minute the first refusals of
//! a kind get a row each; what comes after them is counted, and the minute's end adds one row with the count.

use std::collections::HashMap;

use crate::proto::internal::Effect;

/// Events that a caller can bring about as often as it likes.
const ENDLESS: [&str; 5] = [
    "caller.refused",
    "proof.refused",
    "refresh.refused",
    "refresh.step_up_required",
    "token.refused",
];
/// How long refusals of a kind are counted together.
const WINDOW_MS: i64 = 60_000;
/// Rows a minute and kind, where no session is known.
const TOLD: u32 = 20;
/// Rows a minute and kind of one session: a token of it must be good for that.
const TOLD_OF_SESSION: u32 = 5;
/// Kinds that are kept apart at a time. While there are so many, further sessions are counted together.
const MOST_KINDS: usize = 4096;

/// What is counted together. Everything in it is known to Argus, not made up by who presents a token.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Kind {
    tenant_id: String,
    caller: String,
    event: String,
    reason: String,
    session_id: String,
}

#[derive(Debug)]
struct Window {
    end_ms: i64,
    told: u32,
    untold: u32,
}

/// Refusals of the present minute, by kind.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    windows: HashMap<Kind, Window>,
}

impl Tally {
    /// Whether an effect gets a row of its own; otherwise it is counted.
    pub(crate) fn tells(&mut self, effect: &Effect) -> bool {
        if !ENDLESS.contains(&effect.event.as_str()) {
            return true;
        }
        let kind = self.kind(effect);
        let most = if kind.session_id.is_empty() {
            TOLD
        } else {
            TOLD_OF_SESSION
        };
        let window = self.windows.entry(kind).or_insert_with(|| Window {
            end_ms: effect.time_ms.saturating_add(WINDOW_MS),
            told: 0,
            untold: 0,
        });
        let tells = window.told < most;
        if tells {
            window.told += 1;
        } else {
            window.untold = window.untold.saturating_add(1);
        }
        tells
    }

    /// Ends the minutes that are over: a row for each that had more refusals than were told.
    pub(crate) fn close(&mut self, now_ms: i64) -> Vec<Effect> {
        let over = self.windows.extract_if(|_, window| now_ms >= window.end_ms);
        over.filter(|(_, window)| window.untold > 0)
            .map(|(kind, window)| Effect {
                tenant_id: kind.tenant_id,
                session_id: kind.session_id,
                caller: kind.caller,
                event: kind.event,
                outcome: "failure".to_owned(),
                reason: kind.reason,
                time_ms: window.end_ms,
                count: window.untold,
                ..Effect::default()
            })
            .collect()
    }

    fn kind(&self, effect: &Effect) -> Kind {
        let mut kind = Kind {
            tenant_id: effect.tenant_id.clone(),
            caller: effect.caller.clone(),
            event: effect.event.clone(),
            reason: effect.reason.clone(),
            session_id: effect.session_id.clone(),
        };
        if self.windows.len() >= MOST_KINDS && !self.windows.contains_key(&kind) {
            kind.session_id.clear();
        }
        kind
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(session_id: &str, time_ms: i64) -> Effect {
        Effect {
            tenant_id: "acme".to_owned(),
            caller: "web".to_owned(),
            event: "token.refused".to_owned(),
            reason: "signature".to_owned(),
            session_id: session_id.to_owned(),
            time_ms,
            ..Effect::default()
        }
    }

    fn told(tally: &mut Tally, session_id: &str, count: u32) -> u32 {
        let tells = (0..count).filter(|_| tally.tells(&refused(session_id, 0)));
        u32::try_from(tells.count()).unwrap_or_default()
    }

    #[test]
    fn a_flood_is_some_rows_and_a_count() {
        let mut tally = Tally::default();
        assert_eq!(told(&mut tally, "", 10_000), TOLD);
        assert_eq!(tally.close(WINDOW_MS - 1), []);
        let rows = tally.close(WINDOW_MS);
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].count, 10_000 - TOLD);
        assert_eq!(rows[0].time_ms, WINDOW_MS);
        assert_eq!(rows[0].reason, "signature");
        assert_eq!(tally.close(i64::MAX), []);
        assert_eq!(told(&mut tally, "", 1), 1, "the next minute tells again");
    }

    #[test]
    fn sessions_and_classes_do_not_drown_each_other() {
        let mut tally = Tally::default();
        assert_eq!(told(&mut tally, "", 100), TOLD);
        assert_eq!(told(&mut tally, "one", 100), TOLD_OF_SESSION);
        assert_eq!(told(&mut tally, "two", 3), 3);
        let other = Effect {
            reason: "exp".to_owned(),
            ..refused("", 0)
        };
        assert!(tally.tells(&other));
        assert_eq!(tally.close(WINDOW_MS).len(), 2);
    }

    #[test]
    fn only_what_can_be_repeated_without_end_is_counted() {
        let mut tally = Tally::default();
        let alarm = Effect {
            event: "key.compromise_suspected".to_owned(),
            ..refused("", 0)
        };
        assert!((0..1000).all(|_| tally.tells(&alarm)));
        assert!(tally.windows.is_empty());
    }

    #[test]
    fn kinds_are_bounded() {
        let mut tally = Tally::default();
        for number in 0..2 * MOST_KINDS {
            tally.tells(&refused(&number.to_string(), 0));
        }
        assert_eq!(tally.windows.len(), MOST_KINDS + 1);
        let together: u32 = tally.close(WINDOW_MS).iter().map(|row| row.count).sum();
        assert_eq!(together as usize, MOST_KINDS - TOLD as usize);
    }
}
