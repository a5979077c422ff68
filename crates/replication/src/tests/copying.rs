//! The copying: budgets, parts, objects that change or break off, what is found finished.

use std::ops::Range;
use std::path::Path as FilePath;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt as _};
use model::Purpose;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions as StoreCopyOptions, GetOptions, GetResult, GetResultPayload, ListResult,
    MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMultipartOptions, PutOptions,
    PutPayload, PutResult, Result,
};
use serde_json::json;
use storage::{Cause, Credential, Limits, Meter, MeterKey, Parts, StorageSpec, StorageUrl, Stores};

use super::world::body;
use crate::copy::{CopyError, CopyOptions, copy};
use crate::engine::Ends;
use crate::files::{Copied, CopyItem, FailureKind, write_manifest};

struct Job {
    folder: tempfile::TempDir,
    items: Vec<CopyItem>,
}

impl Job {
    /// Objects `f0`… of these sizes at the source.
    async fn of(source: &dyn ObjectStore, sizes: &[usize]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut items = Vec::new();
        for (n, size) in sizes.iter().enumerate() {
            let name = format!("f{n}");
            source
                .put(&Path::from(name.as_str()), body(&name, *size).into())
                .await
                .unwrap();
            items.push(CopyItem {
                src: name.clone(),
                dst: name,
                size: *size as u64,
                modified: Some(1),
                fresh: false,
            });
        }
        write_manifest(&folder.path().join("m"), &items)
            .await
            .unwrap();
        Self { folder, items }
    }

    async fn run(
        &self,
        source: Arc<dyn ObjectStore>,
        target: Arc<dyn ObjectStore>,
        options: CopyOptions,
    ) -> Result<Copied, CopyError> {
        let ends = Ends {
            source,
            target,
            parts: None,
        };
        self.between(ends, options).await
    }

    async fn between(&self, ends: Ends, options: CopyOptions) -> Result<Copied, CopyError> {
        let (manifest, receipts) = (self.folder.path().join("m"), self.folder.path().join("r"));
        copy(ends, &manifest, &receipts, options, Arc::new(|_| {})).await
    }

    async fn assert_whole(&self, target: &dyn ObjectStore) {
        for item in &self.items {
            let got = target
                .get(&Path::from(item.dst.as_str()))
                .await
                .unwrap()
                .bytes()
                .await
                .unwrap();
            assert!(got == body(&item.src, item.size as usize), "{}", item.dst);
        }
    }
}

/// Does something to what is read from a store in memory.
#[derive(Debug)]
struct Odd {
    inner: InMemory,
    reads: AtomicUsize,
    /// Bytes missing from the end of every body.
    short: usize,
    /// The read (from 1) after which the object is replaced by one of the same size.
    replaced_after: usize,
    /// The read that fails; none where it is 0.
    failing: AtomicUsize,
}

impl Odd {
    fn new(short: usize, replaced_after: usize) -> Arc<Self> {
        Arc::new(Self {
            inner: InMemory::new(),
            reads: AtomicUsize::new(0),
            short,
            replaced_after,
            failing: AtomicUsize::new(0),
        })
    }
}

impl std::fmt::Display for Odd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("odd")
    }
}

#[async_trait]
impl ObjectStore for Odd {
    async fn put_opts(
        &self,
        at: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        self.inner.put_opts(at, payload, opts).await
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(at, opts).await
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
        let nth = self.reads.fetch_add(1, Ordering::SeqCst) + 1;
        if nth == self.failing.load(Ordering::SeqCst) {
            return Err(object_store::Error::Generic {
                store: "odd",
                source: "made to fail".into(),
            });
        }
        let got = self.inner.get_opts(at, options).await?;
        let (meta, range, attributes) =
            (got.meta.clone(), got.range.clone(), got.attributes.clone());
        let mut bytes = got.bytes().await?;
        bytes.truncate(bytes.len().saturating_sub(self.short));
        if nth == self.replaced_after {
            self.inner
                .put(at, body("replaced", meta.size as usize).into())
                .await?;
        }
        let payload = GetResultPayload::Stream(futures::stream::once(async { Ok(bytes) }).boxed());
        Ok(GetResult {
            payload,
            meta,
            range,
            attributes,
        })
    }

    async fn get_ranges(&self, at: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(at, ranges).await
    }

