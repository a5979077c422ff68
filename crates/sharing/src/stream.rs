//! An answer with files, written as it is signed: piece by piece, so that neither memory nor the time to the first byte grows
//! with it, and broken off where it cannot be completed. Files of a state, and changes, are signed and written in chunks beside each
//! other, and those of the next piece while the last is written or taken.

mod chunk;
mod content;
mod pack;
mod shelf;

use std::collections::{HashMap, HashSet};
use std::io;
use std::ops::Range;
use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures::Stream;
use http::StatusCode;
use object_store::path::Path as Key;

use self::chunk::{Ahead, Chunk, Items, Rows, Source, Wanted, Work};
pub(crate) use self::content::{Content, Item};
pub(crate) use self::pack::Packing;
use self::pack::{Packed, Packer};
use self::shelf::Shelf;
use crate::access_log::{Entry, Writing};
use crate::capabilities::{FileIds, Format};
use crate::error::Failure;
use crate::request::Call;
use crate::routes::App;
use crate::slots::Slot;
use crate::tables::{close, say_side, set_headers};
use crate::{Readable, SignedFile, lines};

/// Files that are signed together.
const CHUNK: usize = 500;
/// So many chunks are signed and written beside each other, and so many go out in one piece at the most; the first goes out alone,
/// for an answer is to begin soon.
const CHUNKS: usize = 4;
/// A log says at most so many bytes of a chunk's files, unless it is one file: their lines say the same. Four times as many are under
/// way and go out in one piece. Usual files do not come to it.
const CHUNK_BYTES: usize = 4 << 20;

/// An answer that is ready to be written.
pub(crate) struct Ready {
    /// What the header says.
    pub(crate) version: u64,
    /// Protocol and metadata.
    pub(crate) head: Vec<u8>,
    pub(crate) content: Content,
    /// Which of the files, or of the lines of changes.
    pub(crate) from: usize,
    pub(crate) to: usize,
    /// Where the next page begins.
    pub(crate) next_page: Option<String>,
    /// By which the same files get new URLs.
    pub(crate) refresh_token: Option<String>,
    pub(crate) format: Format,
    pub(crate) ids: FileIds,
    /// Whether the line that ends an answer was negotiated, and whether the client knows it all the same (H4).
    pub(crate) negotiated: bool,
    pub(crate) expects_end: bool,
    /// Whether it comes later than it was asked for.
    pub(crate) later: bool,
}

/// Writes the answer, and its entry before it ends.
pub(crate) async fn respond(
    app: App,
    call: Call,
    mut entry: Entry,
    (readable, slot): (Readable, Slot),
    ready: Ready,
) -> Response {
    let Ready {
        version,
        format,
        ids,
        negotiated,
        expects_end,
        later,
        ..
    } = ready;
    let (side, stale_since) = (readable.side(), readable.stale_since);
    if let Content::Changes(items) = &ready.content {
        entry.scanned(items.len());
    }
    // All of it before any of it: an answer that would have to break off at the quota is none.
    let bytes = ready.content.bytes(ready.from..ready.to);
    if let Err(refused) = app.gate.allow(&readable, bytes).await {
        return close(&call, entry, Err(refused.into())).await;
    }
    let packing = call.packing();
    let mut files = Files {
        app,
        readable,
        content: ready.content,
        format,
        ids,
        packing,
        from: ready.from,
        next: ready.from,
        end: ready.to,
        next_page: ready.next_page,
        refresh_token: ready.refresh_token,
        again: HashMap::new(),
        min_expiry: None,
        ahead: Ahead::default(),
        failed: None,
        writing: None,
        _slot: slot,
    };
    files.note_repeated();
    // Before the status is sent, so that what fails at once is a proper error.
    let mut piece = Packer::new(packing);
    piece.put_lines(ready.head);
    if let Err(failure) = files.write_piece(&mut piece, &mut entry).await {
        files.ahead = Ahead::default();
        files.app.gate.give_back(&files.readable, bytes).await;
        return close(&call, entry, Err(failure)).await;
    }
    entry.began(StatusCode::OK);
    let stream = write_answer(call, entry, files, piece, negotiated, expects_end);
    let mut response = Body::from_stream(stream).into_response();
    let agreed = (negotiated, later);
    set_headers(response.headers_mut(), version, format, agreed, ids);
    say_side(response.headers_mut(), side, stale_since);
    packing.say(response.headers_mut());
    response
}

