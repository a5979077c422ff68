//! Some of the files of a state, or some changes: signed, and their lines written, beside others.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use delta::State;
use object_store::path::Path as Key;
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::{Item, Packed, Packing};
use crate::capabilities::{FileIds, Format};
use crate::error::Failure;
use crate::lines::{Committed, Urls};
use crate::routes::App;
use crate::{Readable, SignedFile, lines};

/// Access that has ended is felt within this time: what was signed before is signed again, or not at all.
const FRESH: Duration = Duration::from_secs(1);

/// What is written in chunks that know nothing of each other.
#[derive(Clone)]
pub(super) enum Source {
    Rows(Rows),
    Items(Items),
}

/// Changes, no two of which are about the same file, or in a format where that is nothing to anybody.
#[derive(Clone)]
pub(super) struct Items {
    pub(super) items: Arc<[Item]>,
    pub(super) format: Format,
    pub(super) ids: FileIds,
    pub(super) packing: Packing,
}

/// What is written of a state.
#[derive(Clone)]
pub(super) struct Rows {
    pub(super) state: Arc<State>,
    pub(super) rows: Arc<[u32]>,
    pub(super) at: Option<Committed>,
    pub(super) format: Format,
    pub(super) ids: FileIds,
    pub(super) packing: Packing,
}

/// Lines that are ready.
pub(super) struct Chunk {
    pub(super) lines: Packed,
    pub(super) counts: Counts,
    /// The earliest end of a URL, in milliseconds.
    pub(super) min_expiry: Option<i64>,
}

/// What was signed.
#[derive(Clone, Copy)]
pub(super) struct Counts {
    pub(super) files: u64,
    pub(super) bytes: u64,
    /// Since when its URLs are there: access was open then.
    signed_at: Instant,
}

/// Chunks that are being written, one behind the other.
#[derive(Default)]
pub(super) struct Ahead(VecDeque<Begun>);

pub(super) struct Begun {
    pub(super) chunk: Work<Chunk>,
    /// Of the last chunk, and comes before it: its URLs are there and its lines not yet, which nothing stands in the way of any more.
    pub(super) signed: Option<oneshot::Receiver<Counts>>,
    /// Where its files end.
    pub(super) until: usize,
    /// Bytes that the log says of them, at the most.
    pub(super) said: usize,
}

/// Something that is done beside others, and given up when it is dropped.
pub(super) struct Work<T>(JoinHandle<Result<T, Failure>>);

impl<T: Send + 'static> Work<T> {
    pub(super) fn begin(work: impl Future<Output = Result<T, Failure>> + Send + 'static) -> Self {
        Self(tokio::spawn(work))
    }

    pub(super) async fn done(mut self) -> Result<T, Failure> {
        let ended = (&mut self.0).await;
        ended.map_err(|error| Failure::internal(error.to_string()))?
    }
}

impl<T> Drop for Work<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Ahead {
    /// Begins to write the files of `range`, behind all others.
    pub(super) fn begin(
        &mut self,
        app: &App,
        readable: &Readable,
        source: &Source,
        range: Range<usize>,
        (said, is_last): (usize, bool),
    ) {
        let until = range.end;
        let (app, readable, source) = (app.clone(), readable.clone(), source.clone());
        let (says, signed) = is_last.then(oneshot::channel).unzip();
        let write = async move { source.write(&app, &readable, range, says).await };
        self.0.push_back(Begun {
            chunk: Work::begin(write),
            signed,
            until,
            said,
        });
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Where the files of the last one end.
    pub(super) fn end(&self) -> Option<usize> {
        self.0.back().map(|last| last.until)
    }

    /// Bytes that the log says of all their files, at the most.
    pub(super) fn said(&self) -> usize {
        self.0.iter().map(|begun| begun.said).sum()
    }

    /// Takes the first one.
    pub(super) fn first(&mut self) -> Option<Begun> {
        self.0.pop_front()
    }

    /// Whether nobody would wait for the first one.
    pub(super) fn is_ready(&self) -> bool {
        let first = self.0.front();
        first.is_some_and(|first| first.chunk.0.is_finished())
    }

    /// Gives all up.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

impl Chunk {
    fn of(counts: Counts, signed: &[SignedFile], lines: Packed) -> Self {
        let ends = signed.iter().map(|signed| signed.expires_at.millis());
        Self {
            lines,
            counts,
            min_expiry: ends.min(),
        }
    }
}

impl Counts {
    /// These were signed just now, which whoever waits for it is told.
    fn tell(wanted: &Wanted, says: Option<oneshot::Sender<Self>>) -> Self {
        let counts = Self {
            files: wanted.files,
            bytes: wanted.bytes,
            signed_at: Instant::now(),
        };
        if let Some(says) = says {
            // Nobody may wait any more.
            let _ = says.send(counts);
        }
        counts
    }

    /// Whether access may have ended since.
    pub(super) fn are_old(self) -> bool {
        self.signed_at.elapsed() >= FRESH
    }
}

impl Source {
    /// Signs the files of a range and writes their lines; `says` when they are signed.
    pub(super) async fn write(
        &self,
        app: &App,
        readable: &Readable,
        range: Range<usize>,
        says: Option<oneshot::Sender<Counts>>,
    ) -> Result<Chunk, Failure> {
        match self {
            Self::Rows(rows) => rows.write(app, readable, range, says).await,
            Self::Items(items) => items.write(app, readable, range, says).await,
        }
    }
}

impl Items {
    async fn write(
        &self,
        app: &App,
        readable: &Readable,
        range: Range<usize>,
        says: Option<oneshot::Sender<Counts>>,
    ) -> Result<Chunk, Failure> {
        let items = self.items.get(range).unwrap_or_default();
        let wanted = Wanted::of(items);
        let signed = match wanted.keys.is_empty() {
            true => Vec::new(),
            false => sign(app, readable, &wanted.keys).await?,
        };
        let counts = Counts::tell(&wanted, says);
        let mut lines = Vec::with_capacity(items.len() * 1_024);
        write_items(&mut lines, items, &signed, self.format, self.ids)?;
        Ok(Chunk::of(counts, &signed, self.packing.pack(lines)))
    }
}

/// `signed` are as many as the changes want, in their order.
pub(super) fn write_items(
    out: &mut Vec<u8>,
    items: &[Item],
    signed: &[SignedFile],
    format: Format,
    ids: FileIds,
) -> Result<(), Failure> {
    let mut signed = signed.iter();
    for item in items {
        match item {
            Item::Line(line) => out.extend_from_slice(line),
            Item::File(at, file) => {
                let urls = urls_of(&mut signed, file.deletion_vector_key())?;
                lines::changed(out, file, urls, *at, format, ids);
            }
        }
    }
    Ok(())
}

/// The next file's URL, and that of its deletion vector where that is an object of its own.
fn urls_of<'a>(
    signed: &mut impl Iterator<Item = &'a SignedFile>,
    vector: Option<&Key>,
) -> Result<Urls<'a>, Failure> {
    let mut next = || {
        let next = signed.next();
        next.ok_or_else(|| Failure::internal("there are fewer URLs than files"))
    };
    let file = next()?;
    let vector = vector.map(|_| next()).transpose()?;
    Ok(Urls { file, vector })
}

