//! Registering a list of flows: which table each of its lines means.

use std::collections::BTreeSet;

use model::dto::{Flow, FlowImport, FlowLine};
use model::{Name, ProductId, ProductName, TableId, TeamId};
use serde_json::json;

use super::{Checked, write};
use crate::audit::Object;
use crate::error::Error;
use crate::operation::Operation;
use crate::page::PageRequest;
use crate::policy::{Scope, allows, can};
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

/// A table that a line of a list may mean.
struct Candidate {
    table_id: TableId,
    product_id: ProductId,
    product: ProductName,
    team_id: TeamId,
    schema_name: Name,
    table_name: Name,
    path: String,
}
from_row!(Candidate {
    table_id,
    product_id,
    product,
    team_id,
    schema_name,
    table_name,
    path
});

impl Candidate {
    /// `product.schema.table`.
    fn full_name(&self) -> String {
        format!("{}.{}.{}", self.product, self.schema_name, self.table_name)
    }

    /// By its path, its path's end, its name or its product's. `full` is its full name, made once for all lines of a list.
    fn is_called(&self, full: &str, name: &str) -> bool {
        let product = self.product.as_str();
        let ends = self
            .path
            .strip_suffix(name)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('/'));
        let in_product = full
            .strip_prefix(product)
            .and_then(|rest| rest.strip_prefix('.'));
        ends || product == name || in_product == Some(name) || full == name
    }
}

impl Exchange {
    /// Registers all flows of a list, or none.
    pub async fn flow_import(
        &self,
        principal: &Principal,
        new: FlowImport,
    ) -> Result<Vec<Flow>, Error> {
        can(principal, Operation::FlowImport, &Scope::NONE)?;
        let wrong = |sentence: String| Error::invalid("list", sentence);
        let lines = self.ports().assessor.flows(&new.list);
        let lines = lines.map_err(|problem| wrong(problem.sentence))?;
        if lines.is_empty() {
            return Err(wrong("the list names no flow".to_owned()));
        }
        let candidates: Vec<Candidate> = sql!(
            "select product_table.id as table_id, product.id as product_id, product.name as product, team_id, schema_name,
                    product_table.name as table_name, path
             from product_table join product on product.id = product_id
             where product.state <> 'retired' and removed_at is null order by product_table.id"
        )
        .all(self.db())
        .await?;
        let own: Vec<(&Candidate, String)> = candidates
            .iter()
            .filter(|one| {
                allows(
                    principal,
                    Operation::FlowRegister,
                    &Scope::owner(one.team_id),
                )
            })
            .map(|one| (one, one.full_name()))
            .collect();
        let mut all = Vec::with_capacity(lines.len());
        for line in lines {
            all.push(meant(line, &own).map_err(wrong)?);
        }
        let mut change = self.change(principal).await?;
        let mut ids = BTreeSet::new();
        for one in all {
            ids.insert(write(&mut change, one).await?);
        }
        change.note(
            Operation::FlowImport,
            Object::new("flows", ids.len()),
            json!({ "flows": ids.len() }),
        );
        change.commit().await?;
        // The newest come first.
        let mut page = PageRequest::all();
        let mut made = Vec::with_capacity(ids.len());
        loop {
            let flows = self.flows(principal, None, &page).await?;
            made.extend(
                flows
                    .items
                    .into_iter()
                    .filter(|flow| ids.contains(&flow.id)),
            );
            match flows.next {
                Some(next) if made.len() < ids.len() => page.after = Some(next),
                _ => return Ok(made),
            }
        }
    }
}

/// Which table a line of a list means.
fn meant(line: FlowLine, own: &[(&Candidate, String)]) -> Result<Checked, String> {
    let name = line.table.trim_matches('/');
    let called: Vec<&Candidate> = own
        .iter()
        .filter(|(one, full)| one.is_called(full, name))
        .map(|(one, _)| *one)
        .collect();
    let one = match called.as_slice() {
        [one] => one,
        [] => {
            return Err(format!(
                "line {}: there is no such table `{name}` among those that you register flows for",
                line.line
            ));
        }
        many => {
            return Err(format!(
                "line {}: `{name}` may be any of {} tables; write product.schema.name",
                line.line,
                many.len()
            ));
        }
    };
    Ok(Checked {
        product: one.product_id,
        table: Some(one.table_id),
        kind: line.kind,
        consumers: line.consumers,
        from: line.from,
        to: line.to,
        load_bytes: None,
        copy: None,
    })
}
