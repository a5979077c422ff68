//! Where things are: the checkout, its target folder, tools kept between checkouts; and the one way cargo is called.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

/// The packages of every host call. Another set would change features and compile everything again.
pub(crate) const HOST: [&str; 3] = ["--workspace", "--exclude", "browser"];
pub(crate) const WASM: &str = "wasm32-unknown-unknown";

pub(crate) struct Repo {
    pub(crate) root: PathBuf,
    /// Final binaries, the site, stamps, the virtual environment.
    pub(crate) target: PathBuf,
}

impl Repo {
    pub(crate) fn find() -> Result<Self> {
        let manifest = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let Some(root) = manifest.parent() else {
            bail!("{} has no parent folder", manifest.display());
        };
        let root = root
            .canonicalize()
            .with_context(|| format!("find {}", root.display()))?;
        let target = match env::var_os("CARGO_TARGET_DIR") {
            Some(folder) => env::current_dir()?.join(folder),
            None => root.join("target"),
        };
        std::fs::create_dir_all(&target).with_context(|| format!("create {}", target.display()))?;
        Ok(Self { root, target })
    }

    /// `cargo` in the checkout, as a shell would call it.
    pub(crate) fn cargo(&self) -> Command {
        self.command("cargo")
    }

    /// A command that runs in the checkout, without what `cargo run` put into our environment: build scripts that watch
    /// `CARGO_PKG_…` would otherwise run again on every change between `cargo xtask` and plain cargo.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        for (name, _) in env::vars_os() {
            if name.to_str().is_some_and(is_of_cargo_run) {
                command.env_remove(name);
            }
        }
        command
    }

    /// A binary of the dev profile.
    pub(crate) fn debug_binary(&self, name: &str) -> PathBuf {
        self.target.join("debug").join(name)
    }

    /// The pages' files as the server serves them.
    pub(crate) fn site(&self) -> PathBuf {
        self.target.join("site")
    }

    /// Tools that we install for ourselves; beside the build folder, so that a fresh checkout finds them.
    pub(crate) fn tools(&self) -> Result<PathBuf> {
        Ok(cargo_home()?.join("build").join("entrepot-tools"))
    }
}

fn cargo_home() -> Result<PathBuf> {
    if let Some(home) = env::var_os("CARGO_HOME") {
        return Ok(PathBuf::from(home));
    }
    let home = env::var_os("HOME").context("neither CARGO_HOME nor HOME is set")?;
    Ok(PathBuf::from(home).join(".cargo"))
}

/// RUSTFLAGS belongs here too: it replaces the flags of `.cargo/config.toml`, without which server and browser would
/// render different trees.
fn is_of_cargo_run(name: &str) -> bool {
    const EXACT: [&str; 7] = [
        "CARGO",
        "CARGO_CRATE_NAME",
        "CARGO_BIN_NAME",
        "CARGO_PRIMARY_PACKAGE",
        "OUT_DIR",
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
    ];
    EXACT.contains(&name) || name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
}

/// The first of `names` that is an executable file on PATH.
pub(crate) fn which(names: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    names.iter().find_map(|name| {
        env::split_paths(&path)
            .map(|folder| folder.join(name))
            .find(|file| is_executable(file))
    })
}

pub(crate) fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cargo_run_sets_is_taken_away_and_what_a_user_sets_stays() {
        for name in [
            "CARGO",
            "CARGO_PKG_NAME",
            "CARGO_MANIFEST_DIR",
            "RUSTFLAGS",
            "OUT_DIR",
        ] {
            assert!(is_of_cargo_run(name), "{name}");
        }
        for name in [
            "CARGO_HOME",
            "CARGO_TARGET_DIR",
            "CARGO_NET_OFFLINE",
            "CARGO_TERM_COLOR",
            "PATH",
            "RUSTUP_TOOLCHAIN",
        ] {
            assert!(!is_of_cargo_run(name), "{name}");
        }
    }

    #[test]
    fn which_finds_programs_and_only_programs() {
        assert!(which(&["no-such-program-at-all", "sh"]).is_some_and(|path| path.ends_with("sh")));
        assert!(which(&["no-such-program-at-all"]).is_none());
    }
}
