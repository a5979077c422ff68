//! The actions of a log, parsed once from JSON. Paths are contained here, so an [`AddFile`] that exists is inside its
//! table. The whole action is kept as `raw`, because a commit that is written again must not lose fields we do not know.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use indexmap::IndexMap;
use object_store::path::Path;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::LogError;
use crate::contain::{contain_sidecar, shown};
use crate::fields::{At, Fields};

/// Which protocol versions and features the table uses.
#[derive(Clone, Debug, PartialEq)]
pub struct Protocol {
    pub min_reader: u32,
    pub min_writer: u32,
    pub reader_features: BTreeSet<String>,
    pub writer_features: BTreeSet<String>,
    pub raw: Value,
}

/// The table's metadata. `schema_string` is kept to the byte: re-serialising would lose what we do not know.
#[derive(Clone, Debug, PartialEq)]
pub struct Metadata {
    pub id: String,
    pub name: Option<String>,
    pub description: Option<String>,
    pub schema_string: String,
    pub partition_columns: Vec<String>,
    pub configuration: BTreeMap<String, String>,
    /// Milliseconds since the epoch.
    pub created: Option<i64>,
    pub raw: Value,
}

/// What identifies a file of a table: the path to the byte as the log gives it, and the deletion vector's unique id.
/// The same path may be added and removed in one commit with different vectors.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileKey {
    pub path: String,
    pub dv: Option<String>,
}

/// A data file that belongs to the table.
#[derive(Clone, Debug, PartialEq)]
pub struct AddFile {
    /// As the log gives it, percent-encoded; the key of the log.
    pub path: String,
    /// Decoded once and contained; the key of the object, relative to the table's root.
    pub key: Path,
    /// Bytes.
    pub size: u64,
    pub partition_values: BTreeMap<String, Option<String>>,
    /// Milliseconds since the epoch.
    pub modification_time: i64,
    /// Only means something in a commit: checkpoints always say false.
    pub data_change: bool,
    /// JSON text as the log gives it.
    pub stats: Option<String>,
    pub deletion_vector: Option<Value>,
    /// The object that holds the deletion vector; `None` for none and for an inline one.
    pub deletion_vector_key: Option<Path>,
    /// The whole `add` object.
    pub raw: Value,
}

/// A tombstone.
#[derive(Clone, Debug, PartialEq)]
pub struct RemoveFile {
    pub path: String,
    pub key: Path,
    /// Milliseconds since the epoch; the protocol allows it to be missing.
    pub deletion_timestamp: Option<i64>,
    pub data_change: bool,
    /// Bytes.
    pub size: Option<u64>,
    pub deletion_vector: Option<Value>,
    pub deletion_vector_key: Option<Path>,
    pub raw: Value,
}

/// A file of the change data feed.
#[derive(Clone, Debug, PartialEq)]
pub struct CdcFile {
    pub path: String,
    pub key: Path,
    pub size: u64,
    pub partition_values: BTreeMap<String, Option<String>>,
    pub raw: Value,
}

/// How far an application has come (`txn`); the fence of idempotent writers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Txn {
    pub app_id: String,
    pub version: i64,
    pub raw: Value,
}

/// Configuration of a named domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainMetadata {
    pub domain: String,
    pub configuration: String,
    pub removed: bool,
    pub raw: Value,
}

/// One action of a commit, in the order of the log.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    Protocol(Protocol),
    Metadata(Metadata),
    Add(Arc<AddFile>),
    Remove(Arc<RemoveFile>),
    Cdc(CdcFile),
    Txn(Txn),
    DomainMetadata(DomainMetadata),
    CommitInfo(Value),
    /// A file of a V2 checkpoint; its path is contained.
    Sidecar(Path),
    /// Marks a V2 checkpoint.
    CheckpointMetadata,
    /// An action of a later protocol. Readers must ignore it, so only its name is kept.
    Unknown(String),
}

impl Metadata {
    /// Whether the table records its changes row by row.
    pub fn records_changes(&self) -> bool {
        self.configuration
            .get("delta.enableChangeDataFeed")
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }
}

