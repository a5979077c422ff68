//! Reading a data file of the source: what it takes, and the rows of the columns that are wanted. Fetched are the footer and the column
//! chunks of what is kept, hashed or compared, each range once and exactly, so that what it takes is known from the footer.

use std::ops::Range;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt as _;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt as _};
use parquet::file::metadata::ParquetMetaData;

use super::schema::{Act, Node};
use super::{Narrowed, Test};
use crate::actions::AddFile;
use crate::budgets::count;
use crate::checkpoint::{Input, merged, rows_of_groups, sized_footer};
use crate::rows::{Batches, GONE, RowsError, decode};
use crate::{LogError, Table};

/// What lies between two ranges is fetched with them if it is less than a request is worth.
const GAP: u64 = 4 << 10;
/// Rows of a file: a few bytes can stand for more rows than anybody can wait for.
const FILE_ROWS: u64 = 1 << 30;
/// Bytes of a row group that are fetched for it at once.
const GROUP_BYTES: u64 = 256 << 20;

/// Why a file cannot be narrowed. None of these repeats a value.
#[derive(Debug, thiserror::Error)]
pub enum Unnarrowed {
    /// The source has no such object.
    #[error("it is not there")]
    Missing,
    /// The same again cannot help.
    #[error("{0}")]
    Damaged(String),
    #[error("{0}")]
    Source(LogError),
    #[error("{0}")]
    Target(LogError),
}

/// A file of the source whose footer was read.
#[derive(Clone, Debug)]
pub struct Opened {
    pub(super) footer: Arc<ParquetMetaData>,
    path: Path,
    /// The leaves that are read.
    leaves: Vec<usize>,
    /// Bytes of the footer, which were fetched already.
    pub footer_bytes: u64,
    /// Bytes that are fetched to write it anew, and requests: of column chunks, and of its deletion vector.
    pub bytes: u64,
    pub requests: u64,
}

pub(super) fn damaged(what: &str) -> Unnarrowed {
    Unnarrowed::Damaged(what.to_owned())
}

fn of_source(error: object_store::Error) -> Unnarrowed {
    match error {
        object_store::Error::NotFound { .. } => Unnarrowed::Missing,
        error => Unnarrowed::Source(LogError::Storage(error)),
    }
}

/// What decoding a source's file came to: whatever a decoder says may hold what it stumbled over.
pub(super) fn unread(error: RowsError, what: &str) -> Unnarrowed {
    match error {
        RowsError::Log(error @ LogError::Storage(_)) => Unnarrowed::Source(error),
        RowsError::Unreadable { what, .. } if what == GONE => Unnarrowed::Missing,
        RowsError::Log(LogError::Budget { .. }) => {
            damaged("its rows take more memory than is allowed here")
        }
        _ => damaged(what),
    }
}

pub(super) const UNREADABLE: &str = "it cannot be decoded";

impl Narrowed {
    /// Reads the footer of a file of the source, and reckons what the rest takes.
    ///
    /// # Errors
    /// [`Unnarrowed`].
    pub async fn open(&self, source: &Table, file: &AddFile) -> Result<Opened, Unnarrowed> {
        unbroken(self.open_it(source, file, None)).await
    }

    /// `more` is a column that is read, too.
    pub(super) async fn open_it(
        &self,
        source: &Table,
        file: &AddFile,
        more: Option<&str>,
    ) -> Result<Opened, Unnarrowed> {
        let there = source.objects().head(&file.key).await.map_err(of_source)?;
        if there.size != file.size {
            return Err(Unnarrowed::Damaged(format!(
                "it has {} bytes, but the log says {}",
                there.size, file.size
            )));
        }
        let there = ObjectMeta {
            // A store below a prefix answers with the whole path.
            location: file.key.clone(),
            ..there
        };
        let read = sized_footer(source.objects().as_ref(), 0, &there, source.budgets()).await;
        let (footer, footer_bytes) = read.map_err(|error| match error {
            LogError::Storage(error) => of_source(error),
            LogError::Budget { .. } => damaged("its footer is larger than is allowed here"),
            _ => damaged("its footer is no Parquet footer"),
        })?;
        let schema = footer.file_metadata().schema_descr();
        let wanted = schema.columns().iter().enumerate();
        let is_more = |way: &[String]| way.first().map(String::as_str) == more && more.is_some();
        let is_read = |way: &[String]| self.takes(way) || is_more(way);
        let leaves = wanted.filter(|(_, leaf)| is_read(leaf.path().parts()));
        let leaves: Vec<usize> = leaves.map(|(index, _)| index).collect();
        let told = rows_of_groups(&footer);
        if told > FILE_ROWS {
            return Err(Unnarrowed::Damaged(format!(
                "it has {told} rows, and at most {FILE_ROWS} of a file are read here"
            )));
        }
        for root in schema.root_schema().get_fields() {
            // Some readers do not tell upper from lower case; here such a column would be none.
            let is_close = |known: &String| known.eq_ignore_ascii_case(root.name());
            if !self.roots.contains(root.name()) && self.roots.iter().any(is_close) {
                return Err(damaged("it spells a column in another way than the table"));
            }
        }
        let mut opened = Opened {
            leaves,
            path: there.location,
            footer_bytes,
            bytes: 0,
            requests: 0,
            footer: Arc::new(footer),
        };
        for ranges in opened.fetches(file.size)? {
            opened.requests += count(ranges.len());
            let bytes = ranges.iter().map(|range| range.end - range.start);
            opened.bytes += bytes.sum::<u64>();
        }
        if let (Some(vector), Some(_)) = (&file.deletion_vector, &file.deletion_vector_key) {
            let from = vector.get("offset").and_then(serde_json::Value::as_u64);
            let end = crate::vectors::end_of(vector);
            opened.bytes += end.saturating_sub(from.unwrap_or(1));
            opened.requests += 1;
        }
        Ok(opened)
    }

