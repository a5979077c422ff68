//! Products and their tables.

use std::collections::BTreeMap;

use model::dto::{CutTableNew, PRODUCT_TABLES_MAX};
use model::{AccessPolicy, Classification, Name, ProductName, RowFilter};

use super::super::file::{CutEntry, File, ProductEntry, TableEntry, Text};
use super::super::wanted::{Named, WantedCut, WantedProduct, WantedTable};
use super::{Checker, Place, name_of};
use crate::catalog::{UNCHOSEN, check_path, check_tags, overlaps};

impl Checker {
    pub(super) fn products(&mut self, file: &File) -> Named<ProductName, WantedProduct> {
        self.section("products", &file.products, |checker, place, entry| {
            checker.product(place, entry, file)
        })
    }

    fn product(
        &mut self,
        place: &Place,
        entry: &ProductEntry,
        file: &File,
    ) -> Option<WantedProduct> {
        let title = self.must_text(place, "title", &entry.title, 1..=200, false);
        let description = self.text(place, "description", &entry.description, 0..=10_000, true);
        let tags = entry.tags.as_ref().and_then(|tags| {
            let texts: Vec<String> = tags.iter().map(|tag| tag.value.clone()).collect();
            let at = tags.first().map_or(place.at, |tag| tag.referenced);
            self.by_form(place, at, |check| check_tags(check, &texts))
        });
        let team = self.must(place, "team", &entry.team);
        self.refer(place, "team", &entry.team, &file.teams);
        let storage = self.must(place, "storage", &entry.storage);
        self.refer(place, "storage", &entry.storage, &file.storages);
        let classification = self.classification(place, &entry.classification);
        let policy = entry.access.as_ref().and_then(|access| {
            let place = Place {
                path: format!("{}.access", place.path),
                at: place.at,
            };
            let policy: Option<AccessPolicy> = self.must(&place, "policy", &access.policy);
            if let (Some(Classification::Personal), Some(AccessPolicy::Auto), Some(text)) =
                (classification, policy, &access.policy)
            {
                self.fail(
                    &place,
                    "policy",
                    text.referenced,
                    "people decide on personal data: use owner; a data-protection officer decides too",
                );
            }
            policy
        });
        let payer = self.word(place, "payer", &entry.payer);
        let baseline_days = self.number(place, "baseline_days", &entry.baseline_days, 1..=366);
        let published = self.state(place, &entry.state);
        self.of_domain(place, entry, file);
        let tables = self.tables(place, entry, file, published);
        let cuts = self.cuts(place, entry);
        Some(WantedProduct {
            title: title?,
            description,
            tags: tags.map(|tags| tags.into_iter().collect()),
            team: team?,
            storage: storage?,
            classification: classification?,
            access_policy: policy,
            payer,
            baseline_days: baseline_days.and_then(|days| u32::try_from(days).ok()),
            published,
            tables,
            cuts,
        })
    }

    /// What narrower replicas hold; whether it fits the tables is found out when it is planned.
    fn cuts(&mut self, product: &Place, entry: &ProductEntry) -> Named<Name, WantedCut> {
        let section = format!("{}.cuts", product.path);
        self.section(&section, &entry.cuts, |checker, place, entry| {
            checker.cut(place, entry)
        })
    }

    fn cut(&mut self, place: &Place, entry: &CutEntry) -> Option<WantedCut> {
        let description = self.text(place, "description", &entry.description, 0..=2_000, true);
        let Some(tables) = &entry.tables else {
            self.missing(place, "tables");
            return None;
        };
        let mut wanted = Vec::new();
        for (key, table) in tables {
            let (schema, name) = key
                .0
                .value
                .split_once('.')
                .unwrap_or(("default", key.0.value.as_str()));
            let columns = |texts: &Option<Vec<Text>>| {
                let texts = texts.iter().flatten();
                texts.map(|text| text.value.clone()).collect::<Vec<_>>()
            };
            if let Some(rows) = &table.rows
                && let Err(why) = RowFilter::parse(&rows.value)
            {
                let field = format!("tables.{}.rows", key.0.value);
                self.fail(place, &field, rows.referenced, why.to_string());
            }
            wanted.push(CutTableNew {
                schema: schema.to_owned(),
                table: name.to_owned(),
                drop: columns(&table.drop),
                pseudonymise: columns(&table.pseudonymise),
                rows: table.rows.as_ref().map(|rows| rows.value.clone()),
            });
        }
        Some(WantedCut {
            description,
            tables: wanted,
        })
    }

