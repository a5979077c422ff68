//! Who asks, found anew for each request: a session's person for pages and server functions, a bearer token's for `/api/v1`.
//! The two never stand in for each other (C-29), and roles are those of this instant (C-11).

use std::sync::Arc;
use std::time::Duration;

use app::ctx::Flash;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use exchange::{Error, Exchange, Principal};
use http::{HeaderMap, Method, StatusCode, header};
use model::dto::Me;
use rest::Problem;
use sharing::Peer;
use tower_sessions::Session;

use super::client;
use super::limiter::Limiter;
use super::observe::{RequestId, sentence};
use crate::session;

/// What a page may know of who looks at it, and what the last form left behind.
#[derive(Clone, Debug, Default)]
pub struct Visit {
    pub me: Option<Me>,
    pub flash: Flash,
}

/// Leaves [`Principal`] and [`Visit`] in the request's extensions.
pub async fn of_session(
    State(exchange): State<Exchange>,
    mut request: Request,
    next: Next,
) -> Response {
    let session = request.extensions().get::<Session>().cloned();
    let from = request.extensions().get::<Peer>().map(|peer| peer.0);
    let path = request.uri().path().to_owned();
    let page = is_page(&request).then_some(path.as_str());
    match visit(&exchange, session.as_ref(), page).await {
        Ok((principal, visit)) => {
            request.extensions_mut().insert(principal.at(from));
            request.extensions_mut().insert(visit);
            next.run(request).await
        }
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "a session could not be read"
            );
            sentence(
                StatusCode::SERVICE_UNAVAILABLE,
                "The server cannot read sessions at the moment. Please try again soon.",
            )
        }
    }
}

async fn visit(
    exchange: &Exchange,
    session: Option<&Session>,
    page: Option<&str>,
) -> Result<(Principal, Visit), Error> {
    let Some(session) = session else {
        return Ok((Principal::nobody(), Visit::default()));
    };
    let principal = match session::person(session).await? {
        Some(person) => exchange.principal_of_session(person).await?,
        None => Principal::nobody(),
    };
    let me = if principal.is_signed_in() {
        Some(exchange.me(&principal).await?)
    } else {
        None
    };
    // A flash is for the next page, not for the files and calls that a page makes.
    let flash = match page {
        Some(path) => session::take_flash(session, path).await?,
        None => Flash::default(),
    };
    Ok((principal, Visit { me, flash }))
}

fn is_page(request: &Request) -> bool {
    let wants_html = request
        .headers()
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"));
    *request.method() == Method::GET && wants_html
}

/// What the guard of `/api/v1` needs.
#[derive(Clone)]
pub struct Bearers {
    pub exchange: Exchange,
    /// All requests of one caller.
    pub requests: Arc<Limiter>,
    /// Wrong tokens of one address.
    pub refusals: Arc<Limiter>,
    pub trusted_proxies: Arc<[std::net::IpAddr]>,
}

impl Bearers {
    pub fn new(
        exchange: Exchange,
        per_second: u32,
        trusted_proxies: Arc<[std::net::IpAddr]>,
    ) -> Self {
        let refill = Duration::from_secs(1) / per_second.max(1);
        Self {
            exchange,
            requests: Arc::new(Limiter::new(per_second.saturating_mul(4), refill)),
            refusals: Arc::new(Limiter::new(30, Duration::from_secs(2))),
            trusted_proxies,
        }
    }
}

/// Leaves a [`Principal`] in the request's extensions: of the bearer token, or nobody. A cookie counts for nothing here.
pub async fn of_token(State(state): State<Bearers>, mut request: Request, next: Next) -> Response {
    let id = request
        .extensions()
        .get::<RequestId>()
        .map(|id| id.0.clone());
    let refuse = |problem: Problem| problem.with_request_id(id.clone()).into_response();
    let from = client::address(
        request.extensions(),
        request.headers(),
        &state.trusted_proxies,
    );
    let address = from.map_or_else(|| "in process".to_owned(), |address| address.to_string());
    let token = match bearer(request.headers()) {
        Ok(token) => token,
        Err(()) => return refuse(Problem::unauthenticated()),
    };
    let principal = match token {
        None => Principal::nobody(),
        Some(token) => {
            if let Err(seconds) = state.refusals.check(&address) {
                return refuse(Problem::too_many(seconds));
            }
            match state.exchange.principal_of_token(&token).await {
                Ok(principal) => principal.at(from),
                Err(error) => {
                    if matches!(error, Error::Unauthenticated) {
                        let _ = state.refusals.take(&address);
                    }
                    return refuse(error.into());
                }
            }
        }
    };
    let key = principal
        .token_id()
        .map_or(address, |token| token.to_string());
    if let Err(seconds) = state.requests.take(&key) {
        return refuse(Problem::too_many(seconds));
    }
    request.extensions_mut().insert(principal);
    next.run(request).await
}

/// The token of the one Authorization header. Err: there is one, but it is no bearer token.
fn bearer(headers: &HeaderMap) -> Result<Option<String>, ()> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = all.next() else {
        return Ok(None);
    };
    if all.next().is_some() {
        return Err(());
    }
    let text = value.to_str().map_err(|_| ())?;
    let (scheme, token) = text.split_once(' ').ok_or(())?;
    if scheme.eq_ignore_ascii_case("bearer") {
        Ok(Some(token.trim().to_owned()))
    } else {
        Err(())
    }
}
