//! Credentials that read one folder for a while: for clients that read a table's files themselves. The store gives them, for
//! nothing but reading and listing below this folder: S3 by AssumeRole with a policy for the session, Azure by a shared-access
//! signature of a directory (of a user delegation key, where the storage is opened by an application), Google by a token with a boundary. They cannot be taken back.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD};
use http::{HeaderValue, Method, Request, header};
use http_body_util::{BodyExt as _, Limited};
use model::Timestamp;
use object_store::aws::{AwsAuthorizer, AwsCredential};
use object_store::client::{HttpClient, HttpRequest};
use object_store::path::Path;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use crate::sign::{AzureSigner, Signing, wall_clock};
use crate::store::Kind;
use crate::{Credential, MAX_TTL, MIN_TTL, StorageError, StorageUrl, Store};

/// Of an answer of a token service no more is read.
const MAX_ANSWER: usize = 256 << 10;
/// And it is waited for no longer: others wait for it, too.
const PATIENCE: Duration = Duration::from_secs(30);
const GOOGLE_READS: &str = "https://www.googleapis.com/auth/devstorage.read_only";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// What opens a folder until it ends. `Debug` shows the kind alone.
#[derive(Clone, PartialEq, Eq)]
pub enum TemporaryKey {
    S3 {
        access_key_id: String,
        secret_access_key: String,
        session_token: String,
    },
    /// The query part of a shared-access signature.
    Azure {
        sas: String,
    },
    Gcs {
        token: String,
    },
}

impl fmt::Debug for TemporaryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::S3 { .. } => "S3(****)",
            Self::Azure { .. } => "Azure(****)",
            Self::Gcs { .. } => "Gcs(****)",
        })
    }
}

/// Who gives such a credential.
#[derive(Debug)]
pub(crate) enum Lender {
    No,
    Sts {
        client: HttpClient,
        service: Url,
        region: String,
    },
    /// The account's key signs, or one that it has given an application.
    Azure,
    Google {
        token: (HttpClient, Url),
        exchange: (HttpClient, Url),
    },
}

/// A folder of a bucket or container, within which alone may be read.
struct Folder<'a> {
    bucket: &'a str,
    key: &'a Path,
    /// Who asks, as the store's own log is to show it.
    who: &'a str,
}

fn other(why: &str) -> StorageError {
    StorageError::Other {
        what: "a temporary credential".to_owned(),
        why: why.to_owned(),
    }
}

impl Store {
    /// Whether this store gives temporary credentials at all.
    pub fn lends(&self) -> bool {
        match self.kind() {
            Kind::File(_) | Kind::Share(_) => false,
            Kind::Cloud(cloud) => !matches!(cloud.lender, Lender::No),
        }
    }

    /// A credential to read and list below `folder`, which is relative to the root, and until when it works. `ttl` lies between
    /// [`MIN_TTL`] and [`MAX_TTL`]; Google's tokens live for an hour whatever is asked.
    pub async fn lend(
        &self,
        folder: &Path,
        ttl: Duration,
        who: &str,
    ) -> Result<(TemporaryKey, Timestamp), StorageError> {
        let refuse = |why: &str| {
            Err(StorageError::NotAllowed {
                what: "a temporary credential".to_owned(),
                why: why.to_owned(),
            })
        };
        if !(MIN_TTL..=MAX_TTL).contains(&ttl) {
            return refuse("ask for 900 to 3600 s");
        }
        let Kind::Cloud(cloud) = self.kind() else {
            return refuse("a storage of this kind gives none");
        };
        let key = self.full(folder);
        if key.is_root() {
            return refuse("it would open the whole bucket or container");
        }
        let spec = self.spec();
        let bucket = match &spec.url {
            StorageUrl::S3 { bucket, .. } | StorageUrl::Gcs { bucket, .. } => bucket,
            StorageUrl::Azure { container, .. } => container,
            StorageUrl::File { .. } | StorageUrl::Share { .. } => {
                return refuse("a storage of this kind gives none");
            }
        };
        let folder = Folder {
            bucket,
            key: &key,
            who,
        };
        match (&cloud.lender, &spec.credential, &cloud.signing) {
            (
                Lender::Sts {
                    client,
                    service,
                    region,
                },
                credential @ Credential::S3 { .. },
                _,
            ) => assume_role(client, (service, region.as_str()), credential, &folder, ttl).await,
            (Lender::Azure, _, Signing::Azure(signer)) => {
                let now = wall_clock();
                let sas = directory_sas(signer, &key, now, ttl).await?;
                Ok((TemporaryKey::Azure { sas }, instant(now + ttl)))
            }
            (Lender::Google { token, exchange }, credential @ Credential::Gcs { .. }, _) => {
                downscope(token, exchange, credential, &folder).await
            }
            _ => refuse("this storage's credential cannot give one"),
        }
    }
}

