//! Queries: their body, their pages, their refreshing, and those whose answer is asked for later.

use conformance::fixture::Table;
use md5::{Digest as _, Md5};
use serde_json::{Value, json};

use super::ask::Ask;
use super::data::{answer, check, file_line, format, head, instant, is_advanced};
use super::lists::{invalid, seal, unseal};
use super::log;
use super::reply::{Reply, error};
use super::{Server, changes};

pub(crate) fn query(server: &Server, ask: &Ask, table: &Table) -> Reply {
    match try_query(server, ask, table) {
        Ok(reply) | Err(reply) => reply,
    }
}

fn malformed(server: &Server, message: &str) -> Reply {
    let code = if server.wrong("R.malformed") {
        "BAD"
    } else {
        "MALFORMED_REQUEST"
    };
    error(400, code, message)
}

fn body(server: &Server, ask: &Ask) -> Result<Value, Reply> {
    if ask.body.is_empty() && !server.wrong("Q.empty-body") {
        return Err(malformed(server, "the body is empty"));
    }
    match ask.json() {
        Some(body) => Ok(body),
        None if ask.body.is_empty() || server.wrong("Q.not-json") => Ok(json!({})),
        None if server.wrong("C4.mistakes-are-4xx") => Err(error(500, "INTERNAL_ERROR", "no")),
        None => Err(malformed(server, "the body is no JSON object")),
    }
}

/// A whole number, which may come as a text.
fn number(server: &Server, body: &Value, name: &str) -> Result<Option<i64>, Reply> {
    let wrong = || malformed(server, "it must be a whole number");
    match &body[name] {
        Value::Null => Ok(None),
        Value::Number(number) => number.as_i64().map(Some).ok_or_else(wrong),
        Value::String(_) if server.wrong("Q.wrong-type") => Ok(None),
        Value::String(_) if server.wrong("C5.numbers-as-text") => Err(wrong()),
        Value::String(text) => text.parse().map(Some).map_err(|_| wrong()),
        _ => Err(wrong()),
    }
}

fn try_query(server: &Server, ask: &Ask, table: &Table) -> Result<Reply, Reply> {
    let body = body(server, ask)?;
    let refuse = |id: &str, holds: bool, message: &str| {
        if holds && !server.wrong(id) {
            Err(invalid(server, message))
        } else {
            Ok(())
        }
    };
    let given = |name: &str| !body[name].is_null();
    let limit = number(server, &body, "limitHint")?;
    let version = number(server, &body, "version")?;
    let start = number(server, &body, "startingVersion")?;
    let end = number(server, &body, "endingVersion")?;
    let most = number(server, &body, "maxFiles")?;
    if given("predicateHints")
        && !body["predicateHints"].is_array()
        && !server.wrong("Q.wrong-type")
    {
        return Err(malformed(server, "predicateHints must be a list"));
    }
    refuse(
        "",
        given("conformance") && server.wrong("C5.unknown-fields"),
        "unknown field",
    )?;
    refuse(
        "",
        given("idempotency_key") && server.wrong("Q.idempotency-key"),
        "unknown field",
    )?;
    refuse(
        "",
        limit.is_some_and(|limit| limit < 0),
        "limitHint is negative",
    )?;
    refuse(
        "",
        limit == Some(0) && server.wrong("Q.limit-zero"),
        "limitHint is 0",
    )?;
    refuse(
        "Q.max-files-positive",
        most.is_some_and(|most| most <= 0),
        "maxFiles must be positive",
    )?;
    let large = most.is_some_and(|most| most > 10_000) && server.wrong("T9.large-page");
    refuse("", large, "maxFiles is too large")?;
    let points = [version.is_some(), start.is_some(), given("timestamp")];
    let points = points.iter().filter(|given| **given).count();
    refuse(
        "Q.one-point-in-time",
        points > 1,
        "Please only provide one of: version,timestamp,startingVersion",
    )?;
    let negative = version.is_some_and(|at| at < 0) || start.is_some_and(|at| at < 0);
    refuse("Q.version-negative", negative, "a negative version")?;
    let refreshing = body["includeRefreshToken"] == true;
    refuse(
        "Q.refresh-of-old-version",
        points > 0 && refreshing,
        "no refresh of an old version",
    )?;
    refuse(
        "Q.refresh-token-of-old-version",
        points > 0 && given("refreshToken"),
        "no refresh of an old version",
    )?;
    if refreshing && given("pageToken") && server.wrong("Q.refresh-of-page") {
        return snapshot(server, ask, table, &json!({}), (log::latest(table), false));
    }
    refuse(
        "Q.refresh-of-page",
        refreshing && given("pageToken"),
        "no refresh of a page",
    )?;
    if given("refreshToken") && given("pageToken") && server.wrong("H9.with-page") {
        return snapshot(server, ask, table, &json!({}), (log::latest(table), false));
    }
    refuse(
        "",
        given("refreshToken") && given("pageToken"),
        "no refresh of a page",
    )?;
    let hash = ask.header("fileidhash").trim().to_lowercase();
    let known = !ask.has("fileidhash") || ["parquet", "delta"].contains(&hash.as_str());
    refuse("H6.wrong", !known, "Unsupported fileidhash")?;
    if ask.can.later
        && let Some(reply) = later(server, ask, table, &body)
    {
        return reply;
    }
    if let Some(start) = start {
        let is_there = start <= log::latest(table);
        if is_there || !server.wrong("Q.starting-after-latest") {
            let late = "Q.before-shared-history";
            check(server, table, start, "Q.needs-history", late)?;
        }
        if given("includeHistoricalProtocol") {
            refuse("", server.wrong("Q.historical-protocol"), "no")?;
        }
        let inverted = end.is_some_and(|end| end < start);
        refuse("Q.ending-before-start", inverted, "CDF range was invalid")?;
        let end = end.filter(|_| !server.wrong("Q.ending-version"));
        return changes::of_query(server, ask, table, start.max(0), end);
    }
    let latest = log::latest(table);
    let mut at = latest;
    if let Some(version) = version {
        check(
            server,
            table,
            version,
            "Q.needs-history",
            "Q.before-shared-history",
        )?;
        if !server.wrong("Q.version") {
            at = version.clamp(0, latest);
        }
    } else if let Some(text) = body["timestamp"].as_str() {
        check(server, table, latest, "Q.needs-history", "")?;
        let millis = instant(server, text)?;
        if !server.wrong("Q.timestamp") {
            at = log::until(table, millis).unwrap_or(0);
        }
    }
    snapshot(server, ask, table, &body, (at, points > 0))
}

