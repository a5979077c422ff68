//! Answers of `/query`, once the state of the table is at hand: how long, how many bytes, how much memory.

use std::process::Command;
use std::thread;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::asking::{Answer, Line, Question, number};
use super::world::{Server, World, path};
use super::{LARGE, MOVING, ROUNDS, SMALL, USUAL};
use crate::bench::{Figure, Limit, median, memory_mb};
use crate::process::{output, run};
use crate::repo::Repo;

/// Files of a page.
const PAGE: usize = 10_000;
/// So often a whole answer and its pages are asked for.
pub(super) const TURNS: usize = 15;
/// Less than that is noise of the allocator's.
const LEAST_MB: f64 = 16.0;

fn ratio(name: &str, value: f64, limit: f64) -> Figure {
    Figure::new(name, value, "x", Limit::AtMost(limit))
}

/// Everything of a table, once asked so that its state is there, and then measured.
fn warm(server: &Server<'_>, table: &str) -> Result<f64> {
    let all = server.query(table, &json!({}));
    server.ask(&all)?;
    server.median(&all, ROUNDS, |answer| answer.whole)
}

pub(super) fn floor(world: &World<'_>) -> Result<Vec<Figure>> {
    let server = world.serve()?;
    let seconds = warm(&server, USUAL.name)?;
    let all = server.query(USUAL.name, &json!({})).keeping();
    let answer = server.ask(&all)?;
    let files = answer.files();
    if files != 100_000 {
        bail!("the answer has {files} files instead of 100000");
    }
    let file = world.folder().join("answer.jsonl");
    std::fs::write(&file, &answer.body)?;
    drop(server);
    let cores = thread::available_parallelism()?.get();
    let floor = world.floor(&file, cores)?;
    Ok(vec![
        ratio(
            "P2, warm answer of 100 k files against its floor",
            seconds / floor,
            3.0,
        ),
        Figure::new("P2, warm answer of 100 k files", seconds, "s", Limit::None),
        Figure::new(
            format!("P2, floor: signing and writing them on {cores} cores"),
            floor,
            "s",
            Limit::None,
        ),
    ])
}

impl World<'_> {
    /// Seconds.
    fn floor(&self, answer: &std::path::Path, threads: usize) -> Result<f64> {
        let repo: &Repo = self.repo();
        let mut build = repo.cargo();
        build.args([
            "build",
            "--quiet",
            "--locked",
            "--release",
            "--package",
            "xtask",
        ]);
        run(build.args(["--features", "floor", "--bin", "floor"]))?;
        let mut floor = Command::new(repo.target.join("release/floor"));
        let floor = floor
            .arg(answer)
            .args([threads.to_string(), ROUNDS.to_string()]);
        let rounds: Vec<f64> = output(floor)?
            .lines()
            .map(str::parse::<f64>)
            .collect::<Result<_, _>>()?;
        Ok(median(rounds))
    }
}

pub(super) fn large(world: &World<'_>) -> Result<Vec<Figure>> {
    let server = world.serve()?;
    let mut first = Vec::new();
    let mut above = Vec::new();
    for table in [SMALL, USUAL, LARGE] {
        let all = server.query(table.name, &json!({}));
        // Twice: what reading the log has left behind is taken up again.
        server.ask(&all)?;
        server.ask(&all)?;
        first.push(server.median(&all, ROUNDS, |answer| answer.first)?);
        above.push(memory_above(&server, &all)?);
    }
    let [small, _, large] = first.as_slice() else {
        bail!("three tables were asked");
    };
    let [_, usual_mb, large_mb] = above.as_slice() else {
        bail!("three tables were asked");
    };
    Ok(vec![
        ratio(
            "P3, first byte of 1 M files against that of 1 k",
            large / small,
            2.0,
        ),
        ratio(
            "P3, memory above what is kept, answering 1 M files against 100 k",
            large_mb.max(LEAST_MB) / usual_mb.max(LEAST_MB),
            1.5,
        ),
        Figure::new(
            "P3, first byte of 1 M files",
            large * 1e3,
            "ms",
            Limit::None,
        ),
        Figure::new(
            "P3, memory above what is kept, 1 M files",
            *large_mb,
            "MB",
            Limit::None,
        ),
    ])
}

