//! Lighthouse over pages of the demo world, for somebody who is signed in: as it is by itself, on a slow phone with a slow line.

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::{Figure, Limit, entrepot};
use crate::demo::{PASSWORD, World};
use crate::http;
use crate::process::output;
use crate::repo::Repo;
use crate::setup;

const PAGES: [&str; 4] = [
    "/",
    "/catalog",
    "/products/vehicle-workshop-visits",
    "/costs",
];
const CATEGORIES: [&str; 3] = ["performance", "accessibility", "best-practices"];
/// Owns products and sees what they cost.
const PERSON: &str = "jonas";

pub(super) fn measure(repo: &Repo) -> Result<Vec<Figure>> {
    let place = "end2end/lighthouse";
    setup::npm(repo, place)?;
    let chromium =
        setup::chromium().context("Chromium is missing: sudo apt-get install chromium")?;
    let world = World::start(repo, &entrepot(repo), &repo.target.join("lighthouse"), &[])?;
    // In a file of the world's own folder: arguments of a process are for everybody to read.
    let headers = world.folder().join("headers.json");
    let cookie = http::sign_in(world.address, PERSON, PASSWORD)?;
    std::fs::write(&headers, json!({ "Cookie": cookie }).to_string())?;
    let mut figures = Vec::new();
    for page in PAGES {
        let mut lighthouse = repo.command("node");
        lighthouse
            .current_dir(repo.root.join(place))
            .arg("node_modules/.bin/lighthouse")
            .arg(format!("http://{}{page}", world.address))
            .args(["--quiet", "--output=json", "--no-enable-error-reporting"])
            .arg(format!("--only-categories={}", CATEGORIES.join(",")))
            .arg(format!("--extra-headers={}", headers.display()))
            .arg("--chrome-flags=--headless=new --no-sandbox")
            .env("CHROME_PATH", &chromium);
        figures.extend(scores(page, &output(&mut lighthouse)?)?);
    }
    Ok(figures)
}

/// What a report says of a page. A score that could not be reckoned is none that holds.
fn scores(page: &str, report: &str) -> Result<Vec<Figure>> {
    let report: Value = serde_json::from_str(report).context("Lighthouse did not answer JSON")?;
    if let Some(error) = report["runtimeError"]["message"].as_str() {
        bail!("Lighthouse could not look at {page}: {error}");
    }
    let mut figures: Vec<Figure> = CATEGORIES
        .iter()
        .map(|category| {
            let score = report["categories"][category]["score"].as_f64();
            let percent = score.map_or(f64::NAN, |score| (score * 100.0).round());
            Figure::new(
                format!("{page}, {category}"),
                percent,
                "of 100",
                Limit::AtLeast(95.0),
            )
        })
        .collect();
    let shift = report["audits"]["cumulative-layout-shift"]["numericValue"].as_f64();
    figures.push(Figure::new(
        format!("{page}, layout shift"),
        shift.unwrap_or(f64::NAN),
        "CLS",
        Limit::AtMost(0.0),
    ));
    Ok(figures)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_judged_and_a_missing_one_does_not_hold() -> Result<()> {
        let report = json!({
            "categories": {
                "performance": { "score": 0.95 },
                "accessibility": { "score": 0.94 },
                "best-practices": { "score": null },
            },
            "audits": { "cumulative-layout-shift": { "numericValue": 0.0 } },
        });
        let figures = scores("/costs", &report.to_string())?;
        let names: Vec<&str> = figures.iter().map(|figure| figure.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "/costs, performance",
                "/costs, accessibility",
                "/costs, best-practices",
                "/costs, layout shift"
            ]
        );
        let holds: Vec<bool> = figures.iter().map(Figure::holds).collect();
        assert_eq!(holds, [true, false, false, true]);
        let shifted = json!({ "audits": { "cumulative-layout-shift": { "numericValue": 0.001 } } });
        assert!(!scores("/", &shifted.to_string())?[3].holds());
        Ok(())
    }

    #[test]
    fn a_page_that_did_not_come_is_an_error() {
        let report = json!({ "runtimeError": { "message": "Status code: 404" } });
        assert!(scores("/", &report.to_string()).is_err());
        assert!(scores("/", "").is_err());
    }
}
