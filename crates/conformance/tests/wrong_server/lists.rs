//! Lists and their pages.

use conformance::fixture::Table;
use md5::{Digest as _, Md5};
use serde_json::{Value, json};

use super::reply::{self, Reply, error};
use super::{Server, ask::Ask, location, not_found};

/// A token that nobody can make up: what it says, and a checksum with a secret.
pub(crate) fn seal(server: &Server, text: &str) -> String {
    let sum = hex::encode(Md5::digest(format!("secret {text}")));
    let end = if server.wrong("H8.url-safe") {
        "+="
    } else {
        ""
    };
    format!("{}-{sum}{end}", hex::encode(text))
}

pub(crate) fn unseal(token: &str) -> Option<String> {
    let (text, sum) = token.trim_end_matches("+=").split_once('-')?;
    let text = String::from_utf8(hex::decode(text).ok()?).ok()?;
    let right = hex::encode(Md5::digest(format!("secret {text}")));
    (sum == right).then_some(text)
}

/// A UUID for a name.
fn id(server: &Server, name: &str) -> String {
    if server.wrong("T7.uuid") {
        return "id-1".to_owned();
    }
    let sum = hex::encode(Md5::digest(name));
    let parts = [
        &sum[..8],
        &sum[8..12],
        &sum[12..16],
        &sum[16..20],
        &sum[20..],
    ];
    parts.join("-")
}

fn page(server: &Server, ask: &Ask, scope: &str, items: &[Value]) -> Reply {
    let wrong = |id: &str, message: &str| (!server.wrong(id)).then(|| invalid(server, message));
    if ask.query.contains_key("conformance") && server.wrong("C5.unknown-parameters") {
        return invalid(server, "unknown parameter");
    }
    let mut most = items.len();
    match ask.parameter("maxResults").map(str::parse::<i64>) {
        None => {}
        Some(Err(_)) => {
            if let Some(reply) = wrong("L.max-results-no-number", "maxResults is no number") {
                return reply;
            }
        }
        Some(Ok(number)) if number < 0 => {
            if let Some(reply) = wrong("L.max-results-negative", "maxResults is negative") {
                return reply;
            }
        }
        Some(Ok(number)) if number > 1_000_000 && server.wrong("L.max-results-large") => {
            return error(500, "INTERNAL_ERROR", "too many");
        }
        Some(Ok(0)) if server.wrong("L.max-results-zero") => most = 1,
        Some(Ok(_)) if server.wrong("L.max-results") => {}
        Some(Ok(number)) => most = usize::try_from(number).unwrap().min(items.len()),
    }
    let mut start = 0;
    match ask.parameter("pageToken") {
        Some("") if server.wrong("L.empty-token") => return invalid(server, "an empty token"),
        None | Some("") => {}
        Some(token) => match unseal(token)
            .as_deref()
            .and_then(|text| text.rsplit_once('|'))
        {
            Some((of, at)) if of == scope || server.wrong("L.token-of-other-list") => {
                start = at.parse().unwrap();
            }
            None if server.wrong("L.token-forged") => {}
            _ => return invalid(server, "invalid 'nextPageToken'"),
        },
    }
    let end = (start + most).min(items.len());
    let start = start.min(end);
    let mut answer = json!({ "items": items[start..end] });
    if end < items.len() {
        let skipped = end + usize::from(server.wrong("L.pages"));
        answer["nextPageToken"] = json!(seal(server, &format!("{scope}|{skipped}")));
    } else if server.wrong("L.last-page") {
        answer["nextPageToken"] = json!("");
    }
    reply::json(server, &answer)
}

pub(crate) fn invalid(server: &Server, message: &str) -> Reply {
    let code = if server.wrong("R.parameter") {
        "WRONG"
    } else {
        "INVALID_PARAMETER_VALUE"
    };
    error(400, code, message)
}

