//! What a store keeps of objects that were deleted: earlier versions, what is deleted softly, and uploads that were begun and
//! never finished. Asked of the store itself, for an object that answers 404 may still be there.
//!
//! S3: GetBucketVersioning, ListObjectVersions, ListMultipartUploads, AbortMultipartUpload. Azure: Get Blob Service Properties,
//! and List Blobs with everything that it can show, folders too, of which empty ones are deleted. Of Google nothing is asked: there
//! it stays unknown, and is said to be.

mod asking;
mod folders;

use std::collections::BTreeMap;

use http::Method;
use model::Timestamp;
use object_store::path::Path;

use self::asking::{decoded, elements, name_of, plain, text_of};
use crate::store::{Cloud, Kind};
use crate::{StorageError, StorageUrl, Store};

/// No more pages of a listing are read.
const MOST_PAGES: usize = 1_000;

/// Whether a store really deletes what it is told to delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keeps {
    /// It does: there are no versions and nothing is deleted softly.
    Nothing,
    /// It does not: what it keeps, for people.
    Old(String),
    /// It could not be found out: why, for people.
    Unknown(String),
}

/// What a store keeps below a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remains {
    pub keeps: Keeps,
    /// How many versions, snapshots, marks of deletion and softly deleted copies are listed under a key, which is relative to the
    /// folder, beside the object that stands there. None: the store does not list them.
    pub versions: Option<BTreeMap<String, u64>>,
}

/// Uploads that were begun below a folder and never finished.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unfinished {
    /// Ended now: what they had sent is gone.
    pub aborted: u64,
    /// Still there: too young to be taken for given up, or the store lets nobody end them.
    pub left: u64,
}

fn other(why: impl Into<String>) -> StorageError {
    StorageError::Other {
        what: "what it keeps of deleted objects".to_owned(),
        why: why.into(),
    }
}

impl Store {
    /// What the store keeps of objects below `folder`, which is relative to the root.
    ///
    /// # Errors
    /// Only where the store cannot be reached; what it refuses to say is [`Keeps::Unknown`].
    pub async fn remains(&self, folder: &Path) -> Result<Remains, StorageError> {
        let unknown = |why: &str| Remains {
            keeps: Keeps::Unknown(why.to_owned()),
            versions: None,
        };
        let cloud = match self.kind() {
            Kind::Cloud(cloud) => cloud,
            Kind::Share(_) => {
                return Ok(unknown(
                    "a share says nothing of it; nothing is ever written there",
                ));
            }
            // A folder's files have one version; of snapshots of the disk nobody can tell.
            Kind::File(_) => {
                return Ok(Remains {
                    keeps: Keeps::Nothing,
                    versions: Some(BTreeMap::new()),
                });
            }
        };
        match &self.spec().url {
            StorageUrl::S3 { .. } => self.remains_on_s3(cloud, folder).await,
            StorageUrl::Azure { .. } => self.remains_on_azure(cloud, folder).await,
            StorageUrl::Gcs { .. } => Ok(unknown(
                "whether this bucket keeps versions or deletes softly is not asked of Google's stores; look at it there",
            )),
            StorageUrl::File { .. } | StorageUrl::Share { .. } => Ok(unknown("this is no store")),
        }
    }

    /// Ends uploads below `folder` that were begun before `before` and never finished: on S3, and files half written that nobody has
    /// written to since then. Azure drops by itself after a week what [`Store::uncommitted`] counts.
    pub async fn end_unfinished(
        &self,
        folder: &Path,
        before: Timestamp,
    ) -> Result<Unfinished, StorageError> {
        match (self.kind(), &self.spec().url) {
            (Kind::Cloud(cloud), StorageUrl::S3 { .. }) => {
                self.end_uploads(cloud, folder, before).await
            }
            (Kind::File(files), _) => {
                let seconds = before.millis().div_euclid(1_000);
                let swept = files.sweep(folder.clone(), seconds).await?;
                Ok(Unfinished {
                    aborted: swept.removed,
                    left: swept.left,
                })
            }
            _ => Ok(Unfinished::default()),
        }
    }

    /// Removes what is left of deleted objects where a store has folders of its own: on a disk, and in an Azure account with a
    /// hierarchical namespace, a folder stays when its last file goes, and its name may be the value of a partition. The folder
    /// itself stays. Answers how many went.
    pub async fn tidy(&self, folder: &Path) -> Result<u64, StorageError> {
        match (self.kind(), &self.spec().url) {
            (Kind::File(files), _) => Ok(files.tidy(folder.clone()).await?),
            (Kind::Cloud(cloud), StorageUrl::Azure { .. }) => {
                self.tidy_on_azure(cloud, folder).await
            }
            _ => Ok(0),
        }
    }