/// How much more memory the server takes while it answers than before, in MB.
fn memory_above(server: &Server<'_>, question: &Question) -> Result<f64> {
    let pid = server.process();
    // The kernel's own mark begins anew.
    std::fs::write(format!("/proc/{pid}/clear_refs"), "5").context("begin the mark anew")?;
    let before = memory_mb(pid, "VmRSS").context("the server is gone")?;
    server.ask(question)?;
    let peak = memory_mb(pid, "VmHWM").context("the server is gone")?;
    Ok((peak - before).max(0.0))
}

/// In turns, so that a machine that slows down slows both, and on a connection that is kept, as clients keep theirs.
pub(super) fn pages(world: &World<'_>) -> Result<Vec<Figure>> {
    let server = world.serve()?;
    let mut line = server.line()?;
    let one = server.query(USUAL.name, &json!({}));
    let all = |question: Question| question.keeping();
    let end = |question: Question| question.keeping_end();
    // Once with all files, which are counted.
    let files = [line.answered(&all(one.clone()))?];
    let (_, pages) = all_pages(&server, &mut line, all)?;
    for answers in [files.as_slice(), pages.as_slice()] {
        let files: usize = answers.iter().map(Answer::files).sum();
        if files != 100_000 {
            bail!(
                "{} answers have {files} files instead of 100000",
                answers.len()
            );
        }
    }
    let (mut wholes, mut in_pages) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        let answer = line.answered(&end(one.clone()))?;
        wholes.push(answer.whole);
        same_size(&files, &[answer])?;
        let (seconds, again) = all_pages(&server, &mut line, end)?;
        in_pages.push(seconds);
        same_size(&pages, &again)?;
    }
    let (whole, in_pages) = (median(wholes), median(in_pages));
    let name = format!("P5, {} pages against one answer", pages.len());
    Ok(vec![
        ratio(&name, in_pages / whole, 1.2),
        Figure::new("P5, all pages", in_pages, "s", Limit::None),
        Figure::new("P5, one answer", whole, "s", Limit::None),
    ])
}

/// Seconds of all pages, and what came; `keep`: what of each.
fn all_pages(
    server: &Server<'_>,
    line: &mut Line,
    keep: impl Fn(Question) -> Question,
) -> Result<(f64, Vec<Answer>)> {
    server.pages(line, |token| {
        let mut body = json!({ "maxFiles": PAGE });
        if let Some(token) = token {
            body["pageToken"] = Value::from(token);
        }
        keep(server.query(USUAL.name, &body))
    })
}

/// Refuses answers that are not as long as those that were counted, but for a few bytes: a number that has one digit more.
pub(super) fn same_size(counted: &[Answer], again: &[Answer]) -> Result<()> {
    let bytes = |answers: &[Answer]| number(answers.iter().map(|answer| answer.bytes).sum());
    let (counted, again) = (bytes(counted), bytes(again));
    if (again / counted - 1.0).abs() > 0.000_1 {
        bail!("{again} bytes came instead of {counted}");
    }
    Ok(())
}

pub(super) fn selective(world: &World<'_>) -> Result<Vec<Figure>> {
    let server = world.serve()?;
    let all = server.query(USUAL.name, &json!({}));
    let whole = warm(&server, USUAL.name)?;
    let all_bytes = number(server.ask(&all)?.bytes);

    let partition = json!({ "predicateHints": ["p = 7"] });
    let partition = server.query(USUAL.name, &partition).keeping();
    let answer = server.ask(&partition)?;
    // A hundred files of a hundred thousand are in each of the thousand partitions.
    let files = answer.files();
    if files != 100 {
        bail!("P6: the predicate leaves {files} files instead of 100");
    }
    let selective = server.median(&partition, ROUNDS, |answer| answer.whole)?;

    let limited = server
        .query(USUAL.name, &json!({ "limitHint": 1 }))
        .keeping();
    let one = server.ask(&limited)?.files();
    if one == 0 {
        bail!("P7: limitHint=1 left no file");
    }
    let limited = server.median(&limited, ROUNDS, |answer| answer.whole)?;
    Ok(vec![
        ratio("P6, time of one partition of 1000", selective / whole, 0.1),
        ratio("P6, bytes of it", number(answer.bytes) / all_bytes, 0.005),
        ratio(
            "P7, time of limitHint=1 on 100 k files",
            limited / whole,
            0.05,
        ),
        Figure::new("P6, one partition", selective * 1e3, "ms", Limit::None),
        Figure::new("P7, limitHint=1", limited * 1e3, "ms", Limit::None),
    ])
}

