//! Signed URLs: for exactly one key, to read only, for a limited time (C-16). GCS is signed by object_store, S3 by
//! [`crate::presign`] as object_store would. Azure is signed here: a shared-access signature covers the key as it is, not
//! percent-encoded, so that names with spaces and the like would not open otherwise.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, SecondsFormat, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::Method;
use model::Timestamp;
use object_store::aws::AmazonS3;
use object_store::path::Path;
use object_store::signer::Signer;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;
use url::Url;

use crate::entra::Delegate;
use crate::presign::Presigner;
use crate::{StorageError, Tags, tag};

/// Shortest and longest life of a signed URL.
pub const MIN_TTL: Duration = Duration::from_secs(15 * 60);
pub const MAX_TTL: Duration = Duration::from_secs(60 * 60);

/// How far behind ours a store's clock may be.
pub(crate) const CLOCK_SKEW: Duration = Duration::from_secs(5 * 60);
/// The version of Azure's shared-access signatures whose strings to sign are built below.
pub(crate) const SAS_VERSION: &str = "2023-11-03";

/// A URL that opens one object without a credential. `Debug` leaves out the signature.
#[derive(Clone, PartialEq, Eq)]
pub struct Signed {
    pub url: Url,
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for Signed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Signed({}?****, until {})",
            self.url.path(),
            self.expires_at
        )
    }
}

/// URLs that were signed together. Secret: no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedMany {
    /// One per key, in their order.
    pub urls: Vec<String>,
    /// Of the first of them that ends.
    pub expires_at: Timestamp,
}

/// How a store signs.
#[derive(Debug)]
pub(crate) enum Signing {
    /// It cannot: the gateway has to serve its files.
    No,
    S3(Box<AmazonS3>),
    /// object_store puts the key into the URL as it is; it has to be given percent-encoded.
    Gcs(Box<dyn Signer>),
    Azure(AzureSigner),
}

#[derive(Debug)]
pub(crate) struct AzureSigner {
    /// The account's blob endpoint, with the account as the first part of the path where the host does not name it.
    pub(crate) service: Url,
    pub(crate) account: String,
    pub(crate) container: String,
    pub(crate) secret: AzureSecret,
}

/// With what an Azure signature is made.
#[derive(Debug)]
pub(crate) enum AzureSecret {
    /// The account's key, in base64: it opens everything there is in the account.
    Account(SecretString),
    /// A key that the account gives an application for some hours.
    Delegated(Box<Delegate>),
}

impl Signing {
    /// `key` is the whole key in the bucket or container; `tags` are put into the URL where that can be.
    pub(crate) async fn sign_get(
        &self,
        key: &Path,
        ttl: Duration,
        tags: Option<&Tags>,
    ) -> Result<Option<Signed>, StorageError> {
        check_life(ttl)?;
        let now = wall_clock();
        let url = match self {
            Self::No => return Ok(None),
            Self::S3(store) => {
                let url = Presigner::new(store, ttl, tags).await?.url(key);
                Url::parse(&url).map_err(|_| StorageError::Other {
                    what: "signing".to_owned(),
                    why: "the endpoint and the key make no URL".to_owned(),
                })?
            }
            Self::Gcs(signer) => {
                let encoded =
                    Path::parse(percent_encode(key.as_ref())).map_err(object_store::Error::from)?;
                signer.signed_url(Method::GET, &encoded, ttl).await?
            }
            Self::Azure(signer) => {
                let url = signer.sign(key, now, ttl).await?;
                match tags {
                    Some(tags) => tag::beside(url, tags),
                    None => url,
                }
            }
        };
        Ok(Some(Signed {
            url,
            expires_at: end_of(now, ttl),
        }))
    }

    /// The same of many keys below a folder, at a fraction of the time each where the store is S3.
    pub(crate) async fn sign_all(
        &self,
        folder: &Path,
        keys: &[Path],
        ttl: Duration,
        tags: Option<&Tags>,
    ) -> Result<Option<SignedMany>, StorageError> {
        check_life(ttl)?;
        let now = wall_clock();
        let mut urls = Vec::with_capacity(keys.len());
        match self {
            Self::No => return Ok(None),
            Self::S3(store) => {
                let signer = Presigner::new(store, ttl, tags).await?.below(folder);
                urls.extend(keys.iter().map(|key| signer.url(key)));
            }
            Self::Gcs(_) | Self::Azure(_) => {
                for key in keys {
                    let key: Path = folder.parts().chain(key.parts()).collect();
                    let signed = self.sign_get(&key, ttl, tags).await?;
                    urls.extend(signed.map(|signed| String::from(signed.url)));
                }
            }
        }
        Ok(Some(SignedMany {
            urls,
            expires_at: end_of(now, ttl),
        }))
    }
}

fn check_life(ttl: Duration) -> Result<(), StorageError> {
    if (MIN_TTL..=MAX_TTL).contains(&ttl) {
        return Ok(());
    }
    Err(StorageError::NotAllowed {
        what: format!("a signed URL that lives {} s", ttl.as_secs()),
        why: format!("ask for {} to {} s", MIN_TTL.as_secs(), MAX_TTL.as_secs()),
    })
}

