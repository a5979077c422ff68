//! The shapes of an answer's lines, in both response formats (checklist §1.5). How they are filled is in [`crate::lines`].

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use serde_json::Value;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Line<'a> {
    Protocol(ProtocolLine<'a>),
    MetaData(MetadataLine<'a>),
    File(FileLine<'a>),
    Add(PlainFile<'a>),
    Cdf(PlainFile<'a>),
    Remove(PlainFile<'a>),
    EndStreamAction(EndStreamAction<'a>),
    QueryStatus(QueryStatus<'a>),
}

#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum ProtocolLine<'a> {
    #[serde(rename_all = "camelCase")]
    Parquet { min_reader_version: u32 },
    #[serde(rename_all = "camelCase")]
    Delta {
        delta_protocol: DeltaProtocol<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        version: Option<u64>,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeltaProtocol<'a> {
    pub(crate) min_reader_version: i64,
    pub(crate) min_writer_version: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reader_features: Option<Vec<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) writer_features: Option<Vec<&'a str>>,
}

#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum MetadataLine<'a> {
    Parquet(PlainMetadata<'a>),
    #[serde(rename_all = "camelCase")]
    Delta {
        delta_metadata: PlainMetadata<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        version: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        size: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        num_files: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        location: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        access_modes: Option<[&'static str; 2]>,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlainMetadata<'a> {
    pub(crate) id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<&'a str>,
    pub(crate) format: Provider<'a>,
    pub(crate) schema_string: &'a str,
    pub(crate) partition_columns: &'a [String],
    pub(crate) configuration: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) created_time: Option<&'a Value>,
    /// Only in the parquet format, as what follows it; the other says them beside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) num_files: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) location: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) access_modes: Option<[&'static str; 2]>,
}

#[derive(Serialize)]
pub(crate) struct Provider<'a> {
    pub(crate) provider: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) options: Option<BTreeMap<&'a str, &'a str>>,
}

#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum FileLine<'a> {
    Parquet(PlainFile<'a>),
    #[serde(rename_all = "camelCase")]
    Delta {
        id: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        deletion_vector_file_id: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        version: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        timestamp: Option<i64>,
        expiration_timestamp: i64,
        delta_single_action: DeltaSingleAction<'a>,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlainFile<'a> {
    pub(crate) url: &'a str,
    pub(crate) id: &'a str,
    pub(crate) partition_values: PlainValues<'a>,
    pub(crate) size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stats: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) timestamp: Option<i64>,
    pub(crate) expiration_timestamp: i64,
}

/// The empty string is null (PROTOCOL.md, Partition Value Serialization).
pub(crate) struct PlainValues<'a>(pub(crate) &'a BTreeMap<String, Option<String>>);

impl Serialize for PlainValues<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let values = self.0.iter();
        serializer.collect_map(values.map(|(name, value)| (name, value.as_deref().unwrap_or(""))))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum DeltaSingleAction<'a> {
    Add(DeltaAdd<'a>),
    Remove(DeltaRemove<'a>),
    Cdc(DeltaCdc<'a>),
}

/// Which rows of a file are deleted.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeltaVector<'a> {
    /// `i`: inline; `p`: behind a URL.
    pub(crate) storage_type: &'a str,
    pub(crate) path_or_inline_dv: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) offset: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) size_in_bytes: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cardinality: Option<&'a Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeltaRemove<'a> {
    pub(crate) path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) deletion_timestamp: Option<i64>,
    pub(crate) data_change: bool,
    pub(crate) extended_file_metadata: bool,
    pub(crate) partition_values: &'a BTreeMap<String, Option<String>>,
    pub(crate) size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) deletion_vector: Option<DeltaVector<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeltaCdc<'a> {
    pub(crate) path: &'a str,
    pub(crate) partition_values: &'a BTreeMap<String, Option<String>>,
    pub(crate) size: u64,
    pub(crate) data_change: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeltaAdd<'a> {
    pub(crate) path: &'a str,
    pub(crate) partition_values: &'a BTreeMap<String, Option<String>>,
    pub(crate) size: u64,
    pub(crate) modification_time: i64,
    pub(crate) data_change: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stats: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) deletion_vector: Option<DeltaVector<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) base_row_id: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) default_row_commit_version: Option<&'a Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QueryStatus<'a> {
    pub(crate) query_id: &'a str,
    pub(crate) status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EndStreamAction<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refresh_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_page_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) min_url_expiration_timestamp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error_message: Option<&'a str>,
}
