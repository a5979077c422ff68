//! `entrepot replica`, and `sync`, `verify` and `vacuum`, which ask for work on one.

use anyhow::bail;
use clap::{Args, Subcommand};
use exchange::jobs::WorkKind;
use serde_json::{Value, json};

use super::call::Act;
use super::columns::{Column, at, bytes, duration, facts, given, lines, list, rows, table, time};
use super::follow::Follow;
use super::show::Show;

#[derive(Debug, Subcommand)]
pub(super) enum Replica {
    /// All replicas
    List {
        #[arg(long)]
        product: Option<String>,
    },
    /// One replica, its tables and its job
    Show {
        #[arg(value_name = "PRODUCT@STORAGE")]
        replica: String,
    },
    /// When and how it is synced; what is not given stays
    Schedule {
        #[arg(value_name = "PRODUCT@STORAGE")]
        replica: String,
        #[command(flatten)]
        schedule: Box<Timetable>,
    },
    /// Serve a replica again that is in quarantine: on your word that it is in order
    Release {
        #[arg(value_name = "PRODUCT@STORAGE")]
        replica: String,
    },
    /// Name a copy of a table that lies in a storage already: the first sync there takes over what is the same
    Adopt(Adopt),
    /// The copies that were named, and what the first syncs made of them
    Adoptions,
    /// The runs, newest first
    Runs {
        #[arg(long)]
        product: Option<String>,
    },
    /// One run
    Run { run: String },
}

#[derive(Debug, Args)]
pub(super) struct Adopt {
    product: String,
    /// The storage in which the copy lies, and the replica does or will
    #[arg(long, value_name = "STORAGE")]
    to: String,
    /// SCHEMA.NAME; may be left out where the product has one table
    #[arg(long)]
    table: Option<String>,
    /// The copy's folder, relative to the storage
    #[arg(long, value_name = "FOLDER", required_unless_present = "none")]
    path: Option<String>,
    /// Where the source's store says nothing of a file's content: take a Parquet file of the same size and the same last 8 KiB, which
    /// are fetched, for the same
    #[arg(long)]
    by_ends: bool,
    /// Adopt nothing after all
    #[arg(long, conflicts_with_all = ["path", "by_ends"])]
    none: bool,
}

const ADOPTIONS: &[Column] = &[
    ("ASKED FOR", |a| time(a, "/asked_at")),
    ("TABLE", |a| table_of(a)),
    ("STORAGE", |a| at(a, "/storage")),
    ("FOLDER", |a| at(a, "/path")),
    ("SERVES", |a| counted(a, "/files", "/bytes")),
    ("TO FETCH", |a| bytes(a, "/fetch_bytes")),
    ("TAKEN OVER", |a| counted(a, "/taken_files", "/taken_bytes")),
    ("DONE", |a| time(a, "/done_at")),
    ("OUTCOME", |a| at(a, "/outcome")),
];

#[derive(Debug, Args)]
#[group(id = "sync_schedule")]
pub(super) struct Timetable {
    /// A name for the job
    #[arg(long)]
    name: Option<String>,
    /// 2d, 6h, 30m; empty takes it away
    #[arg(long)]
    every: Option<String>,
    /// Time of day, for --every of whole days: 03:00
    #[arg(long)]
    at: Option<String>,
    /// Five fields; empty takes it away
    #[arg(long)]
    cron: Option<String>,
    /// Run when the source has a new version, and not more often than this: 1h; empty takes it away
    #[arg(long, value_name = "PERIOD")]
    on_new_version: Option<String>,
    /// Run so that what the source commits is there within this: 6h; empty takes it away
    #[arg(long, value_name = "PERIOD")]
    fresh_within: Option<String>,
    /// Check every object so often, level 2: 1w, or a cron line; empty takes it away
    #[arg(long, value_name = "WHEN")]
    verify_objects: Option<String>,
    /// Check every row so often, level 3; empty takes it away
    #[arg(long, value_name = "WHEN")]
    verify_rows: Option<String>,
    /// Europe/Berlin
    #[arg(long)]
    timezone: Option<String>,
    /// How long the replica keeps what the source removed
    #[arg(long, value_name = "HOURS")]
    retention_hours: Option<i64>,
    /// How long a replica that nobody may read any more is kept
    #[arg(long, value_name = "HOURS")]
    keep_hours: Option<i64>,
    /// What the source deleted is gone from the replica within so long of its commit, whatever the retention and the schedule say: from
    /// 8; 0 for no deadline
    #[arg(long, value_name = "HOURS")]
    forget_hours: Option<i64>,
    /// What is fetched of files that the source has rewritten: files; changes, where its change feed is less; least, and nothing for
    /// what was only compacted
    #[arg(long, value_name = "WHAT")]
    fetches: Option<String>,
    /// What one commit of the replica brings: run, all since the last run; each, one version of the source, with its change feed, as
    /// long as the source still has it
    #[arg(long, value_name = "WHAT")]
    commits: Option<String>,
    /// Sync and check by hand only, until --resume
    #[arg(long, conflicts_with = "resume")]
    pause: bool,
    #[arg(long)]
    resume: bool,
    /// Only if this is still the job's revision
    #[arg(long)]
    revision: Option<i64>,
}

