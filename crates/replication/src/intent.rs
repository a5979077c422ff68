//! What a replica's protocol, metadata and files are to be, given the source's. The numbers of rules are those of the
//! tests in `rule_tests`.

use std::collections::{BTreeMap, BTreeSet};

use delta::{AddFile, Metadata, Protocol};
use model::ReplicaTableId;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

/// Features that tie a table to a catalog, or whose upkeep a replica does not take over: row ids and clustering matter
/// to writers only, and nobody but us writes a replica.
const LEFT_OUT: &[&str] = &[
    "catalogManaged",
    "catalogOwned",
    "catalogOwned-preview",
    "coordinatedCommits-preview",
    "rowTracking",
    "clustering",
];

/// Writer features whose rules our commits keep: copied rows already satisfy constraints, expressions and defaults.
const KEPT: &[&str] = &[
    "appendOnly",
    "invariants",
    "checkConstraints",
    "changeDataFeed",
    "generatedColumns",
    "identityColumns",
    "allowColumnDefaults",
    "timestampNtz",
    "inCommitTimestamp",
    "domainMetadata",
];

/// Fields of an `add` that go with the features left out, and those only a checkpoint has.
const ADD_LEFT_OUT: &[&str] = &[
    "baseRowId",
    "defaultRowCommitVersion",
    "clusteringProvider",
    "stats_parsed",
    "partitionValues_parsed",
];

/// Table properties that would be wrong on a replica.
fn is_left_out(property: &str) -> bool {
    property.starts_with("delta.coordinatedCommits.")
        || property.starts_with("io.unitycatalog.")
        || property.starts_with("delta.rowTracking.")
        || property.starts_with("delta.feature.")
        || matches!(
            property,
            "ucTableId"
                | "delta.enableRowTracking"
                | ICT_VERSION
                | ICT_TIMESTAMP
                // Both would make the log forget what a replica lives on: its `txn`, its tombstones, its statistics.
                | "delta.setTransactionRetentionDuration"
                | TOMBSTONES
                | "delta.checkpoint.writeStatsAsJson"
                | "delta.checkpoint.writeStatsAsStruct"
        )
}

const TOMBSTONES: &str = "delta.deletedFileRetentionDuration";
const CDF: &str = "delta.enableChangeDataFeed";
const ICT: &str = "delta.enableInCommitTimestamps";
pub(crate) const ICT_VERSION: &str = "delta.inCommitTimestampEnablementVersion";
pub(crate) const ICT_TIMESTAMP: &str = "delta.inCommitTimestampEnablementTimestamp";

/// Longer than vacuuming waits, so that a checkpoint never forgets a tombstone before its file is gone.
const TOMBSTONE_MARGIN_HOURS: u32 = 30 * 24;

/// Features that a legacy writer version stands for (protocol, "Table Features").
fn implied(min_writer: u32) -> impl Iterator<Item = &'static str> {
    const BY_VERSION: &[(u32, &str)] = &[
        (2, "appendOnly"),
        (2, "invariants"),
        (3, "checkConstraints"),
        (4, "changeDataFeed"),
        (4, "generatedColumns"),
        (5, "columnMapping"),
        (6, "identityColumns"),
    ];
    BY_VERSION
        .iter()
        .filter(move |(version, _)| min_writer < 7 && *version <= min_writer)
        .map(|(_, name)| *name)
}

/// What a protocol comes down to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Needs {
    reader: u32,
    writer: u32,
    reader_features: BTreeSet<String>,
    writer_features: BTreeSet<String>,
}

impl Needs {
    pub(crate) fn of(protocol: &Protocol) -> Self {
        Self {
            reader: protocol.min_reader,
            writer: protocol.min_writer,
            reader_features: protocol.reader_features.clone(),
            writer_features: protocol.writer_features.clone(),
        }
    }

