//! A stretch of time that lists are narrowed to, each end left open where nothing is said.

use model::{Timestamp, Until};

use crate::error::{Check, Error};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Period {
    since: Option<Timestamp>,
    /// No part of it.
    until: Option<Timestamp>,
}

impl Period {
    /// Of two instants or days: a day means its beginning, and in `until` its end. An empty text says nothing.
    ///
    /// # Errors
    /// When one of them is no instant, or they come in the wrong order.
    pub fn parse(since: Option<&str>, until: Option<&str>) -> Result<Self, Error> {
        let said = |text: Option<&str>| {
            text.map(str::trim)
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        };
        let mut check = Check::new();
        let since: Option<Timestamp> = said(since).and_then(|text| check.parse("since", &text));
        let until: Option<Until> = said(until).and_then(|text| check.parse("until", &text));
        let until = until.map(|until| until.0);
        if let (Some(since), Some(until)) = (since, until)
            && until <= since
        {
            check.fail("until", "later than the beginning");
        }
        check.done()?;
        Ok(Self { since, until })
    }

    pub(crate) const fn since(&self) -> Option<Timestamp> {
        self.since
    }

    pub(crate) const fn until(&self) -> Option<Timestamp> {
        self.until
    }

    /// The first and the last UTC day of it, each counted whole.
    pub(crate) fn days(&self) -> (Option<i64>, Option<i64>) {
        let last = self.until.map(|until| until.plus(-1).utc_day());
        (self.since.map(Timestamp::utc_day), last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_counts_to_its_end() {
        let june = Period::parse(Some("2026-06-01"), Some(" 2026-06-30 ")).unwrap();
        let (first, last) = june.days();
        assert_eq!(last.unwrap() - first.unwrap(), 29);
        assert_eq!(june.until(), Some("2026-07-01".parse().unwrap()));
        let day = Period::parse(Some("2026-06-01"), Some("2026-06-01")).unwrap();
        assert_eq!(day.days().0, day.days().1);
        assert_eq!(Period::parse(Some(""), None).unwrap(), Period::default());
        for (since, until) in [
            ("soon", ""),
            ("", "2026-13-01"),
            ("2026-06-02", "2026-06-01"),
        ] {
            assert!(
                Period::parse(Some(since), Some(until)).is_err(),
                "{since} {until}"
            );
        }
    }
}
