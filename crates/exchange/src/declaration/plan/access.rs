//! Grants: a declared one is a request that the owner has decided by declaring it. What somebody ended or refused is not
//! given again behind their back.

use std::collections::{BTreeMap, BTreeSet};

use model::dto::{DeclarationAction, GrantScope, PurposeNew, RequestNew};
use model::{
    Classification, Location, Mode, Name, Payer, ProductName, ProductState, RequestState, Role,
};

use super::super::live::{Ask, Live};
use super::super::wanted::WantedGrant;
use super::cuts::called;
use super::{Act, Fields, GrantAct, Planner, has};
use crate::access::{LONGEST, REPLACED};
use crate::error::Error;
use crate::operation::Operation;
use crate::policy::{Scope, allows};
use crate::principal::Principal;

const WAITS: &str = "waits for data protection";

/// A replica that a grant of the file makes, or will make.
pub(super) struct ReplicaToCome {
    pub(super) grant: Name,
    pub(super) product: ProductName,
    pub(super) cut: Option<Name>,
    pub(super) location: Location,
    pub(super) waits: bool,
}

/// Asks by what a grant is found by; each list oldest first.
pub(super) struct Asks<'a> {
    named: BTreeMap<&'a Name, Vec<&'a Ask>>,
    giving: BTreeMap<(&'a ProductName, &'a Name, Mode, Option<&'a Name>), Vec<&'a Ask>>,
}

impl<'a> Asks<'a> {
    pub(super) fn of(live: &'a Live) -> Self {
        let mut asks = Self {
            named: BTreeMap::new(),
            giving: BTreeMap::new(),
        };
        for ask in &live.asks {
            if let Some(name) = &ask.grant_name {
                asks.named.entry(name).or_default().push(ask);
            }
            let what = (&ask.product, &ask.recipient, ask.mode, ask.cut.as_ref());
            asks.giving.entry(what).or_default().push(ask);
        }
        asks
    }
}

/// What is live under a grant's name, or gives the same.
struct Found<'a> {
    /// The grant of this name that stands.
    stands: Option<&'a Ask>,
    /// The declared request that waits: of this name, or of one that the file has no more.
    waits: Option<&'a Ask>,
    /// The very same under this name, which came to its end otherwise than by a declaration.
    ended: Option<&'a Ask>,
    /// A grant that stands for the same product, recipient and mode, and no other entry of the file claims.
    same: Option<&'a Ask>,
    /// Somebody's request for the same that waits.
    asked: Option<&'a Ask>,
}

impl<'a> Found<'a> {
    fn all(&self) -> impl Iterator<Item = &'a Ask> {
        [self.stands, self.waits, self.ended, self.same]
            .into_iter()
            .flatten()
    }
}

impl<'a> Planner<'a> {
    pub(super) async fn grants(&mut self) -> Result<(), Error> {
        for (name, wanted) in self.wanted.grants.iter().flatten() {
            let before = self.steps.len();
            self.grant(name, wanted);
            debug_assert_eq!(self.steps.len(), before + 1, "one step for one grant");
            self.try_request(wanted).await?;
            self.expect_replica(name, wanted);
        }
        Ok(())
    }

