//! An open loop of questions, so that a slow answer does not slow the questions.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

pub(super) const PER_SECOND: u32 = 50;
/// Enough that one is always free: 32 questions under way at 50 per second mean answers that take 640 ms.
pub(super) const ASKERS: usize = 32;

/// Asks `total` times, `per_second`; every answer's time counts from when its question was due, so that waiting for a
/// free asker counts too. The times in seconds, sorted.
pub(super) fn open_loop(
    total: u32,
    per_second: u32,
    ask: impl Fn(u32) -> Result<()> + Sync,
) -> Result<Vec<f64>> {
    let next = AtomicU32::new(0);
    let times = Mutex::new(Vec::new());
    let failure = Mutex::new(None);
    let begin = Instant::now();
    thread::scope(|scope| {
        for _ in 0..ASKERS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= total {
                        return;
                    }
                    let due = begin + Duration::from_secs(1) * number / per_second;
                    thread::sleep(due.saturating_duration_since(Instant::now()));
                    match ask(number) {
                        Ok(()) => times
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .push(due.elapsed().as_secs_f64()),
                        Err(error) => {
                            next.store(total, Ordering::Relaxed);
                            failure
                                .lock()
                                .unwrap_or_else(PoisonError::into_inner)
                                .get_or_insert(error);
                            return;
                        }
                    }
                }
            });
        }
    });
    if let Some(error) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let mut times = times.into_inner().unwrap_or_else(PoisonError::into_inner);
    times.sort_by(f64::total_cmp);
    Ok(times)
}

/// Nearest rank; `values` are sorted.
pub(super) fn percentile(values: &[f64], percent: usize) -> f64 {
    let rank = (values.len() * percent).div_ceil(100).max(1);
    values.get(rank - 1).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let values: Vec<f64> = (1..=200).map(f64::from).collect();
        for (percent, expected) in [(99, 198.0), (50, 100.0), (100, 200.0), (0, 1.0)] {
            assert!(
                (percentile(&values, percent) - expected).abs() < f64::EPSILON,
                "{percent}"
            );
        }
        assert!(percentile(&[], 99).is_nan());
    }

    #[test]
    fn the_loop_stays_open_while_answers_wait() -> Result<()> {
        // The first question is answered only once ten later ones have been asked: a closed loop would never get there.
        let asked = AtomicU32::new(0);
        let times = open_loop(20, 1000, |number| {
            asked.fetch_add(1, Ordering::SeqCst);
            let begin = Instant::now();
            while number == 0 && asked.load(Ordering::SeqCst) < 11 {
                if begin.elapsed() > Duration::from_secs(20) {
                    bail!("nobody else asks");
                }
                thread::yield_now();
            }
            Ok(())
        })?;
        assert_eq!(times.len(), 20);
        Ok(())
    }

    #[test]
    fn one_failure_fails_the_loop() {
        let result = open_loop(50, 1000, |number| {
            if number == 7 {
                bail!("status 500")
            } else {
                Ok(())
            }
        });
        assert_eq!(result.expect_err("it failed").to_string(), "status 500");
    }
}
