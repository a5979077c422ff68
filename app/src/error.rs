//! The one error of the portal's server functions: what went wrong in words a page can show. Internals stay in the
//! log, found again by the request's id.

use std::fmt;

use leptos::prelude::use_context;
use serde::Deserialize;
use serde::Serialize;
use server_fn::codec::JsonEncoding;
use server_fn::error::FromServerFnError;
use server_fn::error::ServerFnErrorErr;

use crate::words;

/// One wrong field of a form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// The field's name; empty when the whole form is meant.
    pub field: String,
    /// A sentence that says what is wrong and what to do.
    pub message: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AppError {
    Invalid {
        fields: Vec<FieldError>,
    },
    Unauthenticated,
    Forbidden {
        message: String,
    },
    /// Does not exist, or may not be seen by the viewer: both look the same.
    NotFound,
    /// Somebody else was faster; what was shown is no longer what is.
    Conflict {
        message: String,
    },
    /// Something outside did not answer; trying again may help.
    Unavailable {
        message: String,
    },
    /// `request_id` is absent when the request never reached the server.
    Internal {
        request_id: Option<String>,
    },
}

impl AppError {
    /// The HTTP status this error stands for.
    pub fn status(&self) -> u16 {
        match self {
            Self::Invalid { .. } => 422,
            Self::Unauthenticated => 401,
            Self::Forbidden { .. } => 403,
            Self::NotFound => 404,
            Self::Conflict { .. } => 409,
            Self::Unavailable { .. } => 503,
            Self::Internal { .. } => 500,
        }
    }

    /// What is wrong, field by field; one sentence about the whole form where no field is.
    pub fn fields(&self) -> Vec<FieldError> {
        match self {
            Self::Invalid { fields } => fields.clone(),
            other => vec![FieldError {
                field: String::new(),
                message: other.to_string(),
            }],
        }
    }
}

impl fmt::Display for AppError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid { fields } => match fields.first() {
                Some(first) => f.write_str(&first.message),
                None => f.write_str(words::frame::FORM_COULD_NOT_BE_READ),
            },
            Self::Unauthenticated => f.write_str(words::frame::NOT_SIGNED_IN_ANY_MORE),
            Self::Forbidden { message }
            | Self::Conflict { message }
            | Self::Unavailable { message } => f.write_str(message),
            Self::NotFound => f.write_str(words::frame::DOES_NOT_EXIST),
            Self::Internal {
                request_id: Some(id),
            } => f.write_str(&words::frame::went_wrong_on_our_side(id)),
            Self::Internal { request_id: None } => f.write_str(words::both::SERVER_UNREACHABLE),
        }
    }
}

impl std::error::Error for AppError {}

impl FromServerFnError for AppError {
    type Encoder = JsonEncoding;

    /// What failed around a server function rather than in it. The texts are dropped: they name types and bytes.
    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        match error {
            ServerFnErrorErr::Args(_) | ServerFnErrorErr::MissingArg(_) => {
                // Whoever sent it is to mend it: without this it would count as a failure of ours.
                if let Some(response) = use_context::<leptos_axum::ResponseOptions>() {
                    response.set_status(http::StatusCode::UNPROCESSABLE_ENTITY);
                }
                let message = words::frame::FORM_COULD_NOT_BE_READ_LOAD_AGAIN.to_owned();
                Self::Invalid {
                    fields: vec![FieldError {
                        field: String::new(),
                        message,
                    }],
                }
            }
            _ => Self::Internal { request_id: None },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn travels_as_json() {
        let errors = [
            AppError::Invalid {
                fields: vec![FieldError {
                    field: "until".to_owned(),
                    message: "Too late.".to_owned(),
                }],
            },
            AppError::Unauthenticated,
            AppError::Forbidden {
                message: "No.".to_owned(),
            },
            AppError::NotFound,
            AppError::Conflict {
                message: "Changed.".to_owned(),
            },
            AppError::Unavailable {
                message: "Later.".to_owned(),
            },
            AppError::Internal {
                request_id: Some("r-1".to_owned()),
            },
        ];
        for error in errors {
            let text = serde_json::to_string(&error).unwrap();
            assert_eq!(
                serde_json::from_str::<AppError>(&text).unwrap(),
                error,
                "{text}"
            );
        }
    }

    #[test]
    fn internals_do_not_leak() {
        let secret = "password=hunter2 at src/lib.rs".to_owned();
        for raw in [
            ServerFnErrorErr::Args(secret.clone()),
            ServerFnErrorErr::ServerError(secret.clone()),
            ServerFnErrorErr::Deserialization(secret.clone()),
            ServerFnErrorErr::Request(secret.clone()),
        ] {
            let error = AppError::from_server_fn_error(raw);
            assert!(!error.to_string().contains("hunter2"));
            assert!(!serde_json::to_string(&error).unwrap().contains("hunter2"));
        }
    }

    #[test]
    fn says_what_is_wrong_field_by_field() {
        let wrong = FieldError {
            field: "until".to_owned(),
            message: "Too late.".to_owned(),
        };
        let error = AppError::Invalid {
            fields: vec![wrong.clone()],
        };
        assert_eq!(error.fields(), [wrong]);
        assert_eq!(error.status(), 422);
        let whole = AppError::NotFound.fields();
        assert_eq!(whole.len(), 1);
        assert_eq!(whole[0].field, "");
    }
}