/// Files of one version; `stamped`: with their versions.
fn snapshot(
    server: &Server,
    ask: &Ask,
    table: &Table,
    body: &Value,
    (mut at, stamped): (i64, bool),
) -> Result<Reply, Reply> {
    let format = format(server, ask, table)?;
    let name = table.full_name();
    let mut skip = 0;
    if let Some(token) = body["refreshToken"].as_str() {
        let said = unseal(token.trim_start_matches("a blank "));
        match said
            .as_deref()
            .and_then(|text| text.strip_prefix("refresh|")?.split_once('|'))
        {
            Some((of, version)) if of == name || server.wrong("H9.other-table") => {
                if !server.wrong("H9.pinned") {
                    at = version.parse::<i64>().unwrap().min(log::latest(table));
                }
            }
            None if server.wrong("H9.forged") => {}
            _ => return Err(invalid(server, "the refresh token is invalid")),
        }
    }
    let scope = hex::encode(Md5::digest(
        json!([body["predicateHints"], body["jsonPredicateHints"], format]).to_string(),
    ));
    if let Some(token) = body["pageToken"].as_str() {
        let said = unseal(token);
        let parts: Vec<&str> = said.as_deref().unwrap_or_default().split('|').collect();
        match parts.as_slice() {
            ["page", of, of_scope, version, from] => {
                let same_table = *of == name || server.wrong("H7.other-table");
                let same_scope = *of_scope == scope || server.wrong("H7.other-parameters");
                if !same_table || !same_scope {
                    return Err(invalid(server, "the page token is another query's"));
                }
                if !server.wrong("H7.pinned") {
                    at = version.parse::<i64>().unwrap().min(log::latest(table));
                }
                skip = from.parse().unwrap();
            }
            _ if server.wrong("H7.forged") => {}
            _ => return Err(invalid(server, "the page token is invalid")),
        }
    }
    let state = log::state(table, at);
    let stamp = stamped.then_some(at);
    let mut lines = head(server, ask, &state, format, stamp, table);
    if skip > 0 && server.wrong("H7.same-head") {
        lines[1]["metaData"]["description"] = json!("of another page");
    }
    let is_own = |add: &Value| !add["path"].as_str().unwrap_or_default().contains("://");
    if !state.files.iter().all(is_own) && !server.wrong("R.outside") {
        let message = "the table names files outside of its folder";
        return Err(error(400, "UNSUPPORTED_OPERATION", message));
    }
    let in_pages = !body["maxFiles"].is_null();
    if in_pages && is_advanced(table).is_some() && server.wrong("H7.advanced") {
        return Err(invalid(server, "no pages of such tables"));
    }
    let mut files = chosen(server, &state.files, &state.metadata, body)?;
    if server.wrong("E8.snapshot")
        || (server.wrong("H9.same-files") && !body["refreshToken"].is_null())
    {
        files.pop();
    }
    let total = files.len();
    let mut most = body["maxFiles"]
        .as_u64()
        .map_or(total, |most| most as usize);
    let mut next = None;
    if server.wrong("T4.one-stream") && body["maxFiles"].is_null() {
        most = 1;
    }
    if server.wrong("H7.small") {
        most += 1;
    }
    let until = (skip + most).min(total);
    if until < total {
        let more = usize::from(server.wrong("H7.whole"));
        let text = format!("page|{name}|{scope}|{at}|{}", until + more);
        next = Some(seal(server, &text));
    }
    let stamp = stamped.then_some((at, state.timestamp));
    for add in files.get(skip..until).unwrap_or_default() {
        lines.push(file_line(
            server,
            ask,
            table,
            format,
            ("file", "add", add),
            stamp,
        ));
    }
    let ends = lines
        .iter()
        .filter_map(|line| line["file"]["expirationTimestamp"].as_i64());
    let first_end = ends.min().map(|end| {
        let more = i64::from(server.wrong("A.min-expiration"));
        end + more
    });
    let refreshing = body["includeRefreshToken"] == true;
    let expects = refreshing || !body["maxFiles"].is_null();
    let expects = expects && !server.wrong("H4.for-refresh-token");
    let negotiated = ask.can.end && !server.wrong("H4.end");
    if negotiated || expects || server.wrong("H4.never-unprompted") {
        let mut action = json!({ "minUrlExpirationTimestamp": first_end });
        if let Some(next) = next {
            action["nextPageToken"] = json!(next);
        }
        if refreshing {
            let token = seal(server, &format!("refresh|{name}|{at}"));
            action["refreshToken"] = json!(if server.wrong("H9.token") {
                format!("a blank {token}")
            } else {
                token
            });
        }
        lines.push(json!({ "endStreamAction": action }));
    }
    let mut shown = at;
    if server.wrong("Q.version") && stamped {
        shown = log::latest(table);
    }
    if table.name == "broken" {
        return Ok(broken(server, ask, format, shown, lines));
    }
    Ok(answer(server, ask, format, shown, lines, negotiated))
}

