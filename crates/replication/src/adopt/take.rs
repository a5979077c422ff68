//! Taking one object over from an adopted folder: proved first, copied within the storage, and looked at again. Whoever writes the
//! folder meanwhile harms nothing: what changes in between is not taken.

use std::time::Duration;

use futures::TryStreamExt as _;
use object_store::path::Path;
use object_store::{
    Error as StoreError, GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt as _,
    WriteMultipart,
};

use super::sums::{Hasher, Sum};
use super::{Adoption, END, Wanted, head};
use crate::files::CopyItem;

/// S3 copies no larger object in one request.
const LARGEST_COPY: u64 = 5 << 30;
/// Parts of a larger one that are on their way at the same time.
const PARTS: usize = 4;
/// A store may say that it has begun to copy; so long is waited until the object is whole.
const PATIENCE: Duration = Duration::from_secs(300);
const FIRST_LOOK: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It stands at the replica.
    Yes { etag: Option<String> },
    /// It is something else.
    Differs,
    /// Somebody changed it meanwhile.
    Changed,
    /// The storage did not read or copy it.
    Refused,
}

/// Takes an object over from wherever it lies. What is not taken is fetched; whatever then stands in its place is written over.
pub(crate) async fn take(
    source: &dyn ObjectStore,
    adoption: &Adoption,
    item: &CopyItem,
    wanted: &Wanted,
) -> Taken {
    let mut worst = Taken::Changed;
    for place in &wanted.from {
        match take_from(source, adoption, item, wanted, place).await {
            Ok(Taken::Yes { etag }) => return Taken::Yes { etag },
            Ok(other) => worst = other,
            Err(StoreError::NotFound { .. } | StoreError::Precondition { .. }) => {
                worst = Taken::Changed;
            }
            Err(error) => {
                tracing::info!(
                    object = %place, error = %crate::say::say(&error),
                    "an object of an adopted folder could not be taken over, and is fetched"
                );
                worst = Taken::Refused;
            }
        }
    }
    worst
}

async fn take_from(
    source: &dyn ObjectStore,
    adoption: &Adoption,
    item: &CopyItem,
    wanted: &Wanted,
    place: &Path,
) -> Result<Taken, StoreError> {
    let storage = adoption.storage.as_ref();
    let Some((meta, attributes)) = head(storage, place).await? else {
        return Ok(Taken::Changed);
    };
    if meta.size != item.size {
        return Ok(Taken::Changed);
    }
    let agrees = match wanted.sum {
        Some(sum) if Sum::of(&meta, &attributes) == Some(sum) => true,
        Some(sum) if adoption.beside => comes_to(storage, place, &meta, sum).await?,
        Some(_) => false,
        None => has_same_end(source, storage, item, place, &meta).await?,
    };
    if !agrees {
        return Ok(match wanted.is_told {
            // It was the same when it was looked at.
            true => Taken::Changed,
            false => Taken::Differs,
        });
    }
    let to = Path::parse(&item.dst)?;
    let to: Path = adoption.own.parts().chain(to.parts()).collect();
    if item.size <= LARGEST_COPY {
        storage.copy(place, &to).await?;
    } else if adoption.beside {
        pass_through(storage, place, &meta, &to).await?;
    } else {
        return Ok(Taken::Refused);
    }
    // A copy has no condition on what it copies: what was proved must be what still lies there.
    let still = head(storage, place).await?;
    let is_still = still.is_some_and(|(now, _)| {
        (now.e_tag, now.last_modified, now.size) == (meta.e_tag, meta.last_modified, meta.size)
    });
    if !is_still {
        return Ok(Taken::Changed);
    }
    Ok(match whole(storage, &to, item.size).await? {
        Some(there) => Taken::Yes { etag: there.e_tag },
        None => Taken::Refused,
    })
}

/// Reads the object where it lies.
async fn comes_to(
    storage: &dyn ObjectStore,
    place: &Path,
    meta: &ObjectMeta,
    sum: Sum,
) -> Result<bool, StoreError> {
    let options = GetOptions::new().with_if_match(meta.e_tag.clone());
    let mut bytes = storage.get_opts(place, options).await?.into_stream();
    let mut hasher = Hasher::new(sum, meta.size);
    while let Some(piece) = bytes.try_next().await? {
        hasher.update(&piece);
    }
    Ok(hasher.agrees())
}

/// Compares the last bytes of a Parquet file with the source's: its footer says of each column chunk where it lies, how large it is
/// and what is in it.
async fn has_same_end(
    source: &dyn ObjectStore,
    storage: &dyn ObjectStore,
    item: &CopyItem,
    place: &Path,
    meta: &ObjectMeta,
) -> Result<bool, StoreError> {
    let range = item.size.saturating_sub(END)..item.size;
    let options = GetOptions::new()
        .with_if_match(meta.e_tag.clone())
        .with_range(Some(GetRange::Bounded(range.clone())));
    let ours = storage.get_opts(place, options).await?.bytes().await?;
    if !ours.ends_with(b"PAR1") {
        return Ok(false);
    }
    let theirs = source.get_range(&Path::parse(&item.src)?, range).await?;
    Ok(ours == theirs)
}

/// Copies what is too large for a store to copy by itself, through this process.
async fn pass_through(
    storage: &dyn ObjectStore,
    place: &Path,
    meta: &ObjectMeta,
    to: &Path,
) -> Result<(), StoreError> {
    let options = GetOptions::new().with_if_match(meta.e_tag.clone());
    let mut bytes = storage.get_opts(place, options).await?.into_stream();
    // Parts grow with the object, for a store takes only so many.
    let part = usize::try_from(meta.size / 9_000).unwrap_or(usize::MAX);
    let upload = storage.put_multipart(to).await?;
    let mut write = WriteMultipart::new_with_chunk_size(upload, part.max(8 << 20));
    loop {
        match bytes.try_next().await {
            Ok(Some(piece)) => {
                write.wait_for_capacity(PARTS).await?;
                write.put(piece);
            }
            Ok(None) => {
                write.finish().await?;
                return Ok(());
            }
            Err(error) => {
                write.abort().await?;
                return Err(error);
            }
        }
    }
}

/// The copy, once it is whole: some stores go on copying after they have answered.
async fn whole(
    storage: &dyn ObjectStore,
    at: &Path,
    size: u64,
) -> Result<Option<ObjectMeta>, StoreError> {
    let mut pause = FIRST_LOOK;
    let mut waited = Duration::ZERO;
    loop {
        if let Some((there, _)) = head(storage, at).await?
            && there.size == size
            && storage.get_range(at, size - 1..size).await.is_ok()
        {
            return Ok(Some(there));
        }
        if waited >= PATIENCE {
            return Ok(None);
        }
        tokio::time::sleep(pause).await;
        waited += pause;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
