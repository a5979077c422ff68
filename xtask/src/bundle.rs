//! The browser bundle: the browser crate as wasm, its JavaScript, the style sheet and the public files, in `target/site`.
//!
//! `target/site/pkg/entrepot.{js,wasm,css}` are the names the pages ask for (`LEPTOS_OUTPUT_NAME`); every text and wasm
//! file of a release bundle has a `.br` and a `.gz` beside it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::kept::Kept;
use crate::process::run;
use crate::repo::{Repo, WASM};
use crate::setup::{self, Wasm};
use crate::stamp::{Inputs, Stamp, collect};

/// Changes when the steps below change their meaning.
const RECIPE: &str = "1";
pub(crate) const NAME: &str = "entrepot";

/// What a page may cost at its first visit (bytes of wasm, plain and as brotli).
pub(crate) const BUDGET_PLAIN: u64 = 1_200_000;
pub(crate) const BUDGET_BROTLI: u64 = 300_000;

/// The features that rustc's wasm target uses by default; without them wasm-opt refuses its output.
const WASM_FEATURES: [&str; 7] = [
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Small and compressed.
    Release,
    /// Quick to make, with panics that name their line.
    Dev,
}

impl Mode {
    fn profile(self) -> &'static str {
        match self {
            Self::Release => "wasm-release",
            Self::Dev => "dev",
        }
    }

    /// What a bundle is kept as.
    fn shelf(self) -> &'static str {
        match self {
            Self::Release => "site",
            Self::Dev => "site-dev",
        }
    }

    /// The folder cargo puts the profile's output in.
    fn folder(self) -> &'static str {
        match self {
            Self::Release => "wasm-release",
            Self::Dev => "debug",
        }
    }
}

/// What the bundle is made of, below the checkout.
pub(crate) const SOURCES: [&str; 12] = [
    "app",
    "crates/model",
    "crates/browser",
    "style",
    "public",
    "Cargo.toml",
    "Cargo.lock",
    ".cargo/config.toml",
    "rust-toolchain.toml",
    "package-lock.json",
    "xtask/src/bin/bindgen.rs",
    "xtask/node/precompress.mjs",
];

/// Makes the bundle unless its sources are those of the last time; says which, and how large it is.
pub(crate) fn build(repo: &Repo, mode: Mode) -> Result<String> {
    let compiler = setup::wasm_target(repo)?;
    let mut inputs = Inputs::default()
        .text(RECIPE)
        .text(mode.profile())
        .text(compiler.name());
    for source in SOURCES {
        inputs = inputs.path(&repo.root, source)?;
    }
    let stamp = Stamp::new(repo, "site", inputs);
    let site = repo.site();
    if stamp.is_current() && size(&site.join("pkg").join(format!("{NAME}.wasm"))).is_ok() {
        return Ok("unchanged".to_owned());
    }
    stamp.clear()?;
    let kept = Kept::new(repo, mode.shelf(), stamp.wanted())?;
    if kept.take(&site)? {
        stamp.set()?;
        return Ok(format!("copied, {}", sizes(&site, mode)?));
    }
    let bindings = wasm(repo, &compiler, mode)?;

    // Built beside and moved into place: a failing style sheet leaves the last site whole.
    let fresh = repo.target.join("site.new");
    remove(&fresh)?;
    copy_folder(&bindings, &fresh.join("pkg"))?;
    style(repo, mode, &fresh.join("pkg").join(format!("{NAME}.css")))?;
    copy_folder(&repo.root.join("public"), &fresh)?;
    if mode == Mode::Release {
        run(repo
            .command("node")
            .arg("xtask/node/precompress.mjs")
            .arg(&fresh))?;
    }
    remove(&site)?;
    std::fs::rename(&fresh, &site)
        .with_context(|| format!("move {} into place", site.display()))?;
    kept.put(&site)?;
    stamp.set()?;
    sizes(&site, mode)
}