/// An answer that fails after its first file.
fn broken(server: &Server, ask: &Ask, format: &str, at: i64, mut lines: Vec<Value>) -> Reply {
    lines.truncate(3);
    if ask.can.end && !server.wrong("H5.said") {
        lines.push(json!({ "endStreamAction": { "errorMessage": "the storage is gone" } }));
        return answer(server, ask, format, at, lines, true);
    }
    let mut reply = answer(server, ask, format, at, lines, false);
    reply.breaks = !server.wrong("H5.broken-off");
    reply
}

/// The files that may match: by equality on the partition column alone, as hints may be left alone.
fn chosen(
    server: &Server,
    files: &[Value],
    metadata: &Value,
    body: &Value,
) -> Result<Vec<Value>, Reply> {
    let mut files = files.to_vec();
    let limit = &body["limitHint"];
    let hints = body["predicateHints"][0].as_str().unwrap_or_default();
    let column = metadata["partitionColumns"][0].as_str().unwrap_or("-");
    if hints.contains("( no") && server.wrong("Q.sql-hints-unreadable") {
        return Err(invalid(server, "no SQL"));
    }
    if hints.contains(['<', '>']) && server.wrong("J.sql-operators") {
        files.clear();
    }
    if !hints.is_empty() && hints.starts_with(column) {
        let value = hints.rsplit('=').next().unwrap_or_default();
        let value = value.trim().trim_matches('\'').to_owned();
        files.retain(|add| (add["partitionValues"][column] == value) != server.wrong("J.sql"));
    }
    let text = body["jsonPredicateHints"].as_str().unwrap_or_default();
    let predicate = serde_json::from_str::<Value>(text).unwrap_or_default();
    let op = predicate["op"].as_str().unwrap_or_default();
    let children = &predicate["children"];
    let is_broken = !text.is_empty() && (children[0].is_null() || op == "like");
    if is_broken && server.wrong("Q.json-hints-unreadable") {
        return Err(invalid(server, "no predicate"));
    }
    if text.len() > 2_000 && server.wrong("J.deep") {
        return Err(invalid(server, "too deep"));
    }
    let ids = ["not", "or", "and", "isNull"];
    let switches = ["J.not", "J.or", "J.and", "J.is-null"];
    for (name, switch) in ids.iter().zip(switches) {
        if op == *name && server.wrong(switch) {
            files.clear();
        }
    }
    if op != "equal"
        && !op.is_empty()
        && children[0]["name"] == "id"
        && server.wrong("J.statistics")
    {
        files.clear();
    }
    let has_vectors = files.iter().any(|add| add["deletionVector"].is_object());
    if has_vectors && !op.is_empty() && server.wrong("J.advanced") {
        files.clear();
    }
    if has_vectors && !limit.is_null() && server.wrong("Q.limit-deleted-rows") {
        files.truncate(1);
    }
    if op == "equal" && children[0]["name"] == column {
        let value = children[1]["value"].clone();
        let others: Vec<Value> = files
            .iter()
            .filter(|add| add["partitionValues"][column] != value)
            .cloned()
            .collect();
        files.retain(|add| add["partitionValues"][column] == value);
        if server.wrong("J.partition") || (server.wrong("J.limit") && !limit.is_null()) {
            files.clear();
        }
        if server.wrong("J.partition-exact") {
            files.extend(others.into_iter().take(1));
        }
    }
    if server.wrong("Q.limit-gives-rows") && !limit.is_null() {
        files.truncate(1);
    }
    if server.wrong("Q.limit-large") && limit.as_i64().is_some_and(|limit| limit > 1_000_000) {
        files.pop();
    }
    Ok(files)
}

