//! One's own account, in two plain routes that work without JavaScript: `POST /account/password` changes the session, because a
//! new password ends all others, and `POST /account/tokens` answers with a secret, which may be kept nowhere on the way to its page.

use std::sync::Arc;

use app::ctx::{Flash, MadeToken};
use app::pages::account::{self, tokens};
use axum::body::Body;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, FromRequest as _, Request, State};
use axum::response::Response;
use axum::routing::post;
use axum::{Extension, Router};
use exchange::idempotency::Begun;
use exchange::{Error, Exchange, Principal};
use http::{Extensions, HeaderValue, StatusCode, header};
use model::dto::{PasswordChange, TokenCreated, TokenNew};
use serde::Deserialize;
use sharing::Peer;
use tower::ServiceExt as _;
use tower_sessions::Session;

use crate::middleware::headers::ResponseNonce;
use crate::middleware::observe::sentence;
use crate::middleware::principal::Visit;
use crate::plain_form::EXPIRED;
use crate::session;
use crate::sign_in::go_to;

#[derive(Clone)]
struct Account {
    exchange: Exchange,
    /// Draws the page that shows a token.
    portal: Router,
}

/// The routes, which stand beside the portal's pages of the same paths.
pub fn router(exchange: Exchange, portal: Router) -> Router {
    Router::new()
        .route("/account/password", post(password))
        .route(tokens::PATH, post(make_token))
        .with_state(Account { exchange, portal })
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Passwords {
    current: String,
    password: String,
    again: String,
}

async fn password(
    State(state): State<Account>,
    Extension(principal): Extension<Principal>,
    Extension(visit): Extension<Visit>,
    session: Session,
    form: Result<Form<Passwords>, FormRejection>,
) -> Response {
    let at = account::PATH;
    let (Some(person), Some(name)) = (principal.own_account(), visit.me.and_then(|me| me.name))
    else {
        return sign_in_first(at);
    };
    let Ok(Form(form)) = form else {
        return unreadable();
    };
    if form.password != form.again {
        let error = Error::invalid("again", "this is not the same as the new password");
        return refused(&session, at, account::PASSWORD, Vec::new(), error).await;
    }
    let change = PasswordChange {
        current: Some(form.current),
        password: form.password,
    };
    let changed = state
        .exchange
        .password_set(&principal, name.as_str(), change)
        .await;
    if let Err(error) = changed {
        return refused(&session, at, account::PASSWORD, Vec::new(), error).await;
    }
    // All sessions have ended, this one too: who knew the old password goes on in another one.
    let flash = Flash {
        notice: Some("Your password is changed. You are signed out everywhere else.".to_owned()),
        ..Flash::default()
    };
    let kept = match session::sign_in(&session, person).await {
        Ok(()) => session::put_flash(&session, at, &flash).await,
        Err(error) => Err(error),
    };
    match kept {
        Ok(()) => go_to(at),
        // The password is the new one all the same.
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "a session could not go on after a new password"
            );
            sign_in_first(at)
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct TokenForm {
    name: String,
    /// Of the form as it was drawn: what is sent twice with it is done once.
    once: String,
    /// `team:role`, or empty for the person.
    acts_as: String,
    days: String,
}

impl TokenForm {
    fn asked(&self) -> Result<TokenNew, Error> {
        let days = match self.days.trim() {
            "" => None,
            text => Some(
                text.parse()
                    .map_err(|_| Error::invalid("days", "from 1 to 365"))?,
            ),
        };
        let (team, role) = self.acts_as.split_once(':').unzip();
        Ok(TokenNew {
            name: self.name.clone(),
            team: team.map(str::to_owned),
            role: role.map(str::to_owned),
            days,
        })
    }

    fn values(self) -> Vec<(String, String)> {
        vec![
            ("name".to_owned(), self.name),
            ("acts_as".to_owned(), self.acts_as),
            ("days".to_owned(), self.days),
        ]
    }
}

const MADE_ALREADY: &str = "this form was sent already, and its token was made once; it stands in the list. Whoever has not copied it \
    revokes it there, and makes another";

/// Sent twice, a form makes one token: a second one would be one that nobody has seen.
async fn make_once(
    exchange: &Exchange,
    principal: &Principal,
    form: &TokenForm,
) -> Result<TokenCreated, Error> {
    let new = form.asked()?;
    if form.once.is_empty() {
        return exchange.token_create(principal, None, new).await;
    }
    let key = format!("{} {}", tokens::PATH, form.once);
    match exchange.idempotency_begin(principal, &key, &[]).await? {
        Begun::Fresh => {}
        Begun::Running => {
            return Err(Error::conflict(
                "this form was sent already and may still be under way; look at the list in a moment, and load the page again if it made none",
            ));
        }
        Begun::Different | Begun::Done { .. } => {
            return Err(Error::conflict(MADE_ALREADY));
        }
    }
    let made = exchange.token_create(principal, None, new).await;
    let kept = match &made {
        Ok(_) => exchange.idempotency_end(principal, &key, 200, None).await,
        Err(_) => exchange.idempotency_drop(principal, &key).await,
    };
    if let Err(error) = kept {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "it could not be noted what became of a form"
        );
    }
    made
}

async fn make_token(
    State(state): State<Account>,
    Extension(principal): Extension<Principal>,
    session: Session,
    request: Request,
) -> Response {
    let at = tokens::PATH;
    let extensions = request.extensions().clone();
    let form: Result<Form<TokenForm>, FormRejection> = Form::from_request(request, &()).await;
    let Ok(Form(form)) = form else {
        return unreadable();
    };
    if principal.own_account().is_none() {
        // What was typed waits behind the sign-in, as for every other form.
        let flash = Flash {
            form: tokens::NEW.to_owned(),
            values: form.values(),
            errors: vec![(String::new(), EXPIRED.to_owned())],
            ..Flash::default()
        };
        if let Err(error) = session::put_flash(&session, at, &flash).await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "a flash could not be kept"
            );
        }
        return sign_in_first(at);
    }
    match make_once(&state.exchange, &principal, &form).await {
        Ok(made) => {
            let made = MadeToken(Arc::from(made.token));
            shown(state.portal, &extensions, principal, at, made).await
        }
        Err(error) => refused(&session, at, tokens::NEW, form.values(), error).await,
    }
}

