//! A store in memory that keeps a record of what was asked of it, and fails when it is told to.

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures::FutureExt as _;
use futures::stream::{self, BoxStream, StreamExt as _};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions as StoreCopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result, UploadPart,
};

use crate::MARKER;

/// Fails the n-th effect, counted over all stores and the journal of a world.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// Effects left before the one that fails; negative: none does.
    left: AtomicI64,
    armed: AtomicI64,
    lost: AtomicBool,
    once: AtomicBool,
    /// The effect that was made to fail.
    what: Mutex<Option<String>>,
}

impl Faults {
    /// `lost`: the effect happens, but its answer is an error.
    pub(crate) fn arm(&self, n: i64, lost: bool) {
        self.left.store(n, Ordering::SeqCst);
        self.lost.store(lost, Ordering::SeqCst);
        self.once.store(false, Ordering::SeqCst);
        self.armed.store(1, Ordering::SeqCst);
    }

    /// Only the answer of the n-th effect is lost; the process lives on.
    pub(crate) fn arm_once(&self, n: i64) {
        self.arm(n, true);
        self.once.store(true, Ordering::SeqCst);
    }

    pub(crate) fn what(&self) -> Option<String> {
        self.what.lock().unwrap().clone()
    }

    pub(crate) fn disarm(&self) {
        self.armed.store(0, Ordering::SeqCst);
    }

    /// Whether the fault came up since it was armed. A process that died does nothing more, so all effects after it
    /// fail too.
    pub(crate) fn fired(&self) -> bool {
        self.left.load(Ordering::SeqCst) < 0
    }

