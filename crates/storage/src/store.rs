//! One opened storage: its objects, rooted, metered and limited; signed URLs; files for the gateway.

use std::fmt;
use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use model::Location;
use object_store::ObjectStore;
use object_store::client::HttpClient;
use object_store::list::PaginatedListStore;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use url::Url;

use crate::Tags;
use crate::files::FileStore;
use crate::parts::{Below, Parts};
use crate::share::ShareStore;
use crate::sign::{Signed, SignedMany, Signing};
use crate::storage_url::is_plain_segment;
use crate::temporary::Lender;
use crate::{Credential, Meter, StorageError, StorageUrl};

/// What is known of a storage: enough to open it.
#[derive(Clone, Debug)]
pub struct StorageSpec {
    pub name: String,
    pub location: Location,
    pub url: StorageUrl,
    /// Where the store answers, if not at its cloud's public endpoint.
    pub endpoint: Option<Url>,
    pub credential: Credential,
}

/// An opened storage. Keys are relative to the storage's root URL. Clones share everything.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) spec: StorageSpec,
    pub(crate) meter: Meter,
    pub(crate) objects: Arc<dyn ObjectStore>,
    pub(crate) parts: Option<Arc<dyn Parts>>,
    pub(crate) kind: Kind,
}

pub(crate) enum Kind {
    File(FileStore),
    Cloud(Box<Cloud>),
    Share(ShareStore),
}

/// What only cloud stores have.
pub(crate) struct Cloud {
    /// The whole bucket or container, for the doctor's look at the parent.
    pub(crate) bucket: Arc<dyn ObjectStore>,
    /// The same, page by page.
    pub(crate) pages: Arc<dyn PaginatedListStore>,
    /// Where the bucket or container answers.
    pub(crate) address: Url,
    pub(crate) signing: Signing,
    pub(crate) lender: Lender,
    /// Metered, and for this store's host alone.
    pub(crate) http: HttpClient,
}

impl Store {
    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    pub(crate) fn kind(&self) -> &Kind {
        &self.0.kind
    }

    /// The objects below the storage's root.
    pub fn objects(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.0.objects)
    }

    /// The objects below a table's folder. `path` is relative to the root, in plain words; empty is the root itself.
    pub fn at(&self, path: &str) -> Result<Arc<dyn ObjectStore>, StorageError> {
        let path = check_relative(path)?;
        if path.is_root() {
            return Ok(self.objects());
        }
        Ok(Arc::new(PrefixStore::new(self.objects(), path)))
    }

    /// Uploads that outlive this process, below a table's folder, where the store takes any.
    pub fn parts_at(&self, path: &str) -> Result<Option<Arc<dyn Parts>>, StorageError> {
        let folder = check_relative(path)?;
        let parts = self.0.parts.clone();
        if folder.is_root() {
            return Ok(parts);
        }
        Ok(parts.map(|parts| Arc::new(Below { parts, folder }) as Arc<dyn Parts>))
    }

    /// A URL to read exactly this object, or None where the store cannot sign: a `file:` store, an Azure store
    /// opened with a shared-access signature, a GCS store at an endpoint of its own. `ttl` lies between
    /// [`MIN_TTL`](crate::MIN_TTL) and [`MAX_TTL`](crate::MAX_TTL). Does not look whether the object exists.
    pub async fn sign_get(
        &self,
        key: &Path,
        ttl: Duration,
    ) -> Result<Option<Signed>, StorageError> {
        self.sign(key, ttl, None).await
    }

    /// The same, with marks that the store's access log keeps, where it can be signed with them: on S3 and Azure.
    pub async fn sign_get_for(
        &self,
        key: &Path,
        ttl: Duration,
        tags: &Tags,
    ) -> Result<Option<Signed>, StorageError> {
        self.sign(key, ttl, Some(tags)).await
    }

    /// The same of many keys below a folder: what their URLs have in common is made once.
    pub async fn sign_gets_for(
        &self,
        folder: &Path,
        keys: &[Path],
        ttl: Duration,
        tags: &Tags,
    ) -> Result<Option<SignedMany>, StorageError> {
        keys.iter().try_for_each(check_object)?;
        match &self.0.kind {
            Kind::File(_) => Ok(None),
            Kind::Share(_) => Err(only_replicas()),
            Kind::Cloud(cloud) => {
                let folder = self.full(folder);
                cloud.signing.sign_all(&folder, keys, ttl, Some(tags)).await
            }
        }
    }

    async fn sign(
        &self,
        key: &Path,
        ttl: Duration,
        tags: Option<&Tags>,
    ) -> Result<Option<Signed>, StorageError> {
        check_object(key)?;
        match &self.0.kind {
            Kind::File(_) => Ok(None),
            Kind::Share(_) => Err(only_replicas()),
            Kind::Cloud(cloud) => cloud.signing.sign_get(&self.full(key), ttl, tags).await,
        }
    }

    /// The file behind a key of a `file:` store, opened for reading beneath the root without following links; None
    /// for other stores. Blocks shortly. What is read from it is not metered here.
    pub fn file(&self, key: &Path) -> Option<Result<File, StorageError>> {
        match &self.0.kind {
            Kind::File(files) => Some(files.open(key).map_err(StorageError::from)),
            Kind::Cloud(_) | Kind::Share(_) => None,
        }
    }

    /// Removes files below `path` that killed processes have left half written in a `file:` store and that have not been
    /// written to for `age`; returns how many. Cloud stores clean up after unfinished uploads by their own life-cycle
    /// rules.
    pub async fn sweep(&self, path: &str, age: Duration) -> Result<u64, StorageError> {
        let path = check_relative(path)?;
        let Kind::File(files) = &self.0.kind else {
            return Ok(0);
        };
        let before = crate::sign::wall_clock().saturating_sub(age).as_secs();
        let swept = files
            .sweep(path, i64::try_from(before).unwrap_or(i64::MAX))
            .await?;
        Ok(swept.removed)
    }

    pub fn location(&self) -> &Location {
        &self.0.spec.location
    }

    pub fn spec(&self) -> &StorageSpec {
        &self.0.spec
    }

    pub fn meter(&self) -> &Meter {
        &self.0.meter
    }

    /// The key in the bucket or container.
    pub(crate) fn full(&self, key: &Path) -> Path {
        self.0
            .spec
            .url
            .prefix()
            .parts()
            .chain(key.parts())
            .collect()
    }
}

