//! The schema of a table for people: names, types as text, nullability, comments.

use serde::Serialize;
use serde_json::Value;

use crate::LogError;
use crate::actions::Metadata;

/// One column, or one field of a nested column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Column {
    pub name: String,
    /// As in SQL: `bigint`, `decimal(10,2)`, `array<string>`, `struct<a: int, b: string>`.
    pub type_text: String,
    pub nullable: bool,
    pub comment: Option<String>,
    /// The fields of a struct, also of one inside an array or a map.
    pub children: Vec<Column>,
}

impl Metadata {
    /// The table's columns in order.
    ///
    /// # Errors
    /// [`LogError::Schema`] when `schemaString` is not a schema of the protocol. Nesting ends at 128 levels, serde_json's
    /// own limit.
    pub fn schema(&self) -> Result<Vec<Column>, LogError> {
        let schema: Value =
            serde_json::from_str(&self.schema_string).map_err(|_| broken("is not JSON"))?;
        if schema.get("type").and_then(Value::as_str) != Some("struct") {
            return Err(broken("is not a struct"));
        }
        columns(&schema)
    }
}

fn broken(what: &'static str) -> LogError {
    LogError::Schema { what }
}

fn columns(schema: &Value) -> Result<Vec<Column>, LogError> {
    let fields = schema
        .get("fields")
        .and_then(Value::as_array)
        .ok_or_else(|| broken("has no fields"))?;
    fields
        .iter()
        .map(|field| {
            let name = field
                .get("name")
                .and_then(Value::as_str)
                .ok_or_else(|| broken("has a column without name"))?;
            let (type_text, children) = data_type(
                field
                    .get("type")
                    .ok_or_else(|| broken("has a column without type"))?,
            )?;
            Ok(Column {
                name: name.to_owned(),
                type_text,
                nullable: field
                    .get("nullable")
                    .and_then(Value::as_bool)
                    .unwrap_or(true),
                comment: field
                    .pointer("/metadata/comment")
                    .and_then(Value::as_str)
                    .map(str::to_owned),
                children,
            })
        })
        .collect()
}

fn data_type(value: &Value) -> Result<(String, Vec<Column>), LogError> {
    let inner = |name: &str| {
        data_type(
            value
                .get(name)
                .ok_or_else(|| broken("has a collection without element"))?,
        )
    };
    if let Some(name) = value.as_str() {
        // Whoever chooses rows by a column goes by these names, too.
        let sql = match name {
            "byte" => "tinyint",
            "short" => "smallint",
            "integer" => "int",
            "long" => "bigint",
            other => other,
        };
        return Ok((sql.to_owned(), Vec::new()));
    }
    match value.get("type").and_then(Value::as_str) {
        Some("struct") => {
            let children = columns(value)?;
            let fields: Vec<String> = children
                .iter()
                .map(|c| format!("{}: {}", c.name, c.type_text))
                .collect();
            Ok((format!("struct<{}>", fields.join(", ")), children))
        }
        Some("array") => {
            let (element, children) = inner("elementType")?;
            Ok((format!("array<{element}>"), children))
        }
        Some("map") => {
            let (key, _) = inner("keyType")?;
            let (value, children) = inner("valueType")?;
            Ok((format!("map<{key}, {value}>"), children))
        }
        _ => Err(broken("has a type that is not of the protocol")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn metadata(schema: &Value) -> Metadata {
        Metadata {
            id: "i".into(),
            name: None,
            description: None,
            schema_string: schema.to_string(),
            partition_columns: vec![],
            configuration: Default::default(),
            created: None,
            raw: Value::Null,
        }
    }

    #[test]
    fn types_read_like_sql() {
        let schema = json!({"type": "struct", "fields": [
            {"name": "id", "type": "long", "nullable": false, "metadata": {"comment": "key"}},
            {"name": "price", "type": "decimal(10,2)", "nullable": true, "metadata": {}},
            {"name": "at", "type": "timestamp_ntz", "nullable": true, "metadata": {}},
            {"name": "visit", "nullable": true, "metadata": {}, "type": {"type": "struct", "fields": [
                {"name": "a", "type": "integer", "nullable": true, "metadata": {}},
                {"name": "tags", "nullable": true, "metadata": {}, "type":
                    {"type": "array", "containsNull": true, "elementType": {"type": "map", "keyType": "string",
                     "valueType": "short", "valueContainsNull": true}}}]}},
        ]});
        let columns = metadata(&schema).schema().unwrap();
        let types: Vec<&str> = columns.iter().map(|c| c.type_text.as_str()).collect();
        assert_eq!(
            types,
            [
                "bigint",
                "decimal(10,2)",
                "timestamp_ntz",
                "struct<a: int, tags: array<map<string, smallint>>>"
            ]
        );
        assert_eq!(columns[0].comment.as_deref(), Some("key"));
        assert!(!columns[0].nullable && columns[1].nullable);
        assert_eq!(columns[3].children[0].name, "a");
    }

    #[test]
    fn what_is_no_schema_is_an_error() {
        for schema in [
            json!(7),
            json!({"type": "long"}),
            json!({"type": "struct"}),
            json!({"type": "struct", "fields": [{"name": "x"}]}),
            json!({"type": "struct", "fields": [{"type": "long"}]}),
            json!({"type": "struct", "fields": [{"name": "x", "type": {"type": "array"}}]}),
            json!({"type": "struct", "fields": [{"name": "x", "type": {"type": "hologram"}}]}),
        ] {
            assert!(metadata(&schema).schema().is_err(), "{schema}");
        }
    }
}
