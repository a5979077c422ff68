//! Statistics of a data file as the protocol's "Per-file Statistics" has them: exact counts of rows and nulls, and bounds
//! that may be wider than the data but never narrower.

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
}
