//! `entrepot demo`: plays the demo world into an empty data folder and, unless headless, serves it.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use model::{Clock as _, ManualClock};

use super::{Globals, run};
use crate::adapters::clock::SystemClock;
use crate::config::{PublicUrl, Settings};
use crate::demo::{Stage, Story, accounts_text, play, prepare};
use crate::node::{Node, Use};

#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Only play the month; do not serve afterwards
    #[arg(long)]
    headless: bool,
    /// Where it will be served: what profiles point to
    #[arg(long)]
    addr: Option<SocketAddr>,
    /// The same seed makes the same tables
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub(super) async fn demo(globals: &Globals, demo: Demo) -> anyhow::Result<ExitCode> {
    let mut flags = globals.flags();
    flags.addr = demo.addr;
    // The folder is made ready first, because its configuration names the folders that stand in for clouds.
    prepare(&Settings::load(&flags)?.data)?;
    let settings = Settings::load(&flags)?;
    let data = settings.data.clone();
    let now = SystemClock.now();
    let clock = Arc::new(ManualClock::at(now));
    let public_url = settings
        .public_url
        .clone()
        .unwrap_or_else(|| PublicUrl::of_address(settings.addr));
    let node = Node::open_at(settings, Use::Serve, public_url, clock.clone()).await?;
    let stage = Stage {
        exchange: node.exchange().clone(),
        clock,
        worker: run::worker(&node, Some(1)),
        machines: node.connected.machines(),
        data: data.clone(),
        now,
        seed: demo.seed,
    };
    let mut out = std::io::stderr();
    let mut story = if globals.json {
        Story::silent()
    } else {
        Story::told(&mut out)
    };
    let report = play(&stage, &mut story).await?;
    node.exchange().db().close().await;
    drop(node);
    if globals.json {
        let _ = writeln!(
            std::io::stdout(),
            "{}",
            serde_json::to_string_pretty(&report)?
        );
    } else {
        let _ = writeln!(std::io::stdout(), "{}", accounts_text(&data)?);
    }
    if demo.headless {
        return Ok(ExitCode::SUCCESS);
    }
    run::serve(globals, run::Serve::at(demo.addr)).await
}