    /// Azure's blobs below `folder` of which blocks were sent and nothing was ever committed.
    pub async fn uncommitted(&self, folder: &Path) -> Result<u64, StorageError> {
        match (self.kind(), &self.spec().url) {
            (Kind::Cloud(cloud), StorageUrl::Azure { .. }) => {
                self.uncommitted_on_azure(cloud, folder).await
            }
            _ => Ok(0),
        }
    }

    async fn remains_on_s3(&self, cloud: &Cloud, folder: &Path) -> Result<Remains, StorageError> {
        let asked = self
            .ask(cloud, Method::GET, "", &[("versioning", "")])
            .await;
        let keeps = match asked {
            Ok(answer) => match text_of(&answer, "Status").as_deref() {
                Some("Enabled") => {
                    Keeps::Old("the bucket keeps versions of its objects".to_owned())
                }
                Some("Suspended") => Keeps::Old(
                    "the bucket kept versions of its objects, and still has them".to_owned(),
                ),
                _ => Keeps::Nothing,
            },
            Err(error) if error.is_transient() => return Err(error),
            Err(error) => Keeps::Unknown(format!(
                "whether the bucket keeps versions was not answered (s3:GetBucketVersioning): {error}"
            )),
        };
        let versions = match self.versions_on_s3(cloud, folder).await {
            Ok(versions) => Some(versions),
            Err(error) if error.is_transient() => return Err(error),
            Err(_) => None,
        };
        let keeps = match (keeps, &versions) {
            (Keeps::Nothing, None) => Keeps::Unknown(
                "the bucket's versions could not be listed (s3:ListBucketVersions)".to_owned(),
            ),
            (keeps, _) => keeps,
        };
        Ok(Remains { keeps, versions })
    }

    async fn versions_on_s3(
        &self,
        cloud: &Cloud,
        folder: &Path,
    ) -> Result<BTreeMap<String, u64>, StorageError> {
        let prefix = self.prefix_of(folder);
        let mut found = BTreeMap::new();
        let (mut key, mut version) = (String::new(), String::new());
        for _ in 0..MOST_PAGES {
            let mut query = vec![
                ("encoding-type", "url"),
                ("prefix", prefix.as_str()),
                ("versions", ""),
            ];
            if !key.is_empty() {
                query.push(("key-marker", key.as_str()));
            }
            if !version.is_empty() {
                query.push(("version-id-marker", version.as_str()));
            }
            let answer = self.ask(cloud, Method::GET, "", &query).await?;
            let versions = elements(&answer, "Version")
                // The object that stands there is nothing that was deleted.
                .filter(|version| text_of(version, "IsLatest").as_deref() != Some("true"));
            for element in versions.chain(elements(&answer, "DeleteMarker")) {
                if let Some(name) = text_of(element, "Key").map(|key| decoded(&key))
                    && let Some(name) = name.strip_prefix(&prefix)
                {
                    *found.entry(name.to_owned()).or_default() += 1;
                }
            }
            if text_of(&answer, "IsTruncated").as_deref() != Some("true") {
                return Ok(found);
            }
            key = text_of(&answer, "NextKeyMarker")
                .map(|key| decoded(&key))
                .unwrap_or_default();
            version = text_of(&answer, "NextVersionIdMarker").unwrap_or_default();
            if key.is_empty() {
                return Err(other("the listing of versions does not say how it goes on"));
            }
        }
        Err(other("there are too many versions to list"))
    }

    async fn end_uploads(
        &self,
        cloud: &Cloud,
        folder: &Path,
        before: Timestamp,
    ) -> Result<Unfinished, StorageError> {
        let prefix = self.prefix_of(folder);
        let query = [
            ("encoding-type", "url"),
            ("prefix", prefix.as_str()),
            ("uploads", ""),
        ];
        let mut ended = Unfinished::default();
        // What is ended is not listed again; of the rest one page tells that there is some.
        let answer = self.ask(cloud, Method::GET, "", &query).await?;
        for upload in elements(&answer, "Upload") {
            let key = text_of(upload, "Key").map(|key| decoded(&key));
            let id = text_of(upload, "UploadId");
            let begun = text_of(upload, "Initiated").and_then(|at| Timestamp::parse(&at).ok());
            let (Some(key), Some(id)) = (key, id) else {
                ended.left += 1;
                continue;
            };
            // A server that matches prefixes loosely must not make us end somebody else's upload.
            if !key.starts_with(&prefix) || begun.is_none_or(|at| at > before) {
                ended.left += u64::from(key.starts_with(&prefix));
                continue;
            }
            self.ask(cloud, Method::DELETE, &key, &[("uploadId", id.as_str())])
                .await?;
            ended.aborted += 1;
        }
        // Pages that were not looked at are left.
        ended.left += u64::from(text_of(&answer, "IsTruncated").as_deref() == Some("true"));
        Ok(ended)
    }

