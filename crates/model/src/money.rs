//! Money. Prices are nano-units per GB (10⁹ bytes) or GiB (2³⁰ bytes); amounts are micro-units. A charge is
//! Σ bytes × price in 128-bit integers, rounded half-even once, and so is time × price; lines and totals only add.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The unit a price is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Unit {
    /// 10⁹ bytes.
    #[serde(rename = "GB")]
    Gigabyte,
    /// 2³⁰ bytes.
    #[serde(rename = "GiB")]
    Gibibyte,
}

impl Unit {
    pub const fn bytes(self) -> i128 {
        match self {
            Self::Gigabyte => 1_000_000_000,
            Self::Gibibyte => 1 << 30,
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gigabyte => "GB",
            Self::Gibibyte => "GiB",
        }
    }
}

impl FromStr for Unit {
    type Err = MoneyError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "GB" => Ok(Self::Gigabyte),
            "GiB" => Ok(Self::Gibibyte),
            _ => Err(MoneyError::Unit),
        }
    }
}

#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum MoneyError {
    #[error("not a unit: use GB (10^9 bytes) or GiB (2^30 bytes)")]
    Unit,
    #[error("not a price: a decimal number from 0 with up to {0} places, for example 0.09")]
    Decimal(u32),
    #[error("not a currency: three capital letters, for example EUR")]
    Currency,
    #[error("the amount is too large")]
    Range,
}

macro_rules! fixed {
    ($(#[$doc:meta])* $name:ident, $places:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub i64);

        impl $name {
            const PLACES: u32 = $places;
            const ONE: i64 = 10_i64.pow($places);
        }

        impl fmt::Display for $name {
            /// A plain decimal, trailing zeros cut to two places.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let sign = if self.0 < 0 { "-" } else { "" };
                let absolute = self.0.unsigned_abs();
                let one = Self::ONE.unsigned_abs();
                let mut places = format!("{:0width$}", absolute % one, width = Self::PLACES as usize);
                while places.len() > 2 && places.ends_with('0') {
                    places.pop();
                }
                write!(f, "{sign}{}.{places}", absolute / one)
            }
        }

        impl FromStr for $name {
            type Err = MoneyError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let error = || MoneyError::Decimal(Self::PLACES);
                let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
                let (whole, places) = digits.split_once('.').unwrap_or((digits, ""));
                let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
                if whole.is_empty() || !all_digits(whole) || !all_digits(places) || places.len() > Self::PLACES as usize
                    || (digits.contains('.') && places.is_empty())
                {
                    return Err(error());
                }
                let whole: i64 = whole.parse().map_err(|_| MoneyError::Range)?;
                let padded = format!("{places:0<width$}", width = Self::PLACES as usize);
                let places: i64 = padded.parse().map_err(|_| error())?;
                let value = whole.checked_mul(Self::ONE).and_then(|w| w.checked_add(places)).ok_or(MoneyError::Range)?;
                Ok(Self(if negative { -value } else { value }))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

fixed!(
    /// A price in billionths of the currency's unit.
    Nano, 9
);
fixed!(
    /// An amount in millionths of the currency's unit.
    Micro, 6
);

impl Micro {
    /// `bytes` at `price` per `unit`, rounded half-even once.
    pub fn charge(bytes: i128, price: Nano, unit: Unit) -> Result<Self, MoneyError> {
        // nano-units per unit × bytes / bytes per unit = nano-units; / 1000 = micro-units.
        let numerator = bytes
            .checked_mul(i128::from(price.0))
            .ok_or(MoneyError::Range)?;
        let value = round_half_even(numerator, unit.bytes() * 1_000);
        i64::try_from(value)
            .map(Self)
            .map_err(|_| MoneyError::Range)
    }

    /// Microseconds at `price` per hour, rounded half-even once.
    pub fn of_time(micros: i64, price: Nano) -> Result<Self, MoneyError> {
        // nano-units per hour × microseconds / microseconds per hour = nano-units; / 1000 = micro-units.
        let numerator = i128::from(micros) * i128::from(price.0);
        let value = round_half_even(numerator, i128::from(crate::time::HOUR) * 1_000);
        i64::try_from(value)
            .map(Self)
            .map_err(|_| MoneyError::Range)
    }

    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }
}

fn round_half_even(numerator: i128, denominator: i128) -> i128 {
    let floor = numerator.div_euclid(denominator);
    let twice = numerator.rem_euclid(denominator) * 2;
    match twice.cmp(&denominator) {
        std::cmp::Ordering::Less => floor,
        std::cmp::Ordering::Greater => floor + 1,
        std::cmp::Ordering::Equal => floor + floor.rem_euclid(2),
    }
}

/// An ISO 4217 code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

impl Currency {
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XXX")
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Currency {
    type Err = MoneyError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match <[u8; 3]>::try_from(text.as_bytes()) {
            Ok(code) if code.iter().all(u8::is_ascii_uppercase) => Ok(Self(code)),
            _ => Err(MoneyError::Currency),
        }
    }
}

impl TryFrom<String> for Currency {
    type Error = MoneyError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_round_trip() {
        for (text, nano) in [
            ("0.09", 90_000_000),
            ("1.00", 1_000_000_000),
            ("0.000000001", 1),
            ("12.345678901", 12_345_678_901),
        ] {
            assert_eq!(text.parse::<Nano>().unwrap(), Nano(nano));
            assert_eq!(Nano(nano).to_string(), text);
        }
        assert_eq!(Micro(-1_500_000).to_string(), "-1.50");
        for bad in [
            "",
            ".",
            "1.",
            "x",
            "1e3",
            "0.0000000001",
            " 1",
            "99999999999999999999",
        ] {
            assert!(bad.parse::<Nano>().is_err(), "{bad}");
        }
    }

    #[test]
    fn charges_round_half_even_once() {
        let price: Nano = "0.09".parse().unwrap();
        assert_eq!(
            Micro::charge(1_000_000_000, price, Unit::Gigabyte).unwrap(),
            Micro(90_000)
        );
        // 266 240 GB and the published list price: the worked oracle.
        assert_eq!(Micro::charge(0, price, Unit::Gigabyte).unwrap(), Micro(0));
        let one = Nano(1_000_000_000);
        for (bytes, micro) in [
            (500, 0),
            (1_500, 2),
            (2_500, 2),
            (2_501, 3),
            (-500, 0),
            (-1_500, -2),
        ] {
            assert_eq!(
                Micro::charge(bytes, one, Unit::Gigabyte).unwrap(),
                Micro(micro),
                "{bytes}"
            );
        }
        assert_eq!(
            Micro::charge(i128::MAX, one, Unit::Gigabyte),
            Err(MoneyError::Range)
        );
    }

    #[test]
    fn time_rounds_half_even_once() {
        // A millionth of the price is 3.6 ms.
        let one = Nano(1_000_000_000);
        for (micros, micro) in [
            (3_600_000_000, 1_000_000),
            (1_799, 0),
            (1_800, 0),
            (1_801, 1),
            (5_400, 2),
            (9_000, 2),
            (9_001, 3),
        ] {
            assert_eq!(Micro::of_time(micros, one), Ok(Micro(micro)), "{micros}");
        }
        assert_eq!(
            Micro::of_time(i64::MAX, Nano(i64::MAX)),
            Err(MoneyError::Range)
        );
    }
}