fn share_names(server: &Server) -> Vec<&'static str> {
    let mut names: Vec<&'static str> = server.granted().iter().map(|table| table.share).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn share_item(server: &Server, name: &str) -> Value {
    let mut item = json!({ "name": name, "id": id(server, name), "comment": "for tests" });
    if server.wrong("E1.items") {
        item["displayName"] = json!(7);
    }
    item
}

fn table_item(server: &Server, table: &Table) -> Value {
    let mut item = json!({
        "name": table.name,
        "schema": table.schema,
        "share": table.share,
        "shareId": id(server, table.share),
        "id": id(server, &table.full_name()),
    });
    if table.directory {
        item["location"] = json!(location(table));
        item["accessModes"] = json!(["url", "dir"]);
    }
    if server.wrong("E4.items") {
        item["schema"] = Value::Null;
    }
    item
}

pub(crate) fn shares(server: &Server, ask: &Ask) -> Reply {
    let mut items: Vec<Value> = share_names(server)
        .into_iter()
        .map(|name| share_item(server, name))
        .collect();
    if server.wrong("C2.valid-names") {
        items.push(share_item(server, "a bad name"));
    }
    page(server, ask, "shares", &items)
}

fn find(server: &Server, share: &str) -> Option<&'static str> {
    share_names(server)
        .into_iter()
        .find(|name| name.eq_ignore_ascii_case(share))
}

pub(crate) fn share(server: &Server, name: &str) -> Reply {
    let Some(found) = find(server, name) else {
        if server.wrong("E2.unknown") {
            return reply::json(server, &json!({ "share": { "name": name } }));
        }
        return not_found(server);
    };
    let item = share_item(server, found);
    if server.wrong("E2.wrapped") {
        return reply::json(server, &item);
    }
    reply::json(server, &json!({ "share": item }))
}

fn tables_of(server: &Server, share: &str) -> Vec<Table> {
    let mut tables = server.granted();
    tables.retain(|table| table.share.eq_ignore_ascii_case(share));
    tables.sort_by_key(|table| (table.schema, table.name));
    tables
}

fn nothing(server: &Server, id: &str) -> Reply {
    if server.wrong(id) {
        return reply::json(server, &json!({ "items": [] }));
    }
    not_found(server)
}

pub(crate) fn schemas(server: &Server, ask: &Ask, share: &str) -> Reply {
    let Some(share) = find(server, share) else {
        return nothing(server, "E3.unknown");
    };
    let mut names: Vec<&str> = tables_of(server, share)
        .iter()
        .map(|table| table.schema)
        .collect();
    names.dedup();
    let items: Vec<Value> = names
        .into_iter()
        .map(|name| {
            if server.wrong("E3.items") {
                json!({ "name": name })
            } else {
                json!({ "name": name, "share": share })
            }
        })
        .collect();
    page(server, ask, &format!("schemas {share}"), &items)
}

pub(crate) fn tables(server: &Server, ask: &Ask, share: &str, schema: &str) -> Reply {
    let mut tables = tables_of(server, share);
    tables.retain(|table| table.schema.eq_ignore_ascii_case(schema));
    if tables.is_empty() {
        return nothing(server, "E4.unknown");
    }
    let items: Vec<Value> = tables
        .iter()
        .map(|table| table_item(server, table))
        .collect();
    page(server, ask, &format!("tables {share} {schema}"), &items)
}

pub(crate) fn all_tables(server: &Server, ask: &Ask, share: &str) -> Reply {
    let tables = tables_of(server, share);
    if tables.is_empty() {
        return nothing(server, "E5.unknown");
    }
    let mut items: Vec<Value> = tables
        .iter()
        .map(|table| table_item(server, table))
        .collect();
    if server.wrong("E5.all-tables") {
        items.pop();
    }
    page(server, ask, &format!("all {share}"), &items)
}

/// E12.
pub(crate) fn described(server: &Server, table: &Table) -> Reply {
    let mut item = table_item(server, table);
    if !server.wrong("E12.table") {
        item["format"] = json!("delta");
    }
    reply::json(server, &item)
}
