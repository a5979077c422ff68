//! Failures as the protocol says them: `{"errorCode", "message"}`, never an internal detail.
//!
//! Clients repeat 429 and 5xx for minutes, so that a mistake of the caller or of the producer is never one of these (C4).

use axum::response::{IntoResponse, Response};
use delta::LogError;
use http::{HeaderName, HeaderValue, StatusCode, header};
use model::Timestamp;
use serde::Serialize;
use storage::StorageError;

use crate::lines::one_line;
use crate::request::Call;
use crate::{Escaped, Reader, Refused};

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What goes wrong, by the protocol's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Unauthenticated,
    Forbidden,
    NotFound,
    InvalidParameter,
    Malformed,
    TooLarge,
    Unsupported,
    Preparing,
    /// No 429: clients would repeat it for minutes, while the day may have hours left.
    OverQuota,
    MethodNotAllowed,
    TooMany {
        retry_after_seconds: u64,
    },
    Unavailable,
    Internal,
}

impl Kind {
    const fn status(self) -> StatusCode {
        match self {
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Forbidden | Self::OverQuota => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::InvalidParameter | Self::Malformed | Self::Unsupported | Self::Preparing => {
                StatusCode::BAD_REQUEST
            }
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    const fn code(self) -> &'static str {
        match self {
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Forbidden => "PERMISSION_DENIED",
            Self::NotFound => "RESOURCE_DOES_NOT_EXIST",
            Self::InvalidParameter => "INVALID_PARAMETER_VALUE",
            Self::Malformed | Self::TooLarge => "MALFORMED_REQUEST",
            Self::Unsupported | Self::MethodNotAllowed => "UNSUPPORTED_OPERATION",
            Self::TooMany { .. } => "REQUEST_LIMIT_EXCEEDED",
            Self::OverQuota => "RESOURCE_EXHAUSTED",
            Self::Preparing | Self::Unavailable => "TEMPORARILY_UNAVAILABLE",
            Self::Internal => "INTERNAL_ERROR",
        }
    }
}

/// One answer that is not a success.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: Kind,
    /// For the caller.
    message: String,
    /// For the log only.
    detail: Option<String>,
    /// The table points out of itself.
    escape: Option<Escaped>,
    /// Who was turned away at the door, where that is known.
    turned_away: Option<Box<Reader>>,
    /// Nobody mends it but the table's producer.
    is_producers: bool,
}

