//! The files of one version: all at once, in pages, or once more with new URLs. What pins a version (a page token, a refresh
//! token, a query that was answered later) pins the table that it was read from, too: whatever stands there since is told from
//! it and refused, never mixed into the answer.

use std::sync::Arc;

use delta::{LogError, State};
use model::QueryId;

use crate::access_log::Entry;
use crate::capabilities::{Capabilities, FileIds, Format};
use crate::error::Failure;
use crate::lines::Committed;
use crate::page::{Pin, Pinned};
use crate::query::{QueryRequest, When};
use crate::routes::App;
use crate::slots::Slot;
use crate::states::fingerprint;
use crate::stream::{Content, Ready};
use crate::{Readable, Reader, history, lines, narrow};

/// A query for the files of one version.
pub(crate) struct Asked<'a> {
    pub(crate) app: &'a App,
    pub(crate) readable: &'a Readable,
    pub(crate) reader: &'a Reader,
    pub(crate) client: &'a Capabilities,
    pub(crate) ids: Option<Format>,
    pub(crate) request: &'a QueryRequest,
    /// Where it was answered later: which query it is, of which version, and what that version's state was.
    pub(crate) later: Option<(QueryId, u64, u64)>,
}

impl Asked<'_> {
    /// Everything but the lines of files, with the place for reading a table's state.
    pub(crate) async fn read(
        &self,
        entry: &mut Entry,
        slot: Slot,
    ) -> Result<(Ready, Slot), Failure> {
        let Self {
            app,
            readable,
            reader,
            client,
            ids,
            request,
            later,
        } = *self;
        let now = app.gate.now();
        let (pages, table) = (self.scope(), of_table(readable));
        let page = match &request.page_token {
            Some(token) => Some(app.pager.pin(Pinned::Page, reader, &pages, token, now)?),
            None => None,
        };
        let (state, at) = match (page, &request.refresh_token, later) {
            (Some(pin), ..) => self.pinned(pin.version, pin.state, Pinned::Page).await?,
            (None, _, Some((_, version, state))) => {
                self.pinned(version, state, Pinned::Refresh).await?
            }
            (None, Some(token), None) => {
                let pin = app.pager.pin(Pinned::Refresh, reader, &table, token, now)?;
                self.pinned(pin.version, pin.state, Pinned::Refresh).await?
            }
            (None, None, None) => self.asked().await?,
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
        let selecting = request
            .hints
            .select(&app.states, visible, request.limit, in_pages, slot);
        let (selected, slot) = selecting.await?;
        entry.dropped(selected.dropped);

        let length = selected.rows.len();
        let pin = page.unwrap_or_else(|| Pin::new(Pinned::Page, version, fingerprint(&state), now));
        let from = usize::try_from(pin.index).unwrap_or(usize::MAX).min(length);
        let to = request
            .max_files
            .map_or(length, |most| from.saturating_add(most).min(length));
        let next_page = (to < length).then(|| {
            let next = Pin {
                index: to as u64,
                ..pin
            };
            app.pager.pin_token(Pinned::Page, reader, &pages, next)
        });
        let refresh_token = request.include_refresh_token.then(|| {
            let pin = Pin::new(Pinned::Refresh, version, fingerprint(&state), now);
            app.pager.pin_token(Pinned::Refresh, reader, &table, pin)
        });
        let outline = state.outline();
        let head = lines::head(
            &outline.protocol,
            &outline.metadata,
            at.map(|(version, _)| version),
            format,
            client,
        )?;
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
    async fn asked(&self) -> Result<(Arc<State>, Option<Committed>), Failure> {
        let states = &self.app.states;
        match self.request.when {
            When::At(point) => {
                let state = history::state_at(states, self.readable, point).await?;
                let at = self.committed(&state);
                Ok((state, at))
            }
            _ => Ok((states.newest(self.readable).await?, None)),
        }
    }

    /// The state that an earlier answer was of.
    async fn pinned(
        &self,
        version: u64,
        wanted: u64,
        kind: Pinned,
    ) -> Result<(Arc<State>, Option<Committed>), Failure> {
        let gone = |why: &str| {
            Failure::invalid(format!(
                "version {version}, which the first answer was of, can no longer be read: {why}; {}",
                kind.instead()
            ))
        };
        match self.app.states.at(self.readable, version).await {
            Ok(state) if fingerprint(&state) == wanted => {
                let at = self.committed(&state);
                Ok((state, at))
            }
            Ok(_) => Err(gone("the table has been written anew")),
            Err(LogError::NoSuchVersion { .. } | LogError::Gap { .. }) => {
                Err(gone("the table's log has been cleaned up"))
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
        [of_table(self.readable), rest.into_bytes()].concat()
    }
}

/// Which table it is, and on which side: a token stays where it began.
fn of_table(readable: &Readable) -> Vec<u8> {
    let Readable {
        table_id,
        replica,
        place,
        rows,
        ..
    } = readable;
    format!("{table_id:?} {replica} {}:{place} {rows:?} ", place.len()).into_bytes()
}
