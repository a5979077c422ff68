//! Arrow types and the schema JSON of the Delta protocol, both ways.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields, Schema, TimeUnit};
use serde_json::{Value, json};

use super::WriteError;
use crate::shape::primitive;

const UTC: &str = "UTC";

fn unsupported(what: impl std::fmt::Display) -> WriteError {
    WriteError::Unsupported(format!("columns of type {what}"))
}

pub(super) fn schema_to_json(schema: &Schema) -> Result<Value, WriteError> {
    struct_to_json(schema.fields())
}

fn struct_to_json(fields: &Fields) -> Result<Value, WriteError> {
    let fields: Vec<Value> = fields
        .iter()
        .map(|field| {
            let comment = field
                .metadata()
                .get("comment")
                .map(|text| json!({"comment": text}));
            Ok(json!({
                "name": field.name(),
                "type": type_to_json(field.data_type())?,
                "nullable": field.is_nullable(),
                "metadata": comment.unwrap_or_else(|| json!({})),
            }))
        })
        .collect::<Result<_, WriteError>>()?;
    Ok(json!({"type": "struct", "fields": fields}))
}

fn type_to_json(data_type: &DataType) -> Result<Value, WriteError> {
    Ok(match data_type {
        DataType::Boolean => json!("boolean"),
        DataType::Int8 => json!("byte"),
        DataType::Int16 => json!("short"),
        DataType::Int32 => json!("integer"),
        DataType::Int64 => json!("long"),
        DataType::Float32 => json!("float"),
        DataType::Float64 => json!("double"),
        DataType::Utf8 => json!("string"),
        DataType::Binary => json!("binary"),
        DataType::Date32 => json!("date"),
        DataType::Timestamp(TimeUnit::Microsecond, None) => json!("timestamp_ntz"),
        DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) if zone.as_ref() == UTC => {
            json!("timestamp")
        }
        DataType::Decimal128(precision, scale) if *scale >= 0 => {
            json!(format!("decimal({precision},{scale})"))
        }
        DataType::List(element) => json!({
            "type": "array",
            "elementType": type_to_json(element.data_type())?,
            "containsNull": element.is_nullable(),
        }),
        DataType::Struct(fields) => struct_to_json(fields)?,
        other => return Err(unsupported(other)),
    })
}

pub(super) fn schema_from_json(text: &str) -> Result<Schema, WriteError> {
    let schema: Value =
        serde_json::from_str(text).map_err(|_| unsupported("a schema that is not JSON"))?;
    Ok(Schema::new(struct_from_json(&schema)?))
}

fn struct_from_json(schema: &Value) -> Result<Fields, WriteError> {
    let fields = schema
        .get("fields")
        .and_then(Value::as_array)
        .ok_or_else(|| unsupported(schema))?;
    fields
        .iter()
        .map(|field| {
            let name = field
                .get("name")
                .and_then(Value::as_str)
                .ok_or_else(|| unsupported(field))?;
            let data_type = type_from_json(field.get("type").unwrap_or(&Value::Null))?;
            let nullable = field
                .get("nullable")
                .and_then(Value::as_bool)
                .unwrap_or(true);
            let comment = field.pointer("/metadata/comment").and_then(Value::as_str);
            let metadata: HashMap<_, _> = comment
                .map(|text| ("comment".to_owned(), text.to_owned()))
                .into_iter()
                .collect();
            Ok(Field::new(name, data_type, nullable).with_metadata(metadata))
        })
        .collect()
}

fn type_from_json(value: &Value) -> Result<DataType, WriteError> {
    let Some(name) = value.as_str() else {
        return match value.get("type").and_then(Value::as_str) {
            Some("struct") => Ok(DataType::Struct(struct_from_json(value)?)),
            Some("array") => {
                let element = type_from_json(value.get("elementType").unwrap_or(&Value::Null))?;
                let nullable = value
                    .get("containsNull")
                    .and_then(Value::as_bool)
                    .unwrap_or(true);
                Ok(DataType::List(Arc::new(Field::new(
                    "item", element, nullable,
                ))))
            }
            _ => Err(unsupported(value)),
        };
    };
    primitive(name).ok_or_else(|| unsupported(name))
}

pub(super) fn has_timestamp_ntz(schema: &Schema) -> bool {
    fn inside(data_type: &DataType) -> bool {
        match data_type {
            DataType::Timestamp(_, None) => true,
            DataType::List(element) => inside(element.data_type()),
            DataType::Struct(fields) => fields.iter().any(|field| inside(field.data_type())),
            _ => false,
        }
    }
    schema
        .fields()
        .iter()
        .any(|field| inside(field.data_type()))
}

/// Partition values are text in the log, so only types whose text every reader writes alike.
pub(super) fn check_partitions(schema: &Schema, columns: &[String]) -> Result<(), WriteError> {
    for name in columns {
        let field = schema.field_with_name(name)?;
        let plain = matches!(
            field.data_type(),
            DataType::Utf8
                | DataType::Int8
                | DataType::Int16
                | DataType::Int32
                | DataType::Int64
                | DataType::Boolean
                | DataType::Date32
        );
        if !plain {
            return Err(WriteError::Unsupported(format!(
                "partitions by {}",
                field.data_type()
            )));
        }
    }
    if schema.fields().len() == columns.len() {
        return Err(WriteError::Unsupported(
            "tables of partition columns alone".into(),
        ));
    }
    Ok(())
}
