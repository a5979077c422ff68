//! The marker in a replica table's folder. A folder is adopted only if it carries our own marker or nothing at all:
//! what somebody else put there is never written into, vacuumed or erased.

use bytes::Bytes;
use futures::StreamExt as _;
use model::{ReplicaTableId, Timestamp};
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt as _, PutMode};
use serde::{Deserialize, Serialize};

use crate::say::say;

/// Where the marker stands, relative to the replica table's folder.
pub const MARKER: &str = "_entrepot/marker.json";

/// No marker is larger; what is, is not ours.
const LARGEST: u64 = 64 << 10;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// Version of this format.
    pub format: u32,
    pub replica_table: ReplicaTableId,
    pub product: String,
    pub created: Timestamp,
}

#[derive(Debug, thiserror::Error)]
pub enum MarkerError {
    #[error(
        "The folder is not ours: it holds `{found}` but no {MARKER}. Choose an empty folder, or empty this one."
    )]
    Foreign { found: String },
    #[error(
        "The folder is not ours: its {MARKER} names another replica table ({found}). Choose another folder."
    )]
    Another { found: String },
    #[error("The replica's folder: {message}")]
    Store { message: String },
}

impl MarkerError {
    /// Whether it may be better next time.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Store { .. })
    }
}

impl From<Error> for MarkerError {
    fn from(error: Error) -> Self {
        Self::Store {
            message: say(&error),
        }
    }
}

impl Marker {
    /// None: there is no marker.
    pub async fn read(
        objects: &dyn ObjectStore,
        replica_table: ReplicaTableId,
    ) -> Result<Option<Self>, MarkerError> {
        let there = match objects.get(&Path::from(MARKER)).await {
            Ok(there) => there,
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if there.meta.size > LARGEST {
            return Err(MarkerError::Another {
                found: "unreadable".to_owned(),
            });
        }
        match serde_json::from_slice::<Self>(&there.bytes().await?) {
            Ok(marker) if marker.replica_table == replica_table => Ok(Some(marker)),
            Ok(marker) => Err(MarkerError::Another {
                found: marker.replica_table.to_string(),
            }),
            Err(_) => Err(MarkerError::Another {
                found: "unreadable".to_owned(),
            }),
        }
    }

    /// Finds our marker, or puts it into an empty folder.
    pub async fn claim(self, objects: &dyn ObjectStore) -> Result<Self, MarkerError> {
        if let Some(marker) = Self::read(objects, self.replica_table).await? {
            return Ok(marker);
        }
        if let Some(first) = objects.list(None).next().await {
            let found = first?.location;
            // Another process may just have put the marker there; then it is for the next read to say whose it is.
            if found.as_ref() != MARKER {
                return Err(MarkerError::Foreign {
                    found: found.to_string(),
                });
            }
        }
        let body = serde_json::to_vec_pretty(&self).map_err(|error| MarkerError::Store {
            message: error.to_string(),
        })?;
        model::crash_point!("sync.marker.before");
        let put = objects
            .put_opts(
                &Path::from(MARKER),
                Bytes::from(body).into(),
                PutMode::Create.into(),
            )
            .await;
        model::crash_point!("sync.marker.after");
        match put {
            Ok(_) => Ok(self),
            // Somebody was faster, or the answer was lost: what stands there now decides.
            Err(error) => match Self::read(objects, self.replica_table).await? {
                Some(marker) => Ok(marker),
                None => Err(error.into()),
            },
        }
    }
}

/// Whether nothing of a replica table is left: its folder holds no object at all but, perhaps, our own marker.
pub async fn is_vacant(
    objects: &dyn ObjectStore,
    replica_table: ReplicaTableId,
) -> Result<bool, MarkerError> {
    Marker::read(objects, replica_table).await?;
    let mut listing = objects.list(None);
    while let Some(object) = listing.next().await {
        if object?.location.as_ref() != MARKER {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;

    fn marker(id: u128) -> Marker {
        Marker {
            format: 1,
            replica_table: uuid::Uuid::from_u128(id).into(),
            product: "vehicle-visits".into(),
            created: Timestamp::from_micros(7),
        }
    }

    #[tokio::test]
    async fn only_an_empty_folder_or_our_own_is_adopted() {
        let store = InMemory::new();
        marker(1).claim(&store).await.unwrap();
        let again = Marker {
            created: Timestamp::from_micros(9),
            ..marker(1)
        };
        assert_eq!(again.claim(&store).await.unwrap(), marker(1));
        let error = marker(2).claim(&store).await.unwrap_err();
        assert!(matches!(error, MarkerError::Another { .. }), "{error}");

        let store = InMemory::new();
        store
            .put(&Path::from("notes.txt"), "x".into())
            .await
            .unwrap();
        let error = marker(1).claim(&store).await.unwrap_err();
        assert!(error.to_string().contains("folder is not ours"), "{error}");
        assert!(error.to_string().contains("notes.txt"), "{error}");

        let store = InMemory::new();
        store.put(&Path::from(MARKER), "{}".into()).await.unwrap();
        assert!(marker(1).claim(&store).await.is_err());
    }

    #[tokio::test]
    async fn a_folder_is_vacant_with_nothing_but_our_marker_in_it() {
        let id = |id: u128| ReplicaTableId::from(uuid::Uuid::from_u128(id));
        let store = InMemory::new();
        assert!(is_vacant(&store, id(1)).await.unwrap());
        marker(1).claim(&store).await.unwrap();
        assert!(is_vacant(&store, id(1)).await.unwrap());
        assert!(is_vacant(&store, id(2)).await.is_err());
        for left in ["notes.txt", "_delta_log/00000000000000000000.json"] {
            store.put(&Path::from(left), "x".into()).await.unwrap();
            assert!(!is_vacant(&store, id(1)).await.unwrap(), "{left}");
            store.delete(&Path::from(left)).await.unwrap();
        }
    }
}
