//! `run` and `dev`: from a fresh checkout to a portal that answers.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, bail};

use crate::ages::Ages;
use crate::bundle::{self, Mode};
use crate::process::{Running, run as run_to_end, step};
use crate::repo::{HOST, Repo};
use crate::setup::{self, Scope};
use crate::stamp::collect;
use crate::unfinished;

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    address: SocketAddr,
    /// Relative to the caller's folder; without it `data` in the checkout.
    data: Option<PathBuf>,
    empty: bool,
}

impl Options {
    pub(crate) fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self {
            address: SocketAddr::from(([127, 0, 0, 1], 3000)),
            data: None,
            empty: false,
        };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || {
                arguments
                    .next()
                    .with_context(|| format!("{argument} wants a value"))
            };
            match argument.as_str() {
                "--addr" => {
                    let value = value()?;
                    options.address = value.parse().with_context(|| {
                        format!("--addr {value}: not an address like 127.0.0.1:3000")
                    })?;
                }
                "--data" => options.data = Some(PathBuf::from(value()?)),
                "--empty" => options.empty = true,
                other => bail!("unexpected argument {other:?}"),
            }
        }
        Ok(options)
    }

    fn data_folder(&self, repo: &Repo) -> Result<PathBuf> {
        match &self.data {
            Some(data) => Ok(std::env::current_dir()?.join(data)),
            None => Ok(repo.root.join("data")),
        }
    }
}

/// Sets up, builds, makes the demo world, and becomes the server.
pub(crate) fn run(repo: &Repo, options: &Options) -> Result<()> {
    let data = options.data_folder(repo)?;
    setup::set_up(repo, Scope::Run)?;
    let ages = Ages::new(repo)?;
    step("ages of the sources", || ages.give())?;
    step("browser bundle", || bundle::build(repo, Mode::Release))?;
    step("server", || build_server(repo))?;
    ages.take_down()?;
    prepare(repo, options, &data)?;
    announce(options, &data);
    // The server takes our place: Ctrl-C, exit status and terminal are its own.
    let error = serve(repo, options, &data).exec();
    Err(error).context("start the server")
}

pub(crate) fn build_server(repo: &Repo) -> Result<&'static str> {
    // `--examples` (there are none) makes cargo resolve features as it does for tests: without it `run` and `test` would
    // compile parquet and all above it twice.
    run_to_end(
        repo.cargo()
            .args(["build", "--locked", "--bins", "--examples"])
            .args(HOST),
    )?;
    Ok("")
}

fn serve(repo: &Repo, options: &Options, data: &Path) -> Command {
    let mut command = repo.command(repo.debug_binary("entrepot"));
    command
        .arg("serve")
        .arg("--data")
        .arg(data)
        .args(["--addr", &options.address.to_string()])
        .arg("--site")
        .arg(repo.site());
    command
}

/// The data folder: the demo world where there is none yet, migrations where there is.
fn prepare(repo: &Repo, options: &Options, data: &Path) -> Result<()> {
    let entrepot = || repo.command(repo.debug_binary("entrepot"));
    if unfinished::is_there(data) {
        step("unfinished demo world", || {
            unfinished::clear(data).map(|()| "removed")
        })?;
    }
    if options.empty {
        no_demo_world(data)?;
    }
    if options.empty || !is_empty(data)? {
        return step("migrations", || {
            run_to_end(entrepot().arg("migrate").arg("--data").arg(data)).map(|()| "")
        });
    }
    step("demo world", || {
        unfinished::begin(data)?;
        // The address stands in the profiles that the demo's people download.
        let addr = options.address.to_string();
        run_to_end(
            entrepot()
                .args(["demo", "--headless", "--addr", &addr, "--data"])
                .arg(data),
        )?;
        unfinished::end(data)?;
        Ok("")
    })
}

/// What `entrepot demo` leaves in its folder and nothing else does: the people, and what was written to the tables.
const OF_THE_DEMO: [&str; 2] = [ACCOUNTS, "demo-tables.json"];
const ACCOUNTS: &str = "demo-accounts.txt";

