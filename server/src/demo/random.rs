//! Seeded randomness: the same seed makes the same world, on every machine and for all time. No library promises that
//! across its versions, so the few lines stand here.

/// splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators").
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    /// A stream of its own for each `seed`, `what` and `number`.
    pub(super) fn new(seed: u64, what: &str, number: u64) -> Self {
        let hash = what.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        let mut random =
            Self(seed ^ hash.rotate_left(17) ^ number.wrapping_mul(0xa076_1d64_78bd_642f));
        random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From `low` to `high`, both included.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        let width = u64::try_from(high.saturating_sub(low))
            .unwrap_or(0)
            .saturating_add(1);
        // The slight skew of the remainder is of no account here.
        low.saturating_add_unsigned(self.next() % width)
    }

    /// The same, fewer of the high ones.
    pub(super) fn mostly_low(&mut self, low: i64, high: i64) -> i64 {
        self.between(low, high).min(self.between(low, high))
    }

    pub(super) fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.next() % (length.max(1) as u64)).unwrap_or(0)
    }

    pub(super) fn chance(&mut self, percent: u32) -> bool {
        self.next() % 100 < u64::from(percent)
    }

    pub(super) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.index(of.len())]
    }

    /// An index into `weights`, the heavier the likelier.
    pub(super) fn weighted(&mut self, weights: impl Iterator<Item = u32> + Clone) -> usize {
        let total: u64 = weights.clone().map(u64::from).sum();
        let mut at = self.next() % total.max(1);
        for (index, weight) in weights.enumerate() {
            if at < u64::from(weight) {
                return index;
            }
            at -= u64::from(weight);
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_says_the_same() {
        let draw = |seed, what, number| {
            let mut random = Random::new(seed, what, number);
            [(); 4].map(|()| random.between(0, 1_000_000))
        };
        assert_eq!(draw(1, "visits", 3), draw(1, "visits", 3));
        assert_ne!(draw(1, "visits", 3), draw(1, "visits", 4));
        assert_ne!(draw(1, "visits", 3), draw(1, "claims", 3));
        assert_ne!(draw(1, "visits", 3), draw(2, "visits", 3));
    }

    #[test]
    fn draws_stay_in_their_bounds() {
        let mut random = Random::new(7, "bounds", 0);
        for _ in 0..10_000 {
            assert!((-3..=5).contains(&random.between(-3, 5)));
            assert!((0..=9).contains(&random.mostly_low(0, 9)));
            assert!(random.index(3) < 3);
            assert!(random.weighted([0, 5, 1].into_iter()) > 0);
        }
        assert_eq!(random.between(4, 4), 4);
    }
}
