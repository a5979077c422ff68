//! What was found out about a provider or an issuer, and is kept for a while: looked for when it is first needed, and again when it is
//! old or somebody brings a key that it does not hold.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::Timestamp;
use model::time::{HOUR, MINUTE, SECOND};

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
    /// Held by who asks. Whoever can do with what is known does not wait for it: anybody may bring a key that makes us ask.
    asking: tokio::sync::Mutex<()>,
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
            asking: tokio::sync::Mutex::new(()),
        }
    }

    /// What is known; found out by `find` where it is not, or not any more.
    pub(super) async fn get(
        &self,
        find: impl Future<Output = Result<T, ProviderError>>,
    ) -> Result<Arc<T>, ProviderError> {
        if let Some(found) = self.fresh() {
            return Ok(found);
        }
        let old = self.known();
        let _asking = match &old {
            // Somebody asks already; until then what was known counts on.
            Some(old) => match self.asking.try_lock() {
                Ok(asking) => asking,
                Err(_) => return Ok(Arc::clone(old)),
            },
            None => self.asking.lock().await,
        };
        // Found out while we waited.
        if let Some(found) = self.fresh() {
            return Ok(found);
        }
        let now = (self.now)();
        let failed_at = self.state().failed_at;
        if failed_at.is_some_and(|at| now.since(at) < PAUSE) {
            return old.ok_or_else(|| {
                ProviderError::Unreachable("it did not answer a moment ago".to_owned())
            });
        }
        match (self.find(find).await, old) {
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
        let _asking = self.asking.lock().await;
        let newer = self.known().filter(|found| !Arc::ptr_eq(found, seen));
        if let Some(newer) = newer {
            return Ok(newer);
        }
        let now = (self.now)();
        let renewed_at = self.state().renewed_at;
        if renewed_at.is_some_and(|at| now.since(at) < RENEWED) {
            return Ok(Arc::clone(seen));
        }
        self.state().renewed_at = Some(now);
        self.find(find).await
    }

    /// What is known and not old.
    fn fresh(&self) -> Option<Arc<T>> {
        let now = (self.now)();
        let state = self.state();
        let (found, at) = state.found.as_ref()?;
        (now.since(*at) < FRESH).then(|| Arc::clone(found))
    }

    /// What is known, old or not.
    fn known(&self) -> Option<Arc<T>> {
        let state = self.state();
        state.found.as_ref().map(|(found, _)| Arc::clone(found))
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn find(
        &self,
        find: impl Future<Output = Result<T, ProviderError>>,
    ) -> Result<Arc<T>, ProviderError> {
        let found = find.await.map(Arc::new);
        let now = (self.now)();
        let mut state = self.state();
        match &found {
            Ok(found) => {
                state.found = Some((Arc::clone(found), now));
                state.failed_at = None;
            }
            Err(_) => state.failed_at = Some(now),
        }
        drop(state);
        found
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures::FutureExt as _;
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
        // Nobody waits for who asks one that is slow; and who goes away leaves it to the next.
        clock.advance(FRESH);
        let mut slow = Box::pin(kept.get(std::future::pending()));
        assert!((&mut slow).now_or_never().is_none());
        assert_eq!(*kept.get(find()).await.unwrap(), 4);
        drop(slow);
        assert_eq!(*kept.get(find()).await.unwrap(), 5);
        let unknown = Kept::<u32>::new(Arc::new(Timestamp::default));
        assert!(unknown.get(fail()).await.is_err());
        assert!(unknown.get(find()).await.is_err(), "a moment ago");
        assert_eq!(asked.load(Ordering::Relaxed), 6);
    }
}