/// `--empty` promises to start without the demo.
fn no_demo_world(data: &Path) -> Result<()> {
    let place = data.display();
    if OF_THE_DEMO.iter().any(|name| data.join(name).exists()) {
        bail!(
            "{place} holds the demo world, and --empty starts without it; name another folder with --data DIR, or remove this one: \
             rm -r '{place}'"
        );
    }
    Ok(())
}

/// True if the folder is not there or has nothing in it.
fn is_empty(folder: &Path) -> Result<bool> {
    match std::fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error).with_context(|| format!("list {}", folder.display())),
    }
}

fn announce(options: &Options, data: &Path) {
    println!(
        "\nOpen http://{}  (data in {}; Ctrl-C stops)",
        options.address,
        data.display()
    );
    println!("{}\n", whom_to_sign_in_as(data));
}

/// Somebody of the demo world, where it was played; else how to make somebody.
fn whom_to_sign_in_as(data: &Path) -> String {
    let accounts = data.join(ACCOUNTS);
    if accounts.is_file() {
        format!(
            "Sign in as mara, who asks for data, or as jonas, who owns it; their passwords, and everybody else's, are in {}.",
            accounts.display()
        )
    } else {
        format!(
            "This is no demo world: sign in with an account of yours. The first one is made by: target/debug/entrepot user \
             create NAME --title \"Your Name\" --role admin --generate --data {}",
            data.display()
        )
    }
}

/// Serves, and does it again whenever a source changes. What does not compile leaves the old server running.
pub(crate) fn dev(repo: &Repo, options: &Options) -> Result<()> {
    let data = options.data_folder(repo)?;
    setup::set_up(repo, Scope::Run)?;
    let mut server: Option<Running> = None;
    let mut prepared = false;
    loop {
        let seen = newest(repo)?;
        let built = step("browser bundle", || bundle::build(repo, Mode::Dev))
            .and_then(|()| step("server", || build_server(repo)));
        match built {
            Ok(()) => {
                drop(server.take());
                if !prepared {
                    prepare(repo, options, &data)?;
                    prepared = true;
                }
                announce(options, &data);
                server = Some(Running::start(&mut serve(repo, options, &data), "TERM")?);
            }
            Err(error) => eprintln!("error: {error:#}\nwaiting for a change"),
        }
        while newest(repo)? == seen {
            thread::sleep(Duration::from_millis(400));
            if let Some(running) = &mut server
                && let Some(status) = running.ended()?
            {
                eprintln!("the server ended ({status}); waiting for a change");
                server = None;
            }
        }
    }
}

