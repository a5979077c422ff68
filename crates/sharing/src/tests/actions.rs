//! The actions that the logs of these tests are made of.

use std::collections::BTreeMap;

use serde_json::{Value, json};

pub(super) const SCHEMA: &str = r#"{"type":"struct","fields":[{"name":"eventTime","type":"timestamp","nullable":true,"metadata":{"comment":"when","owner":"internal"}},{"name":"date","type":"date","nullable":true,"metadata":{}}]}"#;

pub(super) fn protocol() -> Value {
    json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}})
}

pub(super) fn metadata() -> Value {
    metadata_with(SCHEMA, &BTreeMap::new())
}

pub(super) fn metadata_with(schema: &str, configuration: &BTreeMap<&str, &str>) -> Value {
    json!({"metaData": {
        "id": "f8d5c169-3d01-4ca3-ad9e-7dc3355aedb2",
        "format": {"provider": "parquet", "options": {}},
        "schemaString": schema,
        "partitionColumns": ["date"],
        "configuration": configuration,
        "createdTime": 1_619_652_806_000_i64,
    }})
}

/// The two files of the reference's table2, whose ids its own client tests know.
pub(super) const FILES: [(&str, &str); 2] = [
    (
        "date=2021-04-28/part-00000-8b0086f2-7b27-4935-ac5a-8ed6215a6640.c000.snappy.parquet",
        "2021-04-28",
    ),
    (
        "date=2021-04-28/part-00000-591723a8-6a27-4240-a90e-57426f4736d2.c000.snappy.parquet",
        "2021-04-28",
    ),
];

pub(super) fn add(path: &str, date: Option<&str>, rows: Option<u64>) -> Value {
    let mut add = json!({"add": {
        "path": path,
        "partitionValues": {"date": date},
        "size": 573,
        "modificationTime": 1_619_652_807_000_i64,
        "dataChange": true,
        "tags": {"INSERTION_TIME": "internal"},
    }});
    if let Some(rows) = rows {
        add["add"]["stats"] = Value::String(format!("{{\"numRecords\":{rows}}}"));
    }
    add
}
