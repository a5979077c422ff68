//! The store that libraries get: it refuses keys outside the table, writes outside the log, every deletion, and more
//! bytes than the budgets allow (design, invariant 1; control C-14).

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use crate::budgets::{count, within};
use crate::listing::LOG;
use crate::{Budgets, LogError};

const NAME: &str = "ContainedStore";

/// Wraps a store so that only one table can be reached through it.
#[derive(Debug)]
pub struct ContainedStore {
    inner: Arc<dyn ObjectStore>,
    root: Path,
    budgets: Budgets,
    spent: AtomicU64,
}

#[derive(Debug, thiserror::Error)]
#[error("refused: {0}")]
struct Refused(&'static str);

impl ContainedStore {
    /// `root` is the table's folder within `inner`; the default path when `inner` is rooted at the table.
    pub fn new(inner: Arc<dyn ObjectStore>, root: Path, budgets: Budgets) -> Self {
        Self {
            inner,
            root,
            budgets,
            spent: AtomicU64::new(0),
        }
    }

    /// Bytes handed out so far.
    pub fn spent(&self) -> u64 {
        self.spent.load(Ordering::Relaxed)
    }

    fn refuse<T>(&self, path: &Path, why: &'static str) -> Result<T> {
        Err(Error::PermissionDenied {
            path: crate::contain::shown(path.as_ref()),
            source: Box::new(Refused(why)),
        })
    }

    fn check(&self, path: &Path) -> Result<()> {
        // By whole segments: /t2 does not lie in /t.
        if !path.prefix_matches(&self.root) || path.as_ref().len() <= self.root.as_ref().len() {
            return self.refuse(path, "outside the table");
        }
        if !crate::contain::is_plain_key(path.as_ref()) {
            return self.refuse(path, "not a plain key");
        }
        Ok(())
    }

    fn check_write(&self, path: &Path) -> Result<()> {
        self.check(path)?;
        if !path.prefix_matches(&self.root.clone().join(LOG)) {
            return self.refuse(path, "only the log may be written");
        }
        Ok(())
    }

    fn check_prefix(&self, prefix: Option<&Path>) -> Result<()> {
        let prefix = prefix.cloned().unwrap_or_default();
        if prefix == self.root {
            Ok(())
        } else {
            self.check(&prefix)
        }
    }

    fn spend(&self, bytes: u64) -> Result<()> {
        let before = self.spent.fetch_add(bytes, Ordering::Relaxed);
        let total = before.saturating_add(bytes);
        within("bytes of the log", self.budgets.total_log_bytes, total).map_err(over)
    }

    fn counted(
        &self,
        listed: BoxStream<'static, Result<ObjectMeta>>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let limit = self.budgets.log_objects;
        let mut seen = 0;
        listed
            .and_then(move |meta| {
                seen += 1;
                std::future::ready(
                    within("objects in the log", limit, seen)
                        .map_err(over)
                        .map(|()| meta),
                )
            })
            .boxed()
    }
}

fn over(error: LogError) -> Error {
    Error::Generic {
        store: NAME,
        source: Box::new(error),
    }
}

impl fmt::Display for ContainedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{NAME}({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for ContainedStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        self.check_write(location)?;
        self.inner.put_opts(location, payload, opts).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.check_write(location)?;
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.check(location)?;
        let head = options.head;
        let found = self.inner.get_opts(location, options).await?;
        if !head {
            self.spend(found.range.end.saturating_sub(found.range.start))?;
        }
        Ok(found)
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.check(location)?;
        let wanted = ranges
            .iter()
            .map(|range| range.end.saturating_sub(range.start));
        self.spend(wanted.fold(0, u64::saturating_add))?;
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let refused = |path: Path| Error::PermissionDenied {
            path: crate::contain::shown(path.as_ref()),
            source: Box::new(Refused("nothing may be deleted")),
        };
        locations
            .and_then(move |path| std::future::ready(Err(refused(path))))
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.check_prefix(prefix) {
            Ok(()) => self.counted(self.inner.list(prefix)),
            Err(error) => stream::once(std::future::ready(Err(error))).boxed(),
        }
    }

    /// In order, whatever the store underneath does: log readers rely on it.
    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        if let Err(error) = self.check_prefix(prefix) {
            return stream::once(std::future::ready(Err(error))).boxed();
        }
        let listed = self.counted(self.inner.list_with_offset(prefix, offset));
        let sorted = async move {
            let mut all: Vec<ObjectMeta> = listed.try_collect().await?;
            all.sort_unstable_by(|a, b| a.location.cmp(&b.location));
            Ok::<_, Error>(stream::iter(all.into_iter().map(Ok)))
        };
        stream::once(sorted).try_flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.check_prefix(prefix)?;
        let found = self.inner.list_with_delimiter(prefix).await?;
        within(
            "objects in the log",
            self.budgets.log_objects,
            count(found.objects.len()),
        )
        .map_err(over)?;
        Ok(found)
    }

    async fn copy_opts(&self, _: &Path, to: &Path, _: CopyOptions) -> Result<()> {
        self.refuse(to, "nothing may be copied")
    }
}

