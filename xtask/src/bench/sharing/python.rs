//! Rows in a data frame: through the share, against the same files read directly by `deltalake`. Through the share read its Python
//! connector, in two formats, and `deltalake` itself with a credential that the share lends.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::world::{World, named};
use super::{REAL, ROUNDS};
use crate::bench::{Figure, Limit, median};

pub(super) fn measure(world: &World<'_>) -> Result<Vec<Figure>> {
    let server = world.serve()?;
    let profile = world.profile(&server)?;
    let read = |way: &str| -> Result<(f64, f64)> {
        let asked = json!({
            "profile": profile,
            "table": named(REAL.name),
            "way": way,
            "url": format!("s3://lake/bench/{}", REAL.name),
            "storage_options": {
                "AWS_ENDPOINT_URL": format!("http://{}", world.store.address),
                "AWS_ALLOW_HTTP": "true",
                "AWS_REGION": "eu-central-1",
                "AWS_ACCESS_KEY_ID": "AKIABENCH",
                "AWS_SECRET_ACCESS_KEY": "bench-secret",
            },
            "rounds": ROUNDS,
        });
        let measured = world.python("bench_read.py", &asked)?;
        Ok((middle(&measured["shared"])?, middle(&measured["direct"])?))
    };
    let (delta, direct) = read("delta")?;
    let (parquet, direct_again) = read("parquet")?;
    let (lent, direct_to_lent) = read("lent")?;
    // What of it is ours: the connector reads the files by itself.
    let all = server.query(REAL.name, &json!({}));
    let ours = server.median(&all, ROUNDS, |answer| answer.whole)?;
    let ratios = [delta / direct, parquet / direct_again];
    Ok(vec![
        Figure::new(
            "P12, Python's connector over 1 k files against deltalake, in the faster of its two ways",
            ratios[0].min(ratios[1]),
            "x",
            Limit::AtMost(1.15),
        ),
        Figure::new(
            "P12, with a credential lent for the table's folder",
            lent / direct_to_lent,
            "x",
            Limit::AtMost(1.15),
        ),
        Figure::new("P12, in the delta format", ratios[0], "x", Limit::None),
        Figure::new("P12, in the parquet format", ratios[1], "x", Limit::None),
        Figure::new(
            "P12, of that the server's answer",
            100.0 * ours / delta.min(parquet),
            "%",
            Limit::None,
        ),
    ])
}

fn middle(seconds: &Value) -> Result<f64> {
    let seconds = seconds.as_array().context("the program gave no times")?;
    let seconds: Option<Vec<f64>> = seconds.iter().map(Value::as_f64).collect();
    Ok(median(seconds.context("a time is no number")?))
}
