//! Marks in signed URLs: who reads, and for which query, so that the store's own access log says so.
//!
//! S3 keeps parameters that begin with `x-` in its access log and ignores them otherwise; but every parameter is signed, so there
//! they are a part of the signature ([`crate::presign`]). Azure signs the blob and not the query, so there they are put beside the
//! signature. Google signs the query, too, with a key that object_store keeps to itself: its URLs bear no marks.

use model::tags;
use url::Url;

/// What a signed URL says of who reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tags {
    pub recipient: String,
    pub query: String,
}

impl Tags {
    pub(crate) fn pairs(&self) -> [(&'static str, &str); 2] {
        [
            (tags::QUERY, self.query.as_str()),
            (tags::RECIPIENT, self.recipient.as_str()),
        ]
    }
}

/// Beside a signature that does not cover the query.
pub(crate) fn beside(mut url: Url, tags: &Tags) -> Url {
    url.query_pairs_mut().extend_pairs(tags.pairs());
    url
}
