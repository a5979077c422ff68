//! The other targets of replication, each by itself.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use model::time::HOUR;
use object_store::ObjectStoreExt as _;
use replication::{CopyOptions, Ends, look, vacuum, verify};

use crate::Measured;
use crate::child::{FROM, Job, write_manifest};
use crate::figure::{Figure, Limit, kept, median};
use crate::server::Server;
use crate::small::Small;
use crate::stores::Metered;
use crate::sync::{Alone, Mode, Replica};
use crate::year::START;
use crate::{planning, rclone};

const MIB: u64 = 1 << 20;

/// `folder` may hold what an earlier part of the benchmark has left.
pub(crate) async fn measure(folder: &Path, azure: Option<&str>) -> Result<Measured> {
    let mut figures = Vec::new();
    let place = |name: &str| -> Result<std::path::PathBuf> {
        let place = folder.join(name);
        std::fs::create_dir_all(&place)?;
        Ok(place)
    };
    figures.extend(kept(
        "sync of nothing, meter, proofs",
        s3(&place("s3")?).await,
    ));
    eprintln!("    meter, no-op and proofs measured");
    figures.extend(kept("planning", planning::measure(&place("plan")?).await));
    eprintln!("    planning measured");
    figures.extend(kept("resume", resume(&place("resume")?).await));
    figures.extend(kept("memory of a copy", memory(&place("memory")?).await));
    figures.extend(kept("VACUUM", vacuuming(&place("vacuum")?).await));
    eprintln!("    resume, memory and VACUUM measured");
    let mut notes = vec![
        "NOT MEASURED: 10,000 files of 100 KB against s5cmd, which Debian does not package.".to_owned(),
        "Requests and bytes are counted by the S3 server that is asked, in this process; only the copies to be killed or weighed are \
         processes of their own."
            .to_owned(),
    ];
    match azure {
        Some(azure) => {
            figures.extend(kept(
                "bulk copy against rclone",
                rclone::measure(&place("rclone")?, azure).await,
            ));
        }
        None => {
            let name = "bulk copy against rclone: NOT MEASURED, rclone is missing (sudo apt-get install rclone)";
            notes.push(name.to_owned());
            figures.push(Figure::new(name, f64::NAN, "x", Limit::None));
        }
    }
    Ok(Measured {
        figures,
        notes,
        ..Measured::default()
    })
}

/// A replica of a table in S3: what the meter says, what a run with nothing new asks, what proofs read.
async fn s3(folder: &Path) -> Result<Vec<Figure>> {
    const FILES: u32 = 40;
    let server = Server::start(&folder.join("server")).await?;
    let mut table = Small::create(&server.open("table")?.objects).await?;
    table.change(0..FILES, 1_000, 0..0).await?;
    let target = Metered::folder(&folder.join("replica"))?;
    let runs = folder.join("runs");
    let mut replica = Replica::new(Mode::Ours, server.open("table")?, target, &runs, START)?;

    // Every one of these is asked again, and its body counts.
    server.refuse_next(5);
    let before = server.sent();
    let plan = replica.sync(START.plus(HOUR)).await?;
    let plan = plan.context("the first run had nothing to do")?;
    let sent = server.sent().since(before);
    let metered = replica.source.counts();
    let difference = sent.all.abs_diff(metered.data + metered.log);

    let (before, at_target) = (server.sent(), replica.target.counts());
    let nothing = replica.sync(START.plus(2 * HOUR)).await?;
    ensure!(nothing.is_none(), "the second run had something to do");
    let idle = server.sent().since(before);
    let idle_at_target = replica.target.counts().since(at_target);

    let before = replica.target.counts();
    let verified = verify(&replica.pair.target, &plan).await?;
    let counted = replica.target.counts().since(before);
    let before = replica.target.counts();
    let looked = look(&replica.pair.target, plan.target_version).await?;
    let footers = replica.target.counts().since(before);
    ensure!(
        verified.files == u64::from(FILES) && looked.files == u64::from(FILES),
        "not all files were looked at"
    );
    ensure!(looked.wrong.is_empty(), "files differ: {:?}", looked.wrong);
    Ok(vec![
        Figure::new(
            "meter against what the server sent, retries included: bytes of difference",
            difference as f64,
            "B",
            Limit::AtMost(0.0),
        ),
        Figure::new(
            "bytes that the server sent",
            sent.all as f64,
            "B",
            Limit::None,
        ),
        Figure::new(
            "sync of nothing: requests to the source",
            idle.requests as f64,
            "requests",
            Limit::AtMost(2.0),
        ),
        Figure::new(
            "sync of nothing: data bytes",
            (idle.data + idle_at_target.data) as f64,
            "B",
            Limit::AtMost(0.0),
        ),
        Figure::new(
            "proof of level 1: data bytes",
            counted.data as f64,
            "B",
            Limit::AtMost(0.0),
        ),
        Figure::new(
            "proof of level 2: bytes of each file",
            footers.data as f64 / f64::from(FILES),
            "B",
            Limit::AtMost(65_536.0),
        ),
    ])
}

/// Bytes that are the same each time and need not be random: nothing here compresses.
fn bytes_of(size: u64) -> Result<Vec<u8>> {
    Ok(vec![7; usize::try_from(size)?])
}

