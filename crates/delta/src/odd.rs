//! Values that a file does not hand on as they are when its rows are found by their values, or written anew.

use arrow::array::{Array, AsArray};
use arrow::compute::min;
use arrow::datatypes::{Date32Type, Float32Type, Float64Type, TimestampMicrosecondType};
use arrow_schema::{DataType, TimeUnit};

/// 15 October 1582, in days since 1970: before it there are two calendars.
const FIRST_DAY: i32 = -141_427;
/// 1 January 1900, in microseconds since 1970: before it zones had no whole minutes, and Spark moves instants, too.
const FIRST_INSTANT: i64 = -2_208_988_800_000_000;

pub(crate) fn has_nanos(of: &DataType) -> bool {
    match of {
        DataType::Timestamp(unit, _) => *unit == TimeUnit::Nanosecond,
        DataType::List(element) => has_nanos(element.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| has_nanos(field.data_type())),
        _ => false,
    }
}

/// Writers normalise these in their feeds, or do not; so that no row could be found by them.
pub(crate) fn has_odd_numbers(column: &dyn Array) -> bool {
    match column.data_type() {
        DataType::Float32 => {
            let values = column.as_primitive::<Float32Type>().values();
            values.iter().any(|v| v.is_nan() || v.to_bits() == 1 << 31)
        }
        DataType::Float64 => {
            let values = column.as_primitive::<Float64Type>().values();
            values.iter().any(|v| v.is_nan() || v.to_bits() == 1 << 63)
        }
        _ => any_inside(column, has_odd_numbers),
    }
}

/// Spark says in a file by which calendar its oldest days are meant, and believes of files of others what it is configured to:
/// another day, or none at all. The same number in a file that is written here need not be the same day.
pub(crate) fn is_before_calendars(column: &dyn Array) -> bool {
    match column.data_type() {
        DataType::Date32 => {
            min(column.as_primitive::<Date32Type>()).is_some_and(|day| day < FIRST_DAY)
        }
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => {
            let first = min(column.as_primitive::<TimestampMicrosecondType>());
            first.is_some_and(|at| at < FIRST_INSTANT)
        }
        _ => any_inside(column, is_before_calendars),
    }
}

fn any_inside(column: &dyn Array, is: fn(&dyn Array) -> bool) -> bool {
    match column.data_type() {
        DataType::List(_) => is(column.as_list::<i32>().values().as_ref()),
        DataType::Struct(_) => {
            let columns = column.as_struct().columns();
            columns.iter().any(|column| is(column.as_ref()))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        ArrayRef, Date32Array, Float64Array, StructArray, TimestampMicrosecondArray,
    };
    use arrow_schema::Field;

    use super::*;

    fn within(column: ArrayRef) -> StructArray {
        let field = Field::new("inner", column.data_type().clone(), true);
        StructArray::from(vec![(Arc::new(field), column)])
    }

    #[test]
    fn days_of_two_calendars_are_told_and_so_are_odd_numbers() {
        let days = |days: Vec<Option<i32>>| Arc::new(Date32Array::from(days)) as ArrayRef;
        assert!(!is_before_calendars(
            days(vec![Some(FIRST_DAY), None]).as_ref()
        ));
        let old = days(vec![Some(5), Some(FIRST_DAY - 1)]);
        assert!(is_before_calendars(old.as_ref()));
        assert!(is_before_calendars(&within(old)));
        let at = TimestampMicrosecondArray::from(vec![FIRST_INSTANT - 1]);
        // Without a zone nobody moves it.
        assert!(!is_before_calendars(&at));
        assert!(is_before_calendars(&at.with_timezone("UTC")));
        let numbers = |number: f64| Arc::new(Float64Array::from(vec![number])) as ArrayRef;
        assert!(!has_odd_numbers(numbers(0.0).as_ref()));
        assert!(has_odd_numbers(&within(numbers(-0.0))));
    }
}
