//! Seeing work on a replica to its end: a process that has the data folder to itself does it, any other waits for whoever does.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::time::Duration;

use anyhow::bail;
use exchange::Principal;
use exchange::jobs::WorkKind;
use serde_json::{Value, json};

use super::call::{Call, Client};
use super::columns::{at, bytes, list, rows};
use super::replica::{RUNS, TABLES, table_of};
use super::run::worker;
use crate::node::Node;

/// How often is looked how far it is.
const LOOK: Duration = Duration::from_secs(1);

/// Runs that are looked through for those of this command.
const NEWEST: usize = 200;

/// What a command has asked for.
#[derive(Clone, Debug)]
pub(super) struct Follow {
    kind: WorkKind,
    product: String,
    storage: String,
    /// Also where somebody else does it.
    pub(super) wait: bool,
}

/// How it ended.
pub(super) struct Followed {
    kind: WorkKind,
    replica: Value,
    runs: Vec<Value>,
}

impl Follow {
    pub(super) fn new(kind: WorkKind, product: &str, storage: &str, wait: bool) -> Self {
        Self {
            kind,
            product: product.to_owned(),
            storage: storage.to_owned(),
            wait,
        }
    }

    /// Makes the call that asks for the work, and comes back when it is done, or was tried once and failed.
    pub(super) async fn to_the_end(&self, client: &Client, ask: &Call) -> anyhow::Result<Followed> {
        // A run that is open already may be the one that is taken up.
        let over: BTreeSet<String> = self
            .runs(client)
            .await?
            .iter()
            .filter(|run| !run["finished_at"].is_null())
            .map(|run| at(run, "/id"))
            .collect();
        let asked = client.perform(ask).await?;
        let mut told = BTreeSet::new();
        match client.alone() {
            Some(node) => {
                let doing = self.perform(client, node, &asked);
                let mut doing = std::pin::pin!(doing);
                loop {
                    tokio::select! {
                        done = &mut doing => break done?,
                        () = tokio::time::sleep(LOOK) => self.tell(client, &over, &mut told).await,
                    }
                }
            }
            None => {
                let mut replica = asked;
                while self.waits(&replica) {
                    tokio::time::sleep(LOOK).await;
                    self.tell(client, &over, &mut told).await;
                    replica = self.replica(client).await?;
                }
            }
        }
        let runs = self.runs(client).await?.into_iter();
        Ok(Followed {
            kind: self.kind,
            replica: self.replica(client).await?,
            runs: runs.filter(|run| !over.contains(&at(run, "/id"))).collect(),
        })
    }

    /// Does what is to be done, a table at a time; what fails is not tried again here, and what goes on with a source's next version
    /// is.
    async fn perform(&self, client: &Client, node: &Node, replica: &Value) -> anyhow::Result<()> {
        // Nobody else is alive on this folder: what a process that was killed held is free.
        let exchange = node.exchange();
        exchange.work_release_all(&Principal::system()).await?;
        let worker = worker(node, Some(1));
        for table in list(replica, "tables") {
            if !table_waits(table, self.kind) {
                continue;
            }
            let id = at(table, "/id");
            if worker.perform_one(self.kind, &id).await? {
                let mut before = table.clone();
                loop {
                    let replica = self.replica(client).await?;
                    let mut tables = list(&replica, "tables").iter();
                    let now = tables.find(|table| at(table, "/id") == id);
                    let Some(now) = now.filter(|now| self.goes_on(&before, now)) else {
                        break;
                    };
                    before = now.clone();
                    worker.perform_one(self.kind, &id).await?;
                }
                continue;
            }
            // Otherwise it is gone, or waits for a person now: how it stands is told in the end.
            if let Some(here) = &node.settings.location
                && here.to_string() != at(replica, "/location")
            {
                bail!(
                    "{}.{} is to be worked on by a process in {}, or where its source lies; the configuration says that this one runs in {here}",
                    at(table, "/schema"),
                    at(table, "/name"),
                    at(replica, "/location"),
                );
            }
        }
        Ok(())
    }

    async fn replica(&self, client: &Client) -> anyhow::Result<Value> {
        client.perform(&self.get("replicas", true)).await
    }

