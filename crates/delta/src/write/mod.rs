//! A small Delta writer for the demo world and for tests. Everything about it is deterministic: file names come from a
//! seed, times are given, bytes follow from the rows. It writes plain tables (reader version 1, or the feature
//! `timestampNtz` where a column needs it), changes rows by copying files, and is no substitute for a real writer.

mod files;
pub(crate) mod stats;
mod types;

/// Rows and schemas are Arrow's, of the version this crate was built with.
pub use {arrow, arrow_schema};

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::BooleanArray;
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::record_batch::RecordBatch;
use arrow_schema::{ArrowError, Field, Schema, SchemaRef};
use bytes::Bytes;
use model::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::actions::AddFile;
use crate::{LogError, Snapshot, Table, Written};

/// What can go wrong while writing.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("the rows do not fit the table: {0}")]
    Arrow(#[from] ArrowError),
    #[error("a data file cannot be written or read: {0}")]
    Parquet(#[from] parquet::errors::ParquetError),
    #[error("this writer does not write {0}")]
    Unsupported(String),
    #[error("somebody else wrote version {version}")]
    Conflict { version: u64 },
}

impl From<object_store::Error> for WriteError {
    fn from(error: object_store::Error) -> Self {
        Self::Log(error.into())
    }
}

/// A table to be made.
#[derive(Clone, Debug)]
pub struct NewTable {
    pub name: Option<String>,
    pub description: Option<String>,
    /// Field metadata `comment` becomes the column's comment.
    pub schema: SchemaRef,
    /// Columns of text, whole numbers, booleans or dates.
    pub partition_columns: Vec<String>,
    pub configuration: BTreeMap<String, String>,
}

/// Table properties that ask nothing of a writer.
const PROPERTIES: [&str; 6] = [
    "delta.logRetentionDuration",
    "delta.deletedFileRetentionDuration",
    "delta.enableExpiredLogCleanup",
    "delta.checkpointInterval",
    "delta.dataSkippingNumIndexedCols",
    "delta.setTransactionRetentionDuration",
];

/// Writes one table, version after version. Nobody else may write it meanwhile.
#[derive(Debug)]
pub struct Writer {
    table: Table,
    seed: u64,
    schema: SchemaRef,
    snapshot: Snapshot,
}

impl Writer {
    /// Makes version 0: protocol and metadata, no files.
    ///
    /// # Errors
    /// [`WriteError::Unsupported`] for types, partition columns and properties this writer does not have;
    /// [`WriteError::Conflict`] when there is a table.
    pub async fn create(
        table: Table,
        seed: u64,
        at: Timestamp,
        new: NewTable,
    ) -> Result<Self, WriteError> {
        types::check_partitions(&new.schema, &new.partition_columns)?;
        let unknown =
            |key: &&String| key.starts_with("delta.") && !PROPERTIES.contains(&key.as_str());
        if let Some(key) = new.configuration.keys().find(unknown) {
            return Err(WriteError::Unsupported(format!("the property {key}")));
        }
        let schema_string = types::schema_to_json(&new.schema)?.to_string();
        let protocol = if types::has_timestamp_ntz(&new.schema) {
            json!({"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["timestampNtz"], "writerFeatures": ["timestampNtz"]})
        } else {
            json!({"minReaderVersion": 1, "minWriterVersion": 2})
        };
        let mut metadata = Map::new();
        metadata.insert("id".into(), json!(deterministic_id(seed, 0, "table")));
        metadata.extend(new.name.map(|name| ("name".to_owned(), json!(name))));
        metadata.extend(
            new.description
                .map(|text| ("description".to_owned(), json!(text))),
        );
        metadata.insert(
            "format".into(),
            json!({"provider": "parquet", "options": {}}),
        );
        metadata.insert("schemaString".into(), json!(schema_string));
        metadata.insert("partitionColumns".into(), json!(new.partition_columns));
        metadata.insert("configuration".into(), json!(new.configuration));
        metadata.insert("createdTime".into(), json!(at.millis()));
        let parameters = json!({"partitionBy": json!(new.partition_columns).to_string()});
        let actions = [json!({"protocol": protocol}), json!({"metaData": metadata})];
        let body = commit_body(seed, 0, at, "CREATE TABLE", &parameters, &actions);
        put_commit(&table, 0, body).await?;
        let snapshot = table.snapshot(None).await?;
        Ok(Self {
            table,
            seed,
            schema: new.schema,
            snapshot,
        })
    }

    /// Goes on with a table this writer made.
    ///
    /// # Errors
    /// [`WriteError::Unsupported`] when the table has features or types this writer does not have.
    pub async fn open(table: Table, seed: u64) -> Result<Self, WriteError> {
        let snapshot = table.snapshot(None).await?;
        if let Some(feature) = snapshot.support().clone_refused_for() {
            return Err(WriteError::Unsupported(format!("the feature {feature}")));
        }
        let known = |name: &String| name == "timestampNtz";
        let protocol = &snapshot.protocol;
        if protocol.min_writer > 2
            && !(protocol.min_writer == 7 && protocol.writer_features.iter().all(known))
        {
            return Err(WriteError::Unsupported(format!(
                "writer version {}",
                protocol.min_writer
            )));
        }
        let schema = Arc::new(types::schema_from_json(&snapshot.metadata.schema_string)?);
        types::check_partitions(&schema, &snapshot.metadata.partition_columns)?;
        Ok(Self {
            table,
            seed,
            schema,
            snapshot,
        })
    }

    pub fn table(&self) -> &Table {
        &self.table
    }

    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// All columns, those of partitions too, in the table's order.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Adds rows, one file per partition. No rows: no commit. Returns the version the table then has.
    ///
    /// # Errors
    /// [`WriteError`].
    pub async fn append(&mut self, at: Timestamp, rows: &[RecordBatch]) -> Result<u64, WriteError> {
        let mut change = Change::new(at, "WRITE", json!({"mode": "Append"}), true);
        self.add_rows(&mut change, &concat_batches(&self.schema, rows)?)
            .await?;
        self.commit(change).await
    }

    /// Deletes the rows for which `keep` says false or null. It gets all rows of a file at once, with the table's schema.
    /// Files that keep every row stay as they are.
    ///
    /// # Errors
    /// [`WriteError`].
    pub async fn delete_where(
        &mut self,
        at: Timestamp,
        mut keep: impl FnMut(&RecordBatch) -> Result<BooleanArray, ArrowError>,
    ) -> Result<u64, WriteError> {
        let mut change = Change::new(at, "DELETE", json!({}), true);
        for file in self.files() {
            let rows = self.read_file(&file).await?;
            let kept = filter_record_batch(&rows, &keep(&rows)?)?;
            if kept.num_rows() < rows.num_rows() {
                change.remove(&file);
                self.add_rows(&mut change, &kept).await?;
            }
        }
        self.commit(change).await
    }

    /// Replaces the rows of every file for which `new` gives others. It gets all rows of a file at once.
    ///
    /// # Errors
    /// [`WriteError`].
    pub async fn update_where(
        &mut self,
        at: Timestamp,
        mut new: impl FnMut(&RecordBatch) -> Result<Option<RecordBatch>, ArrowError>,
    ) -> Result<u64, WriteError> {
        let mut change = Change::new(at, "UPDATE", json!({}), true);
        for file in self.files() {
            let rows = self.read_file(&file).await?;
            if let Some(rows) = new(&rows)? {
                change.remove(&file);
                self.add_rows(&mut change, &rows).await?;
            }
        }
        self.commit(change).await
    }

    /// Makes one file of each partition that has several, with `dataChange` false. The rows stay in the log's order.
    ///
    /// # Errors
    /// [`WriteError`].
    pub async fn compact(&mut self, at: Timestamp) -> Result<u64, WriteError> {
        let mut change = Change::new(at, "OPTIMIZE", json!({"predicate": "[]"}), false);
        let mut partitions: BTreeMap<_, Vec<Arc<AddFile>>> = BTreeMap::new();
        for file in self.files() {
            partitions
                .entry(file.partition_values.clone())
                .or_default()
                .push(file);
        }
        for files in partitions.into_values().filter(|files| files.len() > 1) {
            let mut rows = Vec::with_capacity(files.len());
            for file in &files {
                change.remove(file);
                rows.push(self.read_file(file).await?);
            }
            self.add_rows(&mut change, &concat_batches(&self.schema, &rows)?)
                .await?;
        }
        self.commit(change).await
    }

    /// Adds a nullable column at the end; rows that are there have null in it.
    ///
    /// # Errors
    /// [`WriteError`].
    pub async fn add_column(&mut self, at: Timestamp, field: Field) -> Result<u64, WriteError> {
        if !field.is_nullable() || self.schema.column_with_name(field.name()).is_some() {
            return Err(WriteError::Unsupported(format!(
                "the new column {}",
                field.name()
            )));
        }
        let fields = self
            .schema
            .fields()
            .iter()
            .cloned()
            .chain([Arc::new(field)]);
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        if types::has_timestamp_ntz(&schema) && !types::has_timestamp_ntz(&self.schema) {
            return Err(WriteError::Unsupported("a change of protocol".into()));
        }
        let mut metadata = self.snapshot.metadata.raw.clone();
        if let Some(fields) = metadata.as_object_mut() {
            fields.insert(
                "schemaString".into(),
                json!(types::schema_to_json(&schema)?.to_string()),
            );
        }
        let mut change = Change::new(at, "ADD COLUMNS", json!({}), true);
        change.actions.push(json!({"metaData": metadata}));
        let version = self.commit(change).await?;
        self.schema = schema;
        Ok(version)
    }

    /// All rows, in the log's order.
    ///
    /// # Errors
    /// [`WriteError`].
    pub async fn rows(&self) -> Result<RecordBatch, WriteError> {
        let mut rows = Vec::new();
        for file in self.files() {
            rows.push(self.read_file(&file).await?);
        }
        Ok(concat_batches(&self.schema, &rows)?)
    }

    fn files(&self) -> Vec<Arc<AddFile>> {
        self.snapshot.files.values().cloned().collect()
    }

    async fn read_file(&self, file: &AddFile) -> Result<RecordBatch, WriteError> {
        files::read(self.table.objects().as_ref(), file, &self.schema).await
    }

    /// Writes the data files of `rows`, and the actions that add them.
    async fn add_rows(&self, change: &mut Change, rows: &RecordBatch) -> Result<(), WriteError> {
        let partition_columns = &self.snapshot.metadata.partition_columns;
        for part in files::split(rows, partition_columns)? {
            let version = self.snapshot.version + 1;
            let id = deterministic_id(self.seed, version, &format!("file {}", change.files));
            let name = format!("part-{:05}-{id}-c000.snappy.parquet", change.files);
            change.files += 1;
            let added = files::write(
                self.table.objects().as_ref(),
                &name,
                part,
                change.at,
                change.data_change,
            )
            .await?;
            change.actions.push(json!({"add": added}));
        }
        Ok(())
    }

    async fn commit(&mut self, change: Change) -> Result<u64, WriteError> {
        if change.actions.is_empty() {
            return Ok(self.snapshot.version);
        }
        let version = self.snapshot.version + 1;
        let body = commit_body(
            self.seed,
            version,
            change.at,
            change.operation,
            &change.parameters,
            &change.actions,
        );
        put_commit(&self.table, version, body).await?;
        self.snapshot = self.table.update(&self.snapshot).await?;
        Ok(version)
    }
}

/// A commit in the making.
struct Change {
    at: Timestamp,
    operation: &'static str,
    parameters: Value,
    data_change: bool,
    files: usize,
    actions: Vec<Value>,
}

impl Change {
    fn new(at: Timestamp, operation: &'static str, parameters: Value, data_change: bool) -> Self {
        Self {
            at,
            operation,
            parameters,
            data_change,
            files: 0,
            actions: Vec::new(),
        }
    }

    fn remove(&mut self, file: &AddFile) {
        self.actions.push(json!({"remove": {
            "path": file.path,
            "deletionTimestamp": self.at.millis(),
            "dataChange": self.data_change,
            "extendedFileMetadata": true,
            "partitionValues": file.partition_values,
            "size": file.size,
        }}));
    }
}

fn commit_body(
    seed: u64,
    version: u64,
    at: Timestamp,
    operation: &str,
    parameters: &Value,
    actions: &[Value],
) -> Bytes {
    let info = json!({"commitInfo": {
        "timestamp": at.millis(),
        "operation": operation,
        "operationParameters": parameters,
        "engineInfo": concat!("entrepot/", env!("CARGO_PKG_VERSION")),
        "txnId": deterministic_id(seed, version, operation),
    }});
    let mut body = String::new();
    for action in [&info].into_iter().chain(actions) {
        body.push_str(&action.to_string());
        body.push('\n');
    }
    body.into()
}

async fn put_commit(table: &Table, version: u64, body: Bytes) -> Result<(), WriteError> {
    match table.write_commit(version, body).await? {
        Written::Ours => Ok(()),
        Written::Taken => Err(WriteError::Conflict { version }),
    }
}

/// A UUID that follows from its inputs alone: two rounds of splitmix64 over an FNV-1a hash.
fn deterministic_id(seed: u64, version: u64, what: &str) -> Uuid {
    let fnv = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    let input = seed
        .to_le_bytes()
        .into_iter()
        .chain(version.to_le_bytes())
        .chain(what.bytes());
    let state = input.fold(0xcbf2_9ce4_8422_2325, fnv);
    let mix = |n: u64| {
        let z = state.wrapping_add(n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    let bits = u128::from(mix(1)) << 64 | u128::from(mix(2));
    uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid()
}