    fn delete_stream(
        &self,
        at: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(at)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: StoreCopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[tokio::test]
async fn many_files_in_parts_go_through_a_budget_of_one_part() {
    for (files, read_ahead, budget_bytes) in [
        (1, 1, 1024),
        (8, 4, 1024),
        (8, 4, 3 * 1024),
        (3, 8, 1 << 20),
    ] {
        let (source, target) = (Arc::new(InMemory::new()), Arc::new(InMemory::new()));
        let sizes: Vec<usize> = (0..20).map(|n| n * 777).collect();
        let job = Job::of(source.as_ref(), &sizes).await;
        let options = CopyOptions {
            files,
            part_bytes: 1024,
            budget_bytes,
            read_ahead,
            attempt: 1,
        };
        let copied = job.run(source, target.clone(), options).await.unwrap();
        let bytes = sizes.iter().sum::<usize>() as u64;
        assert_eq!(
            copied,
            Copied {
                files: 20,
                bytes,
                bytes_read: bytes
            }
        );
        job.assert_whole(target.as_ref()).await;
    }
}

#[tokio::test]
async fn folders_as_stores() {
    let folder = tempfile::tempdir().unwrap();
    let store = |name: &str| {
        std::fs::create_dir(folder.path().join(name)).unwrap();
        Arc::new(LocalFileSystem::new_with_prefix(folder.path().join(name)).unwrap())
    };
    let (source, target) = (store("s"), store("t"));
    let job = Job::of(source.as_ref(), &[0, 1, 100_000, 3_000_000]).await;
    let options = CopyOptions {
        part_bytes: 1 << 18,
        ..CopyOptions::default()
    };
    let copied = job.run(source, target.clone(), options).await.unwrap();
    assert_eq!(copied.bytes_read, 3_100_001);
    job.assert_whole(target.as_ref()).await;
}

/// A folder as a storage, with uploads that outlive their process.
pub(super) fn lasting(folder: &FilePath) -> (Arc<dyn ObjectStore>, Option<Arc<dyn Parts>>) {
    let target = folder.join("target");
    std::fs::create_dir_all(&target).unwrap();
    let limits = Limits {
        file_roots: vec![folder.to_owned()],
        ..Limits::default()
    };
    let url = StorageUrl::parse(&format!("file://{}", target.display())).unwrap();
    let spec = StorageSpec {
        name: "target".to_owned(),
        location: "aws:eu-central-1".parse().unwrap(),
        credential: Credential::parse(&url, "").unwrap(),
        url,
        endpoint: None,
    };
    let meter = Meter::new(MeterKey {
        product: None,
        table: None,
        cause: Cause::Operation("test"),
        purpose: Purpose::Sync,
    });
    let store = Stores::new(limits).open(&spec, &meter).unwrap();
    (store.objects(), store.parts_at("").unwrap())
}

/// How many parts are known to stand.
fn parts_noted(job: &Job) -> u64 {
    let noted = std::fs::read_to_string(job.folder.path().join("r.uploads")).unwrap_or_default();
    noted
        .lines()
        .filter(|line| line.contains("\"part\""))
        .count() as u64
}

#[tokio::test]
async fn a_copy_that_is_cut_off_in_an_object_goes_on_there() {
    const SIZE: usize = 2_000 * 1024 + 5;
    let options = CopyOptions {
        part_bytes: 1024,
        ..CopyOptions::default()
    };
    for changed in [false, true] {
        let source = Odd::new(0, 0);
        let job = Job::of(&source.inner, &[SIZE]).await;
        let ends = || {
            let (target, parts) = lasting(job.folder.path());
            Ends {
                source: source.clone(),
                target,
                parts,
            }
        };
        tokio::select! {
            _ = job.between(ends(), options) => panic!("it ended too soon"),
            () = async {
                while parts_noted(&job) < 20 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            } => {}
        }
        let stand = parts_noted(&job) * 1024;
        if changed {
            let anew = body("replaced", SIZE);
            source
                .inner
                .put(&Path::from("f0"), anew.into())
                .await
                .unwrap();
        }
        let copied = job.between(ends(), options).await.unwrap();
        let (target, _) = lasting(job.folder.path());
        let got = target
            .get(&Path::from("f0"))
            .await
            .unwrap()
            .bytes()
            .await
            .unwrap();
        match changed {
            true => {
                assert!(
                    got == body("replaced", SIZE),
                    "never half of one and half of the other"
                );
                assert_eq!(copied.bytes_read, SIZE as u64);
            }
            false => {
                assert!(got == body("f0", SIZE));
                assert_eq!(copied.bytes_read, SIZE as u64 - stand, "no part twice");
            }
        }
        let left = std::fs::read_dir(job.folder.path().join("target"))
            .unwrap()
            .count();
        assert_eq!(left, 1, "nothing half written stays behind");
    }
}

/// A store that is away for a while costs the part that was under way, and not what stands of an object.
#[tokio::test]
async fn a_copy_that_fails_in_an_object_goes_on_there() {
    const SIZE: usize = 100 * 1024;
    let options = CopyOptions {
        part_bytes: 1024,
        read_ahead: 1,
        ..CopyOptions::default()
    };
    let source = Odd::new(0, 0);
    let job = Job::of(&source.inner, &[SIZE]).await;
    let (target, parts) = lasting(job.folder.path());
    let ends = || Ends {
        source: source.clone(),
        target: target.clone(),
        parts: parts.clone(),
    };
    // What was taken up is left once more.
    for nth in [40, 30] {
        source.reads.store(0, Ordering::SeqCst);
        source.failing.store(nth, Ordering::SeqCst);
        let Err(CopyError::Object(why)) = job.between(ends(), options).await else {
            panic!("copied")
        };
        assert_eq!(why.kind, FailureKind::Other);
    }
    source.failing.store(0, Ordering::SeqCst);
    let stand = parts_noted(&job);
    assert_eq!(stand, 39 + 29);
    let copied = job.between(ends(), options).await.unwrap();
    assert_eq!(
        copied.bytes_read,
        SIZE as u64 - stand * 1024,
        "no part twice"
    );
    job.assert_whole(target.as_ref()).await;
    let left = std::fs::read_dir(job.folder.path().join("target")).unwrap();
    assert_eq!(left.count(), 1, "nothing half written stays behind");
}

#[tokio::test]
async fn an_upload_that_the_store_has_forgotten_is_begun_anew() {
    let source = Odd::new(0, 0);
    let job = Job::of(&source.inner, &[10_000]).await;
    let (target, parts) = lasting(job.folder.path());
    let begun = json!({ "dst": "f0", "what": { "begun": { "upload": ".entrepot-staging-0@x", "size": 10_000,
        "part_bytes": 1024, "etag": "0" } } });
    let part = json!({ "dst": "f0", "what": { "part": { "upload": ".entrepot-staging-0@x", "index": 0, "id": "1024" } } });
    let torn = format!("{begun}\n{part}\n{{\"dst\":");
    std::fs::write(job.folder.path().join("r.uploads"), torn).unwrap();
    let options = CopyOptions {
        part_bytes: 1024,
        ..CopyOptions::default()
    };
    let ends = Ends {
        source,
        target: target.clone(),
        parts,
    };
    job.between(ends, options).await.unwrap();
    job.assert_whole(target.as_ref()).await;
}

#[tokio::test]
async fn an_object_that_changes_between_two_ranges_is_begun_anew() {
    let (source, target) = (Odd::new(0, 2), Arc::new(InMemory::new()));
    let job = Job::of(&source.inner, &[5_000]).await;
    let options = CopyOptions {
        part_bytes: 1024,
        read_ahead: 1,
        ..CopyOptions::default()
    };
    let copied = job.run(source, target.clone(), options).await.unwrap();
    let got = target
        .get(&Path::from("f0"))
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    assert!(
        got == body("replaced", 5_000),
        "never half of one and half of the other"
    );
    assert!(
        copied.bytes_read > 5_000,
        "what was read in vain was read all the same"
    );
}

#[tokio::test]
async fn a_body_that_breaks_off_leaves_no_object() {
    for part_bytes in [1024, 1 << 20] {
        let (source, target) = (Odd::new(1, 0), Arc::new(InMemory::new()));
        let job = Job::of(&source.inner, &[5_000]).await;
        let options = CopyOptions {
            part_bytes,
            ..CopyOptions::default()
        };
        let Err(CopyError::Object(why)) = job.run(source, target.clone(), options).await else {
            panic!("copied")
        };
        assert_eq!(why.kind, FailureKind::Other);
        assert!(why.message.contains("broke off"), "{why}");
        assert!(target.head(&Path::from("f0")).await.is_err());
    }
}

#[tokio::test]
async fn an_older_object_of_the_same_size_is_no_finished_copy() {
    let (source, target) = (Arc::new(InMemory::new()), Arc::new(InMemory::new()));
    let mut job = Job::of(source.as_ref(), &[10, 10]).await;
    for item in &job.items {
        target
            .put(&Path::from(item.dst.as_str()), body("older", 10).into())
            .await
            .unwrap();
    }
    // The source says it wrote f0 after the target's object came to be.
    job.items[0].modified = Some(i64::MAX);
    write_manifest(&job.folder.path().join("m"), &job.items)
        .await
        .unwrap();
    let copied = job
        .run(source, target.clone(), CopyOptions::default())
        .await
        .unwrap();
    assert_eq!((copied.files, copied.bytes_read), (2, 10));
    let got = target
        .get(&Path::from("f0"))
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    assert_eq!(got, body("f0", 10));
}

#[tokio::test]
async fn after_a_failure_what_was_begun_is_finished_and_has_its_receipt() {
    let (source, target) = (Arc::new(InMemory::new()), Arc::new(InMemory::new()));
    let job = Job::of(source.as_ref(), &[10, 20, 30, 40]).await;
    source.delete(&Path::from("f1")).await.unwrap();
    let options = CopyOptions {
        files: 2,
        ..CopyOptions::default()
    };
    let Err(CopyError::Object(why)) = job.run(source.clone(), target.clone(), options).await else {
        panic!("copied")
    };
    assert_eq!((why.kind, why.src.as_str()), (FailureKind::Missing, "f1"));
    source
        .put(&Path::from("f1"), body("f1", 20).into())
        .await
        .unwrap();
    let copied = job
        .run(source, target.clone(), CopyOptions::default())
        .await
        .unwrap();
    assert_eq!(
        copied,
        Copied {
            files: 4,
            bytes: 100,
            bytes_read: 100
        }
    );
    job.assert_whole(target.as_ref()).await;
}
