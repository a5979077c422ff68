//! Uploads in parts that outlive the process that began them: whoever knows an upload's name and what became of its parts can
//! put the missing ones and complete it.

use std::sync::Arc;

use async_trait::async_trait;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{PutPayload, PutResult, Result};

use crate::files::random;

/// A part of an object: the how manieth it is, and where it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    pub index: usize,
    pub at: u64,
}

/// Objects in parts below one folder. An upload that the store does not know any more is `NotFound`, or another error: it
/// is begun anew.
#[async_trait]
pub trait Parts: Send + Sync + 'static {
    /// Begins an upload and names it, as no other is named.
    async fn begin(&self, key: &Path) -> Result<String>;

    /// Puts a part, at any time and in any order, also again; the answer is what completing needs of it.
    async fn put(&self, key: &Path, upload: &str, part: Part, data: PutPayload) -> Result<String>;

    /// Makes the object of its parts, which are all of them, in order.
    async fn complete(&self, key: &Path, upload: &str, parts: Vec<String>) -> Result<PutResult>;

    /// Gives the upload up, with all its parts.
    async fn abort(&self, key: &Path, upload: &str) -> Result<()>;
}

/// The parts of a cloud's bucket.
pub(crate) struct CloudParts(pub(crate) Arc<dyn MultipartStore>);

#[async_trait]
impl Parts for CloudParts {
    async fn begin(&self, key: &Path) -> Result<String> {
        let name = self.0.create_multipart(key).await?;
        // Azure knows blocks of an object and no uploads, so that all would be called the same; it takes any name.
        Ok(match name.is_empty() {
            true => format!("{:016x}", random()),
            false => name,
        })
    }

    async fn put(&self, key: &Path, upload: &str, part: Part, data: PutPayload) -> Result<String> {
        let upload = upload.to_owned();
        let put = self.0.put_part(key, &upload, part.index, data).await?;
        Ok(put.content_id)
    }

    async fn complete(&self, key: &Path, upload: &str, parts: Vec<String>) -> Result<PutResult> {
        let parts = parts.into_iter().map(|content_id| PartId { content_id });
        self.0
            .complete_multipart(key, &upload.to_owned(), parts.collect())
            .await
    }

    async fn abort(&self, key: &Path, upload: &str) -> Result<()> {
        self.0.abort_multipart(key, &upload.to_owned()).await
    }
}

/// The same below a folder.
pub(crate) struct Below {
    pub(crate) parts: Arc<dyn Parts>,
    pub(crate) folder: Path,
}

impl Below {
    fn full(&self, key: &Path) -> Path {
        self.folder.parts().chain(key.parts()).collect()
    }
}

#[async_trait]
impl Parts for Below {
    async fn begin(&self, key: &Path) -> Result<String> {
        self.parts.begin(&self.full(key)).await
    }

    async fn put(&self, key: &Path, upload: &str, part: Part, data: PutPayload) -> Result<String> {
        self.parts.put(&self.full(key), upload, part, data).await
    }

    async fn complete(&self, key: &Path, upload: &str, parts: Vec<String>) -> Result<PutResult> {
        self.parts.complete(&self.full(key), upload, parts).await
    }

    async fn abort(&self, key: &Path, upload: &str) -> Result<()> {
        self.parts.abort(&self.full(key), upload).await
    }
}

#[cfg(test)]
mod tests {
    use object_store::{Error, MultipartId};

    use super::*;

    /// A store that names no uploads.
    struct Nameless;

    #[async_trait]
    impl MultipartStore for Nameless {
        async fn create_multipart(&self, _: &Path) -> Result<MultipartId> {
            Ok(String::new())
        }

        async fn put_part(
            &self,
            _: &Path,
            _: &MultipartId,
            _: usize,
            _: PutPayload,
        ) -> Result<PartId> {
            Err(refused())
        }

        async fn complete_multipart(
            &self,
            _: &Path,
            _: &MultipartId,
            _: Vec<PartId>,
        ) -> Result<PutResult> {
            Err(refused())
        }

        async fn abort_multipart(&self, _: &Path, _: &MultipartId) -> Result<()> {
            Err(refused())
        }
    }

    fn refused() -> Error {
        Error::NotSupported {
            source: "not asked for here".into(),
        }
    }

    #[tokio::test]
    async fn each_upload_has_a_name_of_its_own() {
        let parts = CloudParts(Arc::new(Nameless));
        let key = Path::from("a");
        let (one, two) = (parts.begin(&key).await, parts.begin(&key).await);
        assert_ne!(one.unwrap(), two.unwrap());
    }
}
