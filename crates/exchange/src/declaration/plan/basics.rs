//! The exchange's name, domains, teams, storages, rates.

use std::collections::BTreeMap;

use model::dto::{
    CredentialNew, DomainChange, DomainNew, RateNew, ServiceRateNew, StorageChange, StorageNew,
    TeamChange, TeamNew,
};
use model::{Name, Timestamp};

use super::super::live::sees_addresses;
use super::super::wanted::{
    WantedCredential, WantedRate, WantedServiceRate, WantedStorage, WantedTeam,
};
use super::{Act, Fields, Planner};
use crate::billing::{Period, RATES_CLASH, RateRecord, ServiceRateRecord};
use crate::operation::Operation;
use crate::policy::Scope;
use crate::ports::StorageAccess;
use crate::storages::{Credential, StorageRecord};

const RATES_STAY: &str =
    "a rate is never changed: what was charged was charged by it; add one with a later valid_from";

impl Planner<'_> {
    pub(super) fn exchange_name(&mut self) {
        let Some(name) = &self.wanted.exchange else {
            return;
        };
        let mut fields = Fields::default();
        match &self.live.exchange {
            Some(live) if live == name.as_str() => self.unchanged("exchange", name),
            Some(live) => {
                fields.compare("name", live, name);
                let why = format!(
                    "this is the exchange {live}; the file is for another one, so nothing of it is deployed here"
                );
                self.refuse("exchange", name, fields, why);
            }
            None => {
                fields.set("name", name);
                self.create("exchange", name, fields, Act::Exchange(name.clone()));
                // The name is part of the organisation, like its domains.
                self.needs(Operation::DomainCreate, &Scope::NONE);
            }
        }
    }

    pub(super) fn domains(&mut self) {
        for (name, wanted) in self.wanted.domains.iter().flatten() {
            let mut fields = Fields::default();
            let Some(live) = self.live.domains.get(name) else {
                fields.set("title", &wanted.title);
                fields.set_if("description", wanted.description.as_ref());
                let new = DomainNew {
                    name: name.to_string(),
                    title: wanted.title.clone(),
                    description: wanted.description.clone().unwrap_or_default(),
                };
                self.create("domain", name, fields, Act::Domain(new));
                self.needs(Operation::DomainCreate, &Scope::NONE);
                continue;
            };
            let change = DomainChange {
                title: fields.differs("title", &live.title, Some(&wanted.title)),
                description: fields.differs(
                    "description",
                    &live.description,
                    wanted.description.as_ref(),
                ),
                revision: Some(live.revision),
            };
            let act = Act::DomainUpdate(name.clone(), change);
            self.update("domain", name, fields, act);
            self.needs(Operation::DomainUpdate, &Scope::NONE);
        }
    }

    pub(super) fn teams(&mut self) {
        for (name, wanted) in self.wanted.teams.iter().flatten() {
            self.team(name, wanted);
        }
    }

    fn team(&mut self, name: &Name, wanted: &WantedTeam) {
        let mut fields = Fields::default();
        let Some(live) = self.live.teams.get(name) else {
            if !self.knows_domain(&wanted.domain) {
                let why = format!("there is no domain {}", wanted.domain);
                return self.refuse("team", name, fields, why);
            }
            fields.set("domain", &wanted.domain);
            fields.set("title", &wanted.title);
            fields.set_if("cost_center", wanted.cost_center.as_ref());
            fields.set_if("contact", wanted.contact.as_ref());
            let new = TeamNew {
                name: name.to_string(),
                domain: wanted.domain.to_string(),
                title: wanted.title.clone(),
                cost_center: wanted.cost_center.clone().unwrap_or_default(),
                contact: wanted.contact.clone().unwrap_or_default(),
            };
            self.create("team", name, fields, Act::Team(new));
            return self.needs(Operation::TeamCreate, &Scope::NONE);
        };
        let moves = fields.compare("domain", &live.domain, &wanted.domain);
        let change = TeamChange {
            title: fields.differs("title", &live.title, Some(&wanted.title)),
            cost_center: fields.differs(
                "cost_center",
                &live.cost_center,
                wanted.cost_center.as_ref(),
            ),
            contact: fields.differs("contact", &live.contact, wanted.contact.as_ref()),
            revision: Some(live.revision),
        };
        if moves {
            let why = "a team stays in its domain, which its products are named after; write into the file what is live";
            return self.refuse("team", name, fields, why);
        }
        let act = Act::TeamUpdate(name.clone(), change);
        self.update("team", name, fields, act);
        self.needs(Operation::TeamUpdate, &Scope::NONE);
    }

    pub(super) fn knows_domain(&self, name: &Name) -> bool {
        self.live.domains.contains_key(name) || super::has(&self.wanted.domains, name)
    }

    pub(super) fn knows_team(&self, name: &Name) -> bool {
        self.live.teams.contains_key(name) || super::has(&self.wanted.teams, name)
    }

    pub(super) fn knows_storage(&self, name: &Name) -> bool {
        self.live.storages.contains_key(name) || super::has(&self.wanted.storages, name)
    }

    pub(super) fn storages(&mut self) {
        for (name, wanted) in self.wanted.storages.iter().flatten() {
            match self.live.storages.get(name) {
                None => self.new_storage(name, wanted),
                Some(live) => self.old_storage(name, wanted, live),
            }
        }
    }

    fn new_storage(&mut self, name: &Name, wanted: &WantedStorage) {
        let mut fields = Fields::default();
        if wanted.credential == Some(WantedCredential::Sealed) {
            let why = "there is no such storage with a sealed credential; create it in the portal, or use env:…";
            return self.refuse("storage", name, fields, why);
        }
        let credential = wanted.credential.as_ref().map(credential_text);
        fields.set("cloud", wanted.location.cloud);
        fields.set("region", wanted.location.region());
        fields.set("url", &wanted.url);
        fields.set_if("endpoint", wanted.endpoint.as_ref());
        fields.set_if("credential", credential.as_ref());
        fields.set("replicas", wanted.replicas.unwrap_or_default());
        let new = StorageNew {
            name: name.to_string(),
            cloud: wanted.location.cloud.to_string(),
            region: wanted.location.region().to_owned(),
            url: wanted.url.clone(),
            endpoint: wanted.endpoint.clone(),
            credential: credential.as_deref().map(CredentialNew::from),
            replicas: wanted.replicas.unwrap_or_default(),
        };
        self.create("storage", name, fields, Act::StorageCreate(new));
        self.needs(Operation::StorageCreate, &Scope::NONE);
    }

    /// What the caller may not see is not compared: nobody finds an address by guessing at plans.
    fn old_storage(&mut self, name: &Name, wanted: &WantedStorage, live: &StorageRecord) {
        let mut fields = Fields::default();
        let mut change = StorageChange {
            revision: Some(live.revision),
            ..StorageChange::default()
        };
        if fields.compare("cloud", live.location.cloud, wanted.location.cloud) {
            change.cloud = Some(wanted.location.cloud.to_string());
        }
        if fields.compare("region", live.location.region(), wanted.location.region()) {
            change.region = Some(wanted.location.region().to_owned());
        }
        if sees_addresses(self.principal) {
            if !self.is_same_address(live, &wanted.url) {
                fields.compare("url", &live.url, &wanted.url);
                change.url = Some(wanted.url.clone());
            }
            let endpoint = live.endpoint.as_deref().unwrap_or_default();
            change.endpoint = fields.differs("endpoint", endpoint, wanted.endpoint.as_ref());
        }
        change.replicas = fields.differs("replicas", live.replicas, wanted.replicas.as_ref());
        if self.principal.sees_all() {
            match (&wanted.credential, &live.credential) {
                (None, _) | (Some(WantedCredential::Sealed), Credential::Sealed(_)) => {}
                (Some(WantedCredential::Sealed), _) => {
                    let why =
                        "its credential is not sealed; say which it is, or leave it out to keep it";
                    return self.refuse("storage", name, fields, why);
                }
                (Some(wanted @ WantedCredential::Environment(_)), live) => {
                    let live = match live {
                        Credential::None => String::new(),
                        Credential::Environment(name) => format!("env:{name}"),
                        Credential::Sealed(_) => "sealed".to_owned(),
                    };
                    let wanted = credential_text(wanted);
                    if fields.compare("credential", live, &wanted) {
                        change.credential = Some(CredentialNew::from(wanted.as_str()));
                    }
                }
            }
        }
        self.update(
            "storage",
            name,
            fields,
            Act::StorageUpdate(name.clone(), change),
        );
        self.needs(Operation::StorageUpdate, &Scope::NONE);
    }

    /// Addresses are kept in their canonical form; a file may write the same place otherwise.
    fn is_same_address(&self, live: &StorageRecord, url: &str) -> bool {
        if url.trim_end_matches('/') == live.url {
            return true;
        }
        let Ok(access) = self.exchange.storage_open(live.clone()) else {
            return false;
        };
        let access = StorageAccess {
            url: url.to_owned(),
            ..access
        };
        let ports = self.exchange.ports();
        ports.probe.check(&access).is_ok_and(|url| url == live.url)
    }

    pub(super) fn rates(&mut self) {
        let mut there: BTreeMap<(String, String), Vec<Period>> = BTreeMap::new();
        for live in &self.live.rates {
            there.entry(sides(live)).or_default().push(Period {
                from: live.valid_from,
                until: live.valid_until,
            });
        }
        for wanted in &self.wanted.rates {
            let found = self.live.rates.iter().find(|live| is_rate(live, wanted));
            let mut fields = Fields::default();
            let Some(live) = found else {
                fields.set("price", wanted.price);
                fields.set("unit", wanted.unit.as_str());
                fields.set("currency", wanted.currency);
                fields.set_if("valid_until", wanted.valid_until);
                fields.set("source", &wanted.source);
                let new = RateNew {
                    from: wanted.from.clone(),
                    to: wanted.to.clone(),
                    price: wanted.price.to_string(),
                    unit: wanted.unit.as_str().to_owned(),
                    currency: wanted.currency.to_string(),
                    valid_from: wanted.valid_from.to_string(),
                    valid_until: wanted.valid_until.map(|until| until.to_string()),
                    source: wanted.source.clone(),
                };
                let period = Period {
                    from: wanted.valid_from,
                    until: wanted.valid_until,
                };
                let sides = (wanted.from.clone(), wanted.to.clone());
                if period.join(there.entry(sides).or_default()) {
                    self.create("rate", wanted.name(), fields, Act::Rate(new));
                    self.needs(Operation::RateCreate, &Scope::NONE);
                } else {
                    self.refuse("rate", wanted.name(), fields, RATES_CLASH);
                }
                continue;
            };
            fields.compare("price", live.price_nano, wanted.price);
            fields.compare("unit", live.unit.as_str(), wanted.unit.as_str());
            fields.compare("currency", live.currency, wanted.currency);
            fields.differs(
                "valid_until",
                until_text(live.valid_until),
                wanted.valid_until.as_ref(),
            );
            fields.compare("source", &live.source, &wanted.source);
            if fields.is_empty() {
                self.unchanged("rate", wanted.name());
            } else {
                self.refuse("rate", wanted.name(), fields, RATES_STAY);
            }
        }
    }

    pub(super) fn service_rates(&mut self) {
        let mut there: BTreeMap<&str, Vec<Period>> = BTreeMap::new();
        for live in &self.live.service_rates {
            there.entry(&live.kind).or_default().push(Period {
                from: live.valid_from,
                until: live.valid_until,
            });
        }
        for wanted in &self.wanted.service_rates {
            let mut fields = Fields::default();
            let found = self
                .live
                .service_rates
                .iter()
                .find(|live| is_service_rate(live, wanted));
            let Some(live) = found else {
                fields.set("price", wanted.price);
                fields.set("currency", wanted.currency);
                fields.set_if("valid_until", wanted.valid_until);
                fields.set("source", &wanted.source);
                let new = ServiceRateNew {
                    kind: wanted.kind.clone(),
                    price: wanted.price.to_string(),
                    currency: wanted.currency.to_string(),
                    valid_from: wanted.valid_from.to_string(),
                    valid_until: wanted.valid_until.map(|until| until.to_string()),
                    source: wanted.source.clone(),
                };
                let period = Period {
                    from: wanted.valid_from,
                    until: wanted.valid_until,
                };
                if period.join(there.entry(&wanted.kind).or_default()) {
                    self.create("service_rate", wanted.name(), fields, Act::ServiceRate(new));
                    self.needs(Operation::RateCreate, &Scope::NONE);
                } else {
                    self.refuse("service_rate", wanted.name(), fields, RATES_CLASH);
                }
                continue;
            };
            fields.compare("price", live.price_nano, wanted.price);
            fields.compare("currency", live.currency, wanted.currency);
            fields.differs(
                "valid_until",
                until_text(live.valid_until),
                wanted.valid_until.as_ref(),
            );
            fields.compare("source", &live.source, &wanted.source);
            if fields.is_empty() {
                self.unchanged("service_rate", wanted.name());
            } else {
                self.refuse("service_rate", wanted.name(), fields, RATES_STAY);
            }
        }
    }

    pub(super) fn foreign_rates(&mut self) {
        let (wanted, live) = (self.wanted, self.live);
        for rate in &live.rates {
            if !wanted.rates.iter().any(|wanted| is_rate(rate, wanted)) {
                let (from, to) = sides(rate);
                self.foreign_one("rate", format!("{from} -> {to} from {}", rate.valid_from));
            }
        }
        for rate in &live.service_rates {
            let declared = wanted
                .service_rates
                .iter()
                .any(|wanted| is_service_rate(rate, wanted));
            if !declared {
                self.foreign_one(
                    "service_rate",
                    format!("{} from {}", rate.kind, rate.valid_from),
                );
            }
        }
    }
}

fn credential_text(credential: &WantedCredential) -> String {
    match credential {
        WantedCredential::Environment(name) => format!("env:{name}"),
        WantedCredential::Sealed => "sealed".to_owned(),
    }
}

fn until_text(until: Option<Timestamp>) -> String {
    until.map(|until| until.to_string()).unwrap_or_default()
}

/// Both sides of a rate as declarations write them.
pub(in crate::declaration) fn sides(rate: &RateRecord) -> (String, String) {
    (
        format!("{}:{}", rate.from_cloud, rate.from_region),
        format!("{}:{}", rate.to_cloud, rate.to_region),
    )
}

fn is_rate(live: &RateRecord, wanted: &WantedRate) -> bool {
    let (from, to) = sides(live);
    from == wanted.from && to == wanted.to && live.valid_from == wanted.valid_from
}

fn is_service_rate(live: &ServiceRateRecord, wanted: &WantedServiceRate) -> bool {
    live.kind == wanted.kind && live.valid_from == wanted.valid_from
}