/// The replica that a product has in a storage.
#[derive(Debug, Args)]
pub(super) struct Target {
    /// The product, or PRODUCT@STORAGE; PRODUCT:CUT for the replica of a cut
    product: String,
    #[arg(long, value_name = "STORAGE")]
    to: Option<String>,
    /// Wait until it is done, also where somebody else does it; exit status 1 when it failed
    #[arg(long)]
    wait: bool,
}

/// How closely the replica is looked at.
#[derive(Debug, Args)]
pub(super) struct Check {
    #[command(flatten)]
    target: Target,
    /// 1: the log and the counts; 2: every object, too; 3: every row, too, of source and replica, deletion vectors applied
    #[arg(long, value_name = "LEVEL", value_parser = clap::value_parser!(u8).range(0..=3))]
    level: Option<u8>,
}

impl Check {
    pub(super) fn start(self) -> anyhow::Result<Act> {
        let level = self.level.map(|level| level.to_string());
        Ok(self.target.start(WorkKind::Verify)?.query("level", level))
    }
}

impl Target {
    /// Of the product and the storage.
    pub(super) fn names(&self) -> anyhow::Result<(String, String)> {
        let product = self.product.as_str();
        Ok(match (&self.to, product.split_once('@')) {
            (Some(to), _) => (product.to_owned(), to.clone()),
            (None, Some((product, to))) => (product.to_owned(), to.to_owned()),
            (None, None) => bail!("say which replica: {product}@STORAGE, or --to STORAGE"),
        })
    }

    /// Asks for the work, and follows it where this process does it itself or is to wait.
    pub(super) fn start(self, kind: WorkKind) -> anyhow::Result<Act> {
        let (product, to) = self.names()?;
        let wait = self.wait;
        let what = kind.as_str();
        let follow = Follow::new(kind, &product, &to, wait);
        Ok(Act::post(&["replicas", &format!("{product}@{to}"), what])
            .show(Show::said(format!(
                "The {what} of {product} in {to} is asked for; a worker does it. To wait for its end: --wait. \
                 To see it: entrepot replica runs --product {product}"
            )))
            .follow(follow))
    }
}

const RUN: &[Column] = &[
    ("Run", |r| at(r, "/id")),
    ("Kind", |r| at(r, "/kind")),
    ("State", |r| at(r, "/state")),
    ("Table", |r| table_of(r)),
    ("To", |r| {
        format!("{} ({})", at(r, "/to"), at(r, "/to_location"))
    }),
    ("Source versions", |r| versions(r)),
    ("Replica version", |r| at(r, "/replica_version")),
    ("Files planned", |r| {
        counted(r, "/files_planned", "/bytes_planned")
    }),
    ("Files copied", |r| {
        counted(r, "/files_copied", "/bytes_copied")
    }),
    ("Adopted", |r| adopted(r)),
    ("Files deleted", |r| {
        counted(r, "/files_deleted", "/bytes_deleted")
    }),
    ("Copied of the plan", |r| of_plan(r)),
    ("How", |r| at(r, "/how/because")),
    ("Sets by the feed", |r| {
        counted(r, "/how/sets_fed", "/how/bytes_fed")
    }),
    ("Sets left alone", |r| at(r, "/how/sets_skipped")),
    ("Sets copied", |r| at(r, "/how/sets_copied")),
    ("Files written anew", |r| at(r, "/how/files_purged")),
    ("A full copy", |r| bytes(r, "/bytes_full")),
    ("Received", |r| bytes(r, "/bytes_received")),
    ("Of it not used", |r| bytes(r, "/bytes_unused")),
    ("Started", |r| time(r, "/started_at")),
    ("Finished", |r| time(r, "/finished_at")),
    ("Busy", |r| duration(r, "/busy_micros")),
    ("Steps", |r| steps(r)),
    ("Attempt", |r| at(r, "/attempt")),
    ("Error", |r| at(r, "/error")),
];

