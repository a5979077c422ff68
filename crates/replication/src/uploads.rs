//! Uploads of large objects in parts. Beside the receipts lies a file of its own with what became of each part, so that a
//! copier that takes up a run after a crash sends only the parts that are missing.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Write as _;
use std::path::{Path as FilePath, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use object_store::path::Path;
use object_store::{Error as StoreError, MultipartUpload, PutPayload, PutResult};
use serde::{Deserialize, Serialize};
use storage::{Part, Parts};
use tokio::io::{AsyncBufReadExt as _, BufReader};

/// An upload that was begun, and the parts that stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Begun {
    pub(crate) upload: String,
    pub(crate) size: u64,
    pub(crate) part_bytes: u64,
    /// Of the source's object: parts of another one do not go together with these.
    pub(crate) etag: String,
    #[serde(skip)]
    pub(crate) parts: BTreeMap<usize, String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum What {
    Begun(Begun),
    /// It names its upload: a part of one that was given up may be noted after the next one's beginning.
    Part {
        upload: String,
        index: usize,
        id: String,
    },
    Over,
}

#[derive(Serialize, Deserialize)]
struct Line {
    dst: String,
    what: What,
}

/// What is known of the uploads of a run. Opened by whoever holds the receipts, which one copier does.
pub(crate) struct Uploads {
    file: Mutex<File>,
    begun: Mutex<HashMap<String, Begun>>,
}

impl Uploads {
    /// Beside the receipts, so that it goes with them.
    fn beside(receipts: &FilePath) -> PathBuf {
        let mut name = receipts.as_os_str().to_owned();
        name.push(".uploads");
        name.into()
    }

    /// A line that is none can only be one torn by a crash: it says nothing.
    pub(crate) async fn open(receipts: &FilePath) -> std::io::Result<Self> {
        let path = Self::beside(receipts);
        let mut file = tokio::fs::File::options()
            .create(true)
            .read(true)
            .append(true)
            .open(&path)
            .await?;
        let mut begun: HashMap<String, Begun> = HashMap::new();
        // Line by line: a large run leaves many, and most are of uploads that are over.
        let mut known = BufReader::new(&mut file).split(b'\n');
        let mut is_new = true;
        while let Some(line) = known.next_segment().await? {
            is_new = false;
            let Ok(Line { dst, what }) = serde_json::from_slice(&line) else {
                continue;
            };
            match what {
                What::Begun(new) => drop(begun.insert(dst, new)),
                What::Part { upload, index, id } => {
                    if let Some(begun) = begun.get_mut(&dst)
                        && begun.upload == upload
                    {
                        begun.parts.insert(index, id);
                    }
                }
                What::Over => drop(begun.remove(&dst)),
            }
        }
        drop(known);
        let mut file = file.into_std().await;
        if !is_new {
            // The last line may be torn: what follows is not to be taken for its rest.
            file.write_all(b"\n")?;
        }
        Ok(Self {
            file: Mutex::new(file),
            begun: Mutex::new(begun),
        })
    }

    /// Takes out what is known of an object's upload.
    fn take(&self, dst: &str) -> Option<Begun> {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun.remove(dst)
    }

    /// Not handed to another thread: a line is tiny, and of a copier that is cut off none is written later on.
    fn note(&self, dst: &str, what: What) -> Result<(), StoreError> {
        let line = Line {
            dst: dst.to_owned(),
            what,
        };
        let write = || -> std::io::Result<()> {
            let mut line = serde_json::to_vec(&line)?;
            line.push(b'\n');
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            file.write_all(&line)
        };
        // A part that nobody remembers is sent again.
        write().map_err(|error| StoreError::Generic {
            store: "uploads",
            source: error.into(),
        })
    }
}

/// Where the uploads of a copy go that outlive their process.
#[derive(Clone)]
pub(crate) struct Lasting {
    pub(crate) parts: Arc<dyn Parts>,
    pub(crate) uploads: Arc<Uploads>,
}

impl Lasting {
    /// The upload of this object that an earlier copier began, where its parts are those that would be sent now.
    pub(crate) async fn resumed(
        &self,
        key: &Path,
        (dst, size): (&str, u64),
        part_bytes: u64,
    ) -> Option<Upload> {
        let begun = self.uploads.take(dst)?;
        let upload = LastingUpload {
            lasting: self.clone(),
            key: key.clone(),
            dst: dst.to_owned(),
            begun,
        };
        if upload.begun.size == size && upload.begun.part_bytes == part_bytes {
            return Some(Upload::Lasting(Box::new(upload)));
        }
        upload.give_up().await;
        None
    }

    pub(crate) async fn begin(
        &self,
        key: &Path,
        (dst, size): (&str, u64),
        (part_bytes, etag): (u64, String),
    ) -> Result<Upload, StoreError> {
        let begun = Begun {
            upload: self.parts.begin(key).await?,
            size,
            part_bytes,
            etag,
            parts: BTreeMap::new(),
        };
        self.uploads.note(dst, What::Begun(begun.clone()))?;
        Ok(Upload::Lasting(Box::new(LastingUpload {
            lasting: self.clone(),
            key: key.clone(),
            dst: dst.to_owned(),
            begun,
        })))
    }
}

/// One upload.
pub(crate) enum Upload {
    /// Gone with this process.
    Passing(Box<dyn MultipartUpload>),
    Lasting(Box<LastingUpload>),
}

pub(crate) struct LastingUpload {
    lasting: Lasting,
    key: Path,
    dst: String,
    begun: Begun,
}

/// A part that stands, and what completing needs of it.
pub(crate) type Sent = Option<(usize, String)>;

impl Upload {
    pub(crate) fn etag(&self) -> Option<String> {
        match self {
            Self::Passing(_) => None,
            Self::Lasting(upload) => Some(upload.begun.etag.clone()),
        }
    }

    /// Whether this part stands already.
    pub(crate) fn has(&self, index: usize) -> bool {
        match self {
            Self::Passing(_) => false,
            Self::Lasting(upload) => upload.begun.parts.contains_key(&index),
        }
    }

    /// How many parts another process would find.
    pub(crate) fn stands(&self) -> usize {
        match self {
            Self::Passing(_) => 0,
            Self::Lasting(upload) => upload.begun.parts.len(),
        }
    }

    /// Parts are put in order where the upload goes with this process.
    pub(crate) fn put(
        &mut self,
        part: Part,
        data: PutPayload,
    ) -> BoxFuture<'static, Result<Sent, StoreError>> {
        match self {
            Self::Passing(upload) => {
                let sent = upload.put_part(data);
                async move { sent.await.map(|()| None) }.boxed()
            }
            Self::Lasting(upload) => {
                let (lasting, key) = (upload.lasting.clone(), upload.key.clone());
                let (name, dst) = (upload.begun.upload.clone(), upload.dst.clone());
                let put = async move {
                    let id = lasting.parts.put(&key, &name, part, data).await?;
                    let index = part.index;
                    let what = What::Part {
                        upload: name,
                        index,
                        id: id.clone(),
                    };
                    lasting.uploads.note(&dst, what)?;
                    Ok(Some((index, id)))
                };
                put.boxed()
            }
        }
    }

    pub(crate) fn took(&mut self, sent: Sent) {
        if let (Self::Lasting(upload), Some((index, id))) = (self, sent) {
            upload.begun.parts.insert(index, id);
        }
    }

    pub(crate) async fn complete(&mut self) -> Result<PutResult, StoreError> {
        match self {
            Self::Passing(upload) => upload.complete().await,
            Self::Lasting(upload) => {
                let parts = upload.begun.parts.values().cloned().collect();
                let LastingUpload {
                    lasting,
                    key,
                    dst,
                    begun,
                } = upload.as_ref();
                let put = lasting.parts.complete(key, &begun.upload, parts).await?;
                lasting.uploads.note(dst, What::Over)?;
                Ok(put)
            }
        }
    }

    /// Parts of an upload that is never completed would be paid for.
    pub(crate) async fn give_up(self) {
        match self {
            Self::Passing(mut upload) => {
                if let Err(error) = upload.abort().await {
                    tracing::warn!(
                        error = %crate::say::say(&error),
                        "an upload could not be aborted"
                    );
                }
            }
            Self::Lasting(upload) => upload.give_up().await,
        }
    }
}

