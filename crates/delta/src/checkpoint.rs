//! Reads checkpoints: classic ones, whole or in parts, and V2, whose manifest may be JSON and names sidecars. Of Parquet files
//! the footers come first: rows, sizes and nesting are held against the budgets before any page is read. Rows are then turned
//! into JSON actions, so that checkpoints and commits share one parser and one replay; who keeps no more of a file than what is usual
//! is handed most of them as they stand in their columns.

mod footers;
mod input;
mod plain;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use arrow_json::writer::LineDelimited;
use futures::{FutureExt, StreamExt};
use indexmap::IndexMap;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::schema::types::SchemaDescriptor;
use serde_json::Value;
use serde_json::value::RawValue;

use self::footers::{Told, check_footers};
pub(crate) use self::footers::{read_footer, rows_of_groups, sized_footer};
pub(crate) use self::input::{Input, merged};
pub(crate) use self::plain::PlainAdd;
use self::plain::PlainRows;
use crate::actions::{Action, parse_action, parse_line};
use crate::budgets::{count, within};
use crate::contain::shown;
use crate::fields::At;
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

/// Those of them that [`Wanted::Head`] asks for.
const HEAD: [&str; 4] = ["protocol", "metaData", "sidecar", "checkpointMetadata"];

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

/// What is read of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Every action, whole.
    Actions,
    /// The same, but the usual files as they stand in their columns.
    Rows,
    /// Protocol and metadata; files may be left out.
    Head,
}

/// One row of a checkpoint.
pub(crate) enum Row<'a> {
    Action(Action),
    Plain(PlainAdd<'a>),
}

/// Where the rows of a checkpoint go.
type Each<'a> = &'a mut (dyn FnMut(Row<'_>) -> Result<(), LogError> + Send);

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
        each: &mut (dyn FnMut(Action) -> Result<(), LogError> + Send),
    ) -> Result<bool, LogError> {
        let mut each = |row: Row<'_>| match row {
            Row::Action(action) => each(action),
            // None are asked for.
            Row::Plain(_) => Ok(()),
        };
        self.read_rows(objects, budgets, spent, Wanted::Actions, &mut each)
            .await
    }

    /// The same, as it is wanted.
    pub(crate) async fn read_rows(
        &self,
        objects: &Arc<dyn ObjectStore>,
        budgets: &Budgets,
        spent: &mut u64,
        wanted: Wanted,
        each: Each<'_>,
    ) -> Result<bool, LogError> {
        // The decoder meets hostile bytes; should it panic, the table is broken, not the process.
        let work = self.read_all(objects, budgets, spent, wanted, each);
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
        wanted: Wanted,
        each: Each<'_>,
    ) -> Result<bool, LogError> {
        let mut reading = Reading {
            objects,
            version: self.version,
            budgets,
            homes: self.homes,
            wanted,
            told: Told::default(),
            line: 0,
        };
        let (mut is_v2, mut sidecars) = (false, BTreeSet::new());
        let mut first = |row: Row<'_>| match row {
            Row::Action(Action::Sidecar(path)) => {
                sidecars.insert(path);
                within("sidecars of a checkpoint", SIDECARS, count(sidecars.len()))
            }
            Row::Action(Action::CheckpointMetadata) => {
                is_v2 = true;
                Ok(())
            }
            row => each(row),
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
        // They hold files alone.
        if wanted == Wanted::Head {
            return Ok(true);
        }
        let mut second = |row: Row<'_>| match row {
            Row::Action(Action::Sidecar(_) | Action::CheckpointMetadata) => {
                Err(self.broken("one of its sidecars is itself a checkpoint"))
            }
            row => each(row),
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

/// A checkpoint that is being read, file by file.
struct Reading<'a> {
    objects: &'a Arc<dyn ObjectStore>,
    version: u64,
    budgets: &'a Budgets,
    homes: &'a [String],
    wanted: Wanted,
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
                let mut actions = parse_line(line, at)?.into_iter();
                actions.try_for_each(|action| each(Row::Action(action)))?;
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
        let projection = projection(footer.file_metadata().schema_descr(), self.wanted);
        // The Arrow schema a writer may have left in the file could say anything; the Parquet one is enough.
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let metadata = ArrowReaderMetadata::try_new(Arc::new(footer), options).map_err(failed)?;
        let input = Input {
            objects: self.objects.clone(),
            path: file.location.clone(),
            footer: metadata.metadata().clone(),
            gap: None,
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
            self.read_batch(&batch, &mut json, spent, &mut *each)?;
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// The rows in their order, each as it is wanted.
    fn read_batch(
        &mut self,
        batch: &RecordBatch,
        json: &mut Vec<u8>,
        spent: &mut u64,
        each: Each<'_>,
    ) -> Result<(), LogError> {
        let plain = match self.wanted {
            Wanted::Rows => PlainRows::of(batch),
            Wanted::Actions | Wanted::Head => None,
        };
        if self.wanted == Wanted::Actions || self.wanted == Wanted::Rows && plain.is_none() {
            return self.read_json(batch, json, spent, each);
        }
        // Since this row all go through JSON.
        let mut from = 0;
        for row in 0..batch.num_rows() {
            let file = plain.as_ref().and_then(|plain| plain.get(row));
            let is_empty = || batch.columns().iter().all(|column| column.is_null(row));
            if file.is_none() && !is_empty() {
                continue;
            }
            if from < row {
                self.read_json(&batch.slice(from, row - from), json, spent, &mut *each)?;
            }
            from = row + 1;
            self.line += 1;
            if let Some(file) = file {
                let bytes = count(file.bytes());
                *spent += bytes;
                within("bytes of the log", self.budgets.total_log_bytes, *spent)?;
                within("bytes of a line", self.budgets.line_bytes, bytes)?;
                each(Row::Plain(file))?;
            }
        }
        let rest = batch.num_rows() - from;
        if rest == 0 {
            return Ok(());
        }
        self.read_json(&batch.slice(from, rest), json, spent, each)
    }

    fn read_json(
        &mut self,
        batch: &RecordBatch,
        json: &mut Vec<u8>,
        spent: &mut u64,
        each: Each<'_>,
    ) -> Result<(), LogError> {
        let (version, budgets) = (self.version, self.budgets);
        json.clear();
        to_json(batch, json).map_err(|error| LogError::BrokenCheckpoint {
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
            let at = At {
                version,
                line: self.line,
                homes: self.homes,
            };
            parse_row(row, at, &mut *each)?;
        }
        Ok(())
    }
}

/// All actions we use, without the parsed statistics and partition values, which the JSON text has as well.
fn projection(schema: &SchemaDescriptor, wanted: Wanted) -> ProjectionMask {
    let actions = match wanted {
        Wanted::Actions | Wanted::Rows => &ACTIONS[..],
        Wanted::Head => &HEAD[..],
    };
    let wanted = schema.columns().iter().enumerate().filter(|(_, column)| {
        let parts = column.path().parts();
        let parsed = parts.get(1).is_some_and(|name| name.ends_with("_parsed"));
        !parsed
            && parts
                .first()
                .is_some_and(|root| actions.contains(&root.as_str()))
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
            each(Row::Action(action))?;
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