/// A run in a list.
pub(super) const RUNS: &[Column] = &[
    ("STARTED", |r| time(r, "/started_at")),
    ("KIND", |r| at(r, "/kind")),
    ("STATE", |r| at(r, "/state")),
    ("TABLE", |r| table_of(r)),
    ("TO", |r| at(r, "/to")),
    ("VERSIONS", |r| versions(r)),
    ("COPIED", |r| bytes(r, "/bytes_copied")),
    ("FULL", |r| bytes(r, "/bytes_full")),
    ("BUSY", |r| duration(r, "/busy_micros")),
    ("ID", |r| at(r, "/id")),
];

/// A table of a replica in a list.
pub(super) const TABLES: &[Column] = &[
    ("TABLE", |t| {
        format!("{}.{}", at(t, "/schema"), at(t, "/name"))
    }),
    ("STATE", |t| at(t, "/state")),
    ("PATH", |t| at(t, "/path")),
    ("SOURCE VERSION", |t| at(t, "/source_version")),
    ("OF", |t| time(t, "/source_committed_at")),
    ("SIZE", |t| bytes(t, "/bytes")),
    ("SYNCED", |t| time(t, "/synced_at")),
    ("VERIFIED", |t| time(t, "/verified_at")),
    ("VACUUMED", |t| time(t, "/vacuumed_at")),
    ("IN QUARANTINE", |t| time(t, "/quarantined_at")),
    ("WAITS FOR", |t| waits_for(t)),
    ("WHY", |t| at(t, "/reason")),
];

/// `sync`, `sync (failed 3 times: the store does not answer)`.
fn waits_for(table: &Value) -> String {
    let work = list(table, "work").iter().map(|work| {
        let kind = at(work, "/kind");
        match (work["failures"].as_i64(), work["parked"] == true) {
            (_, true) => format!("{kind} (given up: {})", at(work, "/error")),
            (None | Some(0), _) => kind,
            (Some(1), _) => format!("{kind} (failed once: {})", at(work, "/error")),
            (Some(n), _) => format!("{kind} (failed {n} times: {})", at(work, "/error")),
        }
    });
    work.collect::<Vec<_>>().join(", ")
}

/// `planned 2026-06-15 12:00:00 UTC, copying 2026-06-15 12:00:02 UTC`.
fn steps(run: &Value) -> String {
    let steps = list(run, "steps").iter();
    let steps = steps.map(|step| format!("{} {}", at(step, "/state"), time(step, "/at")));
    steps.collect::<Vec<_>>().join(", ")
}

pub(super) fn table_of(run: &Value) -> String {
    let part = |pointer| at(run, pointer);
    let cut = match run["cut"].as_str() {
        Some(cut) => format!(":{cut}"),
        None => String::new(),
    };
    format!(
        "{}{cut}.{}.{}",
        part("/product"),
        part("/schema"),
        part("/table")
    )
}

/// `anonymous, edition 2`.
fn cut(replica: &Value) -> String {
    match replica["cut"].as_str() {
        Some(cut) => format!("{cut}, edition {}", at(replica, "/edition")),
        None => at(replica, "/cut"),
    }
}

fn versions(run: &Value) -> String {
    format!("{} to {}", at(run, "/from_version"), at(run, "/to_version"))
}

/// `99.8 %`; nothing where nothing was planned.
fn of_plan(run: &Value) -> String {
    let number = |name: &str| run[name].as_u64().unwrap_or_default();
    let (copied, planned) = (number("bytes_copied"), number("bytes_planned"));
    match u128::from(copied) * 1_000 / u128::from(planned.max(1)) {
        _ if planned == 0 => String::new(),
        tenths => format!("{}.{} %", tenths / 10, tenths % 10),
    }
}

/// What a first sync took over from a copy in the storage.
fn adopted(run: &Value) -> String {
    match run["adopted_files"].as_u64() {
        None | Some(0) => String::new(),
        Some(_) => counted(run, "/adopted_files", "/adopted_bytes"),
    }
}

fn counted(run: &Value, files: &str, size: &str) -> String {
    format!("{}, {}", at(run, files), bytes(run, size))
}

