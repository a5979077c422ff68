//! Reads checkpoints: classic ones, whole or in parts, and V2, whose manifest may be JSON and names sidecars. Of Parquet files
//! the footers come first: rows, sizes and nesting are held against the budgets before any page is read. Rows are then turned
//! into JSON actions, so that checkpoints and commits share one parser and one replay.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use arrow_json::writer::LineDelimited;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use indexmap::IndexMap;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::arrow::async_reader::{AsyncFileReader, ParquetRecordBatchStreamBuilder};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use parquet::schema::types::SchemaDescriptor;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::actions::{Action, parse_action, parse_line};
use crate::budgets::{count, within};
use crate::contain::shown;
use crate::fields::At;
use crate::footer::check_nesting;
use crate::lines::read_lines;
use crate::{Budgets, LogError};

/// The columns of a checkpoint that are actions we use.
const ACTIONS: [&str; 8] = [
    "protocol",
    "metaData",
    "add",
    "remove",
    "txn",
    "domainMetadata",
    "sidecar",
    "checkpointMetadata",
];

/// Rows that are decoded at once. Small, because a dictionary can make much of little: this bounds what one step may
/// take before the next check.
const BATCH_ROWS: usize = 256;

/// More sidecars a checkpoint does not name: writers make a handful.
const SIDECARS: u64 = 10_000;

/// A checkpoint as the log's names tell it.
pub(crate) struct Checkpoint<'a> {
    pub(crate) version: u64,
    pub(crate) files: &'a [ObjectMeta],
    /// Those that lie in the log, whichever checkpoint they belong to.
    pub(crate) sidecars: &'a BTreeMap<Path, ObjectMeta>,
    /// See [`crate::Table::lying_at`].
    pub(crate) homes: &'a [String],
}

/// Where the actions of a checkpoint go.
type Each<'a> = &'a mut (dyn FnMut(Action) -> Result<(), LogError> + Send);

impl Checkpoint<'_> {
    /// Hands every action of the checkpoint to `each`, and says whether it is a V2 checkpoint, by whatever name: its files, or
    /// its manifest and then the sidecars that this names.
    ///
    /// # Errors
    /// [`LogError::Budget`], [`LogError::Escape`], [`LogError::BrokenCheckpoint`] for what cannot be decoded.
    pub(crate) async fn read(
        &self,
        objects: &Arc<dyn ObjectStore>,
        budgets: &Budgets,
        spent: &mut u64,
        each: Each<'_>,
    ) -> Result<bool, LogError> {
        // The decoder meets hostile bytes; should it panic, the table is broken, not the process.
        let work = self.read_all(objects, budgets, spent, each);
        match AssertUnwindSafe(work).catch_unwind().await {
            Ok(result) => result,
            Err(_) => Err(self.broken("it is not a Parquet file of actions")),
        }
    }

    async fn read_all(
        &self,
        objects: &Arc<dyn ObjectStore>,
        budgets: &Budgets,
        spent: &mut u64,
        each: Each<'_>,
    ) -> Result<bool, LogError> {
        let mut reading = Reading {
            objects,
            version: self.version,
            budgets,
            homes: self.homes,
            told: Told::default(),
            line: 0,
        };
        let (mut is_v2, mut sidecars) = (false, BTreeSet::new());
        let mut first = |action| match action {
            Action::Sidecar(path) => {
                sidecars.insert(path);
                within("sidecars of a checkpoint", SIDECARS, count(sidecars.len()))
            }
            Action::CheckpointMetadata => {
                is_v2 = true;
                Ok(())
            }
            action => each(action),
        };
        match self.files {
            [manifest] if manifest.location.as_ref().ends_with(".json") => {
                reading.read_manifest(manifest, spent, &mut first).await?;
                if !is_v2 {
                    return Err(self.broken("it does not say that it is one"));
                }
            }
            files => reading.read_files(files, spent, &mut first).await?,
        }
        if sidecars.is_empty() {
            return Ok(is_v2);
        }
        let files: Option<Vec<ObjectMeta>> = sidecars
            .iter()
            .map(|path| self.sidecars.get(path).cloned())
            .collect();
        let files = files.ok_or_else(|| self.broken("one of its sidecars is not there"))?;
        let mut second = |action| match action {
            Action::Sidecar(_) | Action::CheckpointMetadata => {
                Err(self.broken("one of its sidecars is itself a checkpoint"))
            }
            action => each(action),
        };
        reading.read_files(&files, spent, &mut second).await?;
        Ok(true)
    }

    fn broken(&self, what: &str) -> LogError {
        LogError::BrokenCheckpoint {
            version: self.version,
            what: what.to_owned(),
        }
    }
}

/// What the footers of a checkpoint's files say, added up.
#[derive(Default)]
struct Told {
    /// As stored.
    stored: u64,
    rows: u64,
    /// As decoded.
    bytes: u64,
}

/// A checkpoint that is being read, file by file.
struct Reading<'a> {
    objects: &'a Arc<dyn ObjectStore>,
    version: u64,
    budgets: &'a Budgets,
    homes: &'a [String],
    told: Told,
    /// The row, for messages.
    line: usize,
}

