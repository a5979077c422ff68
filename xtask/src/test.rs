//! `test`: every check and test in one run, cheapest first. It stops at the first step that fails; the last line is always
//! `N passed, N failed`.

use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use crate::ages::Ages;
use crate::bundle;
use crate::check::{CHECKS, When, linting_cargo};
use crate::demo::{self, World};
use crate::process::{Folder, lines, run, shown};
use crate::repo::{HOST, Repo};
use crate::services::{Azurite, IDENTITIES_SECRET, Identities, Postgres};
use crate::setup::{self, Scope};
use crate::tally::{self, Tally};

/// Variables by which tests find their servers, and learn how much is wanted of them. A test that needs a server that is not set
/// fails, except in a quick run (`TEST_QUICK=1`).
const OUR_VARIABLES: [&str; 10] = [
    "TEST_POSTGRES_URL",
    "TEST_AZURITE_URL",
    "TEST_OIDC_URL",
    "TEST_PYTHON",
    "TEST_SITE",
    "TEST_QUICK",
    "TEST_STEPS",
    "TEST_CRASHES",
    "TEST_TABLES",
    "TEST_REPLICAS",
];

/// Steps of the state machine of replication in the nightly form.
const NIGHTLY_STEPS: &str = "10000";

const QUICK_LEAVES_OUT: &str = "quick: without PostgreSQL, Azurite, the provider of identities, the Python clients, the browser bundle and its \
     lints, browser tests, licences and unused dependencies, the crash loop, the load of five hundred queries and the reading of \
     every page as everybody";

/// How much is tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    Quick,
    All,
    /// All, and what takes long for longer.
    Nightly,
    /// Only what Spark itself is needed for.
    Spark,
}

impl Extent {
    pub(crate) fn parse(arguments: &[String]) -> Result<Self> {
        match arguments {
            [] => Ok(Self::All),
            [only] if only == "--quick" => Ok(Self::Quick),
            [only] if only == "--nightly" => Ok(Self::Nightly),
            [only] if only == "--spark" => Ok(Self::Spark),
            [first, ..] => bail!("unexpected argument {first:?}\n\n{}", crate::USAGE),
        }
    }
}

/// The run so far.
struct Report {
    tally: Tally,
    stopped: bool,
}

impl Report {
    /// One step. Its own counts are added; a step that counts nothing is one test by itself.
    fn step(&mut self, name: &str, work: impl FnOnce(&mut Tally) -> Result<String>) {
        if self.stopped {
            println!("--- {name}: not run");
            return;
        }
        let start = Instant::now();
        println!("==> {name}");
        let mut counts = Tally::default();
        let result = work(&mut counts);
        let seconds = start.elapsed().as_secs_f64();
        match &result {
            Ok(note) if note.is_empty() => println!("    {name}: {seconds:.1} s"),
            Ok(note) => println!("    {name}: {seconds:.1} s, {note}"),
            Err(error) => println!("    {name}: FAILED after {seconds:.1} s: {error:#}"),
        }
        self.tally += settle(counts, result.is_ok());
        self.stopped = self.tally.failed > 0;
    }
}

/// What a step adds to the sum: a failure without a failed test is one failure.
fn settle(mut counts: Tally, good: bool) -> Tally {
    if good && counts == Tally::default() {
        counts.passed = 1;
    }
    if !good && counts.failed == 0 {
        counts.failed = 1;
    }
    counts
}

