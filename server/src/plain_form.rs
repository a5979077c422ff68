//! Forms of the portal. A server function answers with data, and here the answer becomes a redirect with a flash: on success to
//! where it leads, on failure back to the form at its own path, with what was typed and what was wrong. Never to the Referer, and
//! nothing of it in an address. A form that was sent in place is told where to go on instead, and goes there itself.
//!
//! The path is the form's own field `at`, which must be a path of this portal (C-49); that the form is ours, the origin guard has
//! made sure of.

use app::AppError;
use app::api::Done;
use app::ctx::Flash;
use app::next::local_path;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::IntoResponse;
use axum::response::Response;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use rest::BODY_LIMIT;
use serde::de::DeserializeOwned;
use tower_sessions::Session;

use crate::middleware::observe::sentence;
use crate::session;
use crate::sign_in::go_to;

/// Below this are the server functions.
pub const PREFIX: &str = "/_fn/";

/// In what is asked: answer with where to go on. In the answer: there.
const IN_PLACE: HeaderName = HeaderName::from_static("x-in-place");

/// Fields that never go into a flash, whatever form they stand in.
const SECRETS: [&str; 4] = ["password", "current", "token", "credential"];

/// Longer values are not given back.
const VALUE_MAX: usize = 200_000;

pub(crate) const EXPIRED: &str =
    "You were signed out meanwhile. What you wrote is kept: look at it, then send it again.";

/// Stands inside the session's layer and the origin guard.
pub async fn answer(request: Request, next: Next) -> Response {
    if !is_plain(&request) {
        return next.run(request).await;
    }
    let session = request.extensions().get::<Session>().cloned();
    let (mut parts, body) = request.into_parts();
    let in_place = parts.headers.contains_key(IN_PLACE);
    let Ok(body) = axum::body::to_bytes(body, BODY_LIMIT).await else {
        return sentence(
            StatusCode::PAYLOAD_TOO_LARGE,
            "This is more than the form can hold. Go back and shorten it.",
        );
    };
    let form = Sent::parse(&body);
    // Asked like this a server function answers with data, and redirects nowhere.
    parts
        .headers
        .insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    let status = response.status();
    let Ok(answer) = axum::body::to_bytes(response.into_body(), BODY_LIMIT).await else {
        return gone_wrong();
    };
    let (to, at, flash) = match outcome(status, &answer) {
        Some(Ok(done)) => form.done(done),
        Some(Err(error)) => form.refused(&error),
        None => return gone_wrong(),
    };
    if let Some(session) = session
        && let Err(error) = session::put_flash(&session, &at, &flash).await
    {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "a flash could not be kept"
        );
        return gone_wrong();
    }
    if in_place { tell(&to) } else { go_to(&to) }
}

/// Where to go on, for a script.
fn tell(to: &str) -> Response {
    let to = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("/"));
    let headers = [
        (IN_PLACE, to),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (StatusCode::OK, headers).into_response()
}

/// A browser that sends a form wants a page; a script wants data.
fn is_plain(request: &Request) -> bool {
    let wants_page = request
        .headers()
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"));
    *request.method() == Method::POST && request.uri().path().starts_with(PREFIX) && wants_page
}

/// None for what no server function answers.
fn outcome(status: StatusCode, body: &Bytes) -> Option<Result<Done, AppError>> {
    fn read<T: DeserializeOwned>(body: &Bytes) -> Option<T> {
        serde_json::from_slice(body).ok()
    }
    if status.is_success() {
        read(body).map(Ok)
    } else {
        read(body).map(Err)
    }
}

fn gone_wrong() -> Response {
    sentence(
        StatusCode::NOT_FOUND,
        "There is no such form, or it could not be answered. Go back and load the page again.",
    )
}

/// What was sent, as far as a redirect needs it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sent {
    /// The form's own path, with its query.
    at: String,
    id: String,
    stay: bool,
    /// Fields of the form and their values, without secrets.
    values: Vec<(String, String)>,
    /// What they showed when the form was drawn, of forms that change what is there.
    seen: Vec<(String, String)>,
}

impl Sent {
    fn parse(body: &[u8]) -> Self {
        let mut sent = Self {
            at: "/".to_owned(),
            ..Self::default()
        };
        let pairs: Vec<(String, String)> = serde_urlencoded::from_bytes(body).unwrap_or_default();
        for (name, value) in pairs {
            match name.as_str() {
                "at" => local_path(&value).unwrap_or("/").clone_into(&mut sent.at),
                "id" => sent.id = value.chars().take(200).collect(),
                "stay" => sent.stay = true,
                _ => {
                    if let Some(field) = field("form", &name) {
                        sent.values.push((field, value));
                    } else if let Some(field) = field("seen", &name) {
                        sent.seen.push((field, value));
                    }
                }
            }
        }
        for pairs in [&mut sent.values, &mut sent.seen] {
            pairs.retain(|(name, value)| !is_secret(name) && value.len() <= VALUE_MAX);
        }
        sent
    }

    /// Where to go, for which path the flash is, and the flash.
    fn done(self, done: Done) -> (String, String, Flash) {
        let to = if self.stay { self.at } else { done.to };
        let (form, values) = done
            .carry
            .map(|carry| (carry.form, carry.values))
            .unwrap_or_default();
        let flash = Flash {
            form,
            values,
            notice: Some(done.notice),
            is_alarm: done.is_alarm,
            ..Flash::default()
        };
        (to.clone(), to, flash)
    }

