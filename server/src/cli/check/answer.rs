//! What the server answered: read within limits, and judged where it is not what the protocol promises.

use chrono::DateTime;
use http::{HeaderMap, StatusCode, header};
use model::Timestamp;
use model::time::{HOUR, MINUTE, SECOND};
use serde_json::Value;

use super::report::{Finding, Whom, quoted};
use super::way::Way;

/// The most that is read of an answer before its end, in bytes.
pub(super) const LIMIT: usize = 32 * 1024 * 1024;

/// Clocks that differ by less agree: the header counts seconds, and the way takes some.
const NEAR: i64 = MINUTE;

/// Clocks that differ by more do harm: URLs are taken for ended, or for not begun.
const FAR: i64 = 5 * MINUTE;

/// One answer whose body was read.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) async fn read(mut response: reqwest::Response) -> Result<Self, reqwest::Error> {
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            body.extend_from_slice(&chunk);
            if body.len() > LIMIT {
                break;
            }
        }
        Ok(Self {
            status,
            headers,
            body,
        })
    }

    pub(super) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body)
            .ok()
            .filter(Value::is_object)
    }

    /// Why this is not what was asked for.
    pub(super) fn refused(&self, way: &Way) -> Finding {
        let (status, place) = (self.status, way.place());
        if let Some(finding) = in_between(status, &self.headers, way) {
            return finding;
        }
        let answer = self.json().filter(|answer| answer["errorCode"].is_string());
        let Some(answer) = answer else {
            let kind = kind(&self.headers);
            // Not every server says it in the protocol's words.
            if status == StatusCode::UNAUTHORIZED {
                return Finding::failed(
                    format!("{place} answers 401, {kind}: it does not take the token"),
                    Whom::Giver,
                    format!(
                        "{place} does not take the token of our profile (status 401). Please send us a new profile."
                    ),
                );
            }
            return Finding::failed(
                format!(
                    "{place} answers {}, {kind}: that is no sharing server, or something in between answers in its place",
                    status.as_u16()
                ),
                Whom::Operator,
                format!(
                    "At the endpoint of our profile, {place}, no sharing server answers us (status {}, {kind}). \
                     Is the endpoint still right, and does nothing on our way answer in its place?",
                    status.as_u16()
                ),
            );
        };
        let message = quoted(answer["message"].as_str().unwrap_or_default());
        let (whom, ask) = match status {
            StatusCode::UNAUTHORIZED => (Whom::Giver, "Please send us a new profile."),
            StatusCode::TOO_MANY_REQUESTS => (
                Whom::Operator,
                "Are there more requests of ours than you expect?",
            ),
            StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => {
                (Whom::Giver, "Please see to it that we may read it.")
            }
            status if status.is_server_error() => (Whom::Operator, "Please look into your log."),
            _ => (Whom::Producer, "Please see to it that it can be read."),
        };
        Finding::failed(
            format!("{place} answers {}: {message}", status.as_u16()),
            whom,
            format!(
                "{place} answers us with status {}: {message}. {ask}",
                status.as_u16()
            ),
        )
    }
}

/// What says by itself that something on the way has answered.
pub(super) fn in_between(status: StatusCode, headers: &HeaderMap, way: &Way) -> Option<Finding> {
    let place = way.place();
    if status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
        let proxy = way.proxy().unwrap_or_else(|| "a proxy".to_owned());
        return Some(Finding::failed(
            format!("{proxy} wants a password before it lets requests through to {place}"),
            Whom::Network,
            format!(
                "{proxy} wants us to sign in for {place} (status 407). Please let the machine where we read data through, \
                 or tell us what to put into HTTPS_PROXY."
            ),
        ));
    }
    if status.is_redirection() {
        let to = headers
            .get(header::LOCATION)
            .and_then(|to| to.to_str().ok())
            .and_then(|to| url::Url::parse(to).ok())
            .and_then(|to| Some(Way::to(&to)?.place()))
            .unwrap_or_else(|| "elsewhere".to_owned());
        return Some(Finding::failed(
            format!(
                "{place} sends on to {to}, as a sign-in page of the network does, or a server that has moved"
            ),
            Whom::Network,
            format!(
                "Requests to {place} are sent on to {to}. If that is a page of our network to sign in at, \
                 please let the machine where we read data through without it."
            ),
        ));
    }
    None
}

/// The media type, for people.
pub(super) fn kind(headers: &HeaderMap) -> String {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .map_or_else(
            || "without a media type".to_owned(),
            |kind| quoted(kind.split(';').next().unwrap_or_default()),
        )
}