impl Failure {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            detail: None,
            escape: None,
            turned_away: None,
            is_producers: false,
        }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::InvalidParameter, message)
    }

    pub(crate) fn malformed(message: impl Into<String>) -> Self {
        Self::new(Kind::Malformed, message)
    }

    pub(crate) fn unsupported(message: impl Into<String>) -> Self {
        Self::new(Kind::Unsupported, message)
    }

    pub(crate) fn unauthenticated(message: impl Into<String>) -> Self {
        Self::new(Kind::Unauthenticated, message)
    }

    /// 500; `detail` goes to the log.
    pub(crate) fn internal(detail: impl Into<String>) -> Self {
        Self {
            kind: Kind::Internal,
            message: "internal error".to_owned(),
            detail: Some(detail.into()),
            escape: None,
            turned_away: None,
            is_producers: false,
        }
    }

    fn with_escape(mut self, version: Option<u64>, sentence: &str) -> Self {
        self.escape = Some(Escaped {
            version,
            sentence: sentence.to_owned(),
        });
        self
    }

    pub(crate) fn escape(&self) -> Option<&Escaped> {
        self.escape.as_ref()
    }

    fn of_producer(mut self) -> Self {
        self.is_producers = true;
        self
    }

    pub(crate) const fn is_producers(&self) -> bool {
        self.is_producers
    }

    pub(crate) fn turned_away(&self) -> Option<&Reader> {
        self.turned_away.as_deref()
    }

    fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Whether the same may go well later, though nobody changes anything.
    pub(crate) fn is_worth_another_try(&self) -> bool {
        matches!(self.kind, Kind::TooMany { .. } | Kind::Unavailable)
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.kind.status()
    }

    pub(crate) fn code(&self) -> &'static str {
        self.kind.code()
    }

    /// The sentence for the caller, without the request's id.
    pub(crate) fn sentence(&self) -> &str {
        &self.message
    }

    /// The sentence for the caller. Where the reason is in our log only, it names the entry.
    pub(crate) fn message(&self, call: &Call) -> String {
        match self.detail {
            Some(_) => format!("{} (request {})", self.message, call.request_id),
            None => self.message.clone(),
        }
    }

    /// Writes the detail to the log, under the request's id.
    pub(crate) fn log(&self, call: &Call) {
        if let Some(detail) = &self.detail {
            match self.kind {
                Kind::Internal => {
                    tracing::error!(request_id = %call.request_id, detail, "share request failed")
                }
                _ => {
                    tracing::warn!(request_id = %call.request_id, code = self.code(), detail, "share request refused")
                }
            }
        }
    }

    pub(crate) fn respond(&self, call: &Call) -> Response {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Body<'a> {
            error_code: &'a str,
            message: &'a str,
        }

        self.log(call);
        let message = self.message(call);
        let body = one_line(&Body {
            error_code: self.code(),
            message: &message,
        });
        let mut response = (self.status(), body).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Ok(id) = HeaderValue::from_str(&call.request_id) {
            headers.insert(REQUEST_ID, id);
        }
        match self.kind {
            Kind::Unauthenticated => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Kind::TooMany {
                retry_after_seconds,
            } => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_after_seconds));
            }
            _ => {}
        }
        response
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        let until = |urls: Option<Timestamp>| match urls {
            Some(at) => format!("; URLs already issued work until {at}"),
            None => String::new(),
        };
        match refused {
            Refused::Unknown => Self::unauthenticated("the bearer token is invalid"),
            Refused::Expired { urls_until } => {
                let until = until(urls_until);
                Self::unauthenticated(format!(
                    "the bearer token has expired{until}; download a new profile"
                ))
            }
            Refused::Revoked { urls_until } => {
                let until = until(urls_until);
                Self::unauthenticated(format!(
                    "the bearer token is invalid: it was revoked{until}"
                ))
            }
            Refused::Forbidden { why } => Self::new(Kind::Forbidden, why),
            // Not 404: who had access should not look for a misspelt name. Clients repeat neither.
            Refused::Ended {
                at,
                revoked,
                urls_until,
            } => {
                let why = if revoked {
                    "it was revoked"
                } else {
                    "its time was over"
                };
                let until = until(urls_until);
                Self::new(
                    Kind::Forbidden,
                    format!(
                        "the access of this recipient to the table ended at {at}: {why}{until}; ask for access again"
                    ),
                )
            }
            Refused::NotFound => Self::new(Kind::NotFound, "no such share, schema or table"),
            Refused::Unsupported { feature } => needs(&feature),
            Refused::Preparing { why } => Self::new(Kind::Preparing, why),
            Refused::OverQuota { why } => Self::new(Kind::OverQuota, why),
            Refused::TooMany {
                retry_after_seconds,
            } => Self::new(
                Kind::TooMany {
                    retry_after_seconds,
                },
                "too many requests; try again later",
            ),
            Refused::Unavailable(why) => {
                Self::new(Kind::Unavailable, "not available at the moment; try again")
                    .with_detail(why)
            }
            Refused::Internal(why) => Self::internal(why),
            Refused::Known { reader, why } => Self {
                turned_away: Some(reader),
                ..Self::from(*why)
            },
        }
    }
}

/// The table needs `feature`, which this server does not serve.
pub(crate) fn needs(feature: &str) -> Failure {
    Failure::unsupported(format!(
        "the table uses the Delta feature `{feature}`, which cannot be shared yet"
    ))
}