    fn classification(&mut self, place: &Place, text: &Option<Text>) -> Option<Classification> {
        match text {
            Some(text) if text.value == UNCHOSEN => {
                self.fail(
                    place,
                    "classification",
                    text.referenced,
                    "a scan cannot know whose data this is: write public, internal or personal (personal: a \
                     data-protection officer decides too)",
                );
                None
            }
            _ => self.must(place, "classification", text),
        }
    }

    fn state(&mut self, place: &Place, state: &Option<Text>) -> bool {
        match state.as_ref().map(|state| state.value.as_str()) {
            None | Some("published") => true,
            Some("draft") => false,
            Some(_) => {
                let at = state.as_ref().map_or(place.at, |state| state.referenced);
                self.fail(
                    place,
                    "state",
                    at,
                    "use draft or published; a product is retired by hand, because that rejects what waits",
                );
                true
            }
        }
    }

    /// The name begins with the domain of its team, where the file says which that is.
    fn of_domain(&mut self, place: &Place, entry: &ProductEntry, file: &File) {
        let Some((_, name)) = place.path.split_once('.') else {
            return;
        };
        let team = entry.team.as_ref().and_then(|team| {
            let teams = file.teams.as_ref()?;
            teams.get(&super::Key(team.clone()))
        });
        let domain = team.and_then(|team| name_of(&team.domain));
        if let (Some(domain), Ok(name)) = (domain, name.parse::<ProductName>())
            && !name.is_of_domain(&domain)
        {
            self.problems.push(super::problem(
                &place.path,
                Some(place.at),
                format!("its name begins with the domain of the owning team: {domain}-…"),
            ));
        }
    }

    fn tables(
        &mut self,
        product: &Place,
        entry: &ProductEntry,
        file: &File,
        published: bool,
    ) -> BTreeMap<(Name, Name), WantedTable> {
        let entries = entry.tables.as_deref().unwrap_or_default();
        if entries.is_empty() && published {
            self.fail(
                product,
                "tables",
                product.at,
                "a published product has at least one table; or say `state: draft`",
            );
        }
        if entries.len() > PRODUCT_TABLES_MAX {
            self.fail(
                product,
                "tables",
                product.at,
                format!("at most {PRODUCT_TABLES_MAX}; make several products"),
            );
            return BTreeMap::new();
        }
        let default = name_of(&entry.storage);
        let mut tables = BTreeMap::new();
        let mut folders: Vec<(Option<Name>, String, usize)> = Vec::new();
        for (index, table) in entries.iter().enumerate() {
            let list = format!("{}.tables", product.path);
            let place = Place::item(&list, index, table.referenced);
            let Some((key, wanted)) = self.table(&place, &table.value, file) else {
                continue;
            };
            let storage = wanted.storage.clone().or_else(|| default.clone());
            for (other, path, at) in &folders {
                if *other == storage && overlaps(path, &wanted.path) {
                    self.fail(
                        &place,
                        "path",
                        place.at,
                        format!("the same folder as tables[{at}], or one holds the other"),
                    );
                }
            }
            folders.push((storage, wanted.path.clone(), index));
            if tables.insert(key, wanted).is_some() {
                self.fail(
                    &place,
                    "name",
                    place.at,
                    "another table of this product has the same schema and name",
                );
            }
        }
        tables
    }

    fn table(
        &mut self,
        place: &Place,
        entry: &TableEntry,
        file: &File,
    ) -> Option<((Name, Name), WantedTable)> {
        let name = self.must(place, "name", &entry.name);
        let schema = match &entry.schema {
            Some(_) => self.word(place, "schema", &entry.schema),
            None => "default".parse().ok(),
        };
        if entry.path.is_none() {
            self.missing(place, "path");
        }
        let path = entry.path.as_ref().and_then(|path| {
            self.by_form(place, path.referenced, |check| {
                check_path(check, "path", &path.value)
            })
            .flatten()
        });
        let storage = self.word(place, "storage", &entry.storage);
        self.refer(place, "storage", &entry.storage, &file.storages);
        let format = entry.format.as_ref().map_or("delta", |text| &text.value);
        if format != "delta" {
            let at = entry
                .format
                .as_ref()
                .map_or(place.at, |text| text.referenced);
            let message = if format == "iceberg" {
                "iceberg is reserved: so far Entrepôt reads Delta tables only"
            } else {
                "unknown format; use delta"
            };
            self.fail(place, "format", at, message);
        }
        Some((
            (schema?, name?),
            WantedTable {
                path: path?,
                storage,
                format: format.to_owned(),
                history: entry.history,
                history_start: entry.history_start,
                change_data_feed: entry.change_data_feed,
            },
        ))
    }
}
