//! Storages: places for tables, and the credentials that open them.
//!
//! Lives here: the rows, who may see what of them, and opening the credential for the ports. Writing them is in `change`.
//! Reaching a store lies behind [`crate::ports`].

mod assess;
mod change;
mod known;
mod reseal;
#[cfg(test)]
mod tests;
mod usage;

pub(crate) use change::hold_storages;
pub(crate) use known::Known;
pub use reseal::{LeftSealed, Resealed};

use model::dto::{Storage, StorageDoctor, StorageReport};
use model::{Cloud, Location, MemberRole, Name, StorageId};

use crate::db::{DbError, FromRow, On, Row};
use crate::error::Error;
use crate::operation::Operation;
use crate::page::{Page, PageRequest};
use crate::policy::{Scope, can};
use crate::ports::{Problem, Sealed, StorageAccess};
use crate::principal::Principal;
use crate::{Exchange, sql};

pub(crate) use usage::{Usage, produced_by, uses_all};

/// A storage as other areas need it.
#[derive(Clone, Debug)]
pub struct StorageRecord {
    pub id: StorageId,
    pub name: Name,
    pub location: Location,
    /// Canonical, without a trailing slash.
    pub url: String,
    pub endpoint: Option<String>,
    /// Whether replicas may be made here.
    pub replicas: bool,
    pub revision: i64,
    pub(crate) credential: Credential,
}

/// How a credential is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Credential {
    None,
    /// The name of an environment variable.
    Environment(String),
    Sealed(Sealed),
}

impl Credential {
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Environment(_) => "env",
            Self::Sealed(_) => "sealed",
        }
    }

    /// What may be shown of it.
    fn shown(&self) -> Option<String> {
        match self {
            Self::None => None,
            Self::Environment(name) => Some(format!("env:{name}")),
            Self::Sealed(_) => Some("sealed ****".to_owned()),
        }
    }
}

impl FromRow for StorageRecord {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        let kind: String = row.get("credential_kind")?;
        let reference: Option<String> = row.get("credential_ref")?;
        let sealed: Option<Vec<u8>> = row.get("credential_sealed")?;
        let key_id: Option<String> = row.get("credential_key_id")?;
        let credential = match (kind.as_str(), reference, sealed, key_id) {
            ("none", ..) => Credential::None,
            ("env", Some(name), ..) => Credential::Environment(name),
            ("sealed", _, Some(bytes), Some(key_id)) => {
                Credential::Sealed(Sealed { key_id, bytes })
            }
            _ => {
                return Err(DbError::Decode {
                    column: "credential_kind".to_owned(),
                    value: kind,
                });
            }
        };
        Ok(Self {
            id: row.get("id")?,
            name: row.get("name")?,
            location: location(row)?,
            url: row.get("url")?,
            endpoint: row.get("endpoint")?,
            replicas: row.get("replicas")?,
            revision: row.get("revision")?,
            credential,
        })
    }
}

/// The location that the columns `cloud` and `region` make.
pub(crate) fn location(row: &Row) -> Result<Location, DbError> {
    let cloud: Cloud = row.get("cloud")?;
    let region: String = row.get("region")?;
    Location::new(cloud, &region).map_err(|_| DbError::Decode {
        column: "region".to_owned(),
        value: region,
    })
}

/// What a sealed credential is bound to: moved to another row it does not open (C-34).
pub(crate) fn place_of(id: StorageId) -> String {
    format!("storage|{id}|credential")
}

/// What a port could not do, when it is not a field of a form that is wrong.
pub(crate) fn unavailable(problem: Problem) -> Error {
    Error::Unavailable(problem.sentence)
}