impl Replica {
    pub(super) fn act(self) -> anyhow::Result<Act> {
        Ok(match self {
            Self::List { product } => {
                Act::list(&["replicas"])
                    .query("product", product)
                    .show(table(&[
                        ("PRODUCT", |r| at(r, "/product")),
                        ("CUT", |r| cut(r)),
                        ("STORAGE", |r| at(r, "/storage")),
                        ("LOCATION", |r| at(r, "/location")),
                        ("STATE", |r| at(r, "/state")),
                        ("EVERY", |r| every(r)),
                        ("NEXT", |r| time(r, "/job/next_due_at")),
                        ("LATE SINCE", |r| time(r, "/late_since")),
                        ("WHY", |r| at(r, "/reason")),
                    ]))
            }
            Self::Show { replica } => Act::get(&["replicas", &replica]).show(Show::words(words)),
            Self::Schedule { replica, schedule } => Act::patch(&["replicas", &replica, "job"])
                .body(schedule.body()?)
                .show(Show::words(words)),
            Self::Release { replica } => {
                Act::post(&["replicas", &replica, "release"]).show(Show::words(words))
            }
            Self::Adopt(adopt) => Act::post(&["adoptions"])
                .body(json!({
                    "product": adopt.product,
                    "storage": adopt.to,
                    "table": adopt.table,
                    "path": adopt.path.unwrap_or_default(),
                    "by_ends": adopt.by_ends,
                }))
                .show(table(ADOPTIONS)),
            Self::Adoptions => Act::get(&["adoptions"]).show(table(ADOPTIONS)),
            Self::Runs { product } => Act::list(&["sync-runs"])
                .query("product", product)
                .show(table(RUNS)),
            Self::Run { run } => Act::get(&["sync-runs", &run]).show(lines(RUN)),
        })
    }
}

impl Timetable {
    fn body(self) -> anyhow::Result<Value> {
        let paused = (self.pause || self.resume).then_some(Value::Bool(self.pause));
        let mut body = given([
            ("name", self.name.map(Value::from)),
            ("every", self.every.map(Value::from)),
            ("at", self.at.map(Value::from)),
            ("cron", self.cron.map(Value::from)),
            ("on_new_version", self.on_new_version.map(Value::from)),
            ("fresh_within", self.fresh_within.map(Value::from)),
            ("verify_objects", self.verify_objects.map(Value::from)),
            ("verify_rows", self.verify_rows.map(Value::from)),
            ("timezone", self.timezone.map(Value::from)),
            ("retention_hours", self.retention_hours.map(Value::from)),
            ("keep_hours", self.keep_hours.map(Value::from)),
            ("forget_hours", self.forget_hours.map(Value::from)),
            ("paused", paused),
            ("fetches", self.fetches.map(Value::from)),
            ("commits", self.commits.map(Value::from)),
        ]);
        if body.is_empty() {
            bail!("say what to change; entrepot replica schedule --help lists it");
        }
        body.extend(given([("revision", self.revision.map(Value::from))]));
        Ok(body.into())
    }
}

/// `2d at 03:00`, `0 3 * * 1`, `new version, at most every 1h`, `within 6h`, `by hand`, `paused`.
fn every(replica: &Value) -> String {
    let job = &replica["job"];
    if job["paused"] == true {
        return "paused".to_owned();
    }
    if let Some(period) = job["on_new_version"].as_str() {
        return format!("new version, at most every {period}");
    }
    if let Some(period) = job["fresh_within"].as_str() {
        return format!("within {period}");
    }
    match (job["every"].as_str(), job["cron"].as_str()) {
        (Some(every), _) => match job["at"].as_str() {
            Some(time) => format!("{every} at {time}"),
            None => every.to_owned(),
        },
        (None, Some(cron)) => cron.to_owned(),
        (None, None) => "by hand".to_owned(),
    }
}

fn words(replica: &Value) -> String {
    let mut text = facts(
        &[
            ("Replica", |r| at(r, "/id")),
            ("Product", |r| at(r, "/product")),
            ("Cut", |r| cut(r)),
            ("Storage", |r| {
                format!("{} ({})", at(r, "/storage"), at(r, "/location"))
            }),
            ("State", |r| at(r, "/state")),
            ("Because", |r| at(r, "/reason")),
            ("Late since", |r| time(r, "/late_since")),
            ("Deleted from", |r| time(r, "/drain_until")),
            ("Job", |r| at(r, "/job/name")),
            ("Synced every", |r| every(r)),
            ("Time zone", |r| at(r, "/job/timezone")),
            ("Next", |r| time(r, "/job/next_due_at")),
            ("Every object is checked", |r| at(r, "/job/verify_objects")),
            ("Next", |r| time(r, "/job/next_objects_at")),
            ("Every row is checked", |r| at(r, "/job/verify_rows")),
            ("Next", |r| time(r, "/job/next_rows_at")),
            ("Fetches", |r| at(r, "/job/fetches")),
            ("Commits", |r| at(r, "/job/commits")),
            ("Retention, hours", |r| at(r, "/job/retention_hours")),
            ("Kept at the end, hours", |r| at(r, "/job/keep_hours")),
            ("Forgotten within, hours", |r| at(r, "/job/forget_hours")),
            ("Revision of the job", |r| at(r, "/job/revision")),
        ],
        replica,
    );
    text.push('\n');
    text.push_str(&rows(TABLES, list(replica, "tables")));
    text
}
