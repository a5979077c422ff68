//! The catalog's page over a thousand products, for somebody who is signed in; on SQLite.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::load::{ASKERS, PER_SECOND, open_loop, percentile};
use super::products::{PERSON, Products};
use super::{Figure, Limit};
use crate::http;
use crate::repo::Repo;

const SECONDS: u32 = 20;
const PAGE: &str = "/catalog";
/// The end of a bucket of the server's histogram, as the server writes it.
const LIMIT_SECONDS: &str = "0.02";
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn measure(repo: &Repo) -> Result<Vec<Figure>> {
    on(repo, "SQLite")
}

/// The limit holds for the handler, and a page is handled when it is drawn. What whoever asks has waited is shown beside it.
fn on(repo: &Repo, database: &str) -> Result<Vec<Figure>> {
    let metrics = SocketAddr::from(([127, 0, 0, 1], http::free_port()?));
    let listen = metrics.to_string();
    let environment = [("ENTREPOT__SERVER__METRICS_ADDR", listen.as_str())];
    let products = Products::serve(repo, &environment)?;
    let cookie = http::sign_in(products.address, PERSON, &products.password)?;
    let page = format!("http://{}{PAGE}", products.address);
    let agent = http::agent(ASKERS, PATIENCE);
    let seconds = open_loop(PER_SECOND * SECONDS, PER_SECOND, |_| {
        let answer = http::call(agent.get(page.as_str()).header("Cookie", cookie.as_str()))?;
        if answer.status != 200 || !answer.body.contains("/products/bench-") {
            bail!("{PAGE} answered {} without products", answer.status);
        }
        Ok(())
    })?;
    let counted = http::get(metrics, "/metrics", None, PATIENCE)?.body;
    let within = share_within(&counted, PAGE, LIMIT_SECONDS)
        .with_context(|| format!("the server counted no {PAGE}"))?;
    let ms = |percent| percentile(&seconds, percent) * 1e3;
    let name = |what: &str| format!("{database}: {what}");
    Ok(vec![
        Figure::new(
            name("pages handled within 20 ms"),
            within,
            "%",
            Limit::AtLeast(99.0),
        ),
        Figure::new(name("whole request, p99"), ms(99), "ms", Limit::None),
        Figure::new(name("whole request, p50"), ms(50), "ms", Limit::None),
    ])
}

/// How many percent of a route's GETs were handled within `bound`, by the server's own histogram.
fn share_within(metrics: &str, route: &str, bound: &str) -> Option<f64> {
    let value = |series: String| -> Option<f64> {
        metrics
            .lines()
            .find_map(|line| line.strip_prefix(&series)?.trim().parse().ok())
    };
    let labels = format!("method=\"GET\",route=\"{route}\"");
    let within = value(format!(
        "http_request_seconds_bucket{{{labels},le=\"{bound}\"}}"
    ))?;
    let all = value(format!("http_request_seconds_count{{{labels}}}"))?;
    Some(100.0 * within / all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_of_one_route_and_one_bucket() {
        let metrics = "\
# TYPE http_request_seconds histogram
http_request_seconds_bucket{method=\"GET\",route=\"/catalog/{name}\",le=\"0.02\"} 1
http_request_seconds_bucket{method=\"GET\",route=\"/catalog\",le=\"0.005\"} 100
http_request_seconds_bucket{method=\"GET\",route=\"/catalog\",le=\"0.02\"} 990
http_request_seconds_bucket{method=\"GET\",route=\"/catalog\",le=\"+Inf\"} 1000
http_request_seconds_sum{method=\"GET\",route=\"/catalog\"} 9.5
http_request_seconds_count{method=\"GET\",route=\"/catalog\"} 1000
";
        let share = |route, bound| share_within(metrics, route, bound);
        let is = |share: Option<f64>, expected: f64| {
            share.is_some_and(|share| (share - expected).abs() < 1e-9)
        };
        assert!(is(share(PAGE, LIMIT_SECONDS), 99.0));
        assert!(is(share(PAGE, "0.005"), 10.0));
        assert!(share("/", LIMIT_SECONDS).is_none(), "never asked");
        assert!(share(PAGE, "0.03").is_none(), "no such bucket");
    }
}