/// Number and youngest change of all sources; another answer means that something changed.
fn newest(repo: &Repo) -> Result<(usize, Option<SystemTime>)> {
    let mut files = BTreeSet::new();
    for source in [
        "app",
        "server",
        "crates",
        "migrations",
        "style",
        "public",
        "Cargo.toml",
        "Cargo.lock",
    ] {
        collect(&repo.root.join(source), &mut files)?;
    }
    let youngest = files
        .iter()
        .filter_map(|file| {
            file.metadata()
                .and_then(|metadata| metadata.modified())
                .ok()
        })
        .max();
    Ok((files.len(), youngest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Folder;
    use crate::repo::which;

    fn parse(arguments: &[&str]) -> Result<Options> {
        Options::parse(
            &arguments
                .iter()
                .map(|argument| (*argument).to_owned())
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn options_have_defaults_and_refuse_nonsense() -> Result<()> {
        let defaults = parse(&[])?;
        assert_eq!(
            defaults,
            Options {
                address: "127.0.0.1:3000".parse()?,
                data: None,
                empty: false
            }
        );
        let all = parse(&["--empty", "--data", "d", "--addr", "[::1]:8080"])?;
        assert_eq!(
            all,
            Options {
                address: "[::1]:8080".parse()?,
                data: Some("d".into()),
                empty: true
            }
        );
        for bad in [
            &["--addr"][..],
            &["--addr", "nowhere"],
            &["--data"],
            &["--fast"],
            &["extra"],
        ] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
        Ok(())
    }

    #[test]
    fn one_is_told_whom_to_sign_in_as() -> Result<()> {
        let folder = Folder::temporary("run-test")?;
        let made_empty = whom_to_sign_in_as(folder.path());
        assert!(made_empty.contains("entrepot user create"), "{made_empty}");
        assert!(!made_empty.contains("demo-accounts.txt"), "{made_empty}");
        let accounts = folder.path().join("demo-accounts.txt");
        std::fs::write(&accounts, "mara  x\njonas  y\n")?;
        let demo = whom_to_sign_in_as(folder.path());
        for part in ["mara", "jonas", &accounts.display().to_string()] {
            assert!(demo.contains(part), "{demo}");
        }
        Ok(())
    }

    #[test]
    fn a_missing_folder_is_empty_and_one_with_a_file_is_not() -> Result<()> {
        let folder = Folder::temporary("run-test")?;
        assert!(is_empty(&folder.path().join("gone"))?);
        assert!(is_empty(folder.path())?);
        std::fs::write(folder.path().join("entrepot.db"), "")?;
        assert!(!is_empty(folder.path())?);
        Ok(())
    }

    /// A checkout whose `entrepot` is the shell, for which `demo` and `migrate` are scripts; they note that they were called, and
    /// what lay in the data folder then.
    fn checkout(folder: &Folder) -> Result<Repo> {
        let repo = Repo {
            root: folder.path().to_owned(),
            target: folder.path().join("target"),
        };
        std::fs::create_dir_all(repo.target.join("debug"))?;
        let shell = which(&["sh"]).context("no sh on PATH")?;
        std::os::unix::fs::symlink(shell, repo.debug_binary("entrepot"))?;
        for command in ["demo", "migrate"] {
            std::fs::write(
                repo.root.join(command),
                format!("echo {command} > called\nls data > found\n"),
            )?;
        }
        Ok(repo)
    }

    #[test]
    fn an_unfinished_demo_world_is_not_served() -> Result<()> {
        let folder = Folder::temporary("run-test")?;
        let repo = checkout(&folder)?;
        let data = folder.path().join("data");
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name));
        let half = data.join("entrepot.db");
        // It is made anew, in a folder that is empty save for the mark; or not at all.
        for (arguments, command, found) in [
            (&[][..], "demo\n", "demo-unfinished\n"),
            (&["--empty"][..], "migrate\n", ""),
        ] {
            unfinished::begin(&data)?;
            std::fs::write(&half, "half")?;
            prepare(&repo, &parse(arguments)?, &data)?;
            assert!(!half.exists());
            assert_eq!(read("called")?, command);
            assert_eq!(read("found")?, found);
            assert!(!unfinished::is_there(&data));
        }
        // What somebody put there is not removed with it, and half a world is not served for that.
        unfinished::begin(&data)?;
        std::fs::write(&half, "half")?;
        std::fs::write(data.join("mine.txt"), "")?;
        std::fs::remove_file(folder.path().join("called"))?;
        let error = prepare(&repo, &parse(&[])?, &data).expect_err("it must not be served");
        let error = format!("{error:#}");
        assert!(error.contains("was not finished"), "{error}");
        assert!(half.exists() && !folder.path().join("called").exists());
        Ok(())
    }

    #[test]
    fn a_demo_world_that_fails_stays_marked() -> Result<()> {
        let folder = Folder::temporary("run-test")?;
        let repo = checkout(&folder)?;
        let data = folder.path().join("data");
        std::fs::write(repo.root.join("demo"), "exit 1\n")?;
        assert!(prepare(&repo, &parse(&[])?, &data).is_err());
        assert!(unfinished::is_there(&data));
        Ok(())
    }

    #[test]
    fn empty_is_without_the_demo_world() -> Result<()> {
        for name in OF_THE_DEMO {
            let folder = Folder::temporary("run-test")?;
            let repo = checkout(&folder)?;
            let data = folder.path().join("data");
            std::fs::create_dir(&data)?;
            std::fs::write(data.join(name), "")?;
            let error = prepare(&repo, &parse(&["--empty"])?, &data)
                .expect_err("the demo world must not be served")
                .to_string();
            for part in ["holds the demo world", "--data DIR", "rm -r '"] {
                assert!(error.contains(part), "{error}");
            }
            // Nothing was done; without the word it is served as ever.
            let called = folder.path().join("called");
            assert!(!called.exists());
            prepare(&repo, &parse(&[])?, &data)?;
            assert_eq!(std::fs::read_to_string(called)?, "migrate\n");
        }
        Ok(())
    }
}
