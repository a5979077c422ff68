//! Storages: what there is, making and changing one, and what the doctor finds.

use std::fmt;

use exchange::Operation;
use exchange::policy::{Scope, allows};
use leptos::prelude::*;
use model::dto::AssessmentNew;
use model::dto::AssessmentState;
use model::dto::CredentialNew;
use model::dto::Storage;
use model::dto::StorageChange;
use model::dto::StorageDoctor;
use model::dto::StorageNew;
use model::dto::StorageReport;
use serde::Deserialize;
use serde::Serialize;

use crate::api::Done;
use crate::api::Listed;
use crate::components::tick::TICKED;
use crate::ctx::Flash;
use crate::error::AppError;
use crate::words;

use super::{call, parse_id, said, sent};

const PAGE: &str = "/admin/storages";

/// The form of a storage's page that runs the doctor, and shows what was found.
pub const DOCTOR: &str = "doctor";

const REPORT: &str = "report";

/// A page of storages.
#[derive(Clone, Debug)]
pub struct Storages {
    pub storages: Listed<Storage>,
    pub may_create: bool,
}

/// Storages in the order of their names.
pub async fn storages(after: Option<String>) -> Result<Storages, AppError> {
    let (exchange, principal) = call()?;
    let page = exchange::page::PageRequest { after, limit: None };
    let found = exchange.storages(&principal, &page).await.map_err(said)?;
    Ok(Storages {
        storages: found.into(),
        may_create: allows(&principal, Operation::StorageCreate, &Scope::NONE),
    })
}

/// A storage, and what the viewer may do with it.
#[derive(Clone, Debug)]
pub struct StorageShown {
    pub storage: Storage,
    pub may_change: bool,
    /// Run the doctor.
    pub may_examine: bool,
}

pub async fn storage(name: String) -> Result<StorageShown, AppError> {
    let (exchange, principal) = call()?;
    let storage = exchange.storage(&principal, &name).await.map_err(said)?;
    Ok(StorageShown {
        storage,
        may_change: allows(&principal, Operation::StorageUpdate, &Scope::NONE),
        may_examine: allows(&principal, Operation::StorageDoctor, &Scope::NONE),
    })
}

/// The fields of a credential, of which each cloud has some. Prints as asterisks.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CredentialForm {
    pub access_key_id: String,
    pub secret_access_key: String,
    pub session_token: String,
    pub role_arn: String,
    pub account_key: String,
    pub sas: String,
    pub tenant_id: String,
    pub client_id: String,
    pub client_secret: String,
    /// A service account's key file, as Google hands it out.
    pub service_account: String,
    /// A profile file, as the provider of a Delta Share hands it out.
    pub profile: String,
    /// The name of a variable of the server's environment.
    pub variable: String,
}

impl fmt::Debug for CredentialForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("****")
    }
}

