//! Keyset pages: `after` is the key of the last row seen, `limit` the size of the page.

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// The most rows one page may hold.
pub const MAX_LIMIT: u32 = 200;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageRequest {
    /// What the page before gave as `next`.
    #[serde(default)]
    pub after: Option<String>,
    /// 1 to [`MAX_LIMIT`]; 50 when absent.
    #[serde(default)]
    pub limit: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Present when there is more: hand it back as `after`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl PageRequest {
    pub fn all() -> Self {
        Self {
            after: None,
            limit: Some(MAX_LIMIT),
        }
    }

    pub fn limit(&self) -> usize {
        usize::try_from(self.limit.unwrap_or(50).clamp(1, MAX_LIMIT)).unwrap_or(50)
    }

    /// One more than the page holds, to see whether there is a next one.
    pub fn fetch(&self) -> i64 {
        i64::try_from(self.limit() + 1).unwrap_or(i64::MAX)
    }

    /// `after` as text; empty for the first page.
    pub fn after_text(&self) -> &str {
        self.after.as_deref().unwrap_or("")
    }

    pub fn after_number(&self) -> Result<Option<i64>, Error> {
        self.parse_after()
    }

    /// `after` as the key it was made of.
    pub fn parse_after<T: std::str::FromStr>(&self) -> Result<Option<T>, Error> {
        match self.after.as_deref() {
            None | Some("") => Ok(None),
            Some(text) => text.parse().map(Some).map_err(|_| {
                Error::invalid(
                    "after",
                    "not a page's `next`; leave it out for the first page",
                )
            }),
        }
    }

    /// Cuts what [`PageRequest::fetch`] brought to a page.
    pub fn cut<T>(&self, mut items: Vec<T>, key: impl Fn(&T) -> String) -> Page<T> {
        let next = if items.len() > self.limit() {
            items.truncate(self.limit());
            items.last().map(key)
        } else {
            None
        };
        Page { items, next }
    }
}
