//! Writing what is live as a declaration: canonical order, no secrets, only what the caller may see. Deploying it changes
//! nothing. And, in the same shape, what somebody would have live.

mod shape;

use std::collections::BTreeMap;

use model::dto::{ColumnCut, Cut, DeclarationExport, ProductDraft};
use model::{Name, ProductState};

use super::live::{Ask, Live, LiveJob, LiveProduct, is_retired, sees_addresses};
use super::plan::{export_name, sides};
use crate::Exchange;
use crate::error::Error;
use crate::operation::Operation;
use crate::policy::{Scope, allows, can};
use crate::principal::Principal;
use crate::replicas::format_every;
use crate::storages::Credential;
use shape::{
    AccessOut, CutOut, CutTableOut, DomainOut, FederationsOut, File, GrantOut, JobOut, ProductOut,
    PurposeOut, RateOut, RecipientOut, Section, ServiceRateOut, StorageOut, TableOut, TeamOut,
};

impl Exchange {
    /// What is live and the caller may see, as a declaration. Left out are retired products, products of other teams
    /// (whose places the caller does not know), and what waits or has ended. With `product`, that product alone; one that
    /// would be left out is not there.
    pub async fn declaration_export(
        &self,
        principal: &Principal,
        product: Option<&str>,
    ) -> Result<DeclarationExport, Error> {
        can(principal, Operation::DeclarationExport, &Scope::NONE)?;
        let live = self.live().await?;
        let mut file = write(principal, &live)?;
        if let Some(name) = product {
            let (name, product) = file
                .products
                .remove_entry(name)
                .ok_or(Error::NotFound("product"))?;
            file = File {
                products: Section::from([(name, product)]),
                ..File::default()
            };
        }
        Ok(DeclarationExport { yaml: text(&file)? })
    }
}

fn text(file: &File) -> Result<String, Error> {
    // Strings are quoted wherever any reader of YAML could take them for something else.
    let options = serde_saphyr::ser_options! {
        prefer_block_scalars: false,
        compact_list_indent: false,
    };
    serde_saphyr::to_string_with_options(file, options).map_err(Error::internal)
}

/// What somebody has filled in as the declaration that would register it. Whether it is sound, `validate` says.
pub fn draft(draft: &ProductDraft) -> Result<String, Error> {
    let tables = draft.tables.iter().map(|table| TableOut {
        name: table.name.clone(),
        schema: table.schema.clone(),
        path: table.path.clone(),
        storage: None,
        format: "delta".to_owned(),
        history: table.history,
        history_start: None,
        change_data_feed: table.change_data_feed,
    });
    let product = ProductOut {
        title: draft.title.clone(),
        description: draft.description.clone(),
        tags: draft.tags.clone(),
        team: draft.team.clone(),
        storage: draft.storage.clone(),
        classification: draft.classification.clone(),
        access: AccessOut {
            policy: draft.access_policy.clone(),
        },
        payer: draft.payer.clone(),
        baseline_days: draft.baseline_days,
        state: draft.state.clone(),
        tables: tables.collect(),
        cuts: Section::new(),
    };
    text(&File {
        products: Section::from([(draft.name.clone(), product)]),
        ..File::default()
    })
}

fn write(principal: &Principal, live: &Live) -> Result<File, Error> {
    let products: Vec<&LiveProduct> = live
        .products
        .values()
        .filter(|product| product.is_open_to(principal) && !is_retired(product.record.state))
        .collect();
    let known =
        |name: &model::ProductName| products.iter().any(|product| product.record.name == *name);
    let grants: Vec<&Ask> = live
        .asks
        .iter()
        .filter(|ask| ask.stands(live.at) && ask.is_visible_to(principal) && known(&ask.product))
        .collect();
    let mut recipients: Section<RecipientOut> = Section::new();
    for recipient in live.recipients.values() {
        let scope = Scope::consumer(recipient.team_id);
        if allows(principal, Operation::RecipientRead, &scope) {
            let limits = recipient.limits();
            let federation = live.federations.get(&recipient.id);
            let out = RecipientOut {
                addresses: limits.addresses,
                requests_per_minute: limits.requests_per_minute,
                federation: federation.and_then(|all| FederationsOut::of(all)),
                ..recipient_out(&recipient.team, &recipient.location()?)
            };
            recipients.insert(recipient.name.to_string(), out);
        }
    }
    // Whoever sees a grant sees for whom it is.
    for ask in &grants {
        let out = recipient_out(&ask.team, &ask.location()?);
        recipients.entry(ask.recipient.to_string()).or_insert(out);
    }
    let addresses = sees_addresses(principal);
    Ok(File {
        exchange: live
            .exchange
            .clone()
            .map(|name| BTreeMap::from([("name", name)])),
        domains: live
            .domains
            .values()
            .map(|domain| {
                let out = DomainOut {
                    title: domain.title.clone(),
                    description: domain.description.clone(),
                };
                (domain.name.to_string(), out)
            })
            .collect(),
        teams: live
            .teams
            .values()
            .map(|team| {
                let out = TeamOut {
                    domain: team.domain.to_string(),
                    title: team.title.clone(),
                    cost_center: team.cost_center.clone(),
                    contact: team.contact.clone(),
                };
                (team.name.to_string(), out)
            })
            .collect(),
        storages: live
            .storages
            .values()
            .filter(|_| addresses)
            .map(|storage| {
                let credential = match &storage.credential {
                    Credential::None => None,
                    Credential::Environment(name) => Some(format!("env:{name}")),
                    Credential::Sealed(_) => Some("sealed".to_owned()),
                };
                let out = StorageOut {
                    cloud: storage.location.cloud.to_string(),
                    region: storage.location.region().to_owned(),
                    url: storage.url.clone(),
                    endpoint: storage.endpoint.clone(),
                    credential: credential.filter(|_| principal.sees_all()),
                    replicas: storage.replicas,
                };
                (storage.name.to_string(), out)
            })
            .collect(),
        products: products
            .iter()
            .map(|product| (product.record.name.to_string(), product_out(product)))
            .collect(),
        recipients,
        grants: grants
            .iter()
            .map(|ask| (export_name(ask), grant_out(ask)))
            .collect(),
        sync_jobs: live
            .jobs
            .iter()
            .filter(|job| known(&job.product))
            .map(|job| (job.export_name(), job_out(job)))
            .collect(),
        rates: live.rates.iter().map(rate_out).collect(),
        service_rates: live
            .service_rates
            .iter()
            .map(|rate| ServiceRateOut {
                kind: rate.kind.clone(),
                price: rate.price_nano.to_string(),
                currency: rate.currency.to_string(),
                valid_from: rate.valid_from.to_string(),
                valid_until: rate.valid_until.map(|until| until.to_string()),
                source: rate.source.clone(),
            })
            .collect(),
    })
}

