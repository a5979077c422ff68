//! Stores as the product opens them, metered; what is read of a log and what of data files is counted apart.

use std::fmt;
use std::ops::Range;
use std::path::Path as FilePath;
use std::sync::Arc;

use anyhow::Result;
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use model::{Cloud, Location, Purpose};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult,
};
use replication::MARKER;
use storage::{Cause, Credential, Limits, Meter, MeterKey, Parts, StorageSpec, StorageUrl, Stores};
use url::Url;

/// What the meters counted since they were made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) data: u64,
    pub(crate) log: u64,
    pub(crate) requests: u64,
}

impl Counts {
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            data: self.data - earlier.data,
            log: self.log - earlier.log,
            requests: self.requests - earlier.requests,
        }
    }
}

/// A table's folder in a store.
#[derive(Clone)]
pub(crate) struct Metered {
    pub(crate) objects: Arc<dyn ObjectStore>,
    pub(crate) parts: Option<Arc<dyn Parts>>,
    data: Meter,
    log: Meter,
}

impl Metered {
    pub(crate) fn counts(&self) -> Counts {
        Counts {
            data: self.data.received(),
            log: self.log.received(),
            requests: self.data.requests() + self.log.requests(),
        }
    }

    /// A folder of this machine's disk.
    pub(crate) fn folder(folder: &FilePath) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let limits = Limits {
            file_roots: folder
                .parent()
                .map(FilePath::to_owned)
                .into_iter()
                .collect(),
            ..Limits::default()
        };
        let url = format!("file://{}", folder.display());
        Self::open(limits, &url, None, "")
    }

    /// A store that speaks its cloud's protocol at an endpoint of its own.
    pub(crate) fn cloud(url: &str, endpoint: &str, credential: &str) -> Result<Self> {
        let endpoint = Url::parse(endpoint)?;
        let host = endpoint.host_str().unwrap_or_default();
        let limits = Limits {
            endpoints: vec![match endpoint.port() {
                Some(port) => format!("{host}:{port}"),
                None => host.to_owned(),
            }],
            ..Limits::default()
        };
        Self::open(limits, url, Some(endpoint), credential)
    }

    fn open(limits: Limits, url: &str, endpoint: Option<Url>, credential: &str) -> Result<Self> {
        let url = StorageUrl::parse(url)?;
        let location = match &url {
            StorageUrl::Azure { .. } => Location::new(Cloud::Azure, "westeurope")?,
            _ => Location::new(Cloud::Aws, "eu-central-1")?,
        };
        let spec = StorageSpec {
            name: "bench".to_owned(),
            location,
            credential: Credential::parse(&url, credential)?,
            url,
            endpoint,
        };
        let meter = || {
            Meter::new(MeterKey {
                product: None,
                table: None,
                cause: Cause::Operation("bench"),
                purpose: Purpose::Sync,
            })
        };
        let (data, log) = (meter(), meter());
        let stores = Stores::new(limits);
        let store = stores.open(&spec, &data)?;
        let split = Split {
            data: store.objects(),
            log: stores.open(&spec, &log)?.objects(),
        };
        Ok(Self {
            objects: Arc::new(split),
            parts: store.parts_at("")?,
            data,
            log,
        })
    }
}

/// One store opened twice: what lies in a log, and the marker of a replica, is asked of one, the rest of the other.
#[derive(Debug)]
struct Split {
    data: Arc<dyn ObjectStore>,
    log: Arc<dyn ObjectStore>,
}

impl Split {
    fn of(&self, key: &str) -> &Arc<dyn ObjectStore> {
        if key.split('/').any(|part| part == "_delta_log") || key.ends_with(MARKER) {
            &self.log
        } else {
            &self.data
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.data.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for Split {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> object_store::Result<PutResult> {
        let inner = self.of(location.as_ref());
        inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        let inner = self.of(location.as_ref());
        inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(
        &self,
        location: &Path,
        options: GetOptions,
    ) -> object_store::Result<GetResult> {
        let inner = self.of(location.as_ref());
        inner.get_opts(location, options).await
    }

    async fn get_ranges(
        &self,
        location: &Path,
        ranges: &[Range<u64>],
    ) -> object_store::Result<Vec<Bytes>> {
        let inner = self.of(location.as_ref());
        inner.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        self.data.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        let inner = self.of(prefix.map_or("", |prefix| prefix.as_ref()));
        inner.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        let inner = self.of(prefix.map_or("", |prefix| prefix.as_ref()));
        inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        let inner = self.of(prefix.map_or("", |prefix| prefix.as_ref()));
        inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(
        &self,
        from: &Path,
        to: &Path,
        options: CopyOptions,
    ) -> object_store::Result<()> {
        self.of(from.as_ref()).copy_opts(from, to, options).await
    }
}