    /// The replica's protocol: both united, never less than either. `Err` names a feature we cannot write under.
    pub(crate) fn unite(source: &Protocol, held: Option<&Protocol>) -> Result<Self, String> {
        let mut all = vec![Self::of(source)];
        all.extend(held.map(Self::of));
        let highest = |number: fn(&Self) -> u32| all.iter().map(number).max().unwrap_or_default();
        let (reader, writer) = (highest(|needs| needs.reader), highest(|needs| needs.writer));
        let mut united = Self {
            reader,
            writer,
            reader_features: BTreeSet::new(),
            writer_features: BTreeSet::new(),
        };
        for needs in &all {
            united
                .reader_features
                .extend(needs.reader_features.iter().cloned());
            united
                .writer_features
                .extend(needs.writer_features.iter().cloned());
            if writer >= 7 {
                united
                    .writer_features
                    .extend(implied(needs.writer).map(str::to_owned));
            }
        }
        for name in LEFT_OUT {
            united.reader_features.remove(*name);
            united.writer_features.remove(*name);
        }
        match united
            .writer_features
            .iter()
            .find(|name| !KEPT.contains(&name.as_str()))
        {
            Some(name) => Err(name.clone()),
            None => Ok(united),
        }
    }

    pub(crate) fn action(&self) -> Value {
        let mut protocol =
            json!({ "minReaderVersion": self.reader, "minWriterVersion": self.writer });
        if self.reader >= 3 {
            protocol["readerFeatures"] = json!(self.reader_features);
        }
        if self.writer >= 7 {
            protocol["writerFeatures"] = json!(self.writer_features);
        }
        protocol
    }

    pub(crate) fn digest(&self) -> String {
        format!("{self:?}")
    }
}

/// Whether commits of a table with these properties carry `inCommitTimestamp`.
pub(crate) fn has_commit_timestamps(configuration: &BTreeMap<String, String>) -> bool {
    configuration
        .get(ICT)
        .is_some_and(|on| on.eq_ignore_ascii_case("true"))
}

/// The replica's properties, without the two that say since when commits carry timestamps.
pub(crate) fn configuration(source: &Metadata, retention_hours: u32) -> BTreeMap<String, String> {
    let mut kept: BTreeMap<String, String> = source
        .configuration
        .iter()
        .filter(|(property, _)| !is_left_out(property))
        .map(|(property, value)| (property.clone(), value.clone()))
        .collect();
    // One merged commit without change files would tell wrong row changes (rule 22).
    if kept
        .get(CDF)
        .is_some_and(|on| on.eq_ignore_ascii_case("true"))
    {
        kept.insert(CDF.to_owned(), "false".to_owned());
    }
    let hours = retention_hours.saturating_add(TOMBSTONE_MARGIN_HOURS);
    kept.insert(TOMBSTONES.to_owned(), format!("interval {hours} hours"));
    kept
}

/// What has to be equal for the metadata to stand as intended; the id and the time of creation are the replica's own.
pub(crate) fn metadata_digest(
    metadata: &Metadata,
    configuration: &BTreeMap<String, String>,
) -> String {
    let mut configuration = configuration.clone();
    configuration.remove(ICT_VERSION);
    configuration.remove(ICT_TIMESTAMP);
    let text = json!([
        metadata.name,
        metadata.description,
        metadata.schema_string,
        metadata.partition_columns,
        configuration
    ]);
    hex::encode(Sha256::digest(text.to_string().as_bytes()))
}

/// The `metaData` action: the source's, with the replica's own id, time of creation and properties. Everything else,
/// the schema's text above all, stays to the byte.
pub(crate) fn metadata_action(
    source: &Metadata,
    configuration: &BTreeMap<String, String>,
    held: Option<&Metadata>,
    replica_table: ReplicaTableId,
    created_millis: i64,
) -> Value {
    let mut raw: Map<String, Value> = source.raw.as_object().cloned().unwrap_or_default();
    raw.retain(|_, value| !value.is_null());
    let id = held.map_or_else(|| replica_table.to_string(), |held| held.id.clone());
    raw.insert("id".to_owned(), id.into());
    let created = held.and_then(|held| held.created).unwrap_or(created_millis);
    raw.insert("createdTime".to_owned(), created.into());
    raw.insert("configuration".to_owned(), json!(configuration));
    // A checkpoint may have lost it; the protocol knows no other.
    raw.entry("format")
        .or_insert_with(|| json!({ "provider": "parquet", "options": {} }));
    Value::Object(raw)
}

