//! `POST /recipients/{recipient}/profile`: the one download of a recipient's profile, for people; `…/rotate`: of a new one in its
//! place, while the old goes on for a day; `…/activation`: a link that gives it to somebody without an account, and `POST /activate`,
//! which takes it by such a link. Plain routes, because they answer with a file or with a secret; they work without JavaScript.

use std::sync::Arc;

use app::ctx::{Flash, MadeLink};
use app::next::local_path;
use app::pages::activate;
use axum::extract::{Form, FromRef, FromRequest as _, Path, Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Extension, Router};
use exchange::{Error, Exchange, Principal};
use http::{HeaderValue, StatusCode, header};
use model::dto::{ActivationNew, Profile, ProfileNew, RotationNew};
use serde::Deserialize;
use sharing::Peer;
use tower_sessions::Session;

use crate::account;
use crate::middleware::observe::sentence;
use crate::session;
use crate::sign_in::go_to;

/// The routes; `portal` draws the page that shows a link.
pub fn router(exchange: Exchange, portal: Router) -> Router {
    Router::new()
        .route("/recipients/{recipient}/profile", post(download))
        .route("/recipients/{recipient}/rotate", post(rotate))
        .route("/recipients/{recipient}/activation", post(make_link))
        .route(activate::PATH, post(take))
        .with_state(Profiles { exchange, portal })
}

#[derive(Clone)]
struct Profiles {
    exchange: Exchange,
    portal: Router,
}

impl FromRef<Profiles> for Exchange {
    fn from_ref(state: &Profiles) -> Self {
        state.exchange.clone()
    }
}

/// The forms of "My access", in a flash.
const FORM: &str = "profile";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    /// The page of the form; there a refusal is told.
    #[serde(default)]
    at: String,
}

async fn download(
    State(exchange): State<Exchange>,
    Extension(principal): Extension<Principal>,
    session: Session,
    Path(recipient): Path<String>,
    Form(sent): Form<Sent>,
) -> Response {
    let made = exchange
        .profile_create(&principal, &recipient, ProfileNew::default())
        .await;
    answer(made, &recipient, &sent, &session).await
}

async fn rotate(
    State(exchange): State<Exchange>,
    Extension(principal): Extension<Principal>,
    session: Session,
    Path(recipient): Path<String>,
    Form(sent): Form<Sent>,
) -> Response {
    let made = exchange
        .recipient_rotate(&principal, &recipient, RotationNew::default())
        .await;
    answer(made, &recipient, &sent, &session).await
}

/// Answers with the page that shows the link: nothing on the way there keeps it.
async fn make_link(
    State(state): State<Profiles>,
    Extension(principal): Extension<Principal>,
    session: Session,
    Path(recipient): Path<String>,
    request: Request,
) -> Response {
    let extensions = request.extensions().clone();
    let Ok(Form(sent)) = Form::<Sent>::from_request(request, &()).await else {
        return unreadable();
    };
    let made = state
        .exchange
        .activation_create(&principal, &recipient, ActivationNew::default())
        .await;
    match made {
        Ok(link) => {
            let made = MadeLink(Arc::new(link));
            account::shown(state.portal, &extensions, principal, "/access", made).await
        }
        Err(error) => refused(error, local_path(&sent.at).unwrap_or("/"), FORM, &session).await,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Link {
    #[serde(default)]
    link: String,
}

/// Whoever has the link, signed in or not. Where it gives nothing, the page that it leads to says why.
async fn take(
    State(state): State<Profiles>,
    Extension(principal): Extension<Principal>,
    session: Session,
    request: Request,
) -> Response {
    let extensions = request.extensions().clone();
    let Ok(Form(Link { link })) = Form::<Link>::from_request(request, &()).await else {
        return unreadable();
    };
    let from = extensions.get::<Peer>().map(|peer| peer.0);
    let taken = state.exchange.activation_use(&principal, &link, from).await;
    let error = match taken {
        Ok((recipient, profile)) => match serde_json::to_vec_pretty(&profile) {
            Ok(text) => return file(recipient.as_str(), text),
            Err(error) => Error::internal(error),
        },
        Err(error) => error,
    };
    let query = serde_urlencoded::to_string([("link", &link)]).unwrap_or_default();
    let at = format!("{}?{query}", activate::PATH);
    match error {
        Error::NotFound(_) | Error::Forbidden(_) => {
            account::shown(state.portal, &extensions, principal, &at, ()).await
        }
        error => refused(error, &at, activate::FORM, &session).await,
    }
}

async fn answer(
    made: Result<Profile, Error>,
    recipient: &str,
    sent: &Sent,
    session: &Session,
) -> Response {
    let at = local_path(&sent.at).unwrap_or("/");
    let error = match made.map(|profile| serde_json::to_vec_pretty(&profile)) {
        Ok(Ok(text)) => return file(recipient, text),
        Ok(Err(error)) => Error::internal(error),
        Err(error) => error,
    };
    refused(error, at, FORM, session).await
}

/// Back to the page, which says why.
async fn refused(error: Error, at: &str, form: &str, session: &Session) -> Response {
    if let Error::Unauthenticated = error {
        let query = serde_urlencoded::to_string([("next", at)]).unwrap_or_default();
        return go_to(&format!("/sign-in?{query}"));
    }
    if let Error::Internal(_) = error {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "a profile could not be made"
        );
    }
    let flash = Flash {
        form: form.to_owned(),
        errors: vec![(String::new(), app::words::sentence(&error.to_string()))],
        ..Flash::default()
    };
    match session::put_flash(session, at, &flash).await {
        Ok(()) => go_to(at),
        Err(_) => sentence(
            StatusCode::SERVICE_UNAVAILABLE,
            "The profile could not be made. Please try again soon.",
        ),
    }
}

fn unreadable() -> Response {
    sentence(
        StatusCode::UNPROCESSABLE_ENTITY,
        "The form could not be read. Go back and load the page again.",
    )
}

/// The recipient's name is one the exchange knows, so it is fit for a file's name.
fn file(recipient: &str, text: Vec<u8>) -> Response {
    let name = format!("attachment; filename=\"{recipient}.share\"");
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        ),
        (
            header::CONTENT_DISPOSITION,
            HeaderValue::from_str(&name).unwrap_or(HeaderValue::from_static("attachment")),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, text).into_response()
}
