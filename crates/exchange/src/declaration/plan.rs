//! The plan: what deploying would do, step by step, compared with what is live. Nothing is ever pruned. A step that its
//! operation would refuse is refused here.

mod access;
mod basics;
mod cuts;
mod foresee;
mod jobs;
mod products;
mod recipients;

pub(super) use access::export_name;
pub(super) use basics::sides;

use model::dto::{
    CutChange, CutNew, DeclarationAction, DeclarationChange, DeclarationPlan, DomainChange,
    DomainNew, FederationNew, FieldChange, GrantScope, ProductChange, ProductNew, RateNew,
    RecipientChange, RecipientLimits, RecipientNew, RequestNew, ServiceRateNew, StorageChange,
    StorageNew, SyncJobChange, TeamChange, TeamNew,
};
use model::{GrantId, Name, ProductName, RequestId};
use sha2::{Digest, Sha256};

use super::live::Live;
use super::wanted::Wanted;
use crate::Exchange;
use crate::error::Error;
use crate::operation::Operation;
use crate::policy::{Scope, allows};
use crate::principal::Principal;

/// What is declared and what it takes to make it so.
pub(super) struct Step {
    pub(super) change: DeclarationChange,
    pub(super) act: Act,
    /// Refused because this caller may not.
    pub(super) forbidden: bool,
    /// Said with the note, and not what is done: it is no part of the plan's hash, as it may be told to one and not to another.
    pub(super) remark: Option<String>,
}

/// What limits a recipient and whose word lets it in, where that is to change.
#[derive(Debug, Default)]
pub(super) struct Ways {
    pub(super) limits: Option<RecipientLimits>,
    pub(super) federation: Option<Vec<FederationNew>>,
}

/// What a step does: the forms of the portal's own operations.
#[derive(Debug)]
pub(super) enum Act {
    Nothing,
    Exchange(Name),
    Domain(DomainNew),
    DomainUpdate(Name, DomainChange),
    Team(TeamNew),
    TeamUpdate(Name, TeamChange),
    StorageCreate(StorageNew),
    StorageUpdate(Name, StorageChange),
    ProductRegister {
        new: ProductNew,
        publish: bool,
    },
    ProductUpdate {
        name: ProductName,
        change: Option<ProductChange>,
        publish: bool,
    },
    /// A cut of a product.
    Cut(ProductName, CutNew),
    CutUpdate(ProductName, Name, CutChange),
    Recipient {
        new: RecipientNew,
        ways: Ways,
    },
    RecipientUpdate {
        name: Name,
        change: Option<RecipientChange>,
        ways: Ways,
    },
    Grant(GrantAct),
    /// What stands hands out another number of bytes a day.
    Limit(GrantId, u64),
    Narrow(GrantId, GrantScope),
    /// A declared request that waits, while what is declared now stands already.
    Withdraw(RequestId),
    Job {
        /// `product@storage`
        replica: String,
        change: SyncJobChange,
    },
    Rate(RateNew),
    ServiceRate(ServiceRateNew),
}

#[derive(Debug)]
pub(super) struct GrantAct {
    pub(super) name: Name,
    pub(super) new: RequestNew,
    /// The declared request that waits and is not what is wanted any more.
    pub(super) withdraw: Option<RequestId>,
    /// The grant of this name that stood when the plan was made.
    pub(super) stood: Option<GrantId>,
    pub(super) live_bytes_per_day: Option<u64>,
    pub(super) scope: GrantScope,
}

pub(super) struct Planner<'a> {
    exchange: &'a Exchange,
    principal: &'a Principal,
    wanted: &'a Wanted,
    live: &'a Live,
    steps: Vec<Step>,
    asks: access::Asks<'a>,
    /// What the file's replica grants lead to.
    replicas: Vec<access::ReplicaToCome>,
}

/// The steps in the order in which they are done, and then what is foreign.
pub(super) async fn plan(
    exchange: &Exchange,
    principal: &Principal,
    wanted: &Wanted,
) -> Result<Vec<Step>, Error> {
    let live = exchange.live().await?;
    let mut planner = Planner {
        exchange,
        principal,
        wanted,
        live: &live,
        steps: Vec::new(),
        asks: access::Asks::of(&live),
        replicas: Vec::new(),
    };
    planner.exchange_name();
    planner.domains();
    planner.teams();
    planner.storages();
    planner.rates();
    planner.service_rates();
    planner.products();
    planner.cuts().await?;
    planner.recipients();
    planner.grants().await?;
    planner.sync_jobs();
    planner.foresee().await?;
    planner.foreign();
    Ok(planner.steps)
}

/// What is shown of the steps, with the hash over what they would do.
pub(super) fn shown(steps: &[Step]) -> Result<DeclarationPlan, Error> {
    let changes: Vec<DeclarationChange> = steps.iter().map(|step| step.change.clone()).collect();
    let counted: Vec<&DeclarationChange> = changes
        .iter()
        .filter(|change| {
            matches!(
                change.action,
                DeclarationAction::Create | DeclarationAction::Update | DeclarationAction::Refused
            )
        })
        .collect();
    let canonical = serde_json::to_vec(&counted).map_err(Error::internal)?;
    let hash = hex::encode(Sha256::digest(canonical));
    let remarked = changes.into_iter().zip(steps).map(|(mut change, step)| {
        if let Some(remark) = &step.remark {
            change.note = Some(match change.note.take() {
                Some(note) => format!("{note}; {remark}"),
                None => remark.clone(),
            });
        }
        change
    });
    Ok(DeclarationPlan {
        changes: remarked.collect(),
        hash,
    })
}

