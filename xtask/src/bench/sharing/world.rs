//! What is measured: tables in a store that counts, and a server that shares them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::FEED_CHANGES;
use super::asking::{Answer, Line, Question};
use crate::bench::{entrepot, median};
use crate::http;
use crate::process::{Folder, Running, ask, bound, output};
use crate::repo::Repo;
use crate::services::tail;
use crate::setup;

const SHARE: &str = "bench-files";
/// Room for the largest table, with what a log may cost then.
const LARGEST: &str = "6000000";
/// So much the states of tables may take: none of those measured is given up.
const CACHE_MIB: &str = "6144";
/// No program takes longer.
const PROGRAM_SECONDS: &str = "300";
const CREDENTIAL: &str = r#"{"access_key_id":"AKIABENCH","secret_access_key":"bench-secret","role_arn":"arn:aws:iam::123456789012:role/bench"}"#;

/// How a table is made.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// A checkpoint of so many files, none of which is there.
    Files(u32),
    /// So many commits with a change data feed.
    Feed(u32),
    /// So many real files of so many rows.
    Rows(u32, u32),
}

#[derive(Clone, Copy)]
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
}

/// Fields drop in this order: the store ends, then its files go.
pub(super) struct World<'a> {
    repo: &'a Repo,
    pub(super) store: Store,
    token: String,
    folder: Folder,
}

/// What the store was asked since it was looked at the last time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) gets: u64,
    pub(super) heads: u64,
    pub(super) lists: u64,
    pub(super) checkpoint_bytes: u64,
}

impl Counts {
    pub(super) fn requests(self) -> u64 {
        self.gets + self.heads + self.lists
    }
}

pub(super) struct Store {
    pub(super) address: SocketAddr,
    running: Running,
}

/// A server over the world's tables, which knows none of them yet.
pub(super) struct Server<'a> {
    pub(super) address: SocketAddr,
    token: &'a str,
    running: Running,
}

impl<'a> World<'a> {
    pub(super) fn make(repo: &'a Repo, tables: &[Table]) -> Result<Self> {
        setup::python(repo)?;
        let folder = Folder::temporary("bench-sharing")?;
        let store = Store::start(repo, &folder.path().join("store"))?;
        let mut world = Self {
            repo,
            store,
            token: String::new(),
            folder,
        };
        // Registered while they are small: whoever registers a table waits for its log to be read.
        for table in tables {
            match table.kind {
                Kind::Rows(files, rows) => {
                    world.table(
                        table,
                        &json!({ "kind": "rows", "files": files, "rows": rows }),
                    )?;
                }
                Kind::Files(_) => world.table(table, &json!({ "kind": "begin" }))?,
                Kind::Feed(_) => world.table(table, &json!({ "kind": "begin", "feed": true }))?,
            }
        }
        let declaration = world.folder.path().join("entrepot.yml");
        let until = ask(repo.command("date").args(["-u", "-d", "+60 days", "+%F"]))
            .context("date does not answer")?;
        std::fs::write(&declaration, declare(tables, world.store.address, &until))?;
        output(&mut world.command(&["migrate"]))?;
        output(world.command(&["deploy"]).arg(&declaration))?;
        let profile = world.folder.path().join("profile.json");
        let mut make = world.command(&["recipient", "profile", "reader"]);
        output(make.arg("--output").arg(&profile))?;
        let profile: Value = serde_json::from_slice(&std::fs::read(&profile)?)?;
        let token = profile["bearerToken"].as_str();
        token
            .context("the profile has no token")?
            .clone_into(&mut world.token);
        for table in tables {
            match table.kind {
                Kind::Files(files) => {
                    world.table(table, &json!({ "kind": "large", "files": files }))?;
                }
                Kind::Feed(commits) => {
                    let how =
                        json!({ "kind": "feed", "commits": commits, "changes": FEED_CHANGES });
                    world.table(table, &how)?;
                }
                Kind::Rows(..) => {}
            }
        }
        Ok(world)
    }

    /// Makes a table, or changes it: see the program.
    pub(super) fn table(&self, table: &Table, how: &Value) -> Result<()> {
        let mut asked = how.clone();
        let folder = self.folder.path().join("store/lake/bench").join(table.name);
        asked["folder"] = json!(folder);
        self.python("bench_tables.py", &asked).map(drop)
    }

