//! Pages of lists, of changes and of the files of a version, and the tokens by which files get new URLs. A list's page token
//! says behind which item to go on, not at which number, so that items that come and go meanwhile neither repeat nor hide
//! others. Those of changes and files say at which number, for what was committed does not change, of which versions, and on
//! which side these are read: there the answer goes on. All are authenticated, and hold for one recipient and one list, request or
//! table only; those of versions come to an end.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use delta::State;
use hmac::digest::common::Key;
use hmac::{Hmac, KeyInit as _, Mac as _};
use model::Timestamp;
use model::time::DAY;
use sha2::Sha256;

use crate::error::Failure;
use crate::request::{Parameters, fold};
use crate::states::{fingerprint, place};
use crate::{Readable, Reader, Side};

/// Bytes of the authentication tag in front of a token's payload.
const TAG: usize = 32;
/// No token of ours is longer.
const TOKEN_LIMIT: usize = 4_096;

/// What a tag is for, so that no token of one kind is one of the other.
const LIST: &[u8] = b"entrepot sharing list page 1\0";
const CHANGES: &[u8] = b"entrepot sharing changes page 4\0";

/// So long the pages of one request can be asked for, in microseconds, counted from the first.
pub(crate) const PAGES_LAST: i64 = 3 * DAY;
/// So long the same files get new URLs; each answer with new ones begins it anew. URLs themselves live an hour at the most.
const REFRESH_LASTS: i64 = DAY;
/// However often it begins anew: so long after the first answer it is over, else a version that its producer has long withdrawn could be
/// read for ever.
const REFRESH_ENDS: i64 = 7 * DAY;

/// Tag and payload of a token, not looked at yet.
fn split(token: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    if token.len() > TOKEN_LIMIT {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (tag, payload) = bytes.split_at_checked(TAG)?;
    Some((tag.to_vec(), payload.to_vec()))
}

/// A side as tokens have it.
const fn number_of(side: Side) -> u64 {
    match side {
        Side::Producer => 1,
        Side::Replica => 2,
    }
}

const fn side_of(number: u64) -> Option<Side> {
    match number {
        1 => Some(Side::Producer),
        2 => Some(Side::Replica),
        _ => None,
    }
}

/// Which list. Names in any case.
#[derive(Clone, Copy)]
pub(crate) enum Scope<'a> {
    Shares,
    Schemas { share: &'a str },
    Tables { share: &'a str, schema: &'a str },
    AllTables { share: &'a str },
}

impl Scope<'_> {
    fn bytes(self) -> Vec<u8> {
        let (kind, names) = match self {
            Self::Shares => (1_u8, [None, None]),
            Self::Schemas { share } => (2, [Some(share), None]),
            Self::Tables { share, schema } => (3, [Some(share), Some(schema)]),
            Self::AllTables { share } => (4, [Some(share), None]),
        };
        let mut out = vec![kind];
        for name in names.into_iter().flatten() {
            let name = fold(name);
            // Lengths in front, so that no two lists have the same bytes.
            out.extend_from_slice(&(name.len() as u64).to_be_bytes());
            out.extend_from_slice(name.as_bytes());
        }
        out
    }
}

/// Where a page begins.
#[derive(Debug, PartialEq, Eq)]
enum Position {
    Start,
    /// Behind the item with this key.
    After(String),
}

impl Position {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Start => vec![0],
            Self::After(key) => [&[1], key.as_bytes()].concat(),
        }
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        match bytes.split_first()? {
            (0, []) => Some(Self::Start),
            (1, key) => Some(Self::After(String::from_utf8(key.to_vec()).ok()?)),
            _ => None,
        }
    }
}

/// Where a page of changes begins, and what all its pages show: the versions `start` to `end` of a table on one side, whose
/// latest was `latest` when the first page was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChangesPage {
    pub(crate) side: Side,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) latest: u64,
    /// Which commits these were: the same numbers may be another table's by now. Of no meaning on the first page.
    pub(crate) of: u64,
    /// So many lines stand on the pages before.
    pub(crate) skip: u64,
    /// Until when its pages can be asked for, in microseconds.
    pub(crate) until: u64,
}

/// Numbers as tokens hold them: one after the other, eight bytes each.
fn bytes_of<const N: usize>(numbers: [u64; N]) -> Vec<u8> {
    numbers.into_iter().flat_map(u64::to_be_bytes).collect()
}

fn numbers_of<const N: usize>(bytes: &[u8]) -> Option<[u64; N]> {
    let (numbers, rest) = bytes.as_chunks::<8>();
    let numbers: &[[u8; 8]; N] = numbers.try_into().ok()?;
    rest.is_empty().then(|| numbers.map(u64::from_be_bytes))
}

impl ChangesPage {
    fn bytes(self) -> Vec<u8> {
        let side = number_of(self.side);
        bytes_of([
            side,
            self.start,
            self.end,
            self.latest,
            self.of,
            self.skip,
            self.until,
        ])
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let [side, start, end, latest, of, skip, until] = numbers_of(bytes)?;
        Some(Self {
            side: side_of(side)?,
            start,
            end,
            latest,
            of,
            skip,
            until,
        })
    }
}

