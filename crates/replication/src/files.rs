//! Manifest and receipts: the two files between planning and copying, one JSON object per line.
//!
//! A manifest is written whole and renamed into place. Receipts are appended and flushed one per finished object, so
//! that after a crash they say what need not be copied again; a line torn by the crash is cut off.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::fs::File;
use tokio::io::{
    AsyncBufReadExt as _, AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _, BufReader,
    BufWriter,
};

/// How often a copier looks whether another one has let go of the same receipts.
const LOCK_POLL: Duration = Duration::from_millis(100);

/// One line of a manifest: an object to copy. Keys are relative to the two tables' folders and already contained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyItem {
    pub src: String,
    pub dst: String,
    /// Bytes, as the source's log says.
    pub size: u64,
    /// When the source wrote the file, milliseconds since 1970. An object that already stands at `dst` with the right
    /// size is taken for a finished copy only if it is not older than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<i64>,
    /// What already stands at `dst` is not to be trusted, whatever its size.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fresh: bool,
}

/// One line of the receipts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    pub dst: String,
    /// Bytes of the object that now stands at `dst`.
    pub size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// Payload bytes read from the source for it; 0 when a finished object was found there.
    pub bytes_read: u64,
    /// The fencing token of the run that copied it.
    pub attempt: i64,
    /// Present when this object could not be copied: then the line is no receipt but the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<CopyFailure>,
}

/// Why an object could not be copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct CopyFailure {
    pub kind: FailureKind,
    pub src: String,
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The source has no such object, though its log names it.
    Missing,
    /// The source's object has another size than its log says.
    Size,
    /// Anything that may be better next time.
    Other,
}

impl FailureKind {
    /// Whether trying the same again cannot help.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Missing | Self::Size)
    }
}

/// How far a copy is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copied {
    /// Objects that stand at the target, those found finished included.
    pub files: u64,
    /// Bytes of those objects.
    pub bytes: u64,
    /// Payload bytes read from the source.
    pub bytes_read: u64,
}

/// Writes the manifest beside its place and renames it.
pub(crate) async fn write_manifest(path: &Path, items: &[CopyItem]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        tokio::fs::create_dir_all(folder).await?;
    }
    let beside = path.with_extension("part");
    let mut out = BufWriter::with_capacity(1 << 20, File::create(&beside).await?);
    for item in items {
        let mut line = serde_json::to_vec(item)?;
        line.push(b'\n');
        out.write_all(&line).await?;
    }
    out.flush().await?;
    tokio::fs::rename(&beside, path).await
}

/// Reads a manifest line by line, so that its length costs no memory.
pub(crate) struct Manifest(tokio::io::Lines<BufReader<File>>);

impl Manifest {
    pub(crate) async fn open(path: &Path) -> std::io::Result<Self> {
        Ok(Self(
            BufReader::with_capacity(1 << 18, File::open(path).await?).lines(),
        ))
    }

    pub(crate) async fn next(&mut self) -> std::io::Result<Option<CopyItem>> {
        match self.0.next_line().await? {
            Some(line) => Ok(Some(serde_json::from_str(&line)?)),
            None => Ok(None),
        }
    }
}

/// What the receipts say is finished: a short hash of the key -> size. A million objects take some 40 MB.
#[derive(Default)]
pub(crate) struct Finished(HashMap<[u8; 16], u64>);

impl Finished {
    fn name(dst: &str) -> [u8; 16] {
        let hash: [u8; 32] = Sha256::digest(dst.as_bytes()).into();
        let mut name = [0; 16];
        name.copy_from_slice(&hash[..16]);
        name
    }

    pub(crate) fn size_of(&self, dst: &str) -> Option<u64> {
        self.0.get(&Self::name(dst)).copied()
    }

    fn note(&mut self, receipt: &Receipt) {
        if receipt.failure.is_none() {
            self.0.insert(Self::name(&receipt.dst), receipt.size);
        }
    }
}

/// Follows a receipts file: each call takes up the complete lines that were added since the last one.
pub(crate) struct Follower {
    offset: u64,
    pub(crate) copied: Copied,
    pub(crate) failure: Option<CopyFailure>,
    pub(crate) finished: Finished,
}

impl Follower {
    pub(crate) fn new() -> Self {
        Self {
            offset: 0,
            copied: Copied::default(),
            failure: None,
            finished: Finished::default(),
        }
    }

    /// A file that is not there yet has no lines.
    pub(crate) async fn read(&mut self, path: &Path) -> std::io::Result<()> {
        let mut file = match File::open(path).await {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        file.seek(std::io::SeekFrom::Start(self.offset)).await?;
        let mut lines = BufReader::with_capacity(1 << 18, file);
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = lines.read_until(b'\n', &mut line).await?;
            if read == 0 || line.last() != Some(&b'\n') {
                return Ok(());
            }
            self.offset += u64::try_from(read).unwrap_or(0);
            // A line that is no receipt can only be one torn by a crash, glued to its successor: it proves nothing.
            let Ok(receipt) = serde_json::from_slice::<Receipt>(&line) else {
                continue;
            };
            if receipt.failure.is_some() {
                self.failure = receipt.failure;
                continue;
            }
            let known = self.finished.size_of(&receipt.dst).is_some();
            self.finished.note(&receipt);
            self.copied.bytes_read += receipt.bytes_read;
            if !known {
                self.copied.files += 1;
                self.copied.bytes += receipt.size;
            }
        }
    }
}

