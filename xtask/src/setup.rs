//! What the machine must have, and what we fetch ourselves: wasm target, npm packages, Python packages.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, anyhow, bail};

use crate::kept::Kept;
use crate::process::{ask, bound, run, step};
use crate::repo::{Repo, WASM, is_executable, which};
use crate::stamp::{Inputs, Stamp};

/// How much is needed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    /// Checks, unit tests and integration tests on SQLite.
    Quick,
    /// Building and serving.
    Run,
    /// Every test.
    All,
}

/// Something that only the system can provide.
struct Prerequisite {
    name: &'static str,
    from: Scope,
    /// Why it does not do, or nothing if it does.
    problem: fn() -> Option<String>,
    /// Debian's packages.
    packages: &'static [&'static str],
}

const PREREQUISITES: [Prerequisite; 6] = [
    Prerequisite {
        name: "a C compiler",
        from: Scope::Quick,
        problem: no_compiler,
        packages: &["build-essential"],
    },
    Prerequisite {
        name: "Node.js 20 or newer",
        from: Scope::Run,
        problem: no_node,
        packages: &["nodejs"],
    },
    Prerequisite {
        name: "npm",
        from: Scope::Run,
        problem: no_npm,
        packages: &["npm"],
    },
    Prerequisite {
        name: "Python 3.10 or newer with venv",
        from: Scope::All,
        problem: no_python,
        packages: &["python3", "python3-venv"],
    },
    Prerequisite {
        name: "Chromium",
        from: Scope::All,
        problem: no_chromium,
        packages: &["chromium-headless-shell"],
    },
    Prerequisite {
        name: "the PostgreSQL server",
        from: Scope::All,
        problem: no_postgres,
        packages: &["postgresql"],
    },
];

fn no_compiler() -> Option<String> {
    which(&["cc", "gcc", "clang"])
        .is_none()
        .then(|| "no cc, gcc or clang on PATH".to_owned())
}

fn no_node() -> Option<String> {
    match ask(Command::new("node").arg("--version")) {
        None => Some("no node on PATH".to_owned()),
        Some(version) if major(&version).is_some_and(|major| major >= 20) => None,
        Some(version) => Some(format!(
            "node is {version}; where the distribution has no newer one: https://nodejs.org"
        )),
    }
}

fn no_npm() -> Option<String> {
    which(&["npm"])
        .is_none()
        .then(|| "no npm on PATH".to_owned())
}

fn no_python() -> Option<String> {
    const QUESTION: &str = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))";
    ask(Command::new("python3").args(["-c", QUESTION]))
        .is_none()
        .then(|| "python3 is missing, older, or without venv".to_owned())
}

fn no_chromium() -> Option<String> {
    chromium()
        .is_none()
        .then(|| "no chromium on PATH and CHROMIUM is not set".to_owned())
}

fn no_postgres() -> Option<String> {
    postgres()
        .is_none()
        .then(|| "no initdb and postgres in /usr/lib/postgresql/*/bin or on PATH".to_owned())
}

/// `v20.19.2` -> 20.
fn major(version: &str) -> Option<u32> {
    version
        .trim_start_matches('v')
        .split('.')
        .next()?
        .parse()
        .ok()
}

/// The browser of the tests: CHROMIUM, or what is on PATH.
pub(crate) fn chromium() -> Option<PathBuf> {
    match std::env::var_os("CHROMIUM") {
        Some(path) => Some(PathBuf::from(path)).filter(|path| is_executable(path)),
        // Without windows to draw it takes a fifth less time for the same pages.
        None => which(&[
            "chromium-headless-shell",
            "chromium",
            "chromium-browser",
            "google-chrome",
        ]),
    }
}

/// The folder of the newest PostgreSQL server's programs.
pub(crate) fn postgres() -> Option<PathBuf> {
    let complete = |folder: &PathBuf| {
        ["initdb", "postgres", "pg_isready"]
            .iter()
            .all(|name| is_executable(&folder.join(name)))
    };
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok())
        .filter_map(|entry| {
            Some((
                entry.file_name().to_str()?.parse().ok()?,
                entry.path().join("bin"),
            ))
        })
        .filter(|(_, folder)| complete(folder))
        .collect();
    versions.sort();
    let on_path = || {
        which(&["initdb"])?
            .parent()
            .map(Path::to_owned)
            .filter(complete)
    };
    versions.pop().map(|(_, folder)| folder).or_else(on_path)
}

