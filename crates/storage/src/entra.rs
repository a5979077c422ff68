//! Azure without the account's key: an application of Entra ID asks for a token, opens the storage with it, and has the account give
//! it a key to sign with for some hours (a user delegation key): what is signed with it opens no more than the application may, where
//! the account's own key opens everything. Token and key are kept for all who open a storage with the same application, and asked for
//! anew before they end: one request in an hour, however many URLs are signed.
//! <https://learn.microsoft.com/rest/api/storageservices/create-user-delegation-sas>

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use http::{HeaderValue, header};
use model::Timestamp;
use object_store::CredentialProvider;
use object_store::azure::AzureCredential;
use object_store::client::HttpClient;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Mutex;
use url::Url;

use crate::StorageError;
use crate::sign::{CLOCK_SKEW, MAX_TTL, SAS_VERSION, rfc3339, wall_clock};
use crate::temporary::{form, post, send, tag, token_of};

/// So long a key is asked for. Azure gives one for seven days; but an account may take all of its keys back, which nobody tells us,
/// and what is signed with them opens nothing until there is another.
const KEY_LIFE: Duration = Duration::from_secs(2 * 3_600);
/// A token is not used so shortly before its end.
const TOKEN_REST: Duration = Duration::from_secs(5 * 60);
/// What a token is for.
const SCOPE: &str = "https://storage.azure.com/.default";

/// With what the account lets an application sign.
#[derive(Debug)]
pub(crate) struct DelegationKey {
    pub(crate) oid: String,
    pub(crate) tid: String,
    pub(crate) start: String,
    pub(crate) expiry: String,
    pub(crate) service: String,
    pub(crate) version: String,
    pub(crate) value: SecretString,
}

/// Something that is asked for when it is needed, and kept while it is good.
struct Given<T>(Mutex<Held<T>>);

struct Held<T> {
    /// And until when it is good, since 1970.
    given: Option<(Arc<T>, Duration)>,
    /// When it was refused last, and why.
    refused: Option<(Instant, StorageError)>,
}

impl<T> Default for Given<T> {
    fn default() -> Self {
        Self(Mutex::new(Held {
            given: None,
            refused: None,
        }))
    }
}

impl<T> Given<T> {
    /// What is good for longer than until `needed`: what is kept, or what `ask` is given now, and until when.
    async fn get(
        &self,
        needed: Duration,
        ask: impl Future<Output = Result<(T, Duration), StorageError>>,
    ) -> Result<Arc<T>, StorageError> {
        let since = Instant::now();
        // Held while it is asked for: of all who need one, one asks.
        let mut held = self.0.lock().await;
        if let Some((given, until)) = &held.given
            && needed < *until
        {
            return Ok(Arc::clone(given));
        }
        // Who waited while it was refused does not ask again: hundreds who do look like somebody who guesses.
        if let Some((at, why)) = &held.refused
            && *at >= since
        {
            return Err(why.clone());
        }
        match ask.await {
            Ok((given, until)) => {
                let given = Arc::new(given);
                held.given = Some((Arc::clone(&given), until));
                Ok(given)
            }
            Err(why) => {
                held.refused = Some((Instant::now(), why.clone()));
                Err(why)
            }
        }
    }
}

/// What an application was given. `Debug` shows none of it.
#[derive(Default)]
pub(crate) struct Kept {
    token: Given<AzureCredential>,
    key: Given<DelegationKey>,
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kept(****)")
    }
}

/// An application that opens a storage.
#[derive(Clone, Debug)]
pub(crate) struct Delegate {
    pub(crate) client_id: String,
    pub(crate) client_secret: SecretString,
    /// Where it gets its token.
    pub(crate) login: (HttpClient, Url),
    /// The account's blob endpoint.
    pub(crate) account: (HttpClient, Url),
    pub(crate) kept: Arc<Kept>,
}

fn other(why: &str) -> StorageError {
    StorageError::Other {
        what: "the application of the storage's credential".to_owned(),
        why: why.to_owned(),
    }
}

impl Delegate {
    /// What opens the storage.
    pub(crate) async fn token(&self) -> Result<Arc<AzureCredential>, StorageError> {
        let needed = wall_clock() + TOKEN_REST;
        self.kept.token.get(needed, self.asked_for_token()).await
    }

    async fn asked_for_token(&self) -> Result<(AzureCredential, Duration), StorageError> {
        let now = wall_clock();
        let body = form(&[
            ("grant_type", "client_credentials"),
            ("client_id", self.client_id.as_str()),
            ("client_secret", self.client_secret.expose_secret()),
            ("scope", SCOPE),
        ]);
        let (client, service) = &self.login;
        let answer = send(client, post(service, body)?).await;
        let answer = answer.map_err(|error| error.about("a token of Entra ID"))?;
        let (token, lives) = token_of(&answer)?;
        let lives = lives.ok_or_else(|| other("the token service says no end"))?;
        Ok((AzureCredential::BearerToken(token), now + lives))
    }

    /// What signs; good for as long as anything that is signed now.
    pub(crate) async fn key(&self, now: Duration) -> Result<Arc<DelegationKey>, StorageError> {
        let needed = now + MAX_TTL;
        let asked = async {
            let key = self.asked_for_key(now).await?;
            let until = Timestamp::parse(&key.expiry)
                .ok()
                .and_then(|at| u64::try_from(at.micros()).ok())
                .map(Duration::from_micros)
                .ok_or_else(|| other("the account says no end of its key"))?;
            // It would be asked for with every URL, and URLs would end sooner than is said of them.
            if until <= needed {
                return Err(other("the account gives a key that ends too soon"));
            }
            Ok((key, until))
        };
        self.kept.key.get(needed, asked).await
    }

    async fn asked_for_key(&self, now: Duration) -> Result<DelegationKey, StorageError> {
        let token = self.token().await?;
        let AzureCredential::BearerToken(token) = &*token else {
            return Err(other("it has no token"));
        };
        let start = rfc3339(now.saturating_sub(CLOCK_SKEW))?;
        let expiry = rfc3339(now + KEY_LIFE)?;
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><KeyInfo><Start>{start}</Start><Expiry>{expiry}</Expiry></KeyInfo>"
        );
        let (client, account) = &self.account;
        let mut url = account.clone();
        let path = format!("{}/", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url.set_query(Some("restype=service&comp=userdelegationkey"));
        let mut request = post(&url, body)?;
        let mut bearer = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| other("its token is none"))?;
        bearer.set_sensitive(true);
        let headers = request.headers_mut();
        headers.insert(header::AUTHORIZATION, bearer);
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/xml"),
        );
        headers.insert("x-ms-version", HeaderValue::from_static(SAS_VERSION));
        let answer = send(client, request).await.map_err(|error| {
            error.about(
                "a key to sign with, which takes the role Storage Blob Delegator on the account",
            )
        })?;
        let text = |name: &str| {
            tag(&answer, name).ok_or_else(|| other("the account's answer is incomplete"))
        };
        Ok(DelegationKey {
            oid: text("SignedOid")?,
            tid: text("SignedTid")?,
            start: text("SignedStart")?,
            expiry: text("SignedExpiry")?,
            service: text("SignedService")?,
            version: text("SignedVersion")?,
            value: text("Value")?.into(),
        })
    }
}

/// What object_store asks before each request.
#[derive(Debug)]
pub(crate) struct Tokens(pub(crate) Delegate);

#[async_trait]
impl CredentialProvider for Tokens {
    type Credential = AzureCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AzureCredential>> {
        let token = self.0.token().await;
        token.map_err(|error| object_store::Error::Generic {
            store: "storage",
            source: Box::new(error),
        })
    }
}
