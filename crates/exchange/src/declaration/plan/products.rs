//! Products: registered and published, or changed field by field. What the file leaves out stays as it is.

use std::collections::BTreeMap;

use model::dto::{ProductChange, ProductNew, TableNew};
use model::{AccessPolicy, Name, Payer, ProductName, ProductState};

use super::super::live::{LiveProduct, LiveTable, is_retired};
use super::super::wanted::{WantedProduct, WantedTable};
use super::{Act, Fields, Planner};
use crate::operation::Operation;
use crate::policy::Scope;

impl Planner<'_> {
    pub(super) fn products(&mut self) {
        for (name, wanted) in self.wanted.products.iter().flatten() {
            match self.live.products.get(name) {
                None => self.new_product(name, wanted),
                Some(live) if !live.is_visible_to(self.principal) => {
                    let why = "that name is taken, by a product that you may not see";
                    self.refuse("product", name, Fields::default(), why);
                }
                Some(live) => self.old_product(name, wanted, live),
            }
        }
    }

    /// The first reference of a product that leads nowhere.
    fn lost(&self, wanted: &WantedProduct) -> Option<String> {
        if !self.knows_team(&wanted.team) {
            return Some(format!("there is no team {}", wanted.team));
        }
        let storages = wanted
            .tables
            .values()
            .filter_map(|table| table.storage.as_ref());
        std::iter::once(&wanted.storage)
            .chain(storages)
            .find(|storage| !self.knows_storage(storage))
            .map(|storage| format!("there is no storage {storage}"))
    }

    fn new_product(&mut self, name: &ProductName, wanted: &WantedProduct) {
        let mut fields = Fields::default();
        if let Some(why) = self.lost(wanted) {
            return self.refuse("product", name, fields, why);
        }
        let policy = wanted.access_policy.unwrap_or(AccessPolicy::Owner);
        let payer = wanted.payer.unwrap_or(Payer::Producer);
        let baseline = wanted.baseline_days.unwrap_or(7);
        fields.set("title", &wanted.title);
        fields.set_if("description", wanted.description.as_ref());
        fields.set_if("tags", wanted.tags.as_ref().map(|tags| tags.join(", ")));
        fields.set("team", &wanted.team);
        fields.set("storage", &wanted.storage);
        fields.set("classification", wanted.classification);
        fields.set("access.policy", policy);
        fields.set("payer", payer);
        fields.set("baseline_days", baseline);
        for (key, table) in &wanted.tables {
            fields.set(&table_field(key), table_text(table, &wanted.storage, None));
        }
        fields.set("state", state_word(wanted.published));
        let new = ProductNew {
            name: name.to_string(),
            team: wanted.team.to_string(),
            title: wanted.title.clone(),
            description: wanted.description.clone().unwrap_or_default(),
            tags: wanted.tags.clone().unwrap_or_default(),
            storage: wanted.storage.to_string(),
            classification: wanted.classification.to_string(),
            access_policy: policy.to_string(),
            payer: payer.to_string(),
            baseline_days: baseline,
            tables: forms(wanted, &BTreeMap::new()),
        };
        let act = Act::ProductRegister {
            new,
            publish: wanted.published,
        };
        self.create("product", name, fields, act);
        let scope = self
            .live
            .team_id(&wanted.team)
            .map_or(Scope::NONE, Scope::owner);
        self.needs(Operation::ProductRegister, &scope);
    }

    fn old_product(&mut self, name: &ProductName, wanted: &WantedProduct, live: &LiveProduct) {
        let record = &live.record;
        let mut fields = Fields::default();
        if is_retired(record.state) {
            let why = "it was retired and stays so; take it out of the file, or declare another";
            return self.refuse("product", name, fields, why);
        }
        if let Some(why) = self.lost(wanted) {
            return self.refuse("product", name, fields, why);
        }
        if fields.compare("team", &record.team, &wanted.team) {
            let why = "a product stays with its team; write into the file what is live";
            return self.refuse("product", name, fields, why);
        }
        let mut change = ProductChange {
            revision: Some(record.revision),
            ..ProductChange::default()
        };
        change.title = fields.differs("title", &record.title, Some(&wanted.title));
        change.description = fields.differs(
            "description",
            &record.description,
            wanted.description.as_ref(),
        );
        if let Some(tags) = &wanted.tags
            && fields.compare("tags", live.tags.join(", "), tags.join(", "))
        {
            change.tags = Some(tags.clone());
        }
        if fields.compare("storage", &record.storage, &wanted.storage) {
            change.storage = Some(wanted.storage.to_string());
        }
        if fields.compare(
            "classification",
            record.classification,
            wanted.classification,
        ) {
            change.classification = Some(wanted.classification.to_string());
        }
        change.access_policy = fields
            .differs(
                "access.policy",
                record.access_policy,
                wanted.access_policy.as_ref(),
            )
            .map(|policy| policy.to_string());
        change.payer = fields
            .differs("payer", record.payer, wanted.payer.as_ref())
            .map(|payer| payer.to_string());
        change.baseline_days = fields.differs(
            "baseline_days",
            record.baseline_days,
            wanted.baseline_days.as_ref(),
        );
        // Where tables lie is for the owning team alone; for others the file may say what it likes, they may not change it.
        if live.is_open_to(self.principal) && compare_tables(&mut fields, wanted, live) {
            change.tables = Some(forms(wanted, &live.tables));
        }
        let changes = !fields.is_empty();
        let publish = wanted.published && record.state == ProductState::Draft;
        if fields.compare("state", record.state, state_word(wanted.published)) && !publish {
            let why = "a published product does not become a draft again; retire it by hand";
            return self.refuse("product", name, fields, why);
        }
        let act = Act::ProductUpdate {
            name: name.clone(),
            change: changes.then_some(change),
            publish,
        };
        self.update("product", name, fields, act);
        self.needs(Operation::ProductUpdate, &record.scope());
    }

    /// Tables that somebody added to a declared product by hand.
    pub(super) fn foreign_tables(&mut self) {
        for (name, wanted) in self.wanted.products.iter().flatten() {
            let Some(live) = self.live.product_for(self.principal, name) else {
                continue;
            };
            for (schema, table) in live.tables.keys() {
                let key = (schema.clone(), table.clone());
                if !wanted.tables.contains_key(&key) {
                    self.foreign_one("table", format!("{name}.{schema}.{table}"));
                }
            }
        }
    }
}