/// What another shares is not handed on by URLs that are not ours to give: it is cloned, and the clone is read.
fn only_replicas() -> StorageError {
    StorageError::NotAllowed {
        what: "reading a Delta Share live".to_owned(),
        why: "what another company shares is read by a replica alone; ask for the mode replica"
            .to_owned(),
    }
}

fn check_object(key: &Path) -> Result<(), StorageError> {
    if key.is_root() {
        return Err(StorageError::NotAllowed {
            what: "a signed URL for a whole storage".to_owned(),
            why: "one URL opens one object".to_owned(),
        });
    }
    Ok(())
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Store")
            .field(&self.0.spec.name)
            .field(&self.0.spec.url.to_string())
            .finish()
    }
}

/// A path that people or rows give, below a storage's root: plain words between single slashes. Nothing is decoded and
/// nothing repaired; what would have to be is refused.
pub fn check_relative(path: &str) -> Result<Path, StorageError> {
    let refuse = |why: &str| {
        let shown: String = path.chars().filter(|c| !c.is_control()).take(200).collect();
        Err(StorageError::NotAllowed {
            what: format!("the path `{shown}`"),
            why: why.to_owned(),
        })
    };
    if path.is_empty() {
        return Ok(Path::default());
    }
    if path.len() > 1024 {
        return refuse("it is longer than 1024 bytes");
    }
    let lower = path.to_ascii_lowercase();
    if lower.contains("%2e")
        || lower.contains("%2f")
        || lower.contains("%5c")
        || lower.contains("%00")
        || lower.contains("%25")
    {
        return refuse("write it without percent-encoding");
    }
    if path.contains("://") {
        return refuse("write it relative to the storage's root, without a scheme");
    }
    if !path.split('/').all(is_plain_segment) {
        return refuse(
            "it is relative to the storage's root and has no `.`, `..` or empty parts, no backslash and no invisible characters",
        );
    }
    Path::parse(path).or_else(|_| refuse("it holds characters that keys may not have"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_paths_are_plain_or_refused() {
        for good in [
            "",
            "workshop/visits",
            "a b/é/x=1",
            "a#b",
            "a%20b",
            "..a/b..",
            "…",
        ] {
            assert_eq!(check_relative(good).unwrap().as_ref(), good);
        }
        for bad in [
            "/a",
            "a/",
            "a//b",
            "..",
            "a/..",
            "../a",
            "a/./b",
            ".",
            "a\\b",
            "a\0",
            "a\nb",
            "%2e%2e/a",
            "a/%2E%2e/b",
            "a%2fb",
            "%252e%252e/a",
            "s3://other/a",
            "file:///etc/passwd",
            "//host/a",
            "a\u{202e}b",
            "a/ /b",
            " a",
            &"a/".repeat(600),
        ] {
            let error = check_relative(bad).unwrap_err();
            assert!(matches!(error, StorageError::NotAllowed { .. }), "{bad:?}");
        }
    }
}
