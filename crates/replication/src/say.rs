//! Sentences for people from errors of stores. The store's own text is left out: it may hold a signed address.

use object_store::Error;

/// What went wrong, with what to do about it.
pub(crate) fn say(error: &Error) -> String {
    match error {
        Error::NotFound { path, .. } => format!("`{path}` is not there"),
        Error::AlreadyExists { path, .. } => format!("`{path}` is there already"),
        Error::Precondition { path, .. } | Error::NotModified { path, .. } => {
            format!("`{path}` changed while it was being read")
        }
        Error::PermissionDenied { path, .. } => {
            format!("the storage's credential may not touch `{path}`: extend its permissions")
        }
        Error::Unauthenticated { .. } => {
            "the storage does not accept the credential: renew it".to_owned()
        }
        Error::InvalidPath { source } => {
            format!("a name that object stores cannot hold: {source}")
        }
        Error::NotSupported { .. } | Error::NotImplemented { .. } => {
            "the storage cannot do what is needed".to_owned()
        }
        // Said for people already, where the storage is another's share.
        Error::Generic {
            store: "a Delta Share",
            source,
        } => source.to_string(),
        _ => "the storage did not answer as it should: try again later".to_owned(),
    }
}
