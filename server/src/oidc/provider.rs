//! The provider: found when it is first needed and looked for again, asked over a client that follows no redirect and takes no
//! endless answer, and believed only after its word was checked (C-47).

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use exchange::people::Provided;
use futures::future::{BoxFuture, FutureExt as _};
use model::time::{HOUR, MINUTE, SECOND};
use model::{Clock as _, Timestamp};
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreClientAuthMethod, CoreErrorResponseType, CoreGenderClaim,
    CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm,
    CoreProviderMetadata, CoreResponseType, CoreRevocableToken, CoreRevocationErrorResponse,
    CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AsyncHttpClient, AuthType, AuthenticationFlow, AuthorizationCode, ClaimsVerificationError,
    ClientId, ClientSecret, CsrfToken, EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet,
    EndpointSet, HttpRequest, HttpResponse, IdTokenFields, IssuerUrl, Nonce,
    OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError,
    Scope, SignatureVerificationError, StandardErrorResponse, StandardTokenResponse,
    TokenResponse as _,
};
use secrecy::ExposeSecret as _;
use tokio::sync::Mutex;

use super::CALLBACK;
use super::attempt::Attempt;
use super::person::{About, Claims, Extra, PersonClaims};
use crate::adapters::clock::SystemClock;
use crate::config::{OidcSettings, PublicUrl};

/// So long what was found out about the provider is good.
const FRESH: i64 = HOUR;
/// So long a provider that did not answer is left alone: nobody waits behind all who wait for it.
const PAUSE: i64 = 3 * SECOND;
/// Keys that are not known are asked for once in so long.
const RENEWED: i64 = MINUTE;
/// How far the provider's clock may be from ours, in seconds.
const SKEW: i64 = 60;
/// A token is made when the code is redeemed; one that is older was made for something else. Seconds.
const OLDEST: i64 = 600;
/// One request.
const PATIENCE: Duration = Duration::from_secs(10);
/// No answer of a provider is longer; bytes.
const LONGEST: usize = 1 << 20;
/// Only keys that the provider alone has. No `none`, and nothing that is signed with the client's secret.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

type Tokens = StandardTokenResponse<
    IdTokenFields<
        Extra,
        EmptyExtraTokenFields,
        CoreGenderClaim,
        CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm,
    >,
    CoreTokenType,
>;
type IdToken = openidconnect::IdToken<
    Extra,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;
type Client = openidconnect::Client<
    Extra,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// For the log: holds no code, no token and no secret.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    #[error("the provider cannot be asked: {0}")]
    Unreachable(String),
    #[error("what the provider said does not hold: {0}")]
    Refused(String),
}

