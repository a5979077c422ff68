//! `entrepot billing import-access-log`: a store's access log from a file, some of its lines at a time, or from where the store
//! keeps it, which is a worker's.

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};

use super::call::{Act, Client};
use super::columns::{at, bytes, facts};
use super::show::Show;
use super::{Globals, print, show};
use crate::workers::access_log::Lines;

/// So much of the file is read at a time.
const BLOCK: usize = 16 * 1024;

#[derive(Debug, Args)]
pub(super) struct ImportAccessLog {
    /// The storage whose bucket the log tells of
    storage: String,
    /// A file with lines of the S3 server access log
    #[arg(required_unless_present = "lies_in", conflicts_with = "lies_in")]
    file: Option<PathBuf>,
    /// Instead the storage in which the log lies; a worker reads it
    #[arg(long, value_name = "STORAGE")]
    lies_in: Option<String>,
    /// The folder of that storage
    #[arg(long, requires = "lies_in")]
    prefix: Option<String>,
}

/// What is added up over the parts of a file.
const SUMS: [&str; 8] = [
    "lines",
    "counted",
    "bytes",
    "repeated",
    "unmatched",
    "others",
    "too_old",
    "unreadable",
];

impl ImportAccessLog {
    pub(super) const fn is_of_file(&self) -> bool {
        self.file.is_some()
    }

    pub(super) fn act(self) -> Act {
        let mut body = json!({ "storage": self.storage, "lies_in": self.lies_in });
        if let Some(prefix) = self.prefix {
            body["prefix"] = Value::from(prefix);
        }
        Act::post(&["billing", "access-log"])
            .body(body)
            .show(Show::words(words))
    }

    /// The file in parts, each a call of its own. Cut short it may be given again: no line counts twice.
    pub(super) async fn import(&self, globals: &Globals) -> anyhow::Result<ExitCode> {
        let file = self.file.as_deref().unwrap_or(Path::new(""));
        let cannot = || format!("{} cannot be read", file.display());
        let mut from = BufReader::new(File::open(file).with_context(cannot)?);
        let client = globals.client().await?;
        let mut lines = Lines::default();
        let mut block = vec![0; BLOCK];
        let mut all = json!({ "queued": false });
        for sum in SUMS {
            all[sum] = Value::from(0_u64);
        }
        loop {
            let length = from.read(&mut block).with_context(cannot)?;
            if length == 0 {
                break;
            }
            let read = block.get(..length).unwrap_or_default();
            if let Some(whole) = lines.put(read) {
                self.send(&client, whole, &mut all).await?;
            }
        }
        let rest = lines.end();
        if !rest.is_empty() {
            self.send(&client, rest, &mut all).await?;
        }
        let text = if globals.json {
            show::json(&all)
        } else {
            words(&all)
        };
        print(&text);
        Ok(ExitCode::SUCCESS)
    }

    async fn send(&self, client: &Client, lines: String, all: &mut Value) -> anyhow::Result<()> {
        let body = json!({ "storage": self.storage, "lines": lines });
        let call = Act::post(&["billing", "access-log"]).body(body).call;
        let found = client.perform(&call).await?;
        for sum in SUMS {
            let both = [&all[sum], &found[sum]].map(|figure| figure.as_u64().unwrap_or(0));
            all[sum] = Value::from(both[0].saturating_add(both[1]));
        }
        Ok(())
    }
}

fn words(found: &Value) -> String {
    if found["queued"] == Value::Bool(true) {
        return "A worker reads it; `entrepot work list` shows how that goes.\n".to_owned();
    }
    facts(
        &[
            ("Lines", |f| at(f, "/lines")),
            ("Counted now", |f| at(f, "/counted")),
            ("Their bytes", |f| bytes(f, "/bytes")),
            ("Counted before", |f| at(f, "/repeated")),
            ("By no URL of ours", |f| at(f, "/unmatched")),
            ("Other requests", |f| at(f, "/others")),
            ("Too old", |f| at(f, "/too_old")),
            ("Unreadable", |f| at(f, "/unreadable")),
        ],
        found,
    )
}