/// In turns, so that a machine that slows down slows both.
pub(super) fn compressed(world: &World<'_>) -> Result<Vec<Figure>> {
    let server = world.serve()?;
    let plain = server.query(USUAL.name, &json!({}));
    let gzip = plain.clone().gzip();
    server.ask(&plain)?;
    server.ask(&gzip)?;
    let (mut plains, mut gzips) = (Vec::new(), Vec::new());
    let (mut bytes, mut gzip_bytes) = (0, 0);
    for _ in 0..TURNS {
        let answer = server.ask(&plain)?;
        plains.push(answer.whole);
        bytes = answer.bytes;
        let answer = server.ask(&gzip)?;
        gzips.push(answer.whole);
        gzip_bytes = answer.bytes;
    }
    let bytes = number(gzip_bytes) / number(bytes);
    Ok(vec![
        ratio("P10, bytes of gzip", bytes, 0.25),
        ratio("P10, time of gzip", median(gzips) / median(plains), 1.3),
    ])
}

/// Nothing turns the access log off. A refusal that is recorded and one of a stranger, which is not, differ by what recording takes, and
/// by finding out who asks: so this is more than recording takes, never less.
pub(super) fn recorded(world: &World<'_>) -> Result<Vec<Figure>> {
    const REFUSALS: usize = 50;
    let server = world.serve()?;
    let whole = warm(&server, USUAL.name)?;
    let middle = |question: &Question, status: u16| -> Result<f64> {
        let mut seconds = Vec::new();
        for _ in 0..=REFUSALS {
            let answer = question.ask(server.address)?;
            if answer.status != status {
                bail!("a refusal is {} instead of {status}", answer.status);
            }
            seconds.push(answer.whole);
        }
        Ok(median(seconds))
    };
    let known = middle(&server.get("none", "version"), 404)?;
    let stranger = middle(&Question::get(path("none", "version")), 401)?;
    let recording = (known - stranger).max(0.0);
    Ok(vec![
        ratio(
            "P11, answer of 100 k files with access log and metering against without, at the most",
            whole / (whole - recording).max(f64::MIN_POSITIVE),
            1.05,
        ),
        Figure::new(
            "P11, recording, at the most",
            recording * 1e3,
            "ms",
            Limit::None,
        ),
    ])
}

pub(super) fn refreshed(world: &World<'_>) -> Result<Vec<Figure>> {
    let server = world.serve()?;
    let original = server.query(MOVING.name, &json!({ "includeRefreshToken": true }));
    let original = original.keeping();
    let answer = server.ask(&original)?;
    let files = answer.files();
    let token = answer
        .of_end("refreshToken")
        .context("the answer has no refresh token")?;
    let warm = server.median(&original, ROUNDS, |answer| answer.whole)?;
    world.table(&MOVING, &json!({ "kind": "shrink", "files": 50_000 }))?;
    let now = server.query(MOVING.name, &json!({})).keeping();
    let left = server.ask(&now)?.files();
    if left + 50_000 != files {
        bail!("{left} files are left of {files}, of which 50000 were removed");
    }
    let refresh = server.query(MOVING.name, &json!({ "refreshToken": token }));
    let refresh = refresh.keeping();
    let again = server.ask(&refresh)?.files();
    if again != files {
        bail!("refreshed are {again} files instead of {files}");
    }
    let seconds = server.median(&refresh, ROUNDS, |answer| answer.whole)?;
    Ok(vec![ratio(
        "P13, new URLs of a pinned version against the first answer, warm",
        seconds / warm,
        1.2,
    )])
}
