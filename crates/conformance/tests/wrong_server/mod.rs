//! A small sharing server over the fixture's tables, right in everything that the cases look at, and wrong in one thing at a
//! time: the switch is the id of the case that must fail.

mod ask;
mod changes;
mod data;
mod files;
mod lists;
mod log;
mod query;
mod reply;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::response::Response;
use conformance::fixture::{self, Table};
use conformance::{Advance, Hints, Profile, Target};
use serde_json::json;
use tokio::net::TcpListener;

use ask::Ask;
use reply::{Reply, error};

pub(crate) const TOKEN: &str = "right-token-of-the-checker";
/// Of the credential that it lends.
pub(crate) const SECRET: &str = "secret-of-the-store";
const EXPIRED: &str = "expired";
const DENIED: &str = "denied";
/// The earliest version that is left of the table `cleaned`.
pub(crate) const CLEANED: i64 = 2;

pub(crate) struct Server {
    pub(crate) tables: Mutex<Vec<Table>>,
    switch: Mutex<&'static str>,
    /// `http://127.0.0.1:port`
    pub(crate) base: String,
    /// Asynchronous queries by id: table, and how often it was asked for.
    pub(crate) queries: Mutex<BTreeMap<String, (String, u32)>>,
    count: AtomicI64,
}

impl Server {
    /// Listens, and answers what it is to be checked with.
    pub(crate) async fn start() -> (Arc<Self>, Target) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let server = Arc::new(Self {
            tables: Mutex::new(world()),
            switch: Mutex::new(""),
            base: base.clone(),
            queries: Mutex::default(),
            count: AtomicI64::new(0),
        });
        let routes = Router::new().fallback(answer).with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        let profile = Profile::new(&format!("{base}/delta-sharing/"), TOKEN).unwrap();
        let mut target = Target::new(profile);
        target.hints = hints();
        target.advance = Some(advance(server.clone()));
        (server, target)
    }

    pub(crate) fn set(&self, switch: &'static str) {
        *self.switch.lock().unwrap() = switch;
    }

    /// Whether this is to go wrong.
    pub(crate) fn wrong(&self, id: &str) -> bool {
        !id.is_empty() && *self.switch.lock().unwrap() == id
    }

    /// A number that comes once.
    pub(crate) fn next(&self) -> i64 {
        self.count.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn granted(&self) -> Vec<Table> {
        let tables = self.tables.lock().unwrap();
        tables
            .iter()
            .filter(|table| table.granted)
            .cloned()
            .collect()
    }
}

/// The fixture's tables, and those that only a test can have.
fn world() -> Vec<Table> {
    let mut tables = fixture::tables();
    let named = |of: &str, name: &'static str| {
        let found = fixture::tables().into_iter().find(|table| table.name == of);
        Table {
            name,
            share: "conformance-special",
            ..found.unwrap()
        }
    };
    tables.push(named("quiet", "broken"));
    tables.push(named("visits", "cleaned"));
    tables.push(fixture::outside());
    tables
}

fn hints() -> Hints {
    let special = |name: &str| format!("conformance-special.default.{name}");
    Hints {
        broken: Some(special("broken")),
        outside: Some(fixture::outside().full_name()),
        cleaned: Some((special("cleaned"), CLEANED)),
        expired_token: Some(EXPIRED.to_owned()),
        denied_token: Some(DENIED.to_owned()),
        ..fixture::hints()
    }
}

fn advance(server: Arc<Server>) -> Advance {
    type Done = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;
    Arc::new(move || -> Done {
        let server = server.clone();
        Box::pin(async move {
            let mut tables = server.tables.lock().unwrap();
            let moving = tables.iter_mut().find(|table| table.name == "moving");
            let moving = moving.ok_or_else(|| "there is no such table".to_owned())?;
            let next = moving.next();
            moving.commits.push(next);
            Ok(())
        })
    })
}

async fn answer(State(server): State<Arc<Server>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    if parts.uri.path().starts_with("/files/") {
        return files::answer(&server, &parts).response();
    }
    let ask = Ask::new(&server, &parts, body.to_vec());
    let mut reply = match refused(&server, &ask) {
        Some(refused) => refused,
        None => route(&server, &ask),
    };
    if ask.method == "HEAD" {
        reply.body.clear();
    }
    reply.response()
}

/// The token, the host, and what every call has in common.
fn refused(server: &Server, ask: &Ask) -> Option<Reply> {
    if server.wrong("C1.prefix") {
        return Some(Reply::new(308).header("location", "/elsewhere"));
    }
    if server.wrong("T8.localhost") && ask.header("host").starts_with("localhost") {
        return Some(error(400, "INVALID_PARAMETER_VALUE", "another host"));
    }
    let challenge = |message: &str| {
        let reply = error(401, "UNAUTHENTICATED", message);
        if server.wrong("R.challenge") {
            reply
        } else {
            reply.header("www-authenticate", "Bearer")
        }
    };
    let last = ask.path.last().map(String::as_str).unwrap_or_default();
    match ask.header("authorization").strip_prefix("Bearer ") {
        None if server.wrong("C1.token-required") => None,
        None if server.wrong("C1.every-endpoint") && last == "changes" => None,
        None => Some(challenge("send a bearer token")),
        Some(TOKEN) => None,
        Some(EXPIRED) if server.wrong("R.expired") => Some(challenge("no")),
        Some(EXPIRED) => Some(challenge("the bearer token has expired")),
        Some(DENIED) if server.wrong("C7.address") => Some(challenge("no")),
        Some(DENIED) => Some(error(403, "PERMISSION_DENIED", "not from this address")),
        Some(_) if server.wrong("C1.token-wrong") => None,
        Some(_) => Some(challenge("the bearer token is invalid")),
    }
}

