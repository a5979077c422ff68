//! `POST /recipients/{recipient}/profile`: the one download of a recipient's profile, for people; `…/rotate`: of a new one in its
//! place, while the old goes on for a day. Plain routes, because they answer with a file; they work without JavaScript.

use app::ctx::Flash;
use app::next::local_path;
use axum::extract::{Form, Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Extension, Router};
use exchange::{Error, Exchange, Principal};
use http::{HeaderValue, StatusCode, header};
use model::dto::{Profile, ProfileNew, RotationNew};
use serde::Deserialize;
use tower_sessions::Session;

use crate::middleware::observe::sentence;
use crate::session;
use crate::sign_in::go_to;

pub fn router(exchange: Exchange) -> Router {
    Router::new()
        .route("/recipients/{recipient}/profile", post(download))
        .route("/recipients/{recipient}/rotate", post(rotate))
        .with_state(exchange)
}

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
        form: "profile".to_owned(),
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
