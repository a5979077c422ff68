//! The actions of a source's log, as writers write them.

use model::Timestamp;
use serde_json::{Value, json};

use crate::rows;

/// The one partition column, where a table has one.
pub(crate) const PARTITION: &str = "p";

pub(crate) fn protocol(has_feed: bool) -> Value {
    let writer = if has_feed { 4 } else { 2 };
    json!({ "protocol": { "minReaderVersion": 1, "minWriterVersion": writer } })
}

pub(crate) fn metadata(id: u32, is_partitioned: bool, has_feed: bool, at: Timestamp) -> Value {
    let mut fields = rows::fields();
    if is_partitioned {
        fields
            .push(json!({ "name": PARTITION, "type": "string", "nullable": true, "metadata": {} }));
    }
    let partitions: &[&str] = if is_partitioned { &[PARTITION] } else { &[] };
    let configuration = match has_feed {
        true => json!({ "delta.enableChangeDataFeed": "true" }),
        false => json!({}),
    };
    json!({ "metaData": {
        "id": format!("00000000-0000-4000-8000-{id:012}"),
        "format": { "provider": "parquet", "options": {} },
        "schemaString": json!({ "type": "struct", "fields": fields }).to_string(),
        "partitionColumns": partitions,
        "configuration": configuration,
        "createdTime": at.millis(),
    } })
}

/// Values of the partition column, none where the table has none.
fn values(partition: Option<&str>) -> Value {
    match partition {
        Some(value) => json!({ PARTITION: value }),
        None => json!({}),
    }
}

pub(crate) struct File<'a> {
    pub(crate) path: &'a str,
    pub(crate) partition: Option<&'a str>,
    pub(crate) size: u64,
}

impl File<'_> {
    pub(crate) fn add(&self, stats: &str, at: Timestamp, is_change: bool) -> Value {
        json!({ "add": {
            "path": self.path, "partitionValues": values(self.partition), "size": self.size,
            "modificationTime": at.millis(), "dataChange": is_change, "stats": stats,
        } })
    }

    pub(crate) fn remove(&self, at: Timestamp, is_change: bool) -> Value {
        json!({ "remove": {
            "path": self.path, "deletionTimestamp": at.millis(), "dataChange": is_change,
            "extendedFileMetadata": true, "partitionValues": values(self.partition), "size": self.size,
        } })
    }

    pub(crate) fn cdc(&self) -> Value {
        json!({ "cdc": {
            "path": self.path, "partitionValues": values(self.partition), "size": self.size, "dataChange": false,
        } })
    }
}

pub(crate) fn info(operation: &str, parameters: &Value, at: Timestamp) -> Value {
    json!({ "commitInfo": {
        "timestamp": at.millis(), "operation": operation, "operationParameters": parameters, "engineInfo": "bench",
    } })
}

/// The bytes of a commit.
pub(crate) fn body<'a>(actions: impl IntoIterator<Item = &'a Value>) -> Vec<u8> {
    let mut body = Vec::new();
    for action in actions {
        body.extend_from_slice(action.to_string().as_bytes());
        body.push(b'\n');
    }
    body
}
