//! One case: its id, the sentence that must hold, and what looks whether it does.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use crate::World;

/// Why a case did not go through to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    Fail {
        expected: String,
        seen: String,
    },
    /// The server does not offer what the case needs.
    Skip(String),
}

/// What a check comes to.
pub(crate) type Checked<T = ()> = Result<T, Stop>;

pub(crate) type Running<'a> = Pin<Box<dyn Future<Output = Checked> + Send + 'a>>;

/// One named case.
pub struct Case {
    /// `C2.one-line`: the rule and what of it.
    pub id: &'static str,
    /// What must hold, as a sentence.
    pub title: &'static str,
    /// Where the rule stands: a section of the protocol's document, or of a client that rests on it.
    pub rule: &'static str,
    pub(crate) run: for<'a> fn(&'a World) -> Running<'a>,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("id", &self.id).finish()
    }
}

/// Makes the list of an area's cases: `"id" "rule" "sentence" function;` each.
macro_rules! cases {
    ($($id:literal $rule:literal $title:literal $run:path;)*) => {
        pub(crate) const CASES: &[$crate::case::Case] = &[$($crate::case::Case {
            id: $id,
            title: $title,
            rule: $rule,
            run: |world| Box::pin($run(world)),
        }),*];
    };
}

pub(crate) use cases;

/// Fails with what was expected and what was seen, unless it holds.
pub(crate) fn ensure(holds: bool, expected: impl Into<String>, seen: impl Into<String>) -> Checked {
    if holds {
        Ok(())
    } else {
        Err(Stop::Fail {
            expected: expected.into(),
            seen: seen.into(),
        })
    }
}

pub(crate) fn fail<T>(expected: impl Into<String>, seen: impl Into<String>) -> Checked<T> {
    Err(Stop::Fail {
        expected: expected.into(),
        seen: seen.into(),
    })
}

pub(crate) fn skip<T>(why: impl Into<String>) -> Checked<T> {
    Err(Stop::Skip(why.into()))
}
