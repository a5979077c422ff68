//! Where the rest of an answer stands while the client takes a piece.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Where the files stand while the client takes a piece. If it takes none for too long, they are let go of, and with them
/// their memory and their place.
pub(super) struct Shelf<T>(Arc<Mutex<Standing<T>>>);

struct Standing<T> {
    files: Option<T>,
    /// How often they were put here.
    puts: u64,
}

impl<T: Send + 'static> Shelf<T> {
    pub(super) fn new(patience: Duration) -> Self {
        let standing = Arc::new(Mutex::new(Standing {
            files: None,
            puts: 0,
        }));
        let watched = Arc::downgrade(&standing);
        tokio::spawn(async move {
            let mut seen = 0;
            loop {
                tokio::time::sleep(patience).await;
                let Some(standing) = watched.upgrade() else {
                    return;
                };
                let mut standing = standing.lock().unwrap_or_else(PoisonError::into_inner);
                if standing.files.is_some() && standing.puts == seen {
                    standing.files = None;
                    return;
                }
                seen = standing.puts;
            }
        });
        Self(standing)
    }

    pub(super) fn put(&self, files: T) {
        let mut standing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        standing.files = Some(files);
        standing.puts += 1;
    }

    /// None: they were let go of.
    pub(super) fn take(&self) -> Option<T> {
        let mut standing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        standing.files.take()
    }
}
