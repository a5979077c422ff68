//! What a replica's protocol, metadata and files are to be, given the source's. The numbers of rules are those of the
//! tests in `rule_tests`.

use std::collections::{BTreeMap, BTreeSet};

use delta::{AddFile, CdcFile, Metadata, Protocol, Snapshot};
use model::ReplicaTableId;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::stands::{GONE, foreign_tags, is_ours_in_tags};

/// Fields of an `add` that only a checkpoint has.
const ADD_LEFT_OUT: &[&str] = &["stats_parsed", "partitionValues_parsed"];

/// Fields of an `add` that say which rows a file holds and how they lie. The source's are kept: a row has the same id in every
/// clone (rule 18).
const ROW_FIELDS: [&str; 3] = ["baseRowId", "defaultRowCommitVersion", "clusteringProvider"];

/// Table properties that would be wrong on a replica.
fn is_left_out(property: &str) -> bool {
    property.starts_with("delta.coordinatedCommits.")
        || property.starts_with("io.unitycatalog.")
        || property.starts_with("delta.feature.")
        || matches!(
            property,
            "ucTableId"
                | ICT_VERSION
                | ICT_TIMESTAMP
                // The replica's log is kept in its own way, with classic checkpoints.
                | "delta.checkpointPolicy"
                | "delta.requireCheckpointProtectionBeforeVersion"
                // Both would make the log forget what a replica lives on: its `txn`, its tombstones, its statistics.
                | "delta.setTransactionRetentionDuration"
                | TOMBSTONES
                | "delta.checkpoint.writeStatsAsJson"
                | "delta.checkpoint.writeStatsAsStruct"
        )
}