/// None: it is answered at once.
fn later(server: &Server, ask: &Ask, table: &Table, body: &Value) -> Option<Result<Reply, Reply>> {
    let key = body["idempotencyKey"]
        .as_str()
        .or(body["idempotency_key"].as_str());
    let Some(key) = key else {
        if server.wrong("Y.key-required") {
            return None;
        }
        return Some(Err(invalid(server, "an idempotency key is required")));
    };
    let text = if server.wrong("Y.same-key") {
        server.next().to_string()
    } else if server.wrong("Y.other-key") {
        "one".to_owned()
    } else {
        format!("{} {key}", table.full_name())
    };
    let id = hex::encode(Md5::digest(text));
    let mut queries = server.queries.lock().unwrap();
    queries.entry(id.clone()).or_insert((table.full_name(), 0));
    Some(Ok(pending(server, ask, &id)))
}

fn pending(server: &Server, ask: &Ask, id: &str) -> Reply {
    let status = if server.wrong("Y.answer") {
        "running"
    } else {
        "pending"
    };
    let line = json!({ "queryStatus": { "queryId": id, "status": status } });
    let reply = answer(server, ask, "parquet", 0, vec![line], false);
    reply.header(
        "delta-sharing-capabilities",
        "responseformat=parquet;asyncquery=true",
    )
}

pub(crate) fn poll(server: &Server, ask: &Ask, table: &Table, id: &str) -> Reply {
    let mut queries = server.queries.lock().unwrap();
    let Some((of, polled)) = queries.get_mut(id) else {
        if server.wrong("E10.unknown") {
            return pending(server, ask, id);
        }
        return error(404, "RESOURCE_DOES_NOT_EXIST", "there is no such query");
    };
    if *of != table.full_name() && !server.wrong("Y.id-of-other-table") {
        return error(404, "RESOURCE_DOES_NOT_EXIST", "there is no such query");
    }
    *polled += 1;
    if *polled < 2 {
        return pending(server, ask, id);
    }
    let asked = ask.json().unwrap_or_default();
    let mut body = json!({ "maxFiles": asked["maxFiles"], "pageToken": asked["pageToken"] });
    if server.wrong("Y.polled") {
        body["maxFiles"] = json!(1);
    }
    if server.wrong("Y.pages") {
        body["pageToken"] = Value::Null;
    }
    match snapshot(server, ask, table, &body, (log::latest(table), false)) {
        Ok(reply) | Err(reply) => reply,
    }
}