fn instant(at: Duration) -> Timestamp {
    Timestamp::from_micros(i64::try_from(at.as_micros()).unwrap_or(i64::MAX))
}

/// Names that would mean more than themselves in a policy.
fn check_plain(folder: &Folder<'_>) -> Result<(), StorageError> {
    let key = folder.key.as_ref();
    if key.contains(['*', '?', '$', '\'', '"', '\\']) {
        return Err(other(
            "the table's path holds one of * ? $ ' \" \\, which mean something else in a policy; use the query endpoint",
        ));
    }
    Ok(())
}

/// `lists`: whether the folder may be listed, too.
fn session_policy(partition: &str, folder: &Folder<'_>, lists: bool) -> String {
    let (bucket, key) = (folder.bucket, folder.key);
    // With the slash, so that a neighbour whose name begins alike is not meant.
    let mut statements = vec![json!({
        "Effect": "Allow",
        "Action": ["s3:GetObject"],
        "Resource": [format!("arn:{partition}:s3:::{bucket}/{key}/*")],
    })];
    if lists {
        statements.push(json!({
            "Effect": "Allow",
            "Action": ["s3:ListBucket"],
            "Resource": [format!("arn:{partition}:s3:::{bucket}")],
            "Condition": { "StringLike": { "s3:prefix": [format!("{key}/*")] } },
        }));
    }
    json!({ "Version": "2012-10-17", "Statement": statements }).to_string()
}

async fn assume_role(
    client: &HttpClient,
    (service, region): (&Url, &str),
    credential: &Credential,
    folder: &Folder<'_>,
    ttl: Duration,
) -> Result<(TemporaryKey, Timestamp), StorageError> {
    let Credential::S3 {
        access_key_id,
        secret_access_key,
        session_token,
        role_arn: Some(role),
    } = credential
    else {
        return Err(other("the storage's credential names no role_arn"));
    };
    check_plain(folder)?;
    let partition = role.split(':').nth(1).unwrap_or("aws");
    let who: String = folder
        .who
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        .take(50)
        .collect();
    let session = format!("entrepot-{who}");
    let seconds = ttl.as_secs().to_string();
    let credential = AwsCredential {
        key_id: access_key_id.clone(),
        secret_key: secret_access_key.expose_secret().to_owned(),
        token: session_token
            .as_ref()
            .map(|token| token.expose_secret().to_owned()),
    };
    let mut lists = true;
    let answer = loop {
        let policy = session_policy(partition, folder, lists);
        let body = form(&[
            ("Action", "AssumeRole"),
            ("Version", "2011-06-15"),
            ("RoleArn", role.as_str()),
            ("RoleSessionName", session.as_str()),
            ("DurationSeconds", seconds.as_str()),
            ("Policy", policy.as_str()),
        ]);
        let mut request = post(service, body)?;
        AwsAuthorizer::new(&credential, "sts", region).authorize(&mut request, None);
        match asked(client, request).await? {
            // Packed, it is too long: a reader that knows the names can do without listing.
            Err(refusal) if lists && refusal.word.as_deref() == Some("PackedPolicyTooLarge") => {
                lists = false;
            }
            answer => break answer.map_err(Refusal::denied)?,
        }
    };
    let text = |name: &str| {
        tag(&answer, name).ok_or_else(|| other("the token service's answer is incomplete"))
    };
    let until = Timestamp::parse(&text("Expiration")?)
        .map_err(|_| other("the token service says no end"))?;
    let key = TemporaryKey::S3 {
        access_key_id: text("AccessKeyId")?,
        secret_access_key: text("SecretAccessKey")?,
        session_token: text("SessionToken")?,
    };
    Ok((key, until))
}

