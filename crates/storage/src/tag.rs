//! Marks in signed URLs: who reads, and for which query, so that the store's own access log says so.
//!
//! S3 keeps parameters that begin with `x-` in its access log and ignores them otherwise; but every parameter is signed, and
//! object_store signs none but its own. So its URL, which knows the endpoint, the region and the session, is signed once more with
//! the marks in it (<https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>). Who holds the URL can neither
//! take them out nor put others in. Azure signs the blob and not the query, so there they are put beside the signature. Google signs
//! the query, too, with a key that object_store keeps to itself: its URLs bear no marks.

use hmac::{Hmac, KeyInit as _, Mac as _};
use model::tags;
use object_store::aws::AmazonS3;
use sha2::{Digest as _, Sha256};
use url::{Position, Url};

use crate::StorageError;

/// What a signed URL says of who reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tags {
    pub recipient: String,
    pub query: String,
}

impl Tags {
    fn pairs(&self) -> [(&'static str, &str); 2] {
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

/// Signs a URL of `store` once more, with the marks in it.
pub(crate) async fn into_signature(
    store: &AmazonS3,
    url: Url,
    tags: &Tags,
) -> Result<Url, StorageError> {
    let credential = store.credentials().get_credential().await?;
    signed_again(url, &credential.secret_key, &tags.pairs())
}

fn signed_again(mut url: Url, secret: &str, marks: &[(&str, &str)]) -> Result<Url, StorageError> {
    let other = |why: &str| StorageError::Other {
        what: "signing".to_owned(),
        why: why.to_owned(),
    };
    let mut pairs: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(name, _)| name != "X-Amz-Signature")
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    let said = |wanted: &str| {
        let found = pairs.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.clone())
    };
    let date = said("X-Amz-Date").ok_or_else(|| other("the signed URL has no date"))?;
    let credential =
        said("X-Amz-Credential").ok_or_else(|| other("the signed URL names no credential"))?;
    // key/day/region/s3/aws4_request
    let (_, scope) = credential
        .split_once('/')
        .ok_or_else(|| other("the signed URL has no scope"))?;
    for (name, value) in marks {
        pairs.push(((*name).to_owned(), (*value).to_owned()));
    }
    let request = format!(
        "GET\n{}\n{}\nhost:{}\n\nhost\nUNSIGNED-PAYLOAD",
        url.path(),
        canonical(&pairs),
        &url[Position::BeforeHost..Position::AfterPort]
    );
    let text = format!(
        "AWS4-HMAC-SHA256\n{date}\n{scope}\n{}",
        hex(Sha256::digest(request.as_bytes()).as_slice())
    );
    let mut key = format!("AWS4{secret}").into_bytes();
    for part in scope.split('/') {
        key = mac(&key, part).ok_or_else(|| other("the key cannot be used"))?;
    }
    let signature = mac(&key, &text).ok_or_else(|| other("the key cannot be used"))?;
    url.query_pairs_mut()
        .clear()
        .extend_pairs(&pairs)
        .append_pair("X-Amz-Signature", &hex(&signature));
    Ok(url)
}

/// The query as it is signed: in the order of its encoded names.
fn canonical(pairs: &[(String, String)]) -> String {
    let mut encoded: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
        .collect();
    encoded.sort_unstable();
    encoded.join("&")
}

/// Everything but letters, digits and `-._~`.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

fn mac(key: &[u8], text: &str) -> Option<Vec<u8>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(text.as_bytes());
    Some(mac.finalize().into_bytes().to_vec())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of AWS's own description of presigned URLs, which has no marks: signed again without any it stays as it is.
    #[test]
    fn the_example_of_the_description_is_signed_as_there() {
        let url = "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=\
                   AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400\
                   &X-Amz-SignedHeaders=host";
        let url = Url::parse(url).unwrap();
        let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
        let plain = signed_again(url.clone(), secret, &[]).unwrap();
        let signature = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
        assert!(
            plain
                .as_str()
                .ends_with(&format!("&X-Amz-Signature={signature}")),
            "{plain}"
        );
        let tags = Tags {
            recipient: "rnd_weu".to_owned(),
            query: "q 1".to_owned(),
        };
        let tagged = signed_again(plain.clone(), secret, &tags.pairs()).unwrap();
        let named = |name: &str| {
            tagged
                .query_pairs()
                .filter(|(known, _)| known == name)
                .count()
        };
        for name in [
            "X-Amz-Signature",
            tags::RECIPIENT,
            tags::QUERY,
            "X-Amz-Date",
        ] {
            assert_eq!(named(name), 1, "{name}: {tagged}");
        }
        let other = Tags {
            query: "q 2".to_owned(),
            ..tags.clone()
        };
        assert_ne!(tagged, signed_again(plain, secret, &other.pairs()).unwrap());
        assert_eq!(tagged.path(), "/test.txt");
    }
}