/// A page with what was just made on it. It is drawn within this answer: a redirect would have to keep that somewhere.
pub(crate) async fn shown<M: Clone + Send + Sync + 'static>(
    portal: Router,
    seen: &Extensions,
    principal: Principal,
    path: &str,
    made: M,
) -> Response {
    let mut page = Request::new(Body::empty());
    *page.uri_mut() = path.parse().unwrap_or_default();
    page.headers_mut()
        .insert(header::ACCEPT, HeaderValue::from_static("text/html"));
    let extensions = page.extensions_mut();
    if let Some(nonce) = seen.get::<ResponseNonce>() {
        extensions.insert(nonce.clone());
    }
    if let Some(visit) = seen.get::<Visit>() {
        extensions.insert(visit.clone());
    }
    if let Some(peer) = seen.get::<Peer>() {
        extensions.insert(*peer);
    }
    extensions.insert(principal);
    extensions.insert(made);
    match portal.oneshot(page).await {
        Ok(answer) => answer,
        Err(never) => match never {},
    }
}

/// Back to the page, which says what is wrong.
async fn refused(
    session: &Session,
    at: &'static str,
    form: &str,
    values: Vec<(String, String)>,
    error: Error,
) -> Response {
    let errors = match error {
        Error::Unauthenticated => return sign_in_first(at),
        Error::Invalid(fields) => fields
            .into_iter()
            .map(|wrong| (wrong.field, app::words::sentence(&wrong.message)))
            .collect(),
        error => {
            if let Error::Internal(_) = error {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "an account could not be changed"
                );
            }
            vec![(String::new(), app::words::sentence(&error.to_string()))]
        }
    };
    let flash = Flash {
        form: form.to_owned(),
        values,
        errors,
        ..Flash::default()
    };
    match session::put_flash(session, at, &flash).await {
        Ok(()) => go_to(at),
        Err(_) => sentence(
            StatusCode::SERVICE_UNAVAILABLE,
            "Nothing was changed. Please try again soon.",
        ),
    }
}

fn sign_in_first(at: &str) -> Response {
    let query = serde_urlencoded::to_string([("next", at)]).unwrap_or_default();
    go_to(&format!("/sign-in?{query}"))
}

fn unreadable() -> Response {
    sentence(
        StatusCode::UNPROCESSABLE_ENTITY,
        "The form could not be read. Go back and load the page again.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_asked_for_a_person_or_a_team() {
        let form = |acts_as: &str, days: &str| TokenForm {
            name: "ci".to_owned(),
            acts_as: acts_as.to_owned(),
            days: days.to_owned(),
            once: String::new(),
        };
        let own = form("", "").asked().unwrap();
        assert_eq!((own.team, own.role, own.days), (None, None, None));
        let team = form("rnd:consumer", " 30 ").asked().unwrap();
        assert_eq!(team.team.as_deref(), Some("rnd"));
        assert_eq!(team.role.as_deref(), Some("consumer"));
        assert_eq!(team.days, Some(30));
        for days in ["-1", "many", "99999999999"] {
            let error = form("", days).asked().unwrap_err().to_string();
            assert_eq!(error, "days: from 1 to 365", "{days}");
        }
    }
}