    /// Runs one of the tests' Python programs; what it prints.
    pub(super) fn python(&self, program: &str, asked: &Value) -> Result<Value> {
        let script = self.repo.root.join("end2end/python").join(program);
        // A program that hangs is a case that was not measured.
        let mut python = self.repo.command("timeout");
        python
            .args(["--foreground", "--kill-after=10", PROGRAM_SECONDS])
            .arg(setup::venv_python(self.repo));
        let printed = output(python.arg(script).arg(asked.to_string()))?;
        serde_json::from_str(&printed).with_context(|| format!("{program} printed no JSON"))
    }

    fn environment(&self) -> [(&'static str, String); 6] {
        [
            (
                "ENTREPOT__STORAGE__ENDPOINTS",
                self.store.address.to_string(),
            ),
            ("ENTREPOT__STORAGE__TABLE_FILES", LARGEST.to_owned()),
            ("ENTREPOT__SHARING__CACHE_MIB", CACHE_MIB.to_owned()),
            (
                "ENTREPOT__SHARING__REQUESTS_PER_SECOND",
                "100000".to_owned(),
            ),
            ("ENTREPOT__SERVER__REQUESTS_PER_SECOND", "100000".to_owned()),
            ("ENTREPOT_CREDENTIAL_BENCH", CREDENTIAL.to_owned()),
        ]
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = self.repo.command(entrepot(self.repo));
        command
            .args(arguments)
            .arg("--data")
            .arg(self.data())
            .envs(self.environment());
        command
    }

    /// A server that has read nothing yet. Nobody else reads while it is measured: it has no workers.
    pub(super) fn serve(&self) -> Result<Server<'_>> {
        let address = SocketAddr::from(([127, 0, 0, 1], http::free_port()?));
        let log_file = self.folder.path().join("log");
        let log = std::fs::File::create(&log_file)?;
        let mut command = bound(&entrepot(self.repo), None, "KILL");
        command
            .current_dir(&self.repo.root)
            .args(["serve", "--no-worker", "--data"])
            .arg(self.data())
            .args(["--addr", &address.to_string()])
            .arg("--site")
            .arg(self.repo.site())
            .envs(self.environment());
        // A line for each request would be a part of what is measured.
        command.env("ENTREPOT__TELEMETRY__FILTER", "warn");
        let mut running = Running::start(command.stdout(log.try_clone()?).stderr(log), "TERM")?;
        running
            .wait_until("the server", Duration::from_secs(30), || {
                // Without workers it is alive and never ready.
                let alive = http::get(address, "/healthz", None, Duration::from_secs(2));
                alive.is_ok_and(|answer| answer.status == 200)
            })
            .with_context(|| tail(&log_file))?;
        Ok(Server {
            address,
            token: &self.token,
            running,
        })
    }

    /// A profile for clients, for the recipient as that server knows it.
    pub(super) fn profile(&self, server: &Server<'_>) -> Result<PathBuf> {
        let file = self.folder.path().join("share.json");
        let profile = json!({
            "shareCredentialsVersion": 1,
            "endpoint": format!("http://{}/delta-sharing/", server.address),
            "bearerToken": self.token,
        });
        std::fs::write(&file, profile.to_string())?;
        Ok(file)
    }

