//! How a provider or an issuer is asked: over a client that follows no redirect, takes no endless answer, and goes nowhere without
//! TLS, whatever address the answer before it names.

use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _};
use http::{StatusCode, header};
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use serde::de::DeserializeOwned;

/// One request.
const PATIENCE: Duration = Duration::from_secs(10);
/// No answer of a provider is longer; bytes.
const LONGEST: usize = 1 << 20;

/// For the log: holds no code, no token and no secret.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    #[error("the provider cannot be asked: {0}")]
    Unreachable(String),
    #[error("what the provider said does not hold: {0}")]
    Refused(String),
}

#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    #[error("an address without TLS is not asked")]
    NoTls,
    #[error("the answer is longer than {LONGEST} bytes")]
    Endless,
    #[error("the request did not go through")]
    Failed(#[from] reqwest::Error),
    #[error("not a request or an answer of HTTP")]
    Malformed(#[from] http::Error),
}

/// Asks the provider. Not a closure: over that the compiler cannot tell that what waits for it may move between threads.
pub(super) struct Caller {
    http: reqwest::Client,
    needs_tls: bool,
}

impl Caller {
    /// For an issuer, and whatever address it says: with TLS, unless the issuer is on this machine without.
    pub(super) fn new(issuer: &str) -> Result<Self, reqwest::Error> {
        let needs_tls = issuer.starts_with("https:");
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
            http: http.build()?,
            needs_tls,
        })
    }

    pub(super) fn needs_tls(&self) -> bool {
        self.needs_tls
    }

    /// What stands at an address, as JSON.
    pub(super) async fn json<T: DeserializeOwned>(&self, url: &str) -> Result<T, ProviderError> {
        let request = http::Request::get(url)
            .header(header::ACCEPT, "application/json")
            .body(Vec::new())
            .map_err(not_reached)?;
        let answer = self.answer(request).await.map_err(not_reached)?;
        if answer.status() != StatusCode::OK {
            return Err(ProviderError::Unreachable(format!(
                "it answered {}",
                answer.status()
            )));
        }
        serde_json::from_slice(answer.body())
            .map_err(|_| ProviderError::Unreachable("its answer cannot be read".to_owned()))
    }

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

pub(super) fn not_reached(error: impl std::error::Error) -> ProviderError {
    ProviderError::Unreachable(told(&error))
}

pub(super) fn refused(error: impl std::error::Error) -> ProviderError {
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
