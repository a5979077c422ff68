//! `bench`: measures a release build against the limits of the project. Figures go to docs/BENCHMARKS.md.

mod assess;
mod copy;
mod lighthouse;
mod load;
mod portal;
mod products;
mod replication;
mod search;
mod sharing;
mod start;

use std::borrow::Cow;
use std::process::ExitCode;

use anyhow::{Result, bail};
use serde_json::{Map, Value, json};

use crate::bundle::{self, Mode};
use crate::deliver::build_release;
use crate::process::{Running, bound, step};
use crate::repo::Repo;
use crate::setup::{self, Scope};

/// One measured number and what it must keep.
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) unit: Cow<'static, str>,
    pub(crate) limit: Limit,
}

pub(crate) enum Limit {
    AtMost(f64),
    AtLeast(f64),
    /// Shown only.
    None,
}

impl Figure {
    pub(crate) fn new(
        name: impl Into<String>,
        value: f64,
        unit: impl Into<Cow<'static, str>>,
        limit: Limit,
    ) -> Self {
        Self {
            name: name.into(),
            value,
            unit: unit.into(),
            limit,
        }
    }

    fn holds(&self) -> bool {
        match self.limit {
            Limit::AtMost(limit) => self.value <= limit,
            Limit::AtLeast(limit) => self.value >= limit,
            Limit::None => true,
        }
    }

    fn shown(&self) -> String {
        let limit = match self.limit {
            Limit::AtMost(limit) => format!(" (at most {limit})"),
            Limit::AtLeast(limit) => format!(" (at least {limit})"),
            Limit::None => String::new(),
        };
        let verdict = match (&self.limit, self.holds()) {
            (Limit::None, _) => "",
            (_, true) => "  holds",
            (_, false) => "  MISSED",
        };
        format!(
            "{}: {:.3} {}{limit}{verdict}",
            self.name, self.value, self.unit
        )
    }

    fn json(&self, area: &str) -> Value {
        let (at_most, at_least) = match self.limit {
            Limit::AtMost(limit) => (json!(limit), Value::Null),
            Limit::AtLeast(limit) => (Value::Null, json!(limit)),
            Limit::None => (Value::Null, Value::Null),
        };
        json!({ "area": area, "name": self.name, "value": self.value, "unit": self.unit,
                "at_most": at_most, "at_least": at_least, "holds": self.holds() })
    }
}

/// What an area has to say.
#[derive(Default)]
pub(crate) struct Measured {
    pub(crate) figures: Vec<Figure>,
    /// What was assumed, and what was not measured and why.
    pub(crate) notes: Vec<String>,
    /// What else the object of `--json` holds.
    pub(crate) object: Map<String, Value>,
}

impl From<Vec<Figure>> for Measured {
    fn from(figures: Vec<Figure>) -> Self {
        Self {
            figures,
            ..Self::default()
        }
    }
}

type Measuring = fn(&Repo) -> Result<Measured>;

/// A part of the project that is measured by itself.
struct Area {
    name: &'static str,
    measure: Measuring,
    /// What is measured with `--large` only: it takes long, and more memory than a small machine has.
    large: Option<Measuring>,
}

const AREAS: [Area; 8] = [
    Area {
        name: "start",
        measure: |repo| Ok(start::measure(repo)?.into()),
        large: None,
    },
    Area {
        name: "copy",
        measure: |repo| Ok(copy::measure(repo)?.into()),
        large: None,
    },
    Area {
        name: "search",
        measure: |repo| Ok(search::measure(repo)?.into()),
        large: None,
    },
    Area {
        name: "portal",
        measure: |repo| Ok(portal::measure(repo)?.into()),
        large: None,
    },
    Area {
        name: "sharing",
        measure: |repo| Ok(sharing::measure(repo)?.into()),
        large: Some(|repo| Ok(sharing::measure_large(repo)?.into())),
    },
    Area {
        name: "replication",
        measure: replication::measure,
        large: None,
    },
    Area {
        name: "assess",
        measure: |repo| Ok(assess::measure(repo)?.into()),
        large: None,
    },
    Area {
        name: "lighthouse",
        measure: |repo| Ok(lighthouse::measure(repo)?.into()),
        large: None,
    },
];