/// What a token of files is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pinned {
    /// The next page of a query.
    Page,
    /// New URLs of the same version's files.
    Refresh,
}

impl Pinned {
    const fn what(self) -> &'static [u8] {
        match self {
            Self::Page => b"entrepot sharing files page 3\0",
            Self::Refresh => b"entrepot sharing refresh 3\0",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Page => "pageToken",
            Self::Refresh => "refreshToken",
        }
    }

    /// What to do without it.
    pub(crate) const fn instead(self) -> &'static str {
        match self {
            Self::Page => {
                "send the parameters of the first page with it, or ask for that again without it"
            }
            Self::Refresh => "query the table again without it",
        }
    }
}

/// Which state of a table an answer is of, where that is read, and where in it the page begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pin {
    pub(crate) side: Side,
    /// Where on that side: [`place`].
    pub(crate) place: u64,
    pub(crate) version: u64,
    /// Which table: [`fingerprint`].
    pub(crate) state: u64,
    pub(crate) index: u64,
    /// When the first answer was given, of which this is the same with new URLs, and until when, in microseconds.
    pub(crate) began: u64,
    pub(crate) until: u64,
}

impl Pin {
    /// Of a new answer; `before`: the one of which it is the same with new URLs.
    pub(crate) fn new(
        kind: Pinned,
        readable: &Readable,
        state: &State,
        now: Timestamp,
        before: Option<Self>,
    ) -> Self {
        let lasts = match kind {
            Pinned::Page => PAGES_LAST,
            Pinned::Refresh => REFRESH_LASTS,
        };
        let began = before.map_or_else(|| until(now, 0), |before| before.began);
        let end = began.saturating_add(REFRESH_ENDS.unsigned_abs());
        Self {
            side: readable.side(),
            place: place(readable),
            version: state.version(),
            state: fingerprint(state),
            index: 0,
            began,
            until: until(now, lasts).min(end),
        }
    }

    fn bytes(self) -> Vec<u8> {
        let side = number_of(self.side);
        bytes_of([
            side,
            self.place,
            self.version,
            self.state,
            self.index,
            self.began,
            self.until,
        ])
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let [side, place, version, state, index, began, until] = numbers_of(bytes)?;
        Some(Self {
            side: side_of(side)?,
            place,
            version,
            state,
            index,
            began,
            until,
        })
    }
}

/// When what lasts so long from `now` on is over, in microseconds.
pub(crate) fn until(now: Timestamp, lasts: i64) -> u64 {
    u64::try_from(now.plus(lasts).micros()).unwrap_or(0)
}

/// Refuses what is over.
pub(crate) fn check_until(name: &str, until: u64, now: Timestamp) -> Result<(), Failure> {
    if u64::try_from(now.micros()).is_ok_and(|now| now < until) {
        return Ok(());
    }
    Err(Failure::invalid(format!(
        "the '{name}' has expired: send the request again without it"
    )))
}

/// Makes and reads page tokens.
#[derive(Clone)]
pub(crate) struct Pager {
    key: [u8; 32],
    most: usize,
}

impl Pager {
    /// `most`: items on a page, also when more are asked for.
    pub(crate) fn new(key: [u8; 32], most: usize) -> Self {
        Self {
            key,
            most: most.max(1),
        }
    }

    fn mac(&self, what: &[u8], reader: &Reader, payload: &[u8], scope: &[u8]) -> Hmac<Sha256> {
        // A shorter key is padded with zeros to the block's size: so says RFC 2104, so this needs no fallible call.
        let mut block = Key::<Hmac<Sha256>>::default();
        block[..self.key.len()].copy_from_slice(&self.key);
        Hmac::<Sha256>::new(&block)
            .chain_update(what)
            .chain_update(reader.recipient.0.as_bytes())
            .chain_update((payload.len() as u64).to_be_bytes())
            .chain_update(payload)
            .chain_update(scope)
    }

    /// `scope`: whatever of a request must be the same when the token comes back.
    pub(crate) fn pin_token(
        &self,
        kind: Pinned,
        reader: &Reader,
        scope: &[u8],
        pin: Pin,
    ) -> String {
        let payload = pin.bytes();
        let tag = self.mac(kind.what(), reader, &payload, scope).finalize();
        URL_SAFE_NO_PAD.encode([tag.into_bytes().as_slice(), &payload].concat())
    }

    /// Refuses what is not a token of ours, not for this request, or over.
    pub(crate) fn pin(
        &self,
        kind: Pinned,
        reader: &Reader,
        scope: &[u8],
        token: &str,
        now: Timestamp,
    ) -> Result<Pin, Failure> {
        let found = split(token).and_then(|(tag, payload)| {
            let mac = self.mac(kind.what(), reader, &payload, scope);
            mac.verify_slice(&tag).ok()?;
            Pin::parse(&payload)
        });
        let pin = found.ok_or_else(|| {
            let (name, instead) = (kind.name(), kind.instead());
            Failure::invalid(format!("invalid '{name}': {instead}"))
        })?;
        check_until(kind.name(), pin.until, now)?;
        Ok(pin)
    }

