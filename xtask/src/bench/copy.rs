//! `entrepot copy` between two `file` storages against `cp -r --reflink=never`, both until the bytes are on the disk.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::json;

use super::{Figure, Limit, entrepot, median, memory_mb};
use crate::process::{Running, run};
use crate::repo::Repo;

const FILES: usize = 16;
const FILE_BYTES: usize = 128 << 20;
/// Each contender; by turns, so that a busy minute of the machine hits both.
const ROUNDS: usize = 3;

pub(super) fn measure(repo: &Repo) -> Result<Vec<Figure>> {
    // Under target, because /tmp may be memory.
    let place = repo.target.join("bench-copy");
    remove(&place)?;
    let measured = in_place(repo, &place);
    remove(&place)?;
    measured
}

fn in_place(repo: &Repo, place: &Path) -> Result<Vec<Figure>> {
    let source = place.join("source");
    std::fs::create_dir_all(&source)?;
    let manifest = place.join("manifest.jsonl");
    std::fs::write(&manifest, write_files(&source, FILES, FILE_BYTES)?)?;
    run(&mut Command::new("sync"))?;

    let (mut ours, mut theirs, mut peak) = (Vec::new(), Vec::new(), 0.0_f64);
    for _ in 0..ROUNDS {
        let target = place.join("target");
        let begin = Instant::now();
        run(Command::new("cp")
            .args(["-r", "--reflink=never"])
            .arg(&source)
            .arg(&target))?;
        run(&mut Command::new("sync"))?;
        theirs.push(begin.elapsed().as_secs_f64());
        remove(&target)?;
        run(&mut Command::new("sync"))?;

        std::fs::create_dir_all(&target)?;
        let receipts = place.join("receipts.jsonl");
        let mut command = repo.command(entrepot(repo));
        command
            .env("ENTREPOT__STORAGE__FILE_ROOTS", place)
            .arg("copy")
            .arg("--manifest")
            .arg(&manifest)
            .arg("--receipts")
            .arg(&receipts);
        command
            .arg("--source")
            .arg(format!("file://{}", source.display()))
            .arg("--target")
            .arg(format!("file://{}", target.display()));
        let begin = Instant::now();
        peak = peak.max(watched(&mut command)?);
        run(&mut Command::new("sync"))?;
        ours.push(begin.elapsed().as_secs_f64());
        complete(&target, FILES, FILE_BYTES)?;
        remove(&target)?;
        std::fs::remove_file(&receipts).context("the copy wrote no receipts")?;
        run(&mut Command::new("sync"))?;
    }
    let (ours, theirs) = (median(ours), median(theirs));
    Ok(vec![
        Figure::new("speed against cp", theirs / ours, "x", Limit::AtLeast(0.7)),
        Figure::new("entrepot copy", ours, "s", Limit::None),
        Figure::new("cp -r --reflink=never", theirs, "s", Limit::None),
        Figure::new("peak memory", peak, "MB", Limit::AtMost(200.0)),
    ])
}

/// Runs to the end; the most memory it ever held, in MB.
pub(super) fn watched(command: &mut Command) -> Result<f64> {
    let mut running = Running::start(command, "TERM")?;
    let mut peak: f64 = 0.0;
    loop {
        if let Some(status) = running.ended()? {
            if !status.success() {
                bail!("entrepot failed ({status})");
            }
            return Ok(peak);
        }
        // The kernel keeps the high-water mark itself, so looking now and then is enough.
        if let Some(size) = memory_mb(running.id(), "VmHWM") {
            peak = peak.max(size);
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// Files that do not compress, the same each time; their manifest.
fn write_files(folder: &Path, files: usize, bytes: usize) -> Result<String> {
    let mut manifest = String::new();
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut block = vec![0_u8; 1 << 20];
    for number in 0..files {
        let name = format!("part-{number:05}.parquet");
        let mut file = File::create(folder.join(&name))?;
        let mut left = bytes;
        while left > 0 {
            // xorshift64
            for word in block.chunks_exact_mut(8) {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                word.copy_from_slice(&state.to_le_bytes());
            }
            let part = left.min(block.len());
            file.write_all(&block[..part])?;
            left -= part;
        }
        writeln!(
            manifest,
            "{}",
            json!({ "src": name, "dst": name, "size": bytes })
        )?;
    }
    Ok(manifest)
}

fn complete(target: &Path, files: usize, bytes: usize) -> Result<()> {
    for number in 0..files {
        let file = target.join(format!("part-{number:05}.parquet"));
        let size = file
            .metadata()
            .with_context(|| format!("{} was not copied", file.display()))?
            .len();
        if size != u64::try_from(bytes)? {
            bail!("{} has {size} bytes instead of {bytes}", file.display());
        }
    }
    Ok(())
}

fn remove(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Folder;

    #[test]
    fn test_files_have_their_size_and_a_manifest_line_each() -> Result<()> {
        let folder = Folder::temporary("bench-copy-test")?;
        let manifest = write_files(folder.path(), 2, (1 << 20) + 5)?;
        assert_eq!(manifest.lines().count(), 2);
        assert_eq!(
            manifest.lines().next(),
            Some(r#"{"src":"part-00000.parquet","dst":"part-00000.parquet","size":1048581}"#)
        );
        complete(folder.path(), 2, (1 << 20) + 5)?;
        assert!(
            complete(folder.path(), 3, (1 << 20) + 5).is_err(),
            "a missing file"
        );
        assert!(complete(folder.path(), 2, 1 << 20).is_err(), "a wrong size");
        Ok(())
    }
}
