//! The `file:` store: folders that stand in for an object store. Written here rather than wrapped around object_store's
//! own, which follows links. Files appear whole and durable or not at all; bodies are streamed in bounded memory.

mod beneath;
mod listing;
mod upload;

use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{
    Attributes, CopyMode, CopyOptions, GetOptions, GetRange, GetResult, GetResultPayload,
    ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions,
    PutPayload, PutResult, RenameOptions, RenameTargetMode, Result,
};
use rustix::buffer::spare_capacity;

pub(crate) use beneath::random;
use beneath::{Beneath, FileError, Staged};
use listing::{Swept, Walk};

use crate::http_service::Gate;
use crate::limits::Rooted;
use crate::{Level, Meter};

/// Bytes read at once. At most one chunk per stream is in memory.
const CHUNK: u64 = 1 << 20;
/// Deletions in flight of one call.
const PARALLEL_DELETES: usize = 8;

/// Files beneath one root, metered and limited.
#[derive(Clone, Debug)]
pub(crate) struct FileStore {
    beneath: Arc<Beneath>,
    gate: Gate,
    meter: Meter,
}

impl FileStore {
    pub(crate) fn new(root: Rooted, gate: Gate, meter: Meter) -> Self {
        Self {
            beneath: Arc::new(Beneath::new(root)),
            gate,
            meter,
        }
    }

    /// Opens a file for somebody who reads it without this store; its bytes are not metered here. Blocks.
    pub(crate) fn open(&self, key: &Path) -> Result<File> {
        self.beneath.open(key).map_err(|error| error.at(key))
    }

    /// Removes what killed processes left half written.
    pub(crate) async fn sweep(&self, prefix: Path, before: i64) -> Result<Swept> {
        let at = prefix.clone();
        self.run(&at, false, move |beneath| {
            listing::sweep(beneath, &prefix, before)
        })
        .await
    }

    /// Removes empty folders.
    pub(crate) async fn tidy(&self, prefix: Path) -> Result<u64> {
        let at = prefix.clone();
        self.run(&at, false, move |beneath| listing::tidy(beneath, &prefix))
            .await
    }

    /// The folders directly in a folder; no more than `most` of what is there is read.
    pub(crate) async fn level(&self, folder: &Path, most: usize) -> Result<Level> {
        self.meter.count_request();
        let path = folder.clone();
        self.run(folder, true, move |beneath| {
            listing::level(beneath, &path, most)
        })
        .await
    }

    /// Runs blocking work on files off the async threads, within the limit.
    async fn run<T: Send + 'static>(
        &self,
        at: &Path,
        read: bool,
        work: impl FnOnce(&Beneath) -> Result<T, FileError> + Send + 'static,
    ) -> Result<T> {
        let _place = self
            .gate
            .enter(read)
            .await
            .map_err(|error| generic(error.into()))?;
        let beneath = Arc::clone(&self.beneath);
        let done = tokio::task::spawn_blocking(move || work(&beneath)).await?;
        done.map_err(|error| error.at(at))
    }

    fn walk(
        &self,
        prefix: Option<&Path>,
        offset: Option<&Path>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let at = prefix.cloned().unwrap_or_default();
        let walk = Walk::new(at.clone(), offset.cloned());
        self.meter.count_request();
        let steps = stream::try_unfold(
            (self.clone(), walk, at),
            |(store, mut walk, at)| async move {
                let (walk, batch) = store
                    .run(&at, true, move |beneath| {
                        let batch = walk.step(beneath)?;
                        Ok((walk, batch))
                    })
                    .await?;
                Ok::<_, object_store::Error>(
                    batch.map(|batch: VecDeque<ObjectMeta>| (batch, (store, walk, at))),
                )
            },
        );
        steps
            .map_ok(|batch| stream::iter(batch.into_iter().map(Ok)))
            .try_flatten()
            .boxed()
    }

    /// The bytes of a range, a chunk at a time, counted as they are handed out.
    fn stream(
        &self,
        key: Path,
        file: File,
        range: Range<u64>,
    ) -> BoxStream<'static, Result<Bytes>> {
        let start = (self.clone(), Arc::new(file), range, key);
        let chunks = stream::try_unfold(start, |(store, file, range, key)| async move {
            if range.is_empty() {
                return Ok(None);
            }
            let chunk = range.start..range.end.min(range.start + CHUNK);
            let rest = chunk.end..range.end;
            let source = Arc::clone(&file);
            let bytes = store
                .run(&key, true, move |_| Ok(read_exactly(&source, chunk)?))
                .await?;
            store.meter.count_received(bytes.len());
            Ok(Some((bytes, (store, file, rest, key))))
        });
        chunks.boxed()
    }
}

impl fmt::Display for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FileStore")
    }
}

