//! C-05: every route as everybody, compared with a table that a person has looked at (`matrix.txt`).
//!
//! The rows come from the exchange's table. A route without a sample here fails; so does a row that changed. To grow it: add a
//! sample, run with `UPDATE_MATRIX=1`, and read the difference.

use std::fmt::Write as _;

use exchange::jobs::{Wake, WorkKind};
use exchange::operation::TABLE;
use exchange::page::PageRequest;
use exchange::{Operation, Principal};
use http::Method;
use model::dto::TokenNew;
use serde_json::{Value, json};

use crate::support::TestApp;

const COLUMNS: [&str; 9] = [
    "nobody",
    "loner",
    "consumer",
    "other_producer",
    "producer",
    "data_protection",
    "finance",
    "auditor",
    "admin",
];

/// One installation with everybody in it.
struct World {
    app: TestApp,
    /// One for each column; nobody has none.
    tokens: Vec<Option<String>>,
    count: u32,
}

impl World {
    async fn start() -> Self {
        let app = TestApp::start().await;
        app.domain("vehicle").await;
        for team in ["aftersales", "rnd", "sales"] {
            app.team(team, "vehicle").await;
        }
        let mut tokens = Vec::new();
        for column in COLUMNS {
            let roles: &[&str] = match column {
                "nobody" => {
                    tokens.push(None);
                    continue;
                }
                "data_protection" | "finance" | "auditor" | "admin" => &[column],
                _ => &[],
            };
            let name = column.replace('_', "-");
            app.person(&name, roles).await;
            match column {
                "consumer" => app.member("rnd", &name, "consumer").await,
                "other_producer" => app.member("sales", &name, "producer").await,
                "producer" => app.member("aftersales", &name, "producer").await,
                _ => {}
            }
            tokens.push(Some(app.token(&name).await));
        }
        app.person("zoe", &[]).await;
        Self {
            app,
            tokens,
            count: 0,
        }
    }

    fn fresh(&mut self, prefix: &str) -> String {
        self.count += 1;
        format!("{prefix}{}", self.count)
    }

    /// What makes a good request of this operation: the path's names in order, and the body. None: not routed yet.
    async fn sample(&mut self, operation: Operation) -> Option<(Vec<String>, Option<Value>)> {
        let path = |names: &[&str]| {
            names
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>()
        };
        let found = match operation {
            Operation::PersonRead
            | Operation::PersonList
            | Operation::TokenList
            | Operation::DomainList
            | Operation::TeamList
            | Operation::AuditList
            | Operation::WorkList => (path(&[]), None),
            Operation::PersonCreate => {
                let name = self.fresh("person");
                (path(&[]), Some(json!({ "name": name, "title": "P" })))
            }
            Operation::PersonUpdate => (path(&["zoe"]), Some(json!({ "title": "Zoe" }))),
            Operation::RoleSet => (path(&["zoe"]), Some(json!({ "roles": [] }))),
            Operation::PasswordSet => (
                path(&["zoe"]),
                Some(json!({ "password": "another long one" })),
            ),
            Operation::TokenCreate => (path(&[]), Some(json!({ "name": "ci" }))),
            Operation::TokenRevoke => {
                let new = TokenNew {
                    name: "zoe's".to_owned(),
                    team: None,
                    role: None,
                    days: None,
                };
                let operator = Principal::operator();
                let made = self
                    .app
                    .exchange
                    .token_create(&operator, Some("zoe"), new)
                    .await
                    .unwrap();
                (vec![made.detail.id.to_string()], None)
            }
            Operation::DomainCreate => {
                let name = self.fresh("domain");
                (path(&[]), Some(json!({ "name": name, "title": "D" })))
            }
            Operation::TeamRead => (path(&["aftersales"]), None),
            Operation::TeamCreate => {
                let name = self.fresh("team");
                let body =
                    json!({ "name": name, "domain": "vehicle", "title": "T", "cost_center": "1" });
                (path(&[]), Some(body))
            }
            Operation::MemberSet => (
                path(&["aftersales", "zoe"]),
                Some(json!({ "role": "consumer" })),
            ),
            Operation::MemberRemove => {
                self.app.member("aftersales", "zoe", "consumer").await;
                (path(&["aftersales", "zoe"]), None)
            }
            Operation::AuditVerify => (path(&[]), Some(json!({}))),
            Operation::WorkRetry => {
                let key = self.fresh("work");
                let wake = Wake::new(WorkKind::Refresh, key);
                self.app
                    .exchange
                    .wake(&Principal::system(), &wake)
                    .await
                    .unwrap();
                let (operator, page) = (Principal::operator(), PageRequest::default());
                let listed = self.app.exchange.work_list(&operator, &page).await;
                (vec![listed.unwrap().items[0].id.to_string()], None)
            }
            _ => return None,
        };
        Some(found)
    }

    async fn status(
        &self,
        column: usize,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> (u16, String) {
        let method: Method = method.parse().unwrap();
        let mut ask = self.app.ask(method, path);
        if let Some(token) = &self.tokens[column] {
            ask = ask.token(token);
        }
        let answer = match body {
            Some(body) => ask.json(body).await,
            None => ask.send().await,
        };
        (answer.status.as_u16(), answer.text)
    }
}

/// `/teams/{team}/members/{person}` with names in it.
fn fill(pattern: &str, names: &[String]) -> String {
    let mut names = names.iter();
    let parts: Vec<String> = pattern
        .split('/')
        .map(|part| match part.starts_with('{') {
            true => names.next().expect("a name for each parameter").clone(),
            false => part.to_owned(),
        })
        .collect();
    format!("/api/v1{}", parts.join("/"))
}

#[tokio::test]
async fn every_route_as_everybody() {
    let mut world = World::start().await;
    let mut table = String::new();
    let _ = writeln!(
        table,
        "{:20} {}",
        "",
        COLUMNS.map(|column| format!("{column:>16}")).concat()
    );
    for line in TABLE {
        let Some((method, pattern)) = line.rest else {
            continue;
        };
        let mut row = String::new();
        let mut is_routed = true;
        for (column, name) in COLUMNS.into_iter().enumerate() {
            let Some((names, body)) = world.sample(line.operation).await else {
                let ids = vec!["00000000-0000-7000-8000-000000000000".to_owned(); 4];
                let (status, text) = world
                    .status(column, method, &fill(pattern, &ids), None)
                    .await;
                let is_missing =
                    (status == 404 && text.contains("nothing at this path")) || status == 405;
                assert!(
                    is_missing,
                    "{:?} has a route and no sample: {status} {text}",
                    line.operation
                );
                is_routed = false;
                break;
            };
            let before = world.app.changes().await;
            let path = fill(pattern, &names);
            let (status, text) = world.status(column, method, &path, body.as_ref()).await;
            assert!(status < 500, "{:?} as {}: {text}", line.operation, name);
            if status >= 400 {
                assert_eq!(
                    world.app.changes().await,
                    before,
                    "{:?} was refused and done",
                    line.operation
                );
            }
            let _ = write!(row, "{status:>16}");
        }
        if is_routed {
            let _ = writeln!(table, "{:20} {row}", line.operation.name());
        }
    }
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/matrix.txt");
    if std::env::var_os("UPDATE_MATRIX").is_some() {
        std::fs::write(file, &table).unwrap();
    }
    let expected = std::fs::read_to_string(file).unwrap();
    assert_eq!(table, expected, "\n{table}");
}
