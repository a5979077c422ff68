//! The checks that look at sources alone: formatting, edges, the code map, strings, lints, licences, unused dependencies.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail};

use crate::edges;
use crate::map;
use crate::process::{ask, run, step};
use crate::repo::{HOST, Repo, is_executable};
use crate::setup;
use crate::strings;

const CARGO_DENY: &str = "0.20.2";
const CARGO_MACHETE: &str = "0.9.2";

/// Name on the command line, title in the output, the work.
pub(crate) struct Check {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) when: When,
    pub(crate) work: fn(&Repo) -> Result<String>,
}

/// When `test` does a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// In quick runs, too.
    Always,
    Full,
    /// While it compiles the tests: see `linting_cargo`.
    Compiling,
}

pub(crate) const CHECKS: [Check; 8] = [
    Check {
        name: "fmt",
        title: "formatting",
        when: When::Always,
        work: formatting,
    },
    Check {
        name: "edges",
        title: "edges between crates",
        when: When::Always,
        work: edges::check,
    },
    Check {
        name: "map",
        title: "modules in the code map",
        when: When::Always,
        work: map::check,
    },
    Check {
        name: "strings",
        title: "English strings in one place",
        when: When::Always,
        work: strings::check,
    },
    Check {
        name: "machete",
        title: "unused dependencies",
        when: When::Full,
        work: machete,
    },
    Check {
        name: "deny",
        title: "licences, bans and sources",
        when: When::Full,
        work: deny,
    },
    Check {
        name: "clippy",
        title: "lints, host",
        when: When::Compiling,
        work: clippy_host,
    },
    Check {
        name: "clippy",
        title: "lints, browser bundle",
        when: When::Full,
        work: clippy_browser,
    },
];

/// The named checks, or all.
pub(crate) fn check(repo: &Repo, names: &[String]) -> Result<ExitCode> {
    for name in names {
        if !CHECKS.iter().any(|check| check.name == name) {
            bail!("no check is called {name:?}");
        }
    }
    let mut code = ExitCode::SUCCESS;
    for check in CHECKS
        .iter()
        .filter(|check| names.is_empty() || names.iter().any(|name| name == check.name))
    {
        if let Err(error) = step(check.title, || (check.work)(repo)) {
            eprintln!("error: {error:#}");
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}

fn formatting(repo: &Repo) -> Result<String> {
    run(repo.cargo().args(["fmt", "--all", "--check"]))?;
    Ok(String::new())
}

fn clippy_host(repo: &Repo) -> Result<String> {
    run(repo.cargo().args(["clippy", "--locked"]).args(HOST).args([
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))?;
    Ok(String::new())
}

/// A cargo that lints what it compiles: clippy's driver is a whole compiler, so `build` and `test` need not be preceded by
/// `cargo clippy`, which reads and checks everything once more. It is called as `cargo clippy -- -D warnings` calls it.
pub(crate) fn linting_cargo(repo: &Repo) -> Result<Command> {
    let root = ask(repo.command("rustc").args(["--print", "sysroot"]))
        .context("`rustc --print sysroot` failed")?;
    let driver = Path::new(root.trim()).join("bin/clippy-driver");
    if !is_executable(&driver) {
        bail!("clippy is missing: rustup component add clippy");
    }
    let mut cargo = repo.cargo();
    cargo.env("RUSTC_WORKSPACE_WRAPPER", driver).env(
        "CLIPPY_ARGS",
        "-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__",
    );
    Ok(cargo)
}

fn clippy_browser(repo: &Repo) -> Result<String> {
    let mut clippy = setup::wasm_target(repo)?.cargo(repo, "clippy");
    run(clippy.args(["--locked", "--", "-D", "warnings"]))?;
    // The bundle's generator and what a benchmark is measured against are behind features that no host call has.
    let mut others = repo.cargo();
    others.args([
        "clippy",
        "--locked",
        "--package",
        "xtask",
        "--features",
        "bindgen,floor",
        "--bin",
        "bindgen",
        "--bin",
        "floor",
    ]);
    run(others.args(["--", "-D", "warnings"]))?;
    Ok(String::new())
}

fn deny(repo: &Repo) -> Result<String> {
    // Hardly optimised: it works for seconds, and this builds in half the time.
    let deny = tool(repo, "cargo-deny", CARGO_DENY, &["--no-default-features"])?;
    run(repo
        .command(deny)
        .args([
            "--workspace",
            "--all-features",
            "--locked",
            "check",
            "--hide-inclusion-graph",
        ])
        .args(["licenses", "bans", "sources"]))?;
    Ok(String::new())
}

fn machete(repo: &Repo) -> Result<String> {
    let machete = tool(repo, "cargo-machete", CARGO_MACHETE, &[])?;
    run(repo.command(machete).args(["--skip-target-dir", "."]))?;
    Ok(String::new())
}

/// A cargo tool at exactly this version, installed in a folder of our own where it is missing.
fn tool(repo: &Repo, name: &str, version: &str, options: &[&str]) -> Result<PathBuf> {
    let root = repo.tools()?;
    let program = root.join("bin").join(name);
    let is_there = || {
        is_executable(&program)
            && ask(repo.command(&program).arg("--version"))
                .is_some_and(|answer| answer.ends_with(version))
    };
    if is_there() {
        return Ok(program);
    }
    println!("    installing {name} {version} (once per machine)");
    let mut cargo = repo.cargo();
    cargo
        .args([
            "install",
            "--quiet",
            "--locked",
            "--profile",
            "dev",
            "--version",
            version,
        ])
        .arg("--root")
        .arg(&root)
        .args(options)
        .arg(name);
    run(cargo
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("CARGO_PROFILE_DEV_OPT_LEVEL", "1"))?;
    if !is_there() {
        bail!("{name} {version} is missing after its installation: cargo install --locked {name}");
    }
    Ok(program)
}
