//! What the Parquet reader reads.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::{BoxFuture, try_join_all};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;

/// One file for the Parquet reader; its footer is known already.
pub(crate) struct Input {
    pub(crate) objects: Arc<dyn ObjectStore>,
    pub(crate) path: Path,
    pub(crate) footer: Arc<ParquetMetaData>,
    /// Fetches no more than what is asked for, and what lies between two of these if it is so many bytes or fewer. `None`: as the
    /// store finds best.
    pub(crate) gap: Option<u64>,
}

/// Ranges that lie closer than `gap`, as one; in order.
pub(crate) fn merged(mut ranges: Vec<Range<u64>>, gap: u64) -> Vec<Range<u64>> {
    ranges.sort_unstable_by_key(|range| range.start);
    let mut merged: Vec<Range<u64>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start <= last.end.saturating_add(gap) => {
                last.end = last.end.max(range.end);
            }
            _ => merged.push(range),
        }
    }
    merged
}

impl Input {
    /// Each of the ranges, of what was fetched by these.
    async fn exactly(&self, ranges: &[Range<u64>], gap: u64) -> Result<Vec<Bytes>, ParquetError> {
        let wholes = merged(ranges.to_vec(), gap);
        let mut gets = Vec::with_capacity(wholes.len());
        for whole in &wholes {
            gets.push(self.objects.get_range(&self.path, whole.clone()));
        }
        let fetched = try_join_all(gets).await.map_err(external)?;
        let cut = |range: &Range<u64>| {
            let at = wholes.partition_point(|whole| whole.end < range.end);
            let (whole, bytes) = (wholes.get(at)?, fetched.get(at)?);
            let from = usize::try_from(range.start.checked_sub(whole.start)?).ok()?;
            let to = usize::try_from(range.end.checked_sub(whole.start)?).ok()?;
            (from <= to && to <= bytes.len()).then(|| bytes.slice(from..to))
        };
        let cuts = ranges.iter().map(cut).collect::<Option<Vec<Bytes>>>();
        cuts.ok_or_else(|| ParquetError::EOF("a range broke off".to_owned()))
    }
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
            if let Some(gap) = self.gap {
                return self.exactly(&ranges, gap).await;
            }
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