/// A copy is killed halfway and started again: what was read twice.
async fn resume(folder: &Path) -> Result<Vec<Figure>> {
    const FILES: u64 = 6;
    const SIZE: u64 = 48 * MIB;
    let server = Server::start(&folder.join("server")).await?;
    let source = server.open(FROM)?;
    let mut objects = Vec::new();
    for number in 0..FILES {
        let name = format!("part-{number}.parquet");
        let body = bytes_of(SIZE)?.into();
        source.objects.put(&name.as_str().into(), body).await?;
        objects.push((name, SIZE));
    }
    let (manifest, receipts) = (folder.join("manifest"), folder.join("receipts"));
    write_manifest(&manifest, &objects)?;
    let target = folder.join("target");
    let job = Job {
        source: &server.endpoint,
        manifest: &manifest,
        receipts: &receipts,
        target: &target,
    };
    let before = server.sent();
    let mut child = job.start()?;
    // In the middle of files, whichever they are.
    while server.sent().since(before).data < FILES * SIZE * 2 / 5 {
        if let Some(status) = child.try_wait()? {
            bail!("the copy ended before it could be killed, {status}");
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    child.kill()?;
    child.wait()?;
    job.run().await?;
    let twice = server
        .sent()
        .since(before)
        .data
        .saturating_sub(FILES * SIZE);
    let options = CopyOptions::default();
    let allowed = options.files as u64 * options.part_bytes;
    Ok(vec![Figure::new(
        "resume after kill -9: bytes copied again, one part per file in flight allowed",
        twice as f64 / 1e6,
        "MB",
        Limit::AtMost(allowed as f64 / 1e6),
    )])
}

/// The most memory of a copy of one large file, and of as many bytes in small ones.
async fn memory(folder: &Path) -> Result<Vec<Figure>> {
    const ALL: u64 = 1_024 * MIB;
    let mut peaks = Vec::new();
    for (name, files) in [("small", 64), ("large", 1)] {
        let place = folder.join(name);
        let source = place.join("source");
        std::fs::create_dir_all(&source)?;
        let mut objects = Vec::new();
        for number in 0..files {
            let file = format!("part-{number}.parquet");
            // Without blocks: reading it costs no disk.
            File::create(source.join(&file))?.set_len(ALL / files)?;
            objects.push((file, ALL / files));
        }
        let (manifest, receipts) = (place.join("manifest"), place.join("receipts"));
        write_manifest(&manifest, &objects)?;
        let job = Job {
            source: source.to_str().context("a folder's name is not UTF-8")?,
            manifest: &manifest,
            receipts: &receipts,
            target: &place.join("target"),
        };
        let mut rounds = Vec::new();
        for _ in 0..3 {
            let told = job.run().await?;
            let peak = told["peak_bytes"].as_u64().context("no peak")?;
            rounds.push(peak as f64 / 1e6);
            std::fs::remove_dir_all(job.target)?;
            let _ = std::fs::remove_file(&receipts);
        }
        peaks.push(median(rounds));
        std::fs::remove_dir_all(&place)?;
    }
    let [small, large] = peaks.as_slice() else {
        bail!("two copies were to be measured");
    };
    let options = CopyOptions::default();
    let parts = options.budget_bytes.div_ceil(options.part_bytes);
    let bound = 64.0 + (2 * options.part_bytes * parts) as f64 / 1e6;
    Ok(vec![
        Figure::new(
            "peak memory, one file of 1 GiB",
            *large,
            "MB",
            Limit::AtMost(bound),
        ),
        Figure::new(
            "peak memory, 64 files of 16 MiB",
            *small,
            "MB",
            Limit::AtMost(bound),
        ),
        Figure::new(
            "peak memory, one large file against small ones",
            large / small,
            "x",
            Limit::AtMost(1.2),
        ),
    ])
}

/// Requests of a VACUUM against the fewest: a listing by thousands, and one delete per object.
async fn vacuuming(folder: &Path) -> Result<Vec<Figure>> {
    const FILES: u32 = 300;
    const GONE: u32 = 290;
    let server = Server::start(&folder.join("server")).await?;
    let source = Metered::folder(&folder.join("source"))?;
    let mut table = Small::create(&source.objects).await?;
    table.change(0..FILES, 10, 0..0).await?;
    let runs = folder.join("runs");
    let target = server.open("replica")?;
    let mut replica = Replica::new(Mode::Ours, source, target, &runs, START)?;
    replica.sync(START.plus(HOUR)).await?;
    table.change(0..0, 0, 0..GONE).await?;
    replica.sync(START.plus(2 * HOUR)).await?;
    let before = server.sent();
    let (pair, now) = (&replica.pair, START.plus(1_000 * HOUR));
    let report = vacuum(&pair.target, pair.replica_table, 168, now, &Alone).await?;
    let asked = server.sent().since(before).requests;
    ensure!(
        report.deleted == u64::from(GONE),
        "{} objects were deleted instead of {GONE}",
        report.deleted
    );
    let fewest = u64::from(GONE) + u64::from(FILES).div_ceil(1_000);
    Ok(vec![Figure::new(
        "VACUUM: requests against one listing and a delete per object",
        asked as f64 / fewest as f64,
        "x",
        Limit::AtMost(1.1),
    )])
}

/// The stores of a copy, for those who copy in this process.
pub(crate) async fn copy_all(
    source: &Metered,
    target: &Metered,
    folder: &Path,
    objects: &[(String, u64)],
) -> Result<()> {
    let (manifest, receipts) = (folder.join("manifest"), folder.join("receipts"));
    write_manifest(&manifest, objects)?;
    replication::copy(
        Ends {
            source: Arc::clone(&source.objects),
            target: Arc::clone(&target.objects),
            parts: target.parts.clone(),
        },
        &manifest,
        &receipts,
        CopyOptions::default(),
        Arc::new(|_| ()),
    )
    .await?;
    std::fs::remove_file(&receipts)?;
    Ok(())
}