/// What lines need signed.
#[derive(Default)]
pub(super) struct Wanted {
    /// Of each file, and of its deletion vector where that is an object of its own.
    pub(super) keys: Vec<Key>,
    pub(super) files: u64,
    pub(super) bytes: u64,
}

impl Wanted {
    pub(super) fn of(items: &[Item]) -> Self {
        let mut wanted = Self::default();
        for file in items.iter().filter_map(Item::file) {
            wanted.file(file.key().clone(), file.size().unwrap_or_default());
            wanted.vector(file.deletion_vector_key(), file.deletion_vector());
        }
        wanted
    }

    fn file(&mut self, key: Key, bytes: u64) {
        self.keys.push(key);
        self.files += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }

    fn vector(&mut self, key: Option<&Key>, descriptor: Option<&Value>) {
        let Some(key) = key else { return };
        self.keys.push(key.clone());
        let bytes = descriptor.and_then(|descriptor| descriptor.get("sizeInBytes"));
        let bytes = bytes.and_then(Value::as_u64).unwrap_or_default();
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

impl Rows {
    async fn write(
        &self,
        app: &App,
        readable: &Readable,
        range: Range<usize>,
        says: Option<oneshot::Sender<Counts>>,
    ) -> Result<Chunk, Failure> {
        let rows = self.rows.get(range).unwrap_or_default();
        let mut wanted = Wanted::default();
        for row in rows {
            let file = self.state.view(*row);
            wanted.file(self.state.object(*row), file.size);
            wanted.vector(file.deletion_vector_key, file.deletion_vector);
        }
        let signed = self.sign(app, readable, &wanted.keys).await?;
        let counts = Counts::tell(&wanted, says);
        let mut signed_ones = signed.iter();
        let mut lines = Vec::with_capacity(rows.len() * 1_024);
        for row in rows {
            let file = self.state.view(*row);
            let urls = urls_of(&mut signed_ones, file.deletion_vector_key)?;
            lines::file(&mut lines, file, urls, self.at, self.format, self.ids);
        }
        Ok(Chunk::of(counts, &signed, self.packing.pack(lines)))
    }

    /// One URL per key, in their order; in the delta format the same for the same key, for several files may have their deletion
    /// vectors in one object.
    async fn sign(
        &self,
        app: &App,
        readable: &Readable,
        keys: &[Key],
    ) -> Result<Vec<SignedFile>, Failure> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let has_vectors = self.state.outline().has_deletion_vectors();
        if self.format == Format::Parquet || !has_vectors {
            return sign(app, readable, keys).await;
        }
        let mut asked: Vec<Key> = Vec::new();
        let mut places: HashMap<&Key, usize> = HashMap::new();
        let of_keys: Vec<usize> = keys
            .iter()
            .map(|key| {
                *places.entry(key).or_insert_with(|| {
                    asked.push(key.clone());
                    asked.len() - 1
                })
            })
            .collect();
        let signed = sign(app, readable, &asked).await?;
        let known = of_keys.iter().map(|place| signed.get(*place).cloned());
        let known: Option<Vec<SignedFile>> = known.collect();
        known.ok_or_else(|| Failure::internal("a file's URL was lost"))
    }
}

/// As many URLs as keys.
pub(super) async fn sign(
    app: &App,
    readable: &Readable,
    keys: &[Key],
) -> Result<Vec<SignedFile>, Failure> {
    let signed = app.gate.sign(readable, keys).await?;
    if signed.len() != keys.len() {
        return Err(Failure::internal(format!(
            "{} keys were given to sign, {} URLs came back",
            keys.len(),
            signed.len()
        )));
    }
    Ok(signed)
}