/// What stands in an element of an answer, which holds no marks of XML.
pub(crate) fn tag(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once("</")?;
    let text = text.trim();
    let is_plain = !text.is_empty() && !text.contains(['<', '&']);
    is_plain.then(|| text.to_owned())
}

/// A shared-access signature for a directory: to read and list.
async fn directory_sas(
    signer: &AzureSigner,
    folder: &Path,
    now: Duration,
    ttl: Duration,
) -> Result<String, StorageError> {
    let pairs = signer.shared_access(("rl", "d"), folder, now, ttl).await?;
    let pairs: Vec<(&str, &str)> = pairs
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    Ok(form(&pairs))
}

/// What a token with this boundary may do, <https://cloud.google.com/iam/docs/downscoping-short-lived-credentials>.
fn boundary(folder: &Folder<'_>) -> Value {
    let (bucket, key) = (folder.bucket, folder.key);
    let expression = format!(
        "resource.name.startsWith('projects/_/buckets/{bucket}/objects/{key}/') || \
         api.getAttribute('storage.googleapis.com/objectListPrefix', '').startsWith('{key}/')"
    );
    json!({ "accessBoundary": { "accessBoundaryRules": [{
        "availableResource": format!("//storage.googleapis.com/projects/_/buckets/{bucket}"),
        "availablePermissions": ["inRole:roles/storage.objectViewer"],
        "availabilityCondition": { "expression": expression },
    }] } })
}

async fn downscope(
    (client, service): &(HttpClient, Url),
    (exchange_client, exchange): &(HttpClient, Url),
    credential: &Credential,
    folder: &Folder<'_>,
) -> Result<(TemporaryKey, Timestamp), StorageError> {
    check_plain(folder)?;
    let now = wall_clock();
    let assertion = assertion(credential, service, now)?;
    let body = form(&[
        ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
        ("assertion", assertion.as_str()),
    ]);
    let whole = send(client, post(service, body)?).await?;
    let (whole, lives) = token_of(&whole)?;
    let lives = lives.ok_or_else(|| other("the token service says no end"))?;
    let options = boundary(folder).to_string();
    let body = form(&[
        (
            "grant_type",
            "urn:ietf:params:oauth:grant-type:token-exchange",
        ),
        ("requested_token_type", ACCESS_TOKEN),
        ("subject_token_type", ACCESS_TOKEN),
        ("subject_token", whole.as_str()),
        ("options", options.as_str()),
    ]);
    let narrow = send(exchange_client, post(exchange, body)?).await?;
    // It ends with the one that it was made of, which may not be said again.
    let (token, own) = token_of(&narrow)?;
    let lives = own.unwrap_or(lives).min(lives);
    Ok((TemporaryKey::Gcs { token }, instant(now + lives)))
}

/// What a service account asks for its own token with: a JWT that its key signs (RFC 7523).
fn assertion(
    credential: &Credential,
    service: &Url,
    now: Duration,
) -> Result<String, StorageError> {
    let Credential::Gcs {
        client_email,
        private_key,
        private_key_id,
    } = credential
    else {
        return Err(other("the storage's credential is no service account"));
    };
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let issued = now.as_secs();
    let text = format!(
        "{}.{}",
        part(json!({ "alg": "RS256", "typ": "JWT", "kid": private_key_id })),
        part(json!({
            "iss": client_email,
            "scope": GOOGLE_READS,
            "aud": service.as_str(),
            "iat": issued,
            "exp": issued + MAX_TTL.as_secs(),
        })),
    );
    let unusable = || other("the service account's key cannot be used");
    let pem = private_key.expose_secret();
    let body: String = pem
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("-----"))
        .collect();
    let der = BASE64.decode(body).map_err(|_| unusable())?;
    let pair = ring::signature::RsaKeyPair::from_pkcs8(&der)
        .or_else(|_| ring::signature::RsaKeyPair::from_der(&der))
        .map_err(|_| unusable())?;
    let mut signature = vec![0; pair.public().modulus_len()];
    pair.sign(
        &ring::signature::RSA_PKCS1_SHA256,
        &ring::rand::SystemRandom::new(),
        text.as_bytes(),
        &mut signature,
    )
    .map_err(|_| unusable())?;
    Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// A token and how long it lives, where that is said; no longer than a day, whatever is said.
