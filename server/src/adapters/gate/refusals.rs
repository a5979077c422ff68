//! What the protocol is told where the exchange or a storage says no.

use exchange::Error;
use exchange::access::{EndedAccess, ReaderRefused, TurnedAway};
use exchange::ports::Problem;
use sharing::{Reader, Refused};

use crate::oidc::ProviderError;

pub(super) fn ended(end: EndedAccess) -> Refused {
    Refused::Ended {
        at: end.at,
        revoked: end.revoked,
        urls_until: end.urls_until,
    }
}

/// Why a token of an issuer says nothing: for the caller it is none, for the log why.
pub(super) fn unbelieved(error: ProviderError) -> Refused {
    match error {
        ProviderError::Refused(why) => {
            tracing::debug!(why, "a token of an issuer was refused");
            Refused::Unknown
        }
        ProviderError::Unreachable(why) => {
            tracing::warn!(why, "an issuer of tokens cannot be asked");
            Refused::Unavailable("the issuer of this token cannot be asked".to_owned())
        }
    }
}

/// The same at the door, where it may be known whose the credential is.
pub(super) fn turned_away(away: TurnedAway) -> Refused {
    let refused = not_taken(away.why);
    match away.whose {
        Some((recipient, name)) => refused.to_reader(Reader {
            recipient,
            name: name.to_string(),
            token: None,
        }),
        None => refused,
    }
}

pub(super) fn not_taken(why: ReaderRefused) -> Refused {
    match why {
        ReaderRefused::Unknown => Refused::Unknown,
        ReaderRefused::Expired { urls_until } => Refused::Expired { urls_until },
        ReaderRefused::Revoked { urls_until } => Refused::Revoked { urls_until },
        ReaderRefused::Elsewhere => Refused::Forbidden {
            why: why.to_string(),
        },
    }
}

pub(crate) fn refused(error: Error) -> Refused {
    match error {
        Error::NotFound(_) => Refused::NotFound,
        Error::Unavailable(why) => Refused::Unavailable(why),
        error => Refused::Internal(error.to_string()),
    }
}

/// A storage whose row or credential is no good. Asking again does not mend it, so it is no 5xx; what is wrong is for the
/// owner alone.
pub(super) fn cannot_open(problem: &Problem) -> Refused {
    tracing::warn!(
        problem = problem.sentence,
        "a storage cannot be opened for sharing"
    );
    Refused::Forbidden {
        why: "the provider's storage cannot be opened; its owner has to look at it".to_owned(),
    }
}
