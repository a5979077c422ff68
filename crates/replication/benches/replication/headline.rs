//! The headline: a simulated year of one table, and what crosses the border for each way of bringing it to its consumers.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result};
use delta::{AddFile, Budgets, Table};
use futures::StreamExt as _;
use object_store::ObjectStoreExt as _;
use replication::sums;
use serde_json::{Value, json};

use crate::Measured;
use crate::figure::{Figure, Limit};
use crate::price;
use crate::rows::ROW_BYTES;
use crate::source::{WITH_FEED, WITHOUT_FEED};
use crate::stores::{Counts, Metered};
use crate::sync::{Mode, Replica};
use crate::year::{self, DAYS, Year, midnight};

const SYNC_EVERY: i64 = 2;
const LOAD_EVERY: i64 = 7;
/// Days between two proofs that every replica has its source's rows; the last day is one, too.
const PROVE_EVERY: i64 = 28;
const CONSUMERS: [u32; 2] = [10, 50];
/// So many consumers read the whole table together.
const SHARES: u32 = 10;
/// What the table stands for: 60 TB, and a hundred times as many files.
const STANDS_FOR: f64 = 60e12;
const FILES_STAND_FOR: f64 = 100.0;
const MONTHS: usize = 12;

const SAID: [&str; 4] = [
    "Consumers: each reads a tenth of the table, as ten use cases of 6 TB do of 60. A weekly full load reads its tenth whole each week; direct reads read a \
     seventh of it each day. A replica is read by all its consumers for nothing; it is one, however many there are.",
    "Replicas: one first copy, then a run every second day; the run plans on the replica's side, so that what it reads of the source's log crosses too.",
    "Counted are the bytes of response bodies as the product's own meter counts them at the source's store, of real runs of the engine, the first copy \
     included. Loads and direct reads are real reads through the same meter.",
    "Proof: every 28 days and on the last day, all rows of each replica are summed by partition and held against the source's (level 3).",
];

/// Bytes by month, as they were counted.
#[derive(Clone, Default)]
struct Crossed {
    months: [Counts; MONTHS],
    runs: u32,
}

impl Crossed {
    fn include(&mut self, day: i64, counts: Counts) {
        let month = usize::try_from(day.max(0) * 12 / DAYS).unwrap_or_default();
        let month = &mut self.months[month.min(MONTHS - 1)];
        month.data += counts.data;
        month.log += counts.log;
        month.requests += counts.requests;
        self.runs += 1;
    }

    fn sum(&self, of: fn(Counts) -> u64) -> u64 {
        self.months.iter().map(|month| of(*month)).sum()
    }
}

/// What a byte of ours stands for.
#[derive(Clone, Copy)]
struct Scale {
    data: f64,
    log: f64,
}

impl Scale {
    /// Bytes by month of so many consumers' shares.
    fn months(self, crossed: &Crossed, times: f64) -> Vec<f64> {
        let months = crossed.months.iter();
        let bytes = months.map(|month| month.data as f64 * self.data + month.log as f64 * self.log);
        bytes.map(|bytes| bytes * times).collect()
    }

    fn year(self, crossed: &Crossed) -> f64 {
        self.months(crossed, 1.0).iter().sum()
    }
}

/// One way of keeping a replica.
struct Way {
    name: &'static str,
    source: &'static str,
    replica: Replica,
    first: Crossed,
    all: Crossed,
    /// Files that a file copy has to bring, by the plans.
    planned: u64,
}

impl Way {
    async fn sync(&mut self, day: i64) -> Result<()> {
        let before = self.replica.source.counts();
        // After the evening's compaction.
        let at = midnight(day).plus(23 * model::time::HOUR);
        let plan = self.replica.sync(at).await;
        let plan = plan.with_context(|| format!("{}, day {day}", self.name))?;
        let counts = self.replica.source.counts().since(before);
        if day == 0 {
            self.first.include(day, counts);
        }
        self.all.include(day, counts);
        self.planned += plan.map_or(0, |plan| plan.bytes_copy);
        Ok(())
    }
}

struct Reader {
    source: Metered,
    crossed: Crossed,
}

impl Reader {
    fn new(folder: &Path) -> Result<Self> {
        Ok(Self {
            source: Metered::folder(&folder.join(WITHOUT_FEED))?,
            crossed: Crossed::default(),
        })
    }

