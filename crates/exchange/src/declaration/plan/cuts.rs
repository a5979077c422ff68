//! Cuts of products: made, or changed to what the file says. Whether they fit their tables is asked of the exchange, where the tables
//! are live already.

use std::collections::{BTreeMap, BTreeSet};

use model::dto::{ColumnCut, Cut, CutChange, CutNew, CutTable, CutTableNew};
use model::{Name, ProductName};

use super::super::live::LiveProduct;
use super::super::wanted::WantedCut;
use super::{Act, Fields, Planner};
use crate::error::Error;
use crate::operation::Operation;
use crate::policy::Scope;

/// How a plan calls a cut.
pub(super) fn called(product: &ProductName, cut: &Name) -> String {
    format!("{product}:{cut}")
}

/// What a form says of each table, in one line.
fn lines(tables: &[CutTableNew]) -> BTreeMap<String, String> {
    let line = |table: &CutTableNew| {
        let list = |word: &str, names: &[String]| {
            (!names.is_empty()).then(|| format!("{word} {}", names.join(", ")))
        };
        let rows = table.rows.as_ref().filter(|rows| !rows.trim().is_empty());
        let parts = [
            list("drop", &table.drop),
            list("pseudonymise", &table.pseudonymise),
            rows.map(|rows| format!("rows where {rows}")),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        match parts.is_empty() {
            true => "whole".to_owned(),
            false => parts.join("; "),
        }
    };
    tables
        .iter()
        .map(|table| {
            (
                format!("tables.{}.{}", table.schema, table.table),
                line(table),
            )
        })
        .collect()
}

/// What stands, in the order of an export.
fn forms(cut: &Cut) -> Vec<CutTableNew> {
    let form = |table: &CutTable| {
        let columns = |how: ColumnCut| {
            let columns = table.columns.iter().filter(|column| column.how == how);
            columns.map(|column| column.name.clone()).collect()
        };
        CutTableNew {
            schema: table.schema.to_string(),
            table: table.table.to_string(),
            drop: columns(ColumnCut::LeftOut),
            pseudonymise: columns(ColumnCut::Hashed),
            rows: table.rows.clone(),
        }
    };
    cut.tables.iter().map(form).collect()
}

impl Planner<'_> {
    pub(super) async fn cuts(&mut self) -> Result<(), Error> {
        for (product, wanted) in self.wanted.products.iter().flatten() {
            for (name, cut) in wanted.cuts.iter().flatten() {
                match self.live.products.get(product) {
                    Some(live) if !live.is_visible_to(self.principal) => {
                        let why = "there is no such product, or you may not see it";
                        self.refuse("cut", called(product, name), Fields::default(), why);
                    }
                    Some(live) => self.cut(product, name, cut, live).await?,
                    None => {
                        let scope = self.live.team_id(&wanted.team);
                        let scope = scope.map_or(Scope::NONE, Scope::owner);
                        self.new_cut(product, name, cut);
                        self.needs(Operation::CutCreate, &scope);
                    }
                }
            }
        }
        Ok(())
    }

    fn new_cut(&mut self, product: &ProductName, name: &Name, wanted: &WantedCut) {
        let mut fields = Fields::default();
        fields.set_if("description", wanted.description.as_ref());
        for (field, line) in lines(&wanted.tables) {
            fields.set(&field, line);
        }
        let new = CutNew {
            name: name.to_string(),
            description: wanted.description.clone().unwrap_or_default(),
            tables: wanted.tables.clone(),
        };
        let act = Act::Cut(product.clone(), new);
        self.create("cut", called(product, name), fields, act);
    }

    /// Of a product that is live.
    async fn cut(
        &mut self,
        product: &ProductName,
        name: &Name,
        wanted: &WantedCut,
        live: &LiveProduct,
    ) -> Result<(), Error> {
        // A table that the same file brings is not there to be asked.
        let has_all = wanted.tables.iter().all(|table| {
            let mut tables = live.tables.keys();
            tables.any(|(schema, name)| {
                schema.as_str() == table.schema && name.as_str() == table.table
            })
        });
        // As it was exported it is as it is, whatever has become of its columns since.
        let is_same = live
            .cuts
            .get(name)
            .is_some_and(|there| lines(&forms(there)) == lines(&wanted.tables));
        let mut tables = (lines(&[]), lines(&wanted.tables));
        if is_same {
            tables.0 = lines(&wanted.tables);
        } else if has_all {
            match self
                .exchange
                .cut_foreseen(live.record.id, name, &wanted.tables)
                .await
            {
                Ok((from, to)) => tables = (lines(&from), lines(&to)),
                Err(error @ (Error::Invalid(_) | Error::Conflict(_))) => {
                    let why = error.to_string();
                    self.refuse("cut", called(product, name), Fields::default(), why);
                    return Ok(());
                }
                Err(other) => return Err(other),
            }
        }
        let scope = live.record.scope();
        let Some(there) = live.cuts.get(name) else {
            self.new_cut(product, name, wanted);
            self.needs(Operation::CutCreate, &scope);
            return Ok(());
        };
        let mut fields = Fields::default();
        let description = fields.differs(
            "description",
            &there.description,
            wanted.description.as_ref(),
        );
        let (from, to) = tables;
        let all: BTreeSet<&String> = from.keys().chain(to.keys()).collect();
        let mut is_other = false;
        for field in all {
            let line = |lines: &BTreeMap<String, String>| lines.get(field).cloned();
            let (from, to) = (line(&from), line(&to));
            is_other |= fields.compare(field, from.unwrap_or_default(), to.unwrap_or_default());
        }
        let change = CutChange {
            description,
            tables: is_other.then(|| wanted.tables.clone()),
            at_once: false,
            with_later: false,
            revision: Some(there.revision),
        };
        let act = Act::CutUpdate(product.clone(), name.clone(), change);
        self.update("cut", called(product, name), fields, act);
        self.needs(Operation::CutUpdate, &scope);
        Ok(())
    }

    /// Cuts that somebody made of a declared product by hand.
    pub(super) fn foreign_cuts(&mut self) {
        for (name, wanted) in self.wanted.products.iter().flatten() {
            let Some(live) = self.live.product_for(self.principal, name) else {
                continue;
            };
            for cut in live.cuts.keys() {
                if !super::has(&wanted.cuts, cut) {
                    self.foreign_one("cut", called(name, cut));
                }
            }
        }
    }

    /// Whether a grant may name it: it is live, or this file makes it.
    pub(super) fn knows_cut(&self, product: &ProductName, cut: &Name) -> bool {
        let wanted = self.wanted.products.as_ref().and_then(|p| p.get(product));
        let live = self.live.products.get(product);
        wanted.is_some_and(|wanted| super::has(&wanted.cuts, cut))
            || live.is_some_and(|live| live.cuts.contains_key(cut))
    }
}
