//! Until when URLs live, as far as this process has had it noted: what is noted already need not be written again, however
//! many answers follow, for URLs that are made within the same half minute end together.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use model::time::SECOND;
use model::{GrantId, RecipientTokenId, Timestamp};
use storage::MIN_TTL;
use tokio::sync::MutexGuard;

use super::micros;

/// The instants at which URLs end lie so far from each other, in microseconds.
const STEP: i64 = 30 * SECOND;

/// So many notes are remembered; beyond that those of the past are forgotten, and if none is, all: they are only written again.
const MOST: usize = 10_000;

/// For whom it is noted: the grant, the credential, and whether stores have signed, which is noted apart.
pub(super) type Holder = (GrantId, RecipientTokenId, bool);

#[derive(Debug, Default)]
pub(super) struct Notes(Mutex<HashMap<Holder, Arc<Note>>>);

/// What is noted for one of them.
#[derive(Debug)]
pub(super) struct Note {
    /// In microseconds.
    until: AtomicI64,
    writing: tokio::sync::Mutex<()>,
}

impl Notes {
    pub(super) fn of(&self, holder: Holder, now: Timestamp) -> Arc<Note> {
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if notes.len() >= MOST && !notes.contains_key(&holder) {
            notes.retain(|_, note| note.covers(now));
            if notes.len() >= MOST {
                notes.clear();
            }
        }
        Arc::clone(notes.entry(holder).or_default())
    }
}

impl Default for Note {
    fn default() -> Self {
        Self {
            until: AtomicI64::new(i64::MIN),
            writing: tokio::sync::Mutex::default(),
        }
    }
}

impl Note {
    /// Whether it is noted that URLs live until `last`.
    pub(super) fn covers(&self, last: Timestamp) -> bool {
        last.micros() <= self.until.load(Ordering::Acquire)
    }

    /// One writes at a time; who waited looks again first.
    pub(super) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().await
    }

    pub(super) fn noted(&self, last: Timestamp) {
        self.until.fetch_max(last.micros(), Ordering::AcqRel);
    }
}

/// When URLs end that are made `now` and are to live for `life`: at the step before, or after it where they would live shorter
/// than stores sign.
pub(super) fn end_of(now: Timestamp, life: Duration) -> Timestamp {
    let end = now.plus(micros(life));
    let step = end.plus(-end.micros().rem_euclid(STEP));
    match step.since(now) >= micros(MIN_TTL) {
        true => step,
        false => step.plus(STEP),
    }
}

/// How long that is, in whole seconds: a store counts from the second that has begun.
pub(super) fn life_until(end: Timestamp, now: Timestamp) -> Duration {
    let micros = u64::try_from(end.since(now)).unwrap_or(0);
    Duration::from_secs(micros.div_ceil(SECOND.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use model::time::{HOUR, MINUTE};
    use storage::MAX_TTL;

    use super::*;

    #[test]
    fn urls_of_the_same_half_minute_end_together_and_within_what_stores_sign() {
        let noon = Timestamp::from_micros(12 * HOUR);
        let mut ends = Vec::new();
        for second in 0..60 {
            let now = noon.plus(second * SECOND + 400_000);
            for life in [MIN_TTL, Duration::from_secs(1_000), MAX_TTL] {
                let end = end_of(now, life);
                assert!(end.since(now) >= micros(MIN_TTL) && end.since(now) <= micros(MAX_TTL));
                assert!(end.since(now) > micros(life) - STEP);
                // From the second that has begun a store comes to the same end.
                let begun = noon.plus(second * SECOND);
                assert_eq!(begun.plus(micros(life_until(end, now))), end);
            }
            ends.push(end_of(now, MAX_TTL));
        }
        ends.dedup();
        assert_eq!(ends, [noon.plus(HOUR), noon.plus(HOUR + STEP)]);
    }

    #[test]
    fn what_is_noted_is_known_until_there_are_too_many() {
        let (notes, now) = (Notes::default(), Timestamp::from_micros(HOUR));
        let holder = |at: i64| {
            let at = Timestamp::from_micros(at * MINUTE);
            (GrantId::new(at), RecipientTokenId::new(at), false)
        };
        let first = holder(0);
        notes.of(first, now).noted(now.plus(MINUTE));
        assert!(notes.of(first, now).covers(now.plus(MINUTE)));
        assert!(!notes.of(first, now).covers(now.plus(2 * MINUTE)));
        assert!(!notes.of((first.0, first.1, true), now).covers(now));
        // Those of the past make room.
        for at in 1..=i64::try_from(MOST).unwrap() {
            notes.of(holder(at), now).noted(now.plus(-1));
        }
        assert!(notes.of(first, now).covers(now.plus(MINUTE)));
        assert!(notes.0.lock().unwrap().len() < MOST);
    }
}
