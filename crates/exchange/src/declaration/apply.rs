//! Carrying a plan out, step by step, by the operations that the portal uses. Each asks the policy itself and commits with
//! its audit rows; between two steps the process may die, and the next deployment goes on from what is live.

use model::dto::{GrantLimit, GrantScopeNew, ProductPublish};
use model::{Name, RequestId, Stage, Verdict, crash_point};
use serde_json::json;

use super::live::EXCHANGE_NAME;
use super::plan::{Act, GrantAct, Step, Ways};
use crate::access::{DeclaredAs, check_scope};
use crate::audit::Object;
use crate::change::Change;
use crate::error::{Check, Error, FieldError};
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::{Exchange, sql};

/// Where the declaration stands.
pub(super) struct Source {
    pub(super) file: String,
    pub(super) commit: String,
}

impl Exchange {
    /// Does one step. An error names the object.
    pub(super) async fn deploy_step(
        &self,
        principal: &Principal,
        source: &Source,
        step: Step,
    ) -> Result<(), Error> {
        let (kind, name) = (step.change.kind, step.change.name);
        crash_point!("deploy.step.before");
        let done = self.deploy_act(principal, source, step.act).await;
        crash_point!("deploy.step.after");
        done.map_err(|error| about(&kind, &name, error))
    }

    async fn deploy_act(
        &self,
        principal: &Principal,
        source: &Source,
        act: Act,
    ) -> Result<(), Error> {
        match act {
            Act::Nothing => {}
            Act::Exchange(name) => self.name_exchange(principal, &name).await?,
            Act::Domain(new) => {
                self.domain_create(principal, new).await?;
            }
            Act::DomainUpdate(name, change) => {
                self.domain_update(principal, name.as_str(), change).await?;
            }
            Act::Team(new) => {
                self.team_create(principal, new).await?;
            }
            Act::TeamUpdate(name, change) => {
                self.team_update(principal, name.as_str(), change).await?;
            }
            Act::StorageCreate(new) => {
                self.storage_create(principal, new).await?;
            }
            Act::StorageUpdate(name, change) => {
                self.storage_update(principal, name.as_str(), change)
                    .await?;
            }
            Act::ProductRegister { new, publish } => {
                let product = self.product_register(principal, new).await?;
                if publish {
                    crash_point!("deploy.publish.before");
                    let form = ProductPublish {
                        revision: Some(product.revision),
                    };
                    self.product_publish(principal, product.name.as_str(), form)
                        .await?;
                    crash_point!("deploy.publish.after");
                }
            }
            Act::ProductUpdate {
                name,
                change,
                publish,
            } => {
                if let Some(change) = change {
                    self.product_update(principal, name.as_str(), change)
                        .await?;
                }
                if publish {
                    crash_point!("deploy.republish.before");
                    self.product_publish(principal, name.as_str(), ProductPublish::default())
                        .await?;
                    crash_point!("deploy.republish.after");
                }
            }
            Act::Cut(product, new) => {
                self.cut_create(principal, product.as_str(), new).await?;
            }
            Act::CutUpdate(product, name, change) => {
                self.cut_update(principal, product.as_str(), name.as_str(), change)
                    .await?;
            }
            Act::Recipient { new, ways } => {
                let name = new.name.clone();
                self.recipient_create(principal, new).await?;
                self.declare_ways(principal, &name, ways).await?;
            }
            Act::RecipientUpdate { name, change, ways } => {
                if let Some(change) = change {
                    self.recipient_update(principal, name.as_str(), change)
                        .await?;
                }
                self.declare_ways(principal, name.as_str(), ways).await?;
            }
            Act::Grant(act) => self.declare_grant(principal, source, act).await?,
            Act::Limit(grant, per_day) => {
                let new = GrantLimit {
                    live_bytes_per_day: Some(per_day),
                    revision: None,
                };
                self.grant_limit(principal, grant, new).await?;
            }
            Act::Narrow(grant, scope) => {
                let new = GrantScopeNew {
                    rows: scope.rows,
                    directory: scope.directory,
                    revision: None,
                };
                self.grant_narrow(principal, grant, new).await?;
            }
            Act::Withdraw(request) => {
                let mut change = self.change(principal).await?;
                withdraw(&mut change, request).await?;
                change.commit().await?;
            }
            Act::Job { replica, change } => {
                self.sync_job_update(principal, &replica, change).await?;
            }
            Act::Rate(new) => {
                self.rate_create(principal, new).await?;
            }
            Act::ServiceRate(new) => {
                self.service_rate_create(principal, new).await?;
            }
        }
        Ok(())
    }

    /// What limits a recipient, and whose word lets it in.
    async fn declare_ways(
        &self,
        principal: &Principal,
        recipient: &str,
        ways: Ways,
    ) -> Result<(), Error> {
        if let Some(limits) = ways.limits {
            self.recipient_limits_set(principal, recipient, limits)
                .await?;
        }
        if let Some(federation) = ways.federation {
            self.federations_set(principal, recipient, &federation)
                .await?;
        }
        Ok(())
    }

