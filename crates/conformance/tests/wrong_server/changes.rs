//! What changed from version to version: of `/changes`, and of a query with `startingVersion`.

use conformance::fixture::Table;
use serde_json::{Value, json};

use super::Server;
use super::ask::Ask;
use super::data::{answer, file_line, format, head, instant, is_advanced, metadata_line};
use super::lists::{invalid, seal, unseal};
use super::log;
use super::reply::{Reply, error};

pub(crate) fn changes(server: &Server, ask: &Ask, table: &Table) -> Reply {
    match try_changes(server, ask, table) {
        Ok(reply) | Err(reply) => reply,
    }
}

fn number(server: &Server, ask: &Ask, name: &str) -> Result<Option<i64>, Reply> {
    let parsed = ask.parameter(name).map(str::parse::<i64>).transpose();
    parsed.map_err(|_| invalid(server, "it must be a number"))
}

fn flag(server: &Server, ask: &Ask, name: &str) -> bool {
    let text = ask.parameter(name).unwrap_or_default();
    if server.wrong("F.flags-any-case") {
        text == "true"
    } else {
        text.eq_ignore_ascii_case("true")
    }
}

fn try_changes(server: &Server, ask: &Ask, table: &Table) -> Result<Reply, Reply> {
    let refuse = |id: &str, holds: bool, message: &str| {
        if holds && !server.wrong(id) {
            Err(invalid(server, message))
        } else {
            Ok(())
        }
    };
    refuse(
        "F.not-enabled",
        !table.changes,
        "cdf is not enabled on table",
    )?;
    refuse(
        "",
        ask.query.contains_key("includeHistoricalProtocol")
            && server.wrong("F.historical-protocol"),
        "no",
    )?;
    let latest = log::latest(table);
    let (start, end) = (
        number(server, ask, "startingVersion")?,
        number(server, ask, "endingVersion")?,
    );
    let (since, until) = (
        ask.parameter("startingTimestamp"),
        ask.parameter("endingTimestamp"),
    );
    let most = number(server, ask, "maxFiles")?;
    refuse(
        "F.max-files-positive",
        most.is_some_and(|most| most <= 0),
        "maxFiles must be positive",
    )?;
    refuse(
        "F.start-required",
        start.is_none() && since.is_none(),
        "No startingVersion or startingTimestamp provided",
    )?;
    refuse(
        "F.start-once",
        start.is_some() && since.is_some(),
        "Multiple starting arguments provided",
    )?;
    refuse(
        "F.end-once",
        end.is_some() && until.is_some(),
        "Multiple ending arguments provided",
    )?;
    let start = match (start, since) {
        (Some(start), _) => start,
        (None, Some(text)) => {
            let at = instant(server, text)?;
            log::since(table, at).ok_or_else(|| invalid(server, "after the latest version"))?
        }
        (None, None) => 0,
    };
    let mut end = match (end, until) {
        (Some(end), _) => end,
        (None, Some(text)) if !server.wrong("F.timestamps") => {
            let at = instant(server, text)?;
            log::until(table, at).ok_or_else(|| invalid(server, "before the first version"))?
        }
        _ => latest,
    };
    refuse(
        "F.start-after-latest",
        start > latest,
        "Start version cannot be greater than the latest version",
    )?;
    refuse(
        "F.range",
        end < start && start <= latest,
        "CDF range was invalid",
    )?;
    end = end.min(latest);
    let shared = table.history.unwrap_or_default();
    let message = format!("You can only query table changes since version {shared}");
    refuse("F.before-shared", start < shared, &message)?;
    let unrecorded = (start..=end).find(|version| !log::records(table, *version));
    if let Some(version) = unrecorded.filter(|_| table.changes) {
        let message = format!("change data was not recorded for version [{version}]");
        refuse("F.unrecorded", true, &message)?;
    }
    if server.wrong("F.inclusive") {
        end -= 1;
    }
    let wanted = Wanted {
        start,
        end,
        historical: flag(server, ask, "includeHistoricalMetadata"),
        is_feed: true,
    };
    respond(server, ask, table, &wanted, most)
}

/// Of a query with `startingVersion`.
pub(crate) fn of_query(
    server: &Server,
    ask: &Ask,
    table: &Table,
    start: i64,
    end: Option<i64>,
) -> Result<Reply, Reply> {
    let latest = log::latest(table);
    let wanted = Wanted {
        start,
        end: end.unwrap_or(latest).min(latest),
        historical: true,
        is_feed: false,
    };
    respond(server, ask, table, &wanted, None)
}