#[derive(Debug, thiserror::Error)]
enum CallError {
    #[error("an address without TLS is not asked")]
    NoTls,
    #[error("the answer is longer than {LONGEST} bytes")]
    Endless,
    #[error("the request did not go through")]
    Failed(#[from] reqwest::Error),
    #[error("not a request or an answer of HTTP")]
    Malformed(#[from] http::Error),
}

/// What was found out.
struct Found {
    client: Client,
    at: Timestamp,
}

#[derive(Default)]
struct State {
    found: Option<Arc<Found>>,
    failed_at: Option<Timestamp>,
    renewed_at: Option<Timestamp>,
}

pub(super) struct Provider {
    settings: OidcSettings,
    callback: String,
    http: Caller,
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    state: Mutex<State>,
}

impl Provider {
    pub(super) fn new(
        settings: OidcSettings,
        public_url: &PublicUrl,
        now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    ) -> Result<Self, reqwest::Error> {
        let needs_tls = settings.issuer.starts_with("https:");
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("entrepot/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(5))
            .timeout(PATIENCE);
        if !needs_tls {
            // On this machine: no proxy is between.
            http = http.no_proxy();
        }
        Ok(Self {
            callback: format!("{}{CALLBACK}", public_url.as_str()),
            http: Caller {
                http: http.build()?,
                needs_tls,
            },
            now,
            state: Mutex::default(),
            settings,
        })
    }

    pub(super) fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    /// Where a browser goes to sign in.
    pub(super) async fn way(&self, attempt: &Attempt) -> Result<String, ProviderError> {
        let found = self.found().await?;
        let state = CsrfToken::new(attempt.state.clone());
        let nonce = Nonce::new(attempt.nonce.clone());
        let verifier = PkceCodeVerifier::new(attempt.verifier.clone());
        let scopes = self.settings.scopes.iter().cloned().map(Scope::new);
        let (url, _, _) = found
            .client
            .authorize_url(
                AuthenticationFlow::<CoreResponseType>::AuthorizationCode,
                move || state,
                move || nonce,
            )
            .add_scopes(scopes)
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
            .url();
        Ok(url.to_string())
    }

    /// Whether the provider can be found, and where it sends people.
    pub(super) async fn look(&self) -> Result<String, ProviderError> {
        Ok(self.found().await?.client.auth_uri().to_string())
    }

    /// Whom the code is for.
    pub(super) async fn redeem(
        &self,
        code: String,
        attempt: &Attempt,
    ) -> Result<Provided, ProviderError> {
        let found = self.found().await?;
        let tokens = found
            .client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(refused)?
            .set_pkce_verifier(PkceCodeVerifier::new(attempt.verifier.clone()))
            .request_async(&self.http)
            .await
            .map_err(|error| match &error {
                RequestTokenError::Request(_) => not_reached(&error),
                // The library's own text of a parse error may repeat what it could not read.
                RequestTokenError::Parse(..) => {
                    ProviderError::Refused("the answer to the code cannot be read".to_owned())
                }
                _ => refused(&error),
            })?;
        let token = tokens
            .id_token()
            .ok_or_else(|| ProviderError::Refused("there is no ID token".to_owned()))?;
        let nonce = Nonce::new(attempt.nonce.clone());
        let claims = match self.verified(&found, token, &nonce) {
            Err(ClaimsVerificationError::SignatureVerification(
                SignatureVerificationError::NoMatchingKey,
            )) => {
                let newer = self.renewed(&found).await?;
                self.verified(&newer, token, &nonce)
            }
            checked => checked,
        };
        let claims = claims.map_err(refused)?;
        if !is_subject(claims.subject().as_str()) {
            return Err(ProviderError::Refused("the subject is none".to_owned()));
        }
        let mut about = About::of_token(claims);
        if about.lacks(&self.settings) {
            let wanted = Some(claims.subject().clone());
            // Without such an address the provider has said all there is.
            if let Ok(asked) = found
                .client
                .user_info(tokens.access_token().clone(), wanted)
            {
                let more: PersonClaims =
                    asked
                        .request_async(&self.http)
                        .await
                        .map_err(|error| match &error {
                            openidconnect::UserInfoError::Request(_) => not_reached(&error),
                            _ => refused(&error),
                        })?;
                about.fill(About::of_person(&more));
            }
        }
        Ok(about.provided(&self.settings, claims.subject().as_str()))
    }

    /// The claims of a token that is the provider's, for us, for this way, and of now.
    fn verified<'a>(
        &self,
        found: &Found,
        token: &'a IdToken,
        nonce: &Nonce,
    ) -> Result<&'a Claims, ClaimsVerificationError> {
        let verifier = found
            .client
            .id_token_verifier()
            .set_allowed_algs(ALGORITHMS)
            // Wall time: the token's instants are of another machine's clock, too.
            .set_time_fn(|| ago(SKEW))
            .set_issue_time_verifier_fn(|at| {
                if at > ago(-SKEW) {
                    Err("the token was made in the future".to_owned())
                } else if at < ago(OLDEST + SKEW) {
                    Err("the token was made too long ago".to_owned())
                } else {
                    Ok(())
                }
            });
        let claims = token.claims(&verifier, nonce)?;
        let not_before = claims.additional_claims().all.get("nbf");
        if not_before.is_some_and(|at| at.as_i64().is_none_or(|at| at > ago(-SKEW).timestamp())) {
            return Err(ClaimsVerificationError::Expired(
                "the token does not count yet".to_owned(),
            ));
        }
        if claims
            .authorized_party()
            .is_some_and(|party| party.as_str() != self.settings.client_id)
        {
            return Err(ClaimsVerificationError::InvalidAudience(
                "the token was made for another client".to_owned(),
            ));
        }
        Ok(claims)
    }

    /// What is known of the provider; found out where it is not, or not any more.
    async fn found(&self) -> Result<Arc<Found>, ProviderError> {
        let mut state = self.state.lock().await;
        let now = (self.now)();
        if let Some(found) = &state.found
            && now.since(found.at) < FRESH
        {
            return Ok(Arc::clone(found));
        }
        let failed_just_now = state.failed_at.is_some_and(|at| now.since(at) < PAUSE);
        match (failed_just_now, state.found.clone()) {
            (true, Some(old)) => Ok(old),
            (true, None) => Err(ProviderError::Unreachable(
                "it did not answer a moment ago".to_owned(),
            )),
            (false, old) => self.find(&mut state).await.or_else(|error| {
                let Some(old) = old else { return Err(error) };
                tracing::warn!(%error, "what was known of the provider of identities is kept");
                Ok(old)
            }),
        }
    }

    /// The same anew, for a token that is signed with a key that `seen` does not hold.
    async fn renewed(&self, seen: &Arc<Found>) -> Result<Arc<Found>, ProviderError> {
        let mut state = self.state.lock().await;
        if let Some(found) = &state.found
            && !Arc::ptr_eq(found, seen)
        {
            return Ok(Arc::clone(found));
        }
        let now = (self.now)();
        if state.renewed_at.is_some_and(|at| now.since(at) < RENEWED) {
            return Ok(Arc::clone(seen));
        }
        state.renewed_at = Some(now);
        self.find(&mut state).await
    }

    async fn find(&self, state: &mut State) -> Result<Arc<Found>, ProviderError> {
        let found = self.discover().await;
        let now = (self.now)();
        match found {
            Ok(client) => {
                let found = Arc::new(Found { client, at: now });
                state.found = Some(Arc::clone(&found));
                state.failed_at = None;
                Ok(found)
            }
            Err(error) => {
                state.failed_at = Some(now);
                Err(error)
            }
        }
    }

    async fn discover(&self) -> Result<Client, ProviderError> {
        let settings = &self.settings;
        let issuer = IssuerUrl::new(settings.issuer.clone()).map_err(not_reached)?;
        let metadata = CoreProviderMetadata::discover_async(issuer, &self.http)
            .await
            .map_err(not_reached)?;
        let leads_to = metadata.authorization_endpoint().url().scheme();
        if self.http.needs_tls && leads_to != "https" {
            return Err(not_reached(CallError::NoTls));
        }
        if metadata.token_endpoint().is_none() {
            return Err(ProviderError::Unreachable(
                "it does not say where codes are redeemed".to_owned(),
            ));
        }
        let by_form = metadata
            .token_endpoint_auth_methods_supported()
            .is_some_and(|methods| {
                methods.contains(&CoreClientAuthMethod::ClientSecretPost)
                    && !methods.contains(&CoreClientAuthMethod::ClientSecretBasic)
            });
        let secret = settings
            .client_secret
            .as_ref()
            .map(|secret| ClientSecret::new(secret.expose_secret().to_owned()));
        let client_id = ClientId::new(settings.client_id.clone());
        let callback = RedirectUrl::new(self.callback.clone()).map_err(not_reached)?;
        Ok(Client::from_provider_metadata(metadata, client_id, secret)
            .set_redirect_uri(callback)
            .set_auth_type(if by_form {
                AuthType::RequestBody
            } else {
                AuthType::BasicAuth
            }))
    }
}

/// Asks the provider. Not a closure: over that the compiler cannot tell that what waits for it may move between threads.
struct Caller {
    http: reqwest::Client,
    needs_tls: bool,
}

impl Caller {
    async fn answer(&self, request: HttpRequest) -> Result<HttpResponse, CallError> {
        if self.needs_tls && request.uri().scheme_str() != Some("https") {
            return Err(CallError::NoTls);
        }
        let mut response = self
            .http
            .execute(request.try_into()?)
            .await
            .map_err(reqwest::Error::without_url)?;
        let mut answer = http::Response::builder().status(response.status());
        for (name, value) in response.headers() {
            answer = answer.header(name, value);
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > LONGEST {
                return Err(CallError::Endless);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(answer.body(body)?)
    }
}

impl<'c> AsyncHttpClient<'c> for Caller {
    type Error = CallError;
    type Future = BoxFuture<'c, Result<HttpResponse, CallError>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        self.answer(request).boxed()
    }
}

/// What can be an identity: whom a provider calls nothing would all be one. The length is that of OpenID Connect Core 1.0.
fn is_subject(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.trim() == text && !text.chars().any(char::is_control)
}

/// So many seconds ago; below zero: from now.
fn ago(seconds: i64) -> DateTime<Utc> {
    let at = SystemClock.now().plus(-seconds * SECOND);
    DateTime::from_timestamp_micros(at.micros()).unwrap_or_default()
}

fn not_reached(error: impl std::error::Error) -> ProviderError {
    ProviderError::Unreachable(told(&error))
}

fn refused(error: impl std::error::Error) -> ProviderError {
    ProviderError::Refused(told(&error))
}

/// The error with what led to it.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(&format!(": {error}"));
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_somebody() {
        let longest = "x".repeat(255);
        for text in ["a", "248289761001", "auth0|5f7c", "Ines Keller", &longest] {
            assert!(is_subject(text), "{text}");
        }
        let longer = "x".repeat(256);
        for text in ["", " ", " a", "a\n", "a\0b", &longer] {
            assert!(!is_subject(text), "{text:?}");
        }
    }
}
