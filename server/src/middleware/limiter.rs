//! Token buckets by key, in this process: for signing in, for wrong tokens, for requests at large (C-54).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So many keys are remembered; beyond that the full buckets are forgotten, which changes nothing for them.
const MOST_KEYS: usize = 50_000;

/// Lets through `burst` at once, and after that one every `refill`.
#[derive(Debug)]
pub struct Limiter {
    pace: Pace,
    buckets: Mutex<HashMap<String, Bucket>>,
}

/// How much a bucket holds, and how soon there is one more in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    burst: f64,
    refill: Duration,
}

impl Pace {
    pub fn new(burst: u32, refill: Duration) -> Self {
        Self {
            burst: f64::from(burst.max(1)),
            refill: refill.max(Duration::from_micros(1)),
        }
    }

    /// So many a minute, and as many at once.
    pub fn per_minute(count: u32) -> Self {
        Self::new(count, Duration::from_secs(60) / count.max(1))
    }
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    pace: Pace,
    left: f64,
    seen: Instant,
}

impl Limiter {
    pub fn new(burst: u32, refill: Duration) -> Self {
        Self {
            pace: Pace::new(burst, refill),
            buckets: Mutex::new(HashMap::new()),
        }
    }

    /// Takes one from the bucket of `key`. Err: how many whole seconds until there is one again.
    pub fn take(&self, key: &str) -> Result<(), u64> {
        self.take_at(key, self.pace, Instant::now())
    }

    /// The same where `key` has a pace of its own, which may be another one than the last time.
    pub fn take_at_pace(&self, key: &str, pace: Pace) -> Result<(), u64> {
        self.take_at(key, pace, Instant::now())
    }

    /// Whether the bucket of `key` is empty, without taking.
    pub fn check(&self, key: &str) -> Result<(), u64> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        match buckets.get_mut(key) {
            Some(bucket) => bucket.settle(Instant::now()),
            None => Ok(()),
        }
    }

    fn take_at(&self, key: &str, pace: Pace, now: Instant) -> Result<(), u64> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MOST_KEYS && !buckets.contains_key(key) {
            buckets.retain(|_, bucket| {
                let _ = bucket.settle(now);
                bucket.left < bucket.pace.burst
            });
        }
        let bucket = buckets.entry(key.to_owned()).or_insert(Bucket {
            pace,
            left: pace.burst,
            seen: now,
        });
        bucket.pace = pace;
        bucket.settle(now)?;
        bucket.left -= 1.0;
        Ok(())
    }
}

impl Bucket {
    /// Brings it up to `now`, and answers whether something is in it.
    fn settle(&mut self, now: Instant) -> Result<(), u64> {
        let Pace { burst, refill } = self.pace;
        let passed = now.saturating_duration_since(self.seen);
        self.left = (self.left + passed.as_secs_f64() / refill.as_secs_f64()).min(burst);
        self.seen = now;
        if self.left >= 1.0 {
            return Ok(());
        }
        let wait = refill.mul_f64(1.0 - self.left);
        Err(wait.as_secs().saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_one_at_a_time() {
        let limiter = Limiter::new(3, Duration::from_secs(6));
        let start = Instant::now();
        for _ in 0..3 {
            assert_eq!(limiter.take_at("a", limiter.pace, start), Ok(()));
        }
        assert_eq!(limiter.take_at("a", limiter.pace, start), Err(7));
        assert_eq!(
            limiter.take_at("b", limiter.pace, start),
            Ok(()),
            "others are not held up"
        );
        assert_eq!(
            limiter.take_at("a", limiter.pace, start + Duration::from_secs(5)),
            Err(2)
        );
        assert_eq!(
            limiter.take_at("a", limiter.pace, start + Duration::from_secs(7)),
            Ok(())
        );
        assert!(
            limiter
                .take_at("a", limiter.pace, start + Duration::from_secs(7))
                .is_err()
        );
        let later = start + Duration::from_secs(3_600);
        for _ in 0..3 {
            assert_eq!(limiter.take_at("a", limiter.pace, later), Ok(()));
        }
        assert!(
            limiter.take_at("a", limiter.pace, later).is_err(),
            "no more than the burst is saved up"
        );
        assert!(limiter.check("a").is_ok() || limiter.check("a").is_err());
    }

    #[test]
    fn a_key_may_have_a_pace_of_its_own() {
        let limiter = Limiter::new(100, Duration::from_millis(1));
        let (two, one) = (Pace::per_minute(2), Pace::per_minute(1));
        let start = Instant::now();
        for expected in [Ok(()), Ok(()), Err(31)] {
            assert_eq!(limiter.take_at("slow", two, start), expected);
        }
        assert_eq!(limiter.take_at("fast", limiter.pace, start), Ok(()));
        // Another pace holds from the next time on, and gives nothing that was not there.
        assert_eq!(limiter.take_at("slow", one, start), Err(61));
        let later = start + Duration::from_secs(120);
        assert_eq!(limiter.take_at("slow", one, later), Ok(()));
        assert_eq!(limiter.take_at("slow", one, later), Err(61));
    }

    #[test]
    fn memory_is_bounded() {
        let limiter = Limiter::new(2, Duration::from_millis(1));
        let start = Instant::now();
        for n in 0..MOST_KEYS {
            limiter
                .take_at(&n.to_string(), limiter.pace, start)
                .unwrap();
        }
        let later = start + Duration::from_secs(1);
        limiter.take_at("one more", limiter.pace, later).unwrap();
        let kept = limiter.buckets.lock().unwrap().len();
        assert_eq!(kept, 1);
    }
}