#[cfg(test)]
mod tests {
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;

    use super::*;

    async fn store(budgets: Budgets) -> (Arc<InMemory>, ContainedStore) {
        let inner = Arc::new(InMemory::new());
        for key in [
            "t/_delta_log/0.json",
            "t/x.parquet",
            "t2/x.parquet",
            "secret",
        ] {
            inner
                .put(&Path::from(key), "0123456789".into())
                .await
                .unwrap();
        }
        let contained = ContainedStore::new(inner.clone(), Path::from("t"), budgets);
        (inner, contained)
    }

    fn refused<T: fmt::Debug>(result: Result<T>) {
        assert!(
            matches!(result, Err(Error::PermissionDenied { .. })),
            "{result:?}"
        );
    }

    #[tokio::test]
    async fn only_the_table_can_be_read_and_only_its_log_written() {
        let (inner, store) = store(Budgets::default()).await;
        assert_eq!(
            store
                .get(&Path::from("t/x.parquet"))
                .await
                .unwrap()
                .meta
                .size,
            10
        );
        for key in ["secret", "t2/x.parquet", "t"] {
            refused(store.get(&Path::from(key)).await);
            refused(store.head(&Path::from(key)).await);
            refused(store.get_ranges(&Path::from(key), &[0..1, 2..3]).await);
            refused(store.put(&Path::from(key), "x".into()).await);
        }
        refused(store.get(&Path::parse("t/%2e%2e/secret").unwrap()).await);
        refused(store.put(&Path::from("t/x.parquet"), "x".into()).await);
        refused(
            store
                .put_multipart(&Path::from("t/x.parquet"))
                .await
                .map(|_| ()),
        );
        refused(store.delete(&Path::from("t/_delta_log/0.json")).await);
        refused(
            store
                .copy(&Path::from("t/x.parquet"), &Path::from("t/y.parquet"))
                .await,
        );
        refused(
            store
                .rename(&Path::from("secret"), &Path::from("t/_delta_log/y"))
                .await,
        );
        refused(store.list(None).try_collect::<Vec<_>>().await);
        refused(
            store
                .list(Some(&Path::from("t2")))
                .try_collect::<Vec<_>>()
                .await,
        );
        refused(store.list_with_delimiter(None).await);
        store
            .put(&Path::from("t/_delta_log/1.json"), "x".into())
            .await
            .unwrap();
        let log = Path::from("t/_delta_log");
        let listed: Vec<_> = store
            .list_with_offset(Some(&log), &log)
            .try_collect()
            .await
            .unwrap();
        assert_eq!(listed.len(), 2);
        assert_eq!(
            inner
                .list(None)
                .try_collect::<Vec<_>>()
                .await
                .unwrap()
                .len(),
            5
        );
    }

    #[tokio::test]
    async fn bytes_are_counted_and_end() {
        let (_, store) = store(Budgets {
            total_log_bytes: 15,
            log_objects: 1,
            ..Budgets::default()
        })
        .await;
        let key = Path::from("t/x.parquet");
        store.head(&key).await.unwrap();
        store.get(&key).await.unwrap();
        assert_eq!(store.spent(), 10);
        for result in [
            store.get(&key).await.map(|_| ()),
            store.get_range(&key, 0..1).await.map(|_| ()),
        ] {
            assert!(matches!(result, Err(Error::Generic { .. })), "{result:?}");
        }
        assert!(
            store
                .list(Some(&Path::from("t")))
                .try_collect::<Vec<_>>()
                .await
                .is_err()
        );
    }
}
