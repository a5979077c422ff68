//! `POST /secret-scanning`: where a scanner of repositories, wikis or chats reports tokens that it found (C-30), in the form in which
//! GitHub's secret scanning reports them to its partners. What still counts of them is revoked, written down, and told to its team.
//!
//! The answer says of each token whether it could be one at all, which whoever knows prefix and checksum can reckon alone; whether it
//! was one, and whose, it says to nobody. Only who shows the configured proof is listened to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Extension, Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use exchange::access::could_be_leaked;
use exchange::{Error, Exchange, Principal};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use model::Clock as _;
use model::dto::LeakNew;
use model::time::{MINUTE, SECOND};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sharing::Peer;
use subtle::ConstantTimeEq as _;

use crate::adapters::clock::SystemClock;
use crate::config::{Proof, ScanningSettings};
use crate::middleware::limiter::Limiter;
use crate::middleware::observe::sentence;

/// Where it is listened.
pub const PATH: &str = "/secret-scanning";

/// What tokens of recipients, and links to them, are called in reports and answers.
const KIND: &str = "entrepot_recipient_token";
/// And those of people and services.
const SERVICE_KIND: &str = "entrepot_service_token";

/// The longest report; bytes.
const LONGEST: usize = 1 << 20;
/// So many tokens in one.
const MOST: usize = 1_000;
/// The longest word on where something was found; characters.
const WORDS: usize = 500;
/// How far a signature's time may be from ours.
const TOLERANCE: i64 = 5 * MINUTE;
/// Reports without proof from one address, and how soon there may be another.
const REFUSALS: (u32, Duration) = (10, Duration::from_secs(6));

#[derive(Clone)]
struct Scanning {
    exchange: Exchange,
    settings: Option<ScanningSettings>,
    refusals: Arc<Limiter>,
}

pub fn router(exchange: Exchange, settings: Option<ScanningSettings>) -> Router {
    let state = Scanning {
        exchange,
        settings,
        refusals: Arc::new(Limiter::new(REFUSALS.0, REFUSALS.1)),
    };
    Router::new()
        .route(PATH, post(report))
        .layer(DefaultBodyLimit::max(LONGEST))
        .with_state(state)
}

/// One token that was found; what else a scanner says of it is not needed.
#[derive(Deserialize)]
struct Found {
    token: String,
    /// Where.
    #[serde(default)]
    url: Option<String>,
}

#[derive(Serialize)]
struct Said {
    /// SHA-256 in base64: the token itself is not said again.
    token_hash: String,
    token_type: &'static str,
    label: &'static str,
}

async fn report(
    State(state): State<Scanning>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(settings) = &state.settings else {
        return sentence(
            StatusCode::NOT_FOUND,
            "Nobody is listened to here: the operator has not said who may report tokens.",
        );
    };
    let address = peer.map_or_else(
        || "in process".to_owned(),
        |Extension(Peer(address))| address.to_string(),
    );
    if let Err(seconds) = state.refusals.check(&address) {
        return too_many(seconds);
    }
    if !is_shown(settings, &headers, &body) {
        let _ = state.refusals.take(&address);
        return sentence(
            StatusCode::UNAUTHORIZED,
            "This report does not show that it comes from the scanner that is known here.",
        );
    }
    let found: Vec<Found> = match serde_json::from_slice(&body) {
        Ok(found) => found,
        Err(_) => {
            return sentence(
                StatusCode::BAD_REQUEST,
                "Send a list of objects with token, type and url, as JSON.",
            );
        }
    };
    if found.len() > MOST {
        return sentence(
            StatusCode::BAD_REQUEST,
            "Send at most 1000 tokens in one report.",
        );
    }
    let said: Vec<Said> = found.iter().map(said).collect();
    if let Err(error) = revoke(&state.exchange, found).await {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "leaked tokens could not be revoked"
        );
        return sentence(
            StatusCode::SERVICE_UNAVAILABLE,
            "Not everything could be looked at. Please send the same report again soon.",
        );
    }
    Json(said).into_response()
}

async fn revoke(exchange: &Exchange, found: Vec<Found>) -> Result<(), Error> {
    let mut by_place: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for Found { token, url } in found {
        let place = url.unwrap_or_default();
        // What could not be written down is left out: that is no reason to leave a token alive.
        let place = place.chars().filter(|c| c.is_ascii_graphic()).take(WORDS);
        by_place.entry(place.collect()).or_default().push(token);
    }
    for (place, tokens) in by_place {
        let new = LeakNew {
            tokens,
            found_at: Some(place),
        };
        exchange.token_report(&Principal::system(), new).await?;
    }
    Ok(())
}

