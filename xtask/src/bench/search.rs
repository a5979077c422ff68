//! Search and list over a thousand products: an open loop, so that a slow answer does not slow the questions.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::{Figure, Limit, entrepot, serve};
use crate::http;
use crate::process::{Folder, output};
use crate::repo::Repo;
use crate::services::tail;

const PRODUCTS: usize = 1000;
const PER_SECOND: u32 = 50;
const SECONDS: u32 = 60;
/// Enough that one is always free: 32 questions under way at 50 per second mean answers that take 640 ms.
const ASKERS: usize = 32;
const WORDS: [&str; 8] = [
    "workshop", "warranty", "battery", "dealer", "parts", "service", "recall", "mileage",
];

pub(super) fn measure(repo: &Repo) -> Result<Vec<Figure>> {
    let folder = Folder::temporary("bench-search")?;
    let data = folder.path().join("data");
    let lake = folder.path().join("lake");
    let declaration = folder.path().join("entrepot.yml");
    std::fs::write(&declaration, declare(&lake))?;
    for number in 0..PRODUCTS {
        empty_table(&lake.join(format!("t{number:04}")), number)?;
    }
    let limits = (
        "ENTREPOT__STORAGE__FILE_ROOTS",
        folder.path().display().to_string(),
    );
    let command = |arguments: &[&str]| {
        let mut command = repo.command(entrepot(repo));
        command
            .args(arguments)
            .arg("--data")
            .arg(&data)
            .env(limits.0, &limits.1);
        command
    };
    output(&mut command(&["migrate"]))?;
    output(command(&["deploy"]).arg(&declaration))?;
    output(command(&["user", "create", "--generate"]).arg("bench"))?;
    let answer =
        output(command(&["token", "create", "--json"]).args(["--person", "bench", "bench"]))?;
    let answer: Value = serde_json::from_str(&answer)
        .context("`entrepot token create --json` did not answer JSON")?;
    let token = answer["token"]
        .as_str()
        .context("`entrepot token create --json` gave no token")?
        .to_owned();

    let address = SocketAddr::from(([127, 0, 0, 1], http::free_port()?));
    let log_file = folder.path().join("log");
    let mut server = serve(repo, &data, address, std::fs::File::create(&log_file)?)?;
    server
        .wait_until("the server", Duration::from_secs(30), || {
            http::is_ready(address)
        })
        .with_context(|| tail(&log_file))?;
    let seconds = open_loop(PER_SECOND * SECONDS, PER_SECOND, |number| {
        question(address, number, &token)
    })?;
    Ok(vec![
        Figure {
            name: "p99",
            value: percentile(&seconds, 99) * 1e3,
            unit: "ms",
            limit: Limit::AtMost(20.0),
        },
        Figure {
            name: "p50",
            value: percentile(&seconds, 50) * 1e3,
            unit: "ms",
            limit: Limit::None,
        },
        Figure {
            name: "worst",
            value: percentile(&seconds, 100) * 1e3,
            unit: "ms",
            limit: Limit::None,
        },
    ])
}

/// Words, two words, a name, a plain list, by turns.
fn question(address: SocketAddr, number: u32, token: &str) -> Result<()> {
    let number = number as usize;
    let (word, other) = (
        WORDS[number % WORDS.len()],
        WORDS[(number / 3) % WORDS.len()],
    );
    let path = match number % 4 {
        0 => format!("/api/v1/products?q={word}"),
        1 => format!("/api/v1/products?q={word}+{other}"),
        2 => format!("/api/v1/products?q=bench-{word}-{:04}", number % PRODUCTS),
        _ => "/api/v1/products".to_owned(),
    };
    let answer = http::get(address, &path, Some(token), Duration::from_secs(10))?;
    if answer.status != 200 {
        bail!("{path} answered {}: {}", answer.status, answer.body);
    }
    Ok(())
}

/// Asks `total` times, `per_second`; every answer's time counts from when its question was due, so that waiting for a
/// free asker counts too. The times in seconds, sorted.
fn open_loop(
    total: u32,
    per_second: u32,
    ask: impl Fn(u32) -> Result<()> + Sync,
) -> Result<Vec<f64>> {
    let next = AtomicU32::new(0);
    let times = Mutex::new(Vec::new());
    let failure = Mutex::new(None);
    let begin = Instant::now();
    thread::scope(|scope| {
        for _ in 0..ASKERS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= total {
                        return;
                    }
                    let due = begin + Duration::from_secs(1) * number / per_second;
                    thread::sleep(due.saturating_duration_since(Instant::now()));
                    match ask(number) {
                        Ok(()) => times
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .push(due.elapsed().as_secs_f64()),
                        Err(error) => {
                            next.store(total, Ordering::Relaxed);
                            failure
                                .lock()
                                .unwrap_or_else(PoisonError::into_inner)
                                .get_or_insert(error);
                            return;
                        }
                    }
                }
            });
        }
    });
    if let Some(error) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let mut times = times.into_inner().unwrap_or_else(PoisonError::into_inner);
    times.sort_by(f64::total_cmp);
    Ok(times)
}

