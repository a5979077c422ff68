//! When a sync job is due: every so often with a time of day and a time zone, by cron, or by hand only.

use chrono::{Days, LocalResult, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;
use model::Timestamp;
use model::time::{DAY, SECOND};

/// A schedule that can be reckoned with.
#[derive(Clone, Debug, PartialEq)]
pub enum Schedule {
    Every {
        seconds: i64,
        at: Option<NaiveTime>,
        zone: Tz,
    },
    Cron {
        pattern: String,
        zone: Tz,
    },
    ByHand,
}

/// What a job is made with, until somebody changes it: every night, when few read.
pub(crate) mod usual {
    pub(crate) const EVERY_SECONDS: i64 = 86_400;
    pub(crate) const AT: &str = "03:00";
    pub(crate) const ZONE: &str = "UTC";
    pub(crate) const RETENTION_HOURS: i64 = 168;
    pub(crate) const KEEP_HOURS: i64 = 336;
}

#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ScheduleError {
    #[error("not a period: a number and m, h, d or w, from 5m to 52w, for example 2d")]
    Every,
    #[error("not a time of day: 00:00 to 23:59")]
    At,
    #[error("a time of day goes with whole days: 1d, 2d, 1w")]
    AtWithoutDays,
    #[error("not a time zone: use a name like Europe/Berlin or UTC")]
    Zone,
    #[error("not a cron line of five fields: {0}")]
    Cron(String),
    #[error("use either `every` or `cron`, not both")]
    Both,
}

/// `2d` in seconds.
pub(crate) fn parse_every(text: &str) -> Result<i64, ScheduleError> {
    let (number, unit) = text
        .split_at_checked(text.len().saturating_sub(1))
        .ok_or(ScheduleError::Every)?;
    let unit = match unit {
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return Err(ScheduleError::Every),
    };
    if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
        return Err(ScheduleError::Every);
    }
    let seconds = number
        .parse::<i64>()
        .ok()
        .and_then(|n| n.checked_mul(unit))
        .ok_or(ScheduleError::Every)?;
    if (300..=52 * 604_800).contains(&seconds) {
        Ok(seconds)
    } else {
        Err(ScheduleError::Every)
    }
}

/// Seconds as people write them: the largest unit that divides.
pub(crate) fn format_every(seconds: i64) -> String {
    for (unit, name) in [(604_800, "w"), (86_400, "d"), (3_600, "h")] {
        if seconds % unit == 0 {
            return format!("{}{name}", seconds / unit);
        }
    }
    format!("{}m", seconds / 60)
}

impl Schedule {
    /// The schedule of a job that nobody has changed.
    pub(crate) fn usual() -> Result<Self, ScheduleError> {
        Self::new(
            Some(usual::EVERY_SECONDS),
            Some(usual::AT),
            None,
            usual::ZONE,
        )
    }

    /// Of what stands in a job's row.
    pub fn new(
        every_seconds: Option<i64>,
        at: Option<&str>,
        cron: Option<&str>,
        zone: &str,
    ) -> Result<Self, ScheduleError> {
        let zone: Tz = zone.parse().map_err(|_| ScheduleError::Zone)?;
        match (every_seconds, cron) {
            (Some(_), Some(_)) => Err(ScheduleError::Both),
            (None, None) => Ok(Self::ByHand),
            (Some(seconds), None) => {
                let at = at
                    .map(|at| NaiveTime::parse_from_str(at, "%H:%M").map_err(|_| ScheduleError::At))
                    .transpose()?;
                if at.is_some() && seconds % 86_400 != 0 {
                    return Err(ScheduleError::AtWithoutDays);
                }
                Ok(Self::Every { seconds, at, zone })
            }
            (None, Some(pattern)) => {
                if pattern.split_whitespace().count() != 5 {
                    return Err(ScheduleError::Cron(
                        "minute hour day month weekday".to_owned(),
                    ));
                }
                let parsed: Result<croner::Cron, _> = pattern.parse();
                let cron = parsed.map_err(|error| ScheduleError::Cron(error.to_string()))?;
                // 30 February is well written and never comes.
                let comes = Timestamp::from_micros(0)
                    .to_datetime()
                    .is_some_and(|start| cron.find_next_occurrence(&start, true).is_ok());
                if !comes {
                    return Err(ScheduleError::Cron("such a day never comes".to_owned()));
                }
                Ok(Self::Cron {
                    pattern: pattern.to_owned(),
                    zone,
                })
            }
        }
    }

