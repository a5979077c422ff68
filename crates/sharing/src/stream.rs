//! An answer with files, written as it is signed: piece by piece, so that neither memory nor the time to the first byte grows
//! with it, and broken off where it cannot be completed.

use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use delta::{AddFile, ChangedFile, Snapshot};
use futures::Stream;
use http::StatusCode;
use object_store::path::Path as Key;

use crate::access_log::Entry;
use crate::capabilities::{FileIds, Format};
use crate::error::Failure;
use crate::lines::Committed;
use crate::request::Call;
use crate::routes::App;
use crate::slots::Slot;
use crate::tables::{close, say_side, set_headers};
use crate::{Readable, SignedFile, lines};

/// Files signed and written in one piece.
const PIECE: usize = 500;

/// What an answer holds after its two first lines.
pub(crate) enum Content {
    /// The files of a state; with its version, where one was asked for.
    State(Box<Snapshot>, Option<Committed>),
    /// Changes, in the order of the log.
    Changes(Vec<Item>),
}

impl Content {
    /// The bytes of the files in a range, by the table's log.
    fn bytes(&self, range: Range<usize>) -> u64 {
        match self {
            Self::State(snapshot, _) => {
                let files = snapshot.files.get_range(range);
                let files = files.into_iter().flat_map(|files| files.values());
                total(files.map(|file| file.size))
            }
            Self::Changes(items) => {
                let files = items.get(range).unwrap_or_default().iter();
                total(files.filter_map(Item::file).filter_map(|file| file.size()))
            }
        }
    }
}

/// One line of changes.
pub(crate) enum Item {
    File(Committed, ChangedFile),
    /// A protocol or metadata, with its line's end.
    Line(Vec<u8>),
}

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
    pub(crate) format: Format,
    pub(crate) ids: FileIds,
    /// Whether the line that ends an answer was negotiated, and whether the client knows it all the same (H4).
    pub(crate) negotiated: bool,
    pub(crate) expects_end: bool,
}

/// Writes the answer, and its entry when it ends.
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
    let mut files = Files {
        app,
        readable,
        content: ready.content,
        format,
        ids,
        next: ready.from,
        end: ready.to,
        next_page: ready.next_page,
        min_expiry: None,
        _slot: slot,
    };
    // Before the status is sent, so that what fails at once is a proper error.
    let mut piece = ready.head;
    if let Err(failure) = files.write_piece(&mut piece, &mut entry).await {
        return close(&call, entry, Err(failure)).await;
    }
    entry.began(StatusCode::OK);
    let stream = write_answer(call, entry, files, piece, negotiated, expects_end);
    let mut response = Body::from_stream(stream).into_response();
    set_headers(response.headers_mut(), version, format, negotiated, ids);
    say_side(response.headers_mut(), side, stale_since);
    response
}

/// `piece`, then the rest of the files, then, for a client that knows it, the line that says the answer is complete.
fn write_answer(
    call: Call,
    mut entry: Entry,
    mut files: Files,
    mut piece: Vec<u8>,
    negotiated: bool,
    expects_end: bool,
) -> impl Stream<Item = Result<Bytes, io::Error>> {
    async_stream::stream! {
        let shelf = (!files.is_done()).then(|| Shelf::new(files.app.slots.patience.client));
        while let Some(shelf) = shelf.as_ref().filter(|_| !files.is_done()) {
            shelf.put(files);
            yield Ok(Bytes::from(std::mem::take(&mut piece)));
            let Some(back) = shelf.take() else {
                tracing::debug!("the client took too long");
                yield Err(io::Error::other("the answer was waited for too long"));
                return;
            };
            files = back;
            if let Err(failure) = files.write_piece(&mut piece, &mut entry).await {
                failure.log(&call);
                let message = failure.message(&call);
                entry.failed(&failure).await;
                // H5: said where the client listens for it; else broken off, for an end would look like the whole.
                if negotiated {
                    piece.clear();
                    lines::end_with_error(&mut piece, &message);
                    yield Ok(Bytes::from(piece));
                } else {
                    yield Err(io::Error::other("the answer could not be completed"));
                }
                return;
            }
        }
        // H4: never unprompted; the Python connector takes every line for a file.
        if negotiated || expects_end {
            lines::end(&mut piece, files.min_expiry, files.next_page.as_deref());
        }
        // What is left is the last piece: however slowly it is taken, the table's state and the place are free.
        drop(files);
        entry.answered(StatusCode::OK).await;
        yield Ok(Bytes::from(piece));
    }
}