pub(crate) fn is_root() -> bool {
    ask(Command::new("id").arg("-u")).is_some_and(|id| id == "0")
}

fn missing(scope: Scope) -> Vec<(&'static Prerequisite, String)> {
    let needed = PREREQUISITES
        .iter()
        .filter(|prerequisite| prerequisite.from <= scope);
    needed
        .filter_map(|prerequisite| Some((prerequisite, (prerequisite.problem)()?)))
        .collect()
}

/// Fails with every missing prerequisite and the command that installs it; as root on Debian installs them first.
pub(crate) fn prerequisites(scope: Scope) -> Result<&'static str> {
    let lacking = missing(scope);
    if lacking.is_empty() {
        return Ok("all there");
    }
    let tried = if is_root() && which(&["apt-get"]).is_some() {
        let packages: Vec<&str> = lacking
            .iter()
            .flat_map(|(prerequisite, _)| prerequisite.packages)
            .copied()
            .collect();
        apt_install(&packages)
    } else {
        Ok(())
    };
    settled(tried, &missing(scope))
}

/// After installing was tried: what is missing now counts, and where it failed, why comes first.
fn settled(tried: Result<()>, lacking: &[(&Prerequisite, String)]) -> Result<&'static str> {
    match (tried, lacking.is_empty()) {
        (Ok(()), true) => Ok("installed what was missing"),
        (Ok(()), false) => bail!("{}", complaint(lacking)),
        (Err(error), true) => {
            eprintln!("{error:#}; but nothing is missing any more");
            Ok("all there")
        }
        (Err(error), false) => bail!("{error:#}\n{}", complaint(lacking)),
    }
}

fn complaint(lacking: &[(&Prerequisite, String)]) -> String {
    let mut text = String::from("something is missing on this machine:");
    for (prerequisite, problem) in lacking {
        let packages = prerequisite.packages.join(" ");
        text.push_str(&format!(
            "\n  {} ({problem})\n    Debian: sudo apt-get install {packages}",
            prerequisite.name
        ));
    }
    text
}

fn apt_install(packages: &[&str]) -> Result<()> {
    let apt = || {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    run(apt().args(["update", "--quiet", "--quiet"]))?;
    run(apt()
        .args([
            "install",
            "--yes",
            "--quiet",
            "--quiet",
            "--no-install-recommends",
        ])
        .args(packages))
}

/// Everything of `scope`, step by step.
pub(crate) fn set_up(repo: &Repo, scope: Scope) -> Result<()> {
    step("prerequisites", || prerequisites(scope))?;
    if scope >= Scope::Run {
        step("wasm target", || wasm_target(repo).map(|wasm| wasm.name()))?;
        step("npm packages of the bundle", || npm(repo, ""))?;
    }
    if scope >= Scope::All {
        step("npm packages of the tests", || npm(repo, "end2end"))?;
        step("Python packages of the tests", || python(repo))?;
    }
    Ok(())
}

/// Who compiles for the browser.
pub(crate) enum Wasm {
    /// The toolchain of `rust-toolchain.toml` has the target's standard library.
    Rustup,
    /// It cannot be had there: Debian's compiler builds the standard library from Debian's source package, with
    /// rustup's linker.
    Debian { linker: PathBuf },
}

impl Wasm {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Rustup => "of the toolchain",
            Self::Debian { .. } => "by Debian's rustc-web",
        }
    }

    /// `cargo SUBCOMMAND` for the browser crate.
    pub(crate) fn cargo(&self, repo: &Repo, subcommand: &str) -> Command {
        let mut command = match self {
            Self::Rustup => repo.cargo(),
            Self::Debian { .. } => repo.command("/usr/bin/cargo"),
        };
        command.args([subcommand, "--package", "browser", "--target", WASM]);
        if let Self::Debian { linker } = self {
            command.arg("-Zbuild-std=std,panic_abort");
            command
                .env("RUSTC_BOOTSTRAP", "1")
                .env("RUSTC", "/usr/bin/rustc");
            command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
        }
        command
    }
}

