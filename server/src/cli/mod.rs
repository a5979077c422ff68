//! The command line. A command is a call of a REST route: over HTTP with `--server` and `--token`, else in process on the
//! data folder, as the operator. One file per area says which call, and how to show the answer; `--json` shows it as it is.
//!
//! Exit status: 0 done, 1 failed or wrong use. (`plan`: 0 no changes, 1 failed, 2 changes.) What failed is a sentence on
//! standard error, with `--json` a problem document on standard output instead.

mod access_log;
mod advice;
mod assess;
mod audit;
mod billing;
mod call;
mod check;
mod columns;
mod conformance;
mod copy;
mod cut;
mod declaration;
mod demo;
mod doctor;
mod domain;
mod erasure;
mod fail;
mod flow;
mod follow;
mod grant;
mod plan;
mod product;
mod recipient;
mod replica;
mod request;
mod run;
mod save;
mod show;
mod storage;
mod team;
#[cfg(test)]
mod tests;
mod token;
mod user;
mod work;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{Flags, LogFormat, Settings};
use call::{Act, Client};
use exchange::jobs::WorkKind;

/// Entrepôt, a data exchange: data products shared across teams and clouds.
#[derive(Debug, Parser)]
#[command(name = "entrepot", version, propagate_version = false)]
struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Clone, Debug, Args)]
struct Globals {
    /// The data folder
    #[arg(long, global = true, env = "ENTREPOT_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
    /// The configuration file, instead of entrepot.toml in the data folder
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Call this server instead of working on the data folder
    #[arg(long, global = true, env = "ENTREPOT_SERVER", value_name = "URL")]
    server: Option<String>,
    /// A service token for --server; better given in the environment
    #[arg(
        long,
        global = true,
        env = "ENTREPOT_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true
    )]
    token: Option<String>,
    /// Print the answer, and what went wrong, as JSON; a server logs as JSON
    #[arg(long, global = true)]
    json: bool,
}

impl Globals {
    fn flags(&self) -> Flags {
        Flags {
            data: self.data.clone(),
            config: self.config.clone(),
            ..Flags::default()
        }
    }

    /// Where the calls go.
    async fn client(&self) -> anyhow::Result<Client> {
        match &self.server {
            Some(server) => Client::remote(server, self.token.as_deref()),
            None => Client::local(Settings::load(&self.flags())?).await,
        }
    }

    /// The settings of a process that logs: with `--json` as JSON, whatever the configuration says.
    fn settings(&self, flags: &Flags) -> anyhow::Result<Settings> {
        let mut settings = Settings::load(flags)?;
        if self.json {
            settings.telemetry.format = LogFormat::Json;
        }
        Ok(settings)
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the portal, the REST interface and the sharing protocol
    Serve(run::Serve),
    /// Do the work that is due, without serving
    Worker(run::Work),
    /// Copy the objects of a manifest and leave receipts
    Copy(copy::Copy),
    /// Say what works and what does not for who reads here with a profile; exit status 1 when something fails
    Check(check::Check),
    /// Check a server of the Delta Sharing protocol, case by case; exit status 1 when a case fails
    Conformance(conformance::Conformance),
    /// Reckon what moving the tables under a URL costs, and what clones of them would cost; reads logs and writes nothing
    Assess(assess::Assess),
    /// Play the demo world into an empty data folder, and serve it
    Demo(demo::Demo),
    /// Bring the database up to this version, or what is sealed in it up to the newest key
    Migrate(run::Migrate),
    #[command(flatten)]
    Call(Calls),
}

/// Commands that are calls of the REST interface.
#[derive(Debug, Subcommand)]
enum Calls {
    /// People: accounts, roles, passwords
    #[command(subcommand)]
    User(user::User),
    /// Service tokens
    #[command(subcommand)]
    Token(token::Token),
    /// Domains
    #[command(subcommand)]
    Domain(domain::Domain),
    /// Teams and their members
    #[command(subcommand)]
    Team(team::Team),
    /// Storages: the places for tables
    #[command(subcommand)]
    Storage(storage::Storage),
    /// Try what Entrepôt needs of a storage, or of each; exit status 1 when something fails
    Doctor(doctor::Doctor),
    /// Find the tables under a prefix, and print them as a declaration
    Scan(storage::Scan),
    /// Data products
    #[command(subcommand)]
    Product(product::Product),
    /// Cuts: what narrower replicas of a product hold, column by column
    #[command(subcommand)]
    Cut(cut::Cut),
    /// Recipients: who reads, and the credentials
    #[command(subcommand)]
    Recipient(recipient::Recipient),
    /// Requests for access, and the decisions
    #[command(subcommand)]
    Request(request::Request),
    /// Grants: what approved requests became
    #[command(subcommand)]
    Grant(grant::Grant),
    /// Replicas, their schedules and runs
    #[command(subcommand)]
    Replica(replica::Replica),
    /// Sync a replica now: here where nobody else uses the data folder, else a worker does it (--wait: until it is done)
    Sync(plan::SyncNow),
    /// Check a replica now, likewise
    Verify(replica::Check),
    /// Remove now what a replica need not keep any more, likewise
    Vacuum(replica::Target),
    /// What is to be forgotten on every replica, and the certificates that it was
    #[command(subcommand)]
    Erasure(erasure::Erasure),
    /// Flows of the old way: registered, compared with the replica, switched off
    #[command(subcommand)]
    Flow(flow::Flow),
    /// Prices, bytes, charges, statements, savings
    #[command(subcommand)]
    Billing(billing::Billing),
    /// What would cost less, from the access log and the sync history
    #[command(subcommand)]
    Advice(advice::Advice),
    /// See what is wrong with a declaration; exit status 1 when something is
    Validate(declaration::Declared),
    /// See what deploying a declaration would do; exit status 0 no changes, 1 it cannot be deployed, 2 changes
    Plan(declaration::Declared),
    /// Make what is live as a declaration says
    Deploy(declaration::Deploy),
    /// Write what is live as a declaration
    Export(declaration::Export),
    /// The audit log and its check
    #[command(subcommand)]
    Audit(audit::Audit),
    /// The queue of work
    #[command(subcommand)]
    Work(work::Queue),
}

impl Calls {
    fn act(self) -> anyhow::Result<Act> {
        Ok(match self {
            Self::User(command) => command.act()?,
            Self::Token(command) => command.act()?,
            Self::Domain(command) => command.act()?,
            Self::Team(command) => command.act()?,
            Self::Storage(command) => command.act()?,
            Self::Doctor(command) => command.act(),
            Self::Scan(command) => command.act(),
            Self::Product(command) => command.act()?,
            Self::Cut(command) => command.act()?,
            Self::Recipient(command) => command.act()?,
            Self::Request(command) => command.act(),
            Self::Grant(command) => command.act(),
            Self::Replica(command) => command.act()?,
            Self::Sync(sync) => sync.act()?,
            Self::Verify(check) => check.start()?,
            Self::Vacuum(target) => target.start(WorkKind::Vacuum)?,
            Self::Erasure(command) => command.act()?,
            Self::Flow(command) => command.act()?,
            Self::Billing(command) => command.act(),
            Self::Advice(command) => command.act(),
            Self::Validate(declared) => declared.validate()?,
            Self::Plan(declared) => declared.plan()?,
            Self::Deploy(deploy) => deploy.act()?,
            Self::Export(export) => export.act(),
            Self::Audit(command) => command.act()?,
            Self::Work(command) => command.act()?,
        })
    }
}

/// Runs one command.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let is_json = fail::wants_json(&arguments);
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        // Help and version, which were asked for.
        Err(error) if !error.use_stderr() => {
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
        Err(error) => return fail::wrong_use(&error, is_json),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail::fail(&error.into(), is_json),
    };
    match runtime.block_on(dispatch(cli)) {
        Ok(code) => code,
        Err(error) => fail::fail(&error, is_json),
    }
}

