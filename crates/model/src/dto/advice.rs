//! What the advisor recommends, what it rests on, and what came of it.

use serde::{Deserialize, Serialize};

use super::Money;
use crate::{
    AdviceId, AdviceKind, AdviceState, GrantId, Location, Name, ProductName, RequestId, Timestamp,
};

/// A recommendation for a product in one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advice {
    pub id: AdviceId,
    pub product: ProductName,
    pub to: Location,
    pub kind: AdviceKind,
    pub state: AdviceState,
    /// Why it is in that state.
    pub reason: String,
    /// What speaks for it, in figures.
    pub because: String,
    /// What accepting it changes: a mode, a period like `7d`, or what runs fetch.
    pub change: String,
    /// In a month, at today's prices. Of what was accepted: what was promised.
    pub saving: AdviceSaving,
    /// In a month, as it is.
    pub cost: Money,
    /// Recipients that read there.
    pub readers: u64,
    pub break_even: Option<BreakEven>,
    pub weeks: Vec<AdviceWeek>,
    pub assumptions: Vec<String>,
    pub opened_at: Timestamp,
    pub reckoned_at: Timestamp,
    pub snoozed_until: Option<Timestamp>,
    pub accepted_at: Option<Timestamp>,
    /// What accepting it did.
    pub outcome: Option<AdviceOutcome>,
    /// In a month, over the whole weeks since it was accepted; None before there is one.
    pub measured: Option<Money>,
    pub measured_weeks: u64,
    /// Of one to read live that was accepted: the replica stands all the same, so that nothing is saved yet.
    pub still: Option<AdviceStill>,
    /// What the caller may do with it now.
    pub may: AdviceActions,
    pub revision: i64,
}

/// From the worst of the weeks that are known to the best, and their mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdviceSaving {
    /// Negative where it would have cost more in some week.
    pub low: Money,
    pub mean: Money,
    pub high: Money,
}

/// From so many readers on a replica costs less than reading live. Where it is not known what a replica would move, from the least that
/// it may be to the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakEven {
    pub from: u64,
    pub to: u64,
}

/// Seven days of the history behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdviceWeek {
    /// `2026-06-15`, UTC.
    pub first_day: String,
    /// Answered calls that handed out rows.
    pub reads: u64,
    pub readers: u64,
    /// Handed out of the producer's files.
    pub live_bytes: u64,
    /// Handed out of the replica.
    pub replica_bytes: u64,
    pub runs: u64,
    /// Moved by them.
    pub synced_bytes: u64,
    /// What crossed, and what would have.
    pub bytes_now: u64,
    pub bytes_then_low: u64,
    pub bytes_then_high: u64,
    pub cost_now: Money,
    pub cost_then_low: Money,
    pub cost_then_high: Money,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdviceOutcome {
    /// The requests that were made of it.
    #[serde(default)]
    pub requests: Vec<RequestId>,
    /// `product@storage` of the replica whose sync job was changed.
    #[serde(default)]
    pub replica: Option<String>,
}

/// What holds a replica that was to go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdviceStill {
    /// Accesses that the caller may see.
    pub accesses: Vec<AdviceHolder>,
    /// So many others.
    pub others: u64,
}

/// An access to a replica. It is ended where it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdviceHolder {
    pub grant: GrantId,
    pub request: RequestId,
    pub recipient: Name,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdviceActions {
    pub accept: bool,
    /// Snooze and decline.
    pub set_aside: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdviceSnooze {
    /// An instant, or a day, which counts to its end in UTC.
    pub until: String,
    #[serde(default)]
    pub revision: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdviceDecline {
    pub reason: String,
    #[serde(default)]
    pub revision: Option<i64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdviceAccept {
    #[serde(default)]
    pub revision: Option<i64>,
}

/// How a product stands in one place, whether or not there is anything to recommend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdviceStanding {
    pub product: ProductName,
    pub to: Location,
    /// Whether a replica is kept there.
    pub has_replica: bool,
    /// The first day of the weeks that count.
    pub since: Option<String>,
    pub weeks: u64,
    pub readers: u64,
    pub break_even: Option<BreakEven>,
    /// In a month, as it is; None where it cannot be reckoned.
    pub cost: Option<Money>,
    /// What cannot be told, and how it could be.
    pub unknown: Vec<String>,
}
