//! The doctor looks at a storage as it will be used and says what is missing: lists, reads, writes (where it shall
//! write), signs, and looks whether the credential opens more than it should (C-20).

use std::time::Duration;

use futures::TryStreamExt as _;
use http::Method;
use object_store::client::{HttpClient, HttpRequest, HttpRequestBody};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode, PutPayload};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::files::random;
use crate::share::{self, Seen};
use crate::sign::MIN_TTL;
use crate::store::{Cloud, Kind};
use crate::{StorageError, StorageUrl, Store, Tags, policy};

/// Where the doctor writes its probe, below the storage's root. Nobody else may keep anything of that name there.
pub const PROBE_FOLDER: &str = "_entrepot";

/// What an examination has found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The storage's name.
    pub storage: String,
    pub url: StorageUrl,
    /// Whether writing was looked at too.
    pub write: bool,
    pub checks: Vec<Check>,
    /// The least permissions that would do, for reading or for reading and writing, whichever was looked at.
    pub least_policy: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// `list`, `read`, `write`, `put_if_absent`, `delete`, `sign`, `unsigned` or `parent`.
    pub name: String,
    pub outcome: Outcome,
    /// For people: what was seen, and what to do.
    pub sentence: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Ok,
    Failed,
    /// It will work, but something should be put right.
    Warned,
    Skipped,
}

impl Report {
    /// Nothing has failed. Warnings and what was skipped do not count.
    pub fn healthy(&self) -> bool {
        self.checks
            .iter()
            .all(|check| check.outcome != Outcome::Failed)
    }

    pub fn check(&self, name: &str) -> Option<&Check> {
        self.checks.iter().find(|check| check.name == name)
    }

    fn say(&mut self, name: &str, outcome: Outcome, sentence: impl Into<String>) {
        self.checks.push(Check {
            name: name.to_owned(),
            outcome,
            sentence: sentence.into(),
        });
    }

    fn failed(&mut self, name: &str, permission: &str, error: &StorageError) {
        let sentence = match error {
            StorageError::Denied { .. } => {
                format!(
                    "{}; the missing permission is {permission}",
                    capital(&error.to_string())
                )
            }
            error => capital(&error.to_string()),
        };
        self.say(name, Outcome::Failed, format!("{sentence}."));
    }
}

/// The least permissions that would do for a storage at this URL, as text to paste.
pub fn least_policy(url: &StorageUrl, write: bool) -> String {
    policy::least_policy(url, write)
}

/// Examines a storage. With `write` a probe is written below `_entrepot/` and deleted again. Never fails: what fails
/// stands in the report.
pub async fn examine(store: &Store, write: bool) -> Report {
    let url = &store.spec().url;
    let mut report = Report {
        storage: store.spec().name.clone(),
        url: url.clone(),
        write,
        checks: Vec::new(),
        least_policy: least_policy(url, write),
    };
    let names = Permissions::of(url);
    if let Kind::Share(share) = store.kind() {
        for (name, seen) in share::look(share).await {
            match seen {
                Seen::Well(sentence) => report.say(name, Outcome::Ok, sentence),
                Seen::Warned(sentence) => report.say(name, Outcome::Warned, sentence),
                Seen::Nothing(sentence) => report.say(name, Outcome::Skipped, sentence),
                Seen::Failed(error) => report.failed(name, names.read, &error),
            }
        }
        if write {
            let sentence = "A share is only read.";
            report.say("write", Outcome::Skipped, sentence);
        }
        return report;
    }
    let objects = store.objects();

    let found = match first_object(&*objects).await {
        Ok((any, found)) => {
            let sentence = if any {
                "The storage can be listed."
            } else {
                "The storage can be listed; it is empty."
            };
            report.say("list", Outcome::Ok, sentence);
            found
        }
        Err(error) => {
            report.failed("list", names.list, &error);
            None
        }
    };

    let probe = if write {
        put_probe(&mut report, &*objects, &names).await
    } else {
        None
    };
    // Something to read: the probe, else whatever the listing has shown.
    let target = probe
        .clone()
        .map(|key| (key, PROBE.len() as u64))
        .or(found.map(|meta| (meta.location, meta.size)));
    match &target {
        Some((key, size)) => match objects.get_range(key, 0..(*size).min(1)).await {
            Ok(_) => report.say("read", Outcome::Ok, "An object can be read."),
            Err(error) => report.failed("read", names.read, &error.into()),
        },
        None => report.say(
            "read",
            Outcome::Skipped,
            "There is no object to read; put one there, or examine with writing.",
        ),
    }
    match store.kind() {
        Kind::Cloud(cloud) => {
            sign(
                &mut report,
                store,
                cloud,
                target.as_ref().map(|(key, _)| key),
            )
            .await;
            parent(&mut report, store, cloud).await;
        }
        // Looked at above.
        Kind::Share(_) => {}
        Kind::File(_) => {
            let sentence = "A folder signs no URLs; its files are served by the gateway.";
            report.say("sign", Outcome::Skipped, sentence);
            report.say("unsigned", Outcome::Skipped, sentence);
            let sentence =
                "Files are opened beneath the root alone, whatever the folder above allows.";
            report.say("parent", Outcome::Ok, sentence);
        }
    }
    if let Some(key) = probe {
        match objects.delete(&key).await {
            Ok(()) => report.say("delete", Outcome::Ok, "An object can be deleted."),
            Err(error) => report.failed("delete", names.delete, &error.into()),
        }
    } else if write {
        report.say(
            "delete",
            Outcome::Skipped,
            "Nothing could be written, so there was nothing to delete.",
        );
    }
    report
}