pub(crate) fn test(repo: &Repo, extent: Extent) -> Result<ExitCode> {
    let start = Instant::now();
    let mut report = Report {
        tally: Tally::default(),
        stopped: false,
    };
    match extent {
        Extent::Quick => {
            println!("{QUICK_LEAVES_OUT}");
            test_quickly(repo, &mut report);
            println!("{QUICK_LEAVES_OUT}");
        }
        Extent::Spark => test_with_spark(repo, &mut report)?,
        Extent::All | Extent::Nightly => test_all(repo, &mut report, extent),
    }
    if report.tally.skipped > 0 {
        println!("{} skipped by their own mark", report.tally.skipped);
    }
    println!("{:.0} s in all", start.elapsed().as_secs_f64());
    println!("{}", report.tally.last_line());
    Ok(if report.tally.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn test_quickly(repo: &Repo, report: &mut Report) {
    report.step("prerequisites", |_| {
        setup::prerequisites(Scope::Quick).map(str::to_owned)
    });
    for check in CHECKS.iter().filter(|check| check.when == When::Always) {
        report.step(check.title, |_| (check.work)(repo));
    }
    report.step("ages of the sources", |_| Ages::new(repo)?.give());
    report.step("lints and compiling", |_| {
        compile(repo)?;
        Ages::new(repo)?.take_down()?;
        Ok(String::new())
    });
    report.step("unit and integration tests on SQLite", |counts| {
        cargo_test(repo, counts, &[("TEST_QUICK", "1".to_owned())])
    });
}

fn test_all(repo: &Repo, report: &mut Report, extent: Extent) {
    set_up(repo, report);
    std::thread::scope(|scope| {
        // What only tests need comes over the network while the lints compile.
        let fetched = (!report.stopped).then(|| {
            scope.spawn(|| -> Result<String> {
                let (npm, python) = (setup::npm(repo, "end2end")?, setup::python(repo)?);
                Ok(format!("npm {npm}, Python {python}"))
            })
        });
        for check in CHECKS.iter().filter(|check| check.when != When::Compiling) {
            report.step(check.title, |_| (check.work)(repo));
        }
        // Much of the bundle is made on one core.
        let bundled = (!report.stopped).then(|| {
            scope.spawn(|| -> Result<String> {
                let start = Instant::now();
                let built = bundle::build(repo, bundle::Mode::Release)?;
                let seconds = start.elapsed().as_secs_f64();
                Ok(format!("{built}, in {seconds:.1} s beside compiling"))
            })
        });
        report.step("lints and compiling", |_| {
            compile(repo)?;
            Ok(String::new())
        });
        report.step("browser bundle", |_| {
            let built = match bundled.map(|work| work.join()) {
                Some(Ok(built)) => built?,
                Some(Err(_)) => bail!("making it panicked"),
                None => bail!("it was not begun"),
            };
            // All that is compiled has been by now.
            Ages::new(repo)?.take_down()?;
            Ok(built)
        });
        report.step("size of the browser bundle", |_| {
            bundle::within_budget(repo)
        });
        if let Some(fetched) = fetched {
            report.step("packages of the tests", |_| match fetched.join() {
                Ok(result) => result,
                Err(_) => bail!("fetching them panicked"),
            });
        }
    });
    report.step("unit and integration tests", |counts| {
        full_cargo_test(repo, counts, extent)
    });
    report.step("browser tests", |counts| browser_tests(repo, counts));
}

/// Spark writes tables, replicas follow them version by version, and Spark reads the replicas.
fn test_with_spark(repo: &Repo, report: &mut Report) -> Result<()> {
    let folder = Folder::temporary("spark")?;
    let (tables, replicas) = (folder.path().join("tables"), folder.path().join("replicas"));
    let spark = || -> Result<Command> {
        let mut python = repo.command(setup::spark(repo)?);
        python.arg("end2end/tables/make.py");
        python.arg("--into").arg(&tables);
        Ok(python)
    };
    report.step("prerequisites", |_| {
        setup::prerequisites(Scope::Quick).map(str::to_owned)
    });
    report.step("Spark", |_| setup::spark(repo).map(|_| String::new()));
    report.step("Spark writes tables", |_| {
        run(&mut spark()?)?;
        Ok(String::new())
    });
    report.step("replicas follow them", |counts| {
        let mut cargo = linting_cargo(repo)?;
        for name in OUR_VARIABLES {
            cargo.env_remove(name);
        }
        cargo
            .env("TEST_TABLES", &tables)
            .env("TEST_REPLICAS", &replicas)
            .args(["test", "--locked", "--no-fail-fast"])
            .args(HOST)
            .args(["--lib", "--", "tests::parity", "tests::live"]);
        counted(&mut cargo, counts)
    });
    report.step("Spark reads the replicas", |_| {
        run(spark()?.arg("--read").arg(&replicas))?;
        Ok(String::new())
    });
    Ok(())
}

fn set_up(repo: &Repo, report: &mut Report) {
    report.step("prerequisites", |_| {
        setup::prerequisites(Scope::All).map(str::to_owned)
    });
    report.step("wasm target", |_| {
        setup::wasm_target(repo).map(|_| String::new())
    });
    report.step("npm packages of the bundle", |_| {
        setup::npm(repo, "").map(str::to_owned)
    });
    report.step("ages of the sources", |_| Ages::new(repo)?.give());
}

/// All tests and binaries of the host, linted; before any server is started, for one that waits for a compiler can be disturbed.
fn compile(repo: &Repo) -> Result<()> {
    let mut cargo = linting_cargo(repo)?;
    run(cargo.args(["test", "--locked", "--no-run"]).args(HOST))
}

/// Cargo's tests with every server they may want. The servers run only as long as the tests.
fn full_cargo_test(repo: &Repo, counts: &mut Tally, extent: Extent) -> Result<String> {
    let servers = Servers::start(repo)?;
    let mut variables = servers.variables.to_vec();
    if extent == Extent::Nightly {
        variables.push(("TEST_STEPS", NIGHTLY_STEPS.to_owned()));
        variables.push(("TEST_CRASHES", "every".to_owned()));
    }
    cargo_test(repo, counts, &variables)
}

/// What the integration tests talk to, and how they find it.
struct Servers {
    variables: [(&'static str, String); 5],
    _postgres: Postgres,
    _azurite: Azurite,
    _identities: Identities,
}

impl Servers {
    fn start(repo: &Repo) -> Result<Self> {
        let postgres = Postgres::start()?;
        let azurite = Azurite::start(repo)?;
        let identities = Identities::start(repo)?;
        let variables = [
            ("TEST_POSTGRES_URL", postgres.url.clone()),
            ("TEST_AZURITE_URL", azurite.url.clone()),
            ("TEST_OIDC_URL", identities.url.clone()),
            (
                "TEST_PYTHON",
                setup::venv_python(repo).display().to_string(),
            ),
            ("TEST_SITE", repo.site().display().to_string()),
        ];
        Ok(Self {
            variables,
            _postgres: postgres,
            _azurite: azurite,
            _identities: identities,
        })
    }
}

/// The test servers alone, until a signal comes.
pub(crate) fn services(repo: &Repo) -> Result<()> {
    setup::set_up(repo, Scope::All)?;
    let start = Instant::now();
    let servers = Servers::start(repo)?;
    println!(
        "started in {:.1} s; Ctrl-C ends them",
        start.elapsed().as_secs_f64()
    );
    for (name, value) in &servers.variables {
        println!("export {name}='{value}'");
    }
    loop {
        // The thread that waits for signals ends the process, and the servers with it.
        std::thread::park();
    }
}

/// Test programs beside those of the crates' own units, in two parts that run beside each other: the tests of the long one wait
/// for servers and children a part of their time.
const LONG: [&str; 2] = ["it", "api"];
const SHORT: [&str; 1] = ["cases"];

/// Has no tests in its library, and cargo would compile it for some where all libraries are asked for.
const TESTED_FROM_OUTSIDE: &str = "rest";

/// What each part of the tests is called by, for cargo, and how many of its tests run at once. More of them than this on two cores
/// only wait for each other, and some look while they wait.
fn parts() -> [(Vec<String>, usize); 2] {
    let words =
        |words: &[&str]| -> Vec<String> { words.iter().map(|&word| word.to_owned()).collect() };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let programs = |names: &[&str]| -> Vec<String> {
        names
            .iter()
            .flat_map(|name| words(&["--test", name]))
            .collect()
    };
    // That of the server is all in its library; it would be compiled once more here.
    let mut short = words(&["--exclude", TESTED_FROM_OUTSIDE, "--lib", "--bin", "xtask"]);
    short.extend(programs(&SHORT));
    [(programs(&LONG), 2 * cores), (short, cores)]
}

/// All tests of the host, the parts at the same time. They are compiled by then.
fn cargo_test(repo: &Repo, counts: &mut Tally, environment: &[(&str, String)]) -> Result<String> {
    let folder = Folder::fleeting("tests")?;
    let running = parts().map(|(part, threads)| -> Result<Command> {
        let mut cargo = linting_cargo(repo)?;
        for name in OUR_VARIABLES {
            cargo.env_remove(name);
        }
        cargo
            .env("TMPDIR", folder.path())
            .env("RUST_TEST_THREADS", threads.to_string())
            .args(["test", "--locked", "--no-fail-fast"])
            .args(HOST)
            .args(part);
        let environment = environment
            .iter()
            .map(|(name, value)| (name, value.as_str()));
        cargo.envs(environment);
        Ok(cargo)
    });
    let ended: Vec<(Tally, Result<String>)> = std::thread::scope(|scope| {
        let running = running.map(|cargo| {
            scope.spawn(move || {
                let mut counts = Tally::default();
                let result = cargo.and_then(|mut cargo| counted(&mut cargo, &mut counts));
                (counts, result)
            })
        });
        let ended = running.into_iter().map(|part| match part.join() {
            Ok(ended) => ended,
            Err(_) => (
                Tally::default(),
                Err(anyhow::anyhow!("counting tests panicked")),
            ),
        });
        ended.collect()
    });
    let mut failed = None;
    for (found, result) in ended {
        *counts += found;
        if let Err(error) = result {
            failed.get_or_insert(error);
        }
    }
    match failed {
        Some(error) => Err(error),
        None => Ok(format!("{} tests", counts.passed)),
    }
}

/// Runs cargo's tests and counts them.
fn counted(cargo: &mut Command, counts: &mut Tally) -> Result<String> {
    let status = lines(cargo, |line| {
        println!("{line}");
        if let Some(found) = tally::of_cargo(line) {
            *counts += found;
        }
    })?;
    if !status.success() {
        bail!(
            "`{}` failed ({status}), {} tests",
            shown(cargo),
            counts.failed
        );
    }
    if counts.passed == 0 {
        bail!("no test ran");
    }
    Ok(format!("{} tests", counts.passed))
}

/// Playwright against the demo world, served by the binary that the tests have just built.
fn browser_tests(repo: &Repo, counts: &mut Tally) -> Result<String> {
    let results = repo.target.join("end2end");
    let entrepot = repo.debug_binary("entrepot");
    let identities = Identities::start(repo)?;
    let mut world = World::start(
        repo,
        &entrepot,
        &results,
        &[
            ("ENTREPOT__OIDC__ISSUER", identities.url.as_str()),
            ("ENTREPOT__OIDC__CLIENT_ID", "entrepot"),
            ("ENTREPOT__OIDC__CLIENT_SECRET", IDENTITIES_SECRET),
            ("ENTREPOT__OIDC__TITLE", "Sign in with Example"),
        ],
    )?;

    let report = results.join("report.json");
    if report.exists() {
        std::fs::remove_file(&report)?;
    }
    let mut playwright = repo.command("node");
    playwright
        .current_dir(repo.root.join("end2end"))
        .args(["node_modules/.bin/playwright", "test"]);
    playwright
        .env("E2E_BASE_URL", format!("http://{}", world.address))
        .env("E2E_DATA", world.data())
        .env("E2E_DEMO", &world.report)
        .env("E2E_PASSWORD", demo::PASSWORD);
    playwright
        .env("E2E_ENTREPOT", &entrepot)
        .env("E2E_REPORT", &report)
        .env("E2E_OIDC", &identities.url)
        .stdout(Stdio::inherit());
    playwright.env(
        "CHROMIUM",
        setup::chromium()
            .context("Chromium is missing: sudo apt-get install chromium-headless-shell")?,
    );
    let outcome = run(&mut playwright);
    let text = std::fs::read_to_string(&report)
        .with_context(|| format!("Playwright wrote no {}", report.display()))?;
    *counts += tally::of_playwright(&text)?;
    outcome.with_context(|| format!("traces are in end2end/test-results; {}", world.tail()))?;
    world.still_runs()?;
    if counts.passed == 0 {
        bail!("no browser test ran");
    }
    Ok(format!("{} tests", counts.passed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_counts_as_one_test_and_a_failure_is_never_lost() {
        let counts = |passed, failed| Tally {
            passed,
            failed,
            skipped: 0,
        };
        assert_eq!(settle(counts(0, 0), true), counts(1, 0), "a check");
        assert_eq!(
            settle(counts(0, 0), false),
            counts(0, 1),
            "a check that failed, or tests that did not compile"
        );
        assert_eq!(settle(counts(40, 0), true), counts(40, 0));
        assert_eq!(settle(counts(40, 2), false), counts(40, 2));
        assert_eq!(
            settle(counts(40, 0), false),
            counts(40, 1),
            "a test program that died"
        );
    }

    #[test]
    fn every_test_program_is_in_one_part() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .unwrap();
        let crates = std::fs::read_dir(root.join("crates")).unwrap();
        let mut members: Vec<_> = crates.map(|entry| entry.unwrap().path()).collect();
        members.extend(["server", "app", "xtask"].map(|name| root.join(name)));
        let mut found = Vec::new();
        for member in members {
            let Ok(entries) = std::fs::read_dir(member.join("tests")) else {
                continue;
            };
            for path in entries.map(|entry| entry.unwrap().path()) {
                let is_program = path.extension().is_some_and(|extension| extension == "rs")
                    || path.join("main.rs").exists();
                if is_program {
                    found.push(path.file_stem().unwrap().to_string_lossy().into_owned());
                }
            }
        }
        found.sort();
        let mut known: Vec<&str> = SHORT.into_iter().chain(LONG).collect();
        known.sort_unstable();
        assert_eq!(found, known);
    }

    #[test]
    fn one_word_says_how_much_is_tested() {
        let parse = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
            Extent::parse(&words).ok()
        };
        assert_eq!(parse(&[]), Some(Extent::All));
        assert_eq!(parse(&["--quick"]), Some(Extent::Quick));
        assert_eq!(parse(&["--nightly"]), Some(Extent::Nightly));
        assert_eq!(parse(&["--spark"]), Some(Extent::Spark));
        assert_eq!(parse(&["--quick", "--nightly"]), None);
        assert_eq!(parse(&["--slow"]), None);
    }

    #[test]
    fn after_a_failed_step_nothing_more_runs() {
        let mut report = Report {
            tally: Tally::default(),
            stopped: false,
        };
        report.step("one", |_| Ok(String::new()));
        report.step("two", |_| bail!("no"));
        report.step("three", |_| panic!("must not run"));
        assert_eq!(report.tally.last_line(), "1 passed, 1 failed");
    }
}
