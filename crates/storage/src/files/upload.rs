//! Writing a large file in parts: each part goes straight to its place in the staged file, so that nothing is kept in
//! memory; the whole is made durable and renamed at the end.

use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use object_store::path::Path;
use object_store::{MultipartUpload, PutPayload, PutResult, Result, UploadPart};

use super::beneath::Staged;
use super::{FileStore, generic, put_result};

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

fn over() -> object_store::Error {
    generic("the upload has ended already".into())
}

#[async_trait]
impl MultipartUpload for FileUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let mut at = self.offset;
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
                for chunk in &data {
                    staged.file.write_all_at(chunk, at)?;
                    at += chunk.len() as u64;
                }
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