    fn find(&self, name: &Name, wanted: &WantedGrant) -> Found<'a> {
        fn newest<'a>(asks: Option<&Vec<&'a Ask>>, is: impl Fn(&Ask) -> bool) -> Option<&'a Ask> {
            asks?.iter().rev().copied().find(|ask| is(ask))
        }
        let at = self.live.at;
        let named = self.asks.named.get(name);
        let what = (
            &wanted.product,
            &wanted.recipient,
            wanted.mode,
            wanted.cut.as_ref(),
        );
        let giving = self.asks.giving.get(&what);
        // Another name that the file has, or none at all; what has this name is found by it.
        let claimed = |ask: &Ask| {
            ask.grant_name
                .as_ref()
                .is_some_and(|other| has(&self.wanted.grants, other))
        };
        Found {
            stands: newest(named, |ask| ask.stands(at)),
            waits: newest(named, Ask::waits).or_else(|| {
                newest(giving, |ask| {
                    ask.grant_name.is_some() && !claimed(ask) && ask.waits()
                })
            }),
            ended: newest(named, |ask| {
                equals(ask, wanted)
                    && !ask.stands(at)
                    && !ask.waits()
                    && ask.ended_reason.as_deref() != Some(REPLACED)
            }),
            same: newest(giving, |ask| !claimed(ask) && ask.stands(at)),
            asked: newest(giving, |ask| {
                let other = claimed(ask) && ask.grant_name.as_ref() != Some(name);
                (ask.grant_name.is_none() || other) && ask.waits()
            }),
        }
    }

    fn grant(&mut self, name: &Name, wanted: &WantedGrant) {
        let Some(scope) = self.product_scope(&wanted.product) else {
            let why = "there is no such product, or you may not see it";
            return self.refuse("grant", name, Fields::default(), why);
        };
        if self.recipient_location(&wanted.recipient).is_none() {
            let why = format!("there is no recipient {}", wanted.recipient);
            return self.refuse("grant", name, Fields::default(), why);
        }
        let found = self.find(name, wanted);
        if found.all().any(|ask| !ask.is_visible_to(self.principal)) {
            let why = "that name, or the same access, is somebody else's already";
            return self.refuse("grant", name, Fields::default(), why);
        }
        if let Some(cut) = &wanted.cut
            && !self.knows_cut(&wanted.product, cut)
        {
            let why = format!("there is no cut {cut} of {}", wanted.product);
            return self.refuse("grant", name, Fields::default(), why);
        }
        let personal = self.is_personal(&wanted.product);

        // As declared: it stands, or waits for the one who has to agree.
        let stands = found.stands.filter(|ask| equals(ask, wanted));
        let waits = found
            .waits
            .filter(|ask| ask.grant_name.as_ref() == Some(name) && equals(ask, wanted))
            .filter(|ask| {
                !is_limited_otherwise(ask, wanted) && !is_narrowed_otherwise(ask, wanted)
            });
        if let (Some(ask), None) = (stands, found.waits) {
            return self.keep(name, ask, wanted);
        }
        if let (Some(_), Some(ask)) = (stands, found.waits) {
            let mut fields = Fields::default();
            describe(&mut fields, name, Some(ask), wanted);
            let act = Act::Withdraw(ask.request_id);
            self.push(DeclarationAction::Update, "grant", name, fields, act);
            self.note("the request that waits is withdrawn; what stands stays");
            return self.needs(Operation::GrantDeclare, &Scope::owner(ask.owner_id));
        }
        if waits.is_some() && personal {
            self.unchanged("grant", name);
            return self.note(WAITS);
        }
        let same = found
            .same
            .filter(|ask| ask.grant_name.is_none() && equals(ask, wanted));
        if let (None, None, Some(ask)) = (found.stands, found.ended, same) {
            return self.keep(name, ask, wanted);
        }
        if let Some(why) = self.settled(&found) {
            return match why {
                Settled::Over => {
                    self.unchanged("grant", name);
                    self.note("its time is over");
                }
                Settled::Refused(why) => self.refuse("grant", name, Fields::default(), why),
            };
        }

        let mut fields = Fields::default();
        let from = found.stands.or(found.waits).or(found.same);
        describe(&mut fields, name, from, wanted);
        if fields.is_empty() {
            // It waited for data protection, and the data is not personal any more.
            fields.compare("state", RequestState::Submitted, RequestState::Approved);
        }
        if let Some(why) = self.hindrance(&found, wanted) {
            return self.refuse("grant", name, fields, why);
        }
        let act = Act::Grant(GrantAct {
            name: name.clone(),
            new: request_of(wanted),
            withdraw: found.waits.map(|ask| ask.request_id),
            stood: found.stands.and_then(|ask| ask.grant_id),
            live_bytes_per_day: wanted
                .live_bytes_per_day
                .or_else(|| from?.live_bytes_per_day)
                .filter(|_| wanted.cut.is_none()),
            scope: match wanted.cut {
                Some(_) => GrantScope::default(),
                None => scope_of(from, wanted),
            },
        });
        let action = if from.is_some() {
            DeclarationAction::Update
        } else {
            DeclarationAction::Create
        };
        self.push(action, "grant", name, fields, act);
        if personal {
            self.note(WAITS);
        }
        self.needs(Operation::GrantDeclare, &scope);
        // What makes room has to be the caller's to end.
        let ended = [found.stands, found.same, found.waits]
            .into_iter()
            .flatten();
        for ask in ended {
            let scope = Scope::owner(ask.owner_id);
            self.needs(Operation::GrantDeclare, &scope);
        }
    }

    /// It stands as declared, but for the bytes of a day and the part that it opens, which are said without a new grant.
    fn keep(&mut self, name: &Name, ask: &Ask, wanted: &WantedGrant) {
        let is_narrowed = is_narrowed_otherwise(ask, wanted);
        if let Some(grant) = ask.grant_id.filter(|_| is_narrowed) {
            let mut fields = Fields::default();
            describe_scope(&mut fields, ask, wanted);
            let act = Act::Narrow(grant, scope_of(Some(ask), wanted));
            self.push(DeclarationAction::Update, "grant", name, fields, act);
            self.needs(Operation::GrantNarrow, &Scope::owner(ask.owner_id));
        }
        let (Some(per_day), Some(grant), true) = (
            wanted.live_bytes_per_day,
            ask.grant_id,
            is_limited_otherwise(ask, wanted),
        ) else {
            if !is_narrowed || ask.grant_id.is_none() {
                self.unchanged("grant", name);
            }
            return;
        };
        let mut fields = Fields::default();
        describe_limit(&mut fields, ask, wanted);
        let act = Act::Limit(grant, per_day);
        self.push(DeclarationAction::Update, "grant", name, fields, act);
        self.needs(Operation::GrantLimit, &Scope::owner(ask.owner_id));
    }

    /// Whether the same was declared before and came to its end.
    fn settled(&self, found: &Found<'_>) -> Option<Settled> {
        let ended = found.ended?;
        if ended.until_at <= self.live.at {
            return Some(Settled::Over);
        }
        let why = match (ended.desired, ended.ended_reason.as_deref()) {
            (None, _) => format!(
                "this request was {}; change it, or take it out of the file",
                ended.state
            ),
            (Some(_), reason) => format!(
                "it was ended ({}); to give it again change its end or its name, or take it out of the file",
                reason.unwrap_or("no reason given")
            ),
        };
        Some(Settled::Refused(why))
    }

    /// Why it cannot be asked for now.
    fn hindrance(&self, found: &Found<'_>, wanted: &WantedGrant) -> Option<String> {
        if wanted.until <= self.live.at {
            return Some("its end has passed; choose a later one".to_owned());
        }
        if wanted.until.since(self.live.at) > LONGEST {
            return Some("at most five years from now; declare it again before it ends".to_owned());
        }
        if found.asked.is_some() {
            return Some(
                "somebody asked for the same and waits for a decision; decide on it, or have it withdrawn"
                    .to_owned(),
            );
        }
        let location = self.recipient_location(&wanted.recipient)?;
        if wanted.mode == Mode::Replica && self.replica_target(&location).is_none() {
            return Some(format!(
                "no storage in {location} takes replicas; add one, or use mode live"
            ));
        }
        let draft = match self
            .wanted
            .products
            .as_ref()
            .and_then(|p| p.get(&wanted.product))
        {
            Some(product) => !product.published,
            None => self
                .live
                .products
                .get(&wanted.product)
                .is_some_and(|product| product.record.state != ProductState::Published),
        };
        if draft {
            return Some("the product is not published".to_owned());
        }
        // Who pays has to be the one who asks.
        let team = self.recipient_team(&wanted.recipient);
        let scope = team.map_or(Scope::NONE, Scope::consumer);
        if self.payer(&wanted.product) == Payer::Consumer
            && !self.principal.has(Role::Admin)
            && !allows(self.principal, Operation::RequestCreate, &scope)
        {
            return Some(
                "the consumer pays for this product, so somebody of the consuming team asks for it"
                    .to_owned(),
            );
        }
        None
    }

    /// The same check as the portal's form, where all it looks at is live already and stays as it is.
    async fn try_request(&mut self, wanted: &WantedGrant) -> Result<(), Error> {
        let acts = self
            .steps
            .last()
            .is_some_and(|step| matches!(step.act, Act::Grant(_)));
        let moving = self.steps.iter().any(|step| {
            !matches!(step.act, Act::Nothing)
                && match step.change.kind.as_str() {
                    "storage" => true,
                    "product" => step.change.name == wanted.product.as_str(),
                    "cut" => {
                        let cut = wanted.cut.as_ref();
                        cut.is_some_and(|cut| step.change.name == called(&wanted.product, cut))
                    }
                    "recipient" => step.change.name == wanted.recipient.as_str(),
                    _ => false,
                }
        });
        let live = self.live.recipients.contains_key(&wanted.recipient)
            && self
                .live
                .products
                .get(&wanted.product)
                .is_some_and(|product| product.record.state == ProductState::Published);
        if !acts || moving || !live {
            return Ok(());
        }
        // The owner may not see the recipient, and does not: only whether the request can be made.
        let asked = self
            .exchange
            .request_check(&Principal::operator(), &request_of(wanted))
            .await;
        match asked {
            Ok(_) => Ok(()),
            Err(error @ Error::Invalid(_)) => {
                if let Some(step) = self.steps.last_mut() {
                    step.change.action = DeclarationAction::Refused;
                    step.act = Act::Nothing;
                }
                self.note(error.to_string());
                Ok(())
            }
            Err(other) => Err(other),
        }
    }

    fn expect_replica(&mut self, name: &Name, wanted: &WantedGrant) {
        let Some(location) = self.recipient_location(&wanted.recipient) else {
            return;
        };
        let Some(step) = self.steps.last() else {
            return;
        };
        if wanted.mode != Mode::Replica || step.change.action == DeclarationAction::Refused {
            return;
        }
        let stands = self.find(name, wanted).stands.is_some();
        self.replicas.push(ReplicaToCome {
            grant: name.clone(),
            product: wanted.product.clone(),
            cut: wanted.cut.clone(),
            location,
            waits: step.change.note.as_deref() == Some(WAITS) && !stands,
        });
    }

    /// What the policy looks at: the product's owner, as the deployment will find it. None: no such product.
    pub(super) fn product_scope(&self, name: &ProductName) -> Option<Scope> {
        if let Some(product) = self.live.products.get(name) {
            return product
                .is_visible_to(self.principal)
                .then(|| product.record.scope());
        }
        let product = self.wanted.products.as_ref()?.get(name)?;
        Some(
            self.live
                .team_id(&product.team)
                .map_or(Scope::NONE, Scope::owner),
        )
    }

    /// As it will be once the products of the file are deployed, or is: personal data stays protected through the change.
    fn is_personal(&self, name: &ProductName) -> bool {
        let wanted = self.wanted.products.as_ref().and_then(|p| p.get(name));
        match wanted {
            Some(product) => product.classification == Classification::Personal,
            None => self
                .live
                .products
                .get(name)
                .is_some_and(|product| product.record.is_personal()),
        }
    }

    fn payer(&self, name: &ProductName) -> Payer {
        self.wanted
            .products
            .as_ref()
            .and_then(|products| products.get(name)?.payer)
            .or_else(|| Some(self.live.products.get(name)?.record.payer))
            .unwrap_or(Payer::Producer)
    }

    /// As it will be once the recipients of the file are deployed, or is.
    fn recipient_location(&self, name: &Name) -> Option<Location> {
        let recipients = self.wanted.recipients.as_ref();
        match recipients.and_then(|recipients| recipients.get(name)) {
            Some(wanted) => Some(wanted.location.clone()),
            None => self.live.recipients.get(name)?.location().ok(),
        }
    }

    fn recipient_team(&self, name: &Name) -> Option<model::TeamId> {
        let recipients = self.wanted.recipients.as_ref();
        match recipients.and_then(|recipients| recipients.get(name)) {
            Some(wanted) => self.live.team_id(&wanted.team),
            None => Some(self.live.recipients.get(name)?.team_id),
        }
    }

    pub(super) fn foreign_grants(&mut self) {
        let (live, principal) = (self.live, self.principal);
        let given: BTreeSet<_> = self
            .wanted
            .grants
            .iter()
            .flatten()
            .map(|(_, wanted)| {
                (
                    &wanted.product,
                    &wanted.recipient,
                    wanted.mode,
                    wanted.cut.as_ref(),
                )
            })
            .collect();
        for ask in live.asks.iter().filter(|ask| ask.stands(live.at)) {
            let named = ask.grant_name.as_ref();
            let declared = named.is_some_and(|name| has(&self.wanted.grants, name))
                || given.contains(&(&ask.product, &ask.recipient, ask.mode, ask.cut.as_ref()));
            if !declared && ask.is_visible_to(principal) {
                self.foreign_one("grant", export_name(ask));
            }
        }
    }
}

