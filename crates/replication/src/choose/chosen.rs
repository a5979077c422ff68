//! What was chosen for a plan, and what it comes to.

use std::collections::HashSet;
use std::sync::Arc;

use delta::{AddFile, FileKey, Snapshot};
use sha2::{Digest as _, Sha256};

use crate::diff::copies;
use crate::files::CopyItem;
use crate::foresee::Moves;
use crate::plan::PlanError;
use crate::stands::View;

/// How a set is brought up to date without its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Feed,
    Skip,
}

/// A set of files, and what two ways would take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice {
    pub(crate) way: Way,
    pub(crate) copy: Moves,
    pub(crate) other: Moves,
    pub(crate) is_chosen: bool,
}

/// A file of the replica whose rows are among those of a set.
#[derive(Clone, Debug)]
pub(crate) struct Base {
    pub(crate) file: Arc<AddFile>,
    /// It is copied for that.
    pub(crate) is_new: bool,
}

/// A set that is not copied.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    /// Of the group that it becomes.
    pub(crate) id: String,
    pub(crate) bases: Vec<Base>,
    /// Files of the change feed, and files all of whose rows go: copied to where they are read.
    pub(crate) feeds: Vec<CopyItem>,
    pub(crate) without: Vec<CopyItem>,
    /// What the group stands for.
    pub(crate) ends: Vec<Arc<AddFile>>,
    pub(crate) rows: u64,
    /// Files with rows that a vector hides are written anew, also where the source goes on hiding them.
    pub(crate) purges: bool,
}

/// What was chosen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chosen {
    pub(crate) view: View,
    /// Files of the source that groups stand for.
    pub(crate) stands: HashSet<FileKey>,
    /// Files of the replica that stay for what they stand for.
    pub(crate) keeps: HashSet<FileKey>,
    pub(crate) works: Vec<Work>,
    pub(crate) options: Vec<Choice>,
    /// Nothing was to be chosen: the options say what ways that are switched off would have moved, and their sets are not counted.
    pub(crate) is_weighed_only: bool,
    /// Sets of rewritten files of which there is nothing to choose.
    pub(crate) copied: u64,
    /// Files that are written anew only for the rows that a vector hides in them.
    pub(crate) purged: u64,
    /// Why nothing but copying was thought of, or of some set the first reason.
    pub(crate) why: Option<String>,
}

impl Chosen {
    /// Files, and nothing else; groups are given up.
    pub(crate) fn of_files(held: &Snapshot) -> Self {
        Self {
            view: View::of(held),
            ..Self::default()
        }
    }

    /// What has to cross for what was chosen.
    pub(crate) fn items(&self, held: Option<&Snapshot>) -> Result<Vec<CopyItem>, PlanError> {
        let mut items = Vec::new();
        for work in &self.works {
            let inputs = work.bases.iter().filter(|base| base.is_new);
            let inputs: Vec<_> = inputs.map(|base| Arc::clone(&base.file)).collect();
            items.extend(copies(&inputs, held)?);
            items.extend(work.feeds.iter().chain(&work.without).cloned());
        }
        Ok(items)
    }

    /// How many sets of rewritten files are not copied, and how many are.
    pub(crate) fn sets(&self) -> (u64, u64) {
        if self.is_weighed_only {
            return (0, self.copied);
        }
        let chosen = self.options.iter().filter(|option| option.is_chosen);
        let chosen = chosen.count() as u64;
        (chosen, self.copied + self.options.len() as u64 - chosen)
    }

    /// How many sets the feed is applied to, and the bytes that are fetched for them.
    pub(crate) fn fed(&self) -> (u64, u64) {
        let options = self.options.iter();
        let fed = options.filter(|option| option.is_chosen && option.way == Way::Feed);
        fed.fold((0, 0), |(sets, bytes), option| {
            (sets + 1, bytes + option.other.bytes)
        })
    }

    /// One text for all that was chosen; empty for nothing.
    pub(crate) fn digest(&self) -> String {
        if self.works.is_empty() {
            return String::new();
        }
        let mut hash = Sha256::new();
        let mut part = |text: &str| {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        };
        for work in &self.works {
            part(&work.id);
            for base in &work.bases {
                part(&base.file.path);
                part(base.file.file_key().dv.as_deref().unwrap_or_default());
            }
            for item in work.feeds.iter().chain(&work.without) {
                part(&item.dst);
            }
            for end in &work.ends {
                part(&end.path);
            }
            if work.purges {
                part("purges");
            }
        }
        hex::encode(hash.finalize())
    }
}
