//! What a step would be refused for, found before anything is done: its own operation's rules where they need no IO, and
//! the logs of new tables, of which no more than so many are read.

use std::collections::BTreeMap;

use model::dto::{DeclarationAction, Inspection, ProductChange, ProductNew, TableNew};
use model::{Name, ProductId, ProductName, StorageId, TeamId};

use super::{Act, Planner};
use crate::catalog::{Looked, begins_with, check_path, overlaps};
use crate::error::{Check, Error};
use crate::ports::StorageAccess;

/// The most tables that one plan looks at. The rest is looked at when it is registered, as always.
const TABLES_MAX: usize = 200;

/// Of so many copies a step tells.
const ALIKE_MAX: usize = 5;

/// How tables in a storage would be reached.
#[derive(Clone)]
struct Reach {
    access: StorageAccess,
    /// None where the storage is yet to be made.
    id: Option<StorageId>,
}

/// The product whose tables a step adds or moves.
#[derive(Clone, Copy)]
struct Owner<'a> {
    product: &'a ProductName,
    team: Option<TeamId>,
    known_as: Option<ProductId>,
}

/// A table that a step would add or move.
struct Look {
    step: usize,
    table: String,
    product: ProductName,
    /// The team whose product it is; None where that is yet to be made.
    team: Option<TeamId>,
    /// The product's own tables are in nobody's way.
    known_as: Option<ProductId>,
    storage: Name,
    reach: Reach,
    path: String,
}

