//! C-59 and C-37: the schema belongs to one role, the processes run as another, which is no superuser and may define nothing.
//! The rights are those that docs/OPERATING.md tells an operator to give, taken from there.

use std::time::{Duration, Instant};

use exchange::db::Db;
use http::StatusCode;
use serde_json::{Value, json};

use super::installation::{Installation, client, query, urls};
use super::rows::{execute, texts};
use crate::cli::{Served, done, entrepot, json};

/// Everything between the first heading about it and the end of its block of SQL.
fn rights(owner: &str, app: &str) -> Vec<String> {
    let page = include_str!("../../../../docs/OPERATING.md");
    let (_, rest) = page.split_once("## PostgreSQL").unwrap();
    let (_, rest) = rest.split_once("```sql\n").unwrap();
    let (block, _) = rest.split_once("```").unwrap();
    let text = block
        .replace("entrepot_owner", owner)
        .replace("entrepot_app", app);
    let statements = text.split(';').map(str::trim);
    let statements: Vec<String> = statements
        .filter(|statement| !statement.is_empty())
        .map(str::to_owned)
        .collect();
    assert!(statements.len() > 3, "{statements:?}");
    statements
}

/// What a process must not be able to do to its own database.
const FORBIDDEN: &[&str] = &[
    "create table x (a int)",
    "create schema x",
    "create function x() returns int language sql as 'select 1'",
    "create extension pgcrypto",
    "create role x",
    "drop table audit",
    "alter table audit add column x int",
    "alter table audit disable trigger all",
    "alter table meter_event disable trigger all",
    "drop trigger audit_append_only on audit",
    "create or replace function append_only() returns trigger language plpgsql as 'begin return null; end'",
    "update audit set actor = 'x'",
    "delete from audit",
    "truncate audit",
    "update decision set note = 'x'",
    "delete from charge",
    "update statement set total_micro = 0",
    "truncate meter_event",
    "delete from _sqlx_migrations",
    "insert into _sqlx_migrations select * from _sqlx_migrations",
    "copy audit to program 'cat'",
    "set session_replication_role = replica",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_owns_nothing_is_enough() {
    let Some(server) = crate::support::environment::wanted("TEST_POSTGRES_URL") else {
        return;
    };
    let run = uuid::Uuid::new_v4().simple().to_string();
    let (owner, app, base) = (
        format!("owner_{run}"),
        format!("app_{run}"),
        format!("rights_{run}"),
    );
    let superuser = Db::open(&server).await.unwrap();
    for text in [
        format!(
            "create role {owner} login password 'of-the-owner' nosuperuser nocreatedb nocreaterole"
        ),
        format!(
            "create role {app} login password 'of-the-app' nosuperuser nocreatedb nocreaterole"
        ),
        format!("create database {base} owner {owner}"),
    ] {
        execute(&superuser, text).await.unwrap();
    }
    let (_, host) = server.rsplit_once('@').unwrap();
    let (host, _) = host.split_once('/').unwrap();
    let of = |role: &str, password: &str| format!("postgres://{role}:{password}@{host}/{base}");
    let as_owner = Installation::on_database(of(&owner, "of-the-owner"));
    let as_app = Installation::on_database(of(&app, "of-the-app"));
    let data = as_app.data("one");

    // A process does not mend the schema itself.
    let refused = entrepot(&data).args(["user", "list"]).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("entrepot migrate"), "{said}");
    let refused = entrepot(&data).arg("migrate").output().unwrap();
    assert_eq!(refused.status.code(), Some(1), "only the owner migrates");
    done(&as_owner.data("owner"), &["migrate"]);
    let owned = Db::open(&of(&owner, "of-the-owner")).await.unwrap();
    for text in rights(&owner, &app) {
        execute(&owned, text.as_str())
            .await
            .unwrap_or_else(|error| panic!("{text}: {error}"));
    }

    journey(&as_app, &data).await;

    let ours = Db::open(&of(&app, "of-the-app")).await.unwrap();
    let attributes = "select case when rolsuper or rolcreatedb or rolcreaterole or rolbypassrls or rolreplication then 'some' else 'none' end as text
                      from pg_roles where rolname = current_user";
    assert_eq!(texts(&ours, attributes).await, ["none"]);
    let owns =
        "select cast(tablename as text) as text from pg_tables where tableowner = current_user";
    assert_eq!(texts(&ours, owns).await, [""; 0]);
    for text in FORBIDDEN.iter().map(|text| (*text).to_owned()).chain([
        format!("set role {owner}"),
        format!("create database x_{run}"),
    ]) {
        let refused = execute(&ours, text.as_str()).await;
        let said = refused.expect_err(&text);
        assert!(
            said.contains("permission denied")
                || said.contains("must be owner")
                || said.contains("superuser"),
            "{text}: {said}"
        );
    }
    // The log that all this left is whole.
    let verified = json(&data, &["audit", "verify"]);
    assert_eq!(verified["broken"], Value::Null, "{verified:#}");
    assert!(verified["rows"].as_i64().unwrap() > 15, "{verified:#}");
}

