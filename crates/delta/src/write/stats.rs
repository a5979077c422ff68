//! Statistics of a data file as the protocol's "Per-file Statistics" has them: exact counts of rows and nulls, and bounds
//! that may be wider than the data but never narrower.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use arrow::array::{Array, AsArray};
use arrow::compute::{max, max_string, min, min_string};
use arrow::datatypes::{
    ArrowNumericType, Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimestampMicrosecondType,
};
use arrow::record_batch::RecordBatch;
use arrow_schema::{DataType, TimeUnit};
use chrono::{DateTime, NaiveDate, TimeDelta};
use serde_json::{Map, Value, json};

use crate::budgets::count;

/// Longest text that is kept as a bound.
const MAX_TEXT: usize = 32;

pub(super) fn stats(rows: &RecordBatch) -> Value {
    let (mut lowest, mut highest, mut nulls) = (Map::new(), Map::new(), Map::new());
    for (field, column) in rows.schema().fields().iter().zip(rows.columns()) {
        if field.data_type().is_nested() {
            continue;
        }
        nulls.insert(field.name().clone(), json!(column.null_count()));
        let (low, high) = bounds(column.as_ref());
        lowest.extend(low.map(|value| (field.name().clone(), value)));
        highest.extend(high.map(|value| (field.name().clone(), value)));
    }
    json!({"numRecords": rows.num_rows(), "minValues": lowest, "maxValues": highest, "nullCount": nulls})
}

/// Statistics of rows that come in pieces.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Of these columns alone anything is told; `None`: of all.
    only: Option<BTreeSet<String>>,
    rows: u64,
    columns: Map<String, Value>,
    bounds: Vec<(String, Bound, Bound)>,
}

/// The lowest or the highest value of a column so far.
#[derive(Debug, Default)]
enum Bound {
    /// There was no value yet.
    #[default]
    Open,
    Is(Value),
    /// There were values, and no bound to be had.
    Lost,
}

impl Bound {
    fn include(&mut self, found: Option<Value>, is_text: bool, wanted: Ordering) {
        let Some(found) = found else {
            *self = Self::Lost;
            return;
        };
        match self {
            Self::Lost => {}
            Self::Open => *self = Self::Is(found),
            Self::Is(known) => match compare(&found, known, is_text) {
                None => *self = Self::Lost,
                Some(order) if order == wanted => *known = found,
                Some(_) => {}
            },
        }
    }
}

fn compare(a: &Value, b: &Value, is_text: bool) -> Option<Ordering> {
    match (a, b) {
        (Value::String(a), Value::String(b)) if is_text => Some(a.cmp(b)),
        // Dates and instants: of one length they are in order.
        (Value::String(a), Value::String(b)) if a.len() == b.len() => Some(a.cmp(b)),
        _ => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => Some(a.cmp(&b)),
            _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
        },
    }
}

impl Tally {
    pub(crate) fn only(columns: BTreeSet<String>) -> Self {
        Self {
            only: Some(columns),
            ..Self::default()
        }
    }

    pub(crate) fn include(&mut self, rows: &RecordBatch) {
        self.rows = self.rows.saturating_add(count(rows.num_rows()));
        let schema = rows.schema();
        let flat = schema.fields().iter().zip(rows.columns());
        let only = &self.only;
        let flat = flat.filter(|(field, _)| {
            let is_told = only.as_ref().is_none_or(|only| only.contains(field.name()));
            is_told && !field.data_type().is_nested()
        });
        for (at, (field, column)) in flat.enumerate() {
            let known = self.columns.get(field.name()).and_then(Value::as_u64);
            let nulls = known.unwrap_or(0) + count(column.null_count());
            self.columns.insert(field.name().clone(), json!(nulls));
            if self.bounds.len() <= at {
                self.bounds
                    .push((field.name().clone(), Bound::Open, Bound::Open));
            }
            if column.null_count() == column.len() {
                continue;
            }
            let is_text = *field.data_type() == DataType::Utf8;
            let (low, high) = bounds(column.as_ref());
            if let Some((_, lowest, highest)) = self.bounds.get_mut(at) {
                lowest.include(low, is_text, Ordering::Less);
                highest.include(high, is_text, Ordering::Greater);
            }
        }
    }

    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    pub(crate) fn told(&self) -> Value {
        let (mut lowest, mut highest) = (Map::new(), Map::new());
        for (name, low, high) in &self.bounds {
            if let Bound::Is(value) = low {
                lowest.insert(name.clone(), value.clone());
            }
            if let Bound::Is(value) = high {
                highest.insert(name.clone(), value.clone());
            }
        }
        json!({"numRecords": self.rows, "minValues": lowest, "maxValues": highest, "nullCount": self.columns})
    }
}

type Bounds = (Option<Value>, Option<Value>);