    async fn remains_on_azure(
        &self,
        cloud: &Cloud,
        folder: &Path,
    ) -> Result<Remains, StorageError> {
        let asked = self
            .ask_account(cloud, &[("comp", "properties"), ("restype", "service")])
            .await;
        let keeps = match asked {
            Ok(answer) => {
                let policy = elements(&answer, "DeleteRetentionPolicy").next();
                match policy
                    .and_then(|policy| text_of(policy, "Enabled"))
                    .as_deref()
                {
                    Some("true") => {
                        let days = policy.and_then(|policy| text_of(policy, "Days"));
                        let days = days
                            .map(|days| format!(" for {days} days"))
                            .unwrap_or_default();
                        Keeps::Old(format!(
                            "the account keeps deleted blobs{days} (soft delete)"
                        ))
                    }
                    _ => Keeps::Nothing,
                }
            }
            Err(error) if error.is_transient() => return Err(error),
            Err(error) => Keeps::Unknown(format!(
                "whether the account deletes softly was not answered (Get Blob Service Properties): {error}"
            )),
        };
        let mut is_versioned = false;
        let mut found: BTreeMap<String, u64> = BTreeMap::new();
        let listed = self
            .list_blobs(cloud, folder, "deleted,snapshots,versions", |name, blob| {
                let has = |name: &str| text_of(blob, name).is_some_and(|text| !text.is_empty());
                let is_true = |name: &str| text_of(blob, name).as_deref() == Some("true");
                is_versioned |= has("VersionId");
                if is_true("Deleted")
                    || has("Snapshot")
                    || (has("VersionId") && !is_true("IsCurrentVersion"))
                {
                    *found.entry(name.to_owned()).or_default() += 1;
                }
            })
            .await;
        let versions = match listed {
            Ok(()) => Some(found),
            Err(error) if error.is_transient() => return Err(error),
            Err(_) => None,
        };
        let keeps = match (keeps, &versions) {
            (Keeps::Nothing, _) if is_versioned => {
                Keeps::Old("the account keeps versions of its blobs".to_owned())
            }
            (Keeps::Nothing, None) => Keeps::Unknown(
                "what was deleted, snapshots and versions could not be listed (List Blobs)"
                    .to_owned(),
            ),
            (keeps, _) => keeps,
        };
        Ok(Remains { keeps, versions })
    }

    async fn uncommitted_on_azure(
        &self,
        cloud: &Cloud,
        folder: &Path,
    ) -> Result<u64, StorageError> {
        let mut left = 0;
        self.list_blobs(cloud, folder, "uncommittedblobs", |_, blob| {
            // A blob that was never committed has no tag.
            left += u64::from(text_of(blob, "Etag").is_none_or(|tag| tag.is_empty()));
        })
        .await?;
        Ok(left)
    }

    /// Shows `each` what is listed below `folder`: the name, relative to it, and all that is said of it.
    async fn list_blobs(
        &self,
        cloud: &Cloud,
        folder: &Path,
        include: &str,
        mut each: impl FnMut(&str, &str) + Send,
    ) -> Result<(), StorageError> {
        let prefix = self.prefix_of(folder);
        let mut marker = String::new();
        for _ in 0..MOST_PAGES {
            let mut query = vec![
                ("comp", "list"),
                ("include", include),
                ("prefix", prefix.as_str()),
                ("restype", "container"),
            ];
            if !marker.is_empty() {
                query.push(("marker", marker.as_str()));
            }
            let answer = self.ask(cloud, Method::GET, "", &query).await?;
            for blob in elements(&answer, "Blob") {
                let name = name_of(blob);
                if let Some(name) = name.as_deref().and_then(|name| name.strip_prefix(&prefix)) {
                    each(name, blob);
                }
            }
            let next = text_of(&answer, "NextMarker").unwrap_or_default();
            marker = plain(&next);
            if marker.is_empty() {
                return Ok(());
            }
        }
        Err(other("there are too many blobs to list"))
    }

    /// The folder in the bucket or container, with a slash at its end.
    fn prefix_of(&self, folder: &Path) -> String {
        let full = self.full(folder);
        if full.is_root() {
            String::new()
        } else {
            format!("{full}/")
        }
    }
}
