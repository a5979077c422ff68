//! The one error of the exchange. What a person reads says what happened, why, and what to do next; what only an operator
//! may read stays in the source chain and goes to the log.

use crate::db::DbError;

/// A field and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FieldError {
    /// As the caller wrote it: `until`, `tables[0].path`.
    pub field: String,
    pub message: String,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not there, or not for these eyes: the two are told apart by nobody.
    #[error("there is no such {0}, or you may not see it")]
    NotFound(&'static str),
    #[error("sign in first")]
    Unauthenticated,
    #[error("{0}")]
    Forbidden(String),
    #[error("{}", describe(.0))]
    Invalid(Vec<FieldError>),
    /// The world changed between looking and acting; look again.
    #[error("{0}")]
    Conflict(String),
    /// Something outside did not answer or refused; the sentence says what to do.
    #[error("{0}")]
    Unavailable(String),
    #[error("something went wrong on our side; the log has the details")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

fn describe(fields: &[FieldError]) -> String {
    fields
        .iter()
        .map(|field| format!("{}: {}", field.field, field.message))
        .collect::<Vec<_>>()
        .join("; ")
}

impl Error {
    pub fn invalid(field: &str, message: impl ToString) -> Self {
        Self::Invalid(vec![FieldError {
            field: field.to_owned(),
            message: message.to_string(),
        }])
    }

    pub fn forbidden(why: impl Into<String>) -> Self {
        Self::Forbidden(why.into())
    }

    pub fn conflict(what: impl Into<String>) -> Self {
        Self::Conflict(what.into())
    }

    pub fn internal(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(error.into())
    }

    /// A stale page or a second writer: what every update answers when the revision it saw is gone.
    pub fn changed(what: &str) -> Self {
        Self::Conflict(format!(
            "the {what} was changed meanwhile; look at it again before you go on"
        ))
    }
}

impl From<DbError> for Error {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Unique(_) => {
                Self::Conflict("that name is taken, or the same thing is already there".to_owned())
            }
            DbError::Busy(_) => {
                Self::Unavailable("the database is busy; try again in a moment".to_owned())
            }
            other => Self::Internal(Box::new(other)),
        }
    }
}

/// Collects what is wrong with a form, so that all of it is said at once.
#[derive(Default, Debug)]
pub struct Check(Vec<FieldError>);

impl Check {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn fail(&mut self, field: &str, message: impl ToString) {
        self.0.push(FieldError {
            field: field.to_owned(),
            message: message.to_string(),
        });
    }

    /// Parses, or notes what is wrong and answers None.
    pub fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(
        &mut self,
        field: &str,
        text: &str,
    ) -> Option<T> {
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.fail(field, error);
                None
            }
        }
    }

    /// A text of `min` to `max` characters without control characters (line feeds are allowed where `lines`). However a line
    /// ended, it ends with one line feed: forms send two characters, and would say something else than they were given.
    pub fn text(&mut self, field: &str, text: &str, min: usize, max: usize, lines: bool) -> String {
        let text = text.trim().replace("\r\n", "\n");
        let length = text.chars().count();
        if length < min {
            self.fail(
                field,
                if length == 0 {
                    "say something here".to_owned()
                } else {
                    format!("at least {min} characters")
                },
            );
        } else if length > max {
            self.fail(
                field,
                format!("at most {max} characters; these are {length}"),
            );
        } else if text
            .chars()
            .any(|c| is_unfit(c) && !(lines && matches!(c, '\n' | '\r' | '\t')))
        {
            self.fail(field, "control characters cannot be stored");
        }
        text
    }

    pub fn is_clean(&self) -> bool {
        self.0.is_empty()
    }

    pub fn done(self) -> Result<(), Error> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Error::Invalid(self.0))
        }
    }
}

/// Control characters, and the bidirectional overrides that make a text read as what it is not.
pub(crate) fn is_unfit(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_with_one_character_however_it_was_sent() {
        let mut check = Check::new();
        let text = check.text("note", " a\r\n\r\nb\nc ", 0, 6, true);
        assert_eq!(text, "a\n\nb\nc");
        assert!(check.is_clean());
        check.text("title", "a\r\nb", 0, 9, false);
        assert!(!check.is_clean());
    }
}
