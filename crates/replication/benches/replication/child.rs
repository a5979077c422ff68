//! A copy in a process of its own: to be killed, or to have its memory looked at.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use replication::{CopyOptions, Ends};
use serde_json::{Value, json};

use crate::server;
use crate::stores::Metered;

/// Where the objects lie in the S3 server's bucket.
pub(crate) const FROM: &str = "from";

/// What the child does. `source` is a folder, or the address of the S3 server.
pub(crate) async fn copy(source: &str, manifest: &str, receipts: &str, target: &str) -> Result<()> {
    let source = match source.starts_with("http://") {
        true => server::open(source, FROM)?,
        false => Metered::folder(Path::new(source))?,
    };
    let target = Metered::folder(Path::new(target))?;
    replication::copy(
        Ends {
            source: source.objects,
            target: target.objects,
            parts: target.parts,
        },
        Path::new(manifest),
        Path::new(receipts),
        CopyOptions::default(),
        Arc::new(|_| ()),
    )
    .await?;
    println!("{}", json!({ "peak_bytes": peak_bytes()? }));
    Ok(())
}

/// The most memory that this process ever held.
fn peak_bytes() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|rest| rest.trim().strip_suffix(" kB"));
    let kilobytes: u64 = kilobytes.context("no VmHWM")?.trim().parse()?;
    Ok(kilobytes * 1024)
}

/// The files of a copy.
pub(crate) struct Job<'a> {
    pub(crate) source: &'a str,
    pub(crate) manifest: &'a Path,
    pub(crate) receipts: &'a Path,
    pub(crate) target: &'a Path,
}

impl Job<'_> {
    pub(crate) fn start(&self) -> Result<Child> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("copy").arg(self.source);
        command
            .args([self.manifest, self.receipts, self.target])
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        command.spawn().context("start the copy")
    }

    /// To its end; what it printed.
    pub(crate) async fn run(&self) -> Result<Value> {
        let child = self.start()?;
        // Waiting blocks, and the S3 server is in this process.
        let output = tokio::task::spawn_blocking(|| child.wait_with_output()).await??;
        ensure!(
            output.status.success(),
            "the copy failed, {}",
            output.status
        );
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}

/// A manifest of objects that are named alike on both sides.
pub(crate) fn write_manifest(manifest: &Path, objects: &[(String, u64)]) -> Result<()> {
    let mut lines = String::new();
    for (name, size) in objects {
        lines.push_str(&json!({ "src": name, "dst": name, "size": size }).to_string());
        lines.push('\n');
    }
    std::fs::write(manifest, lines)?;
    Ok(())
}