    /// The newest runs of this kind on this replica.
    async fn runs(&self, client: &Client) -> anyhow::Result<Vec<Value>> {
        let mut call = self.get("sync-runs", false);
        // Of `product:cut`, the product.
        let (product, cut) = match self.product.split_once(':') {
            Some((product, cut)) => (product, Some(cut)),
            None => (self.product.as_str(), None),
        };
        call.query = vec![
            ("product", product.to_owned()),
            ("limit", NEWEST.to_string()),
        ];
        let answer = client.perform(&call).await?;
        let runs = list(&answer, "items")
            .iter()
            .filter(|run| at(run, "/kind") == self.kind.as_str() && at(run, "/to") == self.storage)
            .filter(|run| run["cut"].as_str() == cut);
        Ok(runs.cloned().collect())
    }

    fn get(&self, what: &str, of_replica: bool) -> Call {
        let replica = of_replica.then(|| format!("{}@{}", self.product, self.storage));
        Call {
            method: http::Method::GET,
            path: std::iter::once(what.to_owned()).chain(replica).collect(),
            query: Vec::new(),
            body: None,
            is_paged: false,
        }
    }

    /// Whether any table is still to be tried. Asking has set the failures to none.
    fn waits(&self, replica: &Value) -> bool {
        let mut tables = list(replica, "tables").iter();
        tables.any(|table| self.is_untried(table))
    }

    fn is_untried(&self, table: &Value) -> bool {
        table_work(table, self.kind)
            .any(|work| work["parked"] != true && work["failures"].as_i64().unwrap_or(0) == 0)
    }

    /// Whether a sync has brought a table further and left more to be brought.
    fn goes_on(&self, before: &Value, now: &Value) -> bool {
        let version = |table: &Value| table["replica_version"].as_u64();
        self.kind == WorkKind::Sync && self.is_untried(now) && version(now) > version(before)
    }

    /// Says on standard error how far the runs are, where that is news. That it cannot be found out is no reason to leave
    /// the work.
    async fn tell(&self, client: &Client, over: &BTreeSet<String>, told: &mut BTreeSet<String>) {
        let runs = match self.runs(client).await {
            Ok(runs) => runs,
            Err(error) => {
                tracing::warn!(
                    error = format!("{error:#}"),
                    "how far the work is could not be asked"
                );
                return;
            }
        };
        for run in runs.iter().rev() {
            if over.contains(&at(run, "/id")) {
                continue;
            }
            let line = progress(run);
            if told.insert(line.clone()) {
                let _ = writeln!(std::io::stderr(), "{line}");
            }
        }
    }
}

/// What is to be done on a table of this kind.
fn table_work(table: &Value, kind: WorkKind) -> impl Iterator<Item = &Value> {
    let work = list(table, "work").iter();
    work.filter(move |work| work["kind"] == kind.as_str())
}

/// Whether work of this kind is still to be done on a table; not what waits for a person.
fn table_waits(table: &Value, kind: WorkKind) -> bool {
    table_work(table, kind).any(|work| work["parked"] != true)
}

/// `vehicle-visits.default.visits: copying, 3 of 10 files, 1.5 MB of 4 MB`
fn progress(run: &Value) -> String {
    let mut line = format!("{}: {}", table_of(run), at(run, "/state"));
    if run["files_planned"].as_u64().unwrap_or(0) > 0 {
        line.push_str(&format!(
            ", {} of {} files, {} of {}",
            at(run, "/files_copied"),
            at(run, "/files_planned"),
            bytes(run, "/bytes_copied"),
            bytes(run, "/bytes_planned"),
        ));
    }
    if let Some(error) = run["error"].as_str() {
        line.push_str(&format!(". {error}"));
    }
    line
}

impl Followed {
    /// For `--json`.
    pub(super) fn answer(&self) -> Value {
        json!({ "replica": self.replica, "runs": self.runs })
    }

    pub(super) fn text(&self) -> String {
        let tables = list(&self.replica, "tables");
        let mut text = match self.kind {
            WorkKind::Verify => rows(TABLES, tables),
            _ if self.runs.is_empty() => "There was nothing to do.\n".to_owned(),
            _ => rows(RUNS, &self.runs),
        };
        for run in &self.runs {
            if let Some(error) = run["error"].as_str() {
                text.push_str(&format!("{}: {error}\n", table_of(run)));
            }
        }
        for (table, work) in self.left() {
            // What a run says already is not said twice.
            let error = work["error"].as_str().unwrap_or("it is still to be done");
            let said = self.runs.iter().any(|run| run["error"] == work["error"]);
            if !said {
                let (schema, name) = (at(table, "/schema"), at(table, "/name"));
                text.push_str(&format!("{schema}.{name}: {error}\n"));
            }
            if work["parked"] != true {
                text.push_str("It stays in the queue, and a worker tries it again.\n");
            }
        }
        text
    }