    fn refused(self, error: &AppError) -> (String, String, Flash) {
        // Whatever it was refused for: the page is drawn with what is there now, and what was typed was written over what was seen.
        let tells_changes = !self.seen.is_empty();
        let mut flash = Flash {
            form: self.id,
            values: self.values,
            seen: self.seen,
            errors: error
                .fields()
                .into_iter()
                .map(|wrong| (wrong.field, wrong.message))
                .collect(),
            ..Flash::default()
        };
        if *error != AppError::Unauthenticated {
            // What has changed meanwhile may be gone from its page, and the form with it, unless it is there to tell of it.
            let is_stale = matches!(error, AppError::Conflict { .. });
            let to = if (is_stale && !tells_changes) || !is_fragment(&flash.form) {
                self.at.clone()
            } else {
                format!("{}#{}", self.at, flash.form)
            };
            return (to, self.at, flash);
        }
        flash.errors = vec![(String::new(), EXPIRED.to_owned())];
        let query = serde_urlencoded::to_string([("next", &self.at)]).unwrap_or_default();
        (format!("/sign-in?{query}"), self.at, flash)
    }
}

/// `form[purpose][text]` is the field `purpose.text` of `form`.
fn field(of: &str, name: &str) -> Option<String> {
    let inner = name
        .strip_prefix(of)?
        .strip_prefix('[')?
        .strip_suffix(']')?;
    Some(inner.replace("][", "."))
}

/// Whether it can stand behind an address as it is.
fn is_fragment(id: &str) -> bool {
    !id.is_empty()
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

fn is_secret(field: &str) -> bool {
    field.split('.').any(|part| SECRETS.contains(&part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(pairs: &[(&str, &str)]) -> Sent {
        Sent::parse(serde_urlencoded::to_string(pairs).unwrap().as_bytes())
    }

    #[test]
    fn what_was_typed_is_kept_and_secrets_are_not() {
        let long = "x".repeat(VALUE_MAX + 1);
        let sent = sent(&[
            ("at", "/products/vehicle-visits/request?recipient=rnd"),
            ("id", "request-new"),
            ("form[purpose][text]", "a & b"),
            ("form[password]", "hunter2"),
            ("form[storage][credential]", "hunter2"),
            ("form[note]", &long),
            ("seen[purpose][text]", "a"),
            ("seen[credential][variable]", "hunter2"),
            ("seen[note]", &long),
            ("foreign", "x"),
        ]);
        assert_eq!(sent.at, "/products/vehicle-visits/request?recipient=rnd");
        assert_eq!(sent.id, "request-new");
        assert_eq!(
            sent.values,
            [("purpose.text".to_owned(), "a & b".to_owned())]
        );
        assert_eq!(sent.seen, [("purpose.text".to_owned(), "a".to_owned())]);
    }

    #[test]
    fn a_form_leads_back_only_into_the_portal() {
        for at in ["//evil", "https://evil", "/\\evil", "/a/../b", ""] {
            assert_eq!(sent(&[("at", at)]).at, "/", "{at}");
        }
        assert_eq!(Sent::parse(b"\xff\xfe=%zz").at, "/");
    }

    #[test]
    fn success_leads_on_and_failure_back() {
        let done = || Done::new("/requests/7", "Sent.");
        let pairs = [("at", "/access"), ("form[note]", "why")];
        let (to, at, flash) = sent(&pairs).done(done());
        assert_eq!((to.as_str(), at.as_str()), ("/requests/7", "/requests/7"));
        assert_eq!(flash.notice.as_deref(), Some("Sent."));
        assert!(flash.values.is_empty() && !flash.is_alarm);
        let (.., flash) = sent(&pairs).done(done().alarming());
        assert!(flash.is_alarm);
        let (to, ..) = sent(&[("at", "/access"), ("stay", "yes")]).done(done());
        assert_eq!(to, "/access");

        for (id, expected) in [
            ("", "/access"),
            ("end-7_a", "/access#end-7_a"),
            ("a\r\nb", "/access"),
        ] {
            let pairs = [("at", "/access"), ("id", id), ("form[note]", "why")];
            let (to, at, flash) = sent(&pairs).refused(&AppError::NotFound);
            assert_eq!((to.as_str(), at.as_str()), (expected, "/access"));
            assert_eq!(flash.value("note").as_deref(), Some("why"));
            assert!(flash.error("").is_some());
        }
        // The form may be gone from its page.
        let pairs = [("at", "/access"), ("id", "end-7")];
        let conflict = AppError::Conflict {
            message: "It was changed.".to_owned(),
        };
        let (to, ..) = sent(&pairs).refused(&conflict);
        assert_eq!(to, "/access");
        // Unless it is there to tell what has changed.
        let pairs = [("at", "/access"), ("id", "end-7"), ("seen[note]", "")];
        let (to, _, flash) = sent(&pairs).refused(&conflict);
        assert_eq!(to, "/access#end-7");
        assert_eq!(flash.seen, [("note".to_owned(), String::new())]);
    }

    #[test]
    fn who_was_signed_out_meanwhile_comes_back_to_what_was_typed() {
        let pairs = [("at", "/approvals?after=x"), ("form[note]", "why")];
        let (to, at, flash) = sent(&pairs).refused(&AppError::Unauthenticated);
        assert_eq!(to, "/sign-in?next=%2Fapprovals%3Fafter%3Dx");
        assert_eq!(at, "/approvals?after=x");
        assert_eq!(flash.value("note").as_deref(), Some("why"));
        assert_eq!(flash.error("").as_deref(), Some(EXPIRED));
    }
}