enum Settled {
    Over,
    Refused(String),
}

/// The name of a grant in a declaration; one that was never declared gets one of its own.
pub(in crate::declaration) fn export_name(ask: &Ask) -> String {
    match (&ask.grant_name, ask.grant_id) {
        (Some(name), _) => name.to_string(),
        (None, Some(grant)) => {
            let id = grant.0.simple().to_string();
            format!("grant-{}", &id[20..])
        }
        (None, None) => format!("request-{}", ask.request_id),
    }
}

fn gives(ask: &Ask, wanted: &WantedGrant) -> bool {
    ask.product == wanted.product
        && ask.recipient == wanted.recipient
        && ask.mode == wanted.mode
        && ask.cut == wanted.cut
}

fn equals(ask: &Ask, wanted: &WantedGrant) -> bool {
    gives(ask, wanted)
        && ask.until_at == wanted.until
        && ask.purpose_code == wanted.purpose_code.as_str()
        && ask.purpose_text == wanted.purpose_text
}

/// What is not said in the file is left as it is.
fn is_limited_otherwise(ask: &Ask, wanted: &WantedGrant) -> bool {
    wanted.live_bytes_per_day.is_some() && wanted.live_bytes_per_day != ask.live_bytes_per_day
}

fn is_narrowed_otherwise(ask: &Ask, wanted: &WantedGrant) -> bool {
    let rows = ask.row_filter.as_deref().unwrap_or_default();
    let differs = wanted.rows.as_deref().is_some_and(|wanted| wanted != rows);
    let directory = wanted.directory;
    differs || directory.is_some_and(|wanted| wanted != ask.directory_access)
}