    pub(super) fn has_failed(&self) -> bool {
        let failed = |run: &Value| matches!(run["state"].as_str(), Some("failed" | "parked"));
        let mut tables = list(&self.replica, "tables").iter();
        let is_wrong = self.kind == WorkKind::Verify
            && tables.any(|table| table["state"].as_str() == Some("diverged"));
        self.runs.iter().any(failed) || self.left().next().is_some() || is_wrong
    }

    /// What was not done, by table.
    fn left(&self) -> impl Iterator<Item = (&Value, &Value)> {
        let (kind, tables) = (self.kind, list(&self.replica, "tables").iter());
        tables.flat_map(move |table| table_work(table, kind).map(move |work| (table, work)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sync_goes_on_while_it_gets_on_and_something_is_left() {
        let follow = |kind| Follow::new(kind, "p", "s", false);
        let table = |version: Option<u64>, failures: i64, is_left: bool| {
            let work = json!([{ "kind": "sync", "failures": failures, "parked": false }]);
            let work = if is_left { work } else { json!([]) };
            json!({ "replica_version": version, "work": work })
        };
        let before = table(Some(4), 0, true);
        for (now, goes_on) in [
            (table(Some(5), 0, true), true),
            (table(Some(5), 0, false), false),
            (table(Some(5), 1, true), false),
            (table(Some(4), 0, true), false),
            (table(None, 0, true), false),
        ] {
            assert_eq!(follow(WorkKind::Sync).goes_on(&before, &now), goes_on);
            assert!(!follow(WorkKind::Vacuum).goes_on(&before, &now));
        }
    }

    fn followed(kind: WorkKind, table: Value, runs: Vec<Value>) -> Followed {
        Followed {
            kind,
            replica: json!({ "tables": [table] }),
            runs,
        }
    }

    #[test]
    fn what_was_tried_once_is_waited_for_no_longer() {
        let follow = Follow::new(WorkKind::Sync, "p", "s", true);
        let work = |kind: &str, failures: i64, parked: bool| json!({ "work": [{ "kind": kind, "failures": failures, "parked": parked }] });
        for (tables, waits) in [
            (json!([work("sync", 0, false)]), true),
            (
                json!([work("sync", 1, false), work("sync", 0, false)]),
                true,
            ),
            (json!([work("sync", 1, false)]), false),
            (json!([work("sync", 0, true)]), false),
            (json!([work("vacuum", 0, false)]), false),
            (json!([{ "work": [] }]), false),
        ] {
            let replica = json!({ "tables": tables });
            assert_eq!(follow.waits(&replica), waits, "{replica}");
        }
    }

    #[test]
    fn what_failed_ends_with_one_and_says_why_once() {
        let table = |state: &str, work: Value| json!({ "schema": "default", "name": "t", "state": state, "work": work });
        let run = |state: &str, error: Value| json!({ "id": "1", "product": "p", "schema": "default", "table": "t", "state": state, "error": error });
        let waiting = |parked| json!([{ "kind": "sync", "failures": 1, "error": "no answer", "parked": parked }]);
        let nothing = Value::Null;
        for (followed, failed, says) in [
            (
                followed(
                    WorkKind::Sync,
                    table("ready", json!([])),
                    vec![run("done", nothing.clone())],
                ),
                false,
                "p.default.t",
            ),
            (
                followed(
                    WorkKind::Sync,
                    table("ready", json!([])),
                    vec![run("failed", json!("corrupt"))],
                ),
                true,
                "p.default.t: corrupt\n",
            ),
            (
                followed(
                    WorkKind::Sync,
                    table("pending", waiting(false)),
                    vec![run("copying", json!("no answer"))],
                ),
                true,
                "p.default.t: no answer\nIt stays in the queue",
            ),
            (
                followed(WorkKind::Sync, table("pending", waiting(true)), Vec::new()),
                true,
                "default.t: no answer\n",
            ),
            (
                followed(WorkKind::Vacuum, table("ready", waiting(false)), Vec::new()),
                false,
                "There was nothing to do.",
            ),
            (
                followed(WorkKind::Verify, table("diverged", json!([])), Vec::new()),
                true,
                "diverged",
            ),
            (
                followed(WorkKind::Verify, table("ready", json!([])), Vec::new()),
                false,
                "ready",
            ),
        ] {
            let text = followed.text();
            assert!(text.contains(says), "{text}");
            assert!(text.matches("no answer").count() <= 1, "{text}");
            assert_eq!(followed.has_failed(), failed, "{text}");
        }
    }
}
