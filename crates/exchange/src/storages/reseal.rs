//! Sealing anew, with the newest key, all that an older one has sealed, so that the older one can be taken away (C-34): the
//! credentials of storages, the keys of cuts, and the keys of the installation itself.
//!
//! Each value is a change of its own: broken off anywhere, the next call goes on with what is left. A value that somebody
//! changes meanwhile is theirs, and is looked at again.

use std::collections::BTreeMap;

use model::{CutId, Name, StorageId};
use serde_json::json;

use super::change::hold_storages;
use super::{place_of, unavailable};
use crate::audit::Object;
use crate::change::Change;
use crate::error::Error;
use crate::installation::KEYS;
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::ports::Sealed;
use crate::principal::Principal;
use crate::{Exchange, cuts, from_row, installation, sql};

/// What sealing anew has come to.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Resealed {
    /// The key that everything is sealed with now, except what was `left`.
    pub key: String,
    /// How many values this call has sealed anew.
    pub resealed: usize,
    /// How many were sealed with that key before, or by somebody else meanwhile.
    pub already: usize,
    pub left: Vec<LeftSealed>,
}

/// A value that could not be opened. The key that it names must stay.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct LeftSealed {
    /// `storage aws_eu`, `setting key.gateway`, `cut vehicle-visits:anonymous edition 2`.
    pub what: String,
    pub key: String,
    pub why: String,
}

/// Where a sealed value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Holder {
    Storage {
        id: StorageId,
        name: Name,
    },
    Setting {
        name: String,
    },
    /// An edition of a cut, and how people call it.
    Cut {
        id: CutId,
        edition: i64,
        called: String,
    },
}

#[derive(Clone, Debug)]
struct SealedValue {
    holder: Holder,
    sealed: Sealed,
}

struct StorageRow {
    id: StorageId,
    name: Name,
    credential_sealed: Vec<u8>,
    credential_key_id: String,
}
from_row!(StorageRow {
    id,
    name,
    credential_sealed,
    credential_key_id
});

struct EditionRow {
    cut_id: CutId,
    number: i64,
    product: String,
    name: Name,
    key_sealed: Vec<u8>,
    key_id: String,
}
from_row!(EditionRow {
    cut_id,
    number,
    product,
    name,
    key_sealed,
    key_id
});

struct SettingRow {
    name: String,
    value: String,
}
from_row!(SettingRow { name, value });

impl Holder {
    fn place(&self) -> String {
        match self {
            Self::Storage { id, .. } => place_of(*id),
            Self::Setting { name } => installation::place_of(name),
            Self::Cut { id, edition, .. } => cuts::place_of(*id, *edition),
        }
    }

    fn object(&self) -> Object {
        match self {
            Self::Storage { name, .. } => Object::new("storage", name),
            Self::Setting { name } => Object::new("setting", name),
            Self::Cut { called, .. } => Object::new("cut", called),
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::Storage { name, .. } => format!("storage {name}"),
            Self::Setting { name } => format!("setting {name}"),
            Self::Cut {
                edition, called, ..
            } => format!("cut {called} edition {edition}"),
        }
    }

    /// Puts `new` in the place of `old`, if that is what still stands there.
    async fn replace(
        &self,
        change: &mut Change,
        old: &Sealed,
        new: &Sealed,
    ) -> Result<bool, Error> {
        let at = change.at();
        let changed = match self {
            // The revision stays: nobody's form grows stale by it.
            Self::Storage { id, .. } => {
                sql!(
                    "update storage set credential_sealed = $1, credential_key_id = $2
                     where id = $3 and credential_kind = 'sealed' and credential_sealed = $4 and credential_key_id = $5"
                )
                .bind(new.bytes.clone())
                .bind(&new.key_id)
                .bind(*id)
                .bind(old.bytes.clone())
                .bind(&old.key_id)
                .execute(change.tx())
                .await?
            }
            Self::Setting { name } => {
                sql!("update setting set value = $1, updated_at = $2 where name = $3 and value = $4")
                    .bind(installation::text_of(new))
                    .bind(at)
                    .bind(name)
                    .bind(installation::text_of(old))
                    .execute(change.tx())
                    .await?
            }
            Self::Cut { id, edition, .. } => {
                sql!(
                    "update cut_edition set key_sealed = $1, key_id = $2
                     where cut_id = $3 and number = $4 and key_sealed = $5 and key_id = $6"
                )
                .bind(new.bytes.clone())
                .bind(&new.key_id)
                .bind(*id)
                .bind(*edition)
                .bind(old.bytes.clone())
                .bind(&old.key_id)
                .execute(change.tx())
                .await?
            }
        };
        Ok(changed == 1)
    }
}

/// What stands in the database at one look.
struct Found {
    newest: String,
    /// How many sealed values there are at all.
    all: usize,
    /// Those that another key than the newest has sealed.
    others: Vec<SealedValue>,
}

