//! Columns and lines whose values have a meaning: bytes with units, amounts with their currency, times in UTC.

use model::Timestamp;
use serde_json::{Map, Value};

use super::show::{Show, cell, grid};

/// A heading, and what of a thing stands under it.
pub(super) type Column = (&'static str, fn(&Value) -> String);

/// The items of a list as a table.
pub(super) fn table(columns: &'static [Column]) -> Show {
    Show::words(move |answer| rows(columns, items(answer)))
}

/// One thing, a line for each value.
pub(super) fn lines(columns: &'static [Column]) -> Show {
    Show::words(move |answer| facts(columns, answer))
}

pub(super) fn items(answer: &Value) -> &[Value] {
    list(answer, "items")
}

pub(super) fn list<'a>(thing: &'a Value, field: &str) -> &'a [Value] {
    thing[field].as_array().map_or(&[], Vec::as_slice)
}

pub(super) fn rows(columns: &[Column], items: &[Value]) -> String {
    if items.is_empty() {
        return "none\n".to_owned();
    }
    let mut rows: Vec<Vec<String>> =
        vec![columns.iter().map(|(head, _)| (*head).to_owned()).collect()];
    for item in items {
        rows.push(columns.iter().map(|(_, of)| of(item)).collect());
    }
    grid(&rows)
}

pub(super) fn facts(columns: &[Column], thing: &Value) -> String {
    let rows: Vec<Vec<String>> = columns
        .iter()
        .map(|(head, of)| vec![(*head).to_owned(), of(thing)])
        .collect();
    grid(&rows)
}

/// The value at a JSON pointer, on one line.
pub(super) fn at(thing: &Value, pointer: &str) -> String {
    cell(thing.pointer(pointer))
}

/// `1.5 GB`: decimal units, as prices are.
pub(super) fn bytes(thing: &Value, pointer: &str) -> String {
    let found = thing.pointer(pointer);
    match found.and_then(Value::as_i64) {
        Some(bytes) => in_units(bytes),
        None => cell(found),
    }
}

fn in_units(bytes: i64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    let sign = if bytes < 0 { "-" } else { "" };
    let bytes = bytes.unsigned_abs();
    if bytes < 1_000 {
        return format!("{sign}{bytes} B");
    }
    // In tenths, rounded half up, so that 999,950 is 1.0 MB and not 1000.0 kB.
    let mut of_unit = 1_000_u64;
    for (at, unit) in UNITS.iter().enumerate() {
        let tenths = bytes.saturating_add(of_unit / 20) / (of_unit / 10);
        if tenths < 10_000 || at + 1 == UNITS.len() {
            return format!("{sign}{}.{} {unit}", tenths / 10, tenths % 10);
        }
        of_unit *= 1_000;
    }
    format!("{sign}{bytes} B")
}

/// `2026-06-15 12:00:00 UTC`.
pub(super) fn time(thing: &Value, pointer: &str) -> String {
    let found = thing.pointer(pointer);
    found
        .and_then(Value::as_str)
        .and_then(|text| Timestamp::parse(text).ok())
        .and_then(Timestamp::to_datetime)
        .map_or_else(
            || cell(found),
            |at| at.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
        )
}

/// `12.5 EUR`, of an object with `amount` and `currency`; `not known` where there is none.
pub(super) fn money(thing: &Value, pointer: &str) -> String {
    match thing.pointer(pointer) {
        Some(money) if money.is_object() => amount(money, "/amount"),
        _ => "not known".to_owned(),
    }
}

/// The amount at the pointer, in the thing's own currency.
pub(super) fn amount(thing: &Value, pointer: &str) -> String {
    format!("{} {}", at(thing, pointer), at(thing, "/currency"))
}

/// `1 h 02 min`, `3.2 s`: of microseconds.
pub(super) fn duration(thing: &Value, pointer: &str) -> String {
    let found = thing.pointer(pointer);
    let Some(micros) = found.and_then(Value::as_i64) else {
        return cell(found);
    };
    let seconds = micros / 1_000_000;
    match seconds {
        0..60 => format!("{}.{} s", seconds, micros / 100_000 % 10),
        60..3_600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3_600, seconds / 60 % 60),
    }
}

/// An object of those fields that were given: what is absent stays as it is, or takes its default.
pub(super) fn given<const N: usize>(fields: [(&str, Option<Value>); N]) -> Map<String, Value> {
    fields
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_as_people_read_them() {
        for (value, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"),
            (60_000_000_000_000, "60.0 TB"),
            (-1_500, "-1.5 kB"),
            (i64::MAX, "9.2 EB"),
        ] {
            assert_eq!(bytes(&json!({ "b": value }), "/b"), text);
        }
        assert_eq!(bytes(&json!({}), "/b"), "-");
        let at = json!({ "at": "2026-06-15T12:00:00.5Z", "no": null });
        assert_eq!(time(&at, "/at"), "2026-06-15 12:00:00 UTC");
        assert_eq!(time(&at, "/no"), "-");
        let offer = json!({ "m": { "amount": "0.09", "currency": "EUR" } });
        assert_eq!(money(&offer, "/m"), "0.09 EUR");
        assert_eq!(money(&offer, "/n"), "not known");
        for (micros, text) in [
            (3_240_000, "3.2 s"),
            (61_000_000, "1 min 01 s"),
            (3_720_000_000_i64, "1 h 02 min"),
        ] {
            assert_eq!(duration(&json!({ "d": micros }), "/d"), text);
        }
        const COLUMNS: &[Column] = &[
            ("NAME", |item| at_name(item)),
            ("BYTES", |item| bytes(item, "/b")),
        ];
        assert_eq!(
            rows(
                COLUMNS,
                &[
                    json!({ "name": "a", "b": 1_000 }),
                    json!({ "name": "long" })
                ]
            ),
            "NAME  BYTES\na     1.0 kB\nlong  -\n"
        );
        assert_eq!(rows(COLUMNS, &[]), "none\n");
        assert_eq!(
            facts(COLUMNS, &json!({ "name": "a", "b": 2_000 })),
            "NAME   a\nBYTES  2.0 kB\n"
        );
    }

    fn at_name(item: &Value) -> String {
        at(item, "/name")
    }
}
