//! The little that must be known of a table's schema string: which reader features it uses, and the form without what is
//! nobody's business.

use serde_json::Value;

use crate::error::Failure;

fn parse(schema: &str) -> Result<Value, Failure> {
    serde_json::from_str(schema).map_err(|_| {
        Failure::unsupported("the table's schema cannot be read; its producer has to repair it")
    })
}

/// What the columns of a schema, or parts of them, use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Used {
    pub(crate) timestamp_ntz: bool,
    pub(crate) variant: bool,
    /// Some were of a narrower type once, and files may still have that.
    pub(crate) widened: bool,
}

/// Where a field says of which types it was.
const TYPE_CHANGES: &str = "delta.typeChanges";

pub(crate) fn used(schema: &str) -> Result<Used, Failure> {
    let mut used = Used::default();
    // Most schemas do not even hold the words; those that do may hold them as a name or in a comment.
    let words = ["timestamp_ntz", "variant", TYPE_CHANGES];
    if words.iter().any(|word| schema.contains(word)) {
        look_at(&parse(schema)?, &mut used);
    }
    Ok(used)
}

/// `kind` is a type: a word, or an object whose parts are types again.
fn look_at(kind: &Value, used: &mut Used) {
    match kind {
        Value::String(word) => {
            used.timestamp_ntz |= word == "timestamp_ntz";
            used.variant |= word == "variant";
        }
        Value::Object(parts) => {
            for part in ["elementType", "keyType", "valueType"] {
                if let Some(inner) = parts.get(part) {
                    look_at(inner, used);
                }
            }
            let fields = parts.get("fields").and_then(Value::as_array);
            for field in fields.into_iter().flatten() {
                let notes = field.get("metadata");
                used.widened |= notes.is_some_and(|notes| notes.get(TYPE_CHANGES).is_some());
                if let Some(inner) = field.get("type") {
                    look_at(inner, used);
                }
            }
        }
        _ => {}
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
    fn only_types_count_as_use() {
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
            let ntz = Used {
                timestamp_ntz: true,
                ..Used::default()
            };
            assert_eq!(used(&field(kind)).unwrap(), ntz, "{kind}");
            let variant = used(&field(&kind.replace("timestamp_ntz", "variant"))).unwrap();
            assert!(variant.variant && !variant.timestamp_ntz, "{kind}");
        }
        assert_eq!(used(&field(r#""timestamp""#)).unwrap(), Used::default());
        let named = r#"{"type":"struct","fields":[{"name":"timestamp_ntz","type":"date","metadata":{"comment":"variant delta.typeChanges"}}]}"#;
        assert_eq!(used(named).unwrap(), Used::default());
        let widened = r#"{"type":"struct","fields":[{"name":"s","type":{"type":"struct","fields":[{"name":"n","type":"long","metadata":{"delta.typeChanges":[{"fromType":"integer","toType":"long"}]}}]},"metadata":{}}]}"#;
        assert!(used(widened).unwrap().widened);
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
