//! States and choices of the model in the portal's words: the one place that says what they are called.

use leptos::prelude::*;
use model::AdviceState;
use model::Classification;
use model::Cloud;
use model::ErasureState;
use model::GrantActual;
use model::GrantDesired;
use model::MemberRole;
use model::Method;
use model::Mode;
use model::ProductState;
use model::ReplicaState;
use model::RequestState;
use model::Role;
use model::RunKind;
use model::RunState;
use model::Stage;
use model::Verdict;
use model::dto::CheckOutcome;
use model::dto::Grant;
use model::dto::MyAccess;

use crate::components::badge::Badge;
use crate::components::flash::Tone;
use crate::words;

/// A word and how it is meant.
pub type Said = (&'static str, Tone);

/// The badge of anything that has a word.
#[component]
pub fn State(said: Said) -> impl IntoView {
    let (word, tone) = said;
    view! { <Badge tone>{word}</Badge> }
}

pub const fn access(access: MyAccess) -> Said {
    match access {
        MyAccess::None => (words::states::NO_ACCESS_YET, Tone::Plain),
        MyAccess::Pending => (words::states::UNDER_WAY, Tone::Warn),
        MyAccess::Active => (words::states::YOU_HAVE_ACCESS, Tone::Good),
    }
}

pub const fn request(state: RequestState) -> Said {
    match state {
        RequestState::Submitted => (words::states::WAITS_FOR_A_DECISION, Tone::Warn),
        RequestState::Approved => (words::states::APPROVED, Tone::Good),
        RequestState::Rejected => (words::states::REJECTED, Tone::Bad),
        RequestState::Withdrawn => (words::states::WITHDRAWN, Tone::Plain),
    }
}

/// What people want and what was seen, in one word. "Active" is said only of what was verified.
pub fn grant(grant: &Grant) -> Said {
    match (grant.desired, grant.actual) {
        (_, GrantActual::Ended) => (words::states::ENDED, Tone::Plain),
        (GrantDesired::Ended, _) => (words::states::ENDING, Tone::Warn),
        (GrantDesired::Active, GrantActual::Active) if grant.verified_at.is_some() => {
            (words::states::ACTIVE, Tone::Good)
        }
        (GrantDesired::Active, GrantActual::Failed) => (words::states::NOT_WORKING, Tone::Bad),
        (GrantDesired::Active, _) => (words::states::BEING_SET_UP, Tone::Warn),
    }
}

pub const fn classification(classification: Classification) -> Said {
    match classification {
        Classification::Public => (words::states::PUBLIC, Tone::Good),
        Classification::Internal => (words::states::INTERNAL, Tone::Plain),
        Classification::Personal => (words::states::PERSONAL_DATA, Tone::Warn),
    }
}

pub const fn product(state: ProductState) -> Said {
    match state {
        ProductState::Draft => (words::states::DRAFT, Tone::Warn),
        ProductState::Published => (words::states::PUBLISHED, Tone::Good),
        ProductState::Retired => (words::states::RETIRED, Tone::Bad),
    }
}

pub const fn replica(state: ReplicaState) -> Said {
    match state {
        ReplicaState::Pending => (words::states::FIRST_COPY_UNDER_WAY, Tone::Warn),
        ReplicaState::Ready => (words::states::READY, Tone::Good),
        ReplicaState::Draining => (words::states::DRAINING, Tone::Warn),
        ReplicaState::Deleted => (words::states::DELETED, Tone::Plain),
        ReplicaState::Diverged => (words::states::DIVERGED, Tone::Bad),
        ReplicaState::Erasing => (words::states::BEING_ERASED, Tone::Warn),
    }
}

pub const fn erasure(state: ErasureState) -> Said {
    match state {
        ErasureState::Waiting => (words::states::UNDER_WAY, Tone::Warn),
        ErasureState::Proven => (words::states::PROVEN, Tone::Good),
        ErasureState::NotProvable => (words::states::NOT_PROVABLE, Tone::Bad),
    }
}

pub const fn advice(state: AdviceState) -> Said {
    match state {
        AdviceState::Open => (words::states::OPEN, Tone::Warn),
        AdviceState::Accepted => (words::states::ACCEPTED, Tone::Good),
        AdviceState::Snoozed => (words::states::PUT_OFF, Tone::Plain),
        AdviceState::Declined => (words::states::DECLINED, Tone::Plain),
        AdviceState::Over => (words::states::OVER, Tone::Plain),
    }
}

pub const fn run(state: RunState) -> Said {
    match state {
        RunState::Planned => (words::states::PLANNED, Tone::Plain),
        RunState::Copying => (words::states::COPYING, Tone::Warn),
        RunState::Committing => (words::states::COMMITTING, Tone::Warn),
        RunState::Verifying => (words::states::VERIFYING, Tone::Warn),
        RunState::Done => (words::states::DONE, Tone::Good),
        RunState::Parked => (words::states::PARKED, Tone::Bad),
        RunState::Failed => (words::states::FAILED, Tone::Bad),
    }
}

pub const fn run_kind(kind: RunKind) -> &'static str {
    match kind {
        RunKind::Sync => words::states::SYNC,
        RunKind::Vacuum => words::states::VACUUM,
        RunKind::Verify => words::states::CHECK,
    }
}

