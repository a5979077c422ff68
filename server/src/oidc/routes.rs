//! `GET /sign-in/oidc`, which sends the browser to the provider, and `GET /sign-in/oidc/callback`, where it comes back. Both are
//! GET because redirects are; the first changes nothing here, the second nothing without the cookie that the first has set.

use app::ctx::Flash;
use app::next::local_path;
use app::pages::sign_in::FORM;
use app::words::sign_in::{CLOSED, NOT_TRUSTED, NOT_YET, SENT_BACK, STALE, UNREACHABLE};
use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode, Uri, header};
use tower_sessions::Session;

use super::{Back, Oidc, ProviderError, Refusal};
use crate::middleware::observe::sentence;
use crate::session;
use crate::sign_in::{Failed, SignIn, back_to_form, go_to, too_many};

/// The longest path to go on to afterwards that still fits into a cookie; bytes.
const NEXT_MAX: usize = 1_500;

/// The answer's parameters; what else a provider adds is its own affair.
fn parameters(uri: &Uri) -> Vec<(String, String)> {
    serde_urlencoded::from_str(uri.query().unwrap_or_default()).unwrap_or_default()
}

/// The one value of that name. None: there is none, or more than one.
fn only(parameters: &[(String, String)], name: &str) -> Option<String> {
    let mut values = parameters.iter().filter(|(found, _)| found == name);
    let (_, value) = values.next()?;
    values.next().is_none().then(|| value.clone())
}

pub(crate) async fn begin(
    State(state): State<SignIn>,
    session: Session,
    request: Request,
) -> Result<Response, Failed> {
    let Some(oidc) = &state.oidc else {
        return Ok(not_here());
    };
    if let Err(seconds) = state.tries.check(&state.address_of(&request)) {
        return Ok(too_many(seconds));
    }
    let next = only(&parameters(request.uri()), "next");
    let next = next
        .as_deref()
        .and_then(local_path)
        .filter(|path| path.len() <= NEXT_MAX)
        .unwrap_or("/");
    let headers = request.headers().clone();
    // Nobody is signed in because another site wanted it: that one only gets to the page with the button.
    let is_foreign = headers
        .get("sec-fetch-site")
        .is_some_and(|site| site == "cross-site");
    if is_foreign {
        return Ok(go_to(&back_to_form(next)?));
    }
    match oidc.begin(&headers, next).await {
        Ok((url, cookies)) => {
            let mut response = go_to(&url);
            for cookie in cookies {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
            Ok(response)
        }
        Err(refusal) => refused(&session, refusal, next).await,
    }
}

pub(crate) async fn finish(
    State(state): State<SignIn>,
    session: Session,
    request: Request,
) -> Result<Response, Failed> {
    let Some(oidc) = &state.oidc else {
        return Ok(not_here());
    };
    // Each way back that leads nowhere is a try. Many who come by one address and are let in are none.
    let address = state.address_of(&request);
    if let Err(seconds) = state.tries.check(&address) {
        return Ok(too_many(seconds));
    }
    let headers = request.headers().clone();
    let parameters = parameters(request.uri());
    // RFC 6749: none of them is given twice. An answer that does so is of no way.
    let is_doubled = ["state", "code", "iss", "error"]
        .into_iter()
        .any(|name| parameters.iter().filter(|(found, _)| found == name).count() > 1);
    let back = Back {
        state: only(&parameters, "state")
            .filter(|_| !is_doubled)
            .unwrap_or_default(),
        code: only(&parameters, "code"),
        issuer: only(&parameters, "iss"),
        error: only(&parameters, "error").map(|error| error.chars().take(64).collect()),
    };
    let begun = back.state.clone();
    let (mut response, is_in) = signed_in(oidc, &session, headers, back).await?;
    if !is_in {
        // What it answers is for the next one: this one was answered already.
        let _ = state.tries.take(&address);
    }
    if let Some(cookie) = oidc.forget(&begun).await? {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// And whether somebody is.
async fn signed_in(
    oidc: &Oidc,
    session: &Session,
    headers: HeaderMap,
    back: Back,
) -> Result<(Response, bool), Failed> {
    let Some(attempt) = oidc.attempt(&headers, &back.state).await? else {
        return Ok((refused(session, Refusal::Stale, "/").await?, false));
    };
    let next = local_path(&attempt.next).unwrap_or("/");
    match oidc.finish(&attempt, back).await {
        Ok((person, principal)) => {
            session::sign_in(session, person).await?;
            tracing::info!(actor = principal.pseudonym(), "signed in by the provider");
            Ok((go_to(next), true))
        }
        Err(refusal) => Ok((refused(session, refusal, next).await?, false)),
    }
}

/// Back to the form, which says what became of it; the log says why.
async fn refused(session: &Session, refusal: Refusal, next: &str) -> Result<Response, Failed> {
    let text = match refusal {
        Refusal::Ours(error) => return Err(error.into()),
        Refusal::Stale => STALE.to_owned(),
        Refusal::There(_) => SENT_BACK.to_owned(),
        Refusal::Provider(ProviderError::Unreachable(_)) => UNREACHABLE.to_owned(),
        Refusal::Provider(ProviderError::Refused(_)) => NOT_TRUSTED.to_owned(),
        Refusal::Disabled => CLOSED.to_owned(),
        Refusal::Unknown { ref subject } => format!("{NOT_YET} {subject}"),
    };
    tracing::info!(why = %refusal, "sign-in by the provider refused");
    let flash = Flash {
        form: FORM.to_owned(),
        errors: vec![(String::new(), text)],
        ..Flash::default()
    };
    session::put_flash(session, "/sign-in", &flash).await?;
    Ok(go_to(&back_to_form(next)?))
}

fn not_here() -> Response {
    sentence(
        StatusCode::NOT_FOUND,
        "This exchange has no sign-in by company account.",
    )
}
