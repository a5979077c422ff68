//! Presigned URLs of S3, many at a time: what all of them have in common is made once, the signing key above all, so that a
//! million URLs take a million hashes and not ten.
//!
//! object_store signs one URL, which knows the endpoint, the region and the session; its query, with our marks in it, is then that of
//! all others (<https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>). object_store signs no parameters but
//! its own, and S3 wants every parameter signed. Who holds such a URL can neither take the marks out nor put others in.

use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use http::Method;
use object_store::aws::AmazonS3;
use object_store::path::Path;
use object_store::signer::Signer as _;
use sha2::{Digest as _, Sha256};
use url::{Position, Url};

use crate::sign::percent_encode;
use crate::{StorageError, Tags};

/// The key of the URL that object_store signs.
const PROBE: &str = "x";
const SIGNATURE: &str = "X-Amz-Signature";

/// What URLs that are signed together have in common: all but the key.
pub(crate) struct Presigner {
    /// The beginning of each URL, up to the key.
    before: String,
    /// The path in it, as it is signed.
    path: String,
    /// In the order in which it is signed.
    query: String,
    /// What is signed of a request behind its path.
    rest: String,
    /// Has taken what is signed up to the request's hash.
    mac: Hmac<Sha256>,
}

fn other(why: &str) -> StorageError {
    StorageError::Other {
        what: "signing".to_owned(),
        why: why.to_owned(),
    }
}

impl Presigner {
    /// For URLs that live for `ttl` from now on.
    pub(crate) async fn new(
        store: &AmazonS3,
        ttl: Duration,
        tags: Option<&Tags>,
    ) -> Result<Self, StorageError> {
        let marks = tags.map(Tags::pairs);
        let marks = marks.as_ref().map(<[_; 2]>::as_slice).unwrap_or_default();
        // Keys that end are replaced by others, also between one call and the next.
        for _ in 0..2 {
            let probe = Path::from(PROBE);
            let url = store.signed_url(Method::GET, &probe, ttl).await?;
            let credential = store.credentials().get_credential().await?;
            if is_of(&url, &credential.key_id) {
                return Self::of(&url, PROBE, &credential.secret_key, marks);
            }
        }
        Err(other("the key is being replaced; try again"))
    }

    /// As `url` is signed, which is that of `key`.
    fn of(
        url: &Url,
        key: &str,
        secret: &str,
        marks: &[(&str, &str)],
    ) -> Result<Self, StorageError> {
        let mut pairs: Vec<(String, String)> = url
            .query_pairs()
            .filter(|(name, _)| name != SIGNATURE)
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
        let query = canonical(&pairs);
        let path = url.path().strip_suffix(key);
        let path = path.ok_or_else(|| other("the signed URL is of another object"))?;
        let host = &url[Position::BeforeHost..Position::AfterPort];
        let mut derived = format!("AWS4{secret}").into_bytes();
        for part in scope.split('/') {
            let mac = keyed(&derived)?.chain_update(part.as_bytes());
            derived = mac.finalize().into_bytes().to_vec();
        }
        let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n");
        Ok(Self {
            before: format!("{}{path}", &url[..Position::BeforePath]),
            path: path.to_owned(),
            rest: format!("\n{query}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD"),
            query,
            mac: keyed(&derived)?.chain_update(text.as_bytes()),
        })
    }

    /// For keys below a folder of the bucket.
    pub(crate) fn below(mut self, folder: &Path) -> Self {
        if !folder.is_root() {
            let folder = percent_encode(folder.as_ref());
            for path in [&mut self.before, &mut self.path] {
                path.push_str(&folder);
                path.push('/');
            }
        }
        self
    }

    /// The URL of one object, by its whole key in the bucket, or below the folder.
    pub(crate) fn url(&self, key: &Path) -> String {
        let key = percent_encode(key.as_ref());
        let request = Sha256::new()
            .chain_update(b"GET\n")
            .chain_update(self.path.as_bytes())
            .chain_update(key.as_bytes())
            .chain_update(self.rest.as_bytes())
            .finalize();
        let mut hash = String::with_capacity(64);
        push_hex(&mut hash, request.as_slice());
        let mac = self.mac.clone().chain_update(hash.as_bytes());
        let length = self.before.len() + key.len() + self.query.len() + SIGNATURE.len() + 67;
        let mut url = String::with_capacity(length);
        url.push_str(&self.before);
        url.push_str(&key);
        url.push('?');
        url.push_str(&self.query);
        url.push('&');
        url.push_str(SIGNATURE);
        url.push('=');
        push_hex(&mut url, mac.finalize().into_bytes().as_slice());
        url
    }
}

