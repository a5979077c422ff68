//! Creating and changing storages: an admin's work.

use model::dto::{CredentialNew, Storage, StorageChange, StorageNew};
use model::{Cloud, Location, Name, StorageId};
use secrecy::SecretString;
use serde_json::json;

use super::{Credential, StorageRecord, place_of};
use crate::audit::Object;
use crate::change::Change;
use crate::db::On;
use crate::error::{Check, Error};
use crate::jobs::{Wake, WorkKind};
use crate::operation::Operation;
use crate::people::taken;
use crate::policy::{Scope, can};
use crate::ports::StorageAccess;
use crate::principal::Principal;
use crate::{Exchange, sql};

/// The longest secret: a Google service account is about 2.4 KB.
const CREDENTIAL_MAX: usize = 32 * 1024;
const URL_MAX: usize = 1_024;
/// Nothing else of the process's environment is ever read for a storage (C-23).
const ENVIRONMENT: &str = "ENTREPOT_CREDENTIAL_";

impl Exchange {
    /// Creates a storage. Address, endpoint and credential are checked against the allow-lists, without IO.
    pub async fn storage_create(
        &self,
        principal: &Principal,
        new: StorageNew,
    ) -> Result<Storage, Error> {
        can(principal, Operation::StorageCreate, &Scope::NONE)?;
        let (access, given) = self.storage_asked(&new)?;
        let id = access.id;
        let mut change = self.change(principal).await?;
        hold_storages(&mut change).await?;
        let record = StorageRecord {
            id,
            name: access.name.clone(),
            location: access.location.clone(),
            url: access.url.clone(),
            endpoint: access.endpoint.clone(),
            replicas: access.replicas,
            revision: 1,
            credential: self.seal(id, given)?,
        };
        self.refuse_overlap(&mut change, &record).await?;
        let (reference, sealed, key_id) = kept(&record.credential);
        sql!("insert into storage (id, name, cloud, region, url, endpoint, credential_kind, credential_ref, credential_sealed,
                  credential_key_id, replicas, revision, created_at, updated_at)
              values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 1, $12, $12)")
        .bind(record.id)
        .bind(&record.name)
        .bind(record.location.cloud)
        .bind(record.location.region())
        .bind(&record.url)
        .bind(record.endpoint.as_deref())
        .bind(record.credential.kind())
        .bind(reference)
        .bind(sealed)
        .bind(key_id)
        .bind(record.replicas)
        .bind(change.at())
        .execute(change.tx())
        .await
        .map_err(|error| taken(error, "name", "that name is taken"))?;
        change.note(
            Operation::StorageCreate,
            Object::new("storage", &record.name),
            detail(&record),
        );
        change.commit().await?;
        Ok(self.storage_shown(principal, record))
    }

    /// Changes a storage. Its place and address move only while nothing is in it. Grants that are read from it are looked at
    /// again.
    pub async fn storage_update(
        &self,
        principal: &Principal,
        name: &str,
        new: StorageChange,
    ) -> Result<Storage, Error> {
        can(principal, Operation::StorageUpdate, &Scope::NONE)?;
        let old = self
            .storage_by_name(name)
            .await?
            .ok_or(Error::NotFound("storage"))?;
        let (access, given) = self.storage_change_asked(&old, &new)?;
        let mut record = StorageRecord {
            location: access.location,
            url: access.url,
            endpoint: access.endpoint,
            replicas: access.replicas,
            ..old.clone()
        };
        let seen = new.revision.unwrap_or(record.revision);

        let mut change = self.change(principal).await?;
        let moves = record.url != old.url || record.location != old.location;
        if moves || new.credential.is_some() {
            hold_storages(&mut change).await?;
        }
        if moves {
            self.refuse_overlap(&mut change, &record).await?;
            refuse_move(change.tx(), record.id).await?;
        }
        let changed = sql!(
            "update storage set cloud = $1, region = $2, url = $3, endpoint = $4, replicas = $5, revision = revision + 1,
                 updated_at = $6 where id = $7 and revision = $8"
        )
        .bind(record.location.cloud)
        .bind(record.location.region())
        .bind(&record.url)
        .bind(record.endpoint.as_deref())
        .bind(record.replicas)
        .bind(change.at())
        .bind(record.id)
        .bind(seen)
        .execute(change.tx())
        .await?;
        if changed == 0 {
            return Err(Error::changed("storage"));
        }
        // One that was not given is not touched: it may have been sealed anew since it was read.
        if new.credential.is_some() {
            record.credential = self.seal(record.id, given)?;
            let (reference, sealed, key_id) = kept(&record.credential);
            sql!(
                "update storage set credential_kind = $1, credential_ref = $2, credential_sealed = $3, credential_key_id = $4
                 where id = $5"
            )
            .bind(record.credential.kind())
            .bind(reference)
            .bind(sealed)
            .bind(key_id)
            .bind(record.id)
            .execute(change.tx())
            .await?;
        }
        wake_readers(&mut change, record.id).await?;
        change.note(
            Operation::StorageUpdate,
            Object::new("storage", &record.name),
            detail(&record),
        );
        change.commit().await?;
        record.revision = seen + 1;
        Ok(self.storage_shown(principal, record))
    }

    /// The storage that a form describes, and its credential, by all rules that need neither IO nor the database.
    fn storage_asked(&self, new: &StorageNew) -> Result<(StorageAccess, Given), Error> {
        let mut check = Check::new();
        let name: Option<Name> = check.parse("name", &new.name);
        let location = check_location(&mut check, &new.cloud, &new.region);
        let url = check.text("url", &new.url, 1, URL_MAX, false);
        let endpoint = check_endpoint(&mut check, new.endpoint.as_deref());
        let given = check_credential(&mut check, new.credential.as_ref());
        check.done()?;
        let (Some(name), Some(location)) = (name, location) else {
            return Err(Error::invalid("name", "missing"));
        };
        let mut access = StorageAccess {
            id: StorageId::new(self.now()),
            name,
            location,
            url,
            endpoint,
            credential: self.secret_of(&given)?,
            replicas: new.replicas,
        };
        access.url = self.storage_check(&access)?;
        Ok((access, given))
    }

    /// The same for a storage that a form changes.
    fn storage_change_asked(
        &self,
        old: &StorageRecord,
        new: &StorageChange,
    ) -> Result<(StorageAccess, Given), Error> {
        let mut record = old.clone();
        let mut check = Check::new();
        let cloud = new
            .cloud
            .clone()
            .unwrap_or_else(|| old.location.cloud.as_str().to_owned());
        let region = new
            .region
            .clone()
            .unwrap_or_else(|| old.location.region().to_owned());
        if let Some(location) = check_location(&mut check, &cloud, &region) {
            record.location = location;
        }
        if let Some(url) = &new.url {
            record.url = check.text("url", url, 1, URL_MAX, false);
        }
        if let Some(endpoint) = &new.endpoint {
            record.endpoint = check_endpoint(&mut check, Some(endpoint));
        }
        let given = check_credential(&mut check, new.credential.as_ref());
        check.done()?;
        record.replicas = new.replicas.unwrap_or(record.replicas);
        let mut access = match &new.credential {
            Some(_) => StorageAccess {
                id: record.id,
                name: record.name.clone(),
                location: record.location.clone(),
                url: record.url.clone(),
                endpoint: record.endpoint.clone(),
                credential: self.secret_of(&given)?,
                replicas: record.replicas,
            },
            None => self.storage_open(record)?,
        };
        access.url = self.storage_check(&access)?;
        Ok((access, given))
    }

    /// How the storage would be reached that a form creates, or why it could not be created. `others` are the storages
    /// there would be besides.
    pub(crate) fn storage_foreseen(
        &self,
        new: &StorageNew,
        others: &[(Name, String)],
    ) -> Result<StorageAccess, Error> {
        let (access, _) = self.storage_asked(new)?;
        self.refuse_overlap_with(&access.url, others)?;
        Ok(access)
    }

    /// The same for a storage that a form changes.
    pub(crate) async fn storage_change_foreseen(
        &self,
        old: &StorageRecord,
        new: &StorageChange,
        others: &[(Name, String)],
    ) -> Result<StorageAccess, Error> {
        let (access, _) = self.storage_change_asked(old, new)?;
        if access.url != old.url || access.location != old.location {
            self.refuse_overlap_with(&access.url, others)?;
            refuse_move(self.db(), old.id).await?;
        }
        Ok(access)
    }

    /// The rules that need no IO; answers the canonical URL.
    fn storage_check(&self, access: &StorageAccess) -> Result<String, Error> {
        let probe = &self.ports().probe;
        let url = probe
            .check(access)
            .map_err(|problem| Error::invalid(problem.field.unwrap_or("url"), problem.sentence))?;
        let mut check = Check::new();
        match (probe.is_simulated(&url), &access.credential) {
            (true, Some(_)) => check.fail("credential", "a folder needs none; leave it out"),
            (false, None) => check.fail(
                "credential",
                "name one: env:ENTREPOT_CREDENTIAL_… or the key as JSON; Entrepôt never uses its own process's",
            ),
            _ => {}
        }
        if access.replicas && url.starts_with("share://") {
            check.fail(
                "replicas",
                "nothing can be written into another's share; choose a storage of your own for replicas",
            );
        }
        // A wrong cloud would price every byte wrongly. With an endpoint of its own a store can be anywhere.
        let usual = match url.split_once("://") {
            Some(("s3", _)) => Some(Cloud::Aws),
            Some(("abfss", _)) => Some(Cloud::Azure),
            Some(("gs", _)) => Some(Cloud::Gcp),
            _ => None,
        };
        if let Some(usual) = usual
            && access.endpoint.is_none()
            && access.location.cloud != usual
        {
            check.fail(
                "cloud",
                format!(
                    "this address is in {usual}; say so, or name the endpoint of a store elsewhere"
                ),
            );
        }
        check.done()?;
        Ok(url)
    }

    /// C-24: no storage is the same as another, lies in it or holds it. The caller holds the storages.
    async fn refuse_overlap(
        &self,
        change: &mut Change,
        record: &StorageRecord,
    ) -> Result<(), Error> {
        let others: Vec<(Name, String)> = self
            .storage_records(change.tx())
            .await?
            .into_iter()
            .filter(|other| other.id != record.id)
            .map(|other| (other.name, other.url))
            .collect();
        self.refuse_overlap_with(&record.url, &others)
    }

    fn refuse_overlap_with(&self, url: &str, others: &[(Name, String)]) -> Result<(), Error> {
        let probe = &self.ports().probe;
        match others.iter().find(|(_, other)| probe.overlap(url, other)) {
            Some((other, _)) => Err(Error::invalid(
                "url",
                format!(
                    "this is the same place as the storage {other}, lies in it or holds it; choose a folder apart"
                ),
            )),
            None => Ok(()),
        }
    }

    fn secret_of(&self, given: &Given) -> Result<Option<SecretString>, Error> {
        match given {
            Given::None => Ok(None),
            Given::Environment(name) => self
                .ports()
                .keys
                .environment(name)
                .map(Some)
                .map_err(|problem| Error::invalid("credential", problem.sentence)),
            Given::Secret(secret) => Ok(Some(secret.clone())),
        }
    }

    fn seal(&self, id: StorageId, given: Given) -> Result<Credential, Error> {
        Ok(match given {
            Given::None => Credential::None,
            Given::Environment(name) => Credential::Environment(name),
            Given::Secret(secret) => Credential::Sealed(
                self.ports()
                    .keys
                    .seal(&place_of(id), &secret)
                    .map_err(super::unavailable)?,
            ),
        })
    }
}

