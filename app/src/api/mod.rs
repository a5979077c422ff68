//! What pages and forms ask of the exchange, one file per area: parse, call one operation, map the error. No SQL, no rules.
//!
//! What a page shows is a function that the page calls. What a form changes is a server function, and so a public endpoint: named in
//! the exchange's table of operations, it takes one argument `form`, a type that denies unknown fields, and answers [`Done`].

pub mod access;
pub mod advice;
pub mod audit;
pub mod billing;
pub mod catalog;
pub mod cuts;
pub mod declaration;
pub mod erasures;
pub mod flows;
pub mod notices;
pub mod organisation;
pub mod people;
pub mod replicas;
pub mod storages;
pub mod ways;

use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;

/// The text of a field that was sent, though it be empty: it was emptied, and is not to stay as it was.
fn sent<'de, D: Deserializer<'de>>(field: D) -> Result<Option<String>, D::Error> {
    String::deserialize(field).map(Some)
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed<T> {
    pub items: Vec<T>,
    /// Present when there is more: hand it back as `after`.
    pub next: Option<String>,
}

/// What a form did, and where to go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// A path of the portal.
    pub to: String,
    /// A sentence for the page there.
    pub notice: String,
    /// Values for a form of that page, which it goes on with.
    #[serde(default)]
    pub carry: Option<Carry>,
    /// Whether the sentence tells of something wrong, and is to interrupt.
    #[serde(default)]
    pub is_alarm: bool,
}

/// A form, and values of its fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carry {
    pub form: String,
    pub values: Vec<(String, String)>,
}

impl Done {
    pub fn new(to: impl Into<String>, notice: impl Into<String>) -> Self {
        Self {
            to: to.into(),
            notice: notice.into(),
            carry: None,
            is_alarm: false,
        }
    }

    /// It was done, and what it found is bad.
    pub fn alarming(mut self) -> Self {
        self.is_alarm = true;
        self
    }

    /// With values for a form of the page that follows.
    pub fn carrying(mut self, form: &str, values: &[(&str, String)]) -> Self {
        let values = values.iter();
        self.carry = Some(Carry {
            form: form.to_owned(),
            values: values
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect(),
        });
        self
    }
}

/// All that an operation lists, page after page: for what is chosen from.
macro_rules! every {
    (|$page:ident| $asked:expr) => {{
        let mut $page = exchange::page::PageRequest::all();
        let mut items = Vec::new();
        loop {
            let found = $asked.await.map_err($crate::api::said)?;
            items.extend(found.items);
            $page.after = found.next;
            if $page.after.is_none() {
                break;
            }
        }
        items
    }};
}
pub(crate) use every;

pub(crate) use server_side::{call, confirmed, parse_id, said, teams};

mod server_side {
    use std::str::FromStr;

    use exchange::Exchange;
    use exchange::Principal;
    use exchange::page::Page;
    use http::StatusCode;
    use http::request::Parts;
    use leptos::prelude::use_context;
    use leptos_axum::ResponseOptions;

    use super::Listed;
    use crate::ctx::Visit;
    use crate::error::AppError;
    use crate::error::FieldError;
    use crate::words;
    use crate::words::sentence;

    /// The exchange, and who asks: the server provides both for each page and each call.
    pub(crate) fn call() -> Result<(Exchange, Principal), AppError> {
        match (use_context(), use_context()) {
            (Some(exchange), Some(principal)) => Ok((exchange, principal)),
            _ => Err(AppError::Internal { request_id: None }),
        }
    }

    /// The names of the viewer's teams.
    pub(crate) fn teams() -> Vec<String> {
        let visit: Visit = use_context().unwrap_or_default();
        let teams = visit.viewer.map(|viewer| viewer.teams).unwrap_or_default();
        teams.into_iter().map(|team| team.team).collect()
    }

    /// An error of the exchange in the portal's words. Internals go to the log and stay there.
    pub(crate) fn said(error: exchange::Error) -> AppError {
        use exchange::Error;
        let app = match error {
            Error::NotFound(_) => AppError::NotFound,
            Error::Unauthenticated => AppError::Unauthenticated,
            Error::Forbidden(why) => AppError::Forbidden {
                message: sentence(&why),
            },
            Error::Invalid(fields) => AppError::Invalid {
                fields: fields
                    .into_iter()
                    .map(|wrong| FieldError {
                        field: wrong.field,
                        message: sentence(&wrong.message),
                    })
                    .collect(),
            },
            Error::Conflict(what) => AppError::Conflict {
                message: sentence(&what),
            },
            Error::Unavailable(what) => AppError::Unavailable {
                message: sentence(&what),
            },
            Error::Internal(_) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "a page or a form failed"
                );
                AppError::Internal {
                    request_id: request_id(),
                }
            }
        };
        set_status(&app);
        app
    }

    /// Whether the name of what cannot be had back was written by hand. Asked only once it is known that the viewer may see what
    /// has that name.
    pub(crate) fn confirmed(written: &str, name: &str) -> Result<(), AppError> {
        if written.trim() == name.trim() {
            return Ok(());
        }
        // Whatever a form says it is.
        let name: String = name.chars().take(200).collect();
        let why = words::answers::write_to_confirm(&name);
        Err(said(exchange::Error::invalid("confirm", why)))
    }

    /// An identifier of a path or a form. What is none is not there.
    pub(crate) fn parse_id<T: FromStr>(text: &str) -> Result<T, AppError> {
        text.parse().map_err(|_| {
            set_status(&AppError::NotFound);
            AppError::NotFound
        })
    }

    impl<T> From<Page<T>> for Listed<T> {
        fn from(page: Page<T>) -> Self {
            Self {
                items: page.items,
                next: page.next,
            }
        }
    }

    fn request_id() -> Option<String> {
        let parts: Parts = use_context()?;
        let id = parts.headers.get("x-request-id")?.to_str().ok()?;
        Some(id.to_owned())
    }

    /// A call's answer has the error's status; a page that shows an error beside other things keeps its own.
    fn set_status(error: &AppError) {
        let is_call =
            use_context::<Parts>().is_some_and(|parts| parts.uri.path().starts_with("/_fn/"));
        if let (true, Some(response)) = (is_call, use_context::<ResponseOptions>()) {
            let status = StatusCode::from_u16(error.status());
            response.set_status(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
        }
    }
}
