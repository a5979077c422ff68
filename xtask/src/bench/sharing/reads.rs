//! How often the store is asked, what it costs when it is far away, and what a crowd costs others.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::json;

use super::answers::{TURNS, same_size};
use super::asking::{Answer, Line, Question, number};
use super::world::{Counts, Server, World};
use super::{FEED, FEED_CHANGES, FEED_COMMITS, ROUNDS, SMALL, USUAL};
use crate::bench::load::percentile;
use crate::bench::{Figure, Limit, median};

/// Of a store in the same region; milliseconds.
const NEAR: u32 = 20;
/// Of one in another region.
const FAR: u32 = 50;
const AT_ONCE: usize = 100;
const VERSIONS: u32 = 200;

pub(super) fn version(world: &World<'_>) -> Result<Vec<Figure>> {
    let server = world.serve()?;
    server.ask(&server.query(USUAL.name, &json!({ "limitHint": 1 })))?;
    world.store.wait(NEAR)?;
    let measured = near(world, &server);
    world.store.wait(0)?;
    measured
}

fn near(world: &World<'_>, server: &Server<'_>) -> Result<Vec<Figure>> {
    let list = format!("/lake?list-type=2&prefix=bench/{}/_delta_log/", USUAL.name);
    let list = Question::get(list);
    let mut lists = Vec::new();
    for _ in 0..30 {
        lists.push(list.answered(world.store.address)?.whole);
    }
    let raw = median(lists);
    let version = server.get(USUAL.name, "version");
    server.ask(&version)?;
    world.store.counts()?;
    let mut seconds = Vec::new();
    for _ in 0..VERSIONS {
        seconds.push(server.ask(&version)?.whole);
    }
    let counts = world.store.counts()?;
    seconds.sort_by(f64::total_cmp);
    let p99 = percentile(&seconds, 99);
    Ok(vec![
        Figure::new(
            "P4, requests to the store for /version, warm",
            number(counts.requests()) / f64::from(VERSIONS),
            "requests",
            Limit::AtMost(1.0),
        ),
        Figure::new(
            "P4, bytes of checkpoints read for it",
            number(counts.checkpoint_bytes),
            "bytes",
            Limit::AtMost(0.0),
        ),
        Figure::new(
            "P4, p99 of /version against one listing, store at 20 ms",
            p99 / raw,
            "x",
            Limit::AtMost(2.0),
        ),
        Figure::new("P4, p99 of /version", p99 * 1e3, "ms", Limit::None),
    ])
}

pub(super) fn cold(world: &World<'_>) -> Result<Vec<Figure>> {
    let one = at_once(world, 1)?;
    let many = at_once(world, AT_ONCE)?;
    Ok(vec![
        Figure::new(
            "P8, reads of 100 cold requests at once against those of one",
            number(many.gets) / number(one.gets),
            "x",
            Limit::AtMost(1.1),
        ),
        Figure::new(
            "P8, bytes of checkpoints of them",
            number(many.checkpoint_bytes) / number(one.checkpoint_bytes),
            "x",
            Limit::AtMost(1.1),
        ),
        Figure::new("P8, reads of one", number(one.gets), "reads", Limit::None),
        Figure::new(
            "P8, listings of 100, which see what is new",
            number(many.lists),
            "listings",
            Limit::None,
        ),
    ])
}

const CROWD: usize = 500;