/// Nearest rank; `values` are sorted.
fn percentile(values: &[f64], percent: usize) -> f64 {
    let rank = (values.len() * percent).div_ceil(100).max(1);
    values.get(rank - 1).copied().unwrap_or(f64::NAN)
}

fn declare(lake: &Path) -> String {
    let mut text = format!(
        "exchange: {{ name: bench }}\n\
         domains: {{ bench: {{ title: Bench }} }}\n\
         teams: {{ bench: {{ domain: bench, title: Bench, cost_center: \"1\" }} }}\n\
         storages: {{ bench: {{ cloud: aws, region: eu-central-1, url: \"file://{}\" }} }}\n\
         products:\n",
        lake.display()
    );
    for number in 0..PRODUCTS {
        let (one, two) = (
            WORDS[number % WORDS.len()],
            WORDS[(number / WORDS.len()) % WORDS.len()],
        );
        // A String takes whatever is written to it.
        let _ = write!(
            text,
            "  bench-{one}-{number:04}:\n    title: The {one} of {two} number {number}\n    team: bench\n    storage: bench\n    \
             classification: public\n    access: {{ policy: owner }}\n    \
             tables: [{{ name: {two}, schema: default, path: t{number:04}, format: delta }}]\n"
        );
    }
    text
}

/// A Delta table without rows: one commit with protocol and metadata.
fn empty_table(folder: &Path, number: usize) -> Result<()> {
    let field = |name: &str, kind: &str| json!({ "name": name, "type": kind, "nullable": true, "metadata": {} });
    let schema = json!({ "type": "struct", "fields": [field("vin", "string"), field("visited_at", "timestamp"), field("mileage", "long")] });
    let protocol = json!({ "protocol": { "minReaderVersion": 1, "minWriterVersion": 2 } });
    let metadata = json!({ "metaData": {
        "id": format!("00000000-0000-4000-8000-{number:012}"), "format": { "provider": "parquet", "options": {} },
        "schemaString": schema.to_string(), "partitionColumns": [], "configuration": {}, "createdTime": 1_767_225_600_000_u64 } });
    let log = folder.join("_delta_log");
    std::fs::create_dir_all(&log)?;
    std::fs::write(
        log.join(format!("{:020}.json", 0)),
        format!("{protocol}\n{metadata}\n"),
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let values: Vec<f64> = (1..=200).map(f64::from).collect();
        for (percent, expected) in [(99, 198.0), (50, 100.0), (100, 200.0), (0, 1.0)] {
            assert!(
                (percentile(&values, percent) - expected).abs() < f64::EPSILON,
                "{percent}"
            );
        }
        assert!(percentile(&[], 99).is_nan());
    }

    #[test]
    fn the_loop_stays_open_while_answers_wait() -> Result<()> {
        // The first question is answered only once ten later ones have been asked: a closed loop would never get there.
        let asked = AtomicU32::new(0);
        let times = open_loop(20, 1000, |number| {
            asked.fetch_add(1, Ordering::SeqCst);
            let begin = Instant::now();
            while number == 0 && asked.load(Ordering::SeqCst) < 11 {
                if begin.elapsed() > Duration::from_secs(20) {
                    bail!("nobody else asks");
                }
                thread::yield_now();
            }
            Ok(())
        })?;
        assert_eq!(times.len(), 20);
        Ok(())
    }

    #[test]
    fn one_failure_fails_the_loop() {
        let result = open_loop(50, 1000, |number| {
            if number == 7 {
                bail!("status 500")
            } else {
                Ok(())
            }
        });
        assert_eq!(result.expect_err("it failed").to_string(), "status 500");
    }

    #[test]
    fn the_declaration_names_every_product_once() {
        let text = declare(Path::new("/lake"));
        assert_eq!(text.matches("\n    title: ").count(), PRODUCTS);
        assert!(text.contains("  bench-workshop-0000:\n    title: The workshop of workshop number 0\n    team: bench\n"));
    }
}