/// A name that no share can have.
fn is_no_name(name: &str) -> bool {
    name.chars().count() > 255
        || name
            .chars()
            .any(|c| c == ' ' || c == '/' || c.is_ascii_control())
}

fn not_found(server: &Server) -> Reply {
    let code = if server.wrong("R.not-found") {
        "NOT_FOUND"
    } else {
        "RESOURCE_DOES_NOT_EXIST"
    };
    let message = if server.wrong("R.message") {
        "panicked at src/lib.rs:7"
    } else {
        "it does not exist"
    };
    let reply = error(404, code, message);
    if server.wrong("C4.error-body") {
        reply.header("content-type", "text/plain")
    } else {
        reply
    }
}

fn route(server: &Arc<Server>, ask: &Ask) -> Reply {
    let path: Vec<&str> = ask.path.iter().map(String::as_str).collect();
    if path.get(1).is_some_and(|name| is_no_name(name)) && server.wrong("C2.no-such-names") {
        return error(500, "INTERNAL_ERROR", "a strange name");
    }
    match (ask.method.as_str(), path.as_slice()) {
        ("GET", ["shares"]) => lists::shares(server, ask),
        ("GET", ["shares", share]) => lists::share(server, share),
        ("GET", ["shares", share, "schemas"]) => lists::schemas(server, ask, share),
        ("GET", ["shares", share, "all-tables"]) => lists::all_tables(server, ask, share),
        ("GET", ["shares", share, "schemas", schema, "tables"]) => {
            lists::tables(server, ask, share, schema)
        }
        (
            method,
            [
                "shares",
                share,
                "schemas",
                schema,
                "tables",
                name,
                rest @ ..,
            ],
        ) => {
            let table = match find(server, share, schema, name) {
                Ok(table) => table,
                Err(_) if method == "HEAD" && server.wrong("C4.head-404") => {
                    return Reply::new(200);
                }
                Err(reply) => return reply,
            };
            of_table(server, ask, &table, method, rest)
        }
        _ => not_found(server),
    }
}

fn find(server: &Server, share: &str, schema: &str, name: &str) -> Result<Table, Reply> {
    let same = |id: &str, one: &str, other: &str| {
        if server.wrong(id) {
            one == other
        } else {
            one.eq_ignore_ascii_case(other)
        }
    };
    let tables = server.tables.lock().unwrap();
    let found = tables.iter().find(|table| {
        same("C2.share-any-case", table.share, share)
            && same("C2.schema-any-case", table.schema, schema)
            && same("C2.table-any-case", table.name, name)
    });
    match found {
        Some(table) if table.granted => Ok(table.clone()),
        Some(_) if server.wrong("C7.ungranted") => {
            Err(error(403, "PERMISSION_DENIED", "not for you"))
        }
        None if server.wrong("C7.unknown-alike") => {
            Err(error(404, "NO_SUCH_THING", "it does not exist"))
        }
        _ => Err(not_found(server)),
    }
}

fn of_table(server: &Arc<Server>, ask: &Ask, table: &Table, method: &str, rest: &[&str]) -> Reply {
    match (method, rest) {
        ("GET", []) => lists::described(server, table),
        ("HEAD", []) => {
            let more = i64::from(server.wrong("E6.head"));
            Reply::new(200).header(
                "delta-table-version",
                &(log::latest(table) + more).to_string(),
            )
        }
        ("GET", ["version"]) => data::version(server, ask, table),
        ("GET", ["metadata"]) => data::metadata(server, ask, table),
        ("POST", ["query"]) => query::query(server, ask, table),
        ("GET", ["changes"]) => changes::changes(server, ask, table),
        ("POST", ["queries", id]) => query::poll(server, ask, table, id),
        ("POST", ["temporary-table-credentials"]) => credentials(server, ask, table),
        _ => error(405, "UNSUPPORTED_OPERATION", "not this method"),
    }
}

/// Where the table's directory is said to lie.
pub(crate) fn location(table: &Table) -> String {
    format!("s3://conformance/{}", table.path())
}

fn credentials(server: &Server, ask: &Ask, table: &Table) -> Reply {
    if server.wrong("E11.known") {
        return error(500, "INTERNAL_ERROR", "no");
    }
    if !table.directory && !server.wrong("K.not-allowed") {
        return error(403, "PERMISSION_DENIED", "no access to its directory");
    }
    let own = location(table);
    let body = ask.json().unwrap_or_default();
    if let Some(asked) = body["location"].as_str() {
        let is_own = asked.trim_end_matches('/') == own
            || server.wrong("K.other-location")
            || (server.wrong("K.sibling") && asked.starts_with(&own));
        if !is_own {
            return error(400, "INVALID_PARAMETER_VALUE", "another location");
        }
    }
    let mut until = data::now() + 3_600_000;
    if server.wrong("K.expiration") {
        until /= 1_000;
    }
    let place = if server.wrong("K.location") {
        "s3://elsewhere/table".to_owned()
    } else {
        own
    };
    let mut credentials = json!({
        "location": place,
        "awsTempCredentials": { "accessKeyId": "a", "secretAccessKey": SECRET, "sessionToken": "c" },
        "expirationTime": until,
    });
    if server.wrong("K.one-kind") {
        credentials["gcpOauthToken"] = json!({ "oauthToken": "d" });
    }
    let reply = reply::json(server, &json!({ "credentials": credentials }));
    if server.wrong("K.type") {
        reply.header("content-type", "application/x-ndjson; charset=utf-8")
    } else {
        reply
    }
}
