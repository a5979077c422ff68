//! Whole tables: made by our writer or by hand, read by our reader, and by deltalake's as the oracle.

mod bombs;
mod changes;
mod checkpoints;
mod forged;
mod hostile;
mod log;
mod oracle;
mod state;

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use crate::{Budgets, Table};

pub(crate) const PROTOCOL: &str = r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}"#;
pub(crate) const METADATA: &str = r#"{"metaData":{"id":"5fba94ed","format":{"provider":"parquet","options":{}},"schemaString":"{\"type\":\"struct\",\"fields\":[{\"name\":\"n\",\"type\":\"long\",\"nullable\":true,\"metadata\":{}}]}","partitionColumns":[],"configuration":{},"createdTime":1}}"#;

pub(crate) fn log_path(name: &str) -> Path {
    Path::from(format!("_delta_log/{name}"))
}

pub(crate) fn commit_name(version: u64) -> String {
    format!("{version:020}.json")
}

/// A store that notes what is read, can lose answers and refuse to list a folder.
#[derive(Debug)]
pub(crate) struct Probe {
    pub(crate) inner: Arc<dyn ObjectStore>,
    read: Mutex<Vec<String>>,
    puts: AtomicU8,
    refused: Mutex<Option<Path>>,
}

fn refusal(folder: &Path) -> Error {
    Error::PermissionDenied {
        path: folder.to_string(),
        source: "403".into(),
    }
}

/// How puts go wrong.
pub(crate) const FAIL: u8 = 1;
pub(crate) const LOSE_ANSWER: u8 = 2;

impl Probe {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            read: Mutex::default(),
            puts: AtomicU8::new(0),
            refused: Mutex::default(),
        })
    }

    pub(crate) fn memory() -> Arc<Self> {
        Self::new(Arc::new(InMemory::new()))
    }

    pub(crate) fn table(self: &Arc<Self>) -> Table {
        Table::new(self.clone(), Budgets::default())
    }

    pub(crate) fn break_puts(&self, how: u8) {
        self.puts.store(how, Ordering::SeqCst);
    }

    /// What lies in this folder is not listed, by itself or with what lies around it.
    pub(crate) fn refuse(&self, folder: &str) {
        *self.refused.lock().unwrap() = Some(Path::from(folder));
    }

    /// File names read since the last call.
    pub(crate) fn take_read(&self) -> Vec<String> {
        std::mem::take(&mut self.read.lock().unwrap())
    }

    pub(crate) async fn put_log(&self, name: &str, body: impl Into<PutPayload>) {
        self.inner.put(&log_path(name), body.into()).await.unwrap();
    }

    pub(crate) async fn put_commit(&self, version: u64, lines: &[&str]) {
        self.put_log(&commit_name(version), lines.join("\n").into_bytes())
            .await;
    }

    pub(crate) async fn delete_log(&self, name: &str) {
        self.inner.delete(&log_path(name)).await.unwrap();
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Probe")
    }
}

#[async_trait]
impl ObjectStore for Probe {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        let lost = || Error::Generic {
            store: "Probe",
            source: "timed out".into(),
        };
        match self.puts.load(Ordering::SeqCst) {
            FAIL => Err(lost()),
            LOSE_ANSWER => {
                self.inner.put_opts(location, payload, opts).await?;
                Err(lost())
            }
            _ => self.inner.put_opts(location, payload, opts).await,
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.read
            .lock()
            .unwrap()
            .push(location.filename().unwrap_or_default().to_owned());
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let listed = self.inner.list(prefix);
        let Some(folder) = self.refused.lock().unwrap().clone() else {
            return listed;
        };
        listed
            .map(move |meta| match meta {
                Ok(meta) if meta.location.prefix_matches(&folder) => Err(refusal(&folder)),
                meta => meta,
            })
            .boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let refused = self.refused.lock().unwrap().clone();
        if let (Some(folder), Some(prefix)) = (refused, prefix)
            && prefix.prefix_matches(&folder)
        {
            return Err(refusal(&folder));
        }
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
