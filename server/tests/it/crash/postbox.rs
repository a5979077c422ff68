//! Where the crash test's mail and events arrive: a file that outlives the process, as somebody else's server does.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use exchange::ports::{Letter, Mailer, Post, Undelivered, Webhook};
use model::NoticeId;
use serde_json::Value;

struct Postbox(PathBuf);

impl Postbox {
    fn take(&self, line: &str) -> Result<(), Undelivered> {
        let file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.0);
        let written = file.and_then(|mut file| writeln!(file, "{line}"));
        written.map_err(|error| Undelivered::passing(error.to_string()))
    }
}

#[async_trait]
impl Mailer for Postbox {
    async fn send(&self, letter: &Letter) -> Result<(), Undelivered> {
        self.take(&format!("{}: {}", letter.to, letter.subject))
    }
}

#[async_trait]
impl Webhook for Postbox {
    async fn post(&self, _: NoticeId, body: &str) -> Result<(), Undelivered> {
        let event: Value = serde_json::from_str(body).unwrap_or_default();
        self.take(&format!("event: {}", event["kind"]))
    }
}

fn file(folder: &Path) -> PathBuf {
    folder.join("postbox")
}

pub(super) fn post(folder: &Path) -> Post {
    let postbox = Arc::new(Postbox(file(folder)));
    Post {
        mailer: Some(postbox.clone()),
        webhook: Some(postbox),
    }
}

/// What has arrived, once or more often. That a sync failed while processes died is news that may come or not.
pub(super) fn told(folder: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(file(folder)).unwrap_or_default();
    text.lines()
        .filter(|line| !line.to_lowercase().contains("sync"))
        .map(str::to_owned)
        .collect()
}