impl FileKey {
    pub(crate) fn of(path: &str, deletion_vector: Option<&Value>) -> Self {
        Self {
            path: path.to_owned(),
            dv: deletion_vector.map(unique_id),
        }
    }
}

impl AddFile {
    pub fn file_key(&self) -> FileKey {
        FileKey::of(&self.path, self.deletion_vector.as_ref())
    }

    /// Rows of the file as its statistics say, deletion vectors not counted.
    pub fn num_records(&self) -> Option<u64> {
        num_records(self.stats.as_deref())
    }

    /// Rows that are not deleted by the file's deletion vector.
    pub fn live_rows(&self) -> Option<u64> {
        live_rows(self.stats.as_deref(), self.deletion_vector.as_ref())
    }
}

fn num_records(stats: Option<&str>) -> Option<u64> {
    #[derive(serde::Deserialize)]
    struct Stats {
        #[serde(rename = "numRecords")]
        records: Option<u64>,
    }
    serde_json::from_str::<Stats>(stats?).ok()?.records
}

/// As [`AddFile::live_rows`].
pub(crate) fn live_rows(stats: Option<&str>, deletion_vector: Option<&Value>) -> Option<u64> {
    let all = num_records(stats)?;
    match deletion_vector {
        None => Some(all),
        Some(dv) => all.checked_sub(dv.get("cardinality").and_then(Value::as_u64)?),
    }
}

impl RemoveFile {
    pub fn file_key(&self) -> FileKey {
        FileKey::of(&self.path, self.deletion_vector.as_ref())
    }

    /// The partition values; the protocol allows them to be missing.
    pub fn partition_values(&self) -> Option<BTreeMap<String, Option<String>>> {
        let fields = self.raw.get("partitionValues")?.as_object()?;
        let value = |value: &Value| match value {
            Value::Null => Some(None),
            Value::String(text) => Some(Some(text.clone())),
            _ => None,
        };
        fields
            .iter()
            .map(|(column, found)| Some((column.clone(), value(found)?)))
            .collect()
    }
}