/// C-54: five hundred queries at once, and what asking for the server's health takes meanwhile.
pub(super) fn crowd(world: &World<'_>) -> Result<Vec<Figure>> {
    let server = world.serve()?;
    let question = server.query(SMALL.name, &json!({}));
    server.ask(&question)?;
    let health = Question::get("/healthz");
    let (address, ended) = (server.address, AtomicUsize::new(0));
    let mut took = Vec::new();
    let begun = Instant::now();
    let statuses = thread::scope(|scope| -> Result<Vec<u16>> {
        let asking: Vec<_> = (0..CROWD)
            .map(|_| {
                scope.spawn(|| {
                    let answer = question.ask(address).map(|answer| answer.status);
                    ended.fetch_add(1, Ordering::Relaxed);
                    answer
                })
            })
            .collect();
        while ended.load(Ordering::Relaxed) < CROWD {
            let at = begun.elapsed().as_secs_f64();
            took.push((health.answered(address)?.whole, at));
        }
        asking
            .into_iter()
            .map(|thread| thread.join().map_err(|_| anyhow!("a question panicked"))?)
            .collect()
    })?;
    if let Some(other) = statuses.iter().find(|status| !matches!(status, 200 | 429)) {
        bail!("a query of the crowd was answered {other}");
    }
    let whole = statuses.iter().filter(|status| **status == 200).count();
    took.sort_by(|one, other| other.0.total_cmp(&one.0));
    let (slowest, at) = took.first().copied().context("nobody asked for health")?;
    let hundredth = took.get(took.len() / 100).map_or(slowest, |one| one.0);
    Ok(vec![
        Figure::new(
            "C-54, slowest health while 500 queries run at once",
            slowest,
            "s",
            Limit::AtMost(1.0),
        ),
        Figure::new(
            "C-54, so often asked meanwhile",
            f64::from(u32::try_from(took.len())?),
            "times",
            Limit::None,
        ),
        Figure::new("C-54, p99 of health", hundredth * 1e3, "ms", Limit::None),
        Figure::new(
            "C-54, the slowest came so long after the first query",
            at,
            "s",
            Limit::None,
        ),
        Figure::new(
            "C-54, of the queries answered at once",
            f64::from(u32::try_from(whole)?),
            "queries",
            Limit::None,
        ),
    ])
}

/// What so many first questions at once have a server read that knows nothing.
fn at_once(world: &World<'_>, questions: usize) -> Result<Counts> {
    let server = world.serve()?;
    // Answers are short, so that only reading the state takes a while.
    let question = server.query(USUAL.name, &json!({ "limitHint": 1 }));
    let address = server.address;
    world.store.counts()?;
    thread::scope(|scope| {
        let asking: Vec<_> = (0..questions)
            .map(|_| scope.spawn(|| question.answered(address).map(drop)))
            .collect();
        asking.into_iter().try_for_each(|thread| {
            let ended = thread.join();
            ended.map_err(|_| anyhow!("a question panicked"))?
        })
    })?;
    let counts = world.store.counts()?;
    if counts.gets == 0 || counts.checkpoint_bytes == 0 {
        bail!("the store was not asked for the checkpoint");
    }
    Ok(counts)
}

/// Files of a page of changes: there are four pages.
const PAGE: u32 = 6_000;

/// Both of a server that knows nothing of the table yet, and of one that was asked for the same before; in turns, and on connections
/// that are kept.
pub(super) fn changes_in_pages(world: &World<'_>) -> Result<Vec<Figure>> {
    let all = |question: Question| question.keeping();
    let end = |question: Question| question.keeping_end();
    // Once with all changes, which are counted.
    let (counted, counted_pages) = {
        let server = world.serve()?;
        let mut line = server.line()?;
        let answer = [changes_at_once(&server, &mut line, all)?];
        (answer, page_by_page(&server, &mut line, all)?.1)
    };
    // Beside protocol and metadata; only pages end with a line of their own.
    all_changes(&counted, 2)?;
    all_changes(&counted_pages, 3)?;
    let (mut wholes, mut all_pages) = (Vec::new(), Vec::new());
    let mut counts = Counts::default();
    for _ in 0..ROUNDS {
        // Each server has to end before the next one takes the folder.
        let answer = {
            let server = knowing(world)?;
            changes_at_once(&server, &mut server.line()?, end)?
        };
        wholes.push(answer.whole);
        same_size(&counted, &[answer])?;
        let server = knowing(world)?;
        let mut line = server.line()?;
        world.store.counts()?;
        let (seconds, pages) = page_by_page(&server, &mut line, end)?;
        counts = world.store.counts()?;
        all_pages.push(seconds);
        same_size(&counted_pages, &pages)?;
    }
    let server = world.serve()?;
    let mut line = server.line()?;
    changes_at_once(&server, &mut line, end)?;
    let (mut again, mut pages_again, mut later) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..2 * TURNS {
        let answer = changes_at_once(&server, &mut line, end)?;
        again.push(answer.whole);
        same_size(&counted, &[answer])?;
        let (seconds, pages) = page_by_page(&server, &mut line, end)?;
        pages_again.push(seconds);
        same_size(&counted_pages, &pages)?;
        later.extend(pages.iter().skip(1).map(|page| page.whole));
    }
    let (whole, again) = (median(wholes), median(again));
    Ok(vec![
        Figure::new(
            "P5, changes in pages against one answer",
            median(all_pages) / whole,
            "x",
            Limit::AtMost(1.2),
        ),
        Figure::new(
            "P5, the same when asked again",
            median(pages_again) / again,
            "x",
            Limit::AtMost(1.2),
        ),
        Figure::new(
            "P5, reads for all pages of changes",
            number(counts.gets),
            "reads",
            Limit::AtMost(f64::from(FEED_COMMITS + 1) + 3.0),
        ),
        Figure::new("P5, changes in one answer", whole * 1e3, "ms", Limit::None),
        Figure::new(
            "P5, the same when asked again, in one answer",
            again * 1e3,
            "ms",
            Limit::None,
        ),
        Figure::new(
            "P5, a page of changes after the first",
            median(later) * 1e3,
            "ms",
            Limit::None,
        ),
        Figure::new(
            "P5, listings for all pages of changes",
            number(counts.lists),
            "listings",
            Limit::None,
        ),
    ])
}