/// What the grant is to open; what the file does not say stays as it is.
fn scope_of(from: Option<&Ask>, wanted: &WantedGrant) -> GrantScope {
    let rows = wanted.rows.clone();
    let rows = rows.or_else(|| from?.row_filter.clone());
    let before = from.is_some_and(|from| from.directory_access);
    GrantScope {
        rows: rows.filter(|rows| !rows.is_empty()),
        directory: wanted.directory.unwrap_or(before),
    }
}

fn describe_scope(fields: &mut Fields, from: &Ask, wanted: &WantedGrant) {
    if let Some(rows) = &wanted.rows {
        let before = from.row_filter.clone().unwrap_or_default();
        fields.compare("rows", before, rows);
    }
    if let Some(directory) = wanted.directory {
        fields.compare("directory", from.directory_access, directory);
    }
}

fn describe_limit(fields: &mut Fields, from: &Ask, wanted: &WantedGrant) {
    if let Some(per_day) = wanted.live_bytes_per_day {
        let before = from.live_bytes_per_day.map(|bytes| bytes.to_string());
        fields.compare("live_bytes_per_day", before.unwrap_or_default(), per_day);
    }
}

fn describe(fields: &mut Fields, name: &Name, from: Option<&Ask>, wanted: &WantedGrant) {
    let Some(from) = from else {
        fields.set("product", &wanted.product);
        fields.set("recipient", &wanted.recipient);
        fields.set("mode", wanted.mode);
        fields.set_if("cut", wanted.cut.as_ref());
        fields.set("until", wanted.until);
        fields.set("purpose.code", &wanted.purpose_code);
        fields.set("purpose.text", &wanted.purpose_text);
        fields.set_if("live_bytes_per_day", wanted.live_bytes_per_day);
        fields.set_if("rows", wanted.rows.as_ref());
        fields.set_if("directory", wanted.directory);
        return;
    };
    let called = from.grant_name.as_ref().map(ToString::to_string);
    fields.compare("name", called.unwrap_or_default(), name);
    fields.compare("product", &from.product, &wanted.product);
    fields.compare("recipient", &from.recipient, &wanted.recipient);
    fields.compare("mode", from.mode, wanted.mode);
    let word = |cut: &Option<Name>| cut.as_ref().map(ToString::to_string);
    fields.compare(
        "cut",
        word(&from.cut).unwrap_or_default(),
        word(&wanted.cut).unwrap_or_default(),
    );
    fields.compare("until", from.until_at, wanted.until);
    fields.compare("purpose.code", &from.purpose_code, &wanted.purpose_code);
    fields.compare("purpose.text", &from.purpose_text, &wanted.purpose_text);
    describe_limit(fields, from, wanted);
    describe_scope(fields, from, wanted);
}

fn request_of(wanted: &WantedGrant) -> RequestNew {
    RequestNew {
        product: wanted.product.to_string(),
        recipient: wanted.recipient.to_string(),
        mode: wanted.mode.to_string(),
        cut: wanted.cut.as_ref().map(ToString::to_string),
        until: wanted.until.to_string(),
        purpose: PurposeNew {
            code: wanted.purpose_code.to_string(),
            text: wanted.purpose_text.clone(),
        },
    }
}