/// The receipts of a run, open for appending by this copier alone.
pub(crate) struct Receipts {
    file: tokio::sync::Mutex<File>,
    pub(crate) finished: Finished,
    /// What earlier copiers of the same run had read.
    pub(crate) before: Copied,
}

impl Receipts {
    /// Waits until no other copier (of a run that was re-submitted) holds the file, cuts off a torn last line, and
    /// reads what is finished.
    pub(crate) async fn open(path: &Path) -> std::io::Result<Self> {
        if let Some(folder) = path.parent() {
            tokio::fs::create_dir_all(folder).await?;
        }
        let file = std::fs::File::options()
            .create(true)
            .read(true)
            .write(true)
            .truncate(false)
            .open(path)?;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(std::fs::TryLockError::WouldBlock) => tokio::time::sleep(LOCK_POLL).await,
                Err(std::fs::TryLockError::Error(error)) => return Err(error),
            }
        }
        let mut follower = Follower::new();
        follower.read(path).await?;
        let mut file = File::from_std(file);
        file.set_len(follower.offset).await?;
        file.seek(std::io::SeekFrom::End(0)).await?;
        let Follower {
            copied, finished, ..
        } = follower;
        Ok(Self {
            file: tokio::sync::Mutex::new(file),
            finished,
            before: copied,
        })
    }

    /// Appends one line and hands it to the operating system before returning.
    pub(crate) async fn append(&self, receipt: &Receipt) -> std::io::Result<()> {
        let mut line = serde_json::to_vec(receipt)?;
        line.push(b'\n');
        let mut file = self.file.lock().await;
        file.write_all(&line).await?;
        file.flush().await
    }
}

/// The last `limit` bytes of a stream, for the end of a child's error output.
pub(crate) async fn tail(mut from: impl tokio::io::AsyncRead + Unpin, limit: usize) -> String {
    let mut kept = Vec::new();
    let mut chunk = [0; 4096];
    while let Ok(read) = from.read(&mut chunk).await {
        if read == 0 {
            break;
        }
        kept.extend_from_slice(&chunk[..read]);
        let surplus = kept.len().saturating_sub(limit);
        kept.drain(..surplus);
    }
    String::from_utf8_lossy(&kept).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt(dst: &str, size: u64) -> Receipt {
        Receipt {
            dst: dst.into(),
            size,
            etag: None,
            bytes_read: size,
            attempt: 1,
            failure: None,
        }
    }

    #[tokio::test]
    async fn a_torn_last_receipt_is_cut_off_and_the_next_one_readable() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("receipts.jsonl");
        let whole = serde_json::to_string(&receipt("a", 3)).unwrap();
        std::fs::write(&path, format!("{whole}\n{{\"dst\":\"b\",\"si")).unwrap();
        let receipts = Receipts::open(&path).await.unwrap();
        assert_eq!(receipts.finished.size_of("a"), Some(3));
        assert_eq!(receipts.finished.size_of("b"), None);
        receipts.append(&receipt("c", 5)).await.unwrap();
        drop(receipts);
        let mut follower = Follower::new();
        follower.read(&path).await.unwrap();
        assert_eq!(
            follower.copied,
            Copied {
                files: 2,
                bytes: 8,
                bytes_read: 8
            }
        );
    }

    #[tokio::test]
    async fn a_second_copier_of_the_same_run_waits_for_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("receipts.jsonl");
        let first = Receipts::open(&path).await.unwrap();
        let second = tokio::spawn({
            let path = path.clone();
            async move { Receipts::open(&path).await.unwrap().finished.size_of("a") }
        });
        tokio::task::yield_now().await;
        assert!(!second.is_finished());
        first.append(&receipt("a", 3)).await.unwrap();
        drop(first);
        assert_eq!(second.await.unwrap(), Some(3));
    }

    #[tokio::test]
    async fn manifests_round_trip_names_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/manifest.jsonl");
        let items = vec![
            CopyItem {
                src: "p=a%20b/ü +.parquet".into(),
                dst: "p=a%20b/ü +.parquet".into(),
                size: 7,
                modified: Some(1),
                fresh: false,
            },
            CopyItem {
                src: "x\"y".into(),
                dst: "x\"y".into(),
                size: 0,
                modified: None,
                fresh: false,
            },
        ];
        write_manifest(&path, &items).await.unwrap();
        let mut manifest = Manifest::open(&path).await.unwrap();
        let mut read = Vec::new();
        while let Some(item) = manifest.next().await.unwrap() {
            read.push(item);
        }
        assert_eq!(read, items);
    }
}
