//! What was found out about a provider or an issuer, and is kept for a while: looked for when it is first needed, and again when it is
//! old or somebody brings a key that it does not hold.

use std::sync::Arc;

use model::Timestamp;
use model::time::{HOUR, MINUTE, SECOND};
use tokio::sync::Mutex;

use super::ask::ProviderError;

/// So long what was found out is good.
const FRESH: i64 = HOUR;
/// So long one that did not answer is left alone: nobody waits behind all who wait for it.
const PAUSE: i64 = 3 * SECOND;
/// Keys that are not known are asked for once in so long.
const RENEWED: i64 = MINUTE;

/// The exchange's time.
pub(super) type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

pub(super) struct Kept<T> {
    now: Now,
    state: Mutex<State<T>>,
}

struct State<T> {
    found: Option<(Arc<T>, Timestamp)>,
    failed_at: Option<Timestamp>,
    renewed_at: Option<Timestamp>,
}

impl<T> Kept<T> {
    pub(super) fn new(now: Now) -> Self {
        let state = State {
            found: None,
            failed_at: None,
            renewed_at: None,
        };
        Self {
            now,
            state: Mutex::new(state),
        }
    }

    /// What is known; found out by `find` where it is not, or not any more.
    pub(super) async fn get(
        &self,
        find: impl Future<Output = Result<T, ProviderError>>,
    ) -> Result<Arc<T>, ProviderError> {
        let mut state = self.state.lock().await;
        let now = (self.now)();
        if let Some((found, at)) = &state.found
            && now.since(*at) < FRESH
        {
            return Ok(Arc::clone(found));
        }
        let old = state.found.as_ref().map(|(found, _)| Arc::clone(found));
        if state.failed_at.is_some_and(|at| now.since(at) < PAUSE) {
            return old.ok_or_else(|| {
                ProviderError::Unreachable("it did not answer a moment ago".to_owned())
            });
        }
        match (self.find(&mut state, find).await, old) {
            (Err(error), Some(old)) => {
                tracing::warn!(%error, "what was known of the provider of identities is kept");
                Ok(old)
            }
            (found, _) => found,
        }
    }

    /// The same anew, for a token that is signed with a key that `seen` does not hold.
    pub(super) async fn renewed(
        &self,
        seen: &Arc<T>,
        find: impl Future<Output = Result<T, ProviderError>>,
    ) -> Result<Arc<T>, ProviderError> {
        let mut state = self.state.lock().await;
        if let Some((found, _)) = &state.found
            && !Arc::ptr_eq(found, seen)
        {
            return Ok(Arc::clone(found));
        }
        let now = (self.now)();
        if state.renewed_at.is_some_and(|at| now.since(at) < RENEWED) {
            return Ok(Arc::clone(seen));
        }
        state.renewed_at = Some(now);
        self.find(&mut state, find).await
    }

    async fn find(
        &self,
        state: &mut State<T>,
        find: impl Future<Output = Result<T, ProviderError>>,
    ) -> Result<Arc<T>, ProviderError> {
        let found = find.await;
        let now = (self.now)();
        match found {
            Ok(found) => {
                let found = Arc::new(found);
                state.found = Some((Arc::clone(&found), now));
                state.failed_at = None;
                Ok(found)
            }
            Err(error) => {
                state.failed_at = Some(now);
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use model::{Clock as _, ManualClock};

    use super::*;

    #[tokio::test]
    async fn what_is_known_is_asked_for_again_now_and_then() {
        let clock = Arc::new(ManualClock::at(Timestamp::default()));
        let of_kept = Arc::clone(&clock);
        let now: Now = Arc::new(move || of_kept.now());
        let kept = Kept::new(now);
        let asked = AtomicU32::new(0);
        let find = || async { Ok::<u32, ProviderError>(asked.fetch_add(1, Ordering::Relaxed)) };
        let first = kept.get(find()).await.unwrap();
        assert_eq!(*first, 0);
        assert_eq!(*kept.get(find()).await.unwrap(), 0, "it is fresh");
        // A key that is not known.
        let second = kept.renewed(&first, find()).await.unwrap();
        assert_eq!(*second, 1);
        let of_late_comer = kept.renewed(&first, find()).await.unwrap();
        assert_eq!(*of_late_comer, 1, "what came meanwhile is what is wanted");
        assert_eq!(*kept.renewed(&second, find()).await.unwrap(), 1, "too soon");
        clock.advance(RENEWED);
        assert_eq!(*kept.renewed(&second, find()).await.unwrap(), 2);
        clock.advance(FRESH);
        assert_eq!(*kept.get(find()).await.unwrap(), 3, "it was old");
        // Who does not answer is left alone for a while, and what was known counts on.
        clock.advance(FRESH);
        let fail = || async { Err(ProviderError::Unreachable("down".to_owned())) };
        assert_eq!(*kept.get(fail()).await.unwrap(), 3);
        assert_eq!(*kept.get(find()).await.unwrap(), 3);
        clock.advance(PAUSE);
        assert_eq!(*kept.get(find()).await.unwrap(), 4);
        let unknown = Kept::<u32>::new(Arc::new(Timestamp::default));
        assert!(unknown.get(fail()).await.is_err());
        assert!(unknown.get(find()).await.is_err(), "a moment ago");
        assert_eq!(asked.load(Ordering::Relaxed), 5);
    }
}