impl Planner<'_> {
    /// Turns steps that would be refused into refusals.
    pub(super) async fn foresee(&mut self) -> Result<(), Error> {
        let reaches = self.foresee_storages().await?;
        let mut looks = Vec::new();
        for step in 0..self.steps.len() {
            match &self.steps[step].act {
                Act::ProductRegister { new, .. } => match self.registered(step, new, &reaches) {
                    Ok(found) => looks.extend(found),
                    Err(error) => self.refuse_step(step, error)?,
                },
                Act::ProductUpdate {
                    name,
                    change: Some(change),
                    ..
                } => match self.updated(step, name, change, &reaches).await {
                    Ok(found) => looks.extend(found),
                    Err(error) => self.refuse_step(step, error)?,
                },
                _ => {}
            }
        }
        self.foresee_rights(&mut looks).await?;
        self.foresee_folders(&looks).await?;
        self.foresee_logs(looks).await
    }

    /// Storages that the product's team may not use are not looked into, nor is told what lies in them.
    async fn foresee_rights(&mut self, looks: &mut Vec<Look>) -> Result<(), Error> {
        for look in looks.iter() {
            let Some(storage) = self.live.storages.get(&look.storage) else {
                continue;
            };
            if self.is_refused(look.step) {
                continue;
            }
            let usable = self
                .exchange
                .storage_usable(self.principal, look.team.as_slice(), storage)
                .await;
            if let Err(error) = usable {
                self.refuse_step(look.step, error)?;
            }
        }
        looks.retain(|look| !self.is_refused(look.step));
        Ok(())
    }

    fn is_refused(&self, step: usize) -> bool {
        self.steps[step].change.action == DeclarationAction::Refused
    }

    /// The storages there would be, as far as they are not refused.
    async fn foresee_storages(&mut self) -> Result<BTreeMap<Name, Reach>, Error> {
        let mut urls: Vec<(Name, String)> = self
            .live
            .storages
            .values()
            .map(|storage| (storage.name.clone(), storage.url.clone()))
            .collect();
        let mut reaches = BTreeMap::new();
        for step in 0..self.steps.len() {
            let (foreseen, id) = match &self.steps[step].act {
                Act::StorageCreate(new) => (self.exchange.storage_foreseen(new, &urls), None),
                Act::StorageUpdate(name, change) => {
                    let Some(live) = self.live.storages.get(name) else {
                        continue;
                    };
                    urls.retain(|(other, _)| other != name);
                    let foreseen = self
                        .exchange
                        .storage_change_foreseen(live, change, &urls)
                        .await;
                    (foreseen, Some(live.id))
                }
                _ => continue,
            };
            match foreseen {
                Ok(access) => {
                    urls.push((access.name.clone(), access.url.clone()));
                    reaches.insert(access.name.clone(), Reach { access, id });
                }
                Err(error) => self.refuse_step(step, error)?,
            }
        }
        Ok(reaches)
    }

    fn reach(&self, reaches: &BTreeMap<Name, Reach>, name: &Name) -> Result<Option<Reach>, Error> {
        if let Some(reach) = reaches.get(name) {
            return Ok(Some(reach.clone()));
        }
        // One that is refused, or to be made: whatever is to say of it stands at its own step.
        let Some(live) = self.live.storages.get(name) else {
            return Ok(None);
        };
        let access = self.exchange.storage_open(live.clone())?;
        Ok(Some(Reach {
            access,
            id: Some(live.id),
        }))
    }

    fn registered(
        &self,
        step: usize,
        new: &ProductNew,
        reaches: &BTreeMap<Name, Reach>,
    ) -> Result<Vec<Look>, Error> {
        let mut check = Check::new();
        let product: Option<ProductName> = check.parse("name", &new.name);
        if let (Some(product), Ok(team)) = (&product, new.team.parse::<Name>())
            && let Some(team) = self.live.teams.get(&team)
            && !product.is_of_domain(&team.domain)
        {
            check.fail("name", begins_with(team.domain.as_str()));
        }
        check.done()?;
        let Some(product) = product else {
            return Ok(Vec::new());
        };
        let team = new.team.parse().ok();
        let owner = Owner {
            product: &product,
            team: team.and_then(|team| self.live.team_id(&team)),
            known_as: None,
        };
        let mut looks = Vec::new();
        for table in &new.tables {
            looks.extend(self.look(step, owner, table, &new.storage, reaches)?);
        }
        Ok(looks)
    }

    async fn updated(
        &self,
        step: usize,
        name: &ProductName,
        change: &ProductChange,
        reaches: &BTreeMap<Name, Reach>,
    ) -> Result<Vec<Look>, Error> {
        let Some(live) = self.live.products.get(name) else {
            return Ok(Vec::new());
        };
        let tables = change.tables.iter().flatten();
        let is_live = |storage: &String| {
            storage
                .parse::<Name>()
                .is_ok_and(|storage| self.live.storages.contains_key(&storage))
        };
        let mut named = tables.clone().filter_map(|table| table.storage.as_ref());
        // A storage that is yet to be made is not known to the product's own rules.
        if change.storage.iter().all(is_live) && named.all(is_live) {
            self.exchange
                .product_update_foreseen(self.principal, name.as_str(), change)
                .await?;
        }
        let default = change
            .storage
            .clone()
            .unwrap_or_else(|| live.record.storage.to_string());
        let owner = Owner {
            product: name,
            team: Some(live.record.team_id),
            known_as: Some(live.record.id),
        };
        let mut looks = Vec::new();
        for table in tables {
            let stays = live.tables.iter().any(|((schema, name), live)| {
                schema.as_str() == table.schema
                    && name.as_str() == table.name
                    && live.path == table.path
                    && live.storage.as_str() == table.storage.as_ref().unwrap_or(&default)
            });
            if !stays {
                looks.extend(self.look(step, owner, table, &default, reaches)?);
            }
        }
        Ok(looks)
    }

    fn look(
        &self,
        step: usize,
        owner: Owner<'_>,
        table: &TableNew,
        default: &str,
        reaches: &BTreeMap<Name, Reach>,
    ) -> Result<Option<Look>, Error> {
        let mut check = Check::new();
        let path = check_path(&mut check, "path", &table.path);
        let storage = table.storage.as_deref().unwrap_or(default);
        let storage: Option<Name> = check.parse("storage", storage);
        check.done()?;
        let (Some(path), Some(storage)) = (path, storage) else {
            return Ok(None);
        };
        let Some(reach) = self.reach(reaches, &storage)? else {
            return Ok(None);
        };
        Ok(Some(Look {
            step,
            table: format!("tables.{}.{}", table.schema, table.name),
            product: owner.product.clone(),
            team: owner.team,
            known_as: owner.known_as,
            storage,
            reach,
            path,
        }))
    }

    /// Folders that other products or replicas use, live or of this file.
    async fn foresee_folders(&mut self, looks: &[Look]) -> Result<(), Error> {
        for (index, look) in looks.iter().enumerate() {
            let other = looks[..index].iter().find(|other| {
                other.product != look.product
                    && other.storage == look.storage
                    && overlaps(&other.path, &look.path)
            });
            let taken = match (other, look.reach.id) {
                (Some(other), _) => Some(format!(
                    "this folder is one of the product {} of this file, lies in it or holds it; choose a folder apart",
                    other.product
                )),
                (None, Some(storage)) => {
                    self.exchange
                        .folder_taken(self.principal, look.known_as, storage, &look.path)
                        .await?
                }
                (None, None) => None,
            };
            if let Some(sentence) = taken {
                self.refuse_step(look.step, Error::invalid(&look.table, sentence))?;
            }
        }
        Ok(())
    }

    async fn foresee_logs(&mut self, mut looks: Vec<Look>) -> Result<(), Error> {
        looks.retain(|look| !self.is_refused(look.step));
        for unread in looks.split_off(looks.len().min(TABLES_MAX)) {
            let change = &mut self.steps[unread.step].change;
            change.note.get_or_insert_with(|| {
                format!(
                    "more than {TABLES_MAX} tables are new: not all of these were looked at yet"
                )
            });
        }
        let questions = looks
            .iter()
            .map(|look| (look.reach.access.clone(), look.path.clone()))
            .collect();
        let answers = self.exchange.inspect_all(self.principal, questions).await;
        let mut found = Vec::new();
        for (look, answer) in looks.iter().zip(answers) {
            match answer {
                Ok(inspection) => found.push((look, inspection)),
                Err(problem) => {
                    let error = Error::invalid(&look.table, problem.sentence);
                    self.refuse_step(look.step, error)?;
                }
            }
        }
        self.foresee_sprawl(&found).await
    }

    /// Tables that are there under another name already are said at their step, which is done all the same.
    async fn foresee_sprawl(&mut self, found: &[(&Look, Inspection)]) -> Result<(), Error> {
        let looked: Vec<Looked<'_>> = found
            .iter()
            .map(|(look, inspection)| (inspection, look.known_as.map(|_| &look.product)))
            .collect();
        let each = self.exchange.alike_each(self.principal, &looked).await?;
        let mut said: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for ((look, _), alike) in found.iter().zip(each) {
            if self.is_refused(look.step) {
                continue;
            }
            let sentences = alike.into_iter().map(|alike| alike.sentence);
            let told = sentences.map(|sentence| format!("{}: {sentence}", look.table));
            said.entry(look.step).or_default().extend(told);
        }
        for (step, mut told) in said {
            let left = told.len().saturating_sub(ALIKE_MAX);
            told.truncate(ALIKE_MAX);
            if left > 0 {
                told.push(format!("And {left} more of this kind."));
            }
            if !told.is_empty() {
                self.steps[step].remark = Some(told.join(" "));
            }
        }
        Ok(())
    }

    /// What its operation would say is the note of a step that cannot be; what is nobody's mistake ends the plan.
    fn refuse_step(&mut self, step: usize, error: Error) -> Result<(), Error> {
        if matches!(error, Error::Internal(_) | Error::Unauthenticated) {
            return Err(error);
        }
        let step = &mut self.steps[step];
        let sentence = error.to_string();
        step.change.note = match step.change.note.take() {
            Some(said) if step.change.action == DeclarationAction::Refused => {
                Some(format!("{said}; {sentence}"))
            }
            _ => Some(sentence),
        };
        step.change.action = DeclarationAction::Refused;
        step.act = Act::Nothing;
        step.forbidden |= matches!(error, Error::Forbidden(_));
        Ok(())
    }
}