const ROW_TRACKING: &str = "rowTracking";
const MAPPING: &str = "columnMapping";
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
            // Reader version 2 stands for one feature, which version 3 has to name.
            if reader >= 3 && needs.reader == 2 {
                united.reader_features.insert(MAPPING.to_owned());
            }
            if writer >= 7 {
                united
                    .writer_features
                    .extend(implied(needs.writer).map(str::to_owned));
            }
        }
        let is_kept = |name: &String| {
            // Files without row ids in a table that promises them would be half of it (rule 18).
            let is_half = name == ROW_TRACKING && !source.writer_features.contains(ROW_TRACKING);
            !is_half && !Protocol::is_left_behind(name)
        };
        united.reader_features.retain(is_kept);
        united.writer_features.retain(is_kept);
        let mut names = united.writer_features.iter();
        match names.find(|name| !Protocol::is_cloned(name)) {
            Some(name) => Err(name.clone()),
            None => Ok(united),
        }
    }

    /// Whether metadata domains may stand in the log.
    pub(crate) fn has_domains(&self) -> bool {
        self.writer_features.contains("domainMetadata")
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

/// The replica's properties, without the two that say since when commits carry timestamps. `keeps_feed`: the commit that sets them
/// tells its changes as the source does.
pub(crate) fn configuration(
    source: &Metadata,
    retention_hours: u32,
    keeps_feed: bool,
) -> BTreeMap<String, String> {
    let mut kept: BTreeMap<String, String> = source
        .configuration
        .iter()
        .filter(|(property, _)| !is_left_out(property))
        .map(|(property, value)| (property.clone(), value.clone()))
        .collect();
    // One merged commit without change files would tell wrong row changes (rule 22).
    if !keeps_feed
        && kept
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

/// An `add` for the replica: the source's object as it is, its path to the byte. Where the source is a replica itself, what its
/// own files stand for is no business of this one.
pub(crate) fn add_action(file: &AddFile, data_change: bool) -> Value {
    let mut action = own_action(file, data_change);
    if is_ours_in_tags(file) {
        action["tags"] = foreign_tags(file).unwrap_or_default().into();
    }
    action
}

/// An `add` as the replica says it.
pub(crate) fn own_action(file: &AddFile, data_change: bool) -> Value {
    let mut raw: Map<String, Value> = file.raw.as_object().cloned().unwrap_or_default();
    raw.retain(|name, value| !value.is_null() && !ADD_LEFT_OUT.contains(&name.as_str()));
    raw.insert("dataChange".to_owned(), data_change.into());
    Value::Object(raw)
}

/// A file of the source's change feed, which the replica has under the same name.
pub(crate) fn cdc_action(file: &CdcFile) -> Value {
    let mut raw: Map<String, Value> = file.raw.as_object().cloned().unwrap_or_default();
    raw.retain(|_, value| !value.is_null());
    // It is no file of the table.
    raw.insert("dataChange".to_owned(), false.into());
    Value::Object(raw)
}

/// The tombstone of a file the replica held. `at` is the replica's time: readers of the replica need the retention
/// (rule 31).
///
/// `gone_millis` is when the source removed it, where that is known: the retention counts from there.
pub(crate) fn remove_action(file: &AddFile, at_millis: i64, gone_millis: Option<i64>) -> Value {
    let mut remove = json!({
        "path": file.path,
        "deletionTimestamp": at_millis,
        "dataChange": true,
        "extendedFileMetadata": true,
        "partitionValues": file.partition_values,
        "size": file.size,
    });
    for name in ["deletionVector", "baseRowId", "defaultRowCommitVersion"] {
        if let Some(value) = file.raw.get(name).filter(|value| !value.is_null()) {
            remove[name] = value.clone();
        }
    }
    // Not the file's tags: they may tell of its rows as statistics do, and no reader needs them of a file that is gone (rule 41).
    if let Some(gone) = gone_millis {
        remove["tags"] = json!({ GONE: gone.to_string() });
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
    let rows = ROW_FIELDS.iter().all(|name| {
        let said = |file: &AddFile| file.raw.get(*name).filter(|v| !v.is_null()).cloned();
        said(source) == said(held)
    });
    stats
        && rows
        && source.partition_values == held.partition_values
        && foreign_tags(source) == foreign_tags(held)
}

/// The domains a replica is to have: all of the source's.
pub(crate) fn domains(source: &Snapshot, needs: &Needs) -> BTreeMap<String, String> {
    let mut domains = BTreeMap::new();
    if needs.has_domains() {
        let all = source.domain_metadata.values();
        domains.extend(all.map(|one| (one.domain.clone(), one.configuration.clone())));
    }
    domains
}

/// What turns the domains of the replica into those it is to have; a removed one is said to be (rule 20).
pub(crate) fn domain_actions(
    wanted: &BTreeMap<String, String>,
    held: Option<&Snapshot>,
) -> Vec<Value> {
    let none = BTreeMap::new();
    let held = held.map_or(&none, |held| &held.domain_metadata);
    let said = |domain: &str, configuration: &str, removed: bool| json!({ "domain": domain, "configuration": configuration, "removed": removed });
    let new = wanted
        .iter()
        .filter(|(domain, is)| held.get(*domain).map(|was| &was.configuration) != Some(*is));
    let new = new.map(|(domain, is)| said(domain, is, false));
    let gone = held
        .values()
        .filter(|was| !wanted.contains_key(&was.domain));
    let gone = gone.map(|was| said(&was.domain, &was.configuration, true));
    new.chain(gone).collect()
}

/// One number for the domains.
pub(crate) fn domains_digest(domains: &BTreeMap<String, String>) -> String {
    hex::encode(Sha256::digest(json!(domains).to_string().as_bytes()))
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
                json!({
                    "minReaderVersion": 1, "minWriterVersion": 7, "writerFeatures": ["domainMetadata", "rowTracking"]
                }),
            ),
            // Row tracking that the source has given up is given up here, too.
            (
                protocol(1, 7, &[], &["domainMetadata"]),
                Some(protocol(1, 7, &[], &["rowTracking", "domainMetadata"])),
                json!({ "minReaderVersion": 1, "minWriterVersion": 7, "writerFeatures": ["domainMetadata"] }),
            ),
            // What the old versions stand for is named where features are; how the source keeps its log is not.
            (
                protocol(
                    3,
                    7,
                    &["deletionVectors", "v2Checkpoint"],
                    &["deletionVectors", "v2Checkpoint"],
                ),
                Some(protocol(2, 5, &[], &[])),
                json!({
                    "minReaderVersion": 3, "minWriterVersion": 7,
                    "readerFeatures": ["columnMapping", "deletionVectors"],
                    "writerFeatures": [
                        "appendOnly", "changeDataFeed", "checkConstraints", "columnMapping", "deletionVectors",
                        "generatedColumns", "invariants"
                    ]
                }),
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