/// An `add` for the replica: the source's object as it is, its path to the byte.
pub(crate) fn add_action(file: &AddFile, data_change: bool) -> Value {
    let mut raw: Map<String, Value> = file.raw.as_object().cloned().unwrap_or_default();
    raw.retain(|name, value| !value.is_null() && !ADD_LEFT_OUT.contains(&name.as_str()));
    raw.insert("dataChange".to_owned(), data_change.into());
    Value::Object(raw)
}

/// The tombstone of a file the replica held. `at` is the replica's time: readers of the replica need the retention
/// (rule 31).
pub(crate) fn remove_action(file: &AddFile, at_millis: i64) -> Value {
    let mut remove = json!({
        "path": file.path,
        "deletionTimestamp": at_millis,
        "dataChange": true,
        "extendedFileMetadata": true,
        "partitionValues": file.partition_values,
        "size": file.size,
    });
    for name in ["deletionVector", "tags"] {
        if let Some(value) = file.raw.get(name).filter(|value| !value.is_null()) {
            remove[name] = value.clone();
        }
    }
    remove
}

/// Whether the source says the same of a file as the replica does. Statistics that the source's checkpoint has lost
/// are no change: what was said of an immutable file stays true.
pub(crate) fn says_the_same(source: &AddFile, held: &AddFile) -> bool {
    let stats = match (&source.stats, &held.stats) {
        (None, _) => true,
        (Some(source), Some(held)) if source == held => true,
        (Some(source), Some(held)) => {
            let parse = |text: &str| serde_json::from_str::<Value>(text).ok();
            parse(source).is_some_and(|source| parse(held) == Some(source))
        }
        (Some(_), None) => false,
    };
    let tags = |file: &AddFile| {
        file.raw
            .get("tags")
            .and_then(Value::as_object)
            .filter(|tags| !tags.is_empty())
            .cloned()
    };
    stats && source.partition_values == held.partition_values && tags(source) == tags(held)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn protocol(reader: u32, writer: u32, readers: &[&str], writers: &[&str]) -> Protocol {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Protocol {
            min_reader: reader,
            min_writer: writer,
            reader_features: names(readers),
            writer_features: names(writers),
            raw: Value::Null,
        }
    }

    #[test]
    fn protocols_are_united_and_never_lowered() {
        let ntz = protocol(3, 7, &["timestampNtz"], &["timestampNtz"]);
        let cases = [
            (
                protocol(1, 2, &[], &[]),
                None,
                json!({ "minReaderVersion": 1, "minWriterVersion": 2 }),
            ),
            (
                protocol(1, 2, &[], &[]),
                Some(protocol(1, 4, &[], &[])),
                json!({ "minReaderVersion": 1, "minWriterVersion": 4 }),
            ),
            (
                protocol(1, 3, &[], &[]),
                Some(ntz),
                json!({
                    "minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["timestampNtz"],
                    "writerFeatures": ["appendOnly", "checkConstraints", "invariants", "timestampNtz"]
                }),
            ),
            (
                protocol(
                    1,
                    7,
                    &[],
                    &["rowTracking", "domainMetadata", "catalogOwned"],
                ),
                None,
                json!({ "minReaderVersion": 1, "minWriterVersion": 7, "writerFeatures": ["domainMetadata"] }),
            ),
        ];
        for (source, held, expected) in cases {
            assert_eq!(
                Needs::unite(&source, held.as_ref()).unwrap().action(),
                expected
            );
        }
        let strange = protocol(1, 7, &[], &["fancy"]);
        assert_eq!(Needs::unite(&strange, None), Err("fancy".to_owned()));
    }
}