impl Reading<'_> {
    /// A manifest of JSON lines. What is wrong with it is wrong with the checkpoint, without which the log may do.
    async fn read_manifest(
        &mut self,
        file: &ObjectMeta,
        spent: &mut u64,
        each: Each<'_>,
    ) -> Result<(), LogError> {
        let mut rows = 0;
        let limit = self.budgets.checkpoint_rows;
        let read = read_lines(
            self.objects.as_ref(),
            &file.location,
            self.version,
            self.budgets,
            self.homes,
            spent,
            |at, line| {
                rows += 1;
                within("rows of a checkpoint", limit, rows)?;
                parse_line(line, at)?.into_iter().try_for_each(&mut *each)?;
                Ok(true)
            },
        );
        match read.await {
            Ok(_) => {}
            Err(LogError::Broken { version, what, .. }) => {
                return Err(LogError::BrokenCheckpoint { version, what });
            }
            Err(error) => return Err(error),
        }
        self.told.rows = rows;
        Ok(())
    }

    /// Parquet files, all footers first.
    async fn read_files(
        &mut self,
        files: &[ObjectMeta],
        spent: &mut u64,
        each: Each<'_>,
    ) -> Result<(), LogError> {
        let (version, budgets) = (self.version, self.budgets);
        let sizes = files.iter().map(|file| file.size);
        self.told.stored = sizes.fold(self.told.stored, u64::saturating_add);
        within(
            "bytes of a checkpoint",
            budgets.checkpoint_bytes,
            self.told.stored,
        )?;
        let mut footers = Vec::with_capacity(files.len());
        for file in files {
            footers.push(read_footer(self.objects.as_ref(), version, file, budgets).await?);
        }
        check_footers(version, files, &footers, budgets, &mut self.told)?;
        for (file, footer) in files.iter().zip(footers) {
            self.read_file(file, footer, spent, &mut *each).await?;
        }
        Ok(())
    }

    async fn read_file(
        &mut self,
        file: &ObjectMeta,
        footer: ParquetMetaData,
        spent: &mut u64,
        each: Each<'_>,
    ) -> Result<(), LogError> {
        let (version, budgets) = (self.version, self.budgets);
        let failed = |error| decoding(version, error);
        let told = rows_of_groups(&footer);
        let projection = projection(footer.file_metadata().schema_descr());
        // The Arrow schema a writer may have left in the file could say anything; the Parquet one is enough.
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let metadata = ArrowReaderMetadata::try_new(Arc::new(footer), options).map_err(failed)?;
        let input = Input {
            objects: self.objects.clone(),
            path: file.location.clone(),
            footer: metadata.metadata().clone(),
        };
        let mut batches = ParquetRecordBatchStreamBuilder::new_with_metadata(input, metadata)
            .with_projection(projection)
            .with_batch_size(BATCH_ROWS)
            .build()
            .map_err(failed)?;
        let mut json = Vec::new();
        let mut rows = 0;
        while let Some(batch) = batches.next().await {
            let batch = batch.map_err(failed)?;
            // The budget was held against the footer; what its pages hold beyond it was never looked at.
            rows += count(batch.num_rows());
            if rows > told {
                return Err(LogError::BrokenCheckpoint {
                    version,
                    what: "it has more rows than its footer says".into(),
                });
            }
            within(
                "decoded bytes of a checkpoint",
                budgets.total_log_bytes,
                count(batch.get_array_memory_size()),
            )?;
            json.clear();
            to_json(&batch, &mut json).map_err(|error| LogError::BrokenCheckpoint {
                version,
                what: shown(&error),
            })?;
            *spent += count(json.len());
            within("bytes of the log", budgets.total_log_bytes, *spent)?;
            for row in json
                .split(|byte| *byte == b'\n')
                .filter(|row| !row.is_empty())
            {
                self.line += 1;
                within("bytes of a line", budgets.line_bytes, count(row.len()))?;
                parse_row(
                    row,
                    At {
                        version,
                        line: self.line,
                        homes: self.homes,
                    },
                    &mut *each,
                )?;
            }
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}

/// Fetches and decodes a footer: eight bytes, then as many as they say.
pub(crate) async fn read_footer(
    objects: &dyn ObjectStore,
    version: u64,
    file: &ObjectMeta,
    budgets: &Budgets,
) -> Result<ParquetMetaData, LogError> {
    let broken = |what: &str| LogError::BrokenCheckpoint {
        version,
        what: what.to_owned(),
    };
    let start = file
        .size
        .checked_sub(8)
        .ok_or_else(|| broken("it is too short"))?;
    let tail = objects.get_range(&file.location, start..file.size).await?;
    let len = match tail.as_ref() {
        [a, b, c, d, b'P', b'A', b'R', b'1'] => u64::from(u32::from_le_bytes([*a, *b, *c, *d])),
        _ => return Err(broken("it is not a Parquet file")),
    };
    within("bytes of a checkpoint's footer", budgets.footer_bytes, len)?;
    let from = start
        .checked_sub(len)
        .ok_or_else(|| broken("its footer is broken"))?;
    let footer = objects.get_range(&file.location, from..start).await?;
    check_nesting(&footer).map_err(broken)?;
    ParquetMetaDataReader::decode_metadata(&footer).map_err(|error| decoding(version, error))
}

/// A number of a footer; one below zero is as large as can be.
fn number(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

pub(crate) fn rows_of_groups(footer: &ParquetMetaData) -> u64 {
    let rows = footer.row_groups().iter().map(|group| group.num_rows());
    rows.fold(0, |sum, rows| sum.saturating_add(number(rows)))
}

fn check_footers(
    version: u64,
    files: &[ObjectMeta],
    footers: &[ParquetMetaData],
    budgets: &Budgets,
    all: &mut Told,
) -> Result<(), LogError> {
    for (file, footer) in files.iter().zip(footers) {
        let mut stored = 0u64;
        for group in footer.row_groups() {
            for column in group.columns() {
                stored = stored.saturating_add(number(column.compressed_size()));
                all.bytes = all.bytes.saturating_add(number(column.uncompressed_size()));
            }
        }
        // Chunks that overlap would have the same bytes fetched again and again.
        if stored > file.size {
            let what = "its columns are larger than the file".to_owned();
            return Err(LogError::BrokenCheckpoint { version, what });
        }
        let told = number(footer.file_metadata().num_rows());
        all.rows = all.rows.saturating_add(rows_of_groups(footer).max(told));
    }
    within("rows of a checkpoint", budgets.checkpoint_rows, all.rows)?;
    within(
        "decoded bytes of a checkpoint",
        budgets.total_log_bytes,
        all.bytes,
    )
}

/// One file for the Parquet reader; its footer is known already.
pub(crate) struct Input {
    pub(crate) objects: Arc<dyn ObjectStore>,
    pub(crate) path: Path,
    pub(crate) footer: Arc<ParquetMetaData>,
}

impl AsyncFileReader for Input {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, ParquetError>> {
        async move {
            self.objects
                .get_range(&self.path, range)
                .await
                .map_err(external)
        }
        .boxed()
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, Result<Vec<Bytes>, ParquetError>> {
        async move {
            self.objects
                .get_ranges(&self.path, &ranges)
                .await
                .map_err(external)
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>, ParquetError>> {
        let footer = self.footer.clone();
        async move { Ok(footer) }.boxed()
    }
}

fn external(error: object_store::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}

/// All actions we use, without the parsed statistics and partition values, which the JSON text has as well.
fn projection(schema: &SchemaDescriptor) -> ProjectionMask {
    let wanted = schema.columns().iter().enumerate().filter(|(_, column)| {
        let parts = column.path().parts();
        let parsed = parts.get(1).is_some_and(|name| name.ends_with("_parsed"));
        !parsed
            && parts
                .first()
                .is_some_and(|root| ACTIONS.contains(&root.as_str()))
    });
    ProjectionMask::leaves(schema, wanted.map(|(index, _)| index).collect::<Vec<_>>())
}

/// Nulls are written, since a null partition value must not vanish from its map.
fn to_json(batch: &RecordBatch, out: &mut Vec<u8>) -> Result<(), String> {
    let builder = arrow_json::WriterBuilder::new().with_explicit_nulls(true);
    let mut writer = builder.build::<_, LineDelimited>(out);
    writer
        .write(batch)
        .and_then(|()| writer.finish())
        .map_err(|error| error.to_string())
}

fn parse_row(row: &[u8], at: At<'_>, each: Each<'_>) -> Result<(), LogError> {
    let broken = |_| LogError::BrokenCheckpoint {
        version: at.version,
        what: "a row is not an action".into(),
    };
    let columns: IndexMap<String, &RawValue> = serde_json::from_slice(row).map_err(broken)?;
    for (name, raw) in columns {
        if raw.get() == "null" {
            continue;
        }
        let mut value: Value = serde_json::from_str(raw.get()).map_err(broken)?;
        without_nulls(&mut value);
        if let Some(action) = parse_action(&name, value, at)? {
            each(action)?;
        }
    }
    Ok(())
}

/// An action of a checkpoint as a commit would have it: absent fields absent. Maps keep their nulls.
fn without_nulls(action: &mut Value) {
    let Some(fields) = action.as_object_mut() else {
        return;
    };
    fields.retain(|_, value| !value.is_null());
    if let Some(vector) = fields
        .get_mut("deletionVector")
        .and_then(Value::as_object_mut)
    {
        vector.retain(|_, value| !value.is_null());
    }
}

pub(crate) fn decoding(version: u64, error: ParquetError) -> LogError {
    match error {
        ParquetError::External(source) => match source.downcast::<object_store::Error>() {
            Ok(source) => LogError::Storage(*source),
            Err(source) => LogError::BrokenCheckpoint {
                version,
                what: shown(&source.to_string()),
            },
        },
        error => LogError::BrokenCheckpoint {
            version,
            what: shown(&error.to_string()),
        },
    }
}
