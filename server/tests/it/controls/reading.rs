//! C-02: reading changes nothing. Every GET there is (pages and what they link to, `/api/v1`, the sharing protocol, the
//! gateway, files), as everybody, with the whole database compared before and after.

use std::collections::{BTreeSet, VecDeque};

use exchange::operation::TABLE;
use http::{Method, StatusCode};
use model::time::MINUTE;
use serde_json::{Value, json};

use super::rows::{Rows, Writes};
use super::world::{As, Tenants, pages, send};
use crate::matrix::{COLUMNS, fill};
use crate::support::TestApp;
use crate::support::environment::quick_without;

/// A session remembers when it was last seen, and shows what a form left behind once.
const SESSIONS: &[&str] = &["session.data", "session.last_seen_at"];
/// What was read through the sharing protocol, by whom, and how many bytes: kept because it was read.
const ACCESS_LOG: &[&str] = &["query_log", "meter_event", "live_read"];

/// Sends and compares. Answers what came back, and whether only bookkeeping changed (false: nothing at all did).
struct Watch<'a> {
    app: &'a TestApp,
    before: Rows,
    writes: Writes,
    booked: bool,
}

impl<'a> Watch<'a> {
    async fn over(app: &'a TestApp) -> Self {
        Self {
            app,
            writes: Writes::of(app.exchange.db()).await,
            before: Rows::of(app.exchange.db()).await,
            booked: false,
        }
    }

    /// Looks anew after something that was meant to change things.
    async fn again(&mut self) {
        let db = self.app.exchange.db();
        self.writes = Writes::of(db).await;
        self.before = Rows::of(db).await;
    }

    /// By GET and by HEAD. Answers what GET brought.
    async fn read(&mut self, who: &str, as_: As<'_>, path: &str, allowed: &[&str]) -> Read {
        let read = self.send(Method::GET, who, as_, path, allowed).await;
        self.send(Method::HEAD, who, as_, path, allowed).await;
        read
    }

    /// The same, where HEAD, which is the same handler, is sent as those who may read nothing, their own and everything.
    async fn read_as(&mut self, who: &str, as_: As<'_>, path: &str, allowed: &[&str]) -> Read {
        match who {
            "nobody" | "consumer" | "admin" => self.read(who, as_, path, allowed).await,
            _ => self.send(Method::GET, who, as_, path, allowed).await,
        }
    }

    async fn send(
        &mut self,
        method: Method,
        who: &str,
        as_: As<'_>,
        path: &str,
        allowed: &[&str],
    ) -> Read {
        let answer = send(self.app, as_, method.clone(), path, None).await;
        let (status, what) = (answer.status, format!("{method} {path} as {who}"));
        assert!(!status.is_server_error(), "{what}: {}", answer.text);
        let db = self.app.exchange.db();
        let after = match self.writes.more(db).await {
            true => Some(Rows::of(db).await),
            false => None,
        };
        if let Some(after) = after.filter(|after| self.before != *after) {
            self.booked = true;
            let before = std::mem::take(&mut self.before).without(allowed);
            let differences = before.differences(&after.clone().without(allowed));
            assert!(differences.is_empty(), "{what} changed {differences:#?}");
            self.before = after;
        }
        Read {
            status,
            text: answer.text,
        }
    }
}

struct Read {
    status: StatusCode,
    text: String,
}

/// Paths of this site that a page links to.
fn links(page: &str) -> BTreeSet<String> {
    page.split(" href=\"")
        .skip(1)
        .filter_map(|rest| rest.split_once('"'))
        .map(|(path, _)| path.split('#').next().unwrap_or("").replace("&amp;", "&"))
        .filter(|path| path.starts_with('/') && !path.starts_with("//"))
        .collect()
}

impl Tenants {
    /// A good request for every GET of `/api/v1`.
    async fn api_paths(&mut self) -> Vec<String> {
        let mut paths = vec!["/api/v1/openapi.json".to_owned(), "/api/v1/".to_owned()];
        for line in TABLE {
            let Some(("GET", pattern)) = line.rest else {
                continue;
            };
            let name = line.operation.name();
            let sample = self.matrix.sample(line.operation).await;
            let sample = sample.unwrap_or_else(|| panic!("{name} has no sample"));
            paths.push(format!("{}{}", fill(pattern, &sample.names), sample.query));
        }
        assert!(paths.len() > 25, "{paths:?}");
        paths
    }
}