/// Lets one change at a time place a storage or seal a credential: two storages that are written at once must see each other,
/// and whoever holds this knows that no credential is being sealed at the same time.
pub(crate) async fn hold_storages(change: &mut Change) -> Result<(), Error> {
    sql!(
        "insert into setting (name, value, updated_at) values ('lock.storage', '', $1)
         on conflict (name) do update set updated_at = excluded.updated_at"
    )
    .bind(change.at())
    .execute(change.tx())
    .await?;
    Ok(())
}

/// A credential as the form gave it.
#[derive(Debug)]
enum Given {
    None,
    Environment(String),
    Secret(SecretString),
}

fn check_credential(check: &mut Check, new: Option<&CredentialNew>) -> Given {
    const WRONG: &str = "write env:ENTREPOT_CREDENTIAL_… or the secret as a JSON object; the keys are in docs/USING.md";
    let text = match new.map(|new| &new.0) {
        None | Some(serde_json::Value::Null) => return Given::None,
        Some(serde_json::Value::Object(object)) => {
            serde_json::to_string(object).unwrap_or_default()
        }
        Some(serde_json::Value::String(text)) => text.trim().to_owned(),
        Some(_) => {
            check.fail("credential", WRONG);
            return Given::None;
        }
    };
    if text.is_empty() {
        return Given::None;
    }
    if let Some(name) = text.strip_prefix("env:") {
        let own = name.strip_prefix(ENVIRONMENT).is_some_and(|rest| {
            (1..=64).contains(&rest.len())
                && rest
                    .bytes()
                    .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
        });
        if own {
            return Given::Environment(name.to_owned());
        }
        check.fail(
            "credential",
            "only variables named ENTREPOT_CREDENTIAL_… (A-Z, 0-9 and _) are read",
        );
        return Given::None;
    }
    if text.len() > CREDENTIAL_MAX
        || serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&text).is_err()
    {
        check.fail("credential", WRONG);
        return Given::None;
    }
    Given::Secret(SecretString::from(text))
}

