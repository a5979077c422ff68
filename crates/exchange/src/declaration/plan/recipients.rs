//! Recipients: whose they are and where, what limits them, and whose word lets them in.

use std::collections::BTreeSet;

use model::dto::{Federation, FederationNew, RecipientChange, RecipientLimits, RecipientNew};
use model::{Name, TeamId};

use super::super::wanted::WantedRecipient;
use super::{Act, Fields, Planner, Ways};
use crate::access::{STAYS, STRANGE_ISSUER};
use crate::operation::Operation;
use crate::policy::{Scope, allows};

const UNSEEN: &str = "that name is taken by a recipient that you may not see";

impl Planner<'_> {
    pub(super) fn recipients(&mut self) {
        for (name, wanted) in self.wanted.recipients.iter().flatten() {
            self.recipient(name, wanted);
        }
    }

    fn recipient(&mut self, name: &Name, wanted: &WantedRecipient) {
        let mut fields = Fields::default();
        let Some(live) = self.live.recipients.get(name) else {
            return self.new_recipient(name, wanted);
        };
        let mut change = RecipientChange {
            team: fields
                .compare("team", &live.team, &wanted.team)
                .then(|| wanted.team.to_string()),
            cloud: fields
                .compare("cloud", live.cloud, wanted.location.cloud)
                .then(|| wanted.location.cloud.to_string()),
            region: fields
                .compare("region", &live.region, wanted.location.region())
                .then(|| wanted.location.region().to_owned()),
            revision: None,
        };
        let moves = !fields.is_empty();
        let scope = Scope::consumer(live.team_id);
        let is_seen = allows(self.principal, Operation::RecipientRead, &scope);
        // Whoever may not see what limits it does not find out by trying.
        let ways = if is_seen {
            let addresses = fields.differs("addresses", &live.addresses, wanted.addresses.as_ref());
            let there = live.requests_per_minute;
            let said = there.map(|most| most.to_string()).unwrap_or_default();
            let requests = wanted.requests_per_minute.as_ref();
            let requests = fields.differs("requests_per_minute", said, requests);
            let limits = (addresses.is_some() || requests.is_some()).then(|| RecipientLimits {
                addresses: addresses
                    .as_ref()
                    .unwrap_or(&live.addresses)
                    .iter()
                    .map(ToString::to_string)
                    .collect(),
                requests_per_minute: requests.or(there),
            });
            let federation = self.live.federations.get(&live.id);
            let said = federation.map(|all| said_live(all)).unwrap_or_default();
            let federation = wanted.federation.as_ref();
            let federation = federation
                .filter(|wanted| fields.compare("federation", &said, said_new(wanted.as_slice())))
                .cloned();
            Ways { limits, federation }
        } else if has_ways(wanted) {
            return self.refuse("recipient", name, Fields::default(), UNSEEN);
        } else {
            Ways::default()
        };
        if fields.is_empty() {
            return self.unchanged("recipient", name);
        }
        if !is_seen {
            return self.refuse("recipient", name, Fields::default(), UNSEEN);
        }
        if moves && !self.knows_team(&wanted.team) {
            let why = format!("there is no team {}", wanted.team);
            return self.refuse("recipient", name, fields, why);
        }
        if moves && self.live.fixed_recipients.contains(&live.id) {
            return self.refuse("recipient", name, fields, STAYS);
        }
        if self.is_strange(&ways) {
            return self.refuse("recipient", name, fields, STRANGE_ISSUER);
        }
        change.revision = Some(live.revision);
        let sets = sets(&ways);
        let act = Act::RecipientUpdate {
            name: name.clone(),
            change: moves.then_some(change),
            ways,
        };
        self.update("recipient", name, fields, act);
        let team = self.live.team_id(&wanted.team);
        let moved = team.map_or(Scope::NONE, Scope::consumer);
        if moves {
            self.needs(Operation::RecipientUpdate, &scope);
            self.needs(Operation::RecipientUpdate, &moved);
        }
        for operation in sets {
            self.needs(operation, &moved);
        }
    }

    fn new_recipient(&mut self, name: &Name, wanted: &WantedRecipient) {
        let mut fields = Fields::default();
        if !self.knows_team(&wanted.team) {
            let why = format!("there is no team {}", wanted.team);
            return self.refuse("recipient", name, fields, why);
        }
        fields.set("team", &wanted.team);
        fields.set("cloud", wanted.location.cloud);
        fields.set("region", wanted.location.region());
        let addresses = wanted.addresses.as_ref().filter(|some| !some.is_empty());
        fields.set_if("addresses", addresses);
        fields.set_if("requests_per_minute", wanted.requests_per_minute);
        let federation = wanted.federation.as_ref().filter(|some| !some.is_empty());
        fields.set_if("federation", federation.map(|all| said_new(all)));
        let is_limited = addresses.is_some() || wanted.requests_per_minute.is_some();
        let ways = Ways {
            limits: is_limited.then(|| RecipientLimits {
                addresses: addresses
                    .into_iter()
                    .flat_map(|addresses| addresses.iter())
                    .map(ToString::to_string)
                    .collect(),
                requests_per_minute: wanted.requests_per_minute,
            }),
            federation: federation.cloned(),
        };
        if self.is_strange(&ways) {
            return self.refuse("recipient", name, fields, STRANGE_ISSUER);
        }
        let sets = sets(&ways);
        let new = RecipientNew {
            name: name.to_string(),
            team: wanted.team.to_string(),
            cloud: wanted.location.cloud.to_string(),
            region: wanted.location.region().to_owned(),
        };
        self.create("recipient", name, fields, Act::Recipient { new, ways });
        let team: Option<TeamId> = self.live.team_id(&wanted.team);
        let scope = team.map_or(Scope::NONE, Scope::consumer);
        self.needs(Operation::RecipientCreate, &scope);
        for operation in sets {
            self.needs(operation, &scope);
        }
    }

    fn is_strange(&self, ways: &Ways) -> bool {
        let mut all = ways.federation.iter().flatten();
        all.any(|federation| !self.exchange.takes_tokens_of(&federation.issuer))
    }
}

/// The operations that these take.
fn sets(ways: &Ways) -> Vec<Operation> {
    let limits = ways
        .limits
        .is_some()
        .then_some(Operation::RecipientLimitsSet);
    let federation = ways
        .federation
        .is_some()
        .then_some(Operation::FederationSet);
    limits.into_iter().chain(federation).collect()
}

fn has_ways(wanted: &WantedRecipient) -> bool {
    wanted.addresses.is_some()
        || wanted.requests_per_minute.is_some()
        || wanted.federation.is_some()
}

fn said_live(all: &[Federation]) -> String {
    let one =
        |there: &Federation| said(&there.issuer, &there.audience, &there.claim, &there.subject);
    in_order(all.iter().map(one).collect())
}

fn said_new(all: &[FederationNew]) -> String {
    let one = |new: &FederationNew| {
        let claim = new.claim.as_deref().unwrap_or("sub");
        said(&new.issuer, &new.audience, claim, &new.subject)
    };
    in_order(all.iter().map(one).collect())
}

/// The same whatever the order in which they stand.
fn in_order(all: BTreeSet<String>) -> String {
    Vec::from_iter(all).join("; ")
}

fn said(issuer: &str, audience: &str, claim: &str, subject: &str) -> String {
    format!("{issuer} for {audience}, {claim} is {subject}")
}