/// A server that has answered before, but nothing about changes.
fn knowing<'w>(world: &'w World<'_>) -> Result<Server<'w>> {
    let server = world.serve()?;
    server.ask(&server.get(FEED.name, "version"))?;
    Ok(server)
}

/// All of them; `keep`: what of the answer.
fn changes_at_once(
    server: &Server<'_>,
    line: &mut Line,
    keep: impl Fn(Question) -> Question,
) -> Result<Answer> {
    line.answered(&keep(server.get(FEED.name, "changes?startingVersion=0")))
}

/// Seconds until all of them were there, and the pages.
fn page_by_page(
    server: &Server<'_>,
    line: &mut Line,
    keep: impl Fn(Question) -> Question,
) -> Result<(f64, Vec<Answer>)> {
    let asked = format!("changes?startingVersion=0&maxFiles={PAGE}");
    let (seconds, pages) = server.pages(line, |token| {
        let rest = token.map(|token| format!("&pageToken={token}"));
        let path = format!("{asked}{}", rest.unwrap_or_default());
        keep(server.get(FEED.name, &path))
    })?;
    if pages.len() < 4 {
        bail!("changes came in {} pages instead of four", pages.len());
    }
    Ok((seconds, pages))
}

/// Whether all changes are there, beside so many other lines in each answer.
fn all_changes(answers: &[Answer], beside: usize) -> Result<()> {
    let files = answers
        .iter()
        .map(|answer| answer.lines().count().saturating_sub(beside));
    let files: usize = files.sum();
    let expected = 1 + usize::try_from(FEED_COMMITS * FEED_CHANGES)?;
    if files != expected {
        bail!("the changes have {files} files instead of {expected}");
    }
    Ok(())
}

pub(super) fn changes(world: &World<'_>) -> Result<Vec<Figure>> {
    let server = world.serve()?;
    // Who asks is known by then, and the connections to the database are open.
    server.ask(&server.get(FEED.name, "version"))?;
    world.store.wait(FAR)?;
    let measured = far(world, &server);
    world.store.wait(0)?;
    measured
}

fn far(world: &World<'_>, server: &Server<'_>) -> Result<Vec<Figure>> {
    let mut one_by_one = 0.0;
    for version in 0..=FEED_COMMITS {
        let path = format!("/lake/bench/{}/_delta_log/{version:020}.json", FEED.name);
        one_by_one += Question::get(path).answered(world.store.address)?.whole;
    }
    let feed = server.get(FEED.name, "changes?startingVersion=0").keeping();
    world.store.counts()?;
    let answer = server.ask(&feed)?;
    let counts = world.store.counts()?;
    let lines = answer.lines().count();
    // Protocol and metadata; the file of the first version, and of each later one those of its changes.
    let expected = 3 + usize::try_from(FEED_COMMITS * FEED_CHANGES)?;
    if lines != expected {
        bail!("the change feed has {lines} lines instead of {expected}");
    }
    // That first one: later ones are told from what it read.
    let seconds = answer.whole;
    let commits = f64::from(FEED_COMMITS + 1);
    Ok(vec![
        Figure::new(
            format!("P15, reads for the changes of {commits} commits"),
            number(counts.gets + counts.heads),
            "reads",
            Limit::AtMost(commits + 3.0),
        ),
        Figure::new(
            "P15, time against reading them one by one, store at 50 ms",
            seconds / one_by_one,
            "x",
            Limit::AtMost(0.3),
        ),
        Figure::new("P15, changes", seconds, "s", Limit::None),
    ])
}