impl LastingUpload {
    async fn give_up(self) {
        let over = self.lasting.uploads.note(&self.dst, What::Over);
        let given_up = self
            .lasting
            .parts
            .abort(&self.key, &self.begun.upload)
            .await;
        // One that the store has forgotten is what is wanted.
        let given_up = match given_up {
            Err(StoreError::NotFound { .. }) => Ok(()),
            given_up => given_up,
        };
        if let Err(error) = over.and(given_up) {
            tracing::warn!(
                object = %self.dst,
                error = %crate::say::say(&error),
                "an upload could not be aborted"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_part_stands_in_its_own_upload_alone() {
        let folder = tempfile::tempdir().unwrap();
        let receipts = folder.path().join("r");
        let begun = |upload: &str| {
            What::Begun(Begun {
                upload: upload.to_owned(),
                size: 10,
                part_bytes: 5,
                etag: "e".to_owned(),
                parts: BTreeMap::new(),
            })
        };
        let part = |upload: &str, index| What::Part {
            upload: upload.to_owned(),
            index,
            id: format!("{upload}-{index}"),
        };
        let uploads = Uploads::open(&receipts).await.unwrap();
        let told = [
            begun("first"),
            part("first", 0),
            What::Over,
            begun("second"),
            part("second", 0),
            // It was under way when its upload was given up.
            part("first", 1),
        ];
        for what in told {
            uploads.note("f", what).unwrap();
        }
        // Torn by a crash, and a copier after it that begins something else.
        let mut file = uploads.file.into_inner().unwrap();
        file.write_all(b"{\"dst\":\"f\",\"wh").unwrap();
        let uploads = Uploads::open(&receipts).await.unwrap();
        uploads.note("g", begun("third")).unwrap();

        let uploads = Uploads::open(&receipts).await.unwrap();
        let known = uploads.take("f").unwrap();
        assert_eq!(known.upload, "second");
        let parts = BTreeMap::from([(0, "second-0".to_owned())]);
        assert_eq!(known.parts, parts);
        assert_eq!(uploads.take("g").unwrap().upload, "third");
        assert_eq!(uploads.take("h"), None);
    }
}