    pub(super) fn repo(&self) -> &Repo {
        self.repo
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// Where the protocol has a table.
pub(super) fn path(table: &str, what: &str) -> String {
    format!("/delta-sharing/shares/{SHARE}/schemas/default/tables/{table}/{what}")
}

/// As the connector names a table.
pub(super) fn named(table: &str) -> String {
    format!("{SHARE}.default.{table}")
}

impl Server<'_> {
    pub(super) fn query(&self, table: &str, body: &Value) -> Question {
        Question::post(path(table, "query"), body).by(self.token)
    }

    pub(super) fn get(&self, table: &str, what: &str) -> Question {
        Question::get(path(table, what)).by(self.token)
    }

    pub(super) fn ask(&self, question: &Question) -> Result<Answer> {
        question.answered(self.address)
    }

    /// So often; the middle of what `of` takes from each answer.
    pub(super) fn median(
        &self,
        question: &Question,
        rounds: usize,
        of: impl Fn(&Answer) -> f64,
    ) -> Result<f64> {
        let mut values = Vec::with_capacity(rounds);
        for _ in 0..rounds {
            values.push(of(&self.ask(question)?));
        }
        Ok(median(values))
    }

    /// A connection that is kept.
    pub(super) fn line(&self) -> Result<Line> {
        Line::to(self.address)
    }

    /// All pages of what `asked` asks for, by the token of the page before, and the seconds from before the first question to the last
    /// byte. Nothing but the token is looked at meanwhile, as clients do that read ahead: after each rest the next page begins with
    /// cold caches, and how long a rest is would be measured, too.
    pub(super) fn pages(
        &self,
        line: &mut Line,
        asked: impl Fn(Option<&str>) -> Question,
    ) -> Result<(f64, Vec<Answer>)> {
        let begin = Instant::now();
        let (mut token, mut pages) = (None::<String>, Vec::new());
        loop {
            let page = line.answered(&asked(token.as_deref()))?;
            token = page.of_end("nextPageToken");
            pages.push(page);
            if token.is_none() {
                return Ok((begin.elapsed().as_secs_f64(), pages));
            }
        }
    }

    pub(super) fn process(&self) -> u32 {
        self.running.id()
    }
}

impl Store {
    fn start(repo: &Repo, root: &Path) -> Result<Self> {
        std::fs::create_dir_all(root.join("lake"))?;
        let address = SocketAddr::from(([127, 0, 0, 1], http::free_port()?));
        let mut command = bound(&setup::venv_python(repo), None, "KILL");
        command
            .arg(repo.root.join("end2end/python/bench_store.py"))
            .arg(root)
            .arg(address.port().to_string());
        let running = Running::start(&mut command, "TERM")?;
        let mut store = Self { address, running };
        let counts = Question::get("/-/counts");
        store
            .running
            .wait_until("the store", Duration::from_secs(30), || {
                counts.ask(address).is_ok()
            })?;
        Ok(store)
    }

    /// Since the last time.
    pub(super) fn counts(&self) -> Result<Counts> {
        let answer = Question::get("/-/counts")
            .keeping()
            .answered(self.address)?;
        let counts: Value = serde_json::from_slice(&answer.body)?;
        let of = |name: &str| counts[name].as_u64().context("the store did not count");
        Ok(Counts {
            gets: of("get")?,
            heads: of("head")?,
            lists: of("list")?,
            checkpoint_bytes: of("checkpoint_bytes")?,
        })
    }

    /// How far away it is from now on.
    pub(super) fn wait(&self, milliseconds: u32) -> Result<()> {
        let question = Question::get(format!("/-/wait/{milliseconds}"));
        question.answered(self.address).map(drop)
    }
}

fn declare(tables: &[Table], store: SocketAddr, until: &str) -> String {
    let tables: String = tables
        .iter()
        .map(|table| {
            let is_feed = matches!(table.kind, Kind::Feed(_));
            format!(
                "      - {{ name: {0}, schema: default, path: {0}, format: delta, history: true, change_data_feed: {is_feed} }}\n",
                table.name
            )
        })
        .collect();
    format!(
        "exchange: {{ name: bench }}\n\
         domains: {{ bench: {{ title: Bench }} }}\n\
         teams:\n  makers: {{ domain: bench, title: Makers, cost_center: \"1\" }}\n  readers: {{ domain: bench, title: Readers, cost_center: \"2\" }}\n\
         storages:\n  bench: {{ cloud: aws, region: eu-central-1, url: \"s3://lake/bench\", endpoint: \"http://{store}\", \
         credential: \"env:ENTREPOT_CREDENTIAL_BENCH\" }}\n\
         products:\n  {SHARE}:\n    title: Files\n    team: makers\n    storage: bench\n    classification: internal\n    \
         access: {{ policy: owner }}\n    tables:\n{tables}\
         recipients: {{ reader: {{ team: readers, cloud: aws, region: eu-central-1 }} }}\n\
         grants:\n  reader-files: {{ product: {SHARE}, recipient: reader, mode: live, directory: true, until: {until}, \
         purpose: {{ code: analytics, text: Measuring }} }}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_declaration_names_each_table_and_what_of_it_is_shared() {
        let tables = [
            Table {
                name: "t1k",
                kind: Kind::Files(1_000),
            },
            Table {
                name: "feed",
                kind: Kind::Feed(3),
            },
        ];
        let store = SocketAddr::from(([127, 0, 0, 1], 9_000));
        let text = declare(&tables, store, "2030-01-01");
        assert!(text.contains("    tables:\n      - { name: t1k, schema: default, path: t1k, format: delta, history: true, change_data_feed: false }\n"));
        assert!(text.contains("name: feed, schema: default, path: feed, format: delta, history: true, change_data_feed: true }\nrecipients:"));
        assert!(
            text.contains("endpoint: \"http://127.0.0.1:9000\""),
            "{text}"
        );
    }
}