fn state_word(published: bool) -> ProductState {
    if published {
        ProductState::Published
    } else {
        ProductState::Draft
    }
}

fn table_field((schema, name): &(Name, Name)) -> String {
    format!("tables.{schema}.{name}")
}

/// A table in one line; flags that the file leaves out are as they are.
fn table_text(table: &WantedTable, default: &Name, live: Option<&LiveTable>) -> String {
    let kept = |wanted: Option<bool>, live: Option<bool>| wanted.or(live).unwrap_or_default();
    line(
        table.storage.as_ref().unwrap_or(default),
        &table.path,
        &table.format,
        (
            kept(table.history, live.map(|live| live.history)),
            table
                .history_start
                .or(live.and_then(|live| live.history_start)),
        ),
        kept(
            table.change_data_feed,
            live.map(|live| live.change_data_feed),
        ),
    )
}

/// `(history, start)`: whether older versions are shared, and from which on.
fn line(
    storage: &Name,
    path: &str,
    format: &str,
    (history, start): (bool, Option<u64>),
    feed: bool,
) -> String {
    let mut line = format!("{format} in {storage} at {path}");
    let history_word = start.map_or_else(
        || ", history".to_owned(),
        |start| format!(", history from version {start}"),
    );
    for (flag, word) in [
        (history, history_word.as_str()),
        (feed, ", change data feed"),
    ] {
        if flag {
            line.push_str(word);
        }
    }
    line
}

/// Whether the tables are to change. Those that the file does not have are foreign, and stay.
fn compare_tables(fields: &mut Fields, wanted: &WantedProduct, live: &LiveProduct) -> bool {
    let before = fields.0.len();
    for (key, table) in &wanted.tables {
        let found = live.tables.get(key);
        let is = found.map_or_else(String::new, |live| {
            line(
                &live.storage,
                &live.path,
                &live.format,
                (live.history, live.history_start),
                live.change_data_feed,
            )
        });
        fields.compare(
            &table_field(key),
            is,
            table_text(table, &wanted.storage, found),
        );
    }
    fields.0.len() > before
}

/// All tables that the product shall have: those of the file, and those that are there besides.
fn forms(wanted: &WantedProduct, live: &BTreeMap<(Name, Name), LiveTable>) -> Vec<TableNew> {
    let declared = wanted.tables.iter().map(|(key, table)| {
        let live = live.get(key);
        let kept = |wanted: Option<bool>, live: Option<bool>| wanted.or(live).unwrap_or_default();
        let history = kept(table.history, live.map(|live| live.history));
        let start = table.history_start;
        TableNew {
            name: key.1.to_string(),
            schema: key.0.to_string(),
            path: table.path.clone(),
            storage: table.storage.as_ref().map(ToString::to_string),
            format: table.format.clone(),
            history,
            change_data_feed: kept(
                table.change_data_feed,
                live.map(|live| live.change_data_feed),
            ),
            history_start: start
                .or(live.and_then(|live| live.history_start))
                .filter(|_| history),
        }
    });
    let foreign = live
        .iter()
        .filter(|(key, _)| !wanted.tables.contains_key(*key))
        .map(|(key, table)| TableNew {
            name: key.1.to_string(),
            schema: key.0.to_string(),
            path: table.path.clone(),
            storage: Some(table.storage.to_string()),
            format: table.format.clone(),
            history: table.history,
            change_data_feed: table.change_data_feed,
            history_start: table.history_start,
        });
    declared.chain(foreign).collect()
}
