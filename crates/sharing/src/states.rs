//! The states of tables, kept between requests: read once, carried on from new commits, given up by age when they take more
//! memory than there is for them. Per process. What is kept is a table's content alone; who may see it the gate decides for
//! every request, and every request looks at the log's newest names before it is answered from here. Only the pages of one
//! answer, which are of one version, go on for [`LATELY`] with what was looked at for one of them.
//!
//! A table that was written anew in the same place is noticed by the commit that its state was read up to, which is another
//! object then. Whoever asks while another looks waits for that one, and takes what it finds if it began to look later than
//! the question came: so a hundred first questions read a log once, and nobody gets an answer older than its question.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use delta::{LogError, State};
use model::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::Readable;
use crate::changes::Told;

/// So many places are waited for before those are forgotten that nobody waits for.
const REMEMBERED: usize = 1_000;
/// More versions of one table are not kept: who looks through a history is not to drive out what others read.
const VERSIONS: usize = 32;
/// Selections of paged queries that are kept, and how many rows all of them have.
const SELECTIONS: usize = 64;
const SELECTED_ROWS: usize = 4_000_000;
/// Places whose newest version is remembered.
const SEEN: usize = 10_000;

/// So long, in milliseconds, a page needs no look at the log after one for another page of its answer. URLs of the page before may be
/// as old by the time they are used.
const LATELY: i64 = 5_000;

/// The states that a process keeps. Clones keep the same.
#[derive(Clone)]
pub struct States(Arc<Inner>);

struct Inner {
    most: u64,
    kept: Mutex<Kept>,
    turns: Mutex<HashMap<String, Weak<Turn>>>,
    selections: Mutex<VecDeque<([u8; 32], Selected)>>,
    changes: Mutex<VecDeque<([u8; 32], Arc<Told>)>>,
    /// The newest version that was seen in a place, also where its state is not kept.
    versions: Mutex<HashMap<String, u64>>,
}

#[derive(Default)]
struct Kept {
    /// Counts uses.
    clock: u64,
    places: HashMap<String, BTreeMap<u64, Entry>>,
}

struct Entry {
    state: Arc<State>,
    used: u64,
    /// When the log was last looked at for a page of it.
    looked: Option<Timestamp>,
}

/// Who looks at a table's log has it; inside, the last look at its newest version.
type Turn = tokio::sync::Mutex<Option<Look>>;

struct Look {
    began: Instant,
    found: Weak<State>,
}

/// The files that a query selects, by their numbers in a state.
#[derive(Clone, Debug)]
pub(crate) struct Selected {
    pub(crate) rows: Arc<[u32]>,
    /// Files that were left out because no row of theirs matches.
    pub(crate) dropped: u64,
}

impl States {
    /// Keeps states of so many bytes together. None are kept that are larger than that alone.
    pub fn new(most: u64) -> Self {
        Self(Arc::new(Inner {
            most,
            kept: Mutex::default(),
            turns: Mutex::default(),
            selections: Mutex::default(),
            changes: Mutex::default(),
            versions: Mutex::default(),
        }))
    }

    /// Bytes of states that are kept now.
    pub fn bytes(&self) -> u64 {
        self.kept().weight()
    }

    /// Whether it takes no more than a short look to tell the newest version of a table.
    pub(crate) fn knows(&self, readable: &Readable) -> bool {
        lock(&self.0.versions).contains_key(&readable.place)
    }

    fn seen(&self, place: &str, version: u64) {
        let mut versions = lock(&self.0.versions);
        if versions.len() >= SEEN {
            versions.clear();
        }
        versions.insert(place.to_owned(), version);
    }

    /// The newest state of a table.
    pub(crate) async fn newest(&self, readable: &Readable) -> Result<Arc<State>, LogError> {
        let (place, table) = (&readable.place, &readable.table);
        let asked = Instant::now();
        let turn = self.turn(place);
        let mut look = turn.lock().await;
        if let Some(look) = look.as_ref().filter(|look| look.began >= asked)
            && let Some(found) = look.found.upgrade()
        {
            return Ok(found);
        }
        let began = Instant::now();
        let kept = self.kept().newest(place);
        let carried_on = match &kept {
            Some(kept) => table.state_after(kept).await?,
            None => None,
        };
        let state = match carried_on {
            Some(state) => state,
            None => {
                self.kept().places.remove(place);
                Arc::new(table.state(None).await?)
            }
        };
        self.seen(place, state.version());
        self.keep(place, &state);
        *look = Some(Look {
            began,
            found: Arc::downgrade(&state),
        });
        Ok(state)
    }