/// Protocol, "Deletion Vectors": storage type, then place, then `@offset` when there is one.
fn unique_id(descriptor: &Value) -> String {
    let text = |name: &str| {
        descriptor
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    match descriptor.get("offset").and_then(Value::as_i64) {
        Some(offset) => format!("{}{}@{offset}", text("storageType"), text("pathOrInlineDv")),
        None => format!("{}{}", text("storageType"), text("pathOrInlineDv")),
    }
}

/// Parses one line of a commit. A line of the protocol has one action; should one have more, all count.
///
/// # Errors
/// [`LogError::Broken`] for what is not an action, [`LogError::Escape`] for a path that leaves the table.
pub(crate) fn parse_line(line: &[u8], at: At<'_>) -> Result<Vec<Action>, LogError> {
    // The outer object first, its values unparsed: what we do not know costs nothing.
    let outer: IndexMap<String, &RawValue> =
        serde_json::from_slice(line).map_err(|e| not_json(at, &e))?;
    let mut actions = Vec::with_capacity(1);
    for (name, raw) in outer {
        if !is_known(&name) {
            actions.push(Action::Unknown(shown(&name)));
            continue;
        }
        let value: Value = serde_json::from_str(raw.get()).map_err(|e| not_json(at, &e))?;
        actions.extend(parse_action(&name, value, at)?);
    }
    Ok(actions)
}

fn not_json(at: At<'_>, error: &serde_json::Error) -> LogError {
    use serde_json::error::Category;
    at.broken(match error.classify() {
        Category::Eof => "the line ends in the middle, as after an interrupted write",
        Category::Syntax if error.to_string().contains("recursion limit") => {
            "it is nested too deeply"
        }
        _ => "it is not a JSON object",
    })
}

fn is_known(name: &str) -> bool {
    matches!(
        name,
        "protocol"
            | "metaData"
            | "add"
            | "remove"
            | "cdc"
            | "txn"
            | "domainMetadata"
            | "commitInfo"
            | "sidecar"
            | "checkpointMetadata"
    )
}

/// Parses one action; `None` when it is null, as the columns of a checkpoint are.
pub(crate) fn parse_action(
    name: &str,
    value: Value,
    at: At<'_>,
) -> Result<Option<Action>, LogError> {
    if value.is_null() {
        return Ok(None);
    }
    if name == "commitInfo" {
        return Ok(Some(Action::CommitInfo(value)));
    }
    let fields = Fields {
        value: &value,
        at,
        action: known_name(name),
    };
    if !value.is_object() {
        return Err(fields.wrong("it is not an object"));
    }
    Ok(Some(match name {
        "protocol" => Action::Protocol(Protocol {
            min_reader: fields.version("minReaderVersion")?,
            min_writer: fields.version("minWriterVersion")?,
            reader_features: fields.texts("readerFeatures")?.into_iter().collect(),
            writer_features: fields.texts("writerFeatures")?.into_iter().collect(),
            raw: value,
        }),
        "metaData" => Action::Metadata(Metadata {
            id: fields.text("id")?,
            name: fields.optional_text("name")?,
            description: fields.optional_text("description")?,
            schema_string: fields.text("schemaString")?,
            partition_columns: fields.texts("partitionColumns")?,
            configuration: fields
                .map("configuration")?
                .into_iter()
                .filter_map(|(key, value)| value.map(|value| (key, value)))
                .collect(),
            created: fields.optional_int("createdTime")?,
            raw: value,
        }),
        "add" => {
            let path = fields.text("path")?;
            let deletion_vector = fields.object("deletionVector");
            Action::Add(Arc::new(AddFile {
                key: fields.contained(&path)?,
                size: fields.size("size")?.ok_or_else(|| fields.missing("size"))?,
                partition_values: fields.map("partitionValues")?,
                modification_time: fields.optional_int("modificationTime")?.unwrap_or_default(),
                data_change: fields.flag("dataChange"),
                stats: fields.optional_text("stats")?,
                deletion_vector_key: fields.deletion_vector(deletion_vector.as_ref())?,
                deletion_vector,
                path,
                raw: value,
            }))
        }
        "remove" => {
            let path = fields.text("path")?;
            let deletion_vector = fields.object("deletionVector");
            Action::Remove(Arc::new(RemoveFile {
                key: fields.contained(&path)?,
                deletion_timestamp: fields.optional_int("deletionTimestamp")?,
                data_change: fields.flag("dataChange"),
                size: fields.size("size")?,
                deletion_vector_key: fields.deletion_vector(deletion_vector.as_ref())?,
                deletion_vector,
                path,
                raw: value,
            }))
        }
        "cdc" => {
            let path = fields.text("path")?;
            Action::Cdc(CdcFile {
                key: fields.contained(&path)?,
                size: fields.size("size")?.ok_or_else(|| fields.missing("size"))?,
                partition_values: fields.map("partitionValues")?,
                path,
                raw: value,
            })
        }
        "txn" => Action::Txn(Txn {
            app_id: fields.text("appId")?,
            version: fields
                .optional_int("version")?
                .ok_or_else(|| fields.missing("version"))?,
            raw: value,
        }),
        "domainMetadata" => Action::DomainMetadata(DomainMetadata {
            domain: fields.text("domain")?,
            configuration: fields.optional_text("configuration")?.unwrap_or_default(),
            removed: fields
                .get("removed")
                .and_then(Value::as_bool)
                .unwrap_or_default(),
            raw: value,
        }),
        "sidecar" => {
            let path = fields.text("path")?;
            Action::Sidecar(contain_sidecar(&path).map_err(|why| at.escape("sidecar", &path, why))?)
        }
        "checkpointMetadata" => Action::CheckpointMetadata,
        other => Action::Unknown(shown(other)),
    }))
}

fn known_name(name: &str) -> &'static str {
    match name {
        "protocol" => "protocol",
        "metaData" => "metaData",
        "add" => "add",
        "remove" => "remove",
        "cdc" => "cdc",
        "txn" => "txn",
        "domainMetadata" => "domainMetadata",
        "sidecar" => "sidecar",
        _ => "action",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: At<'static> = At {
        version: 7,
        line: 3,
        homes: &[],
    };

    fn parse(line: &str) -> Result<Vec<Action>, LogError> {
        parse_line(line.as_bytes(), AT)
    }

    #[test]
    fn an_add_keeps_its_path_to_the_byte() {
        let line = r#"{"add":{"path":"p=a%2520b/x.parquet","partitionValues":{"p":"a b","q":null},"size":7,
            "modificationTime":5,"dataChange":false,"stats":"{\"numRecords\":10}","future":[1],
            "deletionVector":{"storageType":"i","pathOrInlineDv":"abc","cardinality":4}}}"#;
        let actions = parse(line).unwrap();
        let [Action::Add(add)] = actions.as_slice() else {
            panic!("{actions:?}")
        };
        assert_eq!(add.path, "p=a%2520b/x.parquet");
        assert_eq!(add.key.as_ref(), "p=a%20b/x.parquet");
        assert_eq!(add.partition_values["p"].as_deref(), Some("a b"));
        assert_eq!(add.partition_values["q"], None);
        assert_eq!((add.num_records(), add.live_rows()), (Some(10), Some(6)));
        assert!(!add.data_change);
        assert_eq!(add.raw["future"][0], 1);
        assert_eq!(add.file_key().dv.as_deref(), Some("iabc"));
    }

    #[test]
    fn unknown_actions_are_named_and_ignored() {
        assert_eq!(
            parse(r#"{"hologram":{"path":"../x"}}"#).unwrap(),
            [Action::Unknown("hologram".into())]
        );
        assert_eq!(parse("{}").unwrap(), []);
    }

    #[test]
    fn every_path_of_every_action_is_contained() {
        for (action, line) in [
            ("add", r#"{"add":{"path":"../x","size":1}}"#),
            ("remove", r#"{"remove":{"path":"/etc/x"}}"#),
            ("cdc", r#"{"cdc":{"path":"file:///x","size":1}}"#),
            (
                "sidecar",
                r#"{"sidecar":{"path":"../../x.parquet","sizeInBytes":1}}"#,
            ),
            (
                "deletionVector",
                r#"{"add":{"path":"x","size":1,"deletionVector":{"storageType":"p","pathOrInlineDv":"s3://b/x"}}}"#,
            ),
            (
                "deletionVector",
                r#"{"remove":{"path":"x","deletionVector":{"storageType":"u","pathOrInlineDv":"..^-aqEH.-t@S}K{vb[*k^"}}}"#,
            ),
        ] {
            match parse(line) {
                Err(LogError::Escape {
                    version: 7,
                    action: found,
                    ..
                }) => assert_eq!(found, action, "{line}"),
                other => panic!("{line}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_is_not_an_action_names_version_and_line() {
        let deep = format!(
            r#"{{"add":{}{}}}"#,
            "[".repeat(200_000),
            "]".repeat(200_000)
        );
        for line in [
            "[]",
            "7",
            "",
            r#"{"add":{"path":"#,
            r#"{"add":7}"#,
            r#"{"add":{"size":1}}"#,
            r#"{"add":{"path":"x"}}"#,
            r#"{"add":{"path":"x","size":-1}}"#,
            r#"{"add":{"path":"x","size":1,"partitionValues":{"p":7}}}"#,
            r#"{"add":{"path":"x","size":1,"deletionVector":{"storageType":"z","pathOrInlineDv":"y"}}}"#,
            r#"{"protocol":{"minReaderVersion":-1,"minWriterVersion":2}}"#,
            r#"{"metaData":{"id":"x"}}"#,
            "{\"add\":{\"path\":\"\u{1}\"}}",
            deep.as_str(),
        ] {
            let start: String = line.chars().take(60).collect();
            assert!(
                matches!(
                    parse(line),
                    Err(LogError::Broken {
                        version: 7,
                        line: 3,
                        ..
                    })
                ),
                "{start}"
            );
        }
    }
}
