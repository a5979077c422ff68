//! The folders directly in a folder, read page by page: one that holds a million objects is not held in memory at once.

use std::borrow::Cow;
use std::collections::BTreeSet;

use async_trait::async_trait;
use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::path::Path;
use object_store::{ListResult, ObjectStore as _, Result};

use crate::Store;
use crate::store::Kind;

/// Folders directly in a folder, by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Level {
    pub folders: BTreeSet<String>,
    /// Everything in the folder was seen.
    pub is_whole: bool,
}

impl Level {
    /// What a listing with a delimiter shows.
    pub fn of(listed: &ListResult) -> Self {
        let mut level = Self::default();
        level.add(listed);
        level.is_whole = true;
        level
    }

    fn add(&mut self, listed: &ListResult) {
        let prefixes = listed.common_prefixes.iter();
        let names = prefixes.filter_map(|path| path.filename().map(str::to_owned));
        self.folders.extend(names);
    }
}

/// Looks into one folder, and not below it.
#[async_trait]
pub trait Levels: Send + Sync {
    /// Once so many objects and folders were seen in the folder as `most` says, no more of them are asked for.
    async fn level(&self, folder: &Path, most: usize) -> Result<Level>;
}

#[async_trait]
impl Levels for Store {
    async fn level(&self, folder: &Path, most: usize) -> Result<Level> {
        match self.kind() {
            Kind::File(files) => files.level(folder, most).await,
            Kind::Cloud(cloud) => paged(&*cloud.pages, &self.full(folder), most).await,
            // What another's server lists is bounded where it is read.
            Kind::Share(share) => Ok(Level::of(&share.list_with_delimiter(Some(folder)).await?)),
        }
    }
}

async fn paged(pages: &dyn PaginatedListStore, folder: &Path, most: usize) -> Result<Level> {
    let prefix = (!folder.is_root()).then(|| format!("{folder}/"));
    let mut level = Level::default();
    let (mut seen, mut token) = (0, None);
    loop {
        let options = PaginatedListOptions {
            delimiter: Some(Cow::Borrowed("/")),
            page_token: token,
            ..PaginatedListOptions::default()
        };
        let page = pages.list_paginated(prefix.as_deref(), options).await?;
        seen += page.result.objects.len() + page.result.common_prefixes.len();
        level.add(&page.result);
        token = page.page_token;
        level.is_whole = token.is_none();
        if level.is_whole || seen >= most {
            return Ok(level);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use object_store::list::PaginatedListResult;

    use super::*;

    /// A folder with a million folders in it, a thousand on each page.
    #[derive(Default)]
    struct Wide {
        pages: AtomicUsize,
    }

    const PAGE: usize = 1_000;

    #[async_trait]
    impl PaginatedListStore for Wide {
        async fn list_paginated(
            &self,
            prefix: Option<&str>,
            options: PaginatedListOptions,
        ) -> Result<PaginatedListResult> {
            assert_eq!(prefix, Some("lake/"));
            assert_eq!(options.delimiter.as_deref(), Some("/"));
            self.pages.fetch_add(1, Ordering::SeqCst);
            let from: usize = options.page_token.map_or(0, |token| token.parse().unwrap());
            let folders = (from..from + PAGE).map(|number| format!("lake/{number:07}/"));
            let next = from + PAGE;
            Ok(PaginatedListResult {
                result: ListResult {
                    common_prefixes: folders.map(|path| Path::parse(path).unwrap()).collect(),
                    objects: Vec::new(),
                },
                page_token: (next < 1_000_000).then(|| next.to_string()),
            })
        }
    }

    #[tokio::test]
    async fn of_a_folder_with_a_million_in_it_no_more_is_asked_for_than_is_wanted() {
        let wide = Wide::default();
        let level = paged(&wide, &Path::from("lake"), 4_500).await.unwrap();
        assert!(!level.is_whole);
        assert_eq!(level.folders.len(), 5 * PAGE);
        assert_eq!(level.folders.first().unwrap(), "0000000");
        assert_eq!(wide.pages.load(Ordering::SeqCst), 5);
    }
}