/// What [`respond`] would say before the first line. Nobody gets a file by it, so that none is signed and none is counted.
pub(crate) fn head_alone(readable: &Readable, ready: &Ready) -> Response {
    let mut response = StatusCode::OK.into_response();
    let headers = response.headers_mut();
    let agreed = (ready.negotiated, ready.later);
    set_headers(headers, ready.version, ready.format, agreed, ready.ids);
    say_side(headers, readable.side(), readable.stale_since);
    response
}

/// `piece`, then the rest of the files, then, for a client that knows it, the line that says the answer is complete.
fn write_answer(
    call: Call,
    mut entry: Entry,
    mut files: Files,
    mut piece: Packer,
    negotiated: bool,
    expects_end: bool,
) -> impl Stream<Item = Result<Bytes, io::Error>> {
    async_stream::stream! {
        let shelf = (!files.is_done()).then(|| Shelf::new(files.app.slots.patience.client));
        while let Some(shelf) = shelf.as_ref().filter(|_| !files.is_done()) {
            shelf.put(files);
            yield Ok(piece.take());
            let Some(back) = shelf.take() else {
                tracing::debug!("the client took too long");
                yield Err(io::Error::other("the answer was waited for too long"));
                return;
            };
            files = back;
            if let Err(failure) = files.write_piece(&mut piece, &mut entry).await {
                drop(files);
                failure.log(&call);
                let message = failure.message(&call);
                entry.failed(&failure).await;
                // H5: said where the client listens for it; else broken off, for an end would look like the whole.
                if negotiated {
                    let mut end = Vec::new();
                    lines::end_with_error(&mut end, &message);
                    piece.put_lines(end);
                    yield Ok(piece.end());
                } else {
                    yield Err(io::Error::other("the answer could not be completed"));
                }
                return;
            }
        }
        // H4: never unprompted; the Python connector takes every line for a file.
        if negotiated || expects_end {
            let mut end = Vec::new();
            lines::end(
                &mut end,
                files.min_expiry,
                files.next_page.as_deref(),
                files.refresh_token.as_deref(),
            );
            piece.put_lines(end);
        }
        // What is left is the last piece: however slowly it is taken, the table's state and the place are free. Its end comes once the
        // answer is written down, which is done while the client takes the lines; begun before, for of a long piece a connection
        // asks what follows only when most of it was taken.
        let writing = files.writing.take();
        drop(files);
        let writing = writing.unwrap_or_else(|| entry.answering(StatusCode::OK));
        yield Ok(piece.take());
        writing.written().await;
        let end = piece.end();
        if !end.is_empty() {
            yield Ok(end);
        }
    }
}

/// The files of an answer that are still to be signed and written.
struct Files {
    app: App,
    readable: Readable,
    content: Content,
    format: Format,
    ids: FileIds,
    packing: Packing,
    from: usize,
    next: usize,
    end: usize,
    next_page: Option<String>,
    refresh_token: Option<String>,
    /// Those that are being signed and written, from `next` on.
    ahead: Ahead,
    /// Why the chunk at `next` could not be written.
    failed: Option<Failure>,
    /// The answer's entry, once nothing stands in the way of its last lines.
    writing: Option<Writing>,
    /// What more than one line of changes is about, with its URL once it has one: a file that loses rows is removed and added,
    /// and by its URL clients know it for the same.
    again: HashMap<Key, Option<SignedFile>>,
    /// The earliest end of a URL so far, in milliseconds.
    min_expiry: Option<i64>,
    /// Given back with the table's state, which takes the memory.
    _slot: Slot,
}

impl Files {
    fn is_done(&self) -> bool {
        self.next >= self.end
    }

