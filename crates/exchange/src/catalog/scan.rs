//! Scanning a storage: every table under a prefix, as an `entrepot.yml` to read through and deploy. Nothing is stored.

use std::collections::BTreeMap;

use model::dto::{Inspection, ScanReport, ScannedTable, StorageScan};
use model::names::slug;
use model::{Name, ProductName};

use super::inspect::{check_path, overlaps};
use super::sprawl::Looked;
use super::yaml::{Product, Table, fragment};
use crate::Exchange;
use crate::error::{Check, Error};
use crate::operation::Operation;
use crate::people::TeamRecord;
use crate::policy::{Scope, can};
use crate::ports::Problem;
use crate::principal::Principal;
use crate::storages::{StorageRecord, Usage, produced_by, uses_all};

/// The most tables that one scan looks at.
const TABLES_MAX: usize = 1_000;

impl Exchange {
    /// Lists the tables under a prefix, looks at each, and writes the declaration that would register them: one product
    /// per folder that holds tables. Tables of other teams are left out, not even named.
    pub async fn storage_scan(
        &self,
        principal: &Principal,
        storage: &str,
        form: StorageScan,
    ) -> Result<ScanReport, Error> {
        can(principal, Operation::StorageScan, &Scope::NONE)?;
        let storage = self
            .storage_by_name(storage)
            .await?
            .ok_or(Error::NotFound("storage"))?;
        let mut check = Check::new();
        let prefix = if form.prefix.trim_matches('/').is_empty() {
            Some(String::new())
        } else {
            check_path(&mut check, "prefix", &form.prefix)
        };
        let team = self.scanning_team(principal, form.team).await?;
        if team.is_none() {
            check.fail(
                "team",
                "name the team that will own the products: you produce for none, or for several",
            );
        }
        check.done()?;
        let (Some(prefix), Some(team)) = (prefix, team) else {
            return Err(Error::invalid("prefix", "missing"));
        };
        let teams = produced_by(principal);
        let usage = self.storage_usable(principal, &teams, &storage).await?;
        let access = self.storage_open(storage.clone())?;
        let mut paths = self
            .ports()
            .inspector
            .scan(&access, &prefix)
            .await
            .map_err(|problem| {
                if problem.transient {
                    Error::Unavailable(problem.sentence)
                } else {
                    Error::invalid("prefix", problem.sentence)
                }
            })?;
        paths.sort();
        paths.dedup();
        if !uses_all(principal) {
            paths.retain(|path| !usage.of_others(&teams).any(|other| overlaps(other, path)));
        }
        if paths.len() > TABLES_MAX {
            return Err(Error::invalid(
                "prefix",
                format!(
                    "there are {} tables; name a folder with at most {TABLES_MAX}",
                    paths.len()
                ),
            ));
        }
        let questions = paths
            .iter()
            .map(|path| (access.clone(), path.clone()))
            .collect();
        let found = self.inspect_all(principal, questions).await;

        let mut answered: Vec<(String, Result<Inspection, Problem>)> =
            paths.into_iter().zip(found).collect();
        self.fill_alike(principal, &usage, &mut answered).await?;
        // The shallow folders first: they have no more of the path to make a longer name of.
        answered.sort_by_key(|(path, _)| path.matches('/').count());
        let mut grouping = Grouping::new(&team, &storage);
        let mut tables: Vec<ScannedTable> = answered
            .into_iter()
            .map(|(path, found)| scanned(&mut grouping, &usage, path, found))
            .collect();
        tables.sort_by(|one, other| one.path.cmp(&other.path));
        let left_out: Vec<(String, String)> = tables
            .iter()
            .filter_map(|table| Some((table.path.clone(), table.problem.clone()?)))
            .collect();
        Ok(ScanReport {
            yaml: fragment(&grouping.products(), &left_out),
            tables,
        })
    }

    /// Of the tables that could be registered, the same under other names; all at once, as there may be hundreds.
    async fn fill_alike(
        &self,
        principal: &Principal,
        usage: &Usage,
        answered: &mut [(String, Result<Inspection, Problem>)],
    ) -> Result<(), Error> {
        let mut free: Vec<&mut Inspection> = answered
            .iter_mut()
            .filter(|(path, _)| !usage.paths().any(|taken| overlaps(taken, path)))
            .filter_map(|(_, found)| found.as_mut().ok())
            .collect();
        let looked: Vec<Looked<'_>> = free.iter().map(|found| (&**found, None)).collect();
        let each = self.alike_each(principal, &looked).await?;
        for (found, alike) in free.iter_mut().zip(each) {
            found.alike = alike;
        }
        Ok(())
    }

