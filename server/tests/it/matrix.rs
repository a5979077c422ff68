//! C-05: every route as everybody, compared with a table that a person has looked at (`matrix.txt`).
//!
//! The rows come from the exchange's table. A route without a sample here fails; so does a row that changed. To grow it: add a
//! sample, run with `UPDATE_MATRIX=1`, and read the difference.

mod advised;
mod bodies;
mod doors;
mod forms;
mod functions;
mod made;
pub(crate) mod samples;

use std::fmt::Write as _;

use exchange::db::Ground;
use exchange::operation::TABLE;
use exchange::{Exchange, Principal};
use http::Method;
use serde_json::Value;

use crate::support::laid::Laid;
use crate::support::{Build, TestApp};

pub(crate) const COLUMNS: [&str; 9] = [
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

/// What makes a good request of an operation.
#[derive(Default)]
pub(crate) struct Sample {
    /// The path's names in order.
    pub(crate) names: Vec<String>,
    /// With its question mark.
    pub(crate) query: &'static str,
    pub(crate) body: Option<Value>,
}

/// One installation with everybody in it: `producer` owns the product, `consumer` has the recipient.
pub(crate) struct World {
    pub(crate) app: TestApp,
    /// One for each column; nobody has none.
    pub(crate) tokens: Vec<Option<String>>,
    count: u32,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::start_with(true).await
    }

    /// Whether mail is configured.
    pub(crate) async fn start_with(mail: bool) -> Self {
        static WITHOUT_MAIL: Ground<Laid<Vec<Option<String>>>> = Ground::new();
        static WITH_MAIL: Ground<Laid<Vec<Option<String>>>> = Ground::new();
        let ground = if mail { &WITH_MAIL } else { &WITHOUT_MAIL };
        let build = Build {
            mail,
            ..Build::default()
        };
        let lay = |app| async move {
            let world = Self::on(app).await;
            (world.app, world.tokens)
        };
        let (app, tokens) = TestApp::laid(ground, build, lay).await;
        Self {
            app,
            tokens,
            count: 0,
        }
    }

    pub(crate) async fn on(app: TestApp) -> Self {
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
        app.storage("aws_eu", "aws", "eu-central-1", false).await;
        app.storage("az_weu", "azure", "westeurope", true).await;
        app.product("vehicle-visits", "aftersales").await;
        Self {
            app,
            tokens,
            count: 0,
        }
    }

    pub(crate) fn exchange(&self) -> &Exchange {
        &self.app.exchange
    }

    pub(crate) fn fresh(&mut self, prefix: &str) -> String {
        self.count += 1;
        format!("{prefix}{}", self.count)
    }

    /// The principal of a column's token.
    pub(crate) async fn principal(&self, column: &str) -> Principal {
        let at = COLUMNS.iter().position(|name| *name == column).unwrap();
        let token = self.tokens[at].as_ref().unwrap();
        self.exchange().principal_of_token(token).await.unwrap()
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

/// Who may, by the table that a person has looked at: the admin where that is one of them.
fn who_may(operation: &str) -> usize {
    let mut rows = include_str!("matrix.txt").lines();
    let row = rows.find(|row| row.split_whitespace().next() == Some(operation));
    let row = row.unwrap_or_else(|| panic!("{operation} has no row in matrix.txt"));
    let statuses: Vec<&str> = row.split_whitespace().skip(1).collect();
    let may = statuses.iter().rposition(|status| status.starts_with('2'));
    may.unwrap_or_else(|| panic!("nobody may {operation}"))
}

/// `/teams/{team}/members/{person}` with names in it.
pub(crate) fn fill(pattern: &str, names: &[String]) -> String {
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
        let name = line.operation.name();
        let mut row = String::new();
        for (column, who) in COLUMNS.into_iter().enumerate() {
            let sample = world.sample(line.operation).await;
            let sample = sample.unwrap_or_else(|| panic!("{name} has no sample"));
            let before = world.app.changes().await;
            let path = format!("{}{}", fill(pattern, &sample.names), sample.query);
            let (status, text) = world
                .status(column, method, &path, sample.body.as_ref())
                .await;
            assert!(status < 500, "{name} as {who}: {text}");
            if status >= 400 {
                assert_eq!(
                    world.app.changes().await,
                    before,
                    "{name} was refused and done"
                );
                // What one may not see is not there, also where it is named in a body.
                let is_about_rights =
                    matches!(status, 401 | 403 | 404) || text.contains("there is no such");
                assert!(
                    is_about_rights,
                    "{name} as {who}, the sample is not good: {text}"
                );
            }
            let _ = write!(row, "{status:>16}");
        }
        let _ = writeln!(table, "{name:20} {row}");
    }
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/matrix.txt");
    if std::env::var_os("UPDATE_MATRIX").is_some() {
        std::fs::write(file, &table).unwrap();
    }
    let expected = std::fs::read_to_string(file).unwrap();
    assert_eq!(table, expected, "\n{table}");
}