    /// Signs the next files and appends their lines: a chunk, and those behind it that are ready, too; nothing if none are left.
    async fn write_piece(&mut self, out: &mut Packer, entry: &mut Entry) -> Result<(), Failure> {
        if let Some(failure) = self.failed.take() {
            return Err(failure);
        }
        let Some(source) = self.source() else {
            let chunks = if self.next == self.from { 1 } else { CHUNKS };
            let (range, _) = self.following(self.next, chunks);
            return self.write_changes(out, entry, range).await;
        };
        if self.next == self.from {
            let (range, _) = self.following(self.next, 1);
            let until = range.end;
            // What comes behind it is begun beside it.
            self.go_ahead(&source, until);
            let first = source.write(&self.app, &self.readable, range, None).await?;
            self.put(first, until, out, entry);
            return Ok(());
        }
        let (mut chunks, mut said, mut anew) = (0, 0, false);
        while chunks < CHUNKS && said < CHUNK_BYTES * CHUNKS {
            self.go_ahead(&source, self.next);
            let Some(begun) = self.ahead.first() else {
                break;
            };
            if let Some(signed) = begun.signed
                && let Ok(counts) = signed.await
                && (anew || !counts.are_old())
            {
                // Beside the last lines' writing, which is not long, but longer than the client takes for them.
                entry.signed(counts.files, counts.bytes);
                self.writing = Some(entry.answering(StatusCode::OK));
            }
            match begun.chunk.done().await {
                // The client took its time, and access may have ended since.
                Ok(chunk) if chunk.counts.are_old() && !anew && self.writing.is_none() => {
                    self.ahead.clear();
                    anew = true;
                    continue;
                }
                Ok(chunk) => self.put(chunk, begun.until, out, entry),
                Err(failure) if chunks == 0 => return Err(failure),
                // What is ready goes out before.
                Err(failure) => {
                    self.ahead.clear();
                    self.failed = Some(failure);
                    return Ok(());
                }
            }
            (chunks, said) = (chunks + 1, said + begun.said);
            if !self.ahead.is_ready() {
                break;
            }
        }
        // These are written while the piece is taken.
        self.go_ahead(&source, self.next);
        Ok(())
    }

    fn put(&mut self, chunk: Chunk, until: usize, out: &mut Packer, entry: &mut Entry) {
        self.next = until;
        entry.signed(chunk.counts.files, chunk.counts.bytes);
        self.min_expiry = chunk.min_expiry.into_iter().chain(self.min_expiry).min();
        out.put(chunk.lines);
    }

    /// Begins the chunks behind those that are begun, the first one at `next`: so many that no core waits for one.
    fn go_ahead(&mut self, source: &Source, next: usize) {
        while self.ahead.len() < CHUNKS && self.ahead.said() < CHUNK_BYTES * CHUNKS {
            let (range, said) = self.following(self.ahead.end().unwrap_or(next), 1);
            if range.is_empty() {
                return;
            }
            let (app, readable) = (&self.app, &self.readable);
            let is_last = range.end >= self.end;
            self.ahead
                .begin(app, readable, source, range, (said, is_last));
        }
    }

    /// Which files stand in so many chunks from `next` on, at least one, if any are left; and how many bytes the log says of them at
    /// the most.
    fn following(&self, next: usize, chunks: usize) -> (Range<usize>, usize) {
        let until = self.end.min(next.saturating_add(CHUNK * chunks));
        let room = CHUNK_BYTES * chunks;
        // So not each is looked at.
        let longest = self.content.longest();
        let all = longest.map(|longest| longest.saturating_mul(until.saturating_sub(next)));
        if let Some(said) = all.filter(|said| *said <= room) {
            return (next..until, said);
        }
        let (mut to, mut said) = (next, 0_usize);
        while to < until {
            let more = said.saturating_add(self.content.said(to));
            if to > next && more > room {
                break;
            }
            (to, said) = (to + 1, more);
        }
        (next..to, said)
    }

