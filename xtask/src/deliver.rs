//! `dist`: what one installs, as one file.

use anyhow::{Context as _, Result, bail};

use crate::bundle::{self, Mode, copy_folder};
use crate::process::{ask, run, step};
use crate::repo::{HOST, Repo};
use crate::setup::{self, Scope};

/// What the README shows and leads to, in the archive where it is in the sources.
const DOCS: &str = "docs";

/// The release binary of the present sources.
pub(crate) fn build_release(repo: &Repo) -> Result<&'static str> {
    run(repo
        .cargo()
        .args(["build", "--locked", "--release"])
        .args(HOST))?;
    Ok("")
}

pub(crate) fn dist(repo: &Repo) -> Result<()> {
    setup::set_up(repo, Scope::Run)?;
    step("browser bundle", || bundle::build(repo, Mode::Release))?;
    step("server, release", || build_release(repo))?;
    step("archive", || archive(repo))
}

fn archive(repo: &Repo) -> Result<String> {
    let machine = ask(repo.command("rustc").arg("-vV")).and_then(|answer| {
        Some(
            answer
                .lines()
                .find_map(|line| line.strip_prefix("host: "))?
                .to_owned(),
        )
    });
    let machine = machine.context("rustc does not say its host")?;
    let name = format!("entrepot-{}-{machine}", env!("CARGO_PKG_VERSION"));
    let dist = repo.target.join("dist");
    let folder = dist.join(&name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    copy_folder(&repo.site(), &folder.join("site"))?;
    for name in ["LICENSE", "README.md", "CONTRIBUTING.md"] {
        std::fs::copy(repo.root.join(name), folder.join(name))
            .with_context(|| format!("copy {name}"))?;
    }
    copy_folder(&repo.root.join(DOCS), &folder.join(DOCS))?;
    let binary = repo.target.join("release/entrepot");
    if !binary.exists() {
        bail!("{} was not built", binary.display());
    }
    std::fs::copy(&binary, folder.join("entrepot"))?;
    let file = format!("{name}.tar.gz");
    run(repo.command("tar").current_dir(&dist).args([
        "--create",
        "--gzip",
        "--owner=0",
        "--group=0",
        "--file",
        &file,
        &name,
    ]))?;
    Ok(dist.join(file).display().to_string())
}