    /// All consumers of the ten shares together read every n-th file: each its own part of it, and each the log.
    async fn read(&mut self, day: i64, nth: usize) -> Result<()> {
        let before = self.source.counts();
        let table = Table::new(self.source.objects.clone(), Budgets::default());
        let snapshot = table.snapshot(None).await?;
        let turn = usize::try_from(day)? % nth;
        let files = snapshot.files.values().enumerate();
        for (_, file) in files.filter(|(index, _)| index % nth == turn) {
            read(&self.source, file).await?;
        }
        let mut counts = self.source.counts().since(before);
        counts.log *= u64::from(SHARES);
        self.crossed.include(day, counts);
        Ok(())
    }
}

async fn read(source: &Metered, file: &AddFile) -> Result<()> {
    let mut body = source.objects.get(&file.key).await?.into_stream();
    while let Some(bytes) = body.next().await {
        bytes?;
    }
    Ok(())
}

pub(crate) async fn measure(folder: &Path) -> Result<Measured> {
    let begin = Instant::now();
    let sources = folder.join("sources");
    let mut year = Year::begin(&sources).await?;
    let start_bytes = year.source.bytes();
    let scale = Scale {
        data: STANDS_FOR / start_bytes as f64,
        log: FILES_STAND_FOR,
    };
    let way = |name: &'static str, source: &'static str, mode| -> Result<Way> {
        let (reads, target) = (
            Metered::folder(&sources.join(source))?,
            Metered::folder(&folder.join("replicas").join(name))?,
        );
        let runs = folder.join("runs").join(name);
        Ok(Way {
            name,
            source,
            replica: Replica::new(mode, reads, target, &runs, year::START)?,
            first: Crossed::default(),
            all: Crossed::default(),
            planned: 0,
        })
    };
    let mut ways = [
        way("file_copy", WITHOUT_FEED, Mode::FileCopy)?,
        way("ours_without_feed", WITHOUT_FEED, Mode::Ours)?,
        way("ours", WITH_FEED, Mode::Ours)?,
    ];
    let (mut loads, mut direct) = (Reader::new(&sources)?, Reader::new(&sources)?);
    let mut proved = 0;
    for day in 0..=DAYS {
        if day > 0 {
            year.day(day).await?;
            direct.read(day, 7).await?;
        }
        if day % SYNC_EVERY == 0 {
            for way in &mut ways {
                way.sync(day).await?;
            }
        }
        if day > 0 && day % LOAD_EVERY == 0 {
            loads.read(day, 1).await?;
        }
        if day % PROVE_EVERY == 0 || day == DAYS {
            proved += prove(&year, &ways).await?;
            eprintln!(
                "    day {day} of {DAYS}, {:.0} s",
                begin.elapsed().as_secs_f64()
            );
        }
    }
    let told = Told {
        scale,
        ways: &ways,
        loads: &loads.crossed,
        direct: &direct.crossed,
    };
    let mut measured = told.measured();
    let wrote = year.source.wrote;
    measured.notes.push(format!(
        "Measured: {:.1} MB at the start, {:.1} MB at the end; data files written {:.1} MB, the change feed {:.2} MB, of which {:.0} % is not values. A \
         data byte stands for {:.0}, a byte of the log for {FILES_STAND_FOR:.0}. A row has {ROW_BYTES} bytes.",
        start_bytes as f64 / 1e6,
        year.source.bytes() as f64 / 1e6,
        wrote.data as f64 / 1e6,
        wrote.feed as f64 / 1e6,
        100.0 * wrote.feed_framing as f64 / (wrote.feed as f64).max(1.0),
        scale.data,
    ));
    measured.figures.push(Figure::new(
        "headline: replicas proved equal to their source, all rows",
        f64::from(proved),
        "proofs",
        Limit::AtLeast(f64::from(u32::try_from(3 * (DAYS / PROVE_EVERY + 1))?)),
    ));
    measured.figures.push(Figure::new(
        "headline: the simulated year took",
        begin.elapsed().as_secs_f64(),
        "s",
        Limit::AtMost(600.0),
    ));
    Ok(measured)
}

/// Fails where a replica's rows are not its source's; how many replicas were looked at.
async fn prove(year: &Year, ways: &[Way]) -> Result<u32> {
    let mut sides = BTreeMap::new();
    for name in [WITHOUT_FEED, WITH_FEED] {
        let table = year.source.table(name)?;
        sides.insert(name, sums(table, year.source.version()).await?);
    }
    let mut proved = 0;
    for way in ways {
        let side = sides.get(way.source).context("no such source")?;
        let rows = way.replica.verify(side).await;
        let rows = rows.with_context(|| format!("{} is not its source", way.name))?;
        anyhow::ensure!(rows > 0, "{} has no rows", way.name);
        proved += 1;
    }
    Ok(proved)
}

