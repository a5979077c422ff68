//! Money as the advisor reckons it: in 10⁻¹⁸ of a currency's unit, so that what is compared is not rounded. It is rounded once, when it
//! is shown.

use std::iter::Sum;
use std::ops::{Add, Sub};

use model::{Micro, Nano, Unit};

/// Of nano-units: how many of ours.
const NANO: i128 = 1_000_000_000;
/// Of micro-units.
const MICRO: i128 = 1_000_000_000_000;

/// An amount; saturates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Atto(pub i128);

impl Atto {
    /// Microseconds at a price per hour.
    pub fn of_time(micros: i64, price: Nano) -> Self {
        let product = i128::from(micros).saturating_mul(i128::from(price.0));
        Self(product.saturating_mul(NANO) / i128::from(model::time::HOUR))
    }

    /// Bytes that are kept for so many days, at a price per GB and month of 30 days.
    pub fn of_storage(bytes: u64, price: Nano, days: i64) -> Self {
        let month = Price {
            nano: price,
            unit: Unit::Gigabyte,
        };
        month.leg(bytes).cost.part(i128::from(days), 30)
    }

    /// Such a part of it, rounded towards nothing.
    #[must_use]
    pub fn part(self, of: i128, parts: i128) -> Self {
        Self(self.0.saturating_mul(of) / parts.max(1))
    }

    /// Rounded half-even, as charges are.
    pub fn micro(self) -> Micro {
        let (floor, rest) = (self.0.div_euclid(MICRO), self.0.rem_euclid(MICRO) * 2);
        let up = rest > MICRO || (rest == MICRO && floor.rem_euclid(2) == 1);
        let value = floor + i128::from(up);
        Micro(i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX }))
    }
}

impl Add for Atto {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Atto {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Sum for Atto {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Add::add)
    }
}

/// The price of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    pub nano: Nano,
    pub unit: Unit,
}

impl Price {
    pub fn leg(self, bytes: u64) -> Leg {
        let product = i128::from(bytes).saturating_mul(i128::from(self.nano.0));
        Leg {
            bytes,
            cost: Atto(product.saturating_mul(NANO) / self.unit.bytes()),
        }
    }
}

/// Bytes that cross, and what that costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leg {
    pub bytes: u64,
    pub cost: Atto,
}

impl Leg {
    /// With what is paid beside the bytes.
    #[must_use]
    pub fn and(self, cost: Atto) -> Self {
        Self {
            cost: self.cost + cost,
            ..self
        }
    }

    /// What is left without the other; no bytes fewer than none.
    #[must_use]
    pub fn less(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_sub(other.bytes),
            cost: self.cost - other.cost,
        }
    }
}

impl Add for Leg {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_add(other.bytes),
            cost: self.cost + other.cost,
        }
    }
}

impl Sum for Leg {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_what_a_charge_would_be() {
        for (bytes, nano, unit) in [
            (1_u64, 90_000_000, Unit::Gigabyte),
            (123_456_789, 90_000_000, Unit::Gibibyte),
            (60_000_000_000_000, 120_000_000, Unit::Gigabyte),
            // Half a micro-unit, to either side.
            (500, 1_000_000_000, Unit::Gigabyte),
            (1_500, 1_000_000_000, Unit::Gigabyte),
            (2_500, 1_000_000_000, Unit::Gigabyte),
        ] {
            let nano = Nano(nano);
            let charged = Micro::charge(i128::from(bytes), nano, unit).unwrap();
            let shown = Price { nano, unit }.leg(bytes).cost.micro();
            assert_eq!(shown, charged, "{bytes} {nano} {unit:?}");
        }
        let hour = Atto::of_time(model::time::HOUR, Nano(120_000_000));
        assert_eq!(hour.micro(), Micro(120_000));
        let week = Atto::of_storage(30_000_000_000, Nano(21_000_000), 7);
        assert_eq!(week.micro(), Micro(147_000));
        assert_eq!((Atto(0) - hour).micro(), Micro(-120_000));
        assert_eq!(Atto(i128::MIN).micro(), Micro(i64::MIN));
    }
}
