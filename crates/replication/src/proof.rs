//! What is written down of objects that are deleted: that they are meant to be, when they were, and that the store then answered
//! "not found". What is kept of it is the caller's, behind [`Ledger`]; who dies between a delete and its line finds the line
//! open and looks again ([`look_again`]).

use std::sync::Arc;

use async_trait::async_trait;
use delta::Table;
use futures::FutureExt as _;
use futures::stream::{self, StreamExt as _};
use model::{Clock, Timestamp};
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt as _};

use crate::vacuum::{Doomed, VacuumError, broken};

/// HEAD requests at the same time.
const LOOKS: usize = 16;

/// An object that was deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gone {
    pub key: String,
    /// When the store said that it deleted it; where nobody was there to note that, when it was seen to be gone.
    pub deleted_at: Timestamp,
    /// When the store answered that there is no such object; None: it answered that there is one.
    pub gone_at: Option<Timestamp>,
}

/// Keeps what is deleted.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// These are about to be deleted. An error stops the deleting.
    async fn mean(&self, objects: &[Doomed]) -> Result<(), String>;

    /// These were.
    async fn gone(&self, objects: &[Gone]) -> Result<(), String>;
}

/// For deletes that nobody has to prove.
#[derive(Clone, Copy, Debug)]
pub struct Unproved;

#[async_trait]
impl Ledger for Unproved {
    async fn mean(&self, _: &[Doomed]) -> Result<(), String> {
        Ok(())
    }

    async fn gone(&self, _: &[Gone]) -> Result<(), String> {
        Ok(())
    }
}

/// Where deletes are written down, and by which clock.
pub struct Proof<'a> {
    ledger: &'a dyn Ledger,
    /// None: nothing is looked at and nothing written down.
    clock: Option<&'a dyn Clock>,
}

impl<'a> Proof<'a> {
    pub fn new(ledger: &'a dyn Ledger, clock: &'a dyn Clock) -> Self {
        Self {
            ledger,
            clock: Some(clock),
        }
    }

    pub(crate) fn none(ledger: &'a Unproved) -> Self {
        Self {
            ledger,
            clock: None,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock
            .map_or(Timestamp::from_micros(0), |clock| clock.now())
    }

    pub(crate) async fn mean(&self, objects: &[Doomed]) -> Result<(), VacuumError> {
        if self.clock.is_none() {
            return Ok(());
        }
        self.ledger.mean(objects).await.map_err(VacuumError::Ledger)
    }

    /// Looks whether the store still has them, and writes down what it says.
    pub(crate) async fn gone(
        &self,
        objects: &Arc<dyn ObjectStore>,
        deleted: Vec<(String, Timestamp)>,
    ) -> Result<(), VacuumError> {
        let Some(clock) = self.clock else {
            return Ok(());
        };
        let gone = look(objects, deleted, clock).await?;
        self.ledger.gone(&gone).await.map_err(VacuumError::Ledger)
    }
}

async fn look(
    objects: &Arc<dyn ObjectStore>,
    deleted: Vec<(String, Timestamp)>,
    clock: &dyn Clock,
) -> Result<Vec<Gone>, VacuumError> {
    let looks = deleted.into_iter().map(|(key, deleted_at)| {
        let objects = Arc::clone(objects);
        async move {
            let path = Path::parse(&key).map_err(|error| broken(&error.into()))?;
            let gone_at = match objects.head(&path).await {
                Ok(_) => None,
                Err(StoreError::NotFound { .. }) => Some(clock.now()),
                Err(error) => return Err(broken(&error)),
            };
            Ok(Gone {
                key,
                deleted_at,
                gone_at,
            })
        }
        .boxed()
    });
    let looks: Vec<_> = stream::iter(looks).buffered(LOOKS).collect().await;
    looks.into_iter().collect()
}

/// Looks at objects that were meant to be deleted and of which it is not known whether they were: nobody wrote it down. Answers
/// those that are gone.
pub async fn look_again(
    target: &Table,
    keys: Vec<String>,
    clock: &dyn Clock,
) -> Result<Vec<Gone>, VacuumError> {
    let now = clock.now();
    let meant = keys.into_iter().map(|key| (key, now)).collect();
    let mut seen = look(target.objects(), meant, clock).await?;
    seen.retain(|object| object.gone_at.is_some());
    Ok(seen)
}
