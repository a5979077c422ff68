//! Dying as by `kill -9` at every crash point, and converging after a restart.
//!
//! The child is this test binary itself, told by its environment to carry out one stage on a data folder; stages are written
//! to be done again. First the whole story is played without a crash, and each stage's points and resulting state are noted.
//! Then, for a point that a stage passes, the world is put back to before that stage, the child dies at the first pass, is
//! started again, and must leave the very same state. A point of the source code that no stage ever passes fails the test,
//! and so does a name that stands at two places.
//!
//! A point is tried in the first two stages that pass it on SQLite, and in the first one on PostgreSQL and with two processes.
//! Two things are tried more: in the stage in which somebody approves, every pass of every point, until none is left, because
//! its first change is the ask; and on SQLite the point before every change is written, in each stage, because there the stage
//! alone says what it is that dies. Other later passes of a point, in the same stage or another, are died at where `TEST_CRASHES` is
//! `every` (`cargo xtask test --nightly`).
//!
//! With the copy engine `process` the stages that copy are played again: there are two processes then, and each dies at each
//! of its points.

mod folder;
mod postbox;
mod renewal;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};

use exchange::db::Db;
use model::Timestamp;

use self::folder::{copy_folder, source};
use self::world::World;
use crate::support::environment::quick_without;

/// The stages in order, with the instant that the clock shows in each.
const STAGES: &[(&str, &str)] = &[
    ("declare", "2026-06-01T08:00:00Z"),
    ("approve", "2026-06-01T09:00:00Z"),
    ("first", "2026-06-01T10:00:00Z"),
    ("again", "2026-06-02T10:00:00Z"),
    ("vacuum", "2026-06-12T10:00:00Z"),
    ("many", "2026-06-13T10:00:00Z"),
    ("bill", "2026-07-02T10:00:00Z"),
    ("end", "2026-07-03T10:00:00Z"),
    ("erase", "2026-07-20T10:00:00Z"),
];

/// The stage in which every pass of a point is died at.
const EACH_PASS: &str = "approve";
/// Where this is `every`, it is so in all stages.
const CRASHES: &str = "TEST_CRASHES";
/// The points of every change, whatever it is about.
const EVERY_CHANGE: &[&str] = &["change.commit.before", "change.commit.after"];

const STAGE: &str = "ENTREPOT_TEST_STAGE";
const FOLDER: &str = "ENTREPOT_TEST_FOLDER";
const DATABASE: &str = "ENTREPOT_TEST_DATABASE";
/// Set where a process of its own copies.
const COPIER: &str = "ENTREPOT_TEST_COPIER";
/// The point at which that process dies.
const COPIER_DIES_AT: &str = "ENTREPOT_TEST_COPIER_DIES_AT";
const CRASH_AT: &str = "ENTREPOT_CRASH_AT";
const CRASH_LOG: &str = "ENTREPOT_CRASH_LOG";

/// Who dies at a point, `name` or `name#nth`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Death {
    Worker(String),
    Copier(String),
}

/// Plays one stage in a child. Answers whether it came to its end.
fn child(
    stage: &str,
    folder: &Path,
    database: &str,
    copying: Copying,
    death: Option<&Death>,
    log: &Path,
) -> bool {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "crash::carry_out_one_stage", "--nocapture"])
        .env(STAGE, stage)
        .env(FOLDER, folder)
        .env(DATABASE, database)
        .env(CRASH_LOG, log)
        .env_remove(CRASH_AT)
        .stdin(Stdio::null());
    if copying == Copying::Process {
        command.env(COPIER, "process");
    }
    match death {
        None => {}
        Some(Death::Worker(point)) => {
            command.env(CRASH_AT, point);
        }
        Some(Death::Copier(point)) => {
            command.env(COPIER_DIES_AT, point);
        }
    }
    let output = command.output().unwrap();
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    if output.status.success() {
        assert!(text.contains("1 passed"), "the child ran no stage: {text}");
        return true;
    }
    let died = std::os::unix::process::ExitStatusExt::signal(&output.status).is_some();
    assert!(
        died && death.is_some(),
        "stage {stage} failed by itself: {text}"
    );
    false
}

