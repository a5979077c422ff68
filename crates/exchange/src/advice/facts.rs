//! What is known of a product in one place, as the advisor reckons with it: plain figures, day by day.

use model::{Commits, Fetches, Nano, RecipientId, ReplicaTableId};

use super::money::{Atto, Leg, Price};

/// Days of a week.
pub const WEEK: i64 = 7;

/// What a recipient was handed out of a table on one day (UTC).
#[derive(Clone, Debug)]
pub struct Read {
    pub day: i64,
    pub recipient: RecipientId,
    pub calls: u64,
    pub bytes: u64,
    /// From the producer's files to the place of the recipient.
    pub price: Price,
    pub from_replica: bool,
}

/// A sync run of one replica table that is done.
#[derive(Clone, Debug)]
pub struct Run {
    pub day: i64,
    pub table: ReplicaTableId,
    /// It copied all, because the replica held nothing yet.
    pub is_first: bool,
    /// What came from the source, its log included: what is billed.
    pub received: u64,
    /// Of that, files.
    pub copied: u64,
    /// Bytes of files that the replica had and the source had no more.
    pub replaced: Option<u64>,
    pub ways: Option<Ways>,
    /// What the worker's time cost.
    pub busy: Atto,
    /// To the place that is reckoned for, also of a run into another.
    pub price: Price,
}

/// What the plan's ways would have moved.
#[derive(Clone, Copy, Debug)]
pub struct Ways {
    pub files: u64,
    pub feed: Option<u64>,
    pub skip: Option<u64>,
}

/// The replica in that place.
#[derive(Clone, Debug)]
pub struct Held {
    /// `product@storage`.
    pub name: String,
    pub bytes: u64,
    /// Days between two syncs; None: it goes by something else than a period of whole days.
    pub every: Option<i64>,
    pub fetches: Fetches,
    pub commits: Commits,
}

/// All of it.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The first day of the first week.
    pub first_day: i64,
    /// Whole weeks that are over.
    pub weeks: usize,
    pub reads: Vec<Read>,
    /// Into this place, in the order in which they began.
    pub runs: Vec<Run>,
    /// Into another place that had a replica all that time, where there is none here.
    pub elsewhere: Option<Vec<Run>>,
    /// Runs of the product into one place whose plans say what the change feed would have moved; likewise without compactions.
    pub fed: Vec<Run>,
    pub skipped: Vec<Run>,
    /// Its tables today, and those of their files that are from the last 30 days.
    pub size: Leg,
    pub recent: Leg,
    /// Per GB and month.
    pub storage: Option<Nano>,
    pub held: Option<Held>,
    /// Why there can be no replica.
    pub no_replica: Option<String>,
}

impl Facts {
    /// In which of the weeks a day falls.
    pub fn week_of(&self, day: i64) -> Option<usize> {
        let week = usize::try_from(day.checked_sub(self.first_day)?.div_euclid(WEEK)).ok()?;
        (week < self.weeks).then_some(week)
    }

    /// Sums something up by week.
    pub fn by_week<T: Copy + Default + std::ops::Add<Output = T>>(
        &self,
        parts: impl Iterator<Item = (i64, T)>,
    ) -> Vec<T> {
        let mut weeks = vec![T::default(); self.weeks];
        for (day, part) in parts {
            if let Some(week) = self.week_of(day) {
                weeks[week] = weeks[week] + part;
            }
        }
        weeks
    }

    /// Days on which something was read, each once, in order.
    pub fn read_days(&self) -> Vec<i64> {
        let days = self.reads.iter().map(|read| read.day);
        let mut days: Vec<i64> = days.filter(|day| self.week_of(*day).is_some()).collect();
        days.sort_unstable();
        days.dedup();
        days
    }

    /// Recipients that read in one of the weeks, or in that one.
    pub fn readers(&self, week: Option<usize>) -> u64 {
        let mut who: Vec<RecipientId> = self
            .reads
            .iter()
            .filter(|read| {
                let found = self.week_of(read.day);
                found.is_some() && (week.is_none() || found == week)
            })
            .map(|read| read.recipient)
            .collect();
        who.sort_unstable();
        who.dedup();
        who.len() as u64
    }

    /// How long readers live with what they have read: the middle of the days between two days of reading, the shorter of two middles.
    pub fn pause(&self) -> Option<i64> {
        let days = self.read_days();
        let mut pauses: Vec<i64> = days.windows(2).map(|two| two[1] - two[0]).collect();
        if pauses.len() < 2 {
            return None;
        }
        pauses.sort_unstable();
        pauses.get((pauses.len() - 1) / 2).copied()
    }

    /// What keeping so many bytes costs in a week.
    pub fn kept(&self, bytes: u64) -> Atto {
        self.storage.map_or(Atto::default(), |price| {
            Atto::of_storage(bytes, price, WEEK)
        })
    }
}
