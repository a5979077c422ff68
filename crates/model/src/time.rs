//! Instants. Everywhere in Entrepôt an instant is microseconds since 1970-01-01T00:00:00Z, in the database a
//! bigint, on the wire RFC 3339 in UTC.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An instant: microseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// Microseconds of one second, minute, hour and day.
pub const SECOND: i64 = 1_000_000;
pub const MINUTE: i64 = 60 * SECOND;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;

impl Timestamp {
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// From milliseconds, the unit of Delta logs; saturates.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole milliseconds, rounded down.
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// This instant plus `micros`; saturates.
    #[must_use]
    pub const fn plus(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// `self - earlier` in microseconds; negative when `earlier` is later.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// None outside the years that chrono can hold.
    pub fn to_datetime(self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_micros(self.0)
    }

    pub fn from_datetime(at: DateTime<Utc>) -> Self {
        Self(at.timestamp_micros())
    }

    /// The UTC day that holds this instant, as days since 1970-01-01.
    pub const fn utc_day(self) -> i64 {
        self.0.div_euclid(DAY)
    }

    /// Midnight UTC of a day counted from 1970-01-01.
    pub const fn from_utc_day(day: i64) -> Self {
        Self(day.saturating_mul(DAY))
    }

    pub fn date(self) -> Option<NaiveDate> {
        self.to_datetime().map(|at| at.date_naive())
    }

    /// `YYYY-MM-DD` is taken as midnight UTC; everything else must be RFC 3339 with an offset.
    pub fn parse(text: &str) -> Result<Self, TimestampError> {
        if let Ok(at) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self::from_datetime(at.with_timezone(&Utc)));
        }
        NaiveDate::parse_from_str(text, "%Y-%m-%d")
            .ok()
            .and_then(|date| date.and_hms_opt(0, 0, 0))
            .map(|at| Self::from_datetime(at.and_utc()))
            .ok_or(TimestampError)
    }
}

/// When something that people are given ends; the instant itself is not part of it. A day counts to its end, in UTC: access
/// until 2027-12-31 still holds on that day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Until(pub Timestamp);

impl FromStr for Until {
    type Err = TimestampError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let at = Timestamp::parse(text)?;
        let is_day = NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok();
        Ok(Self(if is_day { at.plus(DAY) } else { at }))
    }
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not an instant: use 2026-01-31 or 2026-01-31T08:00:00Z")]
pub struct TimestampError;

impl FromStr for Timestamp {
    type Err = TimestampError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_datetime() {
            Some(at) if self.0 % SECOND == 0 => {
                f.write_str(&at.to_rfc3339_opts(SecondsFormat::Secs, true))
            }
            Some(at) => f.write_str(&at.to_rfc3339_opts(SecondsFormat::Micros, true)),
            None => write!(f, "{} µs", self.0),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips() {
        for text in ["2026-01-31T08:00:00Z", "1969-12-31T23:59:59.500000Z"] {
            assert_eq!(Timestamp::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(
            Timestamp::parse("2026-01-31").unwrap().to_string(),
            "2026-01-31T00:00:00Z"
        );
        assert_eq!(
            Timestamp::parse("2026-01-31T10:00:00+02:00")
                .unwrap()
                .to_string(),
            "2026-01-31T08:00:00Z"
        );
        for text in ["", "yesterday", "2026-13-01", "2026-01-31T10:00:00"] {
            assert_eq!(Timestamp::parse(text), Err(TimestampError), "{text}");
        }
    }

    #[test]
    fn a_day_counts_to_its_end() {
        for (text, end) in [
            ("2027-12-31", "2028-01-01T00:00:00Z"),
            ("2027-12-31T00:00:00Z", "2027-12-31T00:00:00Z"),
            ("2027-12-31T18:00:00+02:00", "2027-12-31T16:00:00Z"),
        ] {
            let Until(at) = text.parse().unwrap();
            assert_eq!(at.to_string(), end);
        }
        assert_eq!("2027-02-30".parse::<Until>(), Err(TimestampError));
    }

    #[test]
    fn days_before_the_epoch_round_down() {
        assert_eq!(Timestamp::from_micros(-1).utc_day(), -1);
        assert_eq!(Timestamp::from_utc_day(20_000).utc_day(), 20_000);
    }
}
