//! Signing in by a provider of OpenID Connect (C-46 to C-49): the code flow with PKCE, state and nonce. `provider` asks the
//! provider and checks its word, `person` is what that word says, `attempt` keeps a way there and back in a sealed cookie, `routes` are the two paths of the
//! browser. Whom an identity is, and what groups give, is the exchange's.
//!
//! Also here, because they are asked and checked the same way: `issuers`, whose tokens let recipients in without a credential of ours.
//! `ask` asks either, `kept` remembers what they said.

mod ask;
mod attempt;
mod issuers;
mod kept;
mod person;
mod provider;
pub(crate) mod routes;

use std::sync::{Arc, OnceLock};

use exchange::people::{Entry, Provided};
use exchange::{Error, Exchange, Principal};
use http::{HeaderMap, HeaderValue};
use model::Clock as _;

use crate::adapters::clock::SystemClock;
use crate::config::{OidcSettings, PublicUrl};
pub use ask::ProviderError;
use attempt::{Attempt, Seal};
pub(crate) use issuers::Issuers;
use provider::Provider;

/// Where the provider sends people back to; registered there.
pub const CALLBACK: &str = "/sign-in/oidc/callback";

/// The installation's key for this use.
const KEY: &str = "sign-in";

/// The one provider of this installation.
pub struct Oidc {
    exchange: Exchange,
    provider: Provider,
    /// Made at first use: an installation without a provider has no such key.
    seal: OnceLock<Seal>,
    https: bool,
}

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("it was not begun in this browser, has been used, or took too long")]
    Stale,
    #[error("the provider let nobody through: {0}")]
    There(String),
    #[error(transparent)]
    Provider(#[from] ProviderError),
    #[error("the account is disabled")]
    Disabled,
    #[error("nobody is known by this identity")]
    Unknown { subject: String },
    #[error(transparent)]
    Ours(#[from] Error),
}

/// What the provider has sent the browser back with.
#[derive(Debug)]
pub(crate) struct Back {
    pub(crate) state: String,
    pub(crate) code: Option<String>,
    pub(crate) issuer: Option<String>,
    pub(crate) error: Option<String>,
}

impl Oidc {
    pub fn new(
        settings: OidcSettings,
        exchange: Exchange,
        public_url: &PublicUrl,
    ) -> Result<Self, reqwest::Error> {
        let clock = exchange.clone();
        Ok(Self {
            provider: Provider::new(settings, public_url, Arc::new(move || clock.now()))?,
            exchange,
            seal: OnceLock::new(),
            https: public_url.is_https(),
        })
    }

    async fn seal(&self) -> Result<&Seal, Error> {
        if let Some(seal) = self.seal.get() {
            return Ok(seal);
        }
        let system = Principal::system();
        let key = self.exchange.installation_key(&system, KEY).await?;
        Ok(self.seal.get_or_init(|| Seal::new(key, self.https)))
    }

    /// Where to send the browser, and the cookies: the one that it comes back with, and what takes back of others that are too
    /// many. `next` is a path of this site, `headers` are the browser's.
    pub(crate) async fn begin(
        &self,
        headers: &HeaderMap,
        next: &str,
    ) -> Result<(String, Vec<HeaderValue>), Refusal> {
        let attempt = Attempt::new(next, self.exchange.now())?;
        let url = self.provider.way(&attempt).await?;
        let seal = self.seal().await?;
        let mut cookies = seal.make_room(headers);
        cookies.push(seal.cookie(&attempt)?);
        Ok((url, cookies))
    }

    /// What the browser was sent off with, where this is its way back.
    pub(crate) async fn attempt(
        &self,
        headers: &HeaderMap,
        state: &str,
    ) -> Result<Option<Attempt>, Error> {
        let now = self.exchange.now();
        let found = self.seal().await?.open(headers, state);
        Ok(found.filter(|attempt| attempt.ends_at() > now))
    }

    /// The cookie that takes the one of this way back.
    pub(crate) async fn forget(&self, state: &str) -> Result<Option<HeaderValue>, Error> {
        Ok(self.seal().await?.forget(state))
    }

    /// Whom the provider has sent back.
    pub(crate) async fn finish(
        &self,
        attempt: &Attempt,
        back: Back,
    ) -> Result<(model::PersonId, Principal), Refusal> {
        let used = self
            .exchange
            .sign_in_state_use(&attempt.state, attempt.ends_at())
            .await?;
        if !used {
            return Err(Refusal::Stale);
        }
        // RFC 9207: an answer of another provider that the person also has is not for us.
        if back
            .issuer
            .is_some_and(|issuer| issuer != self.provider.issuer())
        {
            let why = "the answer names another provider".to_owned();
            return Err(ProviderError::Refused(why).into());
        }
        if let Some(error) = back.error {
            return Err(Refusal::There(error));
        }
        let code = back
            .code
            .ok_or_else(|| ProviderError::Refused("the answer holds no code".to_owned()))?;
        let provided: Provided = self.provider.redeem(code, attempt).await?;
        match self.exchange.sign_in_provided(&provided).await? {
            Entry::In(person, principal) => Ok((person, principal)),
            Entry::Disabled => Err(Refusal::Disabled),
            Entry::Unknown => Err(Refusal::Unknown {
                subject: provided.subject,
            }),
        }
    }
}

/// Whether the provider can be found, for `entrepot doctor`: where it sends people.
pub async fn look(settings: OidcSettings, public_url: &PublicUrl) -> Result<String, ProviderError> {
    let provider = Provider::new(settings, public_url, Arc::new(|| SystemClock.now()))
        .map_err(|error| ProviderError::Unreachable(error.to_string()))?;
    provider.look().await
}