    /// What is written in chunks that know nothing of each other. None: changes, of which some are about the same files.
    fn source(&self) -> Option<Source> {
        match &self.content {
            Content::State(state, rows, at) => Some(Source::Rows(Rows {
                state: Arc::clone(state),
                rows: Arc::clone(rows),
                at: *at,
                format: self.format,
                ids: self.ids,
                packing: self.packing,
            })),
            Content::Changes(items) if self.again.is_empty() => Some(Source::Items(Items {
                items: Arc::clone(items),
                format: self.format,
                ids: self.ids,
                packing: self.packing,
            })),
            Content::Changes(_) => None,
        }
    }

    /// Changes of which some are about the same files, one piece after the other.
    async fn write_changes(
        &mut self,
        out: &mut Packer,
        entry: &mut Entry,
        range: Range<usize>,
    ) -> Result<(), Failure> {
        let until = range.end;
        let Content::Changes(items) = &self.content else {
            return Ok(());
        };
        let items = Arc::clone(items);
        let items = items.get(range).unwrap_or_default();
        let wanted = Wanted::of(items);
        let signed = self.sign(&wanted.keys).await?;
        entry.signed(wanted.files, wanted.bytes);
        self.min_expiry = signed
            .iter()
            .map(|signed| signed.expires_at.millis())
            .chain(self.min_expiry)
            .min();
        let mut lines = Vec::new();
        chunk::write_items(&mut lines, items, &signed, self.format, self.ids)?;
        out.put_lines(lines);
        self.next = until;
        Ok(())
    }

    /// One URL per key, in their order; the same for the same key.
    async fn sign(&mut self, keys: &[Key]) -> Result<Vec<SignedFile>, Failure> {
        let mut places: HashMap<&Key, usize> = HashMap::new();
        let mut asked = Vec::with_capacity(keys.len());
        for key in keys {
            let is_signed = matches!(self.again.get(key), Some(Some(_)));
            if !is_signed && !places.contains_key(key) {
                places.insert(key, asked.len());
                asked.push(key.clone());
            }
        }
        let signed = in_chunks(&self.app, &self.readable, &asked).await?;
        for (key, signed) in asked.iter().zip(&signed) {
            if let Some(again) = self.again.get_mut(key) {
                *again = Some(signed.clone());
            }
        }
        if asked.len() == keys.len() {
            return Ok(signed);
        }
        let known = keys.iter().map(|key| {
            let new = || places.get(key).and_then(|place| signed.get(*place));
            let known = self.again.get(key).and_then(Option::as_ref);
            known.or_else(new).cloned()
        });
        let known: Option<Vec<SignedFile>> = known.collect();
        known.ok_or_else(|| Failure::internal("a file's URL was lost"))
    }

    /// Looks through the changes for what more than one line is about; only the delta format tells clients to compare.
    fn note_repeated(&mut self) {
        let Content::Changes(items) = &self.content else {
            return;
        };
        // There are no deletion vectors in the other one, and each line stands for itself.
        if self.format == Format::Parquet {
            return;
        }
        let items = items.get(self.next..self.end).unwrap_or_default();
        let mut seen = HashSet::new();
        for file in items.iter().filter_map(Item::file) {
            for key in [Some(file.key()), file.deletion_vector_key()]
                .into_iter()
                .flatten()
            {
                if !seen.insert(key) {
                    self.again.insert(key.clone(), None);
                }
            }
        }
    }
}

/// Signs chunks of the keys at the same time: each waits for the database, and takes a core meanwhile that others have free.
async fn in_chunks(
    app: &App,
    readable: &Readable,
    keys: &[Key],
) -> Result<Vec<SignedFile>, Failure> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    if keys.len() <= CHUNK {
        return chunk::sign(app, readable, keys).await;
    }
    let mut signing = Vec::new();
    for chunk in keys.chunks(CHUNK) {
        let (app, readable) = (app.clone(), readable.clone());
        let chunk = chunk.to_vec();
        signing.push(Work::begin(async move {
            chunk::sign(&app, &readable, &chunk).await
        }));
    }
    let mut signed = Vec::with_capacity(keys.len());
    for chunk in signing {
        signed.extend(chunk.done().await?);
    }
    Ok(signed)
}