/// A log that cannot be read is the producer's matter, not the caller's, and repeating the call does not mend it: 4xx, and
/// a warning in our log. Only a store that does not answer is worth another try.
impl From<LogError> for Failure {
    fn from(error: LogError) -> Self {
        let detail = error.to_string();
        let escape = error.escape_version();
        let failure = match error {
            LogError::UnknownFeature { names } => needs(&names.join("`, `")),
            LogError::NotATable => missing(detail),
            LogError::NoSuchVersion { .. } => {
                Self::invalid("no such version of the table").with_detail(detail)
            }
            LogError::Gap { .. }
            | LogError::Broken { .. }
            | LogError::BrokenCheckpoint { .. }
            | LogError::Schema { .. }
            | LogError::Escape { .. }
            | LogError::Budget { .. }
            | LogError::Unsupported { .. } => Self::unsupported(
                "the table cannot be read at present; its producer has to repair it",
            )
            .with_detail(detail)
            .of_producer(),
            LogError::Storage(error) => return StorageError::from(error).into(),
        };
        match escape {
            Some(version) => {
                let sentence = failure.detail.clone().unwrap_or_default();
                failure.with_escape(Some(version), &sentence)
            }
            None => failure,
        }
    }
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        let detail = error.to_string();
        let denied = || {
            Self::new(
                Kind::Forbidden,
                "the provider's storage denies access to the table",
            )
            .of_producer()
        };
        match error {
            StorageError::NotFound { .. } => missing(detail),
            StorageError::Denied { .. } | StorageError::NotAllowed { .. } => {
                denied().with_detail(detail)
            }
            StorageError::Escape { .. } => denied().with_escape(None, &detail).with_detail(detail),
            StorageError::Unreachable { .. } => Self::new(
                Kind::Unavailable,
                "the provider's storage does not answer; try again",
            )
            .with_detail(detail),
            StorageError::AlreadyExists { .. } | StorageError::Other { .. } => {
                Self::internal(detail)
            }
        }
    }
}

fn missing(detail: String) -> Failure {
    Failure::new(
        Kind::NotFound,
        "the table's files are missing at its provider",
    )
    .with_detail(detail)
    .of_producer()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A store's failure by what the caller can do about it; the detail stays inside.
    #[test]
    fn failures_of_a_store_are_5xx_only_where_trying_again_helps() {
        let what = || "secret/path".to_owned();
        let why = || "host 10.0.0.1".to_owned();
        for (error, status) in [
            (StorageError::NotFound { what: what() }, 404),
            (StorageError::Denied { what: what() }, 403),
            (
                StorageError::NotAllowed {
                    what: what(),
                    why: why(),
                },
                403,
            ),
            (StorageError::Escape { what: what() }, 403),
            (
                StorageError::Unreachable {
                    what: what(),
                    why: why(),
                },
                503,
            ),
            (
                StorageError::Other {
                    what: what(),
                    why: why(),
                },
                500,
            ),
        ] {
            let failure = Failure::from(error);
            assert_eq!(failure.status().as_u16(), status, "{failure:?}");
            assert_eq!(failure.is_producers(), status < 500, "{failure:?}");
            assert!(
                !failure.message.contains("secret") && !failure.message.contains("10.0"),
                "{failure:?}"
            );
            assert!(failure.detail.is_some());
        }
        for (error, status, code) in [
            (LogError::Gap { missing: 3 }, 400, "UNSUPPORTED_OPERATION"),
            (
                LogError::Budget {
                    what: "rows",
                    limit: 1,
                    found: 2,
                },
                400,
                "UNSUPPORTED_OPERATION",
            ),
            (
                LogError::BrokenCheckpoint {
                    version: 1,
                    what: what(),
                },
                400,
                "UNSUPPORTED_OPERATION",
            ),
            (
                LogError::UnknownFeature {
                    names: vec!["x".to_owned()],
                },
                400,
                "UNSUPPORTED_OPERATION",
            ),
            (LogError::NotATable, 404, "RESOURCE_DOES_NOT_EXIST"),
        ] {
            let failure = Failure::from(error);
            assert_eq!(
                (failure.status().as_u16(), failure.code()),
                (status, code),
                "{failure:?}"
            );
            // What nobody can be told here is no table's mistake.
            let is_ours = failure.message.contains("feature");
            assert_eq!(failure.is_producers(), !is_ours, "{failure:?}");
        }
    }
}
