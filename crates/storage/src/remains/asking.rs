//! How a store is asked what object_store does not ask it, and its answers taken apart.

use http::{Method, Request};
use http_body_util::{BodyExt as _, Limited};
use object_store::aws::{AwsAuthorizer, AwsCredential};
use object_store::azure::{AzureAccessKey, AzureAuthorizer, AzureCredential};
use object_store::client::{HttpRequest, HttpRequestBody};
use secrecy::ExposeSecret as _;
use url::{Url, form_urlencoded};

use super::other;
use crate::sign::{AzureSecret, AzureSigner, Signing};
use crate::store::Cloud;
use crate::{Credential, StorageError, StorageUrl, Store};

/// Of one answer no more is read: a page of a thousand names is far smaller.
const MAX_ANSWER: usize = 8 << 20;

impl Store {
    /// Asks the bucket or container, or one object of it.
    pub(super) async fn ask(
        &self,
        cloud: &Cloud,
        method: Method,
        key: &str,
        query: &[(&str, &str)],
    ) -> Result<String, StorageError> {
        let mut url = cloud.address.clone();
        if !key.is_empty() {
            let path = format!(
                "{}/{}",
                url.path().trim_end_matches('/'),
                crate::sign::percent_encode(key)
            );
            url.set_path(&path);
        }
        self.send(cloud, method, url, query).await
    }

    /// Asks the Azure account that the container is of.
    pub(super) async fn ask_account(
        &self,
        cloud: &Cloud,
        query: &[(&str, &str)],
    ) -> Result<String, StorageError> {
        let mut url = cloud.address.clone();
        let path = url.path().trim_end_matches('/');
        let above = path.rsplit_once('/').map_or("", |(above, _)| above);
        let above = format!("{above}/");
        url.set_path(&above);
        self.send(cloud, Method::GET, url, query).await
    }

    async fn send(
        &self,
        cloud: &Cloud,
        method: Method,
        mut url: Url,
        query: &[(&str, &str)],
    ) -> Result<String, StorageError> {
        // Sorted and encoded as the signatures want it: a space is %20.
        let encode = |text: &str| crate::sign::percent_encode(text).replace('/', "%2F");
        let mut pairs: Vec<String> = query
            .iter()
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
            .collect();
        pairs.sort();
        let pairs = pairs.join("&");
        url.set_query((!pairs.is_empty()).then_some(pairs.as_str()));
        let token = match &cloud.signing {
            Signing::Azure(AzureSigner {
                secret: AzureSecret::Delegated(application),
                ..
            }) => Some(application.token().await?),
            _ => None,
        };
        let mut request: HttpRequest = Request::builder()
            .method(method)
            .uri(url.as_str())
            .body(HttpRequestBody::empty())
            .map_err(|_| other("the store's address is none"))?;
        self.authorize(&mut request, token.as_deref())?;
        let unreachable = || StorageError::Unreachable {
            what: "the store".to_owned(),
            why: "no answer came".to_owned(),
        };
        let answer = cloud
            .http
            .execute(request)
            .await
            .map_err(|_| unreachable())?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
        let body = body.map_err(|_| unreachable())?.to_bytes();
        if status.is_success() {
            return Ok(String::from_utf8_lossy(&body).into_owned());
        }
        match status.as_u16() {
            401 | 403 => Err(StorageError::Denied {
                what: "what it keeps of deleted objects".to_owned(),
            }),
            // A store that says that it has not got this will not have it later either.
            501 => Err(other("the store does not offer this")),
            429 | 500..=599 => Err(unreachable()),
            status => Err(other(format!("it answered {status}"))),
        }
    }

