//! Older versions, by number or by time: what clients ask for, and which versions of a table that is (checklist §1.7). Below
//! what VACUUM or log cleanup has left the answer names the earliest version that can be read.

use std::ops::RangeInclusive;
use std::sync::Arc;

use delta::{Feed, History, LogError, State, Table};
use model::Timestamp;

use crate::Readable;
use crate::error::Failure;
use crate::request::{Parameters, TableNames, shortened};
use crate::states::States;

/// The most files on a page, also when more are asked for.
const MOST_FILES: usize = 10_000;

/// One point in a table's history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    Version(u64),
    Time(Timestamp),
}

/// A number of a version as the caller gives it; `name` says where.
pub(crate) fn version(name: &str, number: i64) -> Result<u64, Failure> {
    u64::try_from(number).map_err(|_| Failure::invalid(format!("{name} cannot be negative.")))
}

/// An instant with its offset (C6); a day alone is none.
pub(crate) fn time(name: &str, text: &str) -> Result<Timestamp, Failure> {
    instant(text).ok_or_else(|| {
        // The reference server calls `timestamp` so as well, and client tests look for it.
        let said = if name == "timestamp" {
            "startingTimestamp"
        } else {
            name
        };
        Failure::invalid(format!(
            "Invalid {said}: '{}' as '{name}' is not an instant with its offset, such as 2022-04-29T00:00:00Z",
            shortened(text)
        ))
    })
}

/// RFC 3339, and what else of ISO 8601 Java's clients write: without seconds, with an offset of two or four digits.
fn instant(text: &str) -> Option<Timestamp> {
    let (day, rest) = text.trim().split_once(['T', 't'])?;
    let (time, offset) = rest.split_at(rest.find(['Z', 'z', '+', '-', ' '])?);
    let seconds = if time.len() == 5 { ":00" } else { "" };
    // A plus that was not encoded in an address arrives as a space.
    let offset = offset.replacen(' ', "+", 1);
    let offset = match (offset.len(), offset.split_at_checked(3)) {
        (3, _) => format!("{offset}:00"),
        (5, Some((hours, minutes))) if !minutes.starts_with(':') => format!("{hours}:{minutes}"),
        _ => offset,
    };
    Timestamp::parse(&format!("{day}T{time}{seconds}{offset}")).ok()
}

/// `maxFiles`: at least 1.
pub(crate) fn max_files(number: Option<i64>) -> Result<Option<usize>, Failure> {
    number
        .map(|number| match usize::try_from(number) {
            Ok(files) if files > 0 => Ok(files.min(MOST_FILES)),
            _ => Err(Failure::invalid("maxFiles must be positive.")),
        })
        .transpose()
}

/// The version that was the newest at one point.
pub(crate) async fn version_at(table: &Table, point: Point) -> Result<u64, Failure> {
    match point {
        Point::Version(version) => Ok(version),
        Point::Time(time) => {
            let history = table.history().await?;
            let found = table.instant(&history, time).await?;
            match (found.before, found.after) {
                (Some((version, _)), Some(_)) => Ok(version),
                (Some(last), None) => Err(too_late(time, last)),
                (None, first) => Err(too_early(time, first, &history)),
            }
        }
    }
}

/// The state at one point.
pub(crate) async fn state_at(
    states: &States,
    readable: &Readable,
    point: Point,
) -> Result<Arc<State>, Failure> {
    let table = &readable.table;
    let version = version_at(table, point).await?;
    check_start(readable, version)?;
    match states.at(readable, version).await {
        Ok(state) => Ok(state),
        Err(LogError::NoSuchVersion { earliest, latest }) => Err(Failure::invalid(format!(
            "Cannot time travel Delta table to version {version}. Available versions: [{earliest}, {latest}]."
        ))),
        Err(LogError::Gap { .. }) => {
            let history = table.history().await?;
            Err(cleaned(version, history.earliest_change(history.latest)))
        }
        Err(error) => Err(error.into()),
    }
}

