//! States and choices of the model in the portal's words: the one place that says what they are called.

use leptos::prelude::*;
use model::Classification;
use model::Cloud;
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
        MyAccess::None => ("No access yet", Tone::Plain),
        MyAccess::Pending => ("Under way", Tone::Warn),
        MyAccess::Active => ("You have access", Tone::Good),
    }
}

pub const fn request(state: RequestState) -> Said {
    match state {
        RequestState::Submitted => ("Waits for a decision", Tone::Warn),
        RequestState::Approved => ("Approved", Tone::Good),
        RequestState::Rejected => ("Rejected", Tone::Bad),
        RequestState::Withdrawn => ("Withdrawn", Tone::Plain),
    }
}

/// What people want and what was seen, in one word. "Active" is said only of what was verified.
pub fn grant(grant: &Grant) -> Said {
    match (grant.desired, grant.actual) {
        (_, GrantActual::Ended) => ("Ended", Tone::Plain),
        (GrantDesired::Ended, _) => ("Ending", Tone::Warn),
        (GrantDesired::Active, GrantActual::Active) if grant.verified_at.is_some() => {
            ("Active", Tone::Good)
        }
        (GrantDesired::Active, GrantActual::Failed) => ("Not working", Tone::Bad),
        (GrantDesired::Active, _) => ("Being set up", Tone::Warn),
    }
}

pub const fn classification(classification: Classification) -> Said {
    match classification {
        Classification::Public => ("Public", Tone::Good),
        Classification::Internal => ("Internal", Tone::Plain),
        Classification::Personal => ("Personal data", Tone::Warn),
    }
}

pub const fn product(state: ProductState) -> Said {
    match state {
        ProductState::Draft => ("Draft", Tone::Warn),
        ProductState::Published => ("Published", Tone::Good),
        ProductState::Retired => ("Retired", Tone::Bad),
    }
}

pub const fn replica(state: ReplicaState) -> Said {
    match state {
        ReplicaState::Pending => ("First copy under way", Tone::Warn),
        ReplicaState::Ready => ("Ready", Tone::Good),
        ReplicaState::Draining => ("Draining", Tone::Warn),
        ReplicaState::Deleted => ("Deleted", Tone::Plain),
        ReplicaState::Diverged => ("Diverged", Tone::Bad),
        ReplicaState::Erasing => ("Being erased", Tone::Warn),
    }
}

pub const fn run(state: RunState) -> Said {
    match state {
        RunState::Planned => ("Planned", Tone::Plain),
        RunState::Copying => ("Copying", Tone::Warn),
        RunState::Committing => ("Committing", Tone::Warn),
        RunState::Verifying => ("Verifying", Tone::Warn),
        RunState::Done => ("Done", Tone::Good),
        RunState::Parked => ("Parked", Tone::Bad),
        RunState::Failed => ("Failed", Tone::Bad),
    }
}

pub const fn run_kind(kind: RunKind) -> &'static str {
    match kind {
        RunKind::Sync => "Sync",
        RunKind::Vacuum => "Vacuum",
    }
}

pub const fn verdict(verdict: Verdict) -> Said {
    match verdict {
        Verdict::Approve => ("Approved", Tone::Good),
        Verdict::Reject => ("Rejected", Tone::Bad),
    }
}

pub const fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Live => "Live",
        Mode::Replica => "Replica",
    }
}

pub const fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Owner => "the owning team",
        Stage::DataProtection => "a data-protection officer",
        Stage::Policy => "the product’s policy, at once",
        Stage::Declared => "the declaration",
    }
}

pub const fn method(method: Method) -> &'static str {
    match method {
        Method::Measured => "measured",
        Method::Logged => "from the store’s log",
        Method::Signed => "handed out, an estimate",
        Method::Estimated => "estimated",
    }
}

pub const fn cloud(cloud: Cloud) -> &'static str {
    match cloud {
        Cloud::Aws => "AWS",
        Cloud::Azure => "Azure",
        Cloud::Gcp => "Google Cloud",
        Cloud::Onprem => "On premises",
    }
}

pub const fn role(role: Role) -> &'static str {
    match role {
        Role::Admin => "Administrator",
        Role::Auditor => "Auditor",
        Role::Finance => "Finance",
        Role::DataProtection => "Data protection",
    }
}

pub const fn member(role: MemberRole) -> &'static str {
    match role {
        MemberRole::Consumer => "Consumer",
        MemberRole::Producer => "Producer",
    }
}

pub const fn check(outcome: CheckOutcome) -> Said {
    match outcome {
        CheckOutcome::Ok => ("Fine", Tone::Good),
        CheckOutcome::Warned => ("To be put right", Tone::Warn),
        CheckOutcome::Failed => ("Failed", Tone::Bad),
        CheckOutcome::Skipped => ("Not tried", Tone::Plain),
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
