//! The profile file: whether it is one, and whether its time is over.

use std::path::Path;

use model::Timestamp;
use model::time::DAY;
use serde_json::Value;
use tokio::io::AsyncReadExt as _;
use url::Url;

use super::report::{Finding, Step, Whom};

/// No profile is longer, in bytes.
const LIMIT: u64 = 64 * 1024;

/// From then on the end is near enough to be told.
const SOON: i64 = 7 * DAY;

/// What a client takes from a profile. Secret: no `Debug`.
pub(super) struct Profile {
    pub(super) endpoint: Url,
    pub(super) token: String,
}

pub(super) async fn read(file: &Path, now: Timestamp) -> Step<Profile> {
    let shown = file.display();
    let wrong = |why: std::io::Error| {
        Finding::failed(
            format!("{shown} cannot be read: {why}"),
            Whom::Machine,
            format!("The profile {shown} cannot be read here: {why}."),
        )
    };
    let mut bytes = Vec::new();
    let opened = tokio::fs::File::open(file).await.map_err(wrong)?;
    opened
        .take(LIMIT)
        .read_to_end(&mut bytes)
        .await
        .map_err(wrong)?;
    parse(&bytes, now)
}

fn parse(bytes: &[u8], now: Timestamp) -> Step<Profile> {
    let wrong = |why: &str| {
        Finding::failed(
            why,
            Whom::Giver,
            format!("The profile that we have does not work: {why}. Please send us a new one."),
        )
    };
    // Editors of some systems begin a file with a mark that is no JSON.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let Ok(profile) = serde_json::from_slice::<Value>(bytes) else {
        return Err(wrong("the file is no JSON, as a profile is"));
    };
    match profile["shareCredentialsVersion"].as_i64() {
        Some(1) => {}
        Some(version) => {
            return Err(wrong(&format!(
                "the profile has version {version}; this program and most clients read version 1, which holds a bearer token"
            )));
        }
        None => {
            return Err(wrong(
                "the file is no profile: shareCredentialsVersion is missing",
            ));
        }
    }
    let endpoint = profile["endpoint"].as_str().unwrap_or_default();
    let endpoint = Url::parse(endpoint)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .ok_or_else(|| wrong("the profile's endpoint is no address that begins with https://"))?;
    let token = profile["bearerToken"].as_str().unwrap_or_default();
    if token.is_empty() {
        return Err(wrong("the profile has no bearerToken"));
    }
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(wrong(
            "the profile's bearerToken holds what no token holds: the file was changed on its way",
        ));
    }
    let finding = match &profile["expirationTime"] {
        Value::Null => Finding::ok("version 1; it does not say when it ends"),
        Value::String(text) => match Timestamp::parse(text) {
            Err(_) => Finding::warned("version 1; its expirationTime is no instant"),
            // Gone on with all the same: the server decides, and this machine's clock may be wrong.
            Ok(end) if end <= now => Finding::failed(
                format!("it ended at {end}"),
                Whom::Giver,
                format!("Our profile ended at {end}. Please send us a new one."),
            ),
            Ok(end) if end.since(now) < SOON => Finding::warned(format!(
                "version 1; it ends soon, at {end}: ask for a new one"
            )),
            Ok(end) => Finding::ok(format!("version 1; it ends at {end}")),
        },
        _ => Finding::warned("version 1; its expirationTime is no instant"),
    };
    let profile = Profile {
        endpoint,
        token: token.to_owned(),
    };
    Ok((profile, finding))
}

#[cfg(test)]
mod tests {
    use super::super::report::Outcome;
    use super::*;

    #[test]
    fn profiles() {
        let now = Timestamp::parse("2026-06-15T12:00:00Z").unwrap();
        let with = |more: &str| {
            format!(
                r#"{{"shareCredentialsVersion":1,"endpoint":"https://data.example/delta-sharing/","bearerToken":"t"{more}}}"#
            )
        };
        for (text, outcome, says) in [
            (with(""), Outcome::Ok, "does not say"),
            (format!("\u{feff}{}", with("")), Outcome::Ok, "does not say"),
            (
                with(r#","expirationTime":"2026-09-15T12:00:00.0Z""#),
                Outcome::Ok,
                "2026-09-15T12:00:00Z",
            ),
            (
                with(r#","expirationTime":"2026-06-16T12:00:00Z""#),
                Outcome::Warned,
                "soon",
            ),
            (
                with(r#","expirationTime":"2026-06-15T12:00:00Z""#),
                Outcome::Failed,
                "ended at 2026-06-15T12:00:00Z",
            ),
            (
                with(r#","expirationTime":"never""#),
                Outcome::Warned,
                "no instant",
            ),
            (
                with(r#","expirationTime":7"#),
                Outcome::Warned,
                "no instant",
            ),
        ] {
            let (profile, finding) =
                parse(text.as_bytes(), now).unwrap_or_else(|finding| panic!("{text}: {finding:?}"));
            assert_eq!(profile.token, "t");
            assert_eq!(finding.outcome, outcome, "{text}");
            assert!(finding.detail.contains(says), "{text}: {finding:?}");
        }
        for (text, says) in [
            ("", "no JSON"),
            ("<html>", "no JSON"),
            ("[]", "shareCredentialsVersion"),
            ("{}", "shareCredentialsVersion"),
            (
                r#"{"shareCredentialsVersion":2,"type":"basic"}"#,
                "version 2",
            ),
            (r#"{"shareCredentialsVersion":1}"#, "endpoint"),
            (
                r#"{"shareCredentialsVersion":1,"endpoint":"data.example"}"#,
                "endpoint",
            ),
            (
                r#"{"shareCredentialsVersion":1,"endpoint":"file:///etc"}"#,
                "endpoint",
            ),
            (
                r#"{"shareCredentialsVersion":1,"endpoint":"https://x/"}"#,
                "bearerToken",
            ),
            (
                r#"{"shareCredentialsVersion":1,"endpoint":"https://x/","bearerToken":"a b"}"#,
                "changed on its way",
            ),
        ] {
            let finding = parse(text.as_bytes(), now).err().unwrap();
            assert_eq!(finding.outcome, Outcome::Failed);
            assert!(finding.detail.contains(says), "{text}: {finding:?}");
            assert!(finding.send.is_some());
        }
    }
}
