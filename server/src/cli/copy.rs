//! `entrepot copy`: copies the objects of a manifest and leaves receipts. What the copy engine `process` runs, and whoever
//! wants to move a planned copy by hand.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::Args;
use exchange::Principal;
use exchange::ports::StorageAccess;
use exchange::replicas::Counted;
use model::{Cloud, Location, Purpose, StorageId, Timestamp};
use object_store::ObjectStore;
use replication::{CopyOptions, Ends};
use storage::{Cause, Meter, MeterKey, Parts};

use super::Globals;
use crate::adapters::stores::Lake;
use crate::config::Settings;
use crate::node::{Node, Use};
use crate::telemetry;
use crate::workers::sync::STORAGE_WORD;
use crate::workers::tally::{self, Tally};

#[derive(Debug, Args)]
pub(super) struct Copy {
    /// One JSON object per line: {"src", "dst", "size"}
    #[arg(long, value_name = "FILE")]
    manifest: PathBuf,
    /// Appended to, one line per finished object; what is in it already is not copied again
    #[arg(long, value_name = "FILE")]
    receipts: PathBuf,
    /// The run that asks; the same run's objects are copied once
    #[arg(long, default_value = "by-hand")]
    run_id: String,
    /// The run's fencing token
    #[arg(long, default_value_t = 0)]
    attempt: i64,
    /// Where from: storage:ID/PATH, or file:///FOLDER below an allowed root
    #[arg(long)]
    source: String,
    /// Where to, likewise
    #[arg(long)]
    target: String,
}

pub(super) async fn copy(globals: &Globals, copy: Copy) -> anyhow::Result<ExitCode> {
    let settings = Settings::load(&globals.flags())?;
    telemetry::init(&settings.telemetry)?;
    tracing::debug!(run.id = copy.run_id, run.attempt = copy.attempt, "copying");
    let lake = Lake::of(&settings.storage);
    let named = [&copy.source, &copy.target]
        .iter()
        .any(|end| end.starts_with(STORAGE_WORD));
    let node = match named {
        true => Some(Node::open(settings, Use::Command).await?),
        false => None,
    };
    let meter = Meter::new(MeterKey {
        product: None,
        table: None,
        cause: Cause::Operation("copy"),
        purpose: Purpose::Sync,
    });
    // The target is counted apart: what is read there did not come from the source.
    let elsewhere = Meter::new(meter.key().clone());
    let (source, _) = open(node.as_ref(), &lake, &copy.source, &meter)
        .await
        .context("source")?;
    let (target, parts) = open(node.as_ref(), &lake, &copy.target, &elsewhere)
        .await
        .context("target")?;
    let ends = Ends {
        source,
        target,
        parts,
    };
    let options = CopyOptions {
        attempt: copy.attempt,
        ..CopyOptions::default()
    };
    // Noted as it goes and also when it fails: the bytes have crossed.
    let tally = Arc::new(
        Tally::create(&copy.receipts, copy.attempt)
            .context("the counted bytes cannot be noted beside the receipts")?,
    );
    let note = {
        let (tally, meter) = (Arc::clone(&tally), meter.clone());
        move || {
            if let Err(error) = tally.write(counted(&meter)) {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the counted bytes could not be noted"
                );
            }
        }
    };
    let copying = replication::copy(
        ends,
        &copy.manifest,
        &copy.receipts,
        options,
        Arc::new({
            let note = note.clone();
            move |_| note()
        }),
    );
    let copied = tally::noting(copying, note).await;
    tally
        .write(counted(&meter))
        .context("the counted bytes cannot be noted beside the receipts")?;
    let copied = copied?;
    if globals.json {
        println_json(&serde_json::to_value(copied)?);
    }
    Ok(ExitCode::SUCCESS)
}

/// The time that a copy takes is its worker's.
fn counted(meter: &Meter) -> Counted {
    Counted {
        bytes: meter.received(),
        busy: 0,
    }
}

fn println_json(value: &serde_json::Value) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stdout(), "{value:#}");
}

async fn open(
    node: Option<&Node>,
    lake: &Lake,
    end: &str,
    meter: &Meter,
) -> anyhow::Result<(Arc<dyn ObjectStore>, Option<Arc<dyn Parts>>)> {
    if let (Some(words), Some(node)) = (end.strip_prefix(STORAGE_WORD), node) {
        let (id, path) = words.split_once('/').context("write storage:ID/PATH")?;
        let id: StorageId = id.parse().context("not a storage's id")?;
        let access = node
            .exchange()
            .storage_access_for_system(&Principal::system(), id)
            .await?;
        let table = lake.table(&access, path, meter)?;
        let parts = table.parts()?;
        return Ok((table.objects, parts));
    }
    if !end.starts_with("file:///") {
        bail!("write storage:ID/PATH, or file:///FOLDER");
    }
    let access = StorageAccess {
        id: StorageId::new(Timestamp::from_micros(0)),
        name: "by-hand".parse()?,
        location: Location::new(Cloud::Onprem, "here")?,
        url: end.to_owned(),
        endpoint: None,
        credential: None,
        replicas: false,
    };
    let store = lake.open(&access, meter)?;
    Ok((store.objects(), store.parts_at("")?))
}
