//! The footers of a checkpoint's files: how many rows and bytes they promise, before any page is read.

use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt as _};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use super::decoding;
use crate::budgets::within;
use crate::footer::check_nesting;
use crate::{Budgets, LogError};

/// What the footers of a checkpoint's files say, added up.
#[derive(Default)]
pub(super) struct Told {
    /// As stored.
    pub(super) stored: u64,
    pub(super) rows: u64,
    /// As decoded.
    pub(super) bytes: u64,
}

/// Fetches and decodes a footer: eight bytes, then as many as they say.
pub(crate) async fn read_footer(
    objects: &dyn ObjectStore,
    version: u64,
    file: &ObjectMeta,
    budgets: &Budgets,
) -> Result<ParquetMetaData, LogError> {
    let read = sized_footer(objects, version, file, budgets).await;
    read.map(|(footer, _)| footer)
}

/// The same, and how many bytes were fetched for it.
pub(crate) async fn sized_footer(
    objects: &dyn ObjectStore,
    version: u64,
    file: &ObjectMeta,
    budgets: &Budgets,
) -> Result<(ParquetMetaData, u64), LogError> {
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
    let read = ParquetMetaDataReader::decode_metadata(&footer);
    let footer = read.map_err(|error| decoding(version, error))?;
    Ok((footer, len + 8))
}

/// A number of a footer; one below zero is as large as can be.
fn number(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

pub(crate) fn rows_of_groups(footer: &ParquetMetaData) -> u64 {
    let rows = footer.row_groups().iter().map(|group| group.num_rows());
    rows.fold(0, |sum, rows| sum.saturating_add(number(rows)))
}

pub(super) fn check_footers(
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
