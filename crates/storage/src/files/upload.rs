//! Writing a large file in parts: each part goes straight to its place in the staged file, so that nothing is kept in
//! memory; the whole is made durable and renamed at the end. As an upload of this process, and as one that outlives it.

use std::io;
use std::num::NonZero;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use object_store::path::Path;
use object_store::{Error, MultipartUpload, PutPayload, PutResult, Result, UploadPart};
use rustix::fs::Advice;

use super::beneath::Staged;
use super::{FileStore, generic, put_result};
use crate::parts::{Part, Parts};

#[derive(Debug)]
pub(crate) struct FileUpload {
    store: FileStore,
    key: Path,
    staged: Option<Arc<Staged>>,
    /// Where the next part begins.
    offset: u64,
    /// What the parts have written; less than `offset` when one has failed.
    written: Arc<AtomicU64>,
}

impl FileUpload {
    pub(crate) fn new(store: FileStore, key: Path, staged: Staged) -> Self {
        Self {
            store,
            key,
            staged: Some(Arc::new(staged)),
            offset: 0,
            written: Arc::default(),
        }
    }
}

/// Writes a part to its place and has the system begin to carry it to the disk: else files that are copied beside each other
/// would all wait for the disk at their end, which had nothing to do before.
fn write_part(staged: &Staged, data: &PutPayload, begin: u64) -> io::Result<()> {
    let mut at = begin;
    for chunk in data {
        staged.file.write_all_at(chunk, at)?;
        at += chunk.len() as u64;
    }
    if let Some(length) = NonZero::new(at - begin) {
        // An advice, which some file systems do not take. What is not on the disk yet stays in memory all the same.
        let _ = rustix::fs::fadvise(&staged.file, begin, Some(length), Advice::DontNeed);
    }
    Ok(())
}

fn over() -> object_store::Error {
    generic("the upload has ended already".into())
}

#[async_trait]
impl MultipartUpload for FileUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let at = self.offset;
        self.offset += data.content_length() as u64;
        let (store, key, written) = (
            self.store.clone(),
            self.key.clone(),
            Arc::clone(&self.written),
        );
        let staged = self.staged.clone();
        Box::pin(async move {
            let staged = staged.ok_or_else(over)?;
            store.meter.count_request();
            store.meter.count_sent(data.content_length());
            let work = move |_: &_| {
                write_part(&staged, &data, at)?;
                written.fetch_add(data.content_length() as u64, Ordering::SeqCst);
                Ok(())
            };
            store.run(&key, false, work).await
        })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let staged = self.staged.take().ok_or_else(over)?;
        let mut staged = Arc::try_unwrap(staged)
            .map_err(|_| generic("a part of the upload is still being written".into()))?;
        if self.written.load(Ordering::SeqCst) != self.offset {
            return Err(generic("a part of the upload has failed".into()));
        }
        self.store
            .run(&self.key, false, move |_| {
                Ok(put_result(&staged.publish(true)?))
            })
            .await
    }

    async fn abort(&mut self) -> Result<()> {
        self.staged.take().map(drop).ok_or_else(over)
    }
}

/// Which start of the machine this is. What was written and not made durable outlives a process and not the machine, so
/// an upload is of one start.
fn start_of_machine() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}

/// The name of the staged file, if the upload is of this start of the machine.
fn staged_of(upload: &str) -> Result<String> {
    let (name, start) = upload.split_once('@').unwrap_or((upload, ""));
    if start.is_empty() || start != start_of_machine() {
        return Err(Error::NotFound {
            path: name.to_owned(),
            source: "the upload was begun before the machine was started".into(),
        });
    }
    Ok(name.to_owned())
}

#[async_trait]
impl Parts for FileStore {
    async fn begin(&self, key: &Path) -> Result<String> {
        self.meter.count_request();
        let at = key.clone();
        let name = self
            .run(key, false, move |beneath| {
                Ok(Staged::create(beneath, &at)?.keep())
            })
            .await?;
        Ok(format!("{name}@{}", start_of_machine()))
    }

    async fn put(&self, key: &Path, upload: &str, part: Part, data: PutPayload) -> Result<String> {
        self.meter.count_request();
        self.meter.count_sent(data.content_length());
        let (name, to) = (staged_of(upload)?, key.clone());
        let length = data.content_length();
        let work = move |beneath: &_| {
            let staged = Staged::again(beneath, &to, &name)?;
            Ok(write_part(&staged, &data, part.at)?)
        };
        self.run(key, false, work).await?;
        Ok(length.to_string())
    }

    async fn complete(&self, key: &Path, upload: &str, parts: Vec<String>) -> Result<PutResult> {
        let (name, to) = (staged_of(upload)?, key.clone());
        let whole = parts.iter().map(|part| part.parse::<u64>().ok());
        let whole = whole
            .sum::<Option<u64>>()
            .ok_or_else(|| generic("a part of the upload is of another one".into()))?;
        let done = self.run(key, false, move |beneath| {
            let mut staged = Staged::again(beneath, &to, &name)?;
            if staged.file.metadata()?.len() != whole {
                return Ok(None);
            }
            Ok(Some(put_result(&staged.publish(true)?)))
        });
        done.await?
            .ok_or_else(|| generic("a part of the upload is missing".into()))
    }

    async fn abort(&self, key: &Path, upload: &str) -> Result<()> {
        let (name, to) = (staged_of(upload)?, key.clone());
        self.run(key, false, move |beneath| {
            Staged::again(beneath, &to, &name)?.give_up();
            Ok(())
        })
        .await
    }
}