/// `now` is taken before signing, so that no URL is promised to live longer than it does.
fn end_of(now: Duration, ttl: Duration) -> Timestamp {
    let micros = |duration: Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(micros(now)).plus(micros(ttl))
}

/// Time since 1970. Stores judge signatures by wall time, so the clock of business time will not do.
#[expect(
    clippy::disallowed_methods,
    reason = "a store compares a signature's times with its own wall clock"
)]
pub(crate) fn wall_clock() -> Duration {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Duration::from_secs(now.as_secs())
}

/// Everything but letters, digits, `-._~` and `/`.
pub(crate) fn percent_encode(key: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut encoded = String::with_capacity(key.len() + 16);
    for byte in key.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push(char::from(DIGITS[usize::from(byte >> 4)]));
            encoded.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
    encoded
}

impl AzureSigner {
    /// The URL of an object, unsigned.
    pub(crate) fn object_url(&self, key: &Path) -> Url {
        let mut url = self.service.clone();
        let path = format!(
            "{}/{}/{}",
            url.path().trim_end_matches('/'),
            self.container,
            percent_encode(key.as_ref())
        );
        url.set_path(&path);
        url
    }

    /// For one blob, to read.
    async fn sign(&self, key: &Path, now: Duration, ttl: Duration) -> Result<Url, StorageError> {
        let pairs = self.shared_access(("r", "b"), key, now, ttl).await?;
        let mut url = self.object_url(key);
        url.query_pairs_mut().extend_pairs(pairs);
        Ok(url)
    }

    /// The query of a shared-access signature with these rights for a blob (`b`) or a directory (`d`), by the account's key
    /// (<https://learn.microsoft.com/rest/api/storageservices/create-service-sas>) or by a delegated one
    /// (<https://learn.microsoft.com/rest/api/storageservices/create-user-delegation-sas>).
    pub(crate) async fn shared_access(
        &self,
        (rights, kind): (&str, &str),
        path: &Path,
        now: Duration,
        ttl: Duration,
    ) -> Result<Vec<(&'static str, String)>, StorageError> {
        let start = rfc3339(now.saturating_sub(CLOCK_SKEW))?;
        let expiry = rfc3339(now + ttl)?;
        let resource = format!("/blob/{}/{}/{path}", self.account, self.container);
        let protocol = if self.service.scheme() == "https" {
            "https"
        } else {
            "https,http"
        };
        let mut pairs = vec![
            ("sv", SAS_VERSION.to_owned()),
            ("sp", rights.to_owned()),
            ("st", start.clone()),
            ("se", expiry.clone()),
            ("spr", protocol.to_owned()),
            ("sr", kind.to_owned()),
        ];
        if kind == "d" {
            // It is not signed.
            pairs.push(("sdd", path.parts().count().to_string()));
        }
        let begin = format!("{rights}\n{start}\n{expiry}\n{resource}\n");
        // Behind the kind of resource: snapshot, encryption scope, and five response headers that we do not change.
        let end = format!("{protocol}\n{SAS_VERSION}\n{kind}\n\n\n\n\n\n\n");
        let (text, secret) = match &self.secret {
            // No identifier, no address.
            AzureSecret::Account(key) => (format!("{begin}\n\n{end}"), key.clone()),
            AzureSecret::Delegated(delegate) => {
                let key = delegate.key(now).await?;
                let of_key = [
                    ("skoid", key.oid.clone()),
                    ("sktid", key.tid.clone()),
                    ("skt", key.start.clone()),
                    ("ske", key.expiry.clone()),
                    ("sks", key.service.clone()),
                    ("skv", key.version.clone()),
                ];
                let lines: String = of_key
                    .iter()
                    .map(|(_, value)| format!("{value}\n"))
                    .collect();
                pairs.extend(of_key);
                // Nobody for whom it is, nobody for whom it is not, no correlation, no address.
                (format!("{begin}{lines}\n\n\n\n{end}"), key.value.clone())
            }
        };
        let secret = BASE64
            .decode(secret.expose_secret())
            .map_err(|_| other("the key is not base64"))?;
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&secret).map_err(|_| other("the key cannot be used"))?;
        mac.update(text.as_bytes());
        pairs.push(("sig", BASE64.encode(mac.finalize().into_bytes())));
        Ok(pairs)
    }
}

fn other(why: &str) -> StorageError {
    StorageError::Other {
        what: "signing".to_owned(),
        why: why.to_owned(),
    }
}

/// An instant since 1970 as Azure writes it.
pub(crate) fn rfc3339(at: Duration) -> Result<String, StorageError> {
    let seconds = i64::try_from(at.as_secs()).ok();
    let at = seconds.and_then(|seconds| DateTime::<Utc>::from_timestamp(seconds, 0));
    at.map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true))
        .ok_or_else(|| other("the clock is out of range"))
}