    /// The first due instant after `after`. A local time that a clock change skips moves to the next hour; one that comes
    /// twice is taken the first time. None: by hand only.
    pub fn next_due(&self, after: Timestamp) -> Option<Timestamp> {
        match self {
            Self::ByHand => None,
            Self::Every {
                seconds, at: None, ..
            } => Some(after.plus(seconds * SECOND)),
            Self::Every {
                seconds,
                at: Some(time),
                zone,
            } => {
                let days = u64::try_from(seconds / 86_400).ok()?;
                let local = after.to_datetime()?.with_timezone(zone);
                // Today, if the time is still to come and the period is one day; else the period's days on.
                let today = local_instant(*zone, local.date_naive(), *time)?;
                if days == 1 && today > after {
                    return Some(today);
                }
                let date = local.date_naive().checked_add_days(Days::new(days))?;
                local_instant(*zone, date, *time)
            }
            Self::Cron { pattern, zone } => {
                let cron: croner::Cron = pattern.parse().ok()?;
                let local = after.to_datetime()?.with_timezone(zone);
                let next = cron.find_next_occurrence(&local, false).ok()?;
                Some(Timestamp::from_datetime(next.with_timezone(&Utc)))
            }
        }
    }

    /// The first due instant after `now` of the series that `due` belongs to: what was missed is skipped, and however late
    /// somebody notices, the beat stays.
    pub fn next_after(&self, due: Timestamp, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::ByHand | Self::Cron { .. } => self.next_due(now),
            Self::Every {
                seconds, at: None, ..
            } => {
                let period = seconds * SECOND;
                let missed = now.since(due).max(0) / period;
                Some(due.plus((missed + 1) * period))
            }
            Self::Every {
                seconds,
                at: Some(time),
                zone,
            } => {
                let days = seconds / 86_400;
                let first = due.to_datetime()?.with_timezone(zone).date_naive();
                let today = now.to_datetime()?.with_timezone(zone).date_naive();
                let missed = (today - first).num_days().max(0) / days;
                (missed..=missed + 2).find_map(|rounds| {
                    let later = Days::new(u64::try_from(rounds * days).ok()?);
                    let date = first.checked_add_days(later)?;
                    local_instant(*zone, date, *time).filter(|instant| *instant > now)
                })
            }
        }
    }

    /// `every 2 days at 03:00 Europe/Berlin`, for pages and offers.
    pub fn describe(&self) -> String {
        match self {
            Self::ByHand => "by hand".to_owned(),
            Self::Cron { pattern, zone } => format!("by cron {pattern} ({zone})"),
            Self::Every { seconds, at, zone } => {
                let micros = seconds * SECOND;
                let period = if micros % DAY == 0 {
                    match micros / DAY {
                        1 => "every day".to_owned(),
                        7 => "every week".to_owned(),
                        days => format!("every {days} days"),
                    }
                } else {
                    format!("every {}", format_every(*seconds))
                };
                match at {
                    Some(at) => format!("{period} at {} {zone}", at.format("%H:%M")),
                    None => period,
                }
            }
        }
    }
}

