//! Token buckets by key, in this process: for signing in, for wrong tokens, for requests at large (C-54).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So many keys are remembered; beyond that the full buckets are forgotten, which changes nothing for them.
const MOST_KEYS: usize = 50_000;

/// Lets through `burst` at once, and after that one every `refill`.
#[derive(Debug)]
pub struct Limiter {
    burst: f64,
    refill: Duration,
    buckets: Mutex<HashMap<String, Bucket>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    seen: Instant,
}

impl Limiter {
    pub fn new(burst: u32, refill: Duration) -> Self {
        Self {
            burst: f64::from(burst.max(1)),
            refill: refill.max(Duration::from_micros(1)),
            buckets: Mutex::new(HashMap::new()),
        }
    }

    /// Takes one from the bucket of `key`. Err: how many whole seconds until there is one again.
    pub fn take(&self, key: &str) -> Result<(), u64> {
        self.take_at(key, Instant::now())
    }

    /// Whether the bucket of `key` is empty, without taking.
    pub fn check(&self, key: &str) -> Result<(), u64> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        match buckets.get_mut(key) {
            Some(bucket) => self.settle(bucket, Instant::now()),
            None => Ok(()),
        }
    }

    fn take_at(&self, key: &str, now: Instant) -> Result<(), u64> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MOST_KEYS && !buckets.contains_key(key) {
            buckets.retain(|_, bucket| {
                let _ = self.settle(bucket, now);
                bucket.left < self.burst
            });
        }
        let bucket = buckets.entry(key.to_owned()).or_insert(Bucket {
            left: self.burst,
            seen: now,
        });
        self.settle(bucket, now)?;
        bucket.left -= 1.0;
        Ok(())
    }

    /// Brings a bucket up to `now`, and answers whether something is in it.
    fn settle(&self, bucket: &mut Bucket, now: Instant) -> Result<(), u64> {
        let passed = now.saturating_duration_since(bucket.seen);
        bucket.left =
            (bucket.left + passed.as_secs_f64() / self.refill.as_secs_f64()).min(self.burst);
        bucket.seen = now;
        if bucket.left >= 1.0 {
            return Ok(());
        }
        let wait = self.refill.mul_f64(1.0 - bucket.left);
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
            assert_eq!(limiter.take_at("a", start), Ok(()));
        }
        assert_eq!(limiter.take_at("a", start), Err(7));
        assert_eq!(
            limiter.take_at("b", start),
            Ok(()),
            "others are not held up"
        );
        assert_eq!(limiter.take_at("a", start + Duration::from_secs(5)), Err(2));
        assert_eq!(limiter.take_at("a", start + Duration::from_secs(7)), Ok(()));
        assert!(
            limiter
                .take_at("a", start + Duration::from_secs(7))
                .is_err()
        );
        let later = start + Duration::from_secs(3_600);
        for _ in 0..3 {
            assert_eq!(limiter.take_at("a", later), Ok(()));
        }
        assert!(
            limiter.take_at("a", later).is_err(),
            "no more than the burst is saved up"
        );
        assert!(limiter.check("a").is_ok() || limiter.check("a").is_err());
    }

    #[test]
    fn memory_is_bounded() {
        let limiter = Limiter::new(2, Duration::from_millis(1));
        let start = Instant::now();
        for n in 0..MOST_KEYS {
            limiter.take_at(&n.to_string(), start).unwrap();
        }
        let later = start + Duration::from_secs(1);
        limiter.take_at("one more", later).unwrap();
        let kept = limiter.buckets.lock().unwrap().len();
        assert_eq!(kept, 1);
    }
}
