//! The files of one version: all at once, in pages, or once more with new URLs. What pins a version (a page token, a refresh
//! token, a query that was answered later) pins the table that it was read from, too, and the side on which that was: whatever
//! stands there since is told from it and refused, never mixed into the answer.

use std::sync::Arc;

use delta::{LogError, State};
use model::{QueryId, TableId, Timestamp};

use crate::access_log::Entry;
use crate::capabilities::{Capabilities, FileIds, Format};
use crate::error::Failure;
use crate::lines::Committed;
use crate::page::{Pin, Pinned};
use crate::query::{QueryRequest, When};
use crate::routes::App;
use crate::slots::Slot;
use crate::states::{fingerprint, place};
use crate::stream::{Content, Ready};
use crate::{Readable, Reader, history, lines, narrow};

/// A query for the files of one version.
pub(crate) struct Asked<'a> {
    pub(crate) app: &'a App,
    pub(crate) table: TableId,
    pub(crate) reader: &'a Reader,
    pub(crate) client: &'a Capabilities,
    pub(crate) ids: Option<Format>,
    pub(crate) request: &'a QueryRequest,
    /// Where it was answered later: which query it is, of which version, and what that version's state was.
    pub(crate) later: Option<(QueryId, u64, u64)>,
}

impl Asked<'_> {
    /// Which earlier answer it goes on from, if any. Looked at before the table is read, for that may have begun on another side
    /// than the one that is read now.
    pub(crate) fn begun(&self) -> Result<Option<(Pinned, Pin)>, Failure> {
        let QueryRequest {
            page_token,
            refresh_token,
            ..
        } = self.request;
        let (kind, token, scope) = match (page_token, refresh_token) {
            (Some(token), _) => (Pinned::Page, token, self.scope()),
            (None, Some(token)) => (Pinned::Refresh, token, of_table(self.table)),
            (None, None) => return Ok(None),
        };
        let now = self.app.gate.now();
        let pin = self.app.pager.pin(kind, self.reader, &scope, token, now)?;
        Ok(Some((kind, pin)))
    }

    /// Everything but the lines of files, with the place for reading a table's state. `readable` is on the side of `begun`.
    pub(crate) async fn read(
        &self,
        readable: &Readable,
        begun: Option<(Pinned, Pin)>,
        entry: &mut Entry,
        slot: Slot,
    ) -> Result<(Ready, Slot), Failure> {
        let Self {
            app,
            table,
            reader,
            client,
            ids,
            request,
            later,
        } = *self;
        let now = app.gate.now();
        let (state, at) = match (begun, later) {
            (Some((kind, pin)), _) if pin.place != place(readable) => {
                let why =
                    "the table is read from another place since, or other rows of it are opened";
                return Err(gone(pin.version, why, kind));
            }
            (Some((kind, pin)), _) => {
                let of = (pin.version, pin.state);
                self.pinned(readable, of, (kind, now)).await?
            }
            (None, Some((_, version, state))) => {
                let of = (version, state);
                self.pinned(readable, of, (Pinned::Refresh, now)).await?
            }
            (None, None) => self.asked(readable).await?,
        };
        if begun.is_none() && request.max_files.is_some() {
            app.states.looked(readable, state.version(), now);
        }
        let (page, before) = match begun {
            Some((Pinned::Page, pin)) => (Some(pin), None),
            Some((Pinned::Refresh, pin)) => (None, Some(pin)),
            None => (None, None),
        };
        let version = state.version();
        entry.version(version);
        // Who sees some files only is not told how many there are, not even in the access log.
        if readable.rows.is_none() {
            entry.scanned(state.rows().len());
        }
        let format = client.choose(state.outline())?;
        let in_pages = request.max_files.is_some() || page.is_some();
        if matches!(request.when, When::At(_)) {
            history::check_start(readable, version)?;
        }
        let visible = (&state, narrow::sieve(readable, &state));
        // Some of them have to be the same ones when they are asked for again, of a state that may be read otherwise then.
        let comes_again = request.include_refresh_token || before.is_some() || later.is_some();
        let by_path = in_pages || request.limit.is_some() && comes_again;
        let selecting = request
            .hints
            .select(&app.states, visible, request.limit, by_path, slot);
        let (selected, slot) = selecting.await?;
        entry.dropped(selected.dropped);

        let length = selected.rows.len();
        let pin = page.unwrap_or_else(|| Pin::new(Pinned::Page, readable, &state, now, before));
        let from = usize::try_from(pin.index).unwrap_or(usize::MAX).min(length);
        let to = request
            .max_files
            .map_or(length, |most| from.saturating_add(most).min(length));
        let next_page = (to < length).then(|| {
            let next = Pin {
                index: to as u64,
                ..pin
            };
            app.pager
                .pin_token(Pinned::Page, reader, &self.scope(), next)
        });
        let refresh_token = request.include_refresh_token.then(|| {
            let pin = Pin::new(Pinned::Refresh, readable, &state, now, before);
            app.pager
                .pin_token(Pinned::Refresh, reader, &of_table(table), pin)
        });
        let of = at.map(|(version, _)| version);
        let head = lines::head(readable, &state, of, format, client)?;
        let ready = Ready {
            version,
            head,
            from,
            to,
            content: Content::State(Arc::clone(&state), selected.rows, at),
            next_page,
            refresh_token,
            format,
            ids: FileIds::new(ids, format),
            negotiated: client.end_stream_action,
            expects_end: request.expects_end,
            later: later.is_some(),
        };
        Ok((ready, slot))
    }

    /// The state that a new query is for; with its version, where one was asked for.
    async fn asked(&self, readable: &Readable) -> Result<(Arc<State>, Option<Committed>), Failure> {
        let states = &self.app.states;
        match self.request.when {
            When::At(point) => {
                let state = history::files_at(states, readable, point).await?;
                let at = self.committed(&state);
                Ok((state, at))
            }
            _ => Ok((states.newest(readable).await?, None)),
        }
    }

    /// The state that an earlier answer was of.
    async fn pinned(
        &self,
        readable: &Readable,
        (version, wanted): (u64, u64),
        (kind, now): (Pinned, Timestamp),
    ) -> Result<(Arc<State>, Option<Committed>), Failure> {
        let states = &self.app.states;
        let state = match kind {
            Pinned::Page => states.page_of(readable, version, now).await,
            Pinned::Refresh => states.at(readable, version).await,
        };
        match state {
            Ok(state) if fingerprint(&state) == wanted => {
                let at = self.committed(&state);
                Ok((state, at))
            }
            Ok(_) => Err(gone(version, "the table has been written anew", kind)),
            Err(LogError::NoSuchVersion { .. } | LogError::Gap { .. }) => {
                Err(gone(version, "the table's log has been cleaned up", kind))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// What each line says of the version, where one was asked for.
    fn committed(&self, state: &State) -> Option<Committed> {
        let outline = state.outline();
        let is_asked = matches!(self.request.when, When::At(_));
        is_asked.then(|| (outline.version, outline.timestamp.millis()))
    }

    /// What must be the same for all pages. How many files stand on one may change.
    fn scope(&self) -> Vec<u8> {
        let QueryRequest {
            limit, hints, when, ..
        } = self.request;
        let query = self.later.map(|(query, ..)| query);
        let (client, ids) = (self.client, self.ids);
        let rest = format!("{limit:?} {hints:?} {when:?} {query:?} {client:?} {ids:?}");
        [of_table(self.table), rest.into_bytes()].concat()
    }
}

/// Why an earlier answer cannot go on.
fn gone(version: u64, why: &str, kind: Pinned) -> Failure {
    let instead = kind.instead();
    Failure::invalid(format!(
        "version {version}, which the first answer was of, can no longer be read: {why}; {instead}"
    ))
}

/// Which table it is. On which side and where, the token says itself.
fn of_table(table: TableId) -> Vec<u8> {
    format!("{table:?} ").into_bytes()
}