impl Found {
    /// What is still to be done: not what was tried in vain, unless it has changed since.
    fn waiting(&self, unopened: &BTreeMap<String, (Sealed, String)>) -> Vec<SealedValue> {
        let is_tried = |value: &&SealedValue| {
            let tried = unopened.get(&value.holder.place());
            tried.is_some_and(|(sealed, _)| *sealed == value.sealed)
        };
        let waiting = self.others.iter().filter(|value| !is_tried(value));
        waiting.cloned().collect()
    }
}

impl Exchange {
    /// Seals with the newest key whatever another one has sealed. When it comes back with nothing `left`, no other key is
    /// needed any more, also not by what somebody was writing at the same time, as long as all processes read the same keys.
    pub async fn credentials_reseal(&self, principal: &Principal) -> Result<Resealed, Error> {
        can(principal, Operation::CredentialReseal, &Scope::NONE)?;
        let keys = &self.ports().keys;
        let mut resealed = 0;
        let mut unopened: BTreeMap<String, (Sealed, String)> = BTreeMap::new();
        loop {
            let mut found = self.found_sealed(None).await?;
            if found.waiting(&unopened).is_empty() {
                // Once more while nobody else seals: what was begun before the newest key was there stands by now.
                let mut hold = self.change(principal).await?;
                hold_storages(&mut hold).await?;
                found = self.found_sealed(Some(&mut hold)).await?;
            }
            let waiting = found.waiting(&unopened);
            if waiting.is_empty() {
                return Ok(said(found, resealed, &unopened));
            }
            for value in waiting {
                let place = value.holder.place();
                match keys.open(&place, &value.sealed) {
                    Ok(secret) => {
                        let sealed = keys.seal(&place, &secret).map_err(unavailable)?;
                        resealed += usize::from(self.reseal(principal, &value, &sealed).await?);
                    }
                    Err(problem) => {
                        unopened.insert(place, (value.sealed, problem.sentence));
                    }
                }
            }
        }
    }

    async fn reseal(
        &self,
        principal: &Principal,
        value: &SealedValue,
        sealed: &Sealed,
    ) -> Result<bool, Error> {
        let mut change = self.change(principal).await?;
        if !value
            .holder
            .replace(&mut change, &value.sealed, sealed)
            .await?
        {
            return Ok(false);
        }
        change.note(
            Operation::CredentialReseal,
            value.holder.object(),
            json!({ "from": value.sealed.key_id, "to": sealed.key_id }),
        );
        change.commit().await?;
        Ok(true)
    }

    async fn found_sealed(&self, hold: Option<&mut Change>) -> Result<Found, Error> {
        let newest = self.ports().keys.newest().map_err(unavailable)?;
        let storages = sql!(
            "select id, name, credential_sealed, credential_key_id from storage where credential_kind = 'sealed' order by name"
        );
        let settings = sql!("select name, value from setting where name like $1 order by name")
            .bind(format!("{KEYS}%"));
        let editions = sql!(
            "select cut_id, number, product.name as product, cut.name, key_sealed, key_id
             from cut_edition join cut on cut.id = cut_id join product on product.id = cut.product_id
             order by product.name, cut.name, number"
        );
        let (storages, settings, editions): (Vec<StorageRow>, Vec<SettingRow>, Vec<EditionRow>) =
            match hold {
                Some(hold) => (
                    storages.all(hold.tx()).await?,
                    settings.all(hold.tx()).await?,
                    editions.all(hold.tx()).await?,
                ),
                None => (
                    storages.all(self.db()).await?,
                    settings.all(self.db()).await?,
                    editions.all(self.db()).await?,
                ),
            };
        let mut values = Vec::with_capacity(storages.len() + settings.len() + editions.len());
        for row in editions {
            values.push(SealedValue {
                holder: Holder::Cut {
                    id: row.cut_id,
                    edition: row.number,
                    called: format!("{}:{}", row.product, row.name),
                },
                sealed: Sealed {
                    key_id: row.key_id,
                    bytes: row.key_sealed,
                },
            });
        }
        for row in storages {
            values.push(SealedValue {
                holder: Holder::Storage {
                    id: row.id,
                    name: row.name,
                },
                sealed: Sealed {
                    key_id: row.credential_key_id,
                    bytes: row.credential_sealed,
                },
            });
        }
        for row in settings {
            values.push(SealedValue {
                sealed: installation::sealed_of(&row.value)?,
                holder: Holder::Setting { name: row.name },
            });
        }
        let all = values.len();
        values.retain(|value| value.sealed.key_id != newest);
        Ok(Found {
            newest,
            all,
            others: values,
        })
    }
}

/// What is left is all that could not be opened.
fn said(found: Found, resealed: usize, unopened: &BTreeMap<String, (Sealed, String)>) -> Resealed {
    let already = found.all.saturating_sub(resealed + found.others.len());
    let why = |holder: &Holder| {
        let tried = unopened.get(&holder.place());
        tried.map(|(_, why)| why.clone()).unwrap_or_default()
    };
    Resealed {
        key: found.newest,
        resealed,
        already,
        left: found
            .others
            .into_iter()
            .map(|value| LeftSealed {
                why: why(&value.holder),
                what: value.holder.shown(),
                key: value.sealed.key_id,
            })
            .collect(),
    }
}