const PROBE: &[u8] = b"A probe of the doctor; it may be deleted.\n";

/// Whether anything is there, and an object of at least one byte, so that there is something to read.
async fn first_object(
    objects: &dyn ObjectStore,
) -> Result<(bool, Option<ObjectMeta>), StorageError> {
    let mut listing = objects.list(None);
    let mut any = false;
    // One page at most: the doctor does not pay for reading a whole listing.
    for _ in 0..1000 {
        match listing.try_next().await? {
            Some(meta) if meta.size > 0 => return Ok((true, Some(meta))),
            Some(_) => any = true,
            None => break,
        }
    }
    Ok((any, None))
}

async fn put_probe(
    report: &mut Report,
    objects: &dyn ObjectStore,
    names: &Permissions,
) -> Option<Path> {
    let key = Path::from_iter([PROBE_FOLDER, &format!("probe-{:016x}", random())]);
    let create = || objects.put_opts(&key, PutPayload::from_static(PROBE), PutMode::Create.into());
    if let Err(error) = create().await {
        report.failed("write", names.write, &error.into());
        report.say(
            "put_if_absent",
            Outcome::Skipped,
            "Nothing could be written.",
        );
        return None;
    }
    report.say("write", Outcome::Ok, "An object can be written.");
    match create().await {
        Err(object_store::Error::AlreadyExists { .. }) => {
            report.say(
                "put_if_absent",
                Outcome::Ok,
                "A second writer of the same object is refused.",
            );
        }
        Err(error) => report.failed("put_if_absent", names.write, &error.into()),
        Ok(_) => {
            let sentence = "The store lets a second writer replace an object that must be written once (it ignores \
                            If-None-Match). Commits would get lost: use a store that honours conditional writes.";
            report.say("put_if_absent", Outcome::Failed, sentence);
        }
    }
    Some(key)
}

async fn sign(report: &mut Report, store: &Store, cloud: &Cloud, key: Option<&Path>) {
    let Some(key) = key else {
        let sentence =
            "There is no object whose URL could be signed; put one there, or examine with writing.";
        report.say("sign", Outcome::Skipped, sentence);
        report.say("unsigned", Outcome::Skipped, sentence);
        return;
    };
    // As a consumer would be handed it, tags and all: a store that dislikes those is to be found out here.
    let tags = Tags {
        recipient: "doctor".to_owned(),
        query: format!("{:016x}", random()),
    };
    let signed = match store.sign_get_for(key, MIN_TTL, &tags).await {
        Ok(Some(signed)) => signed,
        Ok(None) => {
            let sentence = "This credential signs no URLs; files are served by the gateway.";
            report.say("sign", Outcome::Skipped, sentence);
            report.say("unsigned", Outcome::Skipped, sentence);
            return;
        }
        Err(error) => {
            report.failed("sign", "signing", &error);
            report.say("unsigned", Outcome::Skipped, "No URL could be signed.");
            return;
        }
    };
    match fetch_byte(&cloud.http, &signed.url).await {
        Ok(200 | 206) => report.say(
            "sign",
            Outcome::Ok,
            "A signed URL can be fetched without a credential.",
        ),
        Ok(status) => {
            let sentence = format!(
                "A signed URL was answered with {status}. Check the storage's region and endpoint, and that the key may read; \
                 the clock of this machine must be right too."
            );
            report.say("sign", Outcome::Failed, sentence);
        }
        Err(error) => report.failed("sign", "reading", &error),
    }
    let mut bare = signed.url;
    bare.set_query(None);
    match fetch_byte(&cloud.http, &bare).await {
        Ok(200..=299) => {
            let sentence = "The object can be read by anybody without a signature: revoking a grant would change nothing. Take \
                            public access from the bucket or container.";
            report.say("unsigned", Outcome::Failed, sentence);
        }
        Ok(status @ 500..) => {
            let sentence = format!(
                "Whether the object can be read without a signature could not be found out: the answer was {status}. Try again."
            );
            report.say("unsigned", Outcome::Warned, sentence);
        }
        Ok(_) => report.say(
            "unsigned",
            Outcome::Ok,
            "Without a signature the object cannot be read.",
        ),
        Err(error) => report.failed("unsigned", "none", &error),
    }
}

