//! What becomes of a recommendation when a product is reckoned anew. Pure, so that it can be read off and tested: nothing opens and closes
//! from day to day, and what was declined stays away until there is something new to say.

use model::time::DAY;
use model::{AdviceState, Micro, Timestamp};

use super::reckon::{Finding, STILL_WORTH, WORTH};

/// What was declined comes back when it would save so many times what it would have then.
pub const AGAIN: i64 = 2;
/// After one was accepted nothing of its kind is recommended for so long: until there are weeks to judge by.
pub const SETTLES: i64 = 28 * DAY;

/// How a recommendation stands.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    pub state: AdviceState,
    pub snoozed_until: Option<Timestamp>,
    /// What it would save in a month, when it was last looked at or set aside.
    pub saving: Micro,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// It opens, or opens again, and why.
    Open(String),
    /// It stays, with new figures.
    Keep,
    /// It is over, and why.
    Close(String),
    /// Nothing.
    Leave,
}

/// `accepted` is when one of the same kind was accepted last.
pub fn settle(
    known: Option<&Standing>,
    accepted: Option<Timestamp>,
    found: Option<&Finding>,
    now: Timestamp,
) -> Step {
    let is_worth = |percent| found.is_some_and(|found| found.is_worth(percent));
    let settles = accepted.is_some_and(|at| now.since(at) < SETTLES);
    let opened = || {
        Step::Open(format!(
            "it would save {WORTH} % of the cost or more; it stays until that is less than {STILL_WORTH} %"
        ))
    };
    let over = || {
        Step::Close(match found {
            Some(_) => format!("it would save less than {STILL_WORTH} % of the cost by now"),
            None => "the history does not speak for it any more".to_owned(),
        })
    };
    let Some(known) = known else {
        return if is_worth(WORTH) && !settles {
            opened()
        } else {
            Step::Leave
        };
    };
    match known.state {
        AdviceState::Open if is_worth(STILL_WORTH) && !settles => Step::Keep,
        AdviceState::Open if settles => {
            Step::Close("one like it was accepted, and its effect is awaited".to_owned())
        }
        AdviceState::Open => over(),
        AdviceState::Snoozed if known.snoozed_until.is_some_and(|until| now < until) => Step::Leave,
        AdviceState::Snoozed if is_worth(STILL_WORTH) && !settles => {
            Step::Open("the day has come until which it was put off".to_owned())
        }
        AdviceState::Snoozed => over(),
        AdviceState::Declined => {
            let then = known.saving.0.max(1).saturating_mul(AGAIN);
            let is_news = found.is_some_and(|found| found.saving.mean.micro().0 >= then);
            if is_news && is_worth(WORTH) && !settles {
                Step::Open(format!(
                    "it was declined, and would save {AGAIN} times as much by now, or more"
                ))
            } else {
                Step::Leave
            }
        }
        AdviceState::Over if is_worth(WORTH) && !settles => opened(),
        AdviceState::Over | AdviceState::Accepted => Step::Leave,
    }
}
