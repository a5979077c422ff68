//! The provider that people sign in by: believed only after its word was checked (C-47).

use std::sync::Arc;

use chrono::{DateTime, Utc};
use exchange::people::Provided;
use model::Clock as _;
use model::time::SECOND;
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreClientAuthMethod, CoreErrorResponseType, CoreGenderClaim,
    CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm,
    CoreProviderMetadata, CoreResponseType, CoreRevocableToken, CoreRevocationErrorResponse,
    CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AuthType, AuthenticationFlow, AuthorizationCode, ClaimsVerificationError, ClientId,
    ClientSecret, CsrfToken, EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet,
    IdTokenFields, IssuerUrl, Nonce, OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, RequestTokenError, Scope, SignatureVerificationError, StandardErrorResponse,
    StandardTokenResponse, TokenResponse as _,
};
use secrecy::ExposeSecret as _;

use super::CALLBACK;
use super::ask::{CallError, Caller, ProviderError, not_reached, refused};
use super::attempt::Attempt;
use super::kept::{Kept, Now};
use super::person::{About, Claims, Extra, PersonClaims};
use crate::adapters::clock::SystemClock;
use crate::config::{OidcSettings, PublicUrl};

/// How far the provider's clock may be from ours, in seconds.
pub(super) const SKEW: i64 = 60;
/// A token is made when the code is redeemed; one that is older was made for something else. Seconds.
const OLDEST: i64 = 600;
/// Only keys that the provider alone has. No `none`, and nothing that is signed with the client's secret.
pub(super) const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
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

pub(super) struct Provider {
    settings: OidcSettings,
    callback: String,
    http: Caller,
    found: Kept<Client>,
}

impl Provider {
    pub(super) fn new(
        settings: OidcSettings,
        public_url: &PublicUrl,
        now: Now,
    ) -> Result<Self, reqwest::Error> {
        Ok(Self {
            callback: format!("{}{CALLBACK}", public_url.as_str()),
            http: Caller::new(&settings.issuer)?,
            found: Kept::new(now),
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
        Ok(self.found().await?.auth_uri().to_string())
    }

    /// Whom the code is for.
    pub(super) async fn redeem(
        &self,
        code: String,
        attempt: &Attempt,
    ) -> Result<Provided, ProviderError> {
        let found = self.found().await?;
        let tokens = found
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
                let newer = self.found.renewed(&found, self.discover()).await?;
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
            if let Ok(asked) = found.user_info(tokens.access_token().clone(), wanted) {
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
        found: &Client,
        token: &'a IdToken,
        nonce: &Nonce,
    ) -> Result<&'a Claims, ClaimsVerificationError> {
        let verifier = found
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
    async fn found(&self) -> Result<Arc<Client>, ProviderError> {
        self.found.get(self.discover()).await
    }

    async fn discover(&self) -> Result<Client, ProviderError> {
        let settings = &self.settings;
        let issuer = IssuerUrl::new(settings.issuer.clone()).map_err(not_reached)?;
        let metadata = CoreProviderMetadata::discover_async(issuer, &self.http)
            .await
            .map_err(not_reached)?;
        let leads_to = metadata.authorization_endpoint().url().scheme();
        if self.http.needs_tls() && leads_to != "https" {
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

/// What can be an identity: whom a provider calls nothing would all be one. The length is that of OpenID Connect Core 1.0.
fn is_subject(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.trim() == text && !text.chars().any(char::is_control)
}

/// So many seconds ago; below zero: from now.
pub(super) fn ago(seconds: i64) -> DateTime<Utc> {
    let at = SystemClock.now().plus(-seconds * SECOND);
    DateTime::from_timestamp_micros(at.micros()).unwrap_or_default()
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