    /// Names an exchange that has no name yet.
    async fn name_exchange(&self, principal: &Principal, name: &Name) -> Result<(), Error> {
        can(principal, Operation::DomainCreate, &Scope::NONE)?;
        let mut change = self.change(principal).await?;
        let named = sql!(
            "insert into setting (name, value, updated_at) values ($1, $2, $3) on conflict (name) do nothing"
        )
        .bind(EXCHANGE_NAME)
        .bind(name)
        .bind(change.at())
        .execute(change.tx())
        .await?;
        if named == 0 {
            return Err(Error::changed("exchange"));
        }
        change.note(
            Operation::DeclarationDeploy,
            Object::new("exchange", name),
            json!({ "named": name }),
        );
        change.commit().await
    }

    /// A request without a requester, decided by who declares it. Where the data is personal it goes on to a
    /// data-protection officer like any other; else it is granted.
    async fn declare_grant(
        &self,
        principal: &Principal,
        source: &Source,
        act: GrantAct,
    ) -> Result<(), Error> {
        // The owner need not see the consumer's recipient to give it something; the right is asked for below.
        let ready = self.request_check(&Principal::operator(), &act.new).await?;
        let scope = Scope {
            personal: ready.product.is_personal(),
            ..Scope::owner(ready.product.team_id)
        };
        can(principal, Operation::GrantDeclare, &scope)?;
        let mut check = Check::new();
        let narrowed = check_scope(&mut check, "", &act.scope, ready.mode);
        self.check_rows(&mut check, "rows", ready.product.id, narrowed.rows.as_ref())
            .await?;
        check.done()?;
        let mut change = self.change(principal).await?;
        let at = change.at();
        // Two deployments wait for each other here.
        self.request_hold(&mut change, &ready).await?;
        let stands = sql!(
            "select id from access_grant where name = $1 and desired = 'active' and until_at > $2"
        )
        .bind(&act.name)
        .bind(at)
        .row(change.tx())
        .await?
        .map(|row| row.get("id"))
        .transpose()?;
        if stands != act.stood {
            return Err(Error::changed("grant"));
        }
        if let Some(request) = act.withdraw {
            withdraw(&mut change, request).await?;
        }
        let declared = DeclaredAs {
            source: format!("{}@{}", source.file, source.commit),
            name: act.name,
        };
        let request = self
            .request_store(&mut change, &ready, None, Some(&declared))
            .await?;
        let note = format!(
            "declared as {} in {} at commit {} by {}",
            declared.name,
            source.file,
            source.commit,
            principal.pseudonym()
        );
        self.decision_store(
            &mut change,
            request,
            Stage::Declared,
            Verdict::Approve,
            principal.person_id(),
            &note,
            1,
        )
        .await?;
        change.note(
            Operation::GrantDeclare,
            Object::new("request", request),
            json!({ "name": declared.name, "file": source.file, "commit": source.commit }),
        );
        if let Some(per_day) = act.live_bytes_per_day {
            self.request_limit(&mut change, request, per_day).await?;
        }
        self.request_scope(&mut change, request, narrowed).await?;
        let open = ready.product.open_stages(&[Stage::Declared]);
        if open.is_empty() {
            self.grant_make(
                &mut change,
                &ready.product,
                &ready.recipient,
                request,
                ready.mode,
                ready.until,
            )
            .await?;
        } else {
            self.tell_deciders(&mut change, (request, &ready), &open, principal.person_id())
                .await?;
        }
        change.commit().await
    }
}

/// Takes back a declared request that waits, and its name with it, so that the file may come back to it. Who declares
/// otherwise had the right to declare it.
async fn withdraw(change: &mut Change, request: RequestId) -> Result<(), Error> {
    let at = change.at();
    let withdrawn = sql!(
        "update request set state = 'withdrawn', grant_name = null, revision = revision + 1, updated_at = $1
         where id = $2 and state = 'submitted' and grant_name is not null"
    )
    .bind(at)
    .bind(request)
    .execute(change.tx())
    .await?;
    if withdrawn == 0 {
        return Err(Error::changed("request"));
    }
    change.note(
        Operation::RequestWithdraw,
        Object::new("request", request),
        json!({ "declared": "otherwise" }),
    );
    Ok(())
}

/// The same error, saying which object of the file it is about.
fn about(kind: &str, name: &str, error: Error) -> Error {
    match error {
        Error::Invalid(fields) => Error::Invalid(
            fields
                .into_iter()
                .map(|field| FieldError {
                    field: format!("{}.{}", place(kind, name), field.field),
                    message: field.message,
                })
                .collect(),
        ),
        Error::Conflict(why) => Error::Conflict(format!("{}: {why}", place(kind, name))),
        Error::Forbidden(why) => Error::Forbidden(format!("{}: {why}", place(kind, name))),
        Error::Unavailable(why) => Error::Unavailable(format!("{}: {why}", place(kind, name))),
        other => other,
    }
}

/// Where an object stands in the file.
pub(super) fn place(kind: &str, name: &str) -> String {
    match kind {
        "exchange" => "exchange".to_owned(),
        "cut" => {
            let (product, cut) = name.split_once(':').unwrap_or((name, ""));
            format!("products.{product}.cuts.{cut}")
        }
        kind => format!("{kind}s.{name}"),
    }
}
