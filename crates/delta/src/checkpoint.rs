//! Reads classic Parquet checkpoints, whole or in parts. The footers come first: rows, sizes and nesting are held
//! against the budgets before any page is read. Rows are then turned into JSON actions, so that checkpoints and commits
//! share one parser and one replay.

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

use crate::actions::{Action, parse_action};
use crate::budgets::{count, within};
use crate::contain::shown;
use crate::fields::At;
use crate::footer::check_nesting;
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

/// Hands every action of the checkpoint to `each`.
///
/// # Errors
/// [`LogError::Budget`], [`LogError::Escape`], [`LogError::V2Checkpoint`] when the file turns out to be one in spite
/// of its classic name, [`LogError::BrokenCheckpoint`] for what cannot be decoded.
pub(crate) async fn read_checkpoint(
    objects: &Arc<dyn ObjectStore>,
    version: u64,
    files: &[ObjectMeta],
    budgets: &Budgets,
    spent: &mut u64,
    each: &mut (dyn FnMut(Action) -> Result<(), LogError> + Send),
) -> Result<(), LogError> {
    let bytes = files
        .iter()
        .map(|file| file.size)
        .fold(0, u64::saturating_add);
    within("bytes of a checkpoint", budgets.checkpoint_bytes, bytes)?;
    // The decoder meets hostile bytes; should it panic, the table is broken, not the process.
    let work = async {
        let mut footers = Vec::with_capacity(files.len());
        for file in files {
            footers.push(read_footer(objects.as_ref(), version, file, budgets).await?);
        }
        check_footers(version, files, &footers, budgets)?;
        let mut line = 0;
        for (file, footer) in files.iter().zip(footers) {
            read_file(
                objects, version, file, footer, budgets, spent, &mut line, each,
            )
            .await?;
        }
        Ok(())
    };
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(result) => result,
        Err(_) => Err(LogError::BrokenCheckpoint {
            version,
            what: "it is not a Parquet file of actions".into(),
        }),
    }
}

/// Fetches and decodes a footer: eight bytes, then as many as they say.
async fn read_footer(
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

fn rows_of_groups(footer: &ParquetMetaData) -> u64 {
    let rows = footer.row_groups().iter().map(|group| group.num_rows());
    rows.fold(0, |sum, rows| sum.saturating_add(number(rows)))
}

fn check_footers(
    version: u64,
    files: &[ObjectMeta],
    footers: &[ParquetMetaData],
    budgets: &Budgets,
) -> Result<(), LogError> {
    let (mut rows, mut bytes) = (0u64, 0u64);
    for (file, footer) in files.iter().zip(footers) {
        let mut stored = 0u64;
        for group in footer.row_groups() {
            for column in group.columns() {
                stored = stored.saturating_add(number(column.compressed_size()));
                bytes = bytes.saturating_add(number(column.uncompressed_size()));
            }
        }
        // Chunks that overlap would have the same bytes fetched again and again.
        if stored > file.size {
            let what = "its columns are larger than the file".to_owned();
            return Err(LogError::BrokenCheckpoint { version, what });
        }
        let told = number(footer.file_metadata().num_rows());
        rows = rows.saturating_add(rows_of_groups(footer).max(told));
    }
    within("rows of a checkpoint", budgets.checkpoint_rows, rows)?;
    within(
        "decoded bytes of a checkpoint",
        budgets.total_log_bytes,
        bytes,
    )
}

#[expect(
    clippy::too_many_arguments,
    reason = "private, called once; a struct would only rename them"
)]
async fn read_file(
    objects: &Arc<dyn ObjectStore>,
    version: u64,
    file: &ObjectMeta,
    footer: ParquetMetaData,
    budgets: &Budgets,
    spent: &mut u64,
    line: &mut usize,
    each: &mut (dyn FnMut(Action) -> Result<(), LogError> + Send),
) -> Result<(), LogError> {
    let failed = |error| decoding(version, error);
    let told = rows_of_groups(&footer);
    let projection = projection(footer.file_metadata().schema_descr());
    // The Arrow schema a writer may have left in the file could say anything; the Parquet one is enough.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let metadata = ArrowReaderMetadata::try_new(Arc::new(footer), options).map_err(failed)?;
    let input = Input {
        objects: objects.clone(),
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
            *line += 1;
            within("bytes of a line", budgets.line_bytes, count(row.len()))?;
            parse_row(
                row,
                At {
                    version,
                    line: *line,
                },
                each,
            )?;
        }
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// One checkpoint file for the Parquet reader; its footer is known already.
struct Input {
    objects: Arc<dyn ObjectStore>,
    path: Path,
    footer: Arc<ParquetMetaData>,
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

fn parse_row(
    row: &[u8],
    at: At,
    each: &mut (dyn FnMut(Action) -> Result<(), LogError> + Send),
) -> Result<(), LogError> {
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
        match parse_action(&name, value, at)? {
            Some(Action::Sidecar(_) | Action::CheckpointMetadata) => {
                return Err(LogError::V2Checkpoint {
                    version: at.version,
                });
            }
            Some(action) => each(action)?,
            None => {}
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

fn decoding(version: u64, error: ParquetError) -> LogError {
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