/// The state at one point whose files are to be handed out: VACUUM may have deleted them.
pub(crate) async fn files_at(
    states: &States,
    readable: &Readable,
    point: Point,
) -> Result<Arc<State>, Failure> {
    let state = state_at(states, readable, point).await?;
    // Of a part of the table nobody says whether it is the part that is gone.
    if readable.rows.is_some() {
        return Ok(state);
    }
    let version = state.version();
    match vacuumed(&readable.table, version).await {
        Ok(None) => Ok(state),
        Ok(Some(earliest)) => {
            let earliest = earliest.max(readable.history_start.unwrap_or(0));
            Err(Failure::invalid(format!(
                "Version {version} can no longer be read: VACUUM has deleted files of it. The earliest version that can be read is {earliest}."
            )))
        }
        // Not known; what is there is handed out.
        Err(error) => {
            tracing::debug!(%error, version, "whether files were deleted by VACUUM is not known");
            Ok(state)
        }
    }
}

async fn vacuumed(table: &Table, version: u64) -> Result<Option<u64>, LogError> {
    let history = table.history().await?;
    table.vacuumed(&history, version).await
}

/// The first version at or after an instant; that of the log's beginning for one before it.
pub(crate) async fn version_since(table: &Table, time: Timestamp) -> Result<u64, Failure> {
    let history = table.history().await?;
    let found = table.instant(&history, time).await?;
    match (found.before, found.after) {
        // What was cleaned away may have come in between.
        (None, Some((version, at))) if version > 0 && at > time => {
            Err(too_early(time, Some((version, at)), &history))
        }
        (_, Some((version, _))) => Ok(version),
        (Some(last), None) => Err(too_late(time, last)),
        (None, None) => Err(too_early(time, None, &history)),
    }
}

/// The versions that are asked for, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) start: Point,
    /// None: up to the latest.
    pub(crate) end: Option<Point>,
}

impl Wanted {
    /// From the parameters of `/changes`.
    pub(crate) fn of_changes(parameters: &Parameters) -> Result<Self, Failure> {
        let point = |position: &str| {
            let (by_version, by_time) =
                (format!("{position}Version"), format!("{position}Timestamp"));
            let number = parameters.number(&by_version)?;
            let text = parameters.text(&by_time);
            match (number, text) {
                (Some(_), Some(_)) => Err(Failure::invalid(format!(
                    "Multiple {position} arguments provided for CDF read. Please provide one of either {by_time} or {by_version}."
                ))),
                (Some(number), None) => Ok(Some(Point::Version(version(&by_version, number)?))),
                (None, Some(text)) => Ok(Some(Point::Time(time(&by_time, text)?))),
                (None, None) => Ok(None),
            }
        };
        let start = point("starting")?;
        let end = point("ending")?;
        let start = start.ok_or_else(|| {
            Failure::invalid("No startingVersion or startingTimestamp provided for CDF read.")
        })?;
        Ok(Self { start, end })
    }

    /// The versions these are in a table whose latest counts as `latest`.
    pub(crate) async fn resolve(
        &self,
        table: &Table,
        history: &History,
        feed: Feed,
    ) -> Result<RangeInclusive<u64>, Failure> {
        let latest = history.latest;
        let start = match self.start {
            Point::Version(version) => version,
            Point::Time(time) => {
                let found = table.instant(history, time).await?;
                match (found.before, found.after) {
                    (Some(_), Some((version, _))) => version,
                    (Some(last), None) => return Err(too_late(time, last)),
                    (None, first) => return Err(too_early(time, first, history)),
                }
            }
        };
        if start > latest {
            return Err(Failure::invalid(format!(
                "Provided Start version({start}) for reading change data is invalid. Start version cannot be greater than the latest version of the table({latest})."
            )));
        }
        let end = match self.end {
            None => latest,
            Some(Point::Version(end)) => end,
            Some(Point::Time(time)) => {
                let found = table.instant(history, time).await?;
                match (found.before, found.after) {
                    (Some((version, _)), Some(_)) => version,
                    (Some(last), None) => return Err(too_late(time, last)),
                    (None, first) => return Err(too_early(time, first, history)),
                }
            }
        };
        if end < start {
            return Err(Failure::invalid(format!(
                "CDF range from start {start} to end {end} was invalid. End cannot be before start."
            )));
        }
        if end > latest && feed == Feed::Files {
            return Err(Failure::invalid(format!(
                "Provided end version({end}) is invalid. End version cannot be greater than the latest version of the table({latest})."
            )));
        }
        let end = end.min(latest);
        let earliest = history.earliest_change(end);
        if earliest.is_none_or(|earliest| start < earliest) {
            let earliest = earliest.or_else(|| history.earliest_change(latest));
            return Err(cleaned(start, earliest));
        }
        Ok(start..=end)
    }
}