fn said(found: &Found) -> Said {
    Said {
        token_hash: STANDARD.encode(Sha256::digest(found.token.as_bytes())),
        token_type: if found.token.trim().starts_with("entrepot_st_") {
            SERVICE_KIND
        } else {
            KIND
        },
        label: if could_be_leaked(found.token.trim()) {
            "true_positive"
        } else {
            "false_positive"
        },
    }
}

fn is_shown(settings: &ScanningSettings, headers: &HeaderMap, body: &[u8]) -> bool {
    match settings.proof {
        Proof::Bearer => bearer(headers).is_some_and(|shown| {
            // Hashes, so that not even the length shows in the time that it takes.
            let (shown, key) = (Sha256::digest(shown), Sha256::digest(&settings.key));
            shown.as_slice().ct_eq(key.as_slice()).into()
        }),
        Proof::Signature => is_signed(settings, headers, body),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, secret) = text.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(secret.trim())
}

/// As our own webhook signs: `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`; one of several signatures is enough.
fn is_signed(settings: &ScanningSettings, headers: &HeaderMap, body: &[u8]) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let (Some(id), Some(at), Some(signatures)) = (
        text("webhook-id"),
        text("webhook-timestamp"),
        text("webhook-signature"),
    ) else {
        return false;
    };
    let now = SystemClock.now().micros();
    let is_of_now = at
        .parse::<i64>()
        .ok()
        .and_then(|at| at.checked_mul(SECOND))
        .and_then(|at| now.checked_sub(at))
        .is_some_and(|ago| (-TOLERANCE..=TOLERANCE).contains(&ago));
    if !is_of_now {
        return false;
    }
    signatures.split(' ').any(|signature| {
        let shown = signature
            .strip_prefix("v1,")
            .and_then(|encoded| STANDARD.decode(encoded).ok());
        let mac = Hmac::<Sha256>::new_from_slice(&settings.key).ok();
        let (Some(shown), Some(mut mac)) = (shown, mac) else {
            return false;
        };
        mac.update(format!("{id}.{at}.").as_bytes());
        mac.update(body);
        mac.verify_slice(&shown).is_ok()
    })
}

fn too_many(seconds: u64) -> Response {
    let mut response = sentence(
        StatusCode::TOO_MANY_REQUESTS,
        "Too many reports that show nothing. Please wait a minute and try again.",
    );
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"0123456789abcdef01234567";

    fn settings(proof: Proof) -> ScanningSettings {
        ScanningSettings {
            proof,
            key: SECRET.to_vec(),
        }
    }

    fn headers(pairs: &[(&'static str, String)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                let name = http::HeaderName::from_static(name);
                (name, HeaderValue::from_str(value).unwrap())
            })
            .collect()
    }

    #[test]
    fn a_bearer_shows_the_secret() {
        let secret = std::str::from_utf8(SECRET).unwrap();
        for (text, expected) in [
            (format!("Bearer {secret}"), true),
            (format!("bearer {secret}"), true),
            (format!("Bearer {secret}0"), false),
            (format!("Basic {secret}"), false),
            ("Bearer ".to_owned(), false),
        ] {
            let headers = headers(&[("authorization", text.clone())]);
            assert_eq!(
                is_shown(&settings(Proof::Bearer), &headers, b""),
                expected,
                "{text}"
            );
        }
        assert!(!is_shown(&settings(Proof::Bearer), &HeaderMap::new(), b""));
    }

    #[test]
    fn a_signature_is_of_the_body_and_of_now() {
        let now = SystemClock.now().micros() / SECOND;
        let signed = |at: i64, body: &str| {
            let mut mac = Hmac::<Sha256>::new_from_slice(SECRET).unwrap();
            mac.update(format!("one.{at}.{body}").as_bytes());
            let made = STANDARD.encode(mac.finalize().into_bytes());
            headers(&[
                ("webhook-id", "one".to_owned()),
                ("webhook-timestamp", at.to_string()),
                ("webhook-signature", format!("v1,AAAA v1,{made}")),
            ])
        };
        let shows = |headers: &HeaderMap, body: &str| {
            is_shown(&settings(Proof::Signature), headers, body.as_bytes())
        };
        assert!(shows(&signed(now, "[]"), "[]"));
        assert!(!shows(&signed(now, "[]"), "[ ]"));
        assert!(!shows(&signed(now - 400, "[]"), "[]"), "long ago");
        assert!(!shows(&signed(now + 400, "[]"), "[]"), "not yet");
        let secret = std::str::from_utf8(SECRET).unwrap();
        let bearer = headers(&[("authorization", format!("Bearer {secret}"))]);
        assert!(!shows(&bearer, "[]"), "the other proof");
    }
}
