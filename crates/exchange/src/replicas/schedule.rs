//! When a sync job is due: every so often with a time of day and a time zone, by cron, when the source has a new version, so that a
//! promise of freshness is kept, or by hand only. And when a replica is checked by itself.

use chrono::{Days, LocalResult, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;
use model::Timestamp;
use model::time::{DAY, MINUTE, SECOND};

#[cfg(test)]
mod tests;

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
    /// When the source has a new version, but not sooner than so long after the last time.
    NewVersion {
        seconds: i64,
    },
    /// So that what the source commits is there within so long, and as seldom as that allows: what is committed meanwhile
    /// comes with it.
    Fresh {
        seconds: i64,
    },
    ByHand,
}

/// What stands in a job's row. At most one of the four says when.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Parts<'a> {
    pub every_seconds: Option<i64>,
    pub at: Option<&'a str>,
    pub cron: Option<&'a str>,
    pub new_version_seconds: Option<i64>,
    pub fresh_seconds: Option<i64>,
    pub zone: &'a str,
}

/// So often a source is looked at for a new version, at least; microseconds. A look is one listing of its log's end.
const LOOK: i64 = 5 * MINUTE;

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
    #[error("a period of zero would sync without a pause: give 5m or more, for example 1h")]
    Zero,
    #[error("not a time of day: 00:00 to 23:59")]
    At,
    #[error("a time of day goes with whole days: 1d, 2d, 1w")]
    AtWithoutDays,
    #[error("not a time zone: use a name like Europe/Berlin or UTC")]
    Zone,
    #[error("not a cron line of five fields: {0}")]
    Cron(String),
    #[error(
        "this cron line never fires: there is no such day, like 31 February; change its day or its month"
    )]
    Never,
    #[error("use either `every`, `cron`, `on_new_version` or `fresh_within`, not several of them")]
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
    if number.bytes().all(|b| b == b'0') {
        return Err(ScheduleError::Zero);
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
    pub(crate) fn of(parts: Parts<'_>) -> Result<Self, ScheduleError> {
        let looking = match (parts.new_version_seconds, parts.fresh_seconds) {
            (None, None) => {
                return Self::new(parts.every_seconds, parts.at, parts.cron, parts.zone);
            }
            (Some(seconds), None) => Self::NewVersion { seconds },
            (None, Some(seconds)) => Self::Fresh { seconds },
            (Some(_), Some(_)) => return Err(ScheduleError::Both),
        };
        if parts.every_seconds.is_some() || parts.cron.is_some() {
            return Err(ScheduleError::Both);
        }
        // Checks may go by the clock all the same.
        zone(parts.zone)?;
        Ok(looking)
    }

    /// When a replica is checked by itself: a period, `1w`, or a cron line.
    pub(crate) fn of_checks(text: &str, zone: &str) -> Result<Self, ScheduleError> {
        if text.split_whitespace().count() > 1 {
            return Self::new(None, None, Some(text), zone);
        }
        Self::new(Some(parse_every(text)?), None, None, zone)
    }

    /// By the clock.
    pub fn new(
        every_seconds: Option<i64>,
        at: Option<&str>,
        cron: Option<&str>,
        zone: &str,
    ) -> Result<Self, ScheduleError> {
        let zone = self::zone(zone)?;
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
                    return Err(ScheduleError::Never);
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
            Self::NewVersion { .. } => Some(after.plus(LOOK)),
            // Between the looks there has to be time for the sync.
            Self::Fresh { seconds } => Some(after.plus((seconds * SECOND / 6).clamp(MINUTE, LOOK))),
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
            Self::ByHand | Self::Cron { .. } | Self::NewVersion { .. } | Self::Fresh { .. } => {
                self.next_due(now)
            }
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

    /// How long a replica may lack what its source committed, in microseconds, where that is what is promised. Else the promise
    /// goes by due dates, or there is none.
    pub(super) fn promise(&self) -> Option<i64> {
        match self {
            // What is committed right after a sync waits for the next one, and that takes its time.
            Self::NewVersion { seconds } => Some(2 * seconds * SECOND),
            Self::Fresh { seconds } => Some(seconds * SECOND),
            Self::Every { .. } | Self::Cron { .. } | Self::ByHand => None,
        }
    }

    /// `every 2 days at 03:00 Europe/Berlin`, for pages and offers.
    pub fn describe(&self) -> String {
        match self {
            Self::ByHand => "by hand".to_owned(),
            Self::NewVersion { seconds } => format!(
                "when the source has a new version, at most every {}",
                format_every(*seconds)
            ),
            Self::Fresh { seconds } => {
                format!("within {} of the source's commit", format_every(*seconds))
            }
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

fn zone(name: &str) -> Result<Tz, ScheduleError> {
    name.parse().map_err(|_| ScheduleError::Zone)
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
