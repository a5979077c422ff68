//! How soon an empty installation answers, and what it takes when nobody asks.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::{Figure, Limit, median, memory_mb, serve};
use crate::http;
use crate::process::Folder;
use crate::repo::Repo;
use crate::services::tail;

const ROUNDS: usize = 5;
/// What settles after the start has settled by then.
const IDLE: Duration = Duration::from_secs(10);

pub(super) fn measure(repo: &Repo) -> Result<Vec<Figure>> {
    let mut starts = Vec::new();
    let mut idle: f64 = 0.0;
    for round in 0..ROUNDS {
        let folder = Folder::temporary("bench-start")?;
        let log_file = folder.path().join("log");
        let address = SocketAddr::from(([127, 0, 0, 1], http::free_port()?));
        let begin = Instant::now();
        let mut server = serve(
            repo,
            &folder.path().join("data"),
            address,
            std::fs::File::create(&log_file)?,
            &[],
        )?;
        let ready = server.wait_until("the server", Duration::from_secs(30), || {
            http::is_ready(address)
        });
        starts.push(begin.elapsed().as_secs_f64());
        ready.with_context(|| tail(&log_file))?;
        if round == 0 {
            thread::sleep(IDLE);
            idle = memory_mb(server.id(), "VmRSS").context("the server is gone")?;
        }
    }
    let worst = starts.iter().copied().fold(0.0, f64::max);
    Ok(vec![
        Figure::new(
            "empty start to ready, worst of 5",
            worst,
            "s",
            Limit::AtMost(1.0),
        ),
        Figure::new(
            "empty start to ready, median",
            median(starts),
            "s",
            Limit::None,
        ),
        Figure::new("idle memory", idle, "MB", Limit::AtMost(120.0)),
    ])
}
