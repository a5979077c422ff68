//! The copying itself: source store to target store, following a manifest, leaving receipts. Both engines run this.
//!
//! Memory is bounded by one budget for all parts in flight, whatever the files' sizes: a file larger than one part goes
//! through as ranged reads, in order, each uploaded as soon as it is there. Every range is asked for with the first
//! one's etag, so a file that changes in between is noticed and begun anew. No object is read whose receipt says it is
//! finished, or that already stands at the target with the right size and is not older than the source's file; and no
//! part of an upload that an earlier attempt of the run has sent, where the target's uploads outlive their process.

use std::path::Path as FilePath;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::stream::{self, FuturesOrdered, StreamExt as _, TryStreamExt as _};
use model::Timestamp;
use object_store::path::Path;
use object_store::{
    Error as StoreError, GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt as _,
    PutPayload, PutResult,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use storage::Part;

use crate::engine::Ends;
use crate::files::{Copied, CopyFailure, CopyItem, FailureKind, Manifest, Receipt, Receipts};
use crate::say::say;
use crate::uploads::{Lasting, Sent, Upload, Uploads};

/// S3 takes 10,000 parts per object; Azure 50,000 blocks.
const MOST_PARTS: u64 = 9_000;
const KIB: u64 = 1024;

#[derive(Clone, Copy, Debug)]
pub struct CopyOptions {
    /// Objects copied at the same time.
    pub files: usize,
    /// Bytes of one part, and the size up to which an object goes through in one piece. Stores ask for at least 5 MiB.
    pub part_bytes: u64,
    /// Bytes in flight over all files.
    pub budget_bytes: u64,
    /// Ranges of one file read ahead.
    pub read_ahead: usize,
    /// Written into each receipt.
    pub attempt: i64,
}

impl Default for CopyOptions {
    fn default() -> Self {
        Self {
            files: 4,
            part_bytes: 8 << 20,
            // Allocators keep about as much again of what was freed.
            budget_bytes: 40 << 20,
            read_ahead: 2,
            attempt: 0,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The first object that could not be copied; those begun before it were finished.
    #[error("{0}")]
    Object(CopyFailure),
    #[error("manifest or receipts: {0}")]
    Files(#[from] std::io::Error),
}

struct Copier {
    source: Arc<dyn ObjectStore>,
    target: Arc<dyn ObjectStore>,
    lasting: Option<Lasting>,
    receipts: Receipts,
    options: CopyOptions,
    /// In KiB.
    budget: Arc<Semaphore>,
    stopped: AtomicBool,
    files: AtomicU64,
    bytes: AtomicU64,
    read: AtomicU64,
    progress: Arc<dyn Fn(Copied) + Send + Sync>,
}

/// Copies what `manifest` names from one end to the other and appends a receipt per object to `receipts`. On a failure nothing new is begun, what is under way is finished, and the
/// reason is also appended as a line. Running it again copies only what is missing.
pub async fn copy(
    ends: Ends,
    manifest: &FilePath,
    receipts: &FilePath,
    options: CopyOptions,
    progress: Arc<dyn Fn(Copied) + Send + Sync>,
) -> Result<Copied, CopyError> {
    let manifest = Manifest::open(manifest).await?;
    let beside = receipts;
    let receipts = Receipts::open(receipts).await?;
    let lasting = match ends.parts {
        Some(parts) => Some(Lasting {
            parts,
            uploads: Arc::new(Uploads::open(beside).await?),
        }),
        None => None,
    };
    let options = CopyOptions {
        files: options.files.max(1),
        read_ahead: options.read_ahead.max(1),
        part_bytes: options.part_bytes.max(KIB),
        // The permits of a semaphore are counted in 32 bits at a time.
        budget_bytes: options.budget_bytes.clamp(KIB, u64::from(u32::MAX)),
        ..options
    };
    let copier = Arc::new(Copier {
        budget: Arc::new(Semaphore::new(kib(options.budget_bytes) as usize)),
        read: AtomicU64::new(receipts.before.bytes_read),
        source: ends.source,
        target: ends.target,
        lasting,
        receipts,
        options,
        stopped: AtomicBool::new(false),
        files: AtomicU64::new(0),
        bytes: AtomicU64::new(0),
        progress,
    });
    let items = stream::try_unfold(manifest, |mut manifest| async move {
        Ok(manifest.next().await?.map(|item| (item, manifest)))
    });
    let results = items.map(|item| {
        let copier = Arc::clone(&copier);
        async move { copier.item(item).await }.boxed()
    });
    let results = results.buffer_unordered(options.files);
    let mut results = std::pin::pin!(results);
    let mut first = None;
    while let Some(result) = results.next().await {
        if let Err(error) = result {
            copier.stopped.store(true, Ordering::Relaxed);
            first.get_or_insert(error);
        }
    }
    first.map_or_else(|| Ok(copier.copied()), Err)
}

/// A share of the budget; `None` would mean a closed semaphore, and it is never closed.
type Permit = Option<OwnedSemaphorePermit>;

/// What was read of an object, and where it begins there.
type Piece = (u64, PutPayload, Permit);

fn part_of(part_bytes: u64, size: u64) -> u64 {
    part_bytes.max(size.div_ceil(MOST_PARTS))
}

/// How often the source is asked for an object of so many bytes, if nothing has to be repeated.
pub(crate) fn reads_of(size: u64) -> u64 {
    let part = part_of(CopyOptions::default().part_bytes, size);
    size.div_ceil(part).max(1)
}

fn kib(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(KIB)).unwrap_or(u32::MAX)
}

fn failure(kind: FailureKind, item: &CopyItem, message: String) -> CopyFailure {
    CopyFailure {
        kind,
        src: item.src.clone(),
        message,
    }
}

fn other(item: &CopyItem, side: &str, error: &StoreError) -> CopyFailure {
    failure(
        FailureKind::Other,
        item,
        format!("copying `{}`, {side}: {}", item.src, say(error)),
    )
}

enum Read {
    Failed(CopyFailure),
    /// What was read could not be handed to the upload.
    Unsent(CopyFailure),
    /// The object changed between two ranges.
    Changed,
}

impl From<CopyFailure> for Read {
    fn from(failure: CopyFailure) -> Self {
        Self::Failed(failure)
    }
}

impl Copier {
    fn copied(&self) -> Copied {
        Copied {
            files: self.files.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            bytes_read: self.read.load(Ordering::Relaxed),
        }
    }

    async fn item(self: &Arc<Self>, item: std::io::Result<CopyItem>) -> Result<(), CopyError> {
        if self.stopped.load(Ordering::Relaxed) {
            return Ok(());
        }
        let item = item?;
        if self.receipts.finished.size_of(&item.dst) != Some(item.size) {
            match self.object(&item).await {
                Ok(receipt) => {
                    model::crash_point!("sync.receipt.before");
                    self.receipts.append(&receipt).await?;
                    model::crash_point!("sync.receipt.after");
                }
                Err(failure) => {
                    let receipt = Receipt {
                        dst: item.dst,
                        size: item.size,
                        etag: None,
                        bytes_read: 0,
                        attempt: self.options.attempt,
                        failure: Some(failure.clone()),
                    };
                    self.receipts.append(&receipt).await?;
                    return Err(CopyError::Object(failure));
                }
            }
        }
        self.files.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(item.size, Ordering::Relaxed);
        (self.progress)(self.copied());
        Ok(())
    }

    async fn object(self: &Arc<Self>, item: &CopyItem) -> Result<Receipt, CopyFailure> {
        let key =
            |name: &str| Path::parse(name).map_err(|error| other(item, "its name", &error.into()));
        let (src, dst) = (key(&item.src)?, key(&item.dst)?);
        let receipt = |etag, bytes_read| Receipt {
            dst: item.dst.clone(),
            size: item.size,
            etag,
            bytes_read,
            attempt: self.options.attempt,
            failure: None,
        };
        match self.target.head(&dst).await {
            Ok(there) if is_finished(&there, item) => return Ok(receipt(there.e_tag, 0)),
            Ok(_) | Err(StoreError::NotFound { .. }) => {}
            Err(error) => return Err(other(item, "looking at the target", &error)),
        }
        model::crash_point!("sync.copy.before");
        let mut written = self.move_bytes(item, &src, &dst).await;
        if matches!(written, Err(Read::Changed)) {
            written = self.move_bytes(item, &src, &dst).await;
        }
        let written = match written {
            Ok(written) => written,
            Err(Read::Failed(failure) | Read::Unsent(failure)) => return Err(failure),
            Err(Read::Changed) => {
                let message = format!(
                    "`{}` at the source keeps changing while it is read",
                    item.src
                );
                return Err(failure(FailureKind::Other, item, message));
            }
        };
        model::crash_point!("sync.copy.after");
        Ok(receipt(written.e_tag, item.size))
    }

    async fn move_bytes(
        self: &Arc<Self>,
        item: &CopyItem,
        src: &Path,
        dst: &Path,
    ) -> Result<PutResult, Read> {
        // A part never exceeds the budget's count, though a huge object's part may exceed its bytes.
        let part = part_of(self.options.part_bytes, item.size);
        if item.size <= part {
            let _permit = self.permit(item.size).await;
            let (bytes, _) = self.range(item, src, 0..item.size, None).await?;
            return self
                .target
                .put(dst, bytes)
                .await
                .map_err(|error| other(item, "writing it", &error).into());
        }
        let object = (item.dst.as_str(), item.size);
        let resumed = match &self.lasting {
            Some(lasting) => lasting.resumed(dst, object, part).await,
            None => None,
        };
        if let Some(upload) = resumed {
            let etag = upload.etag();
            match self.parts(item, src, part, None, etag, upload).await {
                Ok(written) => return Ok(written),
                // The store may have forgotten the upload, or the source's object is another one: all of it, anew.
                Err(Read::Changed | Read::Unsent(_)) => {}
                Err(failed) => return Err(failed),
            }
        }
        let first_permit = self.permit(part).await;
        let (first, meta) = self.range(item, src, 0..part, None).await?;
        // Without an etag nobody could tell later whether the object is still the same.
        let upload = match (&self.lasting, &meta.e_tag) {
            (Some(lasting), Some(etag)) => lasting.begin(dst, object, (part, etag.clone())).await,
            _ => self.target.put_multipart(dst).await.map(Upload::Passing),
        };
        let upload = upload.map_err(|error| other(item, "writing it", &error))?;
        let first = Some((first, first_permit));
        self.parts(item, src, part, first, meta.e_tag, upload).await
    }

    /// The parts of a large object that do not stand yet, in order: each is uploaded while the next ones are read. What stands of an
    /// upload that outlives its process is left for the next attempt, where something failed that may pass; every other upload that
    /// fails is given up. Without a first part the upload is taken up.
    async fn parts(
        self: &Arc<Self>,
        item: &CopyItem,
        src: &Path,
        part: u64,
        first: Option<(PutPayload, Permit)>,
        etag: Option<String>,
        mut upload: Upload,
    ) -> Result<PutResult, Read> {
        let (is_taken_up, stood) = (first.is_none(), upload.stands());
        let sent = self
            .send_parts(item, src, part, first, etag, &mut upload)
            .await;
        let completed = match sent {
            Ok(()) => upload
                .complete()
                .await
                .map_err(|error| Read::Unsent(other(item, "finishing the upload", &error))),
            Err(error) => Err(error),
        };
        let failed = match completed {
            Ok(written) => return Ok(written),
            Err(failed) => failed,
        };
        let passing = match &failed {
            Read::Failed(failure) if failure.kind == FailureKind::Other => Some(failure.clone()),
            // A store that takes nothing more of it may have forgotten it.
            Read::Unsent(failure) if !is_taken_up || upload.stands() > stood => {
                Some(failure.clone())
            }
            Read::Failed(_) | Read::Unsent(_) | Read::Changed => None,
        };
        match passing {
            Some(failure) if upload.stands() > 0 => Err(Read::Failed(failure)),
            _ => {
                upload.give_up().await;
                Err(failed)
            }
        }
    }

    async fn send_parts(
        self: &Arc<Self>,
        item: &CopyItem,
        src: &Path,
        part: u64,
        first: Option<(PutPayload, Permit)>,
        etag: Option<String>,
        upload: &mut Upload,
    ) -> Result<(), Read> {
        let place = |at: u64| Part {
            index: usize::try_from(at / part).unwrap_or(usize::MAX),
            at,
        };
        let mut uploads = JoinSet::new();
        let send = |uploads: &mut JoinSet<Result<Sent, StoreError>>,
                    upload: &mut Upload,
                    (at, bytes, permit): Piece| {
            let sent = upload.put(place(at), bytes);
            uploads.spawn(async move {
                let _permit = permit;
                sent.await
            });
        };
        let mut reads: FuturesOrdered<BoxFuture<'static, Result<Piece, Read>>> =
            FuturesOrdered::new();
        let mut from = 0;
        if let Some((bytes, permit)) = first {
            send(&mut uploads, upload, (0, bytes, permit));
            from = part;
        }
        loop {
            if let Some(done) = uploads.try_join_next() {
                upload.took(uploaded(item, done).map_err(Read::Unsent)?);
            }
            while from < item.size && reads.len() < self.options.read_ahead {
                let (at, end) = (from, from.saturating_add(part).min(item.size));
                if upload.has(place(at).index) {
                    from = end;
                    continue;
                }
                // Only who holds nothing but running uploads may wait for budget; else all files could wait for one
                // another, each with a part read and not sent.
                let permit = if reads.is_empty() {
                    self.permit(end - at).await
                } else {
                    let Some(permit) = self.permit_now(end - at) else {
                        break;
                    };
                    Some(permit)
                };
                let (copier, item, src) = (Arc::clone(self), item.clone(), src.clone());
                let etag = etag.clone();
                let read = async move {
                    let (bytes, _) = copier.range(&item, &src, at..end, etag).await?;
                    Ok((at, bytes, permit))
                };
                reads.push_back(read.boxed());
                from = end;
            }
            match reads.next().await {
                Some(Ok(piece)) => send(&mut uploads, upload, piece),
                Some(Err(error)) => {
                    // What was read before is not to be read again.
                    while let Some(done) = uploads.join_next().await {
                        upload.took(uploaded(item, done).unwrap_or_default());
                    }
                    return Err(error);
                }
                None => break,
            }
        }
        while let Some(done) = uploads.join_next().await {
            upload.took(uploaded(item, done).map_err(Read::Unsent)?);
        }
        Ok(())
    }

    fn permit_now(&self, bytes: u64) -> Permit {
        let most = kib(self.options.budget_bytes);
        Arc::clone(&self.budget)
            .try_acquire_many_owned(kib(bytes).min(most))
            .ok()
    }

    async fn permit(&self, bytes: u64) -> Permit {
        let most = kib(self.options.budget_bytes);
        Arc::clone(&self.budget)
            .acquire_many_owned(kib(bytes).min(most))
            .await
            .ok()
    }

    /// Reads a range and checks all that a store says of it. The pieces stay as they came: joining them would cost a copy
    /// of every byte and the memory of two.
    async fn range(
        &self,
        item: &CopyItem,
        src: &Path,
        range: std::ops::Range<u64>,
        etag: Option<String>,
    ) -> Result<(PutPayload, ObjectMeta), Read> {
        let whole = range == (0..item.size);
        let length = range.end - range.start;
        let mut options = GetOptions::new().with_if_match(etag);
        if !whole {
            options = options.with_range(Some(GetRange::Bounded(range)));
        }
        let got = match self.source.get_opts(src, options).await {
            Ok(got) => got,
            Err(StoreError::NotFound { .. }) => {
                let message = format!(
                    "`{}` is not there, though the source's log names it",
                    item.src
                );
                return Err(failure(FailureKind::Missing, item, message).into());
            }
            Err(StoreError::Precondition { .. }) => return Err(Read::Changed),
            Err(error) => return Err(other(item, "reading it", &error).into()),
        };
        let meta = got.meta.clone();
        if meta.size != item.size {
            let message = format!(
                "`{}` has {} bytes, but the source's log says {}: the source is damaged or its log is wrong",
                item.src, meta.size, item.size
            );
            return Err(failure(FailureKind::Size, item, message).into());
        }
        let pieces: Vec<Bytes> = got
            .into_stream()
            .try_collect()
            .await
            .map_err(|error| other(item, "reading it", &error))?;
        let bytes: PutPayload = pieces.into_iter().collect();
        let read = bytes.content_length() as u64;
        self.read.fetch_add(read, Ordering::Relaxed);
        if read != length {
            let message = format!("`{}` broke off after {read} of {length} bytes", item.src);
            return Err(failure(FailureKind::Other, item, message).into());
        }
        if !whole {
            (self.progress)(self.copied());
        }
        Ok((bytes, meta))
    }
}

type Uploaded = Result<Result<Sent, StoreError>, tokio::task::JoinError>;

fn uploaded(item: &CopyItem, done: Uploaded) -> Result<Sent, CopyFailure> {
    match done {
        Ok(Ok(sent)) => Ok(sent),
        Ok(Err(error)) => Err(other(item, "writing it", &error)),
        Err(_) => {
            let message = format!("copying `{}`: an upload was broken off", item.src);
            Err(failure(FailureKind::Other, item, message))
        }
    }
}

/// A file of a Delta table is never changed once written, and a copy becomes visible only when it is whole.
pub(crate) fn is_finished(there: &ObjectMeta, item: &CopyItem) -> bool {
    let at = Timestamp::from_datetime(there.last_modified);
    !item.fresh
        && there.size == item.size
        && item.modified.is_none_or(|modified| at.millis() >= modified)
}
