//! Registering a product: every table is looked at before anything is stored, and all is stored or nothing.

use std::collections::BTreeSet;

use model::dto::{ProductDetail, ProductNew};
use model::{AccessPolicy, Classification, Payer, ProductId, ProductName, ProductState};
use serde_json::json;

use super::tables::{Wanted, insert_table, set_tags};
use super::terms::fold;
use crate::audit::Object;
use crate::error::{Check, Error};
use crate::operation::Operation;
use crate::people::taken;
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::{Exchange, sql};

const TAGS_MAX: usize = 20;
const TAG_MAX: usize = 40;

impl Exchange {
    /// Registers a draft. A table that cannot be read, or a folder that is taken, is a field error and nothing is stored.
    pub async fn product_register(
        &self,
        principal: &Principal,
        new: ProductNew,
    ) -> Result<ProductDetail, Error> {
        let team = self.team_by_name(&new.team).await?;
        let scope = team
            .as_ref()
            .map_or(Scope::NONE, |team| Scope::owner(team.id));
        can(principal, Operation::ProductRegister, &scope)?;
        let mut check = Check::new();
        let name: Option<ProductName> = check.parse("name", &new.name);
        match &team {
            None => check.fail("team", "there is no such team"),
            Some(team) => {
                if name
                    .as_ref()
                    .is_some_and(|name| !name.is_of_domain(&team.domain))
                {
                    check.fail("name", begins_with(team.domain.as_str()));
                }
            }
        }
        let title = check.text("title", &new.title, 1, 200, false);
        let description = check.text("description", &new.description, 0, 10_000, true);
        let tags = check_tags(&mut check, &new.tags);
        let classification: Option<Classification> =
            check.parse("classification", &new.classification);
        let policy: Option<AccessPolicy> = check.parse("access_policy", &new.access_policy);
        check_policy(&mut check, classification, policy);
        let payer: Option<Payer> = check.parse("payer", &new.payer);
        check_baseline(&mut check, new.baseline_days);
        let storage = self.storage_by_name(&new.storage).await?;
        if storage.is_none() {
            check.fail("storage", "there is no such storage");
        }
        let wanted = self
            .check_tables(&mut check, &new.tables, storage.as_ref())
            .await?;
        check.done()?;
        let (
            Some(name),
            Some(team),
            Some(classification),
            Some(policy),
            Some(payer),
            Some(storage),
        ) = (name, team, classification, policy, payer, storage)
        else {
            return Err(Error::invalid("name", "missing"));
        };
        let wanted: Vec<&Wanted> = wanted.iter().collect();
        let inspections = self.inspect_wanted(principal, team.id, &wanted).await?;

        let mut change = self.change(principal).await?;
        let id = ProductId::new(change.at());
        self.refuse_taken(&mut change, principal, id, &wanted)
            .await?;
        sql!("insert into product (id, name, domain_id, team_id, storage_id, title, title_key, description, classification,
                  access_policy, state, payer, baseline_days, revision, created_at, updated_at, refresh_at)
              values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 1, $14, $14, $15)")
        .bind(id)
        .bind(&name)
        .bind(team.domain_id)
        .bind(team.id)
        .bind(storage.id)
        .bind(&title)
        .bind(fold(&title))
        .bind(&description)
        .bind(classification)
        .bind(policy)
        .bind(ProductState::Draft)
        .bind(payer)
        .bind(new.baseline_days)
        .bind(change.at())
        // Its logs were read just now.
        .bind(change.at().plus(self.options().refresh_every))
        .execute(change.tx())
        .await
        .map_err(|error| taken(error, "name", "that name is taken"))?;
        set_tags(&mut change, id, &tags).await?;
        for (table, inspection) in wanted.iter().zip(&inspections) {
            insert_table(&mut change, id, table, inspection).await?;
        }
        self.rebuild_terms(&mut change, id).await?;
        change.note(
            Operation::ProductRegister,
            Object::new("product", &name),
            json!({ "team": team.name, "classification": classification, "access_policy": policy, "payer": payer,
                    "tables": described(&wanted) }),
        );
        change.commit().await?;
        self.product_shown(principal, name.as_str()).await
    }
}

/// What the audit log keeps of tables.
pub(super) fn described(tables: &[&Wanted]) -> Vec<String> {
    tables
        .iter()
        .map(|table| {
            format!(
                "{}.{} in {} at {}",
                table.schema, table.name, table.storage.name, table.path
            )
        })
        .collect()
}

pub(crate) fn begins_with(domain: &str) -> String {
    format!("begins with the domain of the owning team: {domain}-…")
}

pub(crate) fn check_tags(check: &mut Check, tags: &[String]) -> BTreeSet<String> {
    if tags.len() > TAGS_MAX {
        check.fail("tags", format!("at most {TAGS_MAX}"));
        return BTreeSet::new();
    }
    let mut kept = BTreeSet::new();
    for (index, tag) in tags.iter().enumerate() {
        let tag = fold(tag);
        let fits = (1..=TAG_MAX).contains(&tag.chars().count())
            && tag.starts_with(char::is_alphanumeric)
            && tag
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_' | '.'));
        if fits {
            kept.insert(tag);
        } else {
            check.fail(
                &format!("tags[{index}]"),
                format!(
                    "1 to {TAG_MAX} letters, digits, spaces, `-`, `_` and `.`, beginning with a letter or digit"
                ),
            );
        }
    }
    kept
}

pub(super) fn check_policy(
    check: &mut Check,
    classification: Option<Classification>,
    policy: Option<AccessPolicy>,
) {
    if classification == Some(Classification::Personal) && policy == Some(AccessPolicy::Auto) {
        check.fail(
            "access_policy",
            "people decide on personal data: use owner; a data-protection officer decides too",
        );
    }
}

pub(super) fn check_baseline(check: &mut Check, days: u32) {
    if !(1..=366).contains(&days) {
        check.fail("baseline_days", "from 1 to 366");
    }
}