/// When the answer was made, by its maker's clock.
pub(super) fn date(headers: &HeaderMap) -> Option<Timestamp> {
    let text = headers.get(header::DATE)?.to_str().ok()?;
    let at = DateTime::parse_from_rfc2822(text).ok()?;
    Some(Timestamp::from_datetime(at.to_utc()))
}

/// This machine's clock, by the one who answered.
pub(super) fn clock(there: Option<Timestamp>, here: Timestamp, place: &str) -> Finding {
    let Some(there) = there else {
        return Finding::skipped(format!("{place} does not say what time it is"));
    };
    let ahead = here.since(there);
    let Some(off) = apart(ahead, NEAR) else {
        return Finding::ok(format!("as that of {place}, within a minute"));
    };
    let side = if ahead > 0 { "ahead of" } else { "behind" };
    let detail = format!("this machine's clock is {off} {side} that of {place}");
    if ahead.saturating_abs() <= FAR {
        return Finding::warned(detail);
    }
    Finding::failed(
        detail,
        Whom::Machine,
        format!(
            "The clock of the machine where we read data is {off} {side} that of {place}: certificates and URLs look as if they had \
             ended, or not begun. Please have it set by a time server. If it is right, tell whoever runs {place}."
        ),
    )
}

/// How far two clocks are apart, if it is as much as `least`.
pub(super) fn apart(micros: i64, least: i64) -> Option<String> {
    let off = micros.saturating_abs();
    (off >= least).then(|| match off {
        off if off >= HOUR => format!("{} h {} min", off / HOUR, off % HOUR / MINUTE),
        off => format!("{} min {} s", off / MINUTE, off % MINUTE / SECOND),
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use url::Url;

    use super::super::report::Outcome;
    use super::*;

    fn answer(status: u16, headers: &[(header::HeaderName, &'static str)], body: &str) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: headers
                .iter()
                .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)))
                .collect(),
            body: body.as_bytes().to_vec(),
        }
    }

    #[test]
    fn refusals_name_whom_to_ask() {
        let way = Way::to(&Url::parse("https://data.example/x").unwrap()).unwrap();
        let json =
            |code: &str, says: &str| format!(r#"{{"errorCode":"{code}","message":"{says}"}}"#);
        for (answer, whom, says) in [
            (
                answer(401, &[], &json("UNAUTHENTICATED", "it was revoked")),
                Whom::Giver,
                "it was revoked",
            ),
            (
                answer(403, &[], &json("PERMISSION_DENIED", "access ended")),
                Whom::Giver,
                "access ended",
            ),
            (
                answer(400, &[], &json("UNSUPPORTED_OPERATION", "the feature x")),
                Whom::Producer,
                "the feature x",
            ),
            (
                answer(503, &[], &json("TEMPORARILY_UNAVAILABLE", "request 7")),
                Whom::Operator,
                "request 7",
            ),
            (
                answer(200, &[(header::CONTENT_TYPE, "text/html; x")], "<html>"),
                Whom::Operator,
                "200, text/html",
            ),
            (
                answer(404, &[], "nginx"),
                Whom::Operator,
                "no sharing server",
            ),
            (answer(407, &[], ""), Whom::Network, "password"),
            (
                answer(
                    302,
                    &[(header::LOCATION, "https://portal.example/?u=1")],
                    "",
                ),
                Whom::Network,
                "portal.example:443",
            ),
        ] {
            let finding = answer.refused(&way);
            assert_eq!(finding.outcome, Outcome::Failed);
            assert!(finding.detail.contains(says), "{finding:?}");
            assert_eq!(finding.send.unwrap().0, whom, "{says}");
        }
    }

    #[test]
    fn clocks() {
        let headers = [(
            header::DATE,
            HeaderValue::from_static("Mon, 15 Jun 2026 12:00:00 GMT"),
        )];
        let there = date(&headers.into_iter().collect()).unwrap();
        assert_eq!(there, Timestamp::parse("2026-06-15T12:00:00Z").unwrap());
        for (off, outcome, says) in [
            (0, Outcome::Ok, "within a minute"),
            (-59 * SECOND, Outcome::Ok, "within a minute"),
            (2 * MINUTE, Outcome::Warned, "2 min 0 s ahead of that of x"),
            (-61 * SECOND, Outcome::Warned, "1 min 1 s behind that of x"),
            (3 * HOUR, Outcome::Failed, "3 h 0 min ahead of"),
            (i64::MIN, Outcome::Failed, "behind"),
        ] {
            let finding = clock(Some(there), there.plus(off), "x");
            assert_eq!(finding.outcome, outcome, "{finding:?}");
            assert!(finding.detail.contains(says), "{finding:?}");
        }
        assert_eq!(clock(None, there, "x").outcome, Outcome::Skipped);
    }
}
