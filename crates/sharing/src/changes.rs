//! Changes from version to version: of `/changes`, row by row, and of a query with `startingVersion`, file by file (checklist
//! §1.7). All versions that are asked for are read and looked at before the answer begins, so that what cannot be told is a
//! proper error; a page of them holds the same lines however often it is asked for, and none of another table that took the
//! place of the first. What was read is kept, for the pages after it and for who asks again, for as long as the log has the same
//! commits.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use delta::{Change, ChangedFile, Feed, LogError, Metadata, Protocol, Support, Table};
use model::{TableId, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::capabilities::{Capabilities, FileIds, Format};
use crate::error::{Failure, needs};
use crate::features::Needs;
use crate::history::{self, Wanted};
use crate::page::{ChangesPage, PAGES_LAST, check_until, until};
use crate::request::{Parameters, TableNames};
use crate::routes::App;
use crate::states::{is_lately, number};
use crate::stream::{Content, Item, Ready};
use crate::{Readable, Reader, lines};

/// All that changes and their pages say.
pub(crate) struct Told {
    /// The first two lines.
    head: Vec<u8>,
    items: Arc<[Item]>,
    format: Format,
    /// See [`ChangesPage::of`].
    of: u64,
    /// See [`delta::History::mark`].
    mark: Option<u64>,
    /// When the log was last looked at for it, in milliseconds.
    looked: AtomicI64,
    /// Bytes that it takes, about.
    pub(crate) weight: u64,
}

/// In memory a file takes about so many times the bytes of its line in a commit.
const WEIGHT: u64 = 4;

impl Told {
    /// Whether the log has the same commits, as far as was looked lately.
    async fn still(
        &self,
        table: &Table,
        page: ChangesPage,
        now: Timestamp,
    ) -> Result<bool, LogError> {
        let looked = self.looked.load(Ordering::Relaxed);
        if is_lately(Timestamp::from_millis(looked), now) {
            return Ok(true);
        }
        let still = table.mark(page.start..=page.end).await? == self.mark;
        if still {
            self.looked.store(now.millis(), Ordering::Relaxed);
        }
        Ok(still)
    }
}

/// What is asked for.
pub(crate) struct Asked<'a> {
    pub(crate) wanted: Wanted,
    pub(crate) feed: Feed,
    /// Whether the metadata is that of the first version, with what later ones have set among the changes; else that of
    /// the latest.
    pub(crate) historical_metadata: bool,
    /// The same for protocols; only the delta format has them.
    pub(crate) historical_protocol: bool,
    pub(crate) max_files: Option<usize>,
    pub(crate) page_token: Option<&'a str>,
}

impl<'a> Asked<'a> {
    /// Of `/changes`.
    pub(crate) fn of_changes(parameters: &'a Parameters) -> Result<Self, Failure> {
        Ok(Self {
            wanted: Wanted::of_changes(parameters)?,
            feed: Feed::Rows,
            historical_metadata: parameters.flag("includeHistoricalMetadata")?,
            historical_protocol: parameters.flag("includeHistoricalProtocol")?,
            max_files: history::max_files(parameters.number("maxFiles")?)?,
            page_token: parameters
                .text("pageToken")
                .filter(|token| !token.is_empty()),
        })
    }

    /// The page that its token is of; None: the first.
    pub(crate) fn page(
        &self,
        app: &App,
        table: TableId,
        reader: &Reader,
        client: &Capabilities,
        asked_ids: Option<Format>,
    ) -> Result<Option<ChangesPage>, Failure> {
        let Some(token) = self.page_token else {
            return Ok(None);
        };
        let scope = self.scope(table, client, asked_ids);
        let page = app.pager.changes_page(reader, &scope, token);
        let page = page.ok_or_else(|| {
            Failure::invalid(
                "invalid 'pageToken': send the parameters of the first page with it, or ask for that again",
            )
        })?;
        check_until("pageToken", page.until, app.gate.now())?;
        Ok(Some(page))
    }