struct Wanted {
    start: i64,
    end: i64,
    /// Metadata of the first version, and what later ones have set.
    historical: bool,
    /// Row by row, as `/changes`; else file by file.
    is_feed: bool,
}

/// The actions of a version that tell of changes, each with the key of its line and its name in the log.
fn of_version<'a>(
    server: &Server,
    table: &'a Table,
    version: i64,
    is_feed: bool,
) -> Vec<(&'static str, &'static str, &'a Value)> {
    let actions = log::actions(table, version);
    let recorded = (is_feed || server.wrong("Q.starting-never-cdf"))
        && actions.iter().any(|action| action["cdc"].is_object());
    let rewrites = if is_feed {
        "F.no-rewrites"
    } else {
        "Q.starting-no-rewrites"
    };
    let mut found = Vec::new();
    for action in actions {
        for (key, kind) in [("add", "add"), ("remove", "remove"), ("cdf", "cdc")] {
            let change = &action[kind];
            let wanted = change.is_object()
                && match kind {
                    "cdc" => recorded,
                    _ => {
                        (!recorded || server.wrong("F.recorded"))
                            && (change["dataChange"] == true || server.wrong(rewrites))
                    }
                };
            if wanted {
                found.push((key, kind, change));
            }
        }
    }
    found
}

fn respond(
    server: &Server,
    ask: &Ask,
    table: &Table,
    wanted: &Wanted,
    most: Option<i64>,
) -> Result<Reply, Reply> {
    let format = format(server, ask, table)?;
    let refusing = if wanted.is_feed {
        "F.advanced"
    } else {
        "Q.starting-advanced"
    };
    if is_advanced(table).is_some() && server.wrong(refusing) {
        let message = "changes of such tables are not supported";
        return Err(error(400, "UNSUPPORTED_OPERATION", message));
    }
    let Wanted {
        start,
        end,
        historical,
        is_feed,
    } = *wanted;
    let latest = log::latest(table);
    let mut of = if historical { start } else { latest };
    if server.wrong("F.historical-metadata") && is_feed {
        of = latest;
    }
    if server.wrong("F.latest-metadata") && is_feed {
        of = start;
    }
    let state = log::state(table, of);
    let mut lines = head(server, ask, &state, format, Some(of), table);
    let mut items: Vec<Value> = Vec::new();
    for version in start..=end {
        for action in log::actions(table, version) {
            let told = historical && version > start && !server.wrong("Q.starting-metadata");
            if told && action["metaData"].is_object() {
                let line = metadata_line(server, &action["metaData"], format, Some(version));
                items.push(line);
            }
        }
        let at = Some((version, log::timestamp(table, version)));
        for change in of_version(server, table, version, is_feed) {
            let mut line = file_line(server, ask, table, format, change, at);
            if is_feed && server.wrong("F.delta") && format == "delta" {
                line["file"]["version"] = Value::Null;
            }
            if is_feed && server.wrong("F.lines") && format == "parquet" {
                line[change.0]["timestamp"] = Value::Null;
            }
            items.push(line);
        }
    }
    let scope = format!("changes|{}|{start}|{end}|", table.full_name());
    let skip: usize = match ask.parameter("pageToken").filter(|token| !token.is_empty()) {
        None => 0,
        Some(token) => unseal(token)
            .and_then(|text| text.strip_prefix(&scope)?.parse().ok())
            .ok_or_else(|| invalid(server, "the page token is invalid"))?,
    };
    let size = most.map_or(items.len(), |most| most.max(1) as usize);
    let until = (skip + size).min(items.len());
    let more = until + usize::from(server.wrong("H7.changes"));
    let next = (until < items.len()).then(|| seal(server, &format!("{scope}{more}")));
    lines.extend(items.get(skip..until).unwrap_or_default().iter().cloned());
    let negotiated = ask.can.end && !server.wrong("H4.end-of-changes");
    if negotiated || most.is_some() {
        let mut action = json!({});
        if let Some(next) = next {
            action["nextPageToken"] = json!(next);
        }
        lines.push(json!({ "endStreamAction": action }));
    }
    let late = if is_feed {
        "E9.changes"
    } else {
        "Q.starting-version"
    };
    let shown = if server.wrong(late) { latest } else { start };
    Ok(answer(server, ask, format, shown, lines, negotiated))
}