/// The status of a request for the first byte, made as somebody without a credential would.
async fn fetch_byte(http: &HttpClient, url: &Url) -> Result<u16, StorageError> {
    let broken = |why: &str| StorageError::Unreachable {
        what: "the signed object".to_owned(),
        why: why.to_owned(),
    };
    let mut request = HttpRequest::new(HttpRequestBody::empty());
    *request.method_mut() = Method::GET;
    *request.uri_mut() = url
        .as_str()
        .parse()
        .map_err(|_| broken("its URL is not understood"))?;
    request.headers_mut().insert(
        http::header::RANGE,
        http::HeaderValue::from_static("bytes=0-0"),
    );
    let fetch = async {
        let response = http
            .execute(request)
            .await
            .map_err(|_| broken("no answer came"))?;
        let status = response.status().as_u16();
        // The byte is taken, and no more: a store that ignores the range would send the whole object.
        let byte = response.into_body().bytes_stream().try_next().await;
        byte.map_err(|_| broken("its body broke off"))?;
        Ok(status)
    };
    let limit = Duration::from_secs(30);
    tokio::time::timeout(limit, fetch)
        .await
        .map_err(|_| broken("it did not answer in time"))?
}

/// Whether the credential lists what lies beside the storage.
async fn parent(report: &mut Report, store: &Store, cloud: &Cloud) {
    let root = store.spec().url.prefix();
    if root.is_root() {
        let sentence = "The storage is the whole bucket or container; there is nothing above it. A folder of its own would be safer.";
        report.say("parent", Outcome::Skipped, sentence);
        return;
    }
    if report
        .check("list")
        .is_none_or(|list| list.outcome != Outcome::Ok)
    {
        let sentence =
            "The storage itself cannot be listed, so a refusal beside it would say nothing.";
        report.say("parent", Outcome::Skipped, sentence);
        return;
    }
    let parts: Vec<_> = root.parts().collect();
    let above: Path = parts[..parts.len() - 1].iter().cloned().collect();
    let place = if above.is_root() {
        "the whole bucket or container".to_owned()
    } else {
        format!("`{above}/`")
    };
    match cloud
        .bucket
        .list(Some(&above))
        .try_next()
        .await
        .map_err(StorageError::from)
    {
        Ok(_) => {
            let sentence = format!(
                "The credential also lists {place}, more than the storage `{root}/`. Whoever gets hold of it gets that too: give \
                 it the least policy below."
            );
            report.say("parent", Outcome::Warned, sentence);
        }
        Err(StorageError::Denied { .. }) => {
            report.say(
                "parent",
                Outcome::Ok,
                format!("The credential does not list {place}."),
            );
        }
        Err(error) => {
            let sentence =
                format!("Whether the credential lists {place} could not be found out: {error}.");
            report.say("parent", Outcome::Warned, sentence);
        }
    }
}

/// What the cloud calls the permission for each kind of request.
struct Permissions {
    list: &'static str,
    read: &'static str,
    write: &'static str,
    delete: &'static str,
}

impl Permissions {
    const fn of(url: &StorageUrl) -> Self {
        match url {
            StorageUrl::S3 { .. } => Self {
                list: "s3:ListBucket on the bucket, for this prefix",
                read: "s3:GetObject",
                write: "s3:PutObject",
                delete: "s3:DeleteObject",
            },
            StorageUrl::Azure { .. } => Self {
                list: "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read (in a SAS: l)",
                read: "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read (in a SAS: r)",
                write: "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write (in a SAS: c and w)",
                delete: "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/delete (in a SAS: d)",
            },
            StorageUrl::Gcs { .. } => Self {
                list: "storage.objects.list",
                read: "storage.objects.get",
                write: "storage.objects.create",
                delete: "storage.objects.delete",
            },
            StorageUrl::Share { .. } => Self {
                list: "reading the shares of the provider",
                read: "reading the files of the shares",
                write: "none",
                delete: "none",
            },
            StorageUrl::File { .. } => Self {
                list: "reading and entering the folder",
                read: "reading the file",
                write: "writing in the folder",
                delete: "writing in the folder",
            },
        }
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|first| first.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}
