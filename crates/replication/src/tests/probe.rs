//! A store in memory that keeps a record of what was asked of it, and fails when it is told to.

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures::FutureExt as _;
use futures::stream::{self, BoxStream, StreamExt as _};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions as StoreCopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult,
    MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMultipartOptions, PutOptions,
    PutPayload, PutResult, Result, UploadPart,
};

use crate::MARKER;

/// How often others get their turn before an answer that is late.
const LATE: usize = 100;

/// Does something to the n-th effect, counted over all stores and the journal of a world.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// Effects left before the one that is hit; negative: it was.
    left: AtomicI64,
    armed: AtomicI64,
    mode: Mutex<Mode>,
    /// The effect that was hit.
    what: Mutex<Option<String>>,
}

/// What becomes of the effect that is hit, and of those after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It fails, and so does all that follows: the process died before it.
    #[default]
    Dies,
    /// It happens, but its answer is an error, and all that follows fails: the process died after it.
    DiesAfter,
    /// It fails; the process lives on.
    Fails,
    /// It happens, but its answer is an error; the process lives on.
    Lost,
    /// It comes late: everything else that can go on meanwhile does.
    Late,
    /// Of what is read the last byte is missing, without an error.
    Short,
    /// What is listed is without the newest commit.
    Stale,
}

impl Mode {
    pub(crate) const ALL: [Self; 7] = [
        Self::Dies,
        Self::DiesAfter,
        Self::Fails,
        Self::Lost,
        Self::Late,
        Self::Short,
        Self::Stale,
    ];
}

impl Faults {
    pub(crate) fn arm(&self, n: i64, mode: Mode) {
        self.left.store(n, Ordering::SeqCst);
        *self.mode.lock().unwrap() = mode;
        *self.what.lock().unwrap() = None;
        self.armed.store(1, Ordering::SeqCst);
    }

    pub(crate) fn what(&self) -> Option<String> {
        self.what.lock().unwrap().clone()
    }

    pub(crate) fn disarm(&self) {
        self.armed.store(0, Ordering::SeqCst);
    }

    /// For something that is no effect of what is tested; answers whether it was armed.
    pub(crate) fn pause(&self) -> i64 {
        self.armed.swap(0, Ordering::SeqCst)
    }

    pub(crate) fn go_on(&self, armed: i64) {
        self.armed.store(armed, Ordering::SeqCst);
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
        if left > 0 {
            return Hit::Passes;
        }
        let mode = *self.mode.lock().unwrap();
        if left < 0 {
            return match mode {
                Mode::Dies | Mode::DiesAfter => Hit::Fails,
                _ => Hit::Passes,
            };
        }
        *self.what.lock().unwrap() = Some(what.to_owned());
        match mode {
            Mode::Dies | Mode::Fails => Hit::Fails,
            Mode::DiesAfter | Mode::Lost => Hit::Lost,
            Mode::Late => Hit::Late,
            Mode::Short => Hit::Short,
            Mode::Stale => Hit::Stale,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hit {
    Passes,
    Fails,
    Lost,
    Late,
    Short,
    Stale,
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
    /// Bytes of data objects that were handed out.
    sent: AtomicU64,
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
            sent: AtomicU64::new(0),
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

    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
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
            Hit::Lost => $inner.and_then(|_| Err(fault())),
            Hit::Passes | Hit::Late | Hit::Short | Hit::Stale => $inner,
        }
    };
}

/// An answer that breaks off before its last byte, and does not say so.
async fn cut_short(got: GetResult) -> Result<GetResult> {
    let (meta, range, attributes) = (got.meta.clone(), got.range.clone(), got.attributes.clone());
    let mut bytes = got.bytes().await?;
    bytes.truncate(bytes.len().saturating_sub(1));
    let payload = GetResultPayload::Stream(stream::once(async { Ok(bytes) }).boxed());
    Ok(GetResult {
        payload,
        meta,
        range,
        attributes,
    })
}

fn is_commit(meta: &ObjectMeta) -> bool {
    let key = meta.location.as_ref();
    key.starts_with("_delta_log/") && key.ends_with(".json")
}

/// Without the newest commit.
fn stale(listed: BoxStream<'static, Result<ObjectMeta>>) -> BoxStream<'static, Result<ObjectMeta>> {
    let all = async move {
        let mut all: Vec<Result<ObjectMeta>> = listed.collect().await;
        let commits = all.iter().flatten().filter(|meta| is_commit(meta));
        let newest = commits.map(|meta| meta.location.clone()).max();
        all.retain(|one| one.as_ref().ok().map(|meta| &meta.location) != newest.as_ref());
        stream::iter(all)
    };
    stream::once(all).flatten().boxed()
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
        match self.ask("get", at) {
            Hit::Fails => Err(fault()),
            Hit::Lost => self
                .inner
                .get_opts(at, options)
                .await
                .and_then(|_| Err(fault())),
            Hit::Short => cut_short(self.inner.get_opts(at, options).await?).await,
            Hit::Late => {
                for _ in 0..LATE {
                    tokio::task::yield_now().await;
                }
                self.inner.get_opts(at, options).await
            }
            Hit::Passes | Hit::Stale => {
                let got = self.inner.get_opts(at, options).await?;
                if !at.as_ref().starts_with("_delta_log/") {
                    let bytes = got.range.end - got.range.start;
                    self.sent.fetch_add(bytes, Ordering::SeqCst);
                }
                Ok(got)
            }
        }
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
            Hit::Fails | Hit::Lost => stream::once(async { Err(fault()) }).boxed(),
            Hit::Stale => stale(self.inner.list(prefix)),
            Hit::Passes | Hit::Late | Hit::Short => self.inner.list(prefix),
        }
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.ask("list", prefix.unwrap_or(&Path::default())) {
            Hit::Fails | Hit::Lost => stream::once(async { Err(fault()) }).boxed(),
            Hit::Stale => stale(self.inner.list_with_offset(prefix, offset)),
            Hit::Passes | Hit::Late | Hit::Short => self.inner.list_with_offset(prefix, offset),
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
            Hit::Fails | Hit::Lost => async { Err(fault()) }.boxed(),
            _ => self.inner.put_part(data),
        }
    }

    async fn complete(&mut self) -> Result<PutResult> {
        match self.faults.hit("") {
            Hit::Fails => Err(fault()),
            Hit::Lost => self.inner.complete().await.and_then(|_| Err(fault())),
            _ => self.inner.complete().await,
        }
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}