    /// Reads the changes, up to their last line.
    pub(crate) async fn read(
        &self,
        app: &App,
        names: &TableNames,
        readable: &Readable,
        reader: &Reader,
        client: &Capabilities,
        asked_ids: Option<Format>,
    ) -> Result<Ready, Failure> {
        let table = &readable.table;
        let begun = self.page(app, readable.table_id, reader, client, asked_ids)?;
        let now = app.gate.now();
        let who = (readable, reader);
        if let Some(page) = begun {
            history::check_start(readable, page.start)?;
            let kept = app
                .states
                .told(&self.key(readable, client, asked_ids, page));
            if let Some(told) = kept.filter(|told| told.of == page.of && told.mark.is_some())
                && told.still(table, page, now).await?
            {
                return Ok(self.ready(app, who, (client, asked_ids), page, &told));
            }
        }
        let held = table.history().await?;
        let page = match begun {
            Some(page) => page,
            None => {
                let range = self.wanted.resolve(table, &held, self.feed).await?;
                ChangesPage {
                    side: readable.side(),
                    start: *range.start(),
                    end: *range.end(),
                    latest: held.latest,
                    of: 0,
                    skip: 0,
                    until: until(now, PAGES_LAST),
                }
            }
        };
        let (start, end) = (page.start, page.end);
        history::check_start(readable, start)?;
        let key = self.key(readable, client, asked_ids, page);
        let mark = held.mark(start..=end);
        if begun.is_none()
            && self.is_all_in(page)
            // What a log that was cleaned up no longer tells others is told to nobody.
            && held.earliest_change(end).is_some_and(|earliest| earliest <= start)
            && let Some(told) = app.states.told(&key)
            && mark.is_some()
            && told.mark == mark
        {
            told.looked.store(now.millis(), Ordering::Relaxed);
            return Ok(self.ready(app, who, (client, asked_ids), page, &told));
        }
        let gone = || {
            let earliest = held.earliest_change(end);
            history::cleaned(
                start,
                earliest.or_else(|| held.earliest_change(held.latest)),
            )
        };
        let (protocol, metadata) = match table.outline(Some(start)).await {
            Ok(base) => (base.protocol, base.metadata),
            Err(LogError::NoSuchVersion { .. } | LogError::Gap { .. }) => return Err(gone()),
            Err(error) => return Err(error.into()),
        };
        let mut changes = match table.changes(&held, start..=end, self.feed).await {
            Ok(changes) => changes,
            Err(LogError::Gap { .. }) => return Err(gone()),
            Err(LogError::Budget {
                what:
                    what @ ("versions asked for"
                    | "changed files of the versions asked for"
                    | "bytes of the log"),
                limit,
                ..
            }) => {
                return Err(Failure::invalid(format!(
                    "the versions {start} to {end} are too much to read at once ({what}: at most {limit}): ask for fewer versions at a time"
                )));
            }
            Err(error) => return Err(error.into()),
        };
        // Before anything is said about these files, also that they cannot be told.
        if let Some(rows) = &readable.rows {
            rows.keep(&metadata, &mut changes);
        }
        let (last, mut needed) =
            self.look_through(names, (start, end), (&protocol, &metadata), &changes)?;
        let of = fingerprint(&metadata, &changes);
        if begun.is_some_and(|begun| begun.of != of) {
            return Err(Failure::invalid(format!(
                "the versions {start} to {end}, which the first page was of, can no longer be read: the table has been written anew; ask for its changes again without the 'pageToken'"
            )));
        }

        let (first, first_version) = (protocol.clone(), start);
        let (protocol, metadata, version) = if self.historical_metadata {
            (protocol, metadata, start)
        } else if end == page.latest {
            (last.0.clone(), last.1.clone(), end)
        } else {
            let latest = table.outline(Some(page.latest)).await?;
            needed.add(served(&latest.protocol, &latest.metadata)?);
            (latest.protocol, latest.metadata, page.latest)
        };
        let format = client.format_of(&needed)?;
        let with_protocol = self.historical_protocol && format == Format::Delta;
        let mut head = Vec::with_capacity(1_024);
        let (protocol, stamp) = if with_protocol {
            (first, Some(first_version))
        } else {
            (protocol, None)
        };
        lines::protocol_of(&mut head, &protocol, stamp, format, client);
        lines::metadata_of(&mut head, &metadata, Some(version), format)?;

        let items = self.items(changes, start, format, with_protocol, client)?;
        let told = Arc::new(Told {
            head,
            items: items.into(),
            format,
            of,
            mark,
            looked: AtomicI64::new(now.millis()),
            weight: held.bytes(start..=end).saturating_mul(WEIGHT),
        });
        let ready = self.ready(app, who, (client, asked_ids), page, &told);
        // Else nobody can come to ask for it.
        if ready.next_page.is_some() || self.is_all_in(page) {
            app.states.keep_told(key, &told);
        }
        Ok(ready)
    }

