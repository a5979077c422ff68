//! Recipients, offers, requests, decisions, grants.

use serde::{Deserialize, Serialize};

use super::CutTable;
use crate::{
    Currency, GrantActual, GrantDesired, GrantId, Location, Micro, Mode, Name, ProductName,
    QueryId, RecipientTokenId, RequestId, RequestState, Stage, Timestamp, Verdict,
};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipient {
    pub name: Name,
    pub team: Name,
    pub location: Location,
    pub revision: i64,
    pub tokens: Vec<RecipientToken>,
    pub limits: RecipientLimits,
    /// Whose word lets it in besides its own credentials; each of them does.
    pub federation: Vec<Federation>,
    /// A link that waits to be opened, without the link.
    pub activation: Option<ActivationOpen>,
}

/// From where a recipient may be used, and how often. Everything at once: what is left out is lifted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecipientLimits {
    /// Addresses and blocks of them (CIDR, version 4 or 6); none: from everywhere.
    #[serde(default)]
    pub addresses: Vec<String>,
    /// Requests per minute, as many at once; as many as the installation lets any recipient when absent.
    #[serde(default)]
    pub requests_per_minute: Option<u32>,
}

/// Tokens of OpenID Connect that let a recipient in: of this issuer, for this audience, in which this claim says this, each to the
/// letter. A claim that is a list, such as groups, says what each of its texts does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Federation {
    pub id: RecipientTokenId,
    pub issuer: String,
    pub audience: String,
    pub claim: String,
    pub subject: String,
    pub created_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FederationNew {
    /// As the issuer writes itself in its tokens.
    pub issuer: String,
    pub audience: String,
    /// `sub` when absent.
    #[serde(default)]
    pub claim: Option<String>,
    pub subject: String,
    /// Beside what lets it in already; in its place when absent.
    #[serde(default)]
    pub beside: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivationOpen {
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

/// A link that gives a recipient's profile to whoever opens it first, without an account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActivationNew {
    /// Days until the credential ends that it gives; the installation's lifetime when absent.
    #[serde(default)]
    pub days: Option<u32>,
    /// Hours until the link ends; 24 when absent, and at most.
    #[serde(default)]
    pub hours: Option<u32>,
}

/// The one answer that holds the link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activation {
    pub recipient: Name,
    pub url: String,
    pub expires_at: Timestamp,
}

/// What somebody sees who has a link, before using it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivationSeen {
    pub recipient: Name,
    pub team: Name,
    pub expires_at: Timestamp,
    pub state: ActivationState,
}

/// Whether a link still gives something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActivationState {
    Open,
    Used,
    /// Taken back, or another one was made.
    Ended,
    Expired,
}

/// Tokens that were found where they should not be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeakNew {
    pub tokens: Vec<String>,
    /// Where they were found: an address, or a few words.
    #[serde(default)]
    pub found_at: Option<String>,
}

/// What became of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeakReport {
    /// How many could be tokens at all.
    pub well_formed: u32,
    /// Credentials of recipients that counted until now.
    pub revoked: Vec<LeakedToken>,
    /// How many tokens of people and services counted until now, and are revoked.
    #[serde(default)]
    pub service_tokens: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeakedToken {
    pub recipient: Name,
    pub token: RecipientTokenId,
    /// The last four characters.
    pub hint: String,
}

/// A sharing credential, without the credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecipientToken {
    pub id: RecipientTokenId,
    /// The last four characters.
    pub hint: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecipientNew {
    pub name: String,
    pub team: String,
    pub cloud: String,
    pub region: String,
}

/// Only while nothing was ever asked for it: requests and grants say where their recipient is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecipientChange {
    #[serde(default)]
    pub team: Option<String>,
    #[serde(default)]
    pub cloud: Option<String>,
    #[serde(default)]
    pub region: Option<String>,
    /// The revision that was looked at; 409 when it has moved on.
    #[serde(default)]
    pub revision: Option<i64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileNew {
    /// Days until the credential ends; the installation's lifetime when absent.
    #[serde(default)]
    pub days: Option<u32>,
}

/// A new credential in the place of the living one, which goes on for a while, so that readers can change over one by one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RotationNew {
    /// Days until the new credential ends; the installation's lifetime when absent.
    #[serde(default)]
    pub days: Option<u32>,
    /// Hours for which the old credential still counts, if it does not end before; 24 when absent, at most 168. 0 ends it, and
    /// every other one, at once.
    #[serde(default)]
    pub overlap_hours: Option<u32>,
}

