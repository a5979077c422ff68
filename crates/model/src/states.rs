//! States and choices as they stand in the database, in JSON and on pages: one word each.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A word that is none of those expected.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown {what} `{word}`: use {expected}")]
pub struct UnknownWord {
    pub what: &'static str,
    pub word: String,
    pub expected: String,
}

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident ($what:literal) { $($(#[$vdoc:meta])* $variant:ident = $word:literal),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant),* }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
        impl FromStr for $name {
            type Err = UnknownWord;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(UnknownWord {
                        what: $what,
                        word: text.chars().take(64).collect(),
                        expected: [$($word),*].join(", "),
                    }),
                }
            }
        }
    )*};
}

words! {
    /// How careful one has to be with a product's data.
    Classification ("classification") { Public = "public", Internal = "internal", /** The owner and a data-protection officer decide. */ Personal = "personal" }
    /// Who decides on requests for a product.
    AccessPolicy ("access policy") { Auto = "auto", Owner = "owner" }
    /// The life of a product.
    ProductState ("product state") { Draft = "draft", Published = "published", Retired = "retired" }
    /// Where a consumer reads.
    Mode ("mode") { /** The producer's files, through the share. */ Live = "live", /** A clone in the consumer's region. */ Replica = "replica" }
    /// The life of a request. Every state but `submitted` is final.
    RequestState ("request state") { Submitted = "submitted", Approved = "approved", Rejected = "rejected", Withdrawn = "withdrawn" }
    /// What somebody said of a request.
    Verdict ("verdict") { Approve = "approve", Reject = "reject" }
    /// In which capacity somebody decides.
    Stage ("stage") { Owner = "owner", DataProtection = "data_protection", /** By the product's `auto` policy. */ Policy = "policy", /** By a declaration. */ Declared = "declared" }
    /// What people want of a grant.
    GrantDesired ("desired state") { Active = "active", Ended = "ended" }
    /// What the reconciler saw of a grant; nobody else writes it.
    GrantActual ("actual state") { Pending = "pending", Provisioning = "provisioning", /** Verified by looking. */ Active = "active", /** Was to be active, but looking showed otherwise. */ Failed = "failed", Ended = "ended" }
    /// The life of a replica.
    ReplicaState ("replica state") { Pending = "pending", Ready = "ready", /** Unreadable, still vacuumed, deleted when its time is over. */ Draining = "draining", /** Of one of its tables: the folder is being emptied. */ Erasing = "erasing", Deleted = "deleted", /** Somebody else wrote into it. */ Diverged = "diverged" }
    /// The steps of a sync run.
    RunState ("run state") { Planned = "planned", Copying = "copying", Committing = "committing", Verifying = "verifying", Done = "done", /** Waits for a person. */ Parked = "parked", Failed = "failed" }
    /// What a sync run was for.
    RunKind ("run kind") { Sync = "sync", Vacuum = "vacuum", /** Of levels that look at the data. */ Verify = "verify" }
    /// What the runs of a sync job fetch of files that the source has rewritten.
    Fetches ("what is fetched") { /** The files. */ Files = "files", /** What the change feed says of their rows, where that is less. */ Changes = "changes", /** And nothing for what was only compacted. */ Least = "least" }
    /// What one commit of a replica brings.
    Commits ("commits of a replica") { /** All that the source has committed since the last run. */ Run = "run", /** One version of the source, with its change feed, as long as the source still has it. */ Each = "each" }
    /// How the bytes of a meter event were found out.
    Method ("method") { /** Counted by us. */ Measured = "measured", /** From the store's access log. */ Logged = "logged", /** Size of what was handed out: an estimate. */ Signed = "signed", Estimated = "estimated" }
    /// What the bytes were moved for.
    Purpose ("purpose") { Sync = "sync", Gateway = "gateway", Query = "query", Inspect = "inspect", Verify = "verify", Vacuum = "vacuum" }
    /// Who pays for a product's legs.
    Payer ("payer") { /** The upstream producer. */ Producer = "producer", Consumer = "consumer" }
    /// The life of a statement.
    StatementState ("statement state") { Open = "open", Issued = "issued" }
    /// How far a replica has come with forgetting.
    ErasureState ("state of an erasure") { /** For a sync, or for the time when the objects may go. */ Waiting = "waiting", /** Everything is gone, and was looked for. */ Proven = "proven", /** It is said why. */ NotProvable = "not_provable" }
    /// What the advisor recommends of a product in one place.
    AdviceKind ("kind of advice") { /** Read a replica there. */ Replica = "replica", /** Read the producer's files. */ Live = "live", /** Sync less often. */ Cadence = "cadence", /** Let runs fetch the change feed. */ ChangeFeed = "change_feed", /** Leave the source's compactions alone, or make fewer of them. */ Compaction = "compaction" }
    /// The life of a recommendation.
    AdviceState ("state of advice") { Open = "open", /** Somebody acted on it; what came of it is measured. */ Accepted = "accepted", /** Until a day. */ Snoozed = "snoozed", /** With a reason. */ Declined = "declined", /** What it rested on is no longer so. */ Over = "over" }
    /// What people are told by mail; each can turn off what they do not want.
    NoticeKind ("kind of notice") { /** Somebody asks for what one decides on. */ RequestWaiting = "request_waiting", /** What one asked for was decided. */ RequestDecided = "request_decided", /** An access of one's team was seen to work. */ AccessVerified = "access_verified", /** An access of one's team ends soon. */ AccessEnding = "access_ending", /** A replica of one's product cannot be synced, or can again; or the product cannot be read. */ SyncFailing = "sync_failing", /** A replica is later than its schedule promises, or in time again. */ Freshness = "freshness", /** Most of the bytes that an access hands out in a day are gone. */ LiveQuota = "live_quota" }
    /// What happened to a product, as its history tells it.
    ProductEventKind ("event of a product") { Registered = "registered", Changed = "changed", Published = "published", Retired = "retired", /** A table came to a new version. */ Version = "version", AccessGiven = "access_given", AccessEnded = "access_ended" }
    /// What happened, as the webhook calls it.
    NoticeEvent ("event") { RequestSubmitted = "request.submitted", RequestApproved = "request.approved", RequestRejected = "request.rejected", AccessVerified = "access.verified", AccessEnding = "access.ending", /** A recipient's credential was found where it should not be, and revoked. */ TokenLeaked = "token.leaked", SyncFailing = "sync.failing", SyncMended = "sync.mended", FreshnessBroken = "freshness.broken", FreshnessMended = "freshness.mended", QuotaNearing = "quota.nearing", /** What recipients read of a product cannot be read any more. */ AccessBroken = "access.broken", /** Somebody tries whether telling works. */ Test = "test" }
}

impl NoticeEvent {
    /// Whether who has turned its kind off is spared it.
    pub const fn can_be_muted(self) -> bool {
        !matches!(self, Self::TokenLeaked)
    }

    /// What people choose by; a test has none.
    pub const fn kind(self) -> Option<NoticeKind> {
        Some(match self {
            Self::RequestSubmitted => NoticeKind::RequestWaiting,
            Self::RequestApproved | Self::RequestRejected => NoticeKind::RequestDecided,
            Self::AccessVerified => NoticeKind::AccessVerified,
            // A leak ends an access, too. Who has turned the kind off is told of it all the same.
            Self::AccessEnding | Self::TokenLeaked => NoticeKind::AccessEnding,
            Self::SyncFailing | Self::SyncMended | Self::AccessBroken => NoticeKind::SyncFailing,
            Self::FreshnessBroken | Self::FreshnessMended => NoticeKind::Freshness,
            Self::QuotaNearing => NoticeKind::LiveQuota,
            Self::Test => return None,
        })
    }
}
