//! The body of `/query` (checklist §1.4). Unknown fields are tolerated, wrong types are not; whole numbers may come as
//! strings (C5).

use serde_json::{Map, Value};

use crate::error::Failure;
use crate::hints::Hints;
use crate::history::{self, Point, Wanted};

/// The longest key of a query that is answered later, in bytes.
const KEY_LIMIT: usize = 255;

/// Which files are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum When {
    /// Those of the latest version.
    #[default]
    Latest,
    /// Those of an older one.
    At(Point),
    /// Those that were added or removed since.
    Since(Wanted),
}

/// What is asked of a table.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct QueryRequest {
    /// Rows that are enough, of those that match the predicates.
    pub(crate) limit: Option<u64>,
    pub(crate) hints: Hints,
    /// The client knows the line that ends an answer, though it need not be negotiated: it sent `includeRefreshToken`
    /// or `maxFiles` (H4).
    pub(crate) expects_end: bool,
    pub(crate) when: When,
    /// Whether the protocols that the versions asked for have set are wanted, too.
    pub(crate) historical_protocol: bool,
    /// Files on a page.
    pub(crate) max_files: Option<usize>,
    pub(crate) page_token: Option<String>,
    /// Whether a token is wanted by which the same files get new URLs, and one of an earlier answer.
    pub(crate) include_refresh_token: bool,
    pub(crate) refresh_token: Option<String>,
    /// By which a query that is answered later is the same when it is asked again.
    pub(crate) idempotency_key: Option<String>,
}

impl QueryRequest {
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Failure> {
        Self::parse_where(body, || Ok(()))
    }

    /// As `parse`, of a table that may refuse older versions: it does so before it is looked at how they are named.
    pub(crate) fn parse_where(
        body: &[u8],
        check_history: impl FnOnce() -> Result<(), Failure>,
    ) -> Result<Self, Failure> {
        if body.trim_ascii().is_empty() {
            return Err(Failure::malformed(
                "the body is empty: send a JSON object, {} asks for everything",
            ));
        }
        let body: Value = serde_json::from_slice(body).map_err(|error| {
            Failure::malformed(format!(
                "the body is not JSON: line {}, column {}",
                error.line(),
                error.column()
            ))
        })?;
        let Value::Object(body) = body else {
            return Err(Failure::malformed("the body must be a JSON object"));
        };
        let fields = Fields(&body);

        let predicate_hints = fields.texts("predicateHints")?;
        let json_predicate_hints = fields.text("jsonPredicateHints")?;
        let limit = fields.number("limitHint")?;
        let version = fields.number("version")?;
        let timestamp = fields.text("timestamp")?;
        let starting_version = fields.number("startingVersion")?;
        let ending_version = fields.number("endingVersion")?;
        let historical_protocol = fields.flag("includeHistoricalProtocol")?.unwrap_or(false);
        let max_files = fields.number("maxFiles")?;
        let page_token = fields.text("pageToken")?.filter(|token| !token.is_empty());
        let include_refresh_token = fields.flag("includeRefreshToken")?.unwrap_or(false);
        let refresh_token = fields
            .text("refreshToken")?
            .filter(|token| !token.is_empty());
        // The document's name and the one that clients send.
        let documented = fields.text("idempotencyKey")?;
        let sent = fields.text("idempotency_key")?;
        let idempotency_key = documented.or(sent).filter(|key| !key.is_empty());

        let versions = usize::from(version.is_some())
            + usize::from(timestamp.is_some())
            + usize::from(starting_version.is_some());
        let refused = if versions > 1 {
            Some("Please only provide one of: version,timestamp,startingVersion")
        } else if version.is_some_and(|version| version < 0) {
            Some("table version cannot be negative.")
        } else if starting_version.is_some_and(|version| version < 0) {
            Some("startingVersion cannot be negative.")
        } else if limit.is_some_and(|limit| limit < 0) {
            Some("limitHint cannot be negative.")
        } else if versions > 0 && include_refresh_token {
            Some("includeRefreshToken cannot be used when querying a specific version.")
        } else if page_token.is_some() && include_refresh_token {
            Some("includeRefreshToken must be used in the first page request.")
        } else if versions > 0 && refresh_token.is_some() {
            Some("refreshToken cannot be used when querying a specific version.")
        } else if page_token.is_some() && refresh_token.is_some() {
            Some("refreshToken must be used in the first page request.")
        } else if documented.is_some() && sent.is_some() && documented != sent {
            Some("idempotencyKey and idempotency_key are two names of the same: send one of them.")
        } else if idempotency_key.is_some_and(|key| key.len() > KEY_LIMIT) {
            Some("idempotencyKey is too long: at most 255 bytes.")
        } else {
            None
        };
        if let Some(message) = refused {
            return Err(Failure::invalid(message));
        }
        // A page is asked for on the side on which the answer began, which its token tells: there it is looked at again.
        if versions > 0 && page_token.is_none() {
            check_history()?;
        }
        let when = match (version, timestamp, starting_version) {
            (Some(version), ..) => When::At(Point::Version(history::version("version", version)?)),
            (_, Some(text), _) => When::At(Point::Time(history::time("timestamp", text)?)),
            (.., Some(start)) => {
                let point = |name, number| history::version(name, number).map(Point::Version);
                let end = ending_version.map(|end| point("endingVersion", end));
                When::Since(Wanted {
                    start: point("startingVersion", start)?,
                    end: end.transpose()?,
                })
            }
            (None, None, None) => When::Latest,
        };
        let max_files = history::max_files(max_files)?;
        Ok(Self {
            limit: limit.and_then(|limit| u64::try_from(limit).ok()),
            hints: Hints::parse(&predicate_hints, json_predicate_hints),
            expects_end: include_refresh_token || max_files.is_some(),
            when,
            historical_protocol,
            max_files,
            page_token: page_token.map(str::to_owned),
            include_refresh_token,
            refresh_token: refresh_token.map(str::to_owned),
            idempotency_key: idempotency_key.map(str::to_owned),
        })
    }
}