/// The version is not there any more, or its change is not.
pub(crate) fn cleaned(version: u64, earliest: Option<u64>) -> Failure {
    match earliest {
        Some(earliest) => Failure::invalid(format!(
            "Version {version} can no longer be read: the table's log has been cleaned up. The earliest version that can be read is {earliest}."
        )),
        None => LogError::Gap { missing: version }.into(),
    }
}

// Client tests look for the words around "available version" and for "Please use a timestamp …", in a text that the Python
// connector has broken into lines of some 65 characters: that is why the sentences begin with the timestamp.

fn too_early(time: Timestamp, first: Option<(u64, Timestamp)>, history: &History) -> Failure {
    match first {
        Some((version, at)) => Failure::invalid(format!(
            "{time} is before the earliest available version ({version}). Please use a timestamp greater than or equal to {at}."
        )),
        None => cleaned(history.earliest, None),
    }
}

fn too_late(time: Timestamp, (version, at): (u64, Timestamp)) -> Failure {
    Failure::invalid(format!(
        "{time} is after the latest available version ({version}). Please use a timestamp less than or equal to {at}."
    ))
}

/// Refuses versions below the first one whose history is shared; the sentence is the reference server's.
pub(crate) fn check_start(readable: &Readable, version: u64) -> Result<(), Failure> {
    match readable.history_start {
        Some(start) if version < start => Err(Failure::invalid(format!(
            "You can only query table data since version {start}. The earliest version that can be read is {start}."
        ))),
        _ => Ok(()),
    }
}

/// Where the table is a copy, its producer cannot help.
fn of_a_replica(readable: &Readable) -> &'static str {
    if readable.replica {
        ". This recipient reads a replica, which has versions of its own: ask for live access to read those of the producer's table"
    } else {
        ""
    }
}

/// Refuses older versions where they are not shared, in the reference server's words, which client tests look for.
pub(crate) fn check_history(table: &TableNames, readable: &Readable) -> Result<(), Failure> {
    if readable.history && !readable.replica {
        return Ok(());
    }
    let TableNames {
        share,
        schema,
        table,
    } = table;
    Err(Failure::invalid(format!(
        "Reading table by version or timestamp is not supported because history sharing is not enabled on table: {share}.{schema}.{table}{}",
        of_a_replica(readable)
    )))
}

/// The same for the change data feed.
pub(crate) fn check_changes(table: &TableNames, readable: &Readable) -> Result<(), Failure> {
    if readable.changes && !readable.replica {
        return Ok(());
    }
    Err(no_changes(table, of_a_replica(readable)))
}

/// Not shared and not recorded are told alike.
pub(crate) fn no_changes(table: &TableNames, why: &str) -> Failure {
    let TableNames {
        share,
        schema,
        table,
    } = table;
    Failure::invalid(format!(
        "cdf is not enabled on table {share}.{schema}.{table}{why}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_as_clients_write_them() {
        let expected = Timestamp::parse("2022-04-29T10:30:00Z").unwrap();
        for text in [
            "2022-04-29T10:30:00Z",
            "2022-04-29t10:30:00z",
            "2022-04-29T10:30:00.000Z",
            "2022-04-29T10:30:00.000000000Z",
            "2022-04-29T10:30Z",
            "2022-04-29T12:30:00+02:00",
            "2022-04-29T12:30+02:00",
            "2022-04-29T12:30:00 02:00",
            "2022-04-29T12:30:00+0200",
            "2022-04-29T12:30:00+02",
            "2022-04-29T02:30:00-08:00",
            " 2022-04-29T10:30:00Z ",
        ] {
            assert_eq!(time("timestamp", text).unwrap(), expected, "{text}");
        }
        for text in [
            "",
            "T",
            "2022-04-29",
            "2022-04-29T10:30:00",
            "2022-04-29 10:30:00Z",
            "2022-04-29T10Z",
            "2022-04-29T25:30:00Z",
            "2022-02-30T10:30:00Z",
            "2022-04-29T10:30:00+é1",
            "2022-04-29T10:30:00+x",
            "1651228200",
        ] {
            let code = time("startingTimestamp", text).unwrap_err().code();
            assert_eq!(code, "INVALID_PARAMETER_VALUE", "{text}");
        }
    }
}
