//! What can go wrong with a store, as sentences for people: what happened, why, what to do. Keys, secrets, signed
//! URLs and the store's own error pages never stand in them.

use std::error::Error;
use std::io::ErrorKind;

use object_store::client::{HttpError, HttpErrorKind};

#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum StorageError {
    #[error("{what} is not allowed: {why}")]
    NotAllowed { what: String, why: String },
    #[error("{what} was not found: check the path, and that nobody has deleted it")]
    NotFound { what: String },
    #[error(
        "the store refused access to {what}: check the storage's credential and its permissions (the doctor prints the \
         least policy that would do)"
    )]
    Denied { what: String },
    #[error(
        "{what} cannot be reached: {why}; check the network and the storage's URL and endpoint, then try again"
    )]
    Unreachable { what: String, why: String },
    #[error("{what} exists already")]
    AlreadyExists { what: String },
    #[error(
        "{what} was refused: it leads through a symbolic link or out of the storage; nothing outside the root is touched"
    )]
    Escape { what: String },
    #[error("the store could not serve {what}: {why}")]
    Other { what: String, why: String },
}

/// Stands as the source of an [`object_store::Error`] when a key would leave the storage.
#[derive(Debug, thiserror::Error)]
#[error("the path leads through a symbolic link or out of the storage")]
pub(crate) struct EscapeError;

/// The same for a request that the allow-lists refuse.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct RefusedError(pub(crate) String);

impl StorageError {
    /// The same error, said of `what`.
    #[must_use]
    pub fn about(mut self, subject: impl Into<String>) -> Self {
        match &mut self {
            Self::NotAllowed { what, .. }
            | Self::NotFound { what }
            | Self::Denied { what }
            | Self::Unreachable { what, .. }
            | Self::AlreadyExists { what }
            | Self::Escape { what }
            | Self::Other { what, .. } => *what = subject.into(),
        }
        self
    }

    /// Whether the same may well succeed when it is tried again later.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}

impl From<object_store::Error> for StorageError {
    fn from(error: object_store::Error) -> Self {
        use object_store::Error as E;
        if in_chain::<EscapeError>(&error).is_some() {
            let what = match &error {
                E::PermissionDenied { path, .. } => named(path),
                _ => "a file".to_owned(),
            };
            return Self::Escape { what };
        }
        match &error {
            E::NotFound { path, .. } => Self::NotFound { what: named(path) },
            E::AlreadyExists { path, .. } => Self::AlreadyExists { what: named(path) },
            E::PermissionDenied { path, .. } | E::Unauthenticated { path, .. } => {
                Self::Denied { what: named(path) }
            }
            E::Precondition { path, .. } | E::NotModified { path, .. } => Self::Other {
                what: named(path),
                why: "it has changed in the meantime; try again".to_owned(),
            },
            E::InvalidPath { .. } => Self::Other {
                what: "a name".to_owned(),
                why: "an object in this place has a name that cannot be used; rename or remove it"
                    .to_owned(),
            },
            E::NotSupported { .. } | E::NotImplemented { .. } => Self::Other {
                what: "this operation".to_owned(),
                why: "this kind of store does not offer it".to_owned(),
            },
            _ => general(&error),
        }
    }
}

fn general(error: &object_store::Error) -> StorageError {
    // What we said ourselves, beneath object_store.
    if let Some(known) = in_chain::<StorageError>(error) {
        return known.clone();
    }
    let what = "this storage".to_owned();
    if let Some(RefusedError(why)) = in_chain::<RefusedError>(error) {
        return StorageError::NotAllowed {
            what: "this request".to_owned(),
            why: why.clone(),
        };
    }
    if let Some(http) = in_chain::<HttpError>(error) {
        let why = match http.kind() {
            HttpErrorKind::Connect => "no connection came about",
            HttpErrorKind::Timeout => "it did not answer in time",
            _ => "the connection broke",
        };
        return StorageError::Unreachable {
            what,
            why: why.to_owned(),
        };
    }
    if let Some(io) = in_chain::<std::io::Error>(error) {
        let why = match io.kind() {
            ErrorKind::PermissionDenied => return StorageError::Denied { what },
            ErrorKind::StorageFull => "the disk is full; make room, then try again".to_owned(),
            ErrorKind::ReadOnlyFilesystem => "the file system is read-only".to_owned(),
            kind => kind.to_string(),
        };
        return StorageError::Other { what, why };
    }
    let (status, code) = answer(error);
    let code = code.map(|code| format!(" ({code})")).unwrap_or_default();
    match status {
        Some(401 | 403) => StorageError::Denied { what },
        Some(404) => StorageError::NotFound {
            what: "the bucket or container".to_owned(),
        },
        Some(status @ 300..=399) => StorageError::Other {
            what,
            why: format!(
                "it answered with a redirect ({status}), which is not followed; most likely the region is wrong"
            ),
        },
        Some(status @ 500..=599) => StorageError::Unreachable {
            what,
            why: format!("it answered {status}{code}, also when asked again"),
        },
        Some(status) => StorageError::Other {
            what,
            why: format!("it answered {status}{code}"),
        },
        None => StorageError::Other {
            what,
            why: "its answer was not understood; run the doctor on this storage".to_owned(),
        },
    }
}

/// The HTTP status and the store's error code. object_store keeps both private and shows them in its text alone.
fn answer(error: &object_store::Error) -> (Option<u16>, Option<String>) {
    let text = error.to_string();
    let after = |mark: &str| text.split_once(mark).map(|(_, rest)| rest);
    let digits = |rest: &str| rest.get(..3).and_then(|digits| digits.parse().ok());
    let status = after("status code: ")
        .and_then(digits)
        .or(after("without LOCATION").map(|_| 301));
    let code = after("<Code>")
        .and_then(|rest| rest.split_once("</Code>"))
        .map(|(code, _)| code.to_owned())
        .filter(|code| code.len() <= 64 && code.bytes().all(|b| b.is_ascii_alphanumeric()));
    (status, code)
}

fn in_chain<E: Error + 'static>(error: &object_store::Error) -> Option<&E> {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        // An HttpError and an io::Error may hold what we look for without naming it as their source.
        if let Some(io) = error.downcast_ref::<std::io::Error>()
            && let Some(inner) = io.get_ref()
            && let Some(found) = inner.downcast_ref::<E>()
        {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// A key as it may be shown: it is the user's own path. A query string is cut off, for it might be a signature.
fn named(path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    match path.char_indices().nth(200) {
        Some((at, _)) => format!("`{}…`", &path[..at]),
        None if path.is_empty() => "this place".to_owned(),
        None => format!("`{path}`"),
    }
}