/// The files of an answer that are still to be signed and written.
struct Files {
    app: App,
    readable: Readable,
    content: Content,
    format: Format,
    ids: FileIds,
    next: usize,
    end: usize,
    next_page: Option<String>,
    /// The earliest end of a URL so far, in milliseconds.
    min_expiry: Option<i64>,
    /// Given back with the table's state, which takes the memory.
    _slot: Slot,
}

/// Where the files stand while the client takes a piece. If it takes none for too long, they are let go of, and with them
/// their memory and their place.
struct Shelf(Arc<Mutex<Standing>>);

struct Standing {
    files: Option<Files>,
    /// How often they were put here.
    puts: u64,
}

impl Shelf {
    fn new(patience: Duration) -> Self {
        let standing = Arc::new(Mutex::new(Standing {
            files: None,
            puts: 0,
        }));
        let watched = Arc::downgrade(&standing);
        tokio::spawn(async move {
            let mut seen = 0;
            loop {
                tokio::time::sleep(patience).await;
                let Some(standing) = watched.upgrade() else {
                    return;
                };
                let mut standing = standing.lock().unwrap_or_else(PoisonError::into_inner);
                if standing.files.is_some() && standing.puts == seen {
                    standing.files = None;
                    return;
                }
                seen = standing.puts;
            }
        });
        Self(standing)
    }

    fn put(&self, files: Files) {
        let mut standing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        standing.files = Some(files);
        standing.puts += 1;
    }

    /// None: they were let go of.
    fn take(&self) -> Option<Files> {
        let mut standing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        standing.files.take()
    }
}

impl Files {
    fn is_done(&self) -> bool {
        self.next >= self.end
    }

    /// Signs the next files and appends their lines; nothing if none are left.
    async fn write_piece(&mut self, out: &mut Vec<u8>, entry: &mut Entry) -> Result<(), Failure> {
        let until = self.end.min(self.next.saturating_add(PIECE));
        let range = self.next..until.max(self.next);
        let (keys, bytes): (Vec<Key>, u64) = match &self.content {
            Content::State(snapshot, _) => {
                let files = snapshot.files.get_range(range.clone());
                let files: Vec<&AddFile> = files
                    .into_iter()
                    .flat_map(|files| files.values())
                    .map(|file| &**file)
                    .collect();
                let keys = files.iter().map(|file| file.key.clone()).collect();
                (keys, total(files.iter().map(|file| file.size)))
            }
            Content::Changes(items) => {
                let files: Vec<&ChangedFile> = items
                    .get(range.clone())
                    .unwrap_or_default()
                    .iter()
                    .filter_map(Item::file)
                    .collect();
                let keys = files.iter().map(|file| file.key().clone()).collect();
                (keys, total(files.iter().filter_map(|file| file.size())))
            }
        };
        let signed = if keys.is_empty() {
            Vec::new()
        } else {
            self.app.gate.sign(&self.readable, &keys).await?
        };
        if signed.len() != keys.len() {
            return Err(Failure::internal(format!(
                "{} keys were given to sign, {} URLs came back",
                keys.len(),
                signed.len()
            )));
        }
        entry.signed(keys.len() as u64, bytes);
        self.min_expiry = signed
            .iter()
            .map(|signed| signed.expires_at.millis())
            .chain(self.min_expiry)
            .min();
        self.write_lines(out, range, &signed);
        self.next = until;
        Ok(())
    }

    fn write_lines(&self, out: &mut Vec<u8>, range: Range<usize>, signed: &[SignedFile]) {
        let mut signed = signed.iter();
        match &self.content {
            Content::State(snapshot, at) => {
                let files = snapshot.files.get_range(range);
                let files = files.into_iter().flat_map(|files| files.values());
                for (file, signed) in files.zip(signed) {
                    lines::file(out, file, signed, *at, self.format, self.ids);
                }
            }
            Content::Changes(items) => {
                for item in items.get(range).unwrap_or_default() {
                    match item {
                        Item::Line(line) => out.extend_from_slice(line),
                        Item::File(at, file) => {
                            if let Some(signed) = signed.next() {
                                lines::changed(out, file, signed, *at, self.format, self.ids);
                            }
                        }
                    }
                }
            }
        }
    }
}

impl Item {
    fn file(&self) -> Option<&ChangedFile> {
        match self {
            Self::File(_, file) => Some(file),
            Self::Line(_) => None,
        }
    }
}

fn total(sizes: impl Iterator<Item = u64>) -> u64 {
    sizes.fold(0, u64::saturating_add)
}