    /// Whether all that is said of these versions lies in them. Else the metadata is that of a later one, which can be another by then.
    fn is_all_in(&self, page: ChangesPage) -> bool {
        self.historical_metadata || page.end == page.latest
    }

    /// One page of what is told.
    fn ready(
        &self,
        app: &App,
        (readable, reader): (&Readable, &Reader),
        (client, asked_ids): (&Capabilities, Option<Format>),
        page: ChangesPage,
        told: &Told,
    ) -> Ready {
        let items = &told.items;
        let from = usize::try_from(page.skip)
            .unwrap_or(usize::MAX)
            .min(items.len());
        let to = self.page_end(items, from);
        let next_page = (to < items.len()).then(|| {
            let next = ChangesPage {
                of: told.of,
                skip: to as u64,
                ..page
            };
            let scope = self.scope(readable.table_id, client, asked_ids);
            app.pager.changes_token(reader, &scope, next)
        });
        Ready {
            version: page.start,
            head: told.head.clone(),
            content: Content::Changes(Arc::clone(items)),
            from,
            to,
            next_page,
            refresh_token: None,
            format: told.format,
            ids: FileIds::new(asked_ids, told.format),
            negotiated: client.end_stream_action,
            expects_end: self.max_files.is_some(),
            later: false,
        }
    }

    /// What is told depends on no more than this: where it is read, which rows of it are opened, what is asked and how, and which
    /// versions these are.
    fn key(
        &self,
        readable: &Readable,
        client: &Capabilities,
        asked_ids: Option<Format>,
        page: ChangesPage,
    ) -> [u8; 32] {
        let ChangesPage {
            start, end, latest, ..
        } = page;
        let (place, rows) = (&readable.place, &readable.rows);
        Sha256::new()
            .chain_update(self.scope(readable.table_id, client, asked_ids))
            .chain_update(format!("\0{place}\0{rows:?}\0{start} {end} {latest}"))
            .finalize()
            .into()
    }

    /// What must be the same for all pages.
    fn scope(&self, table: TableId, client: &Capabilities, asked_ids: Option<Format>) -> Vec<u8> {
        let Self {
            wanted,
            feed,
            historical_metadata,
            historical_protocol,
            ..
        } = self;
        format!("{table:?} {wanted:?} {feed:?} {historical_metadata} {historical_protocol} {client:?} {asked_ids:?}")
            .into_bytes()
    }