/// The named areas, or all. With `--json` standard output is one object, and progress goes nowhere else.
pub(crate) fn bench(repo: &Repo, arguments: &[String]) -> Result<ExitCode> {
    let Wanted {
        areas,
        as_json,
        large,
    } = parse(arguments)?;
    let steps = |name: &str, work: &dyn Fn() -> Result<String>| {
        if as_json {
            work().map(drop)
        } else {
            step(name, work)
        }
    };
    if as_json {
        setup::prerequisites(Scope::Run)?;
        setup::npm(repo, "")?;
    } else {
        setup::set_up(repo, Scope::Run)?;
    }
    steps("browser bundle", &|| bundle::build(repo, Mode::Release))?;
    steps("server, release", &|| {
        build_release(repo).map(str::to_owned)
    })?;
    let mut figures = Vec::new();
    let (mut notes, mut object) = (Map::new(), Map::new());
    let mut good = true;
    for area in areas {
        let measure = || -> Result<Measured> {
            let mut measured = (area.measure)(repo)?;
            if let Some(measure) = area.large.filter(|_| large) {
                measured.figures.extend(measure(repo)?.figures);
            }
            Ok(measured)
        };
        let mut measured = Measured::default();
        if as_json {
            measured = measure()?;
        } else {
            step(area.name, || {
                measured = measure()?;
                Ok("")
            })?;
        }
        if !as_json {
            for note in &measured.notes {
                println!("    {note}");
            }
        }
        if !measured.notes.is_empty() {
            notes.insert(area.name.to_owned(), measured.notes.into());
        }
        object.extend(measured.object);
        for figure in measured.figures {
            good &= figure.holds();
            if !as_json {
                println!("    {}", figure.shown());
            }
            figures.push(figure.json(area.name));
        }
    }
    if as_json {
        object.insert("machine".to_owned(), machine());
        object.insert("figures".to_owned(), figures.into());
        object.insert("notes".to_owned(), notes.into());
        println!("{}", Value::Object(object));
    }
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

struct Wanted {
    areas: Vec<&'static Area>,
    as_json: bool,
    large: bool,
}

fn parse(arguments: &[String]) -> Result<Wanted> {
    let mut areas = Vec::new();
    let (mut as_json, mut large) = (false, false);
    for argument in arguments {
        if argument == "--json" {
            as_json = true;
        } else if argument == "--large" {
            large = true;
        } else if let Some(area) = AREAS.iter().find(|area| area.name == argument) {
            areas.push(area);
        } else {
            let names: Vec<&str> = AREAS.iter().map(|area| area.name).collect();
            bail!(
                "no area is called {argument:?}; there are {}",
                names.join(", ")
            );
        }
    }
    if areas.is_empty() {
        areas = AREAS.iter().collect();
    }
    Ok(Wanted {
        areas,
        as_json,
        large,
    })
}

/// What a figure is worth depends on where it was taken.
fn machine() -> Value {
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processor
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .and_then(|rest| rest.split(": ").nth(1));
    json!({
        "processor": model,
        "cores": std::thread::available_parallelism().map(std::num::NonZero::get).ok(),
        "memory_kb": std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| kilobytes(&text, "MemTotal")),
    })
}

/// `VmHWM:     1234 kB` -> 1234.
pub(crate) fn kilobytes(text: &str, field: &str) -> Option<u64> {
    let rest = text
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    rest.trim().strip_suffix(" kB")?.trim().parse().ok()
}

/// A field of a process's `/proc/PID/status` in MB; nothing once the process is gone.
pub(crate) fn memory_mb(pid: u32, field: &str) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    Some(megabytes(kilobytes(&status, field)?))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "sizes of processes are far below 2^52 kB"
)]
fn megabytes(kilobytes: u64) -> f64 {
    kilobytes as f64 * 1024.0 / 1e6
}

/// The release binary.
pub(crate) fn entrepot(repo: &Repo) -> std::path::PathBuf {
    repo.target.join("release/entrepot")
}

/// The release server over a data folder. `environment`: more settings.
pub(crate) fn serve(
    repo: &Repo,
    data: &std::path::Path,
    address: std::net::SocketAddr,
    log: std::fs::File,
    environment: &[(&str, &str)],
) -> Result<Running> {
    // setpriv becomes the server under the same id, so /proc shows the server itself.
    let mut command = bound(&entrepot(repo), None, "KILL");
    command
        .current_dir(&repo.root)
        .arg("serve")
        .arg("--data")
        .arg(data);
    command
        .args(["--addr", &address.to_string()])
        .arg("--site")
        .arg(repo.site())
        .envs(environment.iter().copied());
    Running::start(command.stdout(log.try_clone()?).stderr(log), "TERM")
}

/// The middle of an odd number of measurements.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_judged_by_their_limit() {
        let figure = |value, limit| Figure::new("x", value, "s", limit);
        assert!(figure(1.0, Limit::AtMost(1.0)).holds());
        assert!(!figure(1.1, Limit::AtMost(1.0)).holds());
        assert!(figure(0.7, Limit::AtLeast(0.7)).holds());
        assert!(!figure(0.6, Limit::AtLeast(0.7)).holds());
        assert!(
            !figure(f64::NAN, Limit::AtMost(1.0)).holds(),
            "nothing measured is nothing kept"
        );
        assert!(figure(2.0, Limit::AtMost(1.0)).shown().ends_with("MISSED"));
    }

    #[test]
    fn areas_are_named_or_all() -> Result<()> {
        let words = |words: &[&str]| {
            words
                .iter()
                .map(|word| (*word).to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(parse(&words(&["--json"]))?.areas.len(), AREAS.len());
        let wanted = parse(&words(&["sharing", "--large"]))?;
        assert_eq!((wanted.areas.len(), wanted.areas[0].name), (1, "sharing"));
        assert!(wanted.large && !wanted.as_json);
        assert!(parse(&words(&["speed"])).is_err());
        Ok(())
    }

    #[test]
    fn sizes_of_processes_are_read() {
        assert_eq!(
            kilobytes("Name:\tx\nVmHWM:\t  1234 kB\nVmRSS:\t 99 kB\n", "VmRSS"),
            Some(99)
        );
        assert_eq!(kilobytes("VmHWM:\t  1234 kB\n", "VmRSS"), None);
        assert!(memory_mb(std::process::id(), "VmHWM").is_some_and(|size| size > 0.1));
    }

    #[test]
    fn the_median_is_the_middle() {
        assert!((median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!(median(Vec::new()).is_nan());
    }
}
