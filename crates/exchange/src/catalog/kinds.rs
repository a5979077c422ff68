//! Which values the columns of a table are compared with where rows are chosen, by what types are called where columns are shown. Who
//! chooses the rows, `delta` for cuts and `sharing` for grants, compares no others.

use model::Timestamp;

/// Whether values of a type are compared.
pub(crate) fn is_compared(type_text: &str) -> bool {
    is_value(type_text, "").is_some()
}

/// Whether a text is a value of a type; None: values of it are not compared.
pub(crate) fn is_value(type_text: &str, text: &str) -> Option<bool> {
    Some(match type_text {
        "string" => true,
        "tinyint" | "smallint" | "int" | "bigint" => text.parse::<i64>().is_ok(),
        "boolean" => matches!(text, "true" | "false"),
        "date" => {
            let day = Timestamp::parse(text).ok().and_then(Timestamp::date);
            // Another spelling of a day is none.
            day.is_some_and(|day| day.to_string() == text)
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_told_by_the_names_that_types_are_shown_by() {
        for (type_text, text, is) in [
            ("string", "DE", Some(true)),
            ("tinyint", "-1", Some(true)),
            ("smallint", "1.5", Some(false)),
            ("int", "2024", Some(true)),
            ("bigint", "9223372036854775808", Some(false)),
            ("boolean", "true", Some(true)),
            ("boolean", "yes", Some(false)),
            ("date", "2026-01-31", Some(true)),
            ("date", "2026-1-31", Some(false)),
            ("date", "2026-01-31T00:00:00Z", Some(false)),
            ("timestamp", "2026-01-31T00:00:00Z", None),
            ("double", "1", None),
            ("decimal(10,2)", "1", None),
            ("struct<a: int>", "1", None),
            ("", "1", None),
        ] {
            assert_eq!(is_value(type_text, text), is, "{type_text} {text}");
            assert_eq!(is_compared(type_text), is.is_some(), "{type_text}");
        }
    }
}