/// Finds the wasm target, adding it where it is missing.
pub(crate) fn wasm_target(repo: &Repo) -> Result<Wasm> {
    let sysroot =
        ask(repo.command("rustc").args(["--print", "sysroot"])).context("rustc does not answer")?;
    let library = Path::new(&sysroot)
        .join("lib/rustlib")
        .join(WASM)
        .join("lib");
    if library.is_dir() {
        return Ok(Wasm::Rustup);
    }
    let added = run(repo.command("rustup").args(["target", "add", WASM]));
    if library.is_dir() {
        return Ok(Wasm::Rustup);
    }
    let rustup = added.err().map_or_else(
        || "rustup did not install it".to_owned(),
        |error| format!("{error:#}"),
    );
    eprintln!(
        "the target {WASM} is not to be had from rustup ({rustup}); trying Debian's rustc-web"
    );
    debian_wasm(Path::new(&sysroot))
        .with_context(|| format!("the wasm target {WASM} is missing: `rustup target add {WASM}`"))
}

fn debian_wasm(sysroot: &Path) -> Result<Wasm> {
    let source = Path::new("/usr/lib/rustlib/src/rust/library/std/Cargo.toml");
    let complete = || {
        source.exists()
            && is_executable(Path::new("/usr/bin/cargo"))
            && is_executable(Path::new("/usr/bin/rustc"))
    };
    const PACKAGES: [&str; 3] = ["rustc-web", "rust-web-src", "cargo-web"];
    let tried = if !complete() && is_root() && which(&["apt-get"]).is_some() {
        apt_install(&PACKAGES)
    } else {
        Ok(())
    };
    if !complete() {
        let command = format!(
            "without rustup's server: sudo apt-get install {}",
            PACKAGES.join(" ")
        );
        return Err(match tried {
            Ok(()) => anyhow!(command),
            Err(error) => error.context(command),
        });
    }
    let linker = std::fs::read_dir(sysroot.join("lib/rustlib"))?
        .filter_map(|entry| entry.ok())
        .map(|entry| entry.path().join("bin/rust-lld"))
        .find(|file| is_executable(file));
    Ok(Wasm::Debian {
        linker: linker.context("the toolchain has no rust-lld")?,
    })
}

/// `npm ci` in `folder`, unless its lock and Node are those of the last time.
pub(crate) fn npm(repo: &Repo, folder: &str) -> Result<&'static str> {
    let place = repo.root.join(folder);
    let node = ask(Command::new("node").arg("--version")).context("node does not answer")?;
    let name = match folder {
        "" => "npm".to_owned(),
        folder => format!("npm-{}", folder.replace('/', "-")),
    };
    let stamp = Stamp::new(
        repo,
        &name,
        Inputs::default()
            .text(&node)
            .path(&place, "package-lock.json")?,
    );
    if stamp.is_current() && place.join("node_modules/.package-lock.json").exists() {
        return Ok("unchanged");
    }
    stamp.clear()?;
    let modules = place.join("node_modules");
    let kept = Kept::new(repo, &name, stamp.wanted())?;
    if kept.take(&modules)? {
        stamp.set()?;
        return Ok("copied");
    }
    let mut npm = repo.command("npm");
    npm.current_dir(&place).args([
        "ci",
        "--no-fund",
        "--no-audit",
        "--ignore-scripts",
        "--loglevel=error",
    ]);
    run(npm.env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1"))?;
    kept.put(&modules)?;
    stamp.set()?;
    Ok("installed")
}

/// The interpreter of the virtual environment.
pub(crate) fn venv_python(repo: &Repo) -> PathBuf {
    repo.target.join("venv/bin/python")
}

/// The virtual environment with the pinned packages, unless nothing changed since it was made.
pub(crate) fn python(repo: &Repo) -> Result<&'static str> {
    venv(repo, "venv", "end2end/requirements.txt", &["--no-deps"])
}

/// The interpreter of the virtual environment with Spark, which is made where it is missing. Delta's own classes Spark fetches from
/// Maven Central.
pub(crate) fn spark(repo: &Repo) -> Result<PathBuf> {
    if which(&["java"]).is_none() {
        bail!("java is missing: sudo apt-get install default-jre-headless");
    }
    venv(repo, "spark", "end2end/tables/requirements.txt", &[])?;
    Ok(repo.target.join("spark/bin/python"))
}