pub const fn verdict(verdict: Verdict) -> Said {
    match verdict {
        Verdict::Approve => (words::states::APPROVED, Tone::Good),
        Verdict::Reject => (words::states::REJECTED, Tone::Bad),
    }
}

pub const fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Live => words::states::LIVE,
        Mode::Replica => words::states::REPLICA,
    }
}

pub const fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Owner => words::states::BY_THE_OWNING_TEAM,
        Stage::DataProtection => words::states::BY_DATA_PROTECTION,
        Stage::Policy => words::states::BY_THE_POLICY,
        Stage::Declared => words::states::BY_THE_DECLARATION,
    }
}

pub const fn method(method: Method) -> &'static str {
    match method {
        Method::Measured => words::states::MEASURED,
        Method::Logged => words::states::LOGGED,
        Method::Signed => words::states::SIGNED,
        Method::Estimated => words::states::ESTIMATED,
    }
}

pub const fn cloud(cloud: Cloud) -> &'static str {
    match cloud {
        Cloud::Aws => words::states::AWS,
        Cloud::Azure => words::states::AZURE,
        Cloud::Gcp => words::states::GOOGLE_CLOUD,
        Cloud::Onprem => words::states::ON_PREMISES,
    }
}

pub const fn role(role: Role) -> &'static str {
    match role {
        Role::Admin => words::states::ADMINISTRATOR,
        Role::Auditor => words::states::AUDITOR,
        Role::Finance => words::states::FINANCE,
        Role::DataProtection => words::states::DATA_PROTECTION,
    }
}

pub const fn member(role: MemberRole) -> &'static str {
    match role {
        MemberRole::Consumer => words::states::CONSUMER,
        MemberRole::Producer => words::states::PRODUCER,
    }
}

pub const fn check(outcome: CheckOutcome) -> Said {
    match outcome {
        CheckOutcome::Ok => (words::states::FINE, Tone::Good),
        CheckOutcome::Warned => (words::states::TO_BE_PUT_RIGHT, Tone::Warn),
        CheckOutcome::Failed => (words::states::FAILED, Tone::Bad),
        CheckOutcome::Skipped => (words::states::NOT_TRIED, Tone::Plain),
    }
}

/// `Azure westeurope`.
pub fn place(at: &model::Location) -> String {
    format!("{} {}", cloud(at.cloud), at.region())
}

#[cfg(test)]
mod tests {
    use model::Timestamp;

    use super::*;

    fn a_grant(desired: GrantDesired, actual: GrantActual, verified: bool) -> Grant {
        let id = "018f3a6e-0000-7000-8000-000000000000";
        Grant {
            id: id.parse().unwrap(),
            name: None,
            request: id.parse().unwrap(),
            product: "vehicle-visits".parse().unwrap(),
            recipient: "rnd_weu".parse().unwrap(),
            team: "rnd".parse().unwrap(),
            location: "azure:westeurope".parse().unwrap(),
            mode: Mode::Live,
            cut: None,
            purpose_code: "warranty".to_owned(),
            purpose_text: "Warranty analysis".to_owned(),
            until: Timestamp::from_micros(1),
            desired,
            actual,
            verified_at: verified.then(Timestamp::default),
            first_read_at: None,
            urls_until: None,
            reason: None,
            ended_at: None,
            ended_reason: None,
            rows: None,
            directory: false,
            may_narrow: false,
            live_bytes_per_day: None,
            live_bytes_today: 0,
            stale_since: None,
            may_revoke: false,
            may_limit: false,
            revision: 1,
        }
    }

    /// Invariant 3: what nobody has looked at is not active.
    #[test]
    fn active_is_what_was_verified() {
        for actual in GrantActual::ALL {
            for verified in [false, true] {
                let word = grant(&a_grant(GrantDesired::Active, *actual, verified)).0;
                let is_seen = *actual == GrantActual::Active && verified;
                assert_eq!(word == "Active", is_seen, "{actual} {verified}");
                let ended = grant(&a_grant(GrantDesired::Ended, *actual, verified)).0;
                assert!(["Ended", "Ending"].contains(&ended), "{actual}: {ended}");
            }
        }
    }

    #[test]
    fn places_read_well() {
        let at = "aws:eu-central-1".parse().unwrap();
        assert_eq!(place(&at), "AWS eu-central-1");
    }
}
