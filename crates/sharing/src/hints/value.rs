//! How the values of each type are written in predicates, partition values and statistics, and how they compare.

use std::cmp::Ordering;

use model::Timestamp;
use model::time::SECOND;
use serde_json::Value;

use super::expr::Literal;

/// Statistics may hold the beginning of a longer text from this length on, in characters.
const CUT: usize = 32;

/// Earlier dates are written by one calendar and read by another.
const FIRST_YEAR: u32 = 1900;

/// 1900-01-01T00:00:00Z.
const FIRST_INSTANT: i64 = -2_208_988_800 * SECOND;

/// Numbers are written as short as a single one allows, also where the column has become one of doubles.
const ROUNDED: f64 = 1e-6;

/// Instants in statistics are cut to milliseconds.
const MILLISECOND: i64 = 1_000;

/// The types whose values are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    Integer,
    Text,
    Date,
    Float,
    Timestamp,
}

impl Kind {
    /// Of a schema's type.
    pub(super) fn of(name: &str) -> Option<Self> {
        Some(match name {
            "boolean" => Self::Bool,
            "byte" | "short" | "integer" | "long" => Self::Integer,
            "string" => Self::Text,
            "date" => Self::Date,
            "float" | "double" => Self::Float,
            "timestamp" => Self::Timestamp,
            _ => return None,
        })
    }

    /// Whether there may be a NaN, which no statistics tell of: it is greater than everything for some, and for others
    /// compares with nothing.
    pub(super) const fn has_nan(self) -> bool {
        matches!(self, Self::Float)
    }

    /// What a literal is for a column of this type; None where it would have to be converted.
    pub(super) fn literal(self, literal: &Literal) -> Option<Scalar> {
        match (self, literal) {
            (Self::Bool, Literal::Bool(text)) => truth(text),
            (Self::Integer, Literal::Integer(text)) => integer(text),
            (Self::Float, Literal::Integer(text) | Literal::Number(text)) => number(text),
            (Self::Text, Literal::Text(text) | Literal::Quoted(text)) => {
                Some(Scalar::Text(text.clone()))
            }
            (Self::Date, Literal::Date(text) | Literal::Quoted(text)) => date(text),
            (Self::Timestamp, Literal::Timestamp(text) | Literal::Quoted(text)) => instant(text),
            _ => None,
        }
    }

    /// A partition value, which is not empty, as the least and the greatest that it may mean.
    pub(super) fn partition(self, text: &str) -> Option<(Scalar, Scalar)> {
        let value = match self {
            Self::Bool => truth(text),
            Self::Integer => integer(text),
            Self::Text => Some(Scalar::Text(text.to_owned())),
            Self::Date => date(text),
            Self::Float => number(text),
            Self::Timestamp => instant(text),
        }?;
        Some((self.wider(value.clone(), false), self.wider(value, true)))
    }

    /// What statistics say of the least value, or of the greatest: never more, or less, than it is.
    pub(super) fn bound(self, value: &Value, is_high: bool) -> Option<Scalar> {
        let value = match self {
            // There are no such statistics.
            Self::Bool => return None,
            Self::Integer => Scalar::Integer(value.as_i64()?),
            Self::Float => Scalar::Number(value.as_f64()?),
            Self::Text => {
                let text = value.as_str()?;
                // Cut within a character, or at the end.
                if text.contains('\u{fffd}') || is_high && text.chars().count() >= CUT {
                    return None;
                }
                Scalar::Text(text.to_owned())
            }
            Self::Date => date(value.as_str()?)?,
            Self::Timestamp => instant(value.as_str()?)?,
        };
        Some(self.wider(value, is_high))
    }

    /// By as much as writers round.
    fn wider(self, value: Scalar, is_high: bool) -> Scalar {
        let sign = if is_high { 1 } else { -1 };
        match (self, value) {
            (Self::Timestamp, Scalar::Integer(micros)) => {
                Scalar::Integer(micros.saturating_add(sign * MILLISECOND))
            }
            (Self::Float, Scalar::Number(number)) => {
                let by = number.abs() * ROUNDED + f64::from(f32::MIN_POSITIVE);
                Scalar::Number(if is_high { number + by } else { number - by })
            }
            (_, value) => value,
        }
    }
}

/// One value. Truth values, dates and instants are integers that are ordered as they are.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar {
    Integer(i64),
    Number(f64),
    Text(String),
}

impl Scalar {
    /// None: they do not compare.
    pub(super) fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Integer(one), Self::Integer(other)) => Some(one.cmp(other)),
            (Self::Number(one), Self::Number(other)) => one.partial_cmp(other),
            // By bytes, as Parquet and Spark do.
            (Self::Text(one), Self::Text(other)) => Some(one.cmp(other)),
            _ => None,
        }
    }
}

fn truth(text: &str) -> Option<Scalar> {
    match text {
        "true" => Some(Scalar::Integer(1)),
        "false" => Some(Scalar::Integer(0)),
        _ => None,
    }
}

fn integer(text: &str) -> Option<Scalar> {
    text.parse().ok().map(Scalar::Integer)
}

fn number(text: &str) -> Option<Scalar> {
    let number: f64 = text.parse().ok()?;
    number.is_finite().then_some(Scalar::Number(number))
}

/// `2026-01-31`, and nothing else.
fn date(text: &str) -> Option<Scalar> {
    let part = |from: usize, to: usize| -> Option<u32> {
        let digits = text.get(from..to)?;
        let are_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|_| are_digits)
    };
    if text.len() != 10 || text.get(4..5) != Some("-") || text.get(7..8) != Some("-") {
        return None;
    }
    let (year, month, day) = (part(0, 4)?, part(5, 7)?, part(8, 10)?);
    let is_day = year >= FIRST_YEAR && (1..=12).contains(&month) && (1..=31).contains(&day);
    is_day.then_some(Scalar::Integer(i64::from(
        year * 10_000 + month * 100 + day,
    )))
}

/// With an offset: without one it is as many instants as there are zones.
fn instant(text: &str) -> Option<Scalar> {
    // A date by itself would be taken as its midnight.
    if text.len() <= 10 {
        return None;
    }
    let micros = Timestamp::parse(text).ok()?.micros();
    (micros >= FIRST_INSTANT).then_some(Scalar::Integer(micros))
}