    /// `scope`: whatever of a request must be the same for all pages.
    pub(crate) fn changes_token(&self, reader: &Reader, scope: &[u8], page: ChangesPage) -> String {
        let payload = page.bytes();
        let tag = self.mac(CHANGES, reader, &payload, scope).finalize();
        URL_SAFE_NO_PAD.encode([tag.into_bytes().as_slice(), &payload].concat())
    }

    /// None: not a token of ours, or not for this request.
    pub(crate) fn changes_page(
        &self,
        reader: &Reader,
        scope: &[u8],
        token: &str,
    ) -> Option<ChangesPage> {
        let (tag, payload) = split(token)?;
        self.mac(CHANGES, reader, &payload, scope)
            .verify_slice(&tag)
            .ok()?;
        ChangesPage::parse(&payload)
    }

    fn token(&self, reader: &Reader, scope: Scope<'_>, position: &Position) -> String {
        let payload = position.bytes();
        let tag = self.mac(LIST, reader, &payload, &scope.bytes());
        let tag = tag.finalize().into_bytes();
        URL_SAFE_NO_PAD.encode([tag.as_slice(), &payload].concat())
    }

    fn position(&self, reader: &Reader, scope: Scope<'_>, token: &str) -> Option<Position> {
        let (tag, payload) = split(token)?;
        self.mac(LIST, reader, &payload, &scope.bytes())
            .verify_slice(&tag)
            .ok()?;
        Position::parse(&payload)
    }

    /// The page of `items` that `parameters` ask for, in the order of `key`, and the token of the next page unless this is
    /// the last. Keys must be unique.
    pub(crate) fn page<T>(
        &self,
        reader: &Reader,
        scope: Scope<'_>,
        parameters: &Parameters,
        mut items: Vec<T>,
        key: impl Fn(&T) -> String,
    ) -> Result<(Vec<T>, Option<String>), Failure> {
        let length = parameters
            .max_results()?
            .unwrap_or(self.most)
            .min(self.most);
        // An empty token is the first page: some clients always send the parameter.
        let position = match parameters.text("pageToken") {
            None | Some("") => Position::Start,
            Some(token) => self
                .position(reader, scope, token)
                .ok_or_else(|| Failure::invalid("invalid 'nextPageToken'"))?,
        };
        items.sort_by_cached_key(&key);
        let first = match &position {
            Position::Start => 0,
            Position::After(last) => items.partition_point(|item| key(item) <= *last),
        };
        let mut page: Vec<T> = items.drain(first..).collect();
        let more = page.len() > length;
        page.truncate(length);
        let next = match page.last() {
            _ if !more => None,
            Some(last) => Some(Position::After(key(last))),
            // maxResults=0: nothing is seen, so the next page begins where this one did.
            None => Some(position),
        };
        Ok((page, next.map(|next| self.token(reader, scope, &next))))
    }
}

#[cfg(any(test, feature = "fuzzing"))]
impl Pager {
    /// See [`crate::fuzzing::page_token`].
    pub(crate) fn fuzz(&self, reader: &Reader, data: &[u8]) {
        let list = Scope::Schemas { share: "a" };
        let refused = |token: &str| {
            assert_eq!(self.position(reader, Scope::Shares, token), None);
            assert_eq!(self.changes_page(reader, b"", token), None);
        };
        // Nobody finds a tag by chance.
        if let Ok(token) = std::str::from_utf8(data) {
            refused(token);
            assert_eq!(self.position(reader, list, token), None);
        }
        refused(&URL_SAFE_NO_PAD.encode(data));
        if let Some(position) = Position::parse(data) {
            assert_eq!(position.bytes(), data);
            let token = self.token(reader, list, &position);
            // Such a long name is nobody's.
            if token.len() <= TOKEN_LIMIT {
                assert_eq!(self.position(reader, list, &token), Some(position));
            }
            refused(&token);
        }
        if let Some(page) = ChangesPage::parse(data) {
            assert_eq!(page.bytes(), data);
            let token = self.changes_token(reader, b"request", page);
            assert_eq!(self.changes_page(reader, b"request", &token), Some(page));
            refused(&token);
        }
        if let Some(pin) = Pin::parse(data) {
            assert_eq!(pin.bytes(), data);
            let pages = (Pinned::Page, Pinned::Refresh);
            for (kind, other) in [pages, (pages.1, pages.0)] {
                let token = self.pin_token(kind, reader, b"request", pin);
                let read = |kind: Pinned, scope: &[u8]| {
                    let began = Timestamp::from_micros(0);
                    self.pin(kind, reader, scope, &token, began).ok()
                };
                assert_eq!(read(kind, b"request"), (pin.until > 0).then_some(pin));
                assert_eq!(read(other, b"request"), None);
                assert_eq!(read(kind, b""), None);
                refused(&token);
            }
        }
    }
}