fn read_exactly(file: &File, range: Range<u64>) -> io::Result<Bytes> {
    let length = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
    let mut buffer = Vec::with_capacity(length);
    // Not into zeroes: clearing what is overwritten at once would cost about as much as reading it.
    while buffer.len() < length {
        let at = range.start + buffer.len() as u64;
        match rustix::io::pread(file, spare_capacity(&mut buffer), at) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    buffer.truncate(length);
    Ok(buffer.into())
}

fn generic(source: Box<dyn std::error::Error + Send + Sync>) -> object_store::Error {
    object_store::Error::Generic {
        store: "file",
        source,
    }
}

fn describe(metadata: &std::fs::Metadata, location: Path) -> ObjectMeta {
    let nanos = u32::try_from(metadata.mtime_nsec()).unwrap_or_default();
    listing::meta(
        location,
        metadata.len(),
        metadata.ino(),
        metadata.mtime(),
        nanos,
    )
}

fn put_result(metadata: &std::fs::Metadata) -> PutResult {
    PutResult {
        e_tag: describe(metadata, Path::default()).e_tag,
        version: None,
    }
}

fn not_implemented(operation: &str) -> object_store::Error {
    object_store::Error::NotImplemented {
        operation: operation.to_owned(),
        implementer: "FileStore".to_owned(),
    }
}

/// Folders keep no attributes and no tags beside a file; content types and the like are dropped with a note.
fn note_attributes(attributes: &Attributes) {
    if !attributes.is_empty() {
        tracing::debug!("attributes of an object are not kept in a file store");
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl ObjectStore for FileStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let replace = match options.mode {
            PutMode::Overwrite => true,
            PutMode::Create => false,
            PutMode::Update(_) => return Err(not_implemented("put with a precondition")),
        };
        note_attributes(&options.attributes);
        self.meter.count_request();
        self.meter.count_sent(payload.content_length());
        let key = location.clone();
        let work = move |beneath: &Beneath| {
            let mut staged = Staged::create(beneath, &key)?;
            let mut at = 0;
            for chunk in &payload {
                staged.file.write_all_at(chunk, at)?;
                at += chunk.len() as u64;
            }
            Ok(put_result(&staged.publish(replace)?))
        };
        self.run(location, false, work).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        note_attributes(&options.attributes);
        self.meter.count_request();
        let key = location.clone();
        let staged = self
            .run(location, false, move |beneath| {
                Staged::create(beneath, &key)
            })
            .await?;
        Ok(Box::new(upload::FileUpload::new(
            self.clone(),
            location.clone(),
            staged,
        )))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.meter.count_request();
        let key = location.clone();
        let opened = move |beneath: &Beneath| {
            let file = beneath.open(&key)?;
            let metadata = file.metadata()?;
            Ok((file, metadata))
        };
        let (file, metadata) = self.run(location, true, opened).await?;
        let meta = describe(&metadata, location.clone());
        options.check_preconditions(&meta)?;
        let range = match &options.range {
            Some(range) => range
                .as_range(meta.size)
                .map_err(|error| generic(error.into()))?,
            None => 0..meta.size,
        };
        let body = if options.head {
            stream::empty().boxed()
        } else {
            self.stream(location.clone(), file, range.clone())
        };
        Ok(GetResult {
            payload: GetResultPayload::Stream(body),
            meta,
            range,
            attributes: Attributes::new(),
        })
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.meter.count_request();
        let key = location.clone();
        let ranges = ranges.to_vec();
        let work = move |beneath: &Beneath| {
            let file = beneath.open(&key)?;
            let size = file.metadata()?.len();
            let read = |range: Range<u64>| {
                let range = GetRange::Bounded(range)
                    .as_range(size)
                    .map_err(io::Error::other)?;
                read_exactly(&file, range)
            };
            Ok(ranges
                .into_iter()
                .map(read)
                .collect::<io::Result<Vec<_>>>()?)
        };
        let chunks = self.run(location, true, work).await?;
        self.meter
            .count_received(chunks.iter().map(Bytes::len).sum());
        Ok(chunks)
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        locations
            .map(move |location| {
                let store = store.clone();
                async move {
                    let location = location?;
                    store.meter.count_request();
                    let key = location.clone();
                    store
                        .run(&location, false, move |beneath| beneath.remove(&key))
                        .await?;
                    Ok(location)
                }
            })
            .buffered(PARALLEL_DELETES)
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.walk(prefix, None)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.walk(prefix, Some(offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.meter.count_request();
        let prefix = prefix.cloned().unwrap_or_default();
        let at = prefix.clone();
        self.run(&at, true, move |beneath| listing::shallow(beneath, &prefix))
            .await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.meter.count_request();
        let replace = matches!(options.mode, CopyMode::Overwrite);
        let (source, target) = (from.clone(), to.clone());
        let work = move |beneath: &Beneath| {
            let mut file = beneath.open(&source)?;
            let mut staged = Staged::create(beneath, &target)?;
            io::copy(&mut file, &mut staged.file)?;
            staged.publish(replace).map(|_| ())
        };
        self.run(if replace { from } else { to }, false, work).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.meter.count_request();
        let replace = matches!(options.target_mode, RenameTargetMode::Overwrite);
        let (source, target) = (from.clone(), to.clone());
        let at = if replace { from } else { to };
        self.run(at, false, move |beneath| {
            beneath.rename(&source, &target, replace)
        })
        .await
    }
}
