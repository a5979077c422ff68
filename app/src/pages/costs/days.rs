//! The days that the costs are shown of: the last month, or those of the address, so that a time can be linked to.

use leptos::prelude::*;
use model::Timestamp;
use model::time::DAY;

use crate::components::button::Button;
use crate::components::field::Field;
use crate::components::field::Kind;
use crate::words;

/// So many days are shown where nothing is said.
const USUALLY: i64 = 31;
/// More would not fit into the picture.
const MOST: i64 = 92;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Days {
    /// Midnight, in UTC.
    first: Timestamp,
    last: Timestamp,
    /// Whether the address said so.
    is_chosen: bool,
    /// What of the address could not be followed.
    pub(super) wrong: Option<&'static str>,
}

impl Days {
    pub(super) fn of(now: Timestamp, since: &str, until: &str) -> Self {
        let today = Timestamp::from_utc_day(now.utc_day());
        let usual = |wrong| Self {
            first: today.plus(-(USUALLY - 1) * DAY),
            last: today,
            is_chosen: false,
            wrong,
        };
        let day = |text: &str| match text.trim() {
            "" => Some(None),
            text => Timestamp::parse(text)
                .ok()
                .map(|at| Some(Timestamp::from_utc_day(at.utc_day()))),
        };
        let (Some(since), Some(until)) = (day(since), day(until)) else {
            return usual(Some(words::costs::HOW_A_DAY_IS_WRITTEN));
        };
        if since.is_none() && until.is_none() {
            return usual(None);
        }
        let last = until.unwrap_or(today);
        let first = since.unwrap_or_else(|| last.plus(-(USUALLY - 1) * DAY));
        if first > last {
            return usual(Some(words::costs::FIRST_DAY_AFTER_THE_LAST));
        }
        let earliest = last.plus(-(MOST - 1) * DAY);
        Self {
            first: first.max(earliest),
            last,
            is_chosen: true,
            wrong: (first < earliest).then_some(words::costs::NO_MORE_THAN_92_DAYS),
        }
    }

    pub(super) fn first(&self) -> String {
        words::day(self.first)
    }

    pub(super) fn last(&self) -> String {
        words::day(self.last)
    }

    /// The oldest first.
    pub(super) fn all(&self) -> Vec<String> {
        let count = self.last.since(self.first) / DAY + 1;
        (0..count)
            .map(|day| words::day(self.first.plus(day * DAY)))
            .collect()
    }

    /// What an address needs that shows the same days.
    pub(super) fn kept(&self) -> Vec<(&'static str, String)> {
        if self.is_chosen {
            vec![("since", self.first()), ("until", self.last())]
        } else {
            Vec::new()
        }
    }
}

/// A form that only leads to another address; what else the address says is kept.
pub(super) fn form(days: &Days, kept: &[(&'static str, String)]) -> impl IntoView + use<> {
    let kept = kept
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| {
            let (name, value) = (*name, value.clone());
            view! { <input type="hidden" name=name value=value/> }
        })
        .collect_view();
    let (first, last) = (days.first(), days.last());
    view! {
        <form class="form form--grid" method="get" action=super::PATH>
            {kept}
            <Field label=words::costs::FROM_DAY name="since" kind=Kind::Date value=Some(first) hint=words::costs::DAYS_ARE_COUNTED_IN_UTC/>
            <Field label=words::costs::TO_DAY name="until" kind=Kind::Date value=Some(last)/>
            <div class="actions"><Button>{words::costs::SHOW_THESE_DAYS}</Button></div>
        </form>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(since: &str, until: &str) -> Days {
        Days::of("2026-06-15T12:00:00Z".parse().unwrap(), since, until)
    }

    #[test]
    fn a_month_of_days_ends_today() {
        let usual = days("", "");
        let all = usual.all();
        assert_eq!(all.len(), 31);
        assert_eq!(all.first().unwrap(), "2026-05-16");
        assert_eq!(all.last().unwrap(), "2026-06-15");
        assert!(usual.kept().is_empty() && usual.wrong.is_none());
    }

    #[test]
    fn the_address_says_which_days() {
        let may = days("2026-05-01", "2026-05-31");
        assert_eq!((may.all().len(), may.wrong), (31, None));
        assert_eq!(
            may.kept(),
            [
                ("since", "2026-05-01".to_owned()),
                ("until", "2026-05-31".to_owned())
            ]
        );
        assert_eq!(days("2026-06-14", "").all(), ["2026-06-14", "2026-06-15"]);
        assert_eq!(days("", "2026-03-31").first(), "2026-03-01");
        let year = days("2025-06-15", "");
        assert_eq!((year.all().len(), year.wrong.is_some()), (92, true));
        for (since, until) in [("soon", ""), ("2026-06-02", "2026-06-01"), ("", "<script>")] {
            let wrong = days(since, until);
            assert!(wrong.wrong.is_some(), "{since} {until}");
            assert_eq!(wrong.all(), days("", "").all());
        }
    }
}