    pub(crate) fn hit(&self, what: &str) -> Hit {
        if self.armed.load(Ordering::SeqCst) == 0 {
            return Hit::Passes;
        }
        let left = self.left.fetch_sub(1, Ordering::SeqCst);
        if left == 0 {
            *self.what.lock().unwrap() = Some(what.to_owned());
            if self.lost.load(Ordering::SeqCst) {
                return Hit::Lost;
            }
        }
        let lives_on = self.once.load(Ordering::SeqCst);
        if left > 0 || (left < 0 && lives_on) {
            Hit::Passes
        } else {
            Hit::Fails
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hit {
    Passes,
    Fails,
    Lost,
}

fn fault() -> Error {
    Error::Generic {
        store: "probe",
        source: "made to fail".into(),
    }
}

/// A store in memory that keeps a record of what was asked of it.
#[derive(Debug)]
pub(crate) struct Probe {
    pub(crate) inner: InMemory,
    pub(crate) asked: Mutex<Vec<String>>,
    /// When this is asked, an object is put first: key and content.
    pub(crate) before: Mutex<Option<(String, &'static str, String)>>,
    faults: Arc<Faults>,
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("probe")
    }
}

impl Probe {
    pub(crate) fn new(faults: &Arc<Faults>) -> Arc<Self> {
        let (inner, asked, before) = (InMemory::new(), Mutex::default(), Mutex::default());
        Arc::new(Self {
            inner,
            asked,
            before,
            faults: Arc::clone(faults),
        })
    }

    fn ask(&self, what: &str, key: &Path) -> Hit {
        let asked = format!("{what} {key}");
        self.asked.lock().unwrap().push(asked.clone());
        let mut before = self.before.lock().unwrap();
        if let Some((_, at, body)) = before.take_if(|(when, ..)| *when == asked) {
            self.put_now(at, body);
        }
        drop(before);
        self.faults.hit(&asked)
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn forget(&self) {
        self.asked.lock().unwrap().clear();
    }

    /// How often the payload of a data file was asked for.
    pub(crate) fn reads(&self) -> usize {
        self.asked()
            .iter()
            .filter(|a| a.starts_with("get ") && !a.contains("_delta_log"))
            .count()
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        let listed: Vec<_> = self
            .inner
            .list(None)
            .collect::<Vec<_>>()
            .now_or_never()
            .unwrap();
        let mut keys: Vec<_> = listed
            .into_iter()
            .map(|meta| meta.unwrap().location.to_string())
            .collect();
        keys.sort();
        keys
    }

    /// Data objects only.
    pub(crate) fn data(&self) -> Vec<String> {
        let mut keys = self.keys();
        keys.retain(|key| !key.starts_with("_delta_log/") && key != MARKER);
        keys
    }

    pub(crate) fn put_now(&self, key: &str, bytes: impl Into<Bytes>) {
        let key = Path::parse(key).unwrap();
        self.inner
            .put(&key, bytes.into().into())
            .now_or_never()
            .unwrap()
            .unwrap();
    }

    pub(crate) fn delete_now(&self, key: &str) {
        self.inner
            .delete(&Path::parse(key).unwrap())
            .now_or_never()
            .unwrap()
            .unwrap();
    }

    pub(crate) fn bytes_now(&self, key: &str) -> Bytes {
        let got = self
            .inner
            .get(&Path::parse(key).unwrap())
            .now_or_never()
            .unwrap()
            .unwrap();
        got.bytes().now_or_never().unwrap().unwrap()
    }
}

/// Asks, and gives the answer unless the fault says otherwise.
macro_rules! answer {
    ($probe:expr, $what:literal, $key:expr, $inner:expr) => {
        match $probe.ask($what, $key) {
            Hit::Fails => Err(fault()),
            Hit::Passes => $inner,
            Hit::Lost => $inner.and_then(|_| Err(fault())),
        }
    };
}

#[async_trait]
impl ObjectStore for Probe {
    async fn put_opts(
        &self,
        at: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        answer!(
            self,
            "put",
            at,
            self.inner.put_opts(at, payload, opts).await
        )
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let inner = answer!(
            self,
            "multipart",
            at,
            self.inner.put_multipart_opts(at, opts).await
        )?;
        Ok(Box::new(Upload {
            inner,
            faults: Arc::clone(&self.faults),
        }))
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
        if options.head {
            return answer!(self, "head", at, self.inner.get_opts(at, options).await);
        }
        answer!(self, "get", at, self.inner.get_opts(at, options).await)
    }

    async fn get_ranges(&self, at: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        answer!(self, "get", at, self.inner.get_ranges(at, ranges).await)
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let all: Vec<Result<Path>> = locations.collect::<Vec<_>>().now_or_never().unwrap();
        let deleted = all.into_iter().map(|at| {
            let at = at?;
            let delete = || {
                self.inner
                    .delete(&at)
                    .now_or_never()
                    .unwrap()
                    .map(|()| at.clone())
            };
            answer!(self, "delete", &at, delete())
        });
        stream::iter(deleted.collect::<Vec<_>>()).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.ask("list", prefix.unwrap_or(&Path::default())) {
            Hit::Passes => self.inner.list(prefix),
            _ => stream::once(async { Err(fault()) }).boxed(),
        }
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.ask("list", prefix.unwrap_or(&Path::default())) {
            Hit::Passes => self.inner.list_with_offset(prefix, offset),
            _ => stream::once(async { Err(fault()) }).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let at = prefix.cloned().unwrap_or_default();
        answer!(
            self,
            "list",
            &at,
            self.inner.list_with_delimiter(prefix).await
        )
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: StoreCopyOptions) -> Result<()> {
        answer!(
            self,
            "copy",
            from,
            self.inner.copy_opts(from, to, options).await
        )
    }
}

#[derive(Debug)]
struct Upload {
    inner: Box<dyn MultipartUpload>,
    faults: Arc<Faults>,
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        match self.faults.hit("") {
            Hit::Passes => self.inner.put_part(data),
            _ => async { Err(fault()) }.boxed(),
        }
    }

    async fn complete(&mut self) -> Result<PutResult> {
        match self.faults.hit("") {
            Hit::Fails => Err(fault()),
            Hit::Passes => self.inner.complete().await,
            Hit::Lost => self.inner.complete().await.and_then(|_| Err(fault())),
        }
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}
