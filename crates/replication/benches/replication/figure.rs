//! One measured number and what it must keep, as `cargo xtask bench` takes it.

use anyhow::Result;
use serde_json::{Value, json};

#[derive(Clone, Copy)]
pub(crate) enum Limit {
    AtMost(f64),
    AtLeast(f64),
    /// Shown only.
    None,
}

pub(crate) struct Figure {
    name: String,
    value: f64,
    unit: &'static str,
    limit: Limit,
}

impl Figure {
    pub(crate) fn new(
        name: impl Into<String>,
        value: f64,
        unit: &'static str,
        limit: Limit,
    ) -> Self {
        Self {
            name: name.into(),
            value,
            unit,
            limit,
        }
    }

    /// What is not a number becomes null.
    pub(crate) fn json(&self) -> Value {
        let (at_most, at_least) = match self.limit {
            Limit::AtMost(limit) => (json!(limit), Value::Null),
            Limit::AtLeast(limit) => (Value::Null, json!(limit)),
            Limit::None => (Value::Null, Value::Null),
        };
        json!({ "name": self.name, "value": self.value, "unit": self.unit, "at_most": at_most, "at_least": at_least })
    }
}

/// A case that could not be measured is one that missed; the others are measured all the same.
pub(crate) fn kept(name: &str, measured: Result<Vec<Figure>>) -> Vec<Figure> {
    measured.unwrap_or_else(|error| {
        let name = format!("{name}: not measured, {error:#}");
        vec![Figure::new(name, f64::NAN, "x", Limit::AtMost(0.0))]
    })
}

/// The middle of an odd number of measurements.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
