//! How many tables' states are read at a time (C-54): so many for all recipients together, fewer for one of them, so that
//! nobody takes the places of others. Who finds none waits a while and is told to come back.
//!
//! A table's state is what takes memory here, up to about a kilobyte for each of its files; so many of them are held at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use model::RecipientId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::error::{Failure, Kind};

/// For all together.
pub(crate) const ALL: usize = 16;
/// For one recipient.
pub(crate) const EACH: usize = 4;
const RETRY_AFTER_SECONDS: u64 = 5;
/// So many recipients are remembered before those are forgotten who hold and wait for nothing.
const REMEMBERED: usize = 1_000;

/// How long is waited for whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// A request for a place. Clients wait longer than that for an answer.
    pub(crate) place: Duration,
    /// We for a client that takes nothing of its answer; at the most twice as long.
    pub(crate) client: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            place: Duration::from_secs(20),
            client: Duration::from_secs(30),
        }
    }
}

pub(crate) struct Slots {
    pub(crate) patience: Patience,
    all: Arc<Semaphore>,
    recipients: Mutex<HashMap<RecipientId, Weak<Semaphore>>>,
}

/// A place, given back when dropped.
pub(crate) struct Slot {
    _own: OwnedSemaphorePermit,
    _shared: OwnedSemaphorePermit,
}

impl Slots {
    pub(crate) fn new(patience: Patience) -> Self {
        Self {
            patience,
            all: Arc::new(Semaphore::new(ALL)),
            recipients: Mutex::default(),
        }
    }

    pub(crate) async fn take(&self, recipient: RecipientId) -> Result<Slot, Failure> {
        let own = self.of(recipient);
        let all = Arc::clone(&self.all);
        // First one's own: whoever asks a hundred times stands in the common queue no more often than others.
        let both = async move {
            let own = own.acquire_owned().await?;
            let shared = all.acquire_owned().await?;
            Ok::<_, tokio::sync::AcquireError>(Slot {
                _own: own,
                _shared: shared,
            })
        };
        match timeout(self.patience.place, both).await {
            Ok(slot) => slot.map_err(|error| Failure::internal(error.to_string())),
            Err(_) => Err(Failure::new(
                Kind::TooMany {
                    retry_after_seconds: RETRY_AFTER_SECONDS,
                },
                "too many queries at once; try again later",
            )),
        }
    }

    fn of(&self, recipient: RecipientId) -> Arc<Semaphore> {
        let mut recipients = self
            .recipients
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = recipients.get(&recipient).and_then(Weak::upgrade) {
            return own;
        }
        if recipients.len() >= REMEMBERED {
            recipients.retain(|_, own| own.strong_count() > 0);
        }
        let own = Arc::new(Semaphore::new(EACH));
        recipients.insert(recipient, Arc::downgrade(&own));
        own
    }
}