fn check_location(check: &mut Check, cloud: &str, region: &str) -> Option<Location> {
    let cloud: Option<Cloud> = check.parse("cloud", cloud);
    // The region's own rule does not depend on the cloud, so both faults are told at once.
    match Location::new(cloud.unwrap_or(Cloud::Aws), region) {
        Ok(location) => cloud.map(|_| location),
        Err(error) => {
            check.fail("region", error);
            None
        }
    }
}

fn check_endpoint(check: &mut Check, endpoint: Option<&str>) -> Option<String> {
    endpoint
        .map(|endpoint| check.text("endpoint", endpoint, 0, URL_MAX, false))
        .filter(|endpoint| !endpoint.is_empty())
}

/// The three columns of a credential.
fn kept(credential: &Credential) -> (Option<&str>, Option<Vec<u8>>, Option<&str>) {
    match credential {
        Credential::None => (None, None, None),
        Credential::Environment(name) => (Some(name.as_str()), None, None),
        Credential::Sealed(sealed) => (
            None,
            Some(sealed.bytes.clone()),
            Some(sealed.key_id.as_str()),
        ),
    }
}

/// What the audit log keeps of a storage: no secret.
fn detail(record: &StorageRecord) -> serde_json::Value {
    json!({
        "location": record.location,
        "url": record.url,
        "endpoint": record.endpoint,
        "credential": record.credential.kind(),
        "replicas": record.replicas,
    })
}

