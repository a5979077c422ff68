//! The sharing protocol over large tables: ratios to what cannot be done without, or to a larger answer of the same server in the
//! same run. The numbers P2 to P16 are those of docs/BENCHMARKS.md. Everything is asked over HTTP, of the release server, over a
//! store that counts what it is asked (`end2end/python/bench_store.py`).

mod answers;
mod asking;
mod python;
mod reads;
mod world;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::json;

use self::asking::number;
use self::world::{Kind, Table, World};
use super::{Figure, Limit, memory_mb};
use crate::repo::Repo;

/// Enough for a middle that one busy moment does not move.
const ROUNDS: usize = 5;

const SMALL: Table = Table {
    name: "t1k",
    kind: Kind::Files(1_000),
};
const USUAL: Table = Table {
    name: "t100k",
    kind: Kind::Files(100_000),
};
const LARGE: Table = Table {
    name: "t1m",
    kind: Kind::Files(1_000_000),
};
/// Gets one more version while it is measured.
const MOVING: Table = Table {
    name: "moving",
    kind: Kind::Files(100_000),
};
const FEED: Table = Table {
    name: "feed",
    kind: Kind::Feed(FEED_COMMITS),
};
const FEED_COMMITS: u32 = 100;
/// Files of changes in each of them.
const FEED_CHANGES: u32 = 200;
const REAL: Table = Table {
    name: "real",
    kind: Kind::Rows(1_000, 2_000),
};
/// Twelve times as many files as Databricks shares of a table.
const HUGE: Table = Table {
    name: "t5m",
    kind: Kind::Files(5_000_000),
};
/// 2 GiB.
const HUGE_MEMORY_MB: f64 = 2_147.5;

/// No case begins later than that after the first one: a run that hangs somewhere ends all the same, and says what is missing.
const MOST_TIME: Duration = Duration::from_secs(720);

type Case = (&'static str, fn(&World<'_>) -> Result<Vec<Figure>>);

const CASES: [Case; 13] = [
    ("P2, warm answer against its floor", answers::floor),
    (
        "P3, the first byte and memory of large answers",
        answers::large,
    ),
    ("P4, version", reads::version),
    ("P5, pages", answers::pages),
    ("P5, pages of changes", reads::changes_in_pages),
    ("P6 and P7, predicates and limits", answers::selective),
    ("P8, cold requests at once", reads::cold),
    ("C-54, five hundred queries at once", reads::crowd),
    ("P10, compressed answers", answers::compressed),
    ("P11, access log and metering", answers::recorded),
    ("P13, new URLs of a pinned version", answers::refreshed),
    ("P15, change feed from afar", reads::changes),
    // The longest, and mostly the client's.
    ("P12, Python end to end", python::measure),
];

pub(super) fn measure(repo: &Repo) -> Result<Vec<Figure>> {
    let tables = [SMALL, USUAL, LARGE, MOVING, FEED, REAL];
    let world = World::make(repo, &tables)?;
    let begun = Instant::now();
    let mut figures = Vec::new();
    for (name, case) in CASES {
        let measured = if begun.elapsed() < MOST_TIME {
            case(&world)
        } else {
            Err(anyhow!("the cases before it have taken all the time"))
        };
        figures.extend(kept(name, measured));
    }
    Ok(figures)
}

pub(super) fn measure_large(repo: &Repo) -> Result<Vec<Figure>> {
    let world = World::make(repo, &[HUGE])?;
    Ok(kept("P16, five million files", huge(&world)))
}

/// A case that could not be measured is one that missed; the others are measured all the same.
fn kept(name: &str, measured: Result<Vec<Figure>>) -> Vec<Figure> {
    measured.unwrap_or_else(|error| {
        let name = format!("{name}: not measured, {error:#}");
        vec![Figure::new(name, f64::NAN, "x", Limit::AtMost(0.0))]
    })
}

fn huge(world: &World<'_>) -> Result<Vec<Figure>> {
    let Kind::Files(files) = HUGE.kind else {
        bail!("it is a table of files");
    };
    let server = world.serve()?;
    let page = server.query(HUGE.name, &json!({ "maxFiles": 1_000 }));
    let page = server.ask(&page.keeping())?;
    if page.files() != 1_000 {
        bail!("the first page has {} files instead of 1000", page.files());
    }
    let read = memory_mb(server.process(), "VmHWM").context("the server is gone")?;
    let whole = server.ask(&server.query(HUGE.name, &json!({})))?;
    // Lines are longer than that; an answer that breaks off is an error by itself.
    if whole.bytes < u64::from(files) * 300 {
        bail!("the whole answer has {} bytes only", whole.bytes);
    }
    let peak = memory_mb(server.process(), "VmHWM").context("the server is gone")?;
    Ok(vec![
        Figure::new(
            "P16, peak memory over 5 M files, a page and the whole answer",
            peak,
            "MB",
            Limit::AtMost(HUGE_MEMORY_MB),
        ),
        Figure::new(
            "P16, of that to read the table's state",
            read,
            "MB",
            Limit::None,
        ),
        Figure::new("P16, first page, cold", page.whole, "s", Limit::None),
        Figure::new("P16, whole answer", whole.whole, "s", Limit::None),
        Figure::new(
            "P16, whole answer",
            number(whole.bytes) / 1e6,
            "MB",
            Limit::None,
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_measured_is_missed_and_says_why() {
        let figures = kept("P9", Err(anyhow!("status 500")));
        assert_eq!(figures.len(), 1);
        assert!(!figures[0].holds());
        assert!(
            figures[0]
                .shown()
                .starts_with("P9: not measured, status 500")
        );
    }
}