fn bounds(column: &dyn Array) -> Bounds {
    match column.data_type() {
        DataType::Int8 => of::<Int8Type>(column, |v| Some(json!(v))),
        DataType::Int16 => of::<Int16Type>(column, |v| Some(json!(v))),
        DataType::Int32 => of::<Int32Type>(column, |v| Some(json!(v))),
        DataType::Int64 => of::<Int64Type>(column, |v| Some(json!(v))),
        // JSON has no NaN and no infinity; a column that reaches them has no bound.
        DataType::Float32 => of::<Float32Type>(column, |v| v.is_finite().then(|| json!(v))),
        DataType::Float64 => of::<Float64Type>(column, |v| v.is_finite().then(|| json!(v))),
        DataType::Date32 => of::<Date32Type>(column, |days| {
            let date =
                NaiveDate::default().checked_add_signed(TimeDelta::try_days(i64::from(days))?)?;
            Some(json!(date.to_string()))
        }),
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            let column = column.as_primitive::<TimestampMicrosecondType>();
            let suffix = if zone.is_some() { "Z" } else { "" };
            let text = |millis: i64| {
                let at = DateTime::from_timestamp_millis(millis)?;
                Some(json!(format!(
                    "{}{suffix}",
                    at.format("%Y-%m-%dT%H:%M:%S%.3f")
                )))
            };
            // Milliseconds are what readers expect: rounded outwards.
            let low = min(column).and_then(|micros| text(micros.div_euclid(1_000)));
            let high =
                max(column).and_then(|micros| text(micros.checked_add(999)?.div_euclid(1_000)));
            (low, high)
        }
        DataType::Utf8 => {
            let column = column.as_string::<i32>();
            // A cut lower bound is still one; a cut upper bound would be too low.
            let low = min_string(column)
                .map(|text| json!(text.chars().take(MAX_TEXT).collect::<String>()));
            let high = max_string(column)
                .filter(|text| text.chars().count() <= MAX_TEXT)
                .map(|text| json!(text));
            (low, high)
        }
        _ => (None, None),
    }
}

fn of<T: ArrowNumericType>(
    column: &dyn Array,
    json: impl Fn(T::Native) -> Option<Value>,
) -> Bounds {
    let column = column.as_primitive::<T>();
    (min(column).and_then(&json), max(column).and_then(&json))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        ArrayRef, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray,
    };

    use super::*;

    #[test]
    fn bounds_are_never_too_narrow() {
        let long = "x".repeat(40);
        let rows = RecordBatch::try_from_iter([
            (
                "n",
                Arc::new(Int64Array::from(vec![Some(3), None, Some(-1)])) as ArrayRef,
            ),
            ("f", Arc::new(Float64Array::from(vec![1.5, f64::NAN, 0.0]))),
            ("s", Arc::new(StringArray::from(vec!["b", &long, "a"]))),
            (
                "t",
                Arc::new(
                    TimestampMicrosecondArray::from(vec![1_500, 2_001, -1]).with_timezone("UTC"),
                ),
            ),
            ("none", Arc::new(Int64Array::from(vec![None, None, None]))),
        ])
        .unwrap();
        assert_eq!(
            stats(&rows),
            json!({
                "numRecords": 3,
                "minValues": {"n": -1, "f": 0.0, "s": "a", "t": "1969-12-31T23:59:59.999Z"},
                "maxValues": {"n": 3, "t": "1970-01-01T00:00:00.003Z"},
                "nullCount": {"n": 1, "f": 0, "s": 0, "t": 0, "none": 3},
            })
        );
    }

    #[test]
    fn rows_in_pieces_have_the_statistics_of_all() {
        let column = |values: Vec<Option<i64>>| Arc::new(Int64Array::from(values)) as ArrayRef;
        let texts = |values: Vec<&str>| Arc::new(StringArray::from(values)) as ArrayRef;
        let batch = |n, s| RecordBatch::try_from_iter([("n", n), ("s", s)]).unwrap();
        let long = "x".repeat(40);
        let mut tally = Tally::default();
        tally.include(&batch(column(vec![None, None]), texts(vec!["b", "c"])));
        tally.include(&batch(
            column(vec![Some(4), Some(-1)]),
            texts(vec![long.as_str(), "a"]),
        ));
        tally.include(&batch(column(vec![Some(9)]), texts(vec!["d"])));
        assert_eq!(
            tally.told(),
            json!({
                "numRecords": 5, "minValues": {"n": -1, "s": "a"}, "maxValues": {"n": 9},
                "nullCount": {"n": 2, "s": 0},
            })
        );
        let mut tally = Tally::only(["s".to_owned()].into());
        tally.include(&batch(column(vec![Some(9)]), texts(vec!["d"])));
        let s = json!({"s": "d"});
        assert_eq!(
            tally.told(),
            json!({"numRecords": 1, "minValues": s, "maxValues": s, "nullCount": {"s": 0}})
        );
    }
}