impl Exchange {
    pub(crate) async fn storage_by_name(
        &self,
        name: &str,
    ) -> Result<Option<StorageRecord>, DbError> {
        sql!("select id, name, cloud, region, url, endpoint, credential_kind, credential_ref, credential_sealed,
                     credential_key_id, replicas, revision from storage where name = $1")
        .bind(name)
        .first(self.db())
        .await
    }

    pub(crate) async fn storage_by_id<'a>(
        &self,
        on: impl Into<On<'a>>,
        id: StorageId,
    ) -> Result<Option<StorageRecord>, DbError> {
        sql!("select id, name, cloud, region, url, endpoint, credential_kind, credential_ref, credential_sealed,
                     credential_key_id, replicas, revision from storage where id = $1")
        .bind(id)
        .first(on)
        .await
    }

    /// All storages in the order of their names: what replica targets are chosen from.
    pub(crate) async fn storage_records<'a>(
        &self,
        on: impl Into<On<'a>>,
    ) -> Result<Vec<StorageRecord>, DbError> {
        sql!("select id, name, cloud, region, url, endpoint, credential_kind, credential_ref, credential_sealed,
                     credential_key_id, replicas, revision from storage order by name")
        .all(on)
        .await
    }

    /// Storages in the order of their names.
    pub async fn storages(
        &self,
        principal: &Principal,
        page: &PageRequest,
    ) -> Result<Page<Storage>, Error> {
        can(principal, Operation::StorageList, &Scope::NONE)?;
        let rows: Vec<StorageRecord> = sql!(
            "select id, name, cloud, region, url, endpoint, credential_kind, credential_ref, credential_sealed,
                    credential_key_id, replicas, revision from storage where name > $1 order by name limit $2"
        )
        .bind(page.after_text())
        .bind(page.fetch())
        .all(self.db())
        .await?;
        let page = page.cut(rows, |row| row.name.to_string());
        Ok(Page {
            items: page
                .items
                .into_iter()
                .map(|record| self.storage_shown(principal, record))
                .collect(),
            next: page.next,
        })
    }

    pub async fn storage(&self, principal: &Principal, name: &str) -> Result<Storage, Error> {
        can(principal, Operation::StorageRead, &Scope::NONE)?;
        let record = self
            .storage_by_name(name)
            .await?
            .ok_or(Error::NotFound("storage"))?;
        Ok(self.storage_shown(principal, record))
    }

    fn storage_shown(&self, principal: &Principal, record: StorageRecord) -> Storage {
        let all = principal.sees_all();
        let inside = all || is_any_producer(principal);
        Storage {
            simulated: self.ports().probe.is_simulated(&record.url),
            name: record.name,
            cloud: record.location.cloud,
            region: record.location.region().to_owned(),
            replicas: record.replicas,
            url: inside.then_some(record.url),
            endpoint: record.endpoint.filter(|_| inside),
            credential: record.credential.shown().filter(|_| all),
            revision: record.revision,
        }
    }

    /// Tries what Entrepôt will need of the storage; unless the form says otherwise, writing where replicas may be made.
    pub async fn storage_doctor(
        &self,
        principal: &Principal,
        name: &str,
        form: StorageDoctor,
    ) -> Result<StorageReport, Error> {
        can(principal, Operation::StorageDoctor, &Scope::NONE)?;
        let record = self
            .storage_by_name(name)
            .await?
            .ok_or(Error::NotFound("storage"))?;
        self.storage_usable(principal, &produced_by(principal), &record)
            .await?;
        let write = form.write.unwrap_or(record.replicas);
        let access = self.storage_open(record)?;
        self.ports()
            .probe
            .examine(&access, write)
            .await
            .map_err(unavailable)
    }

    /// The storage with its credential opened, for the ports. Ask the policy first.
    pub(crate) async fn storage_access(&self, id: StorageId) -> Result<StorageAccess, Error> {
        let record = self
            .storage_by_id(self.db(), id)
            .await?
            .ok_or(Error::NotFound("storage"))?;
        self.storage_open(record)
    }

    /// The same for workers of this installation, and for nobody else.
    pub async fn storage_access_for_system(
        &self,
        principal: &Principal,
        id: StorageId,
    ) -> Result<StorageAccess, Error> {
        if !principal.is_system() {
            return Err(Error::NotFound("storage"));
        }
        self.storage_access(id).await
    }

    /// The same of a storage whose revision was just read: what is known of it is not read again. Its credential is held as the database
    /// holds it, and opened each time.
    pub async fn storage_access_at(
        &self,
        principal: &Principal,
        id: StorageId,
        revision: Option<i64>,
    ) -> Result<StorageAccess, Error> {
        if !principal.is_system() {
            return Err(Error::NotFound("storage"));
        }
        let known = revision.and_then(|revision| self.storages_known().get(id, revision));
        // One that was sealed with another key since has the same revision.
        if let Some(known) = known
            && let Ok(access) = self.storage_open(known)
        {
            return Ok(access);
        }
        let record = self
            .storage_by_id(self.db(), id)
            .await?
            .ok_or(Error::NotFound("storage"))?;
        self.storages_known().keep(&record);
        self.storage_open(record)
    }

    pub(crate) fn storage_open(&self, record: StorageRecord) -> Result<StorageAccess, Error> {
        let keys = &self.ports().keys;
        let credential = match &record.credential {
            Credential::None => None,
            Credential::Environment(name) => Some(keys.environment(name).map_err(unavailable)?),
            Credential::Sealed(sealed) => Some(
                keys.open(&place_of(record.id), sealed)
                    .map_err(unavailable)?,
            ),
        };
        Ok(StorageAccess {
            id: record.id,
            name: record.name,
            location: record.location,
            url: record.url,
            endpoint: record.endpoint,
            credential,
            replicas: record.replicas,
        })
    }
}

/// Whether the caller registers tables for some team.
pub(crate) fn is_any_producer(principal: &Principal) -> bool {
    principal
        .teams()
        .values()
        .any(|role| *role == MemberRole::Producer)
}
