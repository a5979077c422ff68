//! The project's own commands: `cargo xtask set-up | run | dev | test | check | bench | pictures | dist`.
//!
//! Plain Rust over cargo, npm and Python: what it needs it names, what it starts it ends. Nothing of the product lives
//! here.

mod ages;
mod bench;
mod bundle;
mod check;
mod deliver;
mod demo;
mod edges;
mod http;
mod kept;
mod map;
mod process;
mod repo;
mod run;
mod services;
mod setup;
mod stamp;
mod strings;
mod tally;
mod test;
mod unfinished;

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::repo::Repo;

/// Compiled again in another checkout: see `.cargo/config.toml`.
const _: Option<&str> = option_env!("ENTREPOT_CHECKOUT");

const USAGE: &str = "\
usage: cargo xtask COMMAND

  set-up                          install what building and testing need
  run [--addr 127.0.0.1:3000] [--data DIR] [--empty]
                                  set up, build, make the demo world (not with --empty) and serve
  dev [--addr A] [--data DIR]     the same, without optimising the browser bundle, again on every change
  test [--quick | --nightly]      every check and test; the last line is `N passed, N failed`
  test --spark                    the live form: Spark writes tables, replicas follow them, Spark reads the replicas
  check [edges|map|strings|fmt|clippy|deny|machete]...
                                  single checks; without a name all of them
  services                        the test servers until Ctrl-C, for cargo test by hand
  bundle                          the browser bundle alone, into target/site
  bench [AREA]... [--json] [--large]
                                  measure a release build; --large: also what takes long and much memory
  pictures                        the README's pictures, of the demo world, into docs/pictures
  dist                            release build and site as a tar file in target/dist";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match command(&arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn command(arguments: &[String]) -> Result<ExitCode> {
    let Some((name, rest)) = arguments.split_first() else {
        bail!("{USAGE}");
    };
    let repo = Repo::find()?;
    process::end_children_on_signals()?;
    match name.as_str() {
        "set-up" => {
            no_more(rest)?;
            setup::set_up(&repo, setup::Scope::All)?;
        }
        "run" => run::run(&repo, &run::Options::parse(rest)?)?,
        "dev" => run::dev(&repo, &run::Options::parse(rest)?)?,
        "test" => return test::test(&repo, test::Extent::parse(rest)?),
        "check" => return check::check(&repo, rest),
        "bundle" => {
            no_more(rest)?;
            setup::set_up(&repo, setup::Scope::Run)?;
            process::step("browser bundle", || {
                bundle::build(&repo, bundle::Mode::Release)
            })?;
        }
        "services" => {
            no_more(rest)?;
            test::services(&repo)?;
        }
        "bench" => return bench::bench(&repo, rest),
        "pictures" => {
            no_more(rest)?;
            demo::pictures(&repo)?;
        }
        "dist" => {
            no_more(rest)?;
            deliver::dist(&repo)?;
        }
        "help" | "--help" | "-h" => println!("{USAGE}"),
        other => bail!("unknown command {other:?}\n\n{USAGE}"),
    }
    Ok(ExitCode::SUCCESS)
}

fn no_more(rest: &[String]) -> Result<()> {
    match rest {
        [] => Ok(()),
        [first, ..] => bail!("unexpected argument {first:?}\n\n{USAGE}"),
    }
}