/// A virtual environment in the build folder, unless nothing changed since it was made.
fn venv(repo: &Repo, name: &str, requirements: &str, options: &[&str]) -> Result<&'static str> {
    let version =
        ask(Command::new("python3").args(["-c", "import sys; print(sys.version, sys.prefix)"]))
            .context("python3 does not answer")?;
    let stamp = Stamp::new(
        repo,
        name,
        Inputs::default()
            .text(&version)
            .path(&repo.root, requirements)?,
    );
    let folder = repo.target.join(name);
    let python = folder.join("bin/python");
    if stamp.is_current() && is_executable(&python) {
        return Ok("unchanged");
    }
    stamp.clear()?;
    let kept = Kept::new(repo, name, stamp.wanted())?;
    let mut make = repo.command("python3");
    make.args(["-m", "venv", "--clear"]);
    // The environment itself knows where it lies; what is installed in it does not.
    run(make.arg("--without-pip").arg(&folder))?;
    if kept.take(&packages(&python)?)? {
        stamp.set()?;
        return Ok("copied");
    }
    run(repo
        .command(&python)
        .args(["-Im", "ensurepip", "--upgrade", "--default-pip"])
        .stdout(Stdio::null()))?;
    let mut pip = repo.command(&python);
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-input",
    ]);
    pip.args(options).args(["--requirement", requirements]);
    run(&mut pip)?;
    run(repo
        .command(&python)
        .args(["-m", "pip", "--disable-pip-version-check", "check"]))?;
    kept.put(&packages(&python)?)?;
    stamp.set()?;
    Ok("installed")
}

/// Where an interpreter has the packages that are installed for it.
fn packages(python: &Path) -> Result<PathBuf> {
    const QUESTION: &str = "import sysconfig; print(sysconfig.get_path('purelib'))";
    let answer = ask(Command::new(python).args(["-c", QUESTION]));
    Ok(PathBuf::from(answer.with_context(|| {
        format!("{} does not answer", python.display())
    })?))
}

/// The user under whom PostgreSQL runs: it refuses root, so there it is the package's own.
pub(crate) fn as_postgres_user(program: &Path, death: &str) -> Command {
    bound(program, is_root().then_some("postgres"), death)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_first_number() {
        assert_eq!(major("v20.19.2"), Some(20));
        assert_eq!(major("9"), Some(9));
        assert_eq!(major("nightly"), None);
    }

    #[test]
    fn a_complaint_names_everything_with_its_command() {
        let lacking: Vec<_> = PREREQUISITES
            .iter()
            .map(|prerequisite| (prerequisite, "gone".to_owned()))
            .collect();
        let text = complaint(&lacking);
        for prerequisite in &PREREQUISITES {
            assert!(text.contains(prerequisite.name), "{text}");
        }
        assert!(
            text.contains("sudo apt-get install python3 python3-venv"),
            "{text}"
        );
    }

    #[test]
    fn what_could_not_be_installed_is_named_after_why() -> Result<()> {
        let lacking: Vec<_> = PREREQUISITES
            .iter()
            .map(|prerequisite| (prerequisite, "gone".to_owned()))
            .collect();
        let offline = || Err(anyhow!("`apt-get update` failed"));
        let error = settled(offline(), &lacking)
            .expect_err("all of it is missing")
            .to_string();
        assert!(error.starts_with("`apt-get update` failed\n"), "{error}");
        for prerequisite in &PREREQUISITES {
            let command = format!("sudo apt-get install {}", prerequisite.packages.join(" "));
            assert!(
                error.contains(prerequisite.name) && error.contains(&command),
                "{error}"
            );
        }
        // What counts is what is there.
        assert!(settled(Ok(()), &lacking).is_err());
        assert_eq!(settled(offline(), &[])?, "all there");
        assert_eq!(settled(Ok(()), &[])?, "installed what was missing");
        Ok(())
    }

    #[test]
    fn a_larger_scope_needs_everything_of_a_smaller_one() {
        let count = |scope| {
            PREREQUISITES
                .iter()
                .filter(|prerequisite| prerequisite.from <= scope)
                .count()
        };
        assert_eq!(
            (count(Scope::Quick), count(Scope::Run), count(Scope::All)),
            (1, 3, 6)
        );
    }
}