/// Accounts, a declaration, requests, a verified live grant, a replica that is copied, a query, a session, money, an end.
async fn journey(installation: &Installation, data: &std::path::Path) {
    let tokens = installation.share(data, 1, &["first"]);
    let admin = installation.person(data, "ada", Some("admin"));
    let mara = installation.person(data, "mara", None);
    done(
        data,
        &["team", "member", "rnd", "mara", "--role", "consumer"],
    );
    let served = Served::start(data, &[]);
    let http = client();
    let answer = query(&http, &served, &tokens[0]).await;
    assert_eq!(answer.status(), StatusCode::OK);
    for url in urls(&answer.text().await.unwrap()) {
        let fetched = http.get(url).send().await.unwrap();
        assert_eq!(fetched.bytes().await.unwrap().len(), 100);
    }
    let api = |path: &str| format!("{}/api/v1{path}", served.address);
    let post = async |token: &str, path: &str, body: Value| {
        let sent = http.post(api(path)).bearer_auth(token).json(&body);
        let answer = sent.send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{path}: {text}");
        serde_json::from_str::<Value>(&text).unwrap_or_default()
    };
    let clones = installation.clones();
    let storage = json!({
        "name": "az_weu", "cloud": "azure", "region": "westeurope", "url": format!("file://{}", clones.display()),
        "replicas": true,
    });
    post(&admin, "/storages", storage).await;
    let rate = json!({
        "from": "aws:*", "to": "azure:*", "price": "0.09", "unit": "GB", "currency": "USD", "valid_from": "2026-01-01", "source": "list",
    });
    post(&admin, "/rates", rate).await;
    let recipient =
        json!({ "name": "second", "team": "rnd", "cloud": "azure", "region": "westeurope" });
    post(&mara, "/recipients", recipient).await;
    let asking = json!({
        "product": "vehicle-visits", "recipient": "second", "mode": "replica", "until": super::installation::in_a_month(),
        "purpose": { "code": "x", "text": "to see" },
    });
    let request = post(&mara, "/requests", asking).await;
    let grant = request["grant"].as_str().unwrap().to_owned();
    let shown = async |path: &str| {
        let got = http.get(api(path)).bearer_auth(&mara).send().await.unwrap();
        got.json::<Value>().await.unwrap()
    };
    // The workers of the process copy, verify, and say so.
    let watch = Instant::now();
    let mut again = tokio::time::interval(Duration::from_millis(100));
    loop {
        again.tick().await;
        let seen = shown(&format!("/grants/{grant}")).await;
        if seen["actual"] == "active" {
            break;
        }
        assert!(watch.elapsed() < Duration::from_secs(60), "{seen:#}");
    }
    post(&admin, "/replicas/vehicle-visits@az_weu/vacuum", json!({})).await;
    post(&admin, "/billing/report", json!({})).await;
    post(
        &mara,
        &format!("/grants/{grant}/revoke"),
        json!({ "reason": "over" }),
    )
    .await;
    let answer = query(&http, &served, &tokens[0]).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let page = http.get(&served.address).header("accept", "text/html");
    assert_eq!(page.send().await.unwrap().status(), StatusCode::OK);
}

/// SQL is literals with bound values. The one text that is put together names a database, and what it is made of is checked.
#[test]
fn no_sql_is_put_together() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap();
    let mut folders = vec![
        root.join("crates"),
        root.join("server/src"),
        root.join("app/src"),
    ];
    let (mut texts, mut made) = (0, Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if name != "tests" && name != "target" {
                    folders.push(path);
                }
                continue;
            }
            if !name.ends_with(".rs") || name == "tests.rs" {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            texts += text.matches("sql!(").count();
            // What is not a literal needs this to be taken by the driver at all.
            for _ in text.matches("AssertSqlSafe(") {
                made.push(path.strip_prefix(root).unwrap().display().to_string());
            }
            for way in ["Statement {\n", "QueryBuilder", "raw_sql"] {
                let is_registry = path.ends_with("exchange/src/db/mod.rs")
                    || path.ends_with("exchange/src/db/query.rs");
                assert!(
                    is_registry || !text.contains(way) || !text.contains("sqlx"),
                    "{way} in {}",
                    path.display()
                );
            }
        }
    }
    assert!(texts > 200, "{texts}");
    assert_eq!(made, ["crates/exchange/src/db/fresh.rs"]);
}
