//! All routes of one process, in parts: `/api/v1` with bearer tokens, the protocol's routes with recipients' tokens, and
//! everything that a session's cookie reaches. Only the last has the origin guard, and the cookie counts nowhere else.

use std::net::IpAddr;
use std::sync::Arc;

use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::any;
use axum::{Extension, Router};
use exchange::Exchange;
use rest::{BODY_LIMIT, Problem};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::csrf::CsrfLayer;
use tower_http::limit::RequestBodyLimitLayer;

use crate::config::{PublicUrl, ScanningSettings};
use crate::middleware::client;
use crate::middleware::csrf::{self, Guard};
use crate::middleware::guesses::{self, Guesses};
use crate::middleware::headers::{self, Policy};
use crate::middleware::observe::{self, RequestId};
use crate::middleware::principal::{self, Bearers};
use crate::oidc::Oidc;
use crate::sign_in::SignIn;
use crate::{account, download, health, plain_form, profile, scanning, session};

/// What the routes are made of.
pub struct Parts {
    pub exchange: Exchange,
    pub public_url: PublicUrl,
    pub trusted_proxies: Arc<[IpAddr]>,
    pub requests_per_second: u32,
    pub sign_ins_per_minute: u32,
    /// The provider that people may sign in by, if there is one.
    pub oidc: Option<Arc<Oidc>>,
    /// The portal's pages, server functions and files, with its own page for what does not exist as fallback. They find
    /// [`principal::Visit`] and the principal in the request's extensions.
    pub portal: Router,
    /// Who may report tokens that were found somewhere; None: nobody.
    pub scanning: Option<ScanningSettings>,
    /// The protocol and the gateway: they check recipients' tokens and signatures themselves.
    pub machines: Router,
}

/// Everything on one listener, save the metrics.
pub fn build(parts: Parts) -> Router {
    let api = api(&parts);
    let browser = browser(&parts);
    let health = health::router(parts.exchange.clone());
    let scanning = scanning::router(parts.exchange.clone(), parts.scanning.clone());
    let machines = parts
        .machines
        .merge(scanning)
        .layer(from_fn_with_state(
            Guesses::new(Arc::clone(&parts.trusted_proxies)),
            guesses::limit,
        ))
        .layer(from_fn_with_state(
            Arc::clone(&parts.trusted_proxies),
            client::note_peer,
        ));
    let routes = browser
        .nest("/api/v1", api)
        // A nest does not hold this one, which would lead to the portal's page.
        .route("/api/v1/", any(nothing_here))
        .merge(health)
        .merge(machines);
    let policy = Policy {
        https: parts.public_url.is_https(),
    };
    outermost(routes.route_layer(from_fn(observe::note_route)), policy)
}

/// Request id, trace, panics, time, headers: whatever happens inside, an answer comes out and a line is logged.
fn outermost(routes: Router, policy: Policy) -> Router {
    routes
        .layer(from_fn_with_state(policy, headers::apply))
        .layer(from_fn(observe::limit_time))
        .layer(CatchPanicLayer::custom(observe::panicked))
        .layer(from_fn(observe::observe))
}

async fn nothing_here(Extension(id): Extension<RequestId>) -> Problem {
    Problem::no_such_path().with_request_id(Some(id.0))
}

fn api(parts: &Parts) -> Router {
    let bearers = Bearers::new(
        parts.exchange.clone(),
        parts.requests_per_second,
        Arc::clone(&parts.trusted_proxies),
    );
    rest::router(parts.exchange.clone()).layer(from_fn_with_state(bearers, principal::of_token))
}

fn browser(parts: &Parts) -> Router {
    let sign_in = SignIn::new(
        parts.exchange.clone(),
        parts.sign_ins_per_minute,
        Arc::clone(&parts.trusted_proxies),
        parts.oidc.clone(),
    );
    let guard = Guard {
        origin: parts.public_url.as_str().to_owned(),
        cookie: session::cookie_name(&parts.public_url),
    };
    let pages = parts
        .portal
        .clone()
        .layer(from_fn(plain_form::answer))
        .merge(sign_in.router())
        .merge(profile::router(
            parts.exchange.clone(),
            parts.portal.clone(),
        ))
        .merge(account::router(
            parts.exchange.clone(),
            parts.portal.clone(),
        ))
        .merge(download::router(parts.exchange.clone()))
        .layer(from_fn_with_state(
            parts.exchange.clone(),
            principal::of_session,
        ))
        .layer(session::layer(parts.exchange.clone(), &parts.public_url))
        .layer(from_fn_with_state(
            Arc::clone(&parts.trusted_proxies),
            client::note_peer,
        ));
    guarded(pages, guard)
}

fn guarded(pages: Router, guard: Guard) -> Router {
    // Behind a proxy that rewrites Host, our own origin is still ours.
    let cross_site = CsrfLayer::new()
        .add_trusted_origin(&guard.origin)
        .unwrap_or_else(|_| CsrfLayer::new());
    pages
        .layer(cross_site)
        .layer(from_fn_with_state(guard, csrf::guard))
        .layer(RequestBodyLimitLayer::new(BODY_LIMIT))
}