/// The year's end.
struct Told<'a> {
    scale: Scale,
    ways: &'a [Way; 3],
    loads: &'a Crossed,
    direct: &'a Crossed,
}

impl Told<'_> {
    /// Of what so many consumers would load each week, the part that did not cross.
    fn saved(&self, way: &Way, consumers: u32) -> f64 {
        let loads = self.scale.year(self.loads) * f64::from(consumers) / f64::from(SHARES);
        1.0 - self.scale.year(&way.all) / loads
    }

    fn headline(&self) -> Value {
        let ways = self.ways.iter().map(|way| {
            let saved = CONSUMERS
                .iter()
                .map(|consumers| (consumers.to_string(), json!(self.saved(way, *consumers))));
            (way.name.to_owned(), Value::Object(saved.collect()))
        });
        Value::Object(ways.collect())
    }

    /// Bytes and money of every way, for each number of consumers.
    fn table(&self) -> Vec<Value> {
        let mut lines = Vec::new();
        for consumers in CONSUMERS {
            let shares = f64::from(consumers) / f64::from(SHARES);
            let base = price::usd(&self.scale.months(self.loads, shares));
            let all: f64 = self.scale.months(self.loads, shares).iter().sum();
            let each = [
                ("weekly full load per consumer", self.loads, shares),
                ("direct reads", self.direct, shares),
            ];
            let ways = self.ways.iter().map(|way| (way.name, &way.all, 1.0));
            for (name, crossed, times) in each.into_iter().chain(ways) {
                let months = self.scale.months(crossed, times);
                let bytes: f64 = months.iter().sum();
                let usd = price::usd(&months);
                lines.push(json!({
                    "consumers": consumers, "way": name, "terabytes": bytes / 1e12, "usd": usd,
                    "saved_bytes": 1.0 - bytes / all, "saved_usd": 1.0 - usd / base,
                    "measured_data_bytes": crossed.sum(|counts| counts.data),
                    "measured_log_bytes": crossed.sum(|counts| counts.log),
                    "measured_requests": crossed.sum(|counts| counts.requests),
                    "times": times, "runs": crossed.runs,
                }));
            }
        }
        lines
    }

    fn measured(&self) -> Measured {
        let [file_copy, without_feed, ours] = self.ways;
        let saved = |way: &Way, consumers: u32, limit| {
            let name = format!("headline: {} saves, {consumers} consumers", way.name);
            Figure::new(name, self.saved(way, consumers), "of 1", limit)
        };
        let whole = |way: &Way| self.scale.year(&way.all);
        let steady = |way: &Way| whole(way) - self.scale.year(&way.first);
        let figures = vec![
            saved(file_copy, 10, Limit::AtLeast(0.65)),
            saved(file_copy, 50, Limit::AtLeast(0.925)),
            Figure::new(
                "headline: file_copy, distance from 66.2 %, 10 consumers",
                (self.saved(file_copy, 10) - 0.662).abs(),
                "of 1",
                Limit::AtMost(0.02),
            ),
            saved(without_feed, 10, Limit::None),
            saved(without_feed, 50, Limit::None),
            saved(ours, 10, Limit::AtLeast(0.95)),
            saved(ours, 50, Limit::AtLeast(0.99)),
            Figure::new(
                "headline: file copy's data bytes against the sizes of the files that were new",
                file_copy.all.sum(|counts| counts.data) as f64 / file_copy.planned.max(1) as f64,
                "x",
                Limit::AtMost(1.01),
            ),
            Figure::new(
                "headline: ours without feed against file copy",
                whole(without_feed) / whole(file_copy),
                "x",
                Limit::AtMost(1.01),
            ),
            Figure::new(
                "headline: ours against file copy, first copy included",
                whole(ours) / whole(file_copy),
                "x",
                Limit::AtMost(0.10),
            ),
            Figure::new(
                "headline: ours against file copy, without the first copy",
                steady(ours) / steady(file_copy),
                "x",
                Limit::AtMost(0.05),
            ),
        ];
        let said = year::SAID.iter().chain(&SAID).copied();
        let mut notes: Vec<String> = said.map(str::to_owned).collect();
        notes.push(price::SAID.to_owned());
        let mut object = serde_json::Map::new();
        object.insert("headline".to_owned(), self.headline());
        object.insert("replication".to_owned(), self.table().into());
        Measured {
            figures,
            notes,
            object,
        }
    }
}