fn recipient_out(team: &Name, location: &model::Location) -> RecipientOut {
    RecipientOut {
        team: team.to_string(),
        cloud: location.cloud.to_string(),
        region: location.region().to_owned(),
        addresses: Vec::new(),
        requests_per_minute: None,
        federation: None,
    }
}

fn product_out(product: &LiveProduct) -> ProductOut {
    let record = &product.record;
    ProductOut {
        title: record.title.clone(),
        description: record.description.clone(),
        tags: product.tags.clone(),
        team: record.team.to_string(),
        storage: record.storage.to_string(),
        classification: record.classification.to_string(),
        access: AccessOut {
            policy: record.access_policy.to_string(),
        },
        payer: record.payer.to_string(),
        baseline_days: record.baseline_days,
        state: match record.state {
            ProductState::Draft => "draft".to_owned(),
            ProductState::Published | ProductState::Retired => "published".to_owned(),
        },
        tables: product
            .tables
            .iter()
            .map(|((schema, name), table)| TableOut {
                name: name.to_string(),
                schema: schema.to_string(),
                path: table.path.clone(),
                storage: (table.storage != record.storage).then(|| table.storage.to_string()),
                format: table.format.clone(),
                history: table.history,
                history_start: table.history_start,
                change_data_feed: table.change_data_feed,
            })
            .collect(),
        cuts: product
            .cuts
            .values()
            .map(|cut| (cut.name.to_string(), cut_out(cut)))
            .collect(),
    }
}

/// A table of which all is kept stands there without a word.
fn cut_out(cut: &Cut) -> CutOut {
    let tables = cut.tables.iter().map(|table| {
        let columns = |how: ColumnCut| {
            let columns = table.columns.iter().filter(|column| column.how == how);
            columns.map(|column| column.name.clone()).collect()
        };
        let out = CutTableOut {
            drop: columns(ColumnCut::LeftOut),
            pseudonymise: columns(ColumnCut::Hashed),
            rows: table.rows.clone(),
        };
        (format!("{}.{}", table.schema, table.table), out)
    });
    CutOut {
        description: cut.description.clone(),
        tables: tables.collect(),
    }
}

fn grant_out(ask: &Ask) -> GrantOut {
    GrantOut {
        product: ask.product.to_string(),
        recipient: ask.recipient.to_string(),
        mode: ask.mode.to_string(),
        cut: ask.cut.as_ref().map(ToString::to_string),
        until: ask.until_at.to_string(),
        live_bytes_per_day: ask.live_bytes_per_day,
        rows: ask.row_filter.clone(),
        directory: ask.directory_access,
        purpose: PurposeOut {
            code: ask.purpose_code.clone(),
            text: ask.purpose_text.clone(),
        },
    }
}

fn job_out(job: &LiveJob) -> JobOut {
    JobOut {
        product: job.product.to_string(),
        cut: job.cut.as_ref().map(ToString::to_string),
        to: job.storage.to_string(),
        every: job.every_seconds.map(format_every),
        at: job.at_time.clone(),
        cron: job.cron.clone(),
        on_new_version: job.new_version_seconds.map(format_every),
        fresh_within: job.fresh_seconds.map(format_every),
        timezone: job.timezone.clone(),
        verify_objects: job.verify_objects.clone(),
        verify_rows: job.verify_rows.clone(),
        retention_hours: job.retention_hours,
        keep_hours: job.keep_hours,
        forget_hours: job.forget_hours,
        fetches: job.fetches.to_string(),
        commits: job.commits.to_string(),
        paused: job.paused,
    }
}

fn rate_out(rate: &crate::billing::RateRecord) -> RateOut {
    let (from, to) = sides(rate);
    RateOut {
        from,
        to,
        price: rate.price_nano.to_string(),
        unit: rate.unit.as_str().to_owned(),
        currency: rate.currency.to_string(),
        valid_from: rate.valid_from.to_string(),
        valid_until: rate.valid_until.map(|until| until.to_string()),
        source: rate.source.clone(),
    }
}