/// The fields of one object that a deployment would set.
#[derive(Default)]
struct Fields(Vec<FieldChange>);

impl Fields {
    /// A value that is not there yet.
    fn set(&mut self, field: &str, to: impl ToString) {
        self.0.push(FieldChange {
            field: field.to_owned(),
            from: None,
            to: Some(to.to_string()),
        });
    }

    fn set_if<T: ToString>(&mut self, field: &str, to: Option<T>) {
        if let Some(to) = to {
            self.set(field, to);
        }
    }

    /// A value that is there; answers whether another is wanted.
    fn compare(&mut self, field: &str, from: impl ToString, to: impl ToString) -> bool {
        let (from, to) = (from.to_string(), to.to_string());
        let differs = from != to;
        if differs {
            self.0.push(FieldChange {
                field: field.to_owned(),
                from: Some(from).filter(|from| !from.is_empty()),
                to: Some(to).filter(|to| !to.is_empty()),
            });
        }
        differs
    }

    /// The same for what may be left out; the value where another is wanted.
    fn differs<T: ToString + Clone>(
        &mut self,
        field: &str,
        from: impl ToString,
        to: Option<&T>,
    ) -> Option<T> {
        let to = to?;
        self.compare(field, from, to.to_string())
            .then(|| to.clone())
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Planner<'_> {
    fn push(
        &mut self,
        action: DeclarationAction,
        kind: &str,
        name: impl ToString,
        fields: Fields,
        act: Act,
    ) {
        self.steps.push(Step {
            change: DeclarationChange {
                action,
                kind: kind.to_owned(),
                name: name.to_string(),
                fields: fields.0,
                note: None,
            },
            act,
            forbidden: false,
            remark: None,
        });
    }

    fn unchanged(&mut self, kind: &str, name: impl ToString) {
        self.push(
            DeclarationAction::Unchanged,
            kind,
            name,
            Fields::default(),
            Act::Nothing,
        );
    }

    fn note(&mut self, note: impl Into<String>) {
        if let Some(step) = self.steps.last_mut() {
            step.change.note = Some(note.into());
        }
    }

    fn refuse(&mut self, kind: &str, name: impl ToString, fields: Fields, why: impl Into<String>) {
        self.push(DeclarationAction::Refused, kind, name, fields, Act::Nothing);
        self.note(why);
    }

    fn create(&mut self, kind: &str, name: impl ToString, fields: Fields, act: Act) {
        self.push(DeclarationAction::Create, kind, name, fields, act);
    }

    /// An update, or nothing where no field differs.
    fn update(&mut self, kind: &str, name: impl ToString, fields: Fields, act: Act) {
        if fields.is_empty() {
            self.unchanged(kind, name);
        } else {
            self.push(DeclarationAction::Update, kind, name, fields, act);
        }
    }

    /// Turns the last step into a refusal unless the caller may do it.
    fn needs(&mut self, operation: Operation, scope: &Scope) {
        let allowed = allows(self.principal, operation, scope);
        let Some(step) = self.steps.last_mut() else {
            return;
        };
        let does = matches!(
            step.change.action,
            DeclarationAction::Create | DeclarationAction::Update
        );
        if does && !allowed {
            let why = match crate::policy::can(self.principal, operation, scope) {
                Err(error) => error.to_string(),
                Ok(()) => return,
            };
            step.change.action = DeclarationAction::Refused;
            step.change.note = Some(why);
            step.act = Act::Nothing;
            step.forbidden = true;
        }
    }

    fn foreign_one(&mut self, kind: &str, name: impl ToString) {
        self.push(
            DeclarationAction::Foreign,
            kind,
            name,
            Fields::default(),
            Act::Nothing,
        );
    }

    /// What is live, visible to the caller, and not in the file.
    fn foreign(&mut self) {
        let (wanted, live, principal) = (self.wanted, self.live, self.principal);
        for name in live.domains.keys() {
            if !has(&wanted.domains, name) {
                self.foreign_one("domain", name);
            }
        }
        for name in live.teams.keys() {
            if !has(&wanted.teams, name) {
                self.foreign_one("team", name);
            }
        }
        for name in live.storages.keys() {
            if !has(&wanted.storages, name) {
                self.foreign_one("storage", name);
            }
        }
        self.foreign_rates();
        for (name, product) in &live.products {
            if !has(&wanted.products, name)
                && product.is_visible_to(principal)
                && !super::live::is_retired(product.record.state)
            {
                self.foreign_one("product", name);
            }
        }
        self.foreign_tables();
        self.foreign_cuts();
        for (name, recipient) in &live.recipients {
            let scope = Scope::consumer(recipient.team_id);
            if !has(&wanted.recipients, name) && allows(principal, Operation::RecipientRead, &scope)
            {
                self.foreign_one("recipient", name);
            }
        }
        self.foreign_grants();
        self.foreign_jobs();
    }
}

fn has<N: Ord, T>(section: &super::wanted::Named<N, T>, name: &N) -> bool {
    section
        .as_ref()
        .is_some_and(|section| section.contains_key(name))
}