    /// Whether a leaf of a file is read, by the way to it.
    fn takes(&self, way: &[String]) -> bool {
        let is_compared = |test: &Test| way.starts_with(&test.way);
        is_one_of(&self.nodes, way) || self.tests.iter().any(is_compared)
    }
}

impl Opened {
    /// What is fetched of each row group.
    fn fetches(&self, size: u64) -> Result<Vec<Vec<Range<u64>>>, Unnarrowed> {
        let mut all = Vec::with_capacity(self.footer.num_row_groups());
        let mut stored = 0_u64;
        for group in self.footer.row_groups() {
            let mut ranges = Vec::with_capacity(self.leaves.len());
            for leaf in &self.leaves {
                let Some(chunk) = group.columns().get(*leaf) else {
                    return Err(damaged("its footer is no Parquet footer"));
                };
                let from = chunk.dictionary_page_offset();
                let from = u64::try_from(from.unwrap_or(chunk.data_page_offset()));
                let bytes = u64::try_from(chunk.compressed_size());
                let (Ok(from), Ok(bytes)) = (from, bytes) else {
                    return Err(damaged("its footer is no Parquet footer"));
                };
                stored = stored.saturating_add(bytes);
                ranges.push(from..from.saturating_add(bytes));
            }
            let ranges = merged(ranges, GAP);
            let bytes = ranges.iter().map(|range| range.end - range.start);
            if bytes.fold(0, u64::saturating_add) > GROUP_BYTES {
                return Err(damaged("a row group of it is too large to be held at once"));
            }
            if ranges.last().is_some_and(|range| range.end > size) {
                return Err(damaged("its columns are larger than the file"));
            }
            all.push(ranges);
        }
        // Chunks that overlap would have the same bytes fetched again and again.
        if stored > size {
            return Err(damaged("its columns are larger than the file"));
        }
        Ok(all)
    }

    pub(super) async fn batches(
        &self,
        source: &Table,
        file: &AddFile,
    ) -> Result<Batches, Unnarrowed> {
        let told = rows_of_groups(&self.footer);
        let hides = source.deleted(file, told).await;
        let broken = "its deletion vector cannot be read, or is not what the log says";
        let (_, hides) = hides.map_err(|error| unread(error, broken))?;
        let input = Input {
            objects: source.objects().clone(),
            path: self.path.clone(),
            footer: self.footer.clone(),
            gap: Some(GAP),
        };
        decode(file, input, self.leaves.clone(), hides).map_err(|error| unread(error, UNREADABLE))
    }
}

fn is_one_of(nodes: &[Node], way: &[String]) -> bool {
    let Some((first, rest)) = way.split_first() else {
        return false;
    };
    let node = nodes.iter().find(|node| node.out.name() == first);
    node.is_some_and(|node| match &node.act {
        Act::Struct(nodes) => is_one_of(nodes, rest),
        Act::Keep | Act::Hash(_) => true,
    })
}

/// A decoder meets hostile bytes; should it panic, the file is broken, not the process.
pub(super) async fn unbroken<T>(
    work: impl Future<Output = Result<T, Unnarrowed>>,
) -> Result<T, Unnarrowed> {
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(result) => result,
        Err(_) => Err(damaged(UNREADABLE)),
    }
}