    /// The state of one version.
    pub(crate) async fn at(
        &self,
        readable: &Readable,
        version: u64,
    ) -> Result<Arc<State>, LogError> {
        let (place, table) = (&readable.place, &readable.table);
        if let Some(kept) = self.still(readable, version).await? {
            return Ok(kept);
        }
        // One of its own: who asks for the newest does not wait for it.
        let turn = self.turn(&format!("{place} at {version}"));
        let _turn = turn.lock().await;
        // Somebody may have read it meanwhile.
        if let Some(kept) = self.still(readable, version).await? {
            return Ok(kept);
        }
        let state = Arc::new(table.state(Some(version)).await?);
        self.keep(place, &state);
        Ok(state)
    }

    /// The state of one version, for a page of an answer that has begun.
    pub(crate) async fn page_of(
        &self,
        readable: &Readable,
        version: u64,
        now: Timestamp,
    ) -> Result<Arc<State>, LogError> {
        let place = &readable.place;
        let lately = self.kept().looked(place, version);
        if lately.is_some_and(|looked| is_lately(looked, now))
            && let Some(kept) = self.kept().version(place, version)
        {
            return Ok(kept);
        }
        let state = self.at(readable, version).await?;
        self.looked(readable, version, now);
        Ok(state)
    }

    /// The log was looked at for a page of this version, `now` or a little later.
    pub(crate) fn looked(&self, readable: &Readable, version: u64, now: Timestamp) {
        let mut kept = self.kept();
        let versions = kept.places.get_mut(&readable.place);
        if let Some(entry) = versions.and_then(|versions| versions.get_mut(&version)) {
            entry.looked = Some(now);
        }
    }

    /// What is kept of a version, if the log is still the one that it was read from.
    async fn still(
        &self,
        readable: &Readable,
        version: u64,
    ) -> Result<Option<Arc<State>>, LogError> {
        let kept = self.kept().version(&readable.place, version);
        let Some(kept) = kept else {
            return Ok(None);
        };
        if readable.table.still_has(&kept).await? {
            return Ok(Some(kept));
        }
        self.kept().forget(&readable.place, version);
        Ok(None)
    }

    /// The newest version, without its state; never opens a checkpoint.
    pub(crate) async fn newest_version(
        &self,
        readable: &Readable,
    ) -> Result<Option<u64>, LogError> {
        let (place, table) = (&readable.place, &readable.table);
        let seen = lock(&self.0.versions).get(place).copied();
        let version = match seen {
            Some(seen) => table.latest_version_from(seen).await?,
            None => table.latest_version().await?,
        };
        match version {
            Some(version) => self.seen(place, version),
            None => {
                lock(&self.0.versions).remove(place);
            }
        }
        Ok(version)
    }

    /// Changes that were told before.
    pub(crate) fn told(&self, key: &[u8; 32]) -> Option<Arc<Told>> {
        let mut kept = lock(&self.0.changes);
        let at = kept.iter().position(|(found, _)| found == key)?;
        let found = kept.remove(at)?;
        let told = Arc::clone(&found.1);
        kept.push_back(found);
        Some(told)
    }

    /// Keeps changes for the pages that follow, and for who asks again. All that are kept take a quarter of what states may.
    pub(crate) fn keep_told(&self, key: [u8; 32], told: &Arc<Told>) {
        let most = self.0.most / 4;
        if told.weight > most {
            return;
        }
        let mut kept = lock(&self.0.changes);
        let same = kept.iter().position(|(found, _)| *found == key);
        let same = same.and_then(|at| kept.remove(at));
        let mut gone: Vec<_> = same.into_iter().collect();
        kept.push_back((key, Arc::clone(told)));
        let weight = |kept: &VecDeque<([u8; 32], Arc<Told>)>| -> u64 {
            let weights = kept.iter().map(|(_, told)| told.weight);
            weights.fold(0, u64::saturating_add)
        };
        while kept.len() > SELECTIONS || weight(&kept) > most {
            let Some(first) = kept.pop_front() else {
                break;
            };
            gone.push(first);
        }
        drop(kept);
        // Letting go of many thousand changes takes longer than a page of them, and no answer has to wait for it.
        if !gone.is_empty() {
            tokio::task::spawn_blocking(move || drop(gone));
        }
    }

    /// What the pages of one query have in common, or what `select` makes of it now.
    pub(crate) fn selected(&self, key: &[u8; 32]) -> Option<Selected> {
        let mut kept = lock(&self.0.selections);
        let at = kept.iter().position(|(found, _)| found == key)?;
        let found = kept.remove(at)?;
        let selected = found.1.clone();
        kept.push_back(found);
        Some(selected)
    }

