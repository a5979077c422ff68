//! A year of the headline's table, a hundredth of its model's 60,000 files of 1 GB: 600 files of some 76 kB in 12 partitions. What a
//! day brings is the model's: one file's worth of new rows, a fifth of them late; 19 files in which three rows of a thousand are changed,
//! spread evenly, each written anew; in the evening small files are packed, and once a week the 120 newest files are sorted anew.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Result;
use model::Timestamp;
use model::time::{DAY, HOUR};
use serde_json::json;

use crate::rows::{Changed, Random, Row};
use crate::source::{Change, Source};

pub(crate) const DAYS: i64 = 364;
/// 2024-01-01.
pub(crate) const START: Timestamp = Timestamp::from_millis(1_704_067_200_000);

/// At the start.
const PARTITIONS: u32 = 12;
/// Of a partition, which is also how many days one is filled for.
const FILES: u32 = 50;
/// Of a file as compaction makes it.
const ROWS: usize = 1_000;
/// A file of fewer is packed with others.
const SMALL: usize = 750;
/// New rows of a day: on time, in so many files, and late ones, likewise.
const ON_TIME: (usize, usize) = (800, 4);
const LATE: (usize, usize) = (200, 2);
/// Chosen so that a copy by files moves 9.2 % of the table in two days, as the model has it.
const REWRITTEN: usize = 19;
/// Of the rows of a rewritten file: three of a thousand.
const CHANGED: usize = 3;
/// One changed row of so many is deleted, the others are updated.
const DELETED: u64 = 10;
const SORTED_FILES: usize = 120;
const SORTED_EVERY: i64 = 7;

pub(crate) const SAID: [&str; 4] = [
    "Scale: one table of 600 files of about 76 kB in 12 partitions stands for 60,000 files of 1 GB (60 TB), a hundredth of its files. Bytes of data \
     files are shown as of 60 TB; bytes of logs as of a hundred times as many files, because an entry of a log is as long for a small file as for \
     a large one.",
    "Each day, as in the model that gives 66 % and 93 %: new rows worth one file, a fifth of them late; 19 files spread evenly of which 3 rows of 1000 \
     change (nine of ten updated, one deleted), written anew as a whole; small files packed. Each week the newest 120 files sorted anew. So the \
     table grows by 60 % in the year. These rates were chosen to give what was reported; they are nobody's measurement.",
    "Framing: files have no statistics, dictionaries or compression and a short schema, so that of a data file about 1 % is not values. The change \
     feed's files are of a few rows each; what is not values in them is counted in full, which shows ours dearer than it would be.",
    "Files are written by this program with the Parquet library of Rust and their commits as JSON, one checkpoint in ten commits by the Delta \
     library. Removed files are deleted after seven days.",
];

pub(crate) struct Year {
    pub(crate) source: Source,
    random: Random,
    next_row: u64,
    changed: u64,
}

/// The midnight that a day begins with.
pub(crate) fn midnight(day: i64) -> Timestamp {
    START.plus(day * DAY)
}

impl Year {
    pub(crate) async fn begin(folder: &Path) -> Result<Self> {
        let mut year = Self {
            source: Source::create(folder, START).await?,
            random: Random(1),
            next_row: 0,
            changed: 0,
        };
        let mut adds = Vec::new();
        for partition in 0..PARTITIONS {
            for _ in 0..FILES {
                adds.push((partition, year.new_rows(ROWS)));
            }
        }
        year.add(START.plus(HOUR), adds).await?;
        Ok(year)
    }

    fn new_rows(&mut self, count: usize) -> Vec<Row> {
        let first = self.next_row;
        self.next_row += count as u64;
        let row = |id| Row { id, revision: 0 };
        (first..self.next_row).map(row).collect()
    }

    async fn add(&mut self, at: Timestamp, adds: Vec<(u32, Vec<Row>)>) -> Result<()> {
        let change = Change {
            operation: "WRITE",
            parameters: json!({ "mode": "Append", "partitionBy": "[\"p\"]" }),
            is_change: true,
            removes: Vec::new(),
            adds,
            feed: BTreeMap::new(),
        };
        self.source.commit(at, change).await
    }

    /// Days count from 1.
    pub(crate) async fn day(&mut self, day: i64) -> Result<()> {
        let at = midnight(day);
        self.load(day, at.plus(2 * HOUR)).await?;
        self.merge(at.plus(12 * HOUR)).await?;
        self.pack(at.plus(20 * HOUR)).await?;
        if day % SORTED_EVERY == 0 {
            self.sort(at.plus(21 * HOUR)).await?;
        }
        self.source.vacuum(at.plus(22 * HOUR))
    }