pub(crate) fn token_of(answer: &str) -> Result<(String, Option<Duration>), StorageError> {
    let answer: Value = serde_json::from_str(answer)
        .map_err(|_| other("the token service's answer is not JSON"))?;
    let token = answer.get("access_token").and_then(Value::as_str);
    // It stands in a header.
    let token = token.filter(|token| token.bytes().all(|byte| byte.is_ascii_graphic()));
    let token = token.ok_or_else(|| other("the token service gave no token"))?;
    let lives = answer.get("expires_in").and_then(Value::as_u64);
    let lives = lives.map(|seconds| Duration::from_secs(seconds.min(86_400)));
    Ok((token.to_owned(), lives))
}

pub(crate) fn form(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish()
}

pub(crate) fn post(service: &Url, body: String) -> Result<HttpRequest, StorageError> {
    let mut request: HttpRequest = Request::builder()
        .method(Method::POST)
        .uri(service.as_str())
        .body(body.into())
        .map_err(|_| other("the token service's address is none"))?;
    request.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/x-www-form-urlencoded"),
    );
    Ok(request)
}

/// Why a token service gives nothing: its word for it, if it is one, and nothing else of its answer.
struct Refusal {
    status: u16,
    word: Option<String>,
}

impl Refusal {
    fn denied(self) -> StorageError {
        tracing::warn!(
            status = self.status,
            code = self.word,
            "no temporary credential was given"
        );
        StorageError::Denied {
            what: "a temporary credential".to_owned(),
        }
    }
}

pub(crate) async fn send(
    client: &HttpClient,
    request: HttpRequest,
) -> Result<String, StorageError> {
    asked(client, request).await?.map_err(Refusal::denied)
}

/// What a token service answers, or why it does not.
async fn asked(
    client: &HttpClient,
    request: HttpRequest,
) -> Result<Result<String, Refusal>, StorageError> {
    let unreachable = || StorageError::Unreachable {
        what: "the store's token service".to_owned(),
        why: "no answer came".to_owned(),
    };
    let answering = async {
        let answer = client.execute(request).await.map_err(|_| unreachable())?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
        let body = body.map_err(|_| unreachable())?.to_bytes();
        Ok::<_, StorageError>((status, String::from_utf8_lossy(&body).into_owned()))
    };
    let answered = tokio::time::timeout(PATIENCE, answering).await;
    let (status, body) = answered.map_err(|_| unreachable())??;
    if status.is_success() {
        return Ok(Ok(body));
    }
    if status.is_server_error() || status.as_u16() == 429 {
        return Err(unreachable());
    }
    let word = tag(&body, "Code")
        .filter(|code| code.len() <= 64 && code.bytes().all(|b| b.is_ascii_alphanumeric()));
    Ok(Err(Refusal {
        status: status.as_u16(),
        word,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boundary_of_google_ends_with_the_folder() {
        let key = Path::parse("root/t1").unwrap();
        let folder = Folder {
            bucket: "lake",
            key: &key,
            who: "rnd",
        };
        let rule = &boundary(&folder)["accessBoundary"]["accessBoundaryRules"][0];
        assert_eq!(
            rule["availablePermissions"],
            json!(["inRole:roles/storage.objectViewer"])
        );
        assert_eq!(
            rule["availableResource"],
            "//storage.googleapis.com/projects/_/buckets/lake"
        );
        assert_eq!(
            rule["availabilityCondition"]["expression"],
            "resource.name.startsWith('projects/_/buckets/lake/objects/root/t1/') || \
             api.getAttribute('storage.googleapis.com/objectListPrefix', '').startsWith('root/t1/')"
        );
        let token = r#"{"access_token":"t","expires_in":3599}"#;
        let (token, lives) = token_of(token).unwrap();
        assert_eq!(
            (token.as_str(), lives),
            ("t", Some(Duration::from_secs(3_599)))
        );
        let forever = format!(r#"{{"access_token":"t","expires_in":{}}}"#, u64::MAX);
        let (_, lives) = token_of(&forever).unwrap();
        assert_eq!(lives, Some(Duration::from_secs(86_400)));
        for none in ["{}", r#"{"access_token":"t\nx: y"}"#] {
            assert!(token_of(none).is_err(), "{none}");
        }
    }
}