/// Tables and replicas are found by their storage's address: it stays while they are there.
async fn refuse_move<'a>(on: impl Into<On<'a>>, id: StorageId) -> Result<(), Error> {
    let used = sql!(
        "select id from product where storage_id = $1 union all select id from product_table where storage_id = $1 and removed_at is null
         union all select id from replica where storage_id = $1 and state <> 'deleted' limit 1"
    )
    .bind(id)
    .row(on)
    .await?
    .is_some();
    if used {
        return Err(Error::conflict(
            "products or replicas are in this storage, so its cloud, region and URL stay; create another storage",
        ));
    }
    Ok(())
}

/// What is read from this storage is looked at now: with another credential it may work again, or not any more.
async fn wake_readers(change: &mut Change, id: StorageId) -> Result<(), Error> {
    let grants = sql!(
        "select access_grant.id from access_grant where desired = 'active' and (
             exists (select 1 from product_table where product_table.product_id = access_grant.product_id and storage_id = $1)
             or exists (select 1 from replica where replica.product_id = access_grant.product_id and storage_id = $1
                            and state <> 'deleted'))
         order by access_grant.id"
    )
    .bind(id)
    .rows(change.tx())
    .await?;
    for row in grants {
        change.wake(Wake::new(WorkKind::Grant, row.get::<model::GrantId>("id")?));
    }
    Ok(())
}