/// A Delta Sharing profile, version 1 (protocol, "Profile File Format"): the one answer that holds the token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    pub share_credentials_version: u32,
    pub endpoint: String,
    pub bearer_token: String,
    pub expiration_time: Timestamp,
}

/// What each mode would cost and how fresh it would be, before anybody asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    pub product: ProductName,
    pub recipient: Name,
    /// Of this cut; None for the whole product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<Name>,
    pub as_of: Timestamp,
    /// Who would decide, in order.
    pub stages: Vec<Stage>,
    /// The team and the cost centre that would pay.
    pub payer: Name,
    pub cost_center: String,
    pub modes: Vec<ModeOffer>,
    /// What there is of the same tables already: what the recipient's side has where the recipient is, replicas there, and other products
    /// that have them. Not kept with a request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub already: Vec<Already>,
}

/// Access to the same table, a replica of it, or another product that has it: what is there already.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Already {
    pub product: ProductName,
    /// Of an access; None for a replica, and for another product's table.
    pub mode: Option<Mode>,
    /// For people.
    pub sentence: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModeOffer {
    pub mode: Mode,
    /// Why it cannot be had; None when it can.
    pub why_not: Option<String>,
    /// Bytes that would cross at first; 0 where a replica is already there.
    pub first_copy_bytes: u64,
    pub month_bytes: u64,
    /// What a replica would hold.
    pub month_storage_bytes: u64,
    /// None where no rate is known for the route: said, never guessed.
    pub first_copy: Option<Money>,
    pub month_transfer: Option<Money>,
    /// What holding it costs there, for comparison: it is never charged and stands on no statement.
    pub month_storage: Option<Money>,
    /// What the monthly figure assumes, in words.
    pub basis: String,
    /// When the data was last committed at the source and, for a replica that is there, last synced.
    pub committed_at: Option<Timestamp>,
    pub synced_at: Option<Timestamp>,
    /// How old the data may get, in words: `at once`, `every 2 days`.
    pub freshness: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    pub amount: Micro,
    pub currency: Currency,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestNew {
    pub product: String,
    pub recipient: String,
    pub mode: String,
    /// A cut of the product, which is read from a replica; the whole product when absent or empty.
    #[serde(default)]
    pub cut: Option<String>,
    /// An instant, or a day, which counts to its end in UTC.
    pub until: String,
    pub purpose: PurposeNew,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PurposeNew {
    /// A word of the organisation's vocabulary: `warranty`.
    pub code: String,
    pub text: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    pub id: RequestId,
    pub product: ProductName,
    pub recipient: Name,
    pub team: Name,
    pub location: Location,
    /// Name and title of who asked; None for a declared one.
    pub requester: Option<Name>,
    pub mode: Mode,
    /// The cut that it is for; None for the whole product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<Name>,
    /// What that cut gives, as it is now: column by column.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gives: Vec<CutTable>,
    pub purpose_code: String,
    pub purpose_text: String,
    pub until: Timestamp,
    /// Of a renewal: until when the recipient had access already when it was asked.
    pub renews_until: Option<Timestamp>,
    pub state: RequestState,
    /// Stages that still wait for somebody.
    pub open_stages: Vec<Stage>,
    pub decisions: Vec<Decision>,
    /// What who decided so far said of the part that the grant is to open.
    pub scope: GrantScope,
    /// As it was shown when the request was made.
    pub offer: Option<Offer>,
    pub grant: Option<GrantId>,
    /// For a declared request: file and commit.
    pub declared: Option<String>,
    /// Stages that the caller may decide now.
    pub may_decide: Vec<Stage>,
    /// Whether the caller may take it back now.
    pub may_withdraw: bool,
    pub revision: i64,
    pub created_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    pub stage: Stage,
    pub verdict: Verdict,
    pub decider: Option<Name>,
    pub note: String,
    pub decided_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionNew {
    pub verdict: String,
    #[serde(default)]
    pub note: String,
    /// The revision of the request that was looked at; 409 when it has moved on.
    pub revision: i64,
    /// `owner` or `data_protection`, for somebody who could be both; else found out.
    #[serde(default)]
    pub stage: Option<String>,
    /// With a yes: how many bytes of the producer's own files the grant hands out in a day. Of several who decide the smallest
    /// counts.
    #[serde(default)]
    pub live_bytes_per_day: Option<u64>,
    /// With a yes: what part of the product the grant opens. Of several who decide every word counts: rows that all of them
    /// open, and a credential for folders only if nobody leaves rows out.
    #[serde(default)]
    pub scope: Option<GrantScope>,
}

/// What part of a product a grant opens, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantScope {
    /// Conditions on partition columns, as `country = 'DE' and year in (2024, 2025)` or `country = ${recipient.country}`; every
    /// row when absent or empty.
    #[serde(default)]
    pub rows: Option<String>,
    /// Whether the recipient may have a credential for the folders of the tables, for a time. Not together with `rows`.
    #[serde(default)]
    pub directory: bool,
}

/// The same from now on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantScopeNew {
    #[serde(default)]
    pub rows: Option<String>,
    #[serde(default)]
    pub directory: bool,
    /// The revision that was looked at; 409 when it has moved on.
    #[serde(default)]
    pub revision: Option<i64>,
}

/// What conditions on rows may say of a recipient beside its `name`, `team`, `cloud` and `region`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecipientProperties {
    /// All of them, in the order of names.
    pub properties: Vec<RecipientProperty>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecipientProperty {
    pub name: String,
    pub value: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    pub id: GrantId,
    pub name: Option<Name>,
    pub request: RequestId,
    pub product: ProductName,
    pub recipient: Name,
    pub team: Name,
    pub location: Location,
    pub mode: Mode,
    /// The cut of the product that it opens, and nothing else of it; None for the whole product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<Name>,
    /// As it was asked for.
    pub purpose_code: String,
    pub purpose_text: String,
    pub until: Timestamp,
    pub desired: GrantDesired,
    pub actual: GrantActual,
    /// When it was last seen to work, by looking.
    pub verified_at: Option<Timestamp>,
    /// The consumer's own first read.
    pub first_read_at: Option<Timestamp>,
    /// Until when URLs that were handed out may still work. Once people have ended it only those that stores signed count:
    /// the gateway refuses its own at once.
    pub urls_until: Option<Timestamp>,
    /// Why it is not active, in words.
    pub reason: Option<String>,
    pub ended_at: Option<Timestamp>,
    pub ended_reason: Option<String>,
    /// What part of the product it opens: conditions on partition columns; None for every row.
    pub rows: Option<String>,
    /// Whether it gives a credential for the folders of the tables.
    pub directory: bool,
    /// How many bytes of the producer's own files it hands out in a day (UTC): of live access the most of them, None for any
    /// number; of a replica how many while that is late, None for none.
    pub live_bytes_per_day: Option<u64>,
    /// What it has handed out of them today.
    pub live_bytes_today: u64,
    /// Since when the replica that it reads is later than its schedule promises.
    pub stale_since: Option<Timestamp>,
    /// Whether the caller may end it now.
    pub may_revoke: bool,
    /// Whether the caller may say what part it opens.
    pub may_narrow: bool,
    /// Whether the caller may say how many bytes it hands out in a day.
    pub may_limit: bool,
    pub revision: i64,
}

/// How many bytes of the producer's own files a grant hands out in a day, from now on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantLimit {
    /// None: of live access any number, of a replica none.
    #[serde(default)]
    pub live_bytes_per_day: Option<u64>,
    /// The revision that was looked at; 409 when it has moved on.
    #[serde(default)]
    pub revision: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokeNew {
    pub reason: String,
}

/// One call of a recipient on a shared table, as the access log keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShareQuery {
    pub id: QueryId,
    pub at: Timestamp,
    pub recipient: Name,
    pub team: Name,
    /// `list`, `version`, `metadata`, `query`, `async_query`, `changes` or `temporary_credentials`.
    pub endpoint: String,
    /// As asked for; as listed once it was opened.
    pub share: String,
    pub schema: String,
    pub table: String,
    /// None: nothing was opened.
    pub grant: Option<GrantId>,
    pub version: Option<u64>,
    /// URLs that were handed out, and the bytes behind them by the table's log: an estimate of what was read.
    pub files: u64,
    pub bytes_signed: u64,
    /// Files that were not handed out, because no row of theirs matches what was asked for.
    pub files_dropped: Option<u64>,
    /// Actions of the table's log that were looked at for it.
    pub actions: Option<u64>,
    pub duration_micros: Option<u64>,
    /// From where it was answered: `producer` or `replica`.
    pub source: Option<String>,
    /// Since when that was staler than its schedule promised.
    pub stale_since: Option<Timestamp>,
    /// `answered`, `refused`, `failed` or `abandoned`.
    pub outcome: Option<String>,
    /// The protocol's code of what was refused or failed, and what the client was told.
    pub error_code: Option<String>,
    pub reason: Option<String>,
    /// The HTTP status; 0: the client left before there was one.
    pub status: u32,
    pub user_agent: String,
}
