//! One table over its history: what lies in it at each instant that counts, and what each way of moving it takes.

use std::collections::{HashMap, HashSet};

use delta::{Logged, LoggedFile};
use model::Timestamp;
use model::time::{DAY, HOUR};

use super::ways::{Live, Now, Way};

const WEEK: i64 = 7 * DAY;

/// What is reckoned over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The table's first state that counts: the first copy is made here.
    pub from: Timestamp,
    /// The last instant; commits that say they are later do not count.
    pub until: Timestamp,
    /// Microseconds from sync to sync.
    pub every: i64,
    /// How long a clone keeps the objects of files that the source has taken out.
    pub retention_hours: u32,
}

/// Bytes of a copy that is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    pub first_copy: u64,
    /// Of all syncs after it.
    pub later: u64,
}

impl Moved {
    pub fn bytes(self) -> u64 {
        self.first_copy.saturating_add(self.later)
    }
}

/// Reads of the whole table, once per consumer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    pub times: u64,
    pub bytes: u64,
}

/// What a table's history comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figures {
    pub window: Window,
    /// Bytes of data files, and files, at the end.
    pub bytes: u64,
    pub files: u64,
    pub commits: u64,
    /// Syncs after the first copy.
    pub syncs: u64,
    pub weekly: Reads,
    pub daily: Reads,
    /// Once between sync and sync.
    pub at_syncs: Reads,
    pub by_files: Moved,
    pub with_feed: Moved,
    pub with_skip: Moved,
    pub with_both: Moved,
    /// Some file had a deletion vector at the end.
    pub has_vectors: bool,
}

/// Instants from `next` on, every `step`.
struct Ticks {
    next: i64,
    step: i64,
}

impl Ticks {
    /// The next one before `end`; it is done with then.
    fn before(&mut self, end: i64) -> Option<i64> {
        let at = (self.next < end).then_some(self.next)?;
        self.next = self.next.saturating_add(self.step);
        Some(at)
    }
}

/// Takes up a table's commits one by one. What is kept of them is no more than the files that live.
pub struct Reckoner {
    window: Window,
    live: Live,
    /// How long the objects of vectors are at least: where the last vector ends that the log names in them.
    vectors: HashMap<u128, u64>,
    bytes: u64,
    is_recorded: bool,
    ways: [(Way, Moved); 4],
    is_dirty: bool,
    has_copy: bool,
    now: i64,
    syncs: Ticks,
    weeks: Ticks,
    days: Ticks,
    reads: Ticks,
    figures: Figures,
}

impl Reckoner {
    /// `files` is the table's state at `window.from`.
    pub fn new(window: Window, files: Vec<LoggedFile>) -> Self {
        let start = window.from.micros();
        let ticks = |step: i64| Ticks {
            next: start,
            step: step.max(HOUR),
        };
        let mut reckoner = Self {
            window,
            live: Live::new(),
            vectors: HashMap::new(),
            bytes: 0,
            is_recorded: true,
            ways: [(false, false), (true, false), (false, true), (true, true)]
                .map(|(feed, skip)| (Way::new(feed, skip), Moved::default())),
            is_dirty: true,
            has_copy: false,
            now: start,
            syncs: ticks(window.every),
            weeks: ticks(WEEK),
            days: ticks(DAY),
            reads: ticks(window.every),
            figures: Figures {
                window,
                bytes: 0,
                files: 0,
                commits: 0,
                syncs: 0,
                weekly: Reads::default(),
                daily: Reads::default(),
                at_syncs: Reads::default(),
                by_files: Moved::default(),
                with_feed: Moved::default(),
                with_skip: Moved::default(),
                with_both: Moved::default(),
                has_vectors: false,
            },
        };
        for file in files {
            reckoner.add(file);
        }
        reckoner
    }

    /// Whether the change feed is on when it begins; commits say when that changes.
    #[must_use]
    pub fn recording(mut self, is_recorded: bool) -> Self {
        self.is_recorded = is_recorded;
        self
    }

    fn add(&mut self, file: LoggedFile) {
        if let Some(vector) = file.vector {
            let end = self.vectors.entry(vector.object).or_default();
            *end = vector.end.max(*end);
        }
        self.bytes = self.bytes.saturating_add(file.size);
        if let Some(old) = self.live.insert(file.id, file) {
            self.bytes = self.bytes.saturating_sub(old.size);
        }
    }

    /// Files that live, for whoever bounds them.
    pub fn files(&self) -> usize {
        self.live.len()
    }

    /// Takes up the next commit. Times that go back count as the time before; those after the window's end are not taken up,
    /// and false is answered.
    pub fn commit(&mut self, commit: Logged) -> bool {
        let until = self.window.until.micros();
        let mut at = commit.timestamp.micros();
        if at > until {
            // A writer's clock that runs ahead: when the store took the commit is known better.
            at = commit.modified.micros();
        }
        let at = at.max(self.now);
        if at > until {
            return false;
        }
        self.advance(at);
        self.now = at;
        for (way, _) in &mut self.ways {
            way.commit(&commit, &self.live);
        }
        if let Some(metadata) = &commit.metadata {
            self.is_recorded = metadata.records_changes();
        }
        for id in &commit.removes {
            if let Some(old) = self.live.remove(id) {
                self.bytes = self.bytes.saturating_sub(old.size);
            }
        }
        for file in commit.adds {
            self.add(file);
        }
        self.is_dirty = true;
        self.figures.commits += 1;
        true
    }

    /// All that happens before `end` happens to the table as it is.
    fn advance(&mut self, end: i64) {
        let bytes = self.bytes;
        // What reads the whole table happens within the window; the sync that ends it counts too.
        let within = end.min(self.window.until.micros());
        let reading = [
            (&mut self.weeks, &mut self.figures.weekly),
            (&mut self.days, &mut self.figures.daily),
            (&mut self.reads, &mut self.figures.at_syncs),
        ];
        for (ticks, reads) in reading {
            while ticks.before(within).is_some() {
                reads.times += 1;
                reads.bytes = reads.bytes.saturating_add(bytes);
            }
        }
        while let Some(at) = self.syncs.before(end) {
            self.sync(at);
        }
    }

    fn sync(&mut self, at: i64) {
        let retention = i64::from(self.window.retention_hours) * HOUR;
        let is_first = !self.has_copy;
        if !is_first {
            self.figures.syncs += 1;
        }
        self.has_copy = true;
        if !self.is_dirty {
            return;
        }
        self.is_dirty = false;
        let now = Now {
            live: &self.live,
            vectors: &self.vectors,
            at,
            retention,
            is_recorded: self.is_recorded,
        };
        for (way, moved) in &mut self.ways {
            let bytes = way.sync(&now);
            let sum = if is_first {
                &mut moved.first_copy
            } else {
                &mut moved.later
            };
            *sum = sum.saturating_add(bytes);
        }
        if !self.vectors.is_empty() {
            let vectors = self.live.values().filter_map(|file| file.vector);
            let there: HashSet<u128> = vectors.map(|vector| vector.object).collect();
            self.vectors.retain(|object, _| there.contains(object));
        }
    }

    pub fn finish(mut self) -> Figures {
        self.advance(self.window.until.micros().saturating_add(1));
        let [by_files, with_feed, with_skip, with_both] = self.ways.map(|(_, moved)| moved);
        Figures {
            bytes: self.bytes,
            files: u64::try_from(self.live.len()).unwrap_or(u64::MAX),
            has_vectors: self.live.values().any(|file| file.has_vector),
            by_files,
            with_feed,
            with_skip,
            with_both,
            ..self.figures
        }
    }
}
