//! Which rows a narrowed replica has: conditions on columns, all of which must hold. A value is one of the column's type, as in a grant
//! that opens some rows; what cannot be compared exactly, null above all, fits nothing.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::datatypes::{Date32Type, Int64Type};
use arrow_schema::DataType;
use chrono::{Datelike as _, NaiveDate};
use model::rows::{Condition, How, Operand};

use crate::shape::fit;

/// Types whose values are written in one way, or in ways that are read as the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bool,
    Integer,
    Text,
    Date,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Exact {
    /// Days since 1970, too.
    Integer(i64),
    Text(String),
}

/// A condition, put to a column of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Test {
    /// The way to it by the names in files; of a partition column its name in the log.
    pub(super) way: Vec<String>,
    kind: Kind,
    how: How,
    values: Vec<Exact>,
}

impl Kind {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "boolean" => Self::Bool,
            "byte" | "short" | "integer" | "long" => Self::Integer,
            "string" => Self::Text,
            "date" => Self::Date,
            _ => return None,
        })
    }

    fn read(self, text: &str) -> Option<Exact> {
        match self {
            Self::Bool => match text {
                "true" => Some(Exact::Integer(1)),
                "false" => Some(Exact::Integer(0)),
                _ => None,
            },
            Self::Integer => text.parse().ok().map(Exact::Integer),
            // No text is null in the log.
            Self::Text => (!text.is_empty()).then(|| Exact::Text(text.to_owned())),
            Self::Date => {
                let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
                // Another spelling of a day is none.
                let first = NaiveDate::default().num_days_from_ce();
                let is_one = day.format("%Y-%m-%d").to_string() == text;
                is_one.then(|| Exact::Integer((day.num_days_from_ce() - first).into()))
            }
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Bool => "true or false",
            Self::Integer => "a whole number",
            Self::Text => "a text",
            Self::Date => "a day such as 2026-01-31",
        }
    }

    fn arrow(self) -> DataType {
        match self {
            Self::Bool => DataType::Boolean,
            Self::Integer => DataType::Int64,
            Self::Text => DataType::Utf8,
            Self::Date => DataType::Date32,
        }
    }
}

impl Test {
    /// # Errors
    /// A sentence: why the rows cannot be chosen so.
    pub(super) fn new(
        condition: &Condition,
        way: Vec<String>,
        type_name: Option<&str>,
    ) -> Result<Self, String> {
        let column = crate::contain::shown(&condition.column);
        let Some(kind) = type_name.and_then(Kind::of) else {
            return Err(format!(
                "Rows cannot be chosen by the column `{column}`: only by columns of text, whole numbers, dates, and true or false."
            ));
        };
        let mut values = Vec::with_capacity(condition.values.len());
        for operand in &condition.values {
            let Operand::Value(text) = operand else {
                return Err(format!(
                    "The condition on `{column}` asks for a property of a recipient, and a replica is made for all of them. Write a value."
                ));
            };
            values.push(kind.read(text).ok_or_else(|| {
                format!(
                    "The condition on `{column}` has the value '{}', and the column's values are each {}.",
                    crate::contain::shown(text),
                    kind.as_str()
                )
            })?);
        }
        Ok(Self {
            way,
            kind,
            how: condition.how,
            values,
        })
    }

    /// Whether a partition's value fits.
    pub(super) fn admits(&self, value: Option<&str>) -> bool {
        let value = value.and_then(|value| self.kind.read(value));
        value.is_some_and(|value| self.holds(&value))
    }

    fn holds(&self, value: &Exact) -> bool {
        let mut values = self.values.iter();
        values.any(|given| self.how.holds(value.cmp(given)))
    }

    /// Which rows fit. None: the column cannot be read as what the table says that it is.
    pub(super) fn rows(&self, column: &ArrayRef) -> Option<BooleanArray> {
        let column = fit(column, &self.kind.arrow()).ok()?;
        let fits = (0..column.len()).map(|at| {
            let is_one = !column.is_null(at) && self.holds(&self.value(&column, at));
            Some(is_one)
        });
        Some(fits.collect())
    }

    fn value(&self, column: &ArrayRef, at: usize) -> Exact {
        match self.kind {
            Kind::Bool => Exact::Integer(column.as_boolean().value(at).into()),
            Kind::Integer => Exact::Integer(column.as_primitive::<Int64Type>().value(at)),
            Kind::Date => Exact::Integer(column.as_primitive::<Date32Type>().value(at).into()),
            Kind::Text => Exact::Text(column.as_string::<i32>().value(at).to_owned()),
        }
    }

    /// What of it decides which rows a file has.
    pub(super) fn digest(&self) -> String {
        format!(
            "{:?} {:?} {:?} {:?}",
            self.way, self.kind, self.how, self.values
        )
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Date32Array, Int32Array, StringArray};
    use model::RowFilter;

    use super::*;

    fn test(filter: &str, type_name: &str) -> Result<Test, String> {
        let filter: RowFilter = filter.parse().unwrap();
        Test::new(
            &filter.conditions()[0],
            vec!["c".to_owned()],
            Some(type_name),
        )
    }

    fn rows(filter: &str, type_name: &str, column: ArrayRef) -> Vec<bool> {
        let made = test(filter, type_name).unwrap().rows(&column).unwrap();
        made.iter().map(|fits| fits.unwrap()).collect()
    }

    #[test]
    fn rows_that_fit_are_those_that_can_be_compared_exactly() {
        let numbers: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), Some(2), None, Some(3)]));
        let found = rows("c in (1, 3)", "integer", numbers.clone());
        assert_eq!(found, [true, false, false, true]);
        assert_eq!(rows("c >= 2", "long", numbers), [false, true, false, true]);
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["DE", "de", ""]));
        assert_eq!(rows("c = 'DE'", "string", texts), [true, false, false]);
        let days: ArrayRef = Arc::new(Date32Array::from(vec![0, 31]));
        assert_eq!(rows("c < '1970-02-01'", "date", days), [true, false]);
        let day = test("c <= '2026-01-31'", "date").unwrap();
        assert!(day.admits(Some("2026-01-31")) && !day.admits(Some("2026-02-01")));
        assert!(!day.admits(None) && !day.admits(Some("")) && !day.admits(Some("31.1.2026")));
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        for (filter, type_name, said) in [
            ("c = 'x'", "integer", "a whole number"),
            ("c = '2026-1-31'", "date", "a day"),
            ("c = 1", "double", "only by columns of text"),
            (
                "c = ${recipient.country}",
                "string",
                "property of a recipient",
            ),
        ] {
            let why = test(filter, type_name).unwrap_err();
            assert!(why.contains(said), "{why}");
        }
    }
}