    /// `token`: what opens the storage, where an application does.
    fn authorize(
        &self,
        request: &mut HttpRequest,
        token: Option<&AzureCredential>,
    ) -> Result<(), StorageError> {
        let spec = self.spec();
        match (&spec.url, &spec.credential) {
            (
                StorageUrl::S3 { .. },
                Credential::S3 {
                    access_key_id,
                    secret_access_key,
                    session_token,
                    ..
                },
            ) => {
                let credential = AwsCredential {
                    key_id: access_key_id.clone(),
                    secret_key: secret_access_key.expose_secret().to_owned(),
                    token: session_token
                        .as_ref()
                        .map(|token| token.expose_secret().to_owned()),
                };
                AwsAuthorizer::new(&credential, "s3", spec.location.region())
                    .authorize(request, None);
                Ok(())
            }
            (StorageUrl::Azure { account, .. }, credential) => {
                let own;
                let credential = match (credential, token) {
                    (Credential::AzureApp { .. }, Some(token)) => token,
                    (Credential::AzureKey { account_key }, _) => {
                        let key = AzureAccessKey::try_new(account_key.expose_secret())
                            .map_err(|_| other("the account key cannot be used"))?;
                        own = AzureCredential::AccessKey(key);
                        &own
                    }
                    (Credential::AzureSas { sas }, _) => {
                        let text = sas.expose_secret().trim_start_matches('?');
                        let pairs = form_urlencoded::parse(text.as_bytes());
                        own = AzureCredential::SASToken(pairs.into_owned().collect());
                        &own
                    }
                    _ => return Err(other("the storage's credential is of another kind")),
                };
                AzureAuthorizer::new(credential, account).authorize(request);
                Ok(())
            }
            _ => Err(other("this kind of store is not asked")),
        }
    }
}

/// What stands between `<name>` (with or without attributes) and `</name>`, each time.
pub(super) fn elements<'a>(xml: &'a str, name: &str) -> impl Iterator<Item = &'a str> + use<'a> {
    let (open, close) = (format!("<{name}"), format!("</{name}>"));
    let mut rest = xml;
    std::iter::from_fn(move || {
        loop {
            let (_, after) = rest.split_once(open.as_str())?;
            rest = after;
            // `<Versions>` is not `<Version>`.
            let is_it = after.starts_with(['>', ' ', '\n', '\r', '\t']);
            if !is_it {
                continue;
            }
            let (_, body) = after.split_once('>')?;
            let (body, behind) = body.split_once(close.as_str())?;
            rest = behind;
            return Some(body);
        }
    })
}

/// The text of the first element of this name, if it holds no other.
pub(super) fn text_of(xml: &str, name: &str) -> Option<String> {
    let text = elements(xml, name).next()?.trim();
    (!text.contains('<')).then(|| text.to_owned())
}

/// A blob's name as Azure lists it, also with spaces at its ends. What XML cannot hold is percent-encoded there.
pub(super) fn name_of(blob: &str) -> Option<String> {
    let (_, after) = blob.split_once("<Name")?;
    let (attributes, after) = after.split_once('>')?;
    let (name, _) = after.split_once("</Name>")?;
    if attributes.contains("Encoded=\"true\"") {
        // Not a form's: a plus is one, and a mark of XML ends nothing.
        let name = name.replace('+', "%2B").replace("&amp;", "%26");
        return Some(decoded(&name));
    }
    Some(plain(name))
}

/// A key as S3 lists it with `encoding-type=url`.
pub(super) fn decoded(key: &str) -> String {
    let pair = format!("k={}", plain(key));
    let decoded = form_urlencoded::parse(pair.as_bytes()).next();
    decoded
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

/// Without the marks of XML.
pub(super) fn plain(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&apos;", "'")
        .replace("&#39;", "'")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_taken_apart_by_name() {
        let xml = "<ListVersionsResult><IsTruncated>false</IsTruncated><Versions>no</Versions>\
                   <Version><Key>t/a+b%2Bc</Key><VersionId>1</VersionId></Version>\
                   <DeleteMarker><Key>t/a+b%2Bc</Key></DeleteMarker>\
                   <Version x=\"1\"><Key>t/&amp;</Key></Version></ListVersionsResult>";
        let keys: Vec<String> = elements(xml, "Version")
            .chain(elements(xml, "DeleteMarker"))
            .filter_map(|element| text_of(element, "Key"))
            .map(|key| decoded(&key))
            .collect();
        assert_eq!(keys[0], "t/a b+c");
        assert_eq!(keys[2], "t/a b+c");
        assert_eq!(keys.len(), 3);
        assert_eq!(text_of(xml, "IsTruncated").as_deref(), Some("false"));
        assert_eq!(text_of(xml, "ListVersionsResult"), None);
        assert_eq!(text_of("<A></A>", "A").as_deref(), Some(""));
        assert_eq!(plain("a&amp;lt;b"), "a&lt;b");
    }
}