/// What a child does; a test that does nothing where nobody asks for a stage.
#[tokio::test(flavor = "multi_thread")]
async fn carry_out_one_stage() {
    let (Ok(stage), Ok(folder), Ok(database)) = (
        std::env::var(STAGE),
        std::env::var(FOLDER),
        std::env::var(DATABASE),
    ) else {
        return;
    };
    let mut stages = STAGES.iter().chain(renewal::STAGES);
    let (_, at) = stages.find(|(name, _)| *name == stage).unwrap();
    let world = World::open(Path::new(&folder), &database, Timestamp::parse(at).unwrap()).await;
    world.stage(&stage).await;
    world.exchange().db().close().await;
}

/// Where the database of a played world lives, and how it is put back.
enum Kind {
    Sqlite,
    Postgres { server: String, run: String },
}

impl Kind {
    fn address(&self, folder: &Path, name: &str) -> String {
        match self {
            Self::Sqlite => folder.join("entrepot.db").display().to_string(),
            Self::Postgres { server, run } => {
                let (base, _) = server.rsplit_once('/').unwrap();
                format!("{base}/{run}_{name}")
            }
        }
    }

    /// A database `to` that holds what `from` holds; empty without `from`. On SQLite it came with the folder.
    async fn copy(&self, from: Option<&str>, to: &str) {
        if let Self::Postgres { server, run } = self {
            let template = from.map(|from| format!("{run}_{from}"));
            let db = Db::copy_postgres(server, template.as_deref(), &format!("{run}_{to}"))
                .await
                .unwrap();
            db.close().await;
        }
    }
}

/// Who moves the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Copying {
    Local,
    Process,
}

/// How often each point was passed.
type Passes = BTreeMap<String, u32>;

/// What a log says.
fn passes_of(log: &Path) -> Passes {
    let mut passes = Passes::new();
    let text = std::fs::read_to_string(log).unwrap_or_default();
    for point in text.lines() {
        *passes.entry(point.to_owned()).or_default() += 1;
    }
    passes
}

fn is_each_pass(stage: &str) -> bool {
    stage == EACH_PASS || std::env::var(CRASHES).is_ok_and(|which| which == "every")
}

/// Who is to die where in a stage, and whether the child comes to its end all the same.
fn deaths_of(stage: &str, worker: &Passes, copier: &Passes) -> Vec<(Death, bool)> {
    let mut deaths = Vec::new();
    for (point, passes) in worker {
        if is_each_pass(stage) && *passes > 1 {
            let at = |nth: u32| Death::Worker(format!("{point}#{nth}"));
            deaths.extend((1..=*passes).map(|nth| (at(nth), false)));
            // Beyond the last one nobody dies any more.
            deaths.push((at(passes + 1), true));
        } else {
            deaths.push((Death::Worker(point.clone()), false));
        }
    }
    // A worker outlives its copier, and tries again.
    let copier = copier.keys().cloned();
    deaths.extend(copier.map(|point| (Death::Copier(point), true)));
    deaths
}

/// In how many stages a death is tried. What dying at a point means depends on the stage, and not on the database; the third
/// one has nothing new to say, but of a change.
fn most(kind: &Kind, copying: Copying, death: &Death) -> usize {
    match (kind, copying, death) {
        (Kind::Sqlite, Copying::Local, Death::Worker(point)) if is_of_every_change(point) => {
            STAGES.len()
        }
        (Kind::Sqlite, Copying::Local, _) => 2,
        (Kind::Postgres { .. }, _, _) | (_, Copying::Process, _) => 1,
    }
}

fn is_of_every_change(point: &str) -> bool {
    EVERY_CHANGE.first() == Some(&point)
}