    /// Refuses what cannot be told; gives protocol and metadata of the last version, and which features all of it takes.
    fn look_through<'b>(
        &self,
        names: &TableNames,
        (start, end): (u64, u64),
        (mut protocol, mut metadata): (&'b Protocol, &'b Metadata),
        changes: &'b [Change],
    ) -> Result<((&'b Protocol, &'b Metadata), Needs), Failure> {
        let mut unrecorded = (!metadata.records_changes()).then_some(start);
        let mut recorded = metadata.records_changes();
        let mut needed = served(protocol, metadata)?;
        for change in changes {
            protocol = change.protocol.as_ref().unwrap_or(protocol);
            metadata = change.metadata.as_ref().unwrap_or(metadata);
            if change.protocol.is_some() || change.metadata.is_some() {
                needed.add(served(protocol, metadata)?);
            }
            if metadata.records_changes() {
                recorded = true;
            } else {
                unrecorded = unrecorded.or(Some(change.version));
            }
            for file in &change.files {
                check_file(change.version, file, metadata)?;
                needed.add_file(file);
            }
        }
        match unrecorded {
            Some(_) if self.feed == Feed::Rows && !recorded => Err(history::no_changes(names, "")),
            Some(version) if self.feed == Feed::Rows => Err(Failure::invalid(format!(
                "Error getting change data for range [{start}, {end}] as change data was not recorded for version [{version}]"
            ))),
            _ => Ok(((protocol, metadata), needed)),
        }
    }

    /// The lines after the first two. What `start` itself has set is in these.
    fn items(
        &self,
        changes: Vec<Change>,
        start: u64,
        format: Format,
        with_protocol: bool,
        client: &Capabilities,
    ) -> Result<Vec<Item>, Failure> {
        let mut items = Vec::with_capacity(changes.iter().map(|change| change.files.len()).sum());
        for change in changes {
            let version = change.version;
            let later = version > start;
            if let Some(protocol) = change.protocol.filter(|_| later && with_protocol) {
                let mut line = Vec::new();
                lines::protocol_of(&mut line, &protocol, Some(version), format, client);
                items.push(Item::Line(line));
            }
            if let Some(metadata) = change
                .metadata
                .filter(|_| later && self.historical_metadata)
            {
                let mut line = Vec::new();
                lines::metadata_of(&mut line, &metadata, Some(version), format)?;
                items.push(Item::Line(line));
            }
            let at = (version, change.timestamp.millis());
            let files = change.files.into_iter();
            items.extend(files.map(|mut file| {
                file.trim();
                Item::File(at, file)
            }));
        }
        Ok(items)
    }

    /// Where the page ends that begins at `from`: before the file that would be one too many.
    fn page_end(&self, items: &[Item], from: usize) -> usize {
        let Some(most) = self.max_files else {
            return items.len();
        };
        let files = items.iter().enumerate().skip(from);
        files
            .filter(|(_, item)| matches!(item, Item::File(..)))
            .nth(most)
            .map_or(items.len(), |(index, _)| index)
    }
}

/// The same for commits that tell the same: of which table they are, when each was made, and how many files it names.
fn fingerprint(metadata: &Metadata, changes: &[Change]) -> u64 {
    let table = Sha256::new().chain_update(metadata.id.as_bytes());
    let hash = changes.iter().fold(table, |hash, change| {
        hash.chain_update(change.version.to_be_bytes())
            .chain_update(change.timestamp.micros().to_be_bytes())
            .chain_update((change.files.len() as u64).to_be_bytes())
    });
    number(hash.finalize().as_slice())
}

/// What a reader of these versions must know, where they are shared at all.
fn served(protocol: &Protocol, metadata: &Metadata) -> Result<Needs, Failure> {
    match Support::of(protocol, metadata).refused_for() {
        None => Needs::of(metadata),
        Some(feature) => Err(needs(feature)),
    }
}

fn check_file(version: u64, file: &ChangedFile, metadata: &Metadata) -> Result<(), Failure> {
    let ChangedFile::Remove(removed) = file else {
        return Ok(());
    };
    let has_values = removed.partition_values().is_some() || metadata.partition_columns.is_empty();
    if removed.size.is_some() && has_values {
        return Ok(());
    }
    Err(Failure::unsupported(format!(
        "version {version} of the table removes a file without noting its size or partition, so what was in it cannot be told; ask for the changes from version {} on, or read the whole table",
        version.saturating_add(1)
    )))
}
