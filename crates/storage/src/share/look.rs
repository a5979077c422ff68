//! The doctor's look at a share: what the token opens, a table's metadata, and the first byte of one of its files.

use object_store::path::Path;
use object_store::{ObjectStore as _, ObjectStoreExt as _};

use super::{ShareStore, failed};
use crate::StorageError;
use crate::sign::wall_clock;

/// What was seen of one thing that a share is used for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Well(String),
    Warned(String),
    Failed(StorageError),
    Nothing(String),
}

/// So many folders are looked into for a table.
const FOLDERS: usize = 50;
/// A token that ends sooner is told.
const SOON_DAYS: i64 = 14;

/// Looks at `list` and `read`, in this order.
pub(crate) async fn look(store: &ShareStore) -> [(&'static str, Seen); 2] {
    let shares = match store
        .client()
        .names(&["shares"], "the list of shares")
        .await
    {
        Ok(shares) => shares,
        Err(error) => {
            let why = "The server lets nobody in with this profile, so that nothing was read.";
            return [
                ("list", Seen::Failed(error)),
                ("read", Seen::Nothing(why.to_owned())),
            ];
        }
    };
    if shares.is_empty() {
        let sentence = "The server takes the token, but shares nothing with this recipient: ask the provider for access.";
        return [
            ("list", Seen::Warned(sentence.to_owned())),
            (
                "read",
                Seen::Nothing("There is no table to read.".to_owned()),
            ),
        ];
    }
    let many = match shares.len() {
        1 => "1 share is".to_owned(),
        many => format!("{many} shares are"),
    };
    let list = match ends(store) {
        Some(ends) => Seen::Warned(format!(
            "The server takes the token, and {many} there. {ends}"
        )),
        None => Seen::Well(format!("The server takes the token, and {many} there.")),
    };
    [("list", list), ("read", read(store, shares).await)]
}

/// The profile's own word for when its token ends, where that is soon.
fn ends(store: &ShareStore) -> Option<String> {
    let until = store.client().until()?;
    let now = i64::try_from(wall_clock().as_micros()).unwrap_or(i64::MAX);
    let left = until.micros().saturating_sub(now);
    if left > SOON_DAYS * model::time::DAY {
        return None;
    }
    Some(format!(
        "By its profile the token ends at {until}: ask the provider for a new profile, and give it to the storage."
    ))
}

async fn read(store: &ShareStore, shares: Vec<String>) -> Seen {
    match first_table(store, shares).await {
        Ok(Some(table)) => match first_byte(store, &table).await {
            Ok(true) => Seen::Well(format!(
                "The table `{table}` is told of, and the first byte of one of its files can be read where the server says it lies."
            )),
            Ok(false) => Seen::Well(format!("The table `{table}` is told of; it has no files.")),
            Err(error) => Seen::Failed(error.into()),
        },
        Ok(None) => Seen::Nothing("There is no table in the shares.".to_owned()),
        Err(error) => Seen::Failed(error.into()),
    }
}

async fn first_table(
    store: &ShareStore,
    shares: Vec<String>,
) -> object_store::Result<Option<Path>> {
    let shares = shares.iter().rev();
    let mut open: Vec<Path> = shares
        .filter_map(|share| super::below(&Path::default(), share))
        .collect();
    let mut looked = 0;
    while let Some(folder) = open.pop() {
        if folder.parts().count() == 3 {
            return Ok(Some(folder));
        }
        looked += 1;
        if looked > FOLDERS {
            return Ok(None);
        }
        let mut below = store.list_with_delimiter(Some(&folder)).await?;
        open.extend(below.common_prefixes.drain(..).rev());
    }
    Ok(None)
}

/// Whether the table has a file, and its first byte was read.
async fn first_byte(store: &ShareStore, folder: &Path) -> object_store::Result<bool> {
    let names: Vec<String> = super::parts(Some(folder));
    let names: Result<[String; 3], _> = names.try_into();
    let names = names.map_err(|_| super::missing(folder))?;
    let table = store.table(&names);
    let Some(name) = table.any_object().await.map_err(failed)? else {
        return Ok(false);
    };
    let file = super::below(folder, &name).ok_or_else(|| super::missing(folder))?;
    store.get_range(&file, 0..1).await?;
    Ok(true)
}