impl CredentialForm {
    /// None: nothing was filled in.
    ///
    /// # Errors
    /// When several kinds were.
    fn credential(&self) -> Result<Option<CredentialNew>, exchange::Error> {
        let keys: serde_json::Map<String, serde_json::Value> = [
            ("access_key_id", &self.access_key_id),
            ("secret_access_key", &self.secret_access_key),
            ("session_token", &self.session_token),
            ("role_arn", &self.role_arn),
            ("account_key", &self.account_key),
            ("sas", &self.sas),
            ("tenant_id", &self.tenant_id),
            ("client_id", &self.client_id),
            ("client_secret", &self.client_secret),
        ]
        .into_iter()
        .filter(|(_, value)| !value.trim().is_empty())
        .map(|(field, value)| (field.to_owned(), value.trim().into()))
        .collect();
        let variable = self.variable.trim();
        let variable = variable.strip_prefix("env:").unwrap_or(variable);
        let (account, profile) = (self.service_account.trim(), self.profile.trim());
        let file = if account.is_empty() { profile } else { account };
        let is_both = !account.is_empty() && !profile.is_empty();
        match (
            keys.is_empty() && !is_both,
            file.is_empty(),
            variable.is_empty(),
        ) {
            (true, true, true) => Ok(None),
            (false, true, true) => Ok(Some(CredentialNew(keys.into()))),
            (true, false, true) => Ok(Some(file.into())),
            (true, true, false) => Ok(Some(format!("env:{variable}").as_str().into())),
            _ => Err(exchange::Error::invalid(
                "credential",
                words::answers::ONE_KIND_OF_CREDENTIAL_ONLY,
            )),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StorageForm {
    pub name: String,
    pub cloud: String,
    pub region: String,
    pub url: String,
    #[serde(default)]
    pub endpoint: String,
    #[serde(default)]
    pub replicas: String,
    #[serde(default)]
    pub credential: CredentialForm,
}

#[server]
pub async fn create_storage(form: StorageForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let new = StorageNew {
        credential: form.credential.credential().map_err(said)?,
        name: form.name,
        cloud: form.cloud,
        region: form.region,
        url: form.url,
        endpoint: Some(form.endpoint).filter(|text| !text.is_empty()),
        replicas: form.replicas == TICKED,
    };
    let made = exchange
        .storage_create(&principal, new)
        .await
        .map_err(said)?;
    Ok(Done::new(
        format!("{PAGE}/{}", made.name),
        words::answers::storage_is_made(&made.name),
    ))
}

/// What is absent stays as it is; so does a credential of which nothing is filled in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StorageChangeForm {
    pub storage: String,
    #[serde(default)]
    pub revision: Option<i64>,
    #[serde(default)]
    pub cloud: Option<String>,
    #[serde(default, deserialize_with = "sent")]
    pub region: Option<String>,
    #[serde(default, deserialize_with = "sent")]
    pub url: Option<String>,
    #[serde(default, deserialize_with = "sent")]
    pub endpoint: Option<String>,
    #[serde(default)]
    pub replicas: String,
    #[serde(default)]
    pub credential: CredentialForm,
}

#[server]
pub async fn update_storage(form: StorageChangeForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let change = StorageChange {
        credential: form.credential.credential().map_err(said)?,
        cloud: form.cloud,
        region: form.region,
        url: form.url,
        endpoint: form.endpoint,
        replicas: Some(form.replicas == TICKED),
        revision: form.revision,
    };
    let storage = exchange
        .storage_update(&principal, &form.storage, change)
        .await
        .map_err(said)?;
    Ok(Done::new(
        format!("{PAGE}/{}", storage.name),
        words::answers::storage_is_changed(&storage.name),
    ))
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DoctorForm {
    pub storage: String,
    #[serde(default)]
    pub write: String,
}

/// Looks at the storage; what was found is shown once, on its page.
#[server]
pub async fn examine_storage(form: DoctorForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let write = form.write == TICKED;
    let doctor = StorageDoctor { write: Some(write) };
    let report = exchange
        .storage_doctor(&principal, &form.storage, doctor)
        .await
        .map_err(said)?;
    let notice = words::answers::doctor_has_looked(&form.storage);
    let text =
        serde_json::to_string(&report).map_err(|error| said(exchange::Error::internal(error)))?;
    let mut values = vec![(REPORT, text)];
    if write {
        values.push(("write", form.write));
    }
    let to = format!("{PAGE}/{}", crate::url::encode(&form.storage));
    Ok(Done::new(to, notice).carrying(DOCTOR, &values))
}

/// What [`examine_storage`] has left for the page.
pub fn found(flash: &Flash) -> Option<StorageReport> {
    let report = flash.value(REPORT).filter(|_| flash.is_of(DOCTOR))?;
    serde_json::from_str(&report).ok()
}

/// The last assessment, and where another can be made.
#[derive(Clone, Debug)]
pub struct Assessed {
    pub state: AssessmentState,
    pub storages: Vec<String>,
    /// Those that are kept, without what came of them.
    pub past: Vec<AssessmentState>,
}

pub async fn assessment() -> Result<Assessed, AppError> {
    let (exchange, principal) = call()?;
    let state = exchange.assessment(&principal).await.map_err(said)?;
    let all = exchange::page::PageRequest::all();
    let past = exchange.assessments(&principal, &all).await.map_err(said)?;
    let mut storages = Vec::new();
    let mut after = None;
    loop {
        let page = exchange::page::PageRequest { after, limit: None };
        let found = exchange.storages(&principal, &page).await.map_err(said)?;
        let names = found.items.iter().map(|storage| storage.name.to_string());
        storages.extend(names);
        after = found.next;
        if after.is_none() {
            break;
        }
    }
    Ok(Assessed {
        state,
        storages,
        past: past.items,
    })
}

/// One assessment.
pub async fn assessment_of(id: String) -> Result<AssessmentState, AppError> {
    let (exchange, principal) = call()?;
    let id = parse_id(&id)?;
    exchange.assessment_of(&principal, id).await.map_err(said)
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssessmentEnd {
    pub assessment: String,
}

/// Ends the assessment that runs.
#[server]
pub async fn cancel_assessment(form: AssessmentEnd) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let id = parse_id(&form.assessment)?;
    exchange
        .assessment_cancel(&principal, id)
        .await
        .map_err(said)?;
    Ok(Done::new(
        "/admin/assess",
        words::admin::assess::IS_CANCELLED,
    ))
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssessmentForm {
    pub storage: String,
    #[serde(default)]
    pub prefix: String,
    #[serde(default)]
    pub days: String,
    #[serde(default)]
    pub every: String,
    #[serde(default)]
    pub to: String,
    #[serde(default)]
    pub flows: String,
}

/// Begins an assessment; how far it is stands on its page.
#[server]
pub async fn start_assessment(form: AssessmentForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let days = match form.days.trim() {
        "" => None,
        text => Some(text.parse::<u32>().map_err(|_| {
            said(exchange::Error::invalid(
                "days",
                words::admin::assess::DAYS_ARE_A_NUMBER,
            ))
        })?),
    };
    let given = |text: String| Some(text).filter(|text| !text.trim().is_empty());
    let new = AssessmentNew {
        storage: form.storage,
        prefix: form.prefix,
        days,
        every: given(form.every),
        to: given(form.to),
        flows: given(form.flows),
    };
    exchange
        .assessment_start(&principal, new)
        .await
        .map_err(said)?;
    Ok(Done::new("/admin/assess", words::admin::assess::STARTED))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_kind_of_credential_is_taken_and_none_is_printed() {
        let keys = CredentialForm {
            access_key_id: " AKIA ".to_owned(),
            secret_access_key: "hunter2".to_owned(),
            ..CredentialForm::default()
        };
        let expected = json!({ "access_key_id": "AKIA", "secret_access_key": "hunter2" });
        assert_eq!(keys.credential().unwrap(), Some(CredentialNew(expected)));
        assert!(!format!("{keys:?} {keys:#?}").contains("hunter2"));

        for typed in ["ENTREPOT_CREDENTIAL_LAKE", "env:ENTREPOT_CREDENTIAL_LAKE"] {
            let variable = CredentialForm {
                variable: typed.to_owned(),
                ..CredentialForm::default()
            };
            let expected = "env:ENTREPOT_CREDENTIAL_LAKE".into();
            assert_eq!(variable.credential().unwrap(), Some(expected), "{typed}");
        }
        assert_eq!(CredentialForm::default().credential().unwrap(), None);
        let both = CredentialForm {
            variable: "ENTREPOT_CREDENTIAL_LAKE".to_owned(),
            ..keys
        };
        let error = both.credential().unwrap_err().to_string();
        assert!(error.starts_with("credential: fill in one kind"), "{error}");
    }

    #[test]
    fn a_report_is_found_in_its_own_flash_only() {
        let report = StorageReport {
            checks: Vec::new(),
            least_policy: "read".to_owned(),
        };
        let text = serde_json::to_string(&report).unwrap();
        let flash = |form: &str, text: &str| Flash {
            form: form.to_owned(),
            values: vec![(REPORT.to_owned(), text.to_owned())],
            ..Flash::default()
        };
        assert_eq!(found(&flash(DOCTOR, &text)), Some(report));
        assert_eq!(found(&flash("storage", &text)), None);
        assert_eq!(found(&flash(DOCTOR, "nothing")), None);
    }
}