async fn dispatch(cli: Cli) -> anyhow::Result<ExitCode> {
    let globals = cli.globals;
    match cli.command {
        Command::Serve(serve) => run::serve(&globals, serve).await,
        Command::Worker(work) => run::work(&globals, work).await,
        Command::Copy(copy) => copy::copy(&globals, copy).await,
        Command::Check(check) => check::check(&globals, check).await,
        Command::Conformance(asked) => conformance::conformance(&globals, asked).await,
        Command::Assess(assess) => assess::assess(&globals, assess).await,
        Command::Demo(demo) => demo::demo(&globals, demo).await,
        Command::Migrate(migrate) => run::migrate(&globals, migrate).await,
        Command::Call(Calls::Doctor(doctor)) if doctor.is_of_all() => doctor.all(&globals).await,
        Command::Call(Calls::Billing(billing::Billing::ImportAccessLog(import)))
            if import.is_of_file() =>
        {
            import.import(&globals).await
        }
        Command::Call(Calls::Erasure(erasure::Erasure::Check(check))) => check.check(&globals),
        Command::Call(command) => perform(&globals, command.act()?).await,
    }
}

async fn perform(globals: &Globals, act: Act) -> anyhow::Result<ExitCode> {
    let client = globals.client().await?;
    // The file comes first: an answer that is given only once must not be lost for want of a place.
    let file = act.save.as_ref().map(save::Save::begin).transpose()?;
    if let Some(follow) = &act.follow
        && (follow.wait || client.alone().is_some())
    {
        let followed = follow.to_the_end(&client, &act.call).await?;
        let text = if globals.json {
            show::json(&followed.answer())
        } else {
            followed.text()
        };
        print(&text);
        return Ok(if followed.has_failed() {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        });
    }
    let known = match &act.before {
        Some((asked, field)) => Some((*field, client.perform(asked).await)),
        None => None,
    };
    let mut answer = client.perform(&act.call).await?;
    match known {
        Some((field, Ok(known))) => {
            if let (serde_json::Value::Object(answer), Some(known)) =
                (&mut answer, known.get(field))
            {
                answer.insert(field.to_owned(), known.clone());
            }
        }
        // What was asked for is done; that less is told of it is no failure.
        Some((field, Err(error))) => {
            let _ = writeln!(
                std::io::stderr(),
                "entrepot: `{field}` could not be told: {error:#}"
            );
        }
        None => {}
    }
    let text = match file {
        Some(file) => {
            let path = file.end(&answer)?;
            if globals.json {
                show::json(&serde_json::json!({ "saved": path }))
            } else {
                format!("Saved in {path}.\n")
            }
        }
        None if globals.json => show::json(&act.told(answer.clone())),
        None => act.show.text(&answer),
    };
    print(&text);
    Ok(ExitCode::from((act.status)(&answer)))
}

fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    // A reader that has gone away, as `head` does, is no failure.
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}