struct Fields<'a>(&'a Map<String, Value>);

impl<'a> Fields<'a> {
    /// `null` is as good as nothing.
    fn get(&self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    fn read<T>(
        &self,
        name: &str,
        what: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, Failure> {
        self.get(name)
            .map(|value| {
                read(value).ok_or_else(|| Failure::malformed(format!("'{name}' must be {what}")))
            })
            .transpose()
    }

    fn text(&self, name: &str) -> Result<Option<&'a str>, Failure> {
        self.read(name, "a string", Value::as_str)
    }

    fn flag(&self, name: &str) -> Result<Option<bool>, Failure> {
        self.read(name, "true or false", Value::as_bool)
    }

    fn number(&self, name: &str) -> Result<Option<i64>, Failure> {
        self.read(name, "a whole number", |value| match value {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        })
    }

    fn texts(&self, name: &str) -> Result<Vec<&'a str>, Failure> {
        let texts = self.read(name, "a list of strings", |value| {
            value.as_array()?.iter().map(Value::as_str).collect()
        })?;
        Ok(texts.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies() {
        let plain = QueryRequest::default();
        for (body, expected) in [
            ("{}", plain),
            (
                r#"{"limitHint":3,"unknown":{"x":[1]}}"#,
                QueryRequest {
                    limit: Some(3),
                    ..Default::default()
                },
            ),
            (
                r#"{"limitHint":"3","predicateHints":[]}"#,
                QueryRequest {
                    limit: Some(3),
                    ..Default::default()
                },
            ),
            (
                r#"{"limitHint":3,"predicateHints":["a = 1"]}"#,
                QueryRequest {
                    limit: Some(3),
                    hints: Hints::parse(&["a = 1"], None),
                    ..Default::default()
                },
            ),
            (
                r#"{"limitHint":3,"jsonPredicateHints":"{}"}"#,
                QueryRequest {
                    limit: Some(3),
                    hints: Hints::parse(&[], Some("{}")),
                    ..Default::default()
                },
            ),
            (r#"{"jsonPredicateHints":" "}"#, QueryRequest::default()),
            (
                r#"{"version":null,"includeRefreshToken":true}"#,
                QueryRequest {
                    expects_end: true,
                    include_refresh_token: true,
                    ..Default::default()
                },
            ),
            (
                r#"{"includeRefreshToken":false,"idempotency_key":"a"}"#,
                QueryRequest {
                    idempotency_key: Some("a".to_owned()),
                    ..Default::default()
                },
            ),
            (
                r#"{"maxFiles":"7"}"#,
                QueryRequest {
                    expects_end: true,
                    max_files: Some(7),
                    ..Default::default()
                },
            ),
            (
                r#"{"version":"3"}"#,
                QueryRequest {
                    when: When::At(Point::Version(3)),
                    ..Default::default()
                },
            ),
            (
                r#"{"startingVersion":1,"endingVersion":"4","includeHistoricalProtocol":true}"#,
                QueryRequest {
                    when: When::Since(Wanted {
                        start: Point::Version(1),
                        end: Some(Point::Version(4)),
                    }),
                    historical_protocol: true,
                    ..Default::default()
                },
            ),
            (
                r#"{"refreshToken":"x"}"#,
                QueryRequest {
                    refresh_token: Some("x".to_owned()),
                    ..Default::default()
                },
            ),
        ] {
            assert_eq!(
                QueryRequest::parse(body.as_bytes()).unwrap(),
                expected,
                "{body}"
            );
        }
    }

    #[test]
    fn wrong_bodies() {
        let deep = format!("{{\"x\":{}", "[".repeat(100_000));
        for (body, code) in [
            ("", "MALFORMED_REQUEST"),
            (" \n", "MALFORMED_REQUEST"),
            ("{", "MALFORMED_REQUEST"),
            ("[]", "MALFORMED_REQUEST"),
            ("null", "MALFORMED_REQUEST"),
            (deep.as_str(), "MALFORMED_REQUEST"),
            (r#"{"predicateHints":"a = 1"}"#, "MALFORMED_REQUEST"),
            (r#"{"predicateHints":[1]}"#, "MALFORMED_REQUEST"),
            (r#"{"jsonPredicateHints":{}}"#, "MALFORMED_REQUEST"),
            (r#"{"limitHint":"many"}"#, "MALFORMED_REQUEST"),
            (r#"{"limitHint":1.5}"#, "MALFORMED_REQUEST"),
            (r#"{"limitHint":99999999999999999999}"#, "MALFORMED_REQUEST"),
            (r#"{"includeRefreshToken":"yes"}"#, "MALFORMED_REQUEST"),
            (r#"{"version":true}"#, "MALFORMED_REQUEST"),
            (r#"{"limitHint":-1}"#, "INVALID_PARAMETER_VALUE"),
            (r#"{"version":-1}"#, "INVALID_PARAMETER_VALUE"),
            (r#"{"startingVersion":-1}"#, "INVALID_PARAMETER_VALUE"),
            (r#"{"timestamp":"2022-04-29"}"#, "INVALID_PARAMETER_VALUE"),
            (
                r#"{"version":1,"timestamp":"2022-04-29T00:00:00Z"}"#,
                "INVALID_PARAMETER_VALUE",
            ),
            (r#"{"maxFiles":0}"#, "INVALID_PARAMETER_VALUE"),
            (
                r#"{"version":1,"includeRefreshToken":true}"#,
                "INVALID_PARAMETER_VALUE",
            ),
            (
                r#"{"pageToken":"x","includeRefreshToken":true}"#,
                "INVALID_PARAMETER_VALUE",
            ),
            (
                r#"{"idempotencyKey":"x","idempotency_key":"y"}"#,
                "INVALID_PARAMETER_VALUE",
            ),
        ] {
            assert_eq!(
                QueryRequest::parse(body.as_bytes()).unwrap_err().code(),
                code,
                "{}",
                &body[..body.len().min(80)]
            );
        }
    }
}