/// Wasm and JavaScript; the folder that holds them. Cargo knows whether it must compile, a stamp over its output whether
/// the rest must be done again.
fn wasm(repo: &Repo, compiler: &Wasm, mode: Mode) -> Result<PathBuf> {
    let mut cargo = compiler.cargo(repo, "build");
    run(cargo.args(["--profile", mode.profile()]))?;
    let compiled = format!("{WASM}/{}/browser.wasm", mode.folder());
    let folder = repo.target.join("bindings").join(mode.folder());
    let inputs = Inputs::default()
        .text(RECIPE)
        .path(&repo.target, &compiled)?
        .path(&repo.root, "Cargo.lock")?
        .path(&repo.root, "package-lock.json")?
        .path(&repo.root, "xtask/src/bin/bindgen.rs")?;
    let stamp = Stamp::new(repo, &format!("bindings-{}", mode.folder()), inputs);
    let module = folder.join(format!("{NAME}.wasm"));
    if stamp.is_current() && module.exists() {
        return Ok(folder);
    }
    stamp.clear()?;
    remove(&folder)?;
    std::fs::create_dir_all(&folder)?;

    run(repo.cargo().args([
        "build",
        "--quiet",
        "--package",
        "xtask",
        "--features",
        "bindgen",
        "--bin",
        "bindgen",
    ]))?;
    let mut bindgen = repo.command(repo.debug_binary("bindgen"));
    bindgen
        .arg(repo.target.join(&compiled))
        .arg(&folder)
        .arg(NAME);
    if mode == Mode::Dev {
        bindgen.arg("--debug");
    }
    run(&mut bindgen)?;
    if mode == Mode::Release {
        let mut optimise = repo.command("node");
        optimise
            .arg("node_modules/.bin/wasm-opt")
            .arg("-Oz")
            .args(WASM_FEATURES);
        run(optimise.arg(&module).arg("--output").arg(&module))?;
    }
    stamp.set()?;
    Ok(folder)
}

fn style(repo: &Repo, mode: Mode, output: &Path) -> Result<()> {
    let mut sass = repo.command("node");
    sass.args(["node_modules/.bin/sass", "--no-source-map"]);
    if mode == Mode::Release {
        sass.arg("--style=compressed");
    }
    run(sass.arg("style/main.scss").arg(output))
}

fn sizes(site: &Path, mode: Mode) -> Result<String> {
    let wasm = site.join("pkg").join(format!("{NAME}.wasm"));
    let plain = size(&wasm)?;
    if mode == Mode::Dev {
        return Ok(format!("wasm {} kB", plain / 1000));
    }
    let brotli = size(&wasm.with_extension("wasm.br"))?;
    Ok(format!(
        "wasm {} kB, brotli {} kB",
        plain / 1000,
        brotli / 1000
    ))
}

/// Fails when a first visit costs more than the budget.
pub(crate) fn within_budget(repo: &Repo) -> Result<String> {
    let wasm = repo.site().join("pkg").join(format!("{NAME}.wasm"));
    judge(size(&wasm)?, size(&wasm.with_extension("wasm.br"))?)
}

fn judge(plain: u64, brotli: u64) -> Result<String> {
    if plain > BUDGET_PLAIN || brotli > BUDGET_BROTLI {
        bail!(
            "the wasm has {plain} bytes, {brotli} as brotli; the budget is {BUDGET_PLAIN} and {BUDGET_BROTLI}"
        );
    }
    Ok(format!(
        "{plain} bytes of {BUDGET_PLAIN}, as brotli {brotli} of {BUDGET_BROTLI}"
    ))
}

fn size(file: &Path) -> Result<u64> {
    Ok(file
        .metadata()
        .with_context(|| format!("look at {}", file.display()))?
        .len())
}

pub(crate) fn remove(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

/// Copies every file below `from` to the same place below `to`.
pub(crate) fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    if !from.is_dir() {
        bail!("the folder {} is missing", from.display());
    }
    let mut files = std::collections::BTreeSet::new();
    collect(from, &mut files)?;
    for file in files {
        let target = to.join(file.strip_prefix(from)?);
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent)
                .with_context(|| format!("create {}", parent.display()))?;
        }
        std::fs::copy(&file, &target).with_context(|| format!("copy {}", file.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Folder;

    #[test]
    fn the_budget_holds_for_both_sizes() {
        assert!(judge(BUDGET_PLAIN, BUDGET_BROTLI).is_ok());
        assert!(judge(BUDGET_PLAIN + 1, 1).is_err());
        assert!(judge(1, BUDGET_BROTLI + 1).is_err());
    }

    #[test]
    fn folders_are_copied_whole_and_a_missing_one_is_named() -> Result<()> {
        let folder = Folder::temporary("bundle-test")?;
        let from = folder.path().join("from");
        std::fs::create_dir_all(from.join("snippets/a"))?;
        std::fs::write(from.join("snippets/a/inline.js"), "x")?;
        let to = folder.path().join("to");
        copy_folder(&from, &to)?;
        assert_eq!(
            std::fs::read_to_string(to.join("snippets/a/inline.js"))?,
            "x"
        );
        let error = copy_folder(&folder.path().join("gone"), &to).expect_err("nothing to copy");
        assert!(error.to_string().contains("gone"), "{error}");
        Ok(())
    }

    #[test]
    fn every_source_of_the_bundle_exists() -> Result<()> {
        let repo = Repo::find()?;
        for source in SOURCES {
            assert!(repo.root.join(source).exists(), "{source}");
        }
        Ok(())
    }
}
