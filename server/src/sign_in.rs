//! `POST /sign-in` and `POST /sign-out`: plain routes, because they change the session. They work without JavaScript and
//! answer with a redirect to a path of this site, never to anywhere else (C-49). The way by a provider stands in [`crate::oidc`].

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use app::ctx::Flash;
use app::next::local_path;
use app::pages::sign_in::FORM;
use app::words::sign_in::REFUSED;
use axum::Router;
use axum::extract::{Form, Request, State};
use axum::extract::{FromRequest as _, rejection::FormRejection};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use exchange::{Error, Exchange};
use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;
use tower_sessions::Session;

use crate::middleware::client;
use crate::middleware::limiter::Limiter;
use crate::middleware::observe::sentence;
use crate::oidc::{self, Oidc};
use crate::session;

const NAME_MAX: usize = 63;

#[derive(Clone)]
pub struct SignIn {
    exchange: Exchange,
    pub(crate) tries: Arc<Limiter>,
    trusted_proxies: Arc<[IpAddr]>,
    pub(crate) oidc: Option<Arc<Oidc>>,
}

impl SignIn {
    /// `per_minute` tries for each address and for each name.
    pub fn new(
        exchange: Exchange,
        per_minute: u32,
        trusted_proxies: Arc<[IpAddr]>,
        oidc: Option<Arc<Oidc>>,
    ) -> Self {
        let refill = Duration::from_secs(60) / per_minute.max(1);
        Self {
            exchange,
            tries: Arc::new(Limiter::new(per_minute, refill)),
            trusted_proxies,
            oidc,
        }
    }

    /// The key of the caller's address among the tries.
    pub(crate) fn address_of(&self, request: &Request) -> String {
        let (extensions, headers) = (request.extensions(), request.headers());
        client::address(extensions, headers, &self.trusted_proxies).map_or_else(
            || "address in process".to_owned(),
            |address| format!("address {address}"),
        )
    }

    pub fn router(self) -> Router {
        Router::new()
            .route("/sign-in", post(sign_in))
            .route("/sign-out", post(sign_out))
            .route("/sign-in/oidc", get(oidc::routes::begin))
            .route(oidc::CALLBACK, get(oidc::routes::finish))
            .with_state(self)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Credentials {
    name: String,
    password: String,
    #[serde(default)]
    next: String,
}

async fn sign_in(
    State(state): State<SignIn>,
    session: Session,
    request: Request,
) -> Result<Response, Failed> {
    let address = state.address_of(&request);
    let form: Result<Form<Credentials>, FormRejection> = Form::from_request(request, &()).await;
    let form = match form {
        Ok(Form(form)) => form,
        Err(FormRejection::InvalidFormContentType(_)) => {
            return Ok(sentence(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "Send the form as a browser does.",
            ));
        }
        Err(FormRejection::BytesRejection(_)) => {
            return Ok(sentence(
                StatusCode::PAYLOAD_TOO_LARGE,
                "This is more than the form can hold.",
            ));
        }
        Err(_) => {
            let flash = refused("The form could not be read; please fill it in again.", "");
            session::put_flash(&session, "/sign-in", &flash).await?;
            return Ok(go_to("/sign-in"));
        }
    };
    let name: String = form.name.trim().chars().take(NAME_MAX + 1).collect();
    for key in [address, format!("name {name}")] {
        if let Err(seconds) = state.tries.take(&key) {
            return Ok(too_many(seconds));
        }
    }
    let next = local_path(&form.next).unwrap_or("/").to_owned();
    match state.exchange.sign_in(&name, form.password).await {
        Ok((person, principal)) => {
            session::sign_in(&session, person).await?;
            tracing::info!(actor = principal.pseudonym(), "signed in");
            Ok(go_to(&next))
        }
        Err(Error::Unauthenticated) => {
            tracing::info!("sign-in refused");
            session::put_flash(&session, "/sign-in", &refused(REFUSED, &name)).await?;
            Ok(go_to(&back_to_form(&next)?))
        }
        Err(error) => Err(error.into()),
    }
}

/// The form again, which still knows where to go afterwards.
pub(crate) fn back_to_form(next: &str) -> Result<String, Error> {
    if next == "/" {
        return Ok("/sign-in".to_owned());
    }
    let query = serde_urlencoded::to_string([("next", next)]).map_err(Error::internal)?;
    Ok(format!("/sign-in?{query}"))
}

async fn sign_out(session: Session) -> Result<Response, Failed> {
    let was_signed_in = session::person(&session).await?.is_some();
    session::sign_out(&session).await?;
    if was_signed_in {
        tracing::info!("signed out");
    }
    Ok(go_to("/"))
}

fn refused(sentence: &str, name: &str) -> Flash {
    Flash {
        form: FORM.to_owned(),
        values: vec![("name".to_owned(), name.to_owned())],
        errors: vec![(String::new(), sentence.to_owned())],
        ..Flash::default()
    }
}

/// 303: the browser goes on with GET.
pub(crate) fn go_to(path: &str) -> Response {
    let location = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/"));
    let mut response = StatusCode::SEE_OTHER.into_response();
    response.headers_mut().insert(header::LOCATION, location);
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

pub(crate) fn too_many(seconds: u64) -> Response {
    let mut response = sentence(
        StatusCode::TOO_MANY_REQUESTS,
        "Too many tries to sign in. Please wait a minute and try again.",
    );
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// What went wrong on our side: logged here, a sentence there.
pub(crate) struct Failed(Error);

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        tracing::error!(
            error = &self.0 as &dyn std::error::Error,
            "signing in or out failed"
        );
        sentence(
            StatusCode::SERVICE_UNAVAILABLE,
            "Signing in is not possible at the moment. Please try again soon.",
        )
    }
}