fn local_instant(zone: Tz, date: chrono::NaiveDate, time: NaiveTime) -> Option<Timestamp> {
    let mut local = date.and_time(time);
    // Clock changes skip at most an hour almost everywhere; Lord Howe skips half of one.
    for _ in 0..4 {
        match zone.from_local_datetime(&local) {
            LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => {
                return Some(Timestamp::from_datetime(at.with_timezone(&Utc)));
            }
            LocalResult::None => local += chrono::TimeDelta::minutes(30),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn periods() {
        for (text, seconds) in [
            ("5m", 300),
            ("6h", 21_600),
            ("2d", 172_800),
            ("1w", 604_800),
        ] {
            assert_eq!(parse_every(text), Ok(seconds));
            assert_eq!(format_every(seconds), text);
        }
        for text in [
            "",
            "d",
            "2",
            "2x",
            "-1d",
            "1m",
            "53w",
            "99999999999999999999d",
            "2 d",
            "é",
        ] {
            assert_eq!(parse_every(text), Err(ScheduleError::Every), "{text}");
        }
    }

    #[test]
    fn due_instants() {
        let berlin = |days: i64| {
            Schedule::new(Some(days * 86_400), Some("03:00"), None, "Europe/Berlin").unwrap()
        };
        let cases = [
            (berlin(2), "2026-06-15T12:00:00Z", "2026-06-17T01:00:00Z"),
            (berlin(1), "2026-06-15T00:30:00Z", "2026-06-15T01:00:00Z"),
            (berlin(1), "2026-06-15T01:00:00Z", "2026-06-16T01:00:00Z"),
            // Winter time begins on 25 October 2026 at 03:00: the hour 02:00 comes twice.
            (berlin(1), "2026-10-24T12:00:00Z", "2026-10-25T02:00:00Z"),
            (
                Schedule::new(Some(3_600), None, None, "UTC").unwrap(),
                "2026-06-15T12:00:00Z",
                "2026-06-15T13:00:00Z",
            ),
            (
                Schedule::new(None, None, Some("0 3 * * 1"), "UTC").unwrap(),
                "2026-06-15T03:00:00Z",
                "2026-06-22T03:00:00Z",
            ),
        ];
        for (schedule, after, due) in cases {
            assert_eq!(
                schedule.next_due(at(after)),
                Some(at(due)),
                "{schedule:?} after {after}"
            );
        }
        // Summer time begins on 29 March 2026 at 02:00: 02:30 does not exist and moves to 03:00.
        let skipped = Schedule::new(Some(86_400), Some("02:30"), None, "Europe/Berlin").unwrap();
        assert_eq!(
            skipped.next_due(at("2026-03-28T12:00:00Z")),
            Some(at("2026-03-29T01:00:00Z"))
        );
        assert_eq!(Schedule::ByHand.next_due(at("2026-06-15T12:00:00Z")), None);
    }

    #[test]
    fn a_series_keeps_its_beat_however_late_it_is_looked_at() {
        let every = |seconds: i64, time: Option<&str>| {
            Schedule::new(Some(seconds), time, None, "Europe/Berlin").unwrap()
        };
        for (schedule, due, now, next) in [
            // Noticed four seconds late, and not later each time.
            (
                every(3_600, None),
                "2026-06-15T12:00:00Z",
                "2026-06-15T12:00:04Z",
                "2026-06-15T13:00:00Z",
            ),
            (
                every(3_600, None),
                "2026-06-15T12:00:00Z",
                "2026-06-15T18:30:00Z",
                "2026-06-15T19:00:00Z",
            ),
            // Down for three days: every second day stays every second day.
            (
                every(172_800, Some("03:00")),
                "2026-06-15T01:00:00Z",
                "2026-06-18T12:00:00Z",
                "2026-06-19T01:00:00Z",
            ),
            // Over the end of summer time the time of day stays.
            (
                every(86_400, Some("03:00")),
                "2026-10-24T01:00:00Z",
                "2026-10-24T01:00:02Z",
                "2026-10-25T02:00:00Z",
            ),
        ] {
            assert_eq!(
                schedule.next_after(at(due), at(now)),
                Some(at(next)),
                "{schedule:?} due {due} at {now}"
            );
        }
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(Schedule::new(Some(3_600), Some("03:00"), None, "UTC").is_err());
        assert!(Schedule::new(Some(86_400), Some("24:00"), None, "UTC").is_err());
        assert!(Schedule::new(Some(86_400), None, None, "Mars/Olympus").is_err());
        assert!(Schedule::new(Some(86_400), None, Some("0 3 * * *"), "UTC").is_err());
        for cron in [
            "",
            "x",
            "0 3 * *",
            "61 * * * *",
            "0 0 3 * * *",
            "0 0 30 2 *",
        ] {
            assert!(
                Schedule::new(None, None, Some(cron), "UTC").is_err(),
                "{cron}"
            );
        }
    }
}
