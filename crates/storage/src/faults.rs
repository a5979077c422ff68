//! A store that fails on purpose, for tests of everything above it: the n-th operation of a kind fails, is done but its
//! answer lost, comes late, or comes short.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{FutureExt as _, StreamExt as _};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
    UploadPart,
};

/// Which operations a fault counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Reads of objects, ranges and heads included.
    Get,
    /// Writes of objects: puts, parts of uploads, their completion, copies and renames.
    Put,
    /// Each deleted object.
    Delete,
    List,
    Any,
}

/// What happens on the operation that is hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It fails and has not been done.
    Fail,
    /// It fails for the caller, but has been done.
    LostResponse,
    /// It is done after this time.
    Delay(Duration),
    /// Of a read only the first so many bytes come, and no error.
    Truncate(u64),
}

/// The `nth` (from 1) operation of a kind has an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    pub operation: Operation,
    pub nth: u64,
    pub effect: Effect,
}

/// Wraps a store and makes it fail as planned.
#[derive(Clone, Debug)]
pub struct FaultyStore {
    inner: Arc<dyn ObjectStore>,
    faults: Faults,
}

#[derive(Clone, Debug)]
struct Faults(Arc<Mutex<Vec<(Fault, u64)>>>);

impl FaultyStore {
    pub fn new(inner: Arc<dyn ObjectStore>, faults: impl IntoIterator<Item = Fault>) -> Self {
        let faults = faults.into_iter().map(|fault| (fault, 0)).collect();
        Self {
            inner,
            faults: Faults(Arc::new(Mutex::new(faults))),
        }
    }

    /// How many faults have been hit. A loop "fail the n-th operation until no failure fires" ends when this stays 0.
    pub fn fired(&self) -> usize {
        let faults = self.faults.0.lock().unwrap_or_else(PoisonError::into_inner);
        faults
            .iter()
            .filter(|(fault, passed)| *passed >= fault.nth)
            .count()
    }
}

fn broken() -> object_store::Error {
    object_store::Error::Generic {
        store: "FaultyStore",
        source: "the connection broke on purpose".into(),
    }
}

impl Faults {
    fn next(&self, operation: Operation) -> Option<Effect> {
        let mut faults = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut effect = None;
        for (fault, passed) in faults.iter_mut() {
            if fault.operation == operation || fault.operation == Operation::Any {
                *passed += 1;
                if *passed == fault.nth {
                    effect = effect.or(Some(fault.effect));
                }
            }
        }
        effect
    }

    /// Does `work` with the fault that is due. The second value is where a read is cut off.
    async fn around<T>(
        &self,
        operation: Operation,
        work: impl Future<Output = Result<T>>,
    ) -> Result<(T, Option<u64>)> {
        match self.next(operation) {
            None => Ok((work.await?, None)),
            Some(Effect::Fail) => Err(broken()),
            Some(Effect::LostResponse) => {
                work.await?;
                Err(broken())
            }
            Some(Effect::Delay(time)) => {
                tokio::time::sleep(time).await;
                Ok((work.await?, None))
            }
            Some(Effect::Truncate(bytes)) => Ok((work.await?, Some(bytes))),
        }
    }

    async fn through<T>(
        &self,
        operation: Operation,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        Ok(self.around(operation, work).await?.0)
    }

    fn listing(
        &self,
        listing: BoxStream<'static, Result<ObjectMeta>>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.next(Operation::List) {
            None | Some(Effect::Truncate(_)) => listing,
            Some(Effect::Delay(time)) => tokio::time::sleep(time)
                .map(|()| listing)
                .into_stream()
                .flatten()
                .boxed(),
            Some(Effect::Fail | Effect::LostResponse) => stream::iter([Err(broken())]).boxed(),
        }
    }
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FaultyStore({})", self.inner)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl ObjectStore for FaultyStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.faults
            .through(
                Operation::Put,
                self.inner.put_opts(location, payload, options),
            )
            .await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let upload = self
            .faults
            .through(
                Operation::Put,
                self.inner.put_multipart_opts(location, options),
            )
            .await?;
        Ok(Box::new(FaultyUpload {
            upload,
            faults: self.faults.clone(),
        }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let (mut result, cut) = self
            .faults
            .around(Operation::Get, self.inner.get_opts(location, options))
            .await?;
        if let Some(left) = cut {
            let meta = result.meta.clone();
            let (range, attributes) =
                (result.range.clone(), std::mem::take(&mut result.attributes));
            let body = result.into_stream().scan(left, |left, chunk| {
                let chunk = chunk.map(|chunk| {
                    let take = usize::try_from(*left)
                        .unwrap_or(usize::MAX)
                        .min(chunk.len());
                    *left -= take as u64;
                    chunk.slice(..take)
                });
                futures::future::ready(Some(chunk))
            });
            result = GetResult {
                payload: GetResultPayload::Stream(body.boxed()),
                meta,
                range,
                attributes,
            };
        }
        Ok(result)
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let (mut chunks, cut) = self
            .faults
            .around(Operation::Get, self.inner.get_ranges(location, ranges))
            .await?;
        if let (Some(cut), Some(last)) = (cut, chunks.last_mut()) {
            last.truncate(usize::try_from(cut).unwrap_or(usize::MAX));
        }
        Ok(chunks)
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let (faults, inner) = (self.faults.clone(), Arc::clone(&self.inner));
        locations
            .then(move |location| {
                let (faults, inner) = (faults.clone(), Arc::clone(&inner));
                async move {
                    let location = location?;
                    let mut one = inner.delete_stream(stream::iter([Ok(location)]).boxed());
                    let work = async { one.next().await.unwrap_or_else(|| Err(broken())) };
                    faults.through(Operation::Delete, work).await
                }
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.faults.listing(self.inner.list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.faults
            .listing(self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.faults
            .through(Operation::List, self.inner.list_with_delimiter(prefix))
            .await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.faults
            .through(Operation::Put, self.inner.copy_opts(from, to, options))
            .await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.faults
            .through(Operation::Put, self.inner.rename_opts(from, to, options))
            .await
    }
}

#[derive(Debug)]
struct FaultyUpload {
    upload: Box<dyn MultipartUpload>,
    faults: Faults,
}

#[async_trait]
impl MultipartUpload for FaultyUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let part = self.upload.put_part(data);
        let faults = self.faults.clone();
        Box::pin(async move { faults.through(Operation::Put, part).await })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let faults = self.faults.clone();
        faults.through(Operation::Put, self.upload.complete()).await
    }

    async fn abort(&mut self) -> Result<()> {
        self.upload.abort().await
    }
}
