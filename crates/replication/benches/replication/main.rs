//! What `cargo xtask bench replication` measures: the headline's year, and the other targets of replication. A program of its own,
//! because it calls the engine itself, and has to be optimised. It prints one JSON object: figures, notes, and what else the
//! benchmark's object is to hold.

mod actions;
mod child;
mod figure;
mod headline;
mod planning;
mod price;
mod rclone;
mod rows;
mod server;
mod small;
mod source;
mod stores;
mod sync;
mod targets;
mod year;

use std::path::Path;

use anyhow::{Result, bail};
use serde_json::{Map, Value, json};

use crate::figure::{Figure, kept};

/// What a part of the benchmark has to say.
#[derive(Default)]
struct Measured {
    figures: Vec<Figure>,
    /// What was assumed, and what was not measured and why.
    notes: Vec<String>,
    object: Map<String, Value>,
}

impl Measured {
    fn print(self) {
        let figures: Vec<Value> = self.figures.iter().map(Figure::json).collect();
        println!(
            "{}",
            json!({ "figures": figures, "notes": self.notes, "object": self.object })
        );
    }
}

const USAGE: &str = "usage: replication headline FOLDER
       replication targets FOLDER [AZURE-ENDPOINT]
       replication copy SOURCE MANIFEST RECEIPTS TARGET
`cargo xtask bench replication` runs it.";

#[tokio::main]
async fn main() -> Result<()> {
    // Cargo's own word for every benchmark.
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] => println!("{USAGE}"),
        ["headline", folder] => {
            let measured = headline::measure(Path::new(folder)).await;
            // The other targets are measured all the same.
            let failed = |error| Measured {
                figures: kept("headline", Err(error)),
                ..Measured::default()
            };
            measured.unwrap_or_else(failed).print();
        }
        ["targets", folder] => targets::measure(Path::new(folder), None).await?.print(),
        ["targets", folder, azure] => {
            targets::measure(Path::new(folder), Some(*azure))
                .await?
                .print();
        }
        ["copy", source, manifest, receipts, target] => {
            child::copy(source, manifest, receipts, target).await?;
        }
        _ => bail!("{USAGE}"),
    }
    Ok(())
}