#[tokio::test]
async fn api_and_pages() {
    if quick_without("the reading of every page as everybody") {
        return;
    }
    let mut tenants = Tenants::start().await;
    let api = tenants.api_paths().await;
    let pages = pages(&tenants.things);
    let app = tenants.app();
    let mut watch = Watch::over(app).await;
    let mut drawn = BTreeSet::new();
    for (column, who) in COLUMNS.into_iter().enumerate() {
        // So that sessions are seen anew, and the server is ready.
        app.clock.advance(2 * MINUTE);
        app.exchange.worker_beat("one").await.unwrap();
        watch.again().await;
        let token = tenants.matrix.tokens[column].as_deref();
        for path in &api {
            let as_ = token.map_or(As::Nobody, As::Token);
            watch.read_as(who, as_, path, &[]).await;
        }
        let cookie = match who {
            "nobody" => None,
            who => Some(app.sign_in(&who.replace('_', "-")).await),
        };
        app.exchange.worker_beat("one").await.unwrap();
        watch.again().await;
        app.clock.advance(2 * MINUTE);
        let as_ = cookie.as_deref().map_or(As::Nobody, As::Cookie);
        let mut seen: BTreeSet<String> = BTreeSet::new();
        let mut waiting: VecDeque<String> = ["/healthz", "/readyz", "/nowhere", "/favicon.ico"]
            .into_iter()
            .map(str::to_owned)
            .collect();
        for (page, filled) in &pages {
            for path in filled {
                let read = watch.read_as(who, as_, path, SESSIONS).await;
                seen.insert(path.clone());
                waiting.extend(links(&read.text));
                if who == "admin" && read.status == StatusCode::OK {
                    drawn.insert(page.clone());
                }
            }
        }
        // Drawing them all takes longer than a worker may be silent for.
        app.exchange.worker_beat("one").await.unwrap();
        watch.again().await;
        while let Some(path) = waiting.pop_front() {
            // What follows `?` is read in the same way by everybody who may read the page at all: once as somebody who may read
            // everything, and once as somebody who may read what is his own.
            let is_variant = path.contains('?') && !["admin", "consumer"].contains(&who);
            if !is_variant && seen.insert(path.clone()) {
                assert!(seen.len() < 2_000, "the pages link to ever new ones");
                // Of the same routes as the pages, which were asked for by HEAD above.
                let read = watch.send(Method::GET, who, as_, &path, SESSIONS).await;
                waiting.extend(links(&read.text));
            }
        }
    }
    for (page, _) in &pages {
        assert!(
            drawn.contains(page) || page == "/sign-in",
            "an admin sees nothing at {page}: put a value for its parameter among the tenants' things"
        );
    }
    // The comparison sees what is allowed, and what a change leaves.
    assert!(watch.booked, "no session was ever seen anew");
    let token = tenants.matrix.tokens[2].as_deref().unwrap();
    let before = Rows::of(app.exchange.db()).await;
    let made = send(
        app,
        As::Token(token),
        Method::POST,
        "/api/v1/tokens",
        Some(&json!({ "name": "ci" })),
    )
    .await;
    assert_eq!(made.status, StatusCode::CREATED);
    let differences = before.differences(&Rows::of(app.exchange.db()).await);
    let changed: Vec<&str> = differences.keys().map(String::as_str).collect();
    assert_eq!(changed, ["audit", "audit_head", "service_token"]);
}

#[tokio::test]
async fn the_sharing_protocol_and_the_gateway() {
    let tenants = Tenants::start().await;
    let app = tenants.app();
    let table = "/delta-sharing/shares/vehicle-visits/schemas/default/tables/visits";
    let paths = [
        "/delta-sharing/shares".to_owned(),
        "/delta-sharing/shares/vehicle-visits".to_owned(),
        "/delta-sharing/shares/vehicle-visits/schemas".to_owned(),
        "/delta-sharing/shares/vehicle-visits/schemas/default/tables".to_owned(),
        "/delta-sharing/shares/vehicle-visits/all-tables".to_owned(),
        "/delta-sharing/shares/vehicle-hidden".to_owned(),
        "/delta-sharing/nowhere".to_owned(),
        table.to_owned(),
        format!("{table}/version"),
        format!("{table}/metadata"),
        format!("{table}/changes?startingVersion=0"),
    ];
    let mut watch = Watch::over(app).await;
    for (who, as_) in [
        ("a recipient", As::Token(&tenants.reader_token)),
        ("another one", As::Token(&tenants.stranger_reader_token)),
        ("nobody", As::Nobody),
        ("a person", As::Token(&tenants.strangers[0].1)),
    ] {
        for path in &paths {
            watch.read(who, as_, path, ACCESS_LOG).await;
        }
    }
    assert!(watch.before.count("query_log") > 0, "the access log");

    // A query is a POST; the URLs that it hands out are GETs.
    let query = format!("{table}/query");
    let answer = send(
        app,
        As::Token(&tenants.reader_token),
        Method::POST,
        &query,
        Some(&json!({})),
    )
    .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    watch.again().await;
    let mut files = 0;
    for line in answer.text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        if let Some(url) = line["file"]["url"].as_str() {
            let path = url.strip_prefix("https://data.example").unwrap();
            let read = watch.read("nobody", As::Nobody, path, ACCESS_LOG).await;
            assert_eq!(read.status, StatusCode::OK);
            let changed = path.replace("Signature=", "Signature=0");
            let read = watch.read("nobody", As::Nobody, &changed, &[]).await;
            assert_eq!(read.status, StatusCode::FORBIDDEN);
            files += 1;
        }
    }
    assert!(files > 0, "{}", answer.text);
    assert!(watch.before.count("meter_event") > 0, "bytes are counted");
}