    pub(crate) fn keep_selected(&self, key: [u8; 32], selected: &Selected) {
        let mut kept = lock(&self.0.selections);
        kept.retain(|(found, _)| *found != key);
        kept.push_back((key, selected.clone()));
        let rows = |kept: &VecDeque<([u8; 32], Selected)>| -> usize {
            kept.iter().map(|(_, selected)| selected.rows.len()).sum()
        };
        while kept.len() > SELECTIONS || rows(&kept) > SELECTED_ROWS {
            if kept.pop_front().is_none() {
                return;
            }
        }
    }

    fn keep(&self, place: &str, state: &Arc<State>) {
        let own = state.weight().map(|(_, bytes)| bytes);
        // It would drive out all others, and then itself.
        if own.fold(0, u64::saturating_add) > self.0.most {
            return;
        }
        let mut kept = self.kept();
        kept.clock += 1;
        let used = kept.clock;
        let entry = Entry {
            state: Arc::clone(state),
            used,
            looked: None,
        };
        let versions = kept.places.entry(place.to_owned()).or_default();
        versions.insert(state.version(), entry);
        if versions.len() > VERSIONS {
            // Never the newest one, from which the next is made.
            let older = versions.iter().rev().skip(1);
            let oldest = older.min_by_key(|(_, entry)| entry.used);
            if let Some(oldest) = oldest.map(|(version, _)| *version) {
                versions.remove(&oldest);
            }
        }
        while kept.weight() > self.0.most && kept.forget_oldest() {}
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        lock(&self.0.kept)
    }

    fn turn(&self, place: &str) -> Arc<Turn> {
        let mut turns = lock(&self.0.turns);
        if let Some(turn) = turns.get(place).and_then(Weak::upgrade) {
            return turn;
        }
        if turns.len() >= REMEMBERED {
            turns.retain(|_, turn| turn.strong_count() > 0);
        }
        let turn = Arc::new(Turn::default());
        turns.insert(place.to_owned(), Arc::downgrade(&turn));
        turn
    }
}

impl Kept {
    fn newest(&mut self, place: &str) -> Option<Arc<State>> {
        let version = *self.places.get(place)?.keys().next_back()?;
        self.version(place, version)
    }

    fn version(&mut self, place: &str, version: u64) -> Option<Arc<State>> {
        self.clock += 1;
        let entry = self.places.get_mut(place)?.get_mut(&version)?;
        entry.used = self.clock;
        Some(Arc::clone(&entry.state))
    }

    fn looked(&self, place: &str, version: u64) -> Option<Timestamp> {
        self.places.get(place)?.get(&version)?.looked
    }

    fn forget(&mut self, place: &str, version: u64) {
        if let Some(versions) = self.places.get_mut(place) {
            versions.remove(&version);
            if versions.is_empty() {
                self.places.remove(place);
            }
        }
    }

    /// False: there is none.
    fn forget_oldest(&mut self) -> bool {
        let entries = self.places.iter().flat_map(|(place, versions)| {
            versions
                .iter()
                .map(move |(version, entry)| (entry.used, place, *version))
        });
        let oldest = entries.min_by_key(|(used, ..)| *used);
        let Some((place, version)) = oldest.map(|(_, place, version)| (place.clone(), version))
        else {
            return false;
        };
        self.forget(&place, version);
        true
    }

    /// Bytes of all that is kept; what versions share counts once.
    fn weight(&self) -> u64 {
        let mut seen = HashSet::new();
        self.places
            .values()
            .flat_map(BTreeMap::values)
            .flat_map(|entry| entry.state.weight())
            .filter(|(at, _)| seen.insert(*at))
            .fold(0, |sum, (_, bytes)| sum.saturating_add(bytes))
    }
}

/// Whether a look needs not be repeated yet. Clocks may go back.
pub(crate) fn is_lately(looked: Timestamp, now: Timestamp) -> bool {
    (0..LATELY).contains(&now.millis().saturating_sub(looked.millis()))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The same for two states that answer alike: which table, and how many files of how many bytes it has.
pub(crate) fn fingerprint(state: &State) -> u64 {
    let hash = Sha256::new()
        .chain_update(state.outline().metadata.id.as_bytes())
        .chain_update(state.version().to_be_bytes())
        .chain_update((state.rows().len() as u64).to_be_bytes())
        .chain_update(state.bytes().to_be_bytes())
        .finalize();
    // Databases have numbers with a sign.
    number(hash.as_slice()) >> 1
}

/// Which place a table is read from, and which part of it is visible there.
pub(crate) fn place(readable: &Readable) -> u64 {
    let mut hash = Sha256::new();
    hash.update(readable.place.as_bytes());
    if let Some(rows) = &readable.rows {
        hash.update(format!("\0{rows:?}").as_bytes());
    }
    number(hash.finalize().as_slice())
}

/// The beginning of a hash.
pub(crate) fn number(hash: &[u8]) -> u64 {
    hash.iter()
        .take(8)
        .fold(0, |number, byte| (number << 8) | u64::from(*byte))
}