async fn survives_every_crash(kind: Kind, copying: Copying) {
    if quick_without("the crash loop") {
        return;
    }
    let base = tempfile::tempdir().unwrap();
    let log = base.path().join("points");
    let mut passed: BTreeSet<String> = BTreeSet::new();
    let main = base.path().join("main");
    std::fs::create_dir_all(&main).unwrap();
    // What a process that copies is allowed to open.
    let config = format!("[storage]\nfile_roots = [\"{}\"]\n", main.display());
    std::fs::write(main.join("entrepot.toml"), config).unwrap();
    kind.copy(None, "main").await;
    let mut cases = 0;
    let mut tried: BTreeMap<Death, usize> = BTreeMap::new();
    for (stage, at) in STAGES {
        source(&main, stage).await;
        let before = base.path().join(format!("before_{stage}"));
        copy_folder(&main, &before);
        kind.copy(Some("main"), &format!("before_{stage}")).await;
        // Without a crash: which points there are, and what is to come of it.
        let copier_log = base.path().join("points.copier");
        for log in [&log, &copier_log] {
            let _ = std::fs::remove_file(log);
        }
        // The folder's path is part of what is stored, so every try takes place in the same one.
        assert!(child(
            stage,
            &main,
            &kind.address(&main, "main"),
            copying,
            None,
            &log
        ));
        let (worker, copier) = (passes_of(&log), passes_of(&copier_log));
        // With another engine only what has to do with it is other than before.
        let deaths = match copying {
            Copying::Process if copier.is_empty() => Vec::new(),
            _ => deaths_of(stage, &worker, &copier),
        };
        let at = Timestamp::parse(at).unwrap();
        let world = World::open(&main, &kind.address(&main, "main"), at).await;
        let expected = world.state().await;
        world.exchange().db().close().await;
        let after = base.path().join(format!("after_{stage}"));
        copy_folder(&main, &after);
        for (index, (death, ends)) in deaths.iter().enumerate() {
            let times = tried.entry(death.clone()).or_default();
            *times += 1;
            if *times > most(&kind, copying, death) && !is_each_pass(stage) {
                continue;
            }
            std::fs::remove_dir_all(&main).unwrap();
            copy_folder(&before, &main);
            let name = format!("try_{stage}_{index}");
            kind.copy(Some(&format!("before_{stage}")), &name).await;
            let address = kind.address(&main, &name);
            let other = base.path().join("elsewhere");
            let ended = child(stage, &main, &address, copying, Some(death), &other);
            assert_eq!(ended, *ends, "{stage}: {death:?}");
            assert!(child(stage, &main, &address, copying, None, &other));
            let world = World::open(&main, &address, at).await;
            let found = world.state().await;
            world.exchange().db().close().await;
            assert_eq!(found, expected, "after {death:?} in {stage}");
            if !ended || matches!(death, Death::Copier(_)) {
                cases += 1;
            }
        }
        std::fs::remove_dir_all(&main).unwrap();
        copy_folder(&after, &main);
        for point in EVERY_CHANGE {
            assert!(worker.contains_key(*point), "{stage} changes nothing");
        }
        passed.extend(worker.into_keys());
        passed.extend(copier.into_keys());
    }
    let missed: Vec<String> = points_in_source().difference(&passed).cloned().collect();
    assert!(missed.is_empty(), "no stage passes {missed:?}");
    if copying == Copying::Process {
        let copied = tried.keys().any(|death| matches!(death, Death::Copier(_)));
        assert!(copied, "no process of its own copied anything");
    }
    println!("{cases} deaths survived");
}

/// Every `crash_point!` in the code of this workspace. A name stands at one place: else passing one of them would hide that the
/// other is never passed.
fn points_in_source() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut points = BTreeSet::new();
    let mut folders = vec![root.join("crates"), root.join("server/src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "tests" {
                folders.push(path);
            } else if name.ends_with(".rs") && !name.ends_with("tests.rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                for line in text
                    .lines()
                    .filter(|line| !line.trim_start().starts_with("//"))
                {
                    if let Some((_, rest)) = line.split_once("crash_point!(\"")
                        && let Some((point, _)) = rest.split_once('"')
                    {
                        let is_new = points.insert(point.to_owned());
                        assert!(is_new, "{point} stands at two places");
                    }
                }
            }
        }
    }
    assert!(points.len() > 20, "{points:?}");
    points
}

#[tokio::test(flavor = "multi_thread")]
async fn every_crash_point_is_survived_on_sqlite() {
    survives_every_crash(Kind::Sqlite, Copying::Local).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_crash_point_of_two_processes_is_survived_on_sqlite() {
    survives_every_crash(Kind::Sqlite, Copying::Process).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_crash_point_is_survived_on_postgres() {
    let Ok(server) = std::env::var("TEST_POSTGRES_URL") else {
        assert!(
            std::env::var("TEST_QUICK").is_ok(),
            "TEST_POSTGRES_URL names no server"
        );
        return;
    };
    let run = format!("crash_{}", std::process::id());
    survives_every_crash(Kind::Postgres { server, run }, Copying::Local).await;
}
