//! The little that must be known of a table's schema string: whether it needs a reader feature, and the form without what
//! is nobody's business.

use serde_json::Value;

use crate::error::Failure;

fn parse(schema: &str) -> Result<Value, Failure> {
    serde_json::from_str(schema).map_err(|_| {
        Failure::unsupported("the table's schema cannot be read; its producer has to repair it")
    })
}

/// Whether a column, or a part of one, is a timestamp without a zone.
pub(crate) fn uses_timestamp_ntz(schema: &str) -> Result<bool, Failure> {
    // Most schemas do not even hold the word; those that do may hold it as a name or in a comment.
    if !schema.contains("timestamp_ntz") {
        return Ok(false);
    }
    Ok(is_ntz(&parse(schema)?))
}

/// `kind` is a type: a word, or an object whose parts are types again.
fn is_ntz(kind: &Value) -> bool {
    match kind {
        Value::String(word) => word == "timestamp_ntz",
        Value::Object(parts) => match parts.get("type").and_then(Value::as_str) {
            Some("struct") => parts
                .get("fields")
                .and_then(Value::as_array)
                .is_some_and(|fields| {
                    fields
                        .iter()
                        .any(|field| field.get("type").is_some_and(is_ntz))
                }),
            Some("array") => parts.get("elementType").is_some_and(is_ntz),
            Some("map") => ["keyType", "valueType"]
                .iter()
                .any(|part| parts.get(*part).is_some_and(is_ntz)),
            _ => false,
        },
        _ => false,
    }
}

/// The schema with no column metadata but comments, as the reference server trims it: what else producers note at a column
/// is not for recipients. Keys keep their order.
pub(crate) fn trimmed(schema: &str) -> Result<String, Failure> {
    let mut value = parse(schema)?;
    trim(&mut value);
    Ok(value.to_string())
}

fn trim(kind: &mut Value) {
    let Some(parts) = kind.as_object_mut() else {
        return;
    };
    for part in ["elementType", "keyType", "valueType"] {
        if let Some(inner) = parts.get_mut(part) {
            trim(inner);
        }
    }
    let Some(fields) = parts.get_mut("fields").and_then(Value::as_array_mut) else {
        return;
    };
    for field in fields {
        if let Some(metadata) = field.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.retain(|key, _| key == "comment");
        }
        if let Some(inner) = field.get_mut("type") {
            trim(inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_types_count_as_use_of_timestamp_ntz() {
        let field = |kind: &str| {
            format!(
                r#"{{"type":"struct","fields":[{{"name":"a","type":{kind},"nullable":true,"metadata":{{}}}}]}}"#
            )
        };
        for kind in [
            r#""timestamp_ntz""#,
            r#"{"type":"array","elementType":"timestamp_ntz","containsNull":true}"#,
            r#"{"type":"map","keyType":"string","valueType":{"type":"struct","fields":[{"name":"b","type":"timestamp_ntz"}]}}"#,
        ] {
            assert!(uses_timestamp_ntz(&field(kind)).unwrap(), "{kind}");
        }
        assert!(!uses_timestamp_ntz(&field(r#""timestamp""#)).unwrap());
        let named = r#"{"type":"struct","fields":[{"name":"timestamp_ntz","type":"date","metadata":{"comment":"timestamp_ntz"}}]}"#;
        assert!(!uses_timestamp_ntz(named).unwrap());
    }

    #[test]
    fn column_metadata_is_trimmed_at_every_depth_and_order_is_kept() {
        let schema = r#"{"type":"struct","fields":[{"name":"z","type":"date","nullable":true,"metadata":{"secret":1,"comment":"day","x":{}}},{"name":"a","type":{"type":"array","elementType":{"type":"struct","fields":[{"name":"b","type":"long","nullable":false,"metadata":{"owner":"me"}}]},"containsNull":true},"nullable":true,"metadata":{}}]}"#;
        assert_eq!(
            trimmed(schema).unwrap(),
            r#"{"type":"struct","fields":[{"name":"z","type":"date","nullable":true,"metadata":{"comment":"day"}},{"name":"a","type":{"type":"array","elementType":{"type":"struct","fields":[{"name":"b","type":"long","nullable":false,"metadata":{}}]},"containsNull":true},"nullable":true,"metadata":{}}]}"#
        );
        assert_eq!(trimmed("{").unwrap_err().code(), "UNSUPPORTED_OPERATION");
        assert!(trimmed(&r#"{"type":"#.repeat(1_000)).is_err());
    }
}