/// Whether a signed URL is by this key.
fn is_of(url: &Url, key_id: &str) -> bool {
    url.query_pairs()
        .find(|(name, _)| name == "X-Amz-Credential")
        .is_some_and(|(_, credential)| credential.split('/').next() == Some(key_id))
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
    percent_encode(text).replace('/', "%2F")
}

fn keyed(key: &[u8]) -> Result<Hmac<Sha256>, StorageError> {
    Hmac::<Sha256>::new_from_slice(key).map_err(|_| other("the key cannot be used"))
}

fn push_hex(out: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

#[cfg(test)]
mod tests {
    use object_store::aws::AmazonS3Builder;

    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

    /// The example of AWS's own description of presigned URLs, which has no marks.
    #[test]
    fn the_example_of_the_description_is_signed_as_there() {
        let url = "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=\
                   AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400\
                   &X-Amz-SignedHeaders=host";
        let url = Url::parse(url).unwrap();
        assert!(is_of(&url, "AKIAIOSFODNN7EXAMPLE") && !is_of(&url, "AKIAIOSFODNN7"));
        let key = Path::from("test.txt");
        let plain = Presigner::of(&url, "test.txt", SECRET, &[]).unwrap();
        let plain = plain.url(&key);
        let signature = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
        assert!(
            plain.ends_with(&format!("&X-Amz-Signature={signature}")),
            "{plain}"
        );
        assert!(Presigner::of(&url, "other.txt", SECRET, &[]).is_err());

        let tagged = |query: &str| {
            let marks = [
                ("x-entrepot-query", query),
                ("x-entrepot-recipient", "rnd_weu"),
            ];
            let signer = Presigner::of(&url, "test.txt", SECRET, &marks).unwrap();
            Url::parse(&signer.url(&key)).unwrap()
        };
        let one = tagged("q 1");
        for name in [
            "X-Amz-Signature",
            "X-Amz-Date",
            "x-entrepot-query",
            "x-entrepot-recipient",
        ] {
            let named = one.query_pairs().filter(|(known, _)| known == name);
            assert_eq!(named.count(), 1, "{name}: {one}");
        }
        assert_ne!(one, tagged("q 2"));
        assert_eq!(one.path(), "/test.txt");
    }

    /// object_store is the oracle: the same key, the same second, the same signature, whatever the key and wherever the store.
    #[tokio::test]
    async fn many_urls_are_signed_as_object_store_signs_each() {
        let ttl = Duration::from_secs(900);
        for (endpoint, virtual_hosted, token) in [
            ("http://127.0.0.1:9000", false, None),
            (
                "https://lake.s3.eu-central-1.amazonaws.com",
                true,
                Some("a/b+c="),
            ),
        ] {
            let mut builder = AmazonS3Builder::new()
                .with_bucket_name("lake")
                .with_region("eu-central-1")
                .with_access_key_id("AKIA")
                .with_secret_access_key(SECRET)
                .with_endpoint(endpoint)
                .with_virtual_hosted_style_request(virtual_hosted);
            if let Some(token) = token {
                builder = builder.with_token(token);
            }
            let store = builder.build().unwrap();
            for name in crate::tests::NAMES {
                let key = Path::parse(format!("after sales/{name}")).unwrap();
                // The second may end in between.
                let mut same = false;
                for _ in 0..5 {
                    let signer = Presigner::new(&store, ttl, None).await.unwrap();
                    let ours = signer.url(&key);
                    let below = signer.below(&Path::parse("after sales").unwrap());
                    assert_eq!(below.url(&Path::parse(name).unwrap()), ours);
                    let ours = Url::parse(&ours).unwrap();
                    let theirs = store.signed_url(Method::GET, &key, ttl).await.unwrap();
                    let sorted = |url: &Url| {
                        let mut pairs: Vec<_> = url.query_pairs().into_owned().collect();
                        pairs.sort_unstable();
                        pairs
                    };
                    same |= sorted(&ours) == sorted(&theirs);
                    assert_eq!(ours.path(), theirs.path());
                    assert_eq!(ours.host_str(), theirs.host_str());
                    if same {
                        break;
                    }
                }
                assert!(same, "{endpoint} {name}");
            }
        }
    }
}