    /// The team named, or the only one that the caller produces for.
    async fn scanning_team(
        &self,
        principal: &Principal,
        named: Option<String>,
    ) -> Result<Option<TeamRecord>, Error> {
        if let Some(name) = named.filter(|name| !name.is_empty()) {
            return match self.team_by_name(&name).await? {
                Some(team) => Ok(Some(team)),
                None => Err(Error::invalid("team", "there is no such team")),
            };
        }
        let mut produced = principal
            .teams()
            .keys()
            .copied()
            .filter(|team| principal.is_producer(*team));
        match (produced.next(), produced.next()) {
            (Some(team), None) => Ok(self.team_by_id(self.db(), team).await?),
            _ => Ok(None),
        }
    }
}

/// One line of the report; what can be taken goes into the grouping.
fn scanned(
    grouping: &mut Grouping<'_>,
    usage: &Usage,
    path: String,
    found: Result<Inspection, Problem>,
) -> ScannedTable {
    let mut table = ScannedTable {
        path,
        product: None,
        rows: None,
        bytes: None,
        refused_for: None,
        clone_refused_for: None,
        problem: None,
        alike: Vec::new(),
    };
    let inspection = match found {
        Ok(inspection) => inspection,
        Err(problem) => {
            table.problem = Some(problem.sentence);
            return table;
        }
    };
    table.rows = inspection.rows;
    table.bytes = Some(inspection.bytes);
    table.refused_for.clone_from(&inspection.refused_for);
    table.clone_refused_for = inspection.not_cloned_for().map(str::to_owned);
    if usage.paths().any(|path| overlaps(path, &table.path)) {
        table.problem = Some("registered already".to_owned());
        return table;
    }
    table.alike.clone_from(&inspection.alike);
    table.product = grouping.add(&table.path, &inspection);
    if table.product.is_none() {
        table.problem = Some("no name can be made of its path; register it by hand".to_owned());
    }
    table
}

/// Tables put together into products by the folder they lie in.
struct Grouping<'a> {
    team: &'a TeamRecord,
    storage: &'a StorageRecord,
    /// By product name: the folder and its tables.
    products: BTreeMap<String, (String, Vec<Table>)>,
}

impl<'a> Grouping<'a> {
    fn new(team: &'a TeamRecord, storage: &'a StorageRecord) -> Self {
        Self {
            team,
            storage,
            products: BTreeMap::new(),
        }
    }

    /// Takes a table in; answers the product's name, or None where no name fits.
    fn add(&mut self, path: &str, inspection: &Inspection) -> Option<String> {
        let (folder, last) = path.rsplit_once('/').unwrap_or((path, path));
        let name = self.product_name(folder)?;
        let (_, tables) = self
            .products
            .entry(name.clone())
            .or_insert_with(|| (folder.to_owned(), Vec::new()));
        let base = slug(last, 50)?;
        let mut table_name = base.clone();
        let mut number = 1;
        while tables.iter().any(|table| table.name == table_name) {
            number += 1;
            table_name = format!("{base}_{number}");
        }
        let _: Name = table_name.parse().ok()?;
        let refused = match (&inspection.refused_for, inspection.not_cloned_for()) {
            (Some(feature), _) => Some(format!("shown, but neither shared nor cloned: {feature}")),
            (None, Some(feature)) => Some(format!("shared, but not cloned: {feature}")),
            (None, None) => None,
        };
        let feed = inspection
            .change_data_feed
            .then(|| "has a change data feed, which `change_data_feed: true` shares".to_owned());
        let alike = inspection.alike.iter().map(|alike| alike.sentence.clone());
        tables.push(Table {
            name: table_name,
            path: path.to_owned(),
            remarks: refused.into_iter().chain(feed).chain(alike).collect(),
        });
        Some(name)
    }

    /// The domain and the folder's last segment; with more of the path where another folder has that name.
    fn product_name(&self, folder: &str) -> Option<String> {
        let segments: Vec<&str> = folder.split('/').collect();
        for from in (0..segments.len()).rev() {
            let own = slug(&segments[from..].join("-"), 60)?.replace('_', "-");
            let name = format!("{}-{own}", self.team.domain);
            let _: ProductName = name.parse().ok()?;
            match self.products.get(&name) {
                Some((taken, _)) if taken != folder => {}
                _ => return Some(name),
            }
        }
        None
    }

    fn products(&self) -> Vec<Product> {
        self.products
            .iter()
            .map(|(name, (folder, tables))| Product {
                name: name.clone(),
                title: title(folder),
                team: self.team.name.to_string(),
                storage: self.storage.name.to_string(),
                tables: tables.clone(),
            })
            .collect()
    }
}

/// The folder's last segment as a heading: `workshop_visits` becomes `Workshop visits`.
fn title(folder: &str) -> String {
    let last = folder.rsplit('/').next().unwrap_or(folder);
    let words = last.replace(['_', '-'], " ");
    let mut chars = words.trim().chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).take(200).collect(),
        None => last.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_are_made_of_folders() {
        assert_eq!(title("lake/workshop_visits"), "Workshop visits");
    }
}