    async fn load(&mut self, day: i64, at: Timestamp) -> Result<()> {
        let newest = PARTITIONS + u32::try_from((day - 1) / i64::from(FILES))?;
        let mut adds = Vec::new();
        for _ in 0..ON_TIME.1 {
            adds.push((newest, self.new_rows(ON_TIME.0 / ON_TIME.1)));
        }
        for _ in 0..LATE.1 {
            let older = u32::try_from(self.random.below(newest as usize))?;
            adds.push((older, self.new_rows(LATE.0 / LATE.1)));
        }
        self.add(at, adds).await
    }

    /// A few rows of many files: each file is written anew.
    async fn merge(&mut self, at: Timestamp) -> Result<()> {
        let files = self.source.files().iter();
        let whole: Vec<u64> = files
            .filter(|(_, file)| file.rows.len() >= SMALL)
            .map(|(number, _)| *number)
            .collect();
        let mut picked = BTreeSet::new();
        while picked.len() < REWRITTEN.min(whole.len()) {
            picked.extend(whole.get(self.random.below(whole.len())));
        }
        let mut change = Change {
            operation: "MERGE",
            parameters: json!({ "matchedPredicates": "[{\"actionType\":\"update\"},{\"actionType\":\"delete\"}]" }),
            is_change: true,
            removes: Vec::new(),
            adds: Vec::new(),
            feed: BTreeMap::new(),
        };
        for number in picked {
            let Some(file) = self.source.files().get(&number) else {
                continue;
            };
            let mut rows = Vec::with_capacity(file.rows.len());
            let mut hit = BTreeSet::new();
            while hit.len() < CHANGED {
                hit.insert(self.random.below(file.rows.len()));
            }
            let feed = change.feed.entry(file.partition).or_default();
            let mut say = |row, kind| feed.push(Changed { row, kind });
            for (index, row) in file.rows.iter().enumerate() {
                if !hit.contains(&index) {
                    rows.push(*row);
                    continue;
                }
                self.changed += 1;
                if self.changed.is_multiple_of(DELETED) {
                    say(*row, "delete");
                    continue;
                }
                let new = Row {
                    revision: row.revision + 1,
                    ..*row
                };
                say(*row, "update_preimage");
                say(new, "update_postimage");
                rows.push(new);
            }
            change.removes.push(number);
            change.adds.push((file.partition, rows));
        }
        self.source.commit(at, change).await
    }

    fn rows_of(&self, numbers: &[u64]) -> Vec<Row> {
        let files = numbers
            .iter()
            .filter_map(|number| self.source.files().get(number));
        files.flat_map(|file| file.rows.iter().copied()).collect()
    }

    /// Small files of a partition become one, where there are several.
    async fn pack(&mut self, at: Timestamp) -> Result<()> {
        let mut small: BTreeMap<u32, Vec<Vec<u64>>> = BTreeMap::new();
        for (number, file) in self.source.files() {
            if file.rows.len() >= SMALL {
                continue;
            }
            let bins = small.entry(file.partition).or_default();
            let filled = bins.last().map_or(ROWS, |bin| self.rows_of(bin).len());
            let fits = filled + file.rows.len() <= ROWS;
            match bins.last_mut() {
                Some(bin) if fits => bin.push(*number),
                _ => bins.push(vec![*number]),
            }
        }
        let (mut removes, mut adds) = (Vec::new(), Vec::new());
        for (partition, bins) in small {
            for bin in bins.into_iter().filter(|bin| bin.len() > 1) {
                adds.push((partition, self.rows_of(&bin)));
                removes.extend(bin);
            }
        }
        if adds.is_empty() {
            return Ok(());
        }
        self.compact(at, "[]", removes, adds).await
    }

    /// The newest partitions are sorted along a curve and cut into files anew, as Z-ORDER does.
    async fn sort(&mut self, at: Timestamp) -> Result<()> {
        let mut partitions: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
        for (number, file) in self.source.files() {
            partitions.entry(file.partition).or_default().push(*number);
        }
        let (mut removes, mut adds) = (Vec::new(), Vec::new());
        for (partition, numbers) in partitions.into_iter().rev() {
            // As near to so many files as whole partitions come.
            if removes.len() + numbers.len() / 2 > SORTED_FILES {
                break;
            }
            let mut rows = self.rows_of(&numbers);
            rows.sort_by_key(|row| row.on_curve());
            adds.extend(rows.chunks(ROWS).map(|rows| (partition, rows.to_vec())));
            removes.extend(numbers);
        }
        self.compact(at, "[\"id\",\"amount\"]", removes, adds).await
    }

    async fn compact(
        &mut self,
        at: Timestamp,
        sorted_by: &str,
        removes: Vec<u64>,
        adds: Vec<(u32, Vec<Row>)>,
    ) -> Result<()> {
        let change = Change {
            operation: "OPTIMIZE",
            parameters: json!({ "predicate": "[]", "zOrderBy": sorted_by, "auto": "false" }),
            is_change: false,
            removes,
            adds,
            feed: BTreeMap::new(),
        };
        self.source.commit(at, change).await
    }
}
