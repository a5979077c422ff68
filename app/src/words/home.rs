//! What the home page says: to who is signed in what waits, what broke and what it cost; to others what the exchange is.

use std::fmt::Display;

// The desk.
pub(crate) const HOME: &str = "Home";
pub(crate) const YOUR_DESK: &str = "Your desk";
pub(crate) const WELCOME: &str = "Welcome, ";
pub(crate) const YOU_BELONG_TO_NO_TEAM: &str = "You belong to no team yet, so there is nothing to see. Everything here is owned by teams: ask an administrator to add you to yours.";
pub(crate) const FIND_DATA: &str = "Find data";
pub(crate) const EVERYTHING_PUBLISHED: &str =
    "Everything that is published, with your access and how fresh it is.";
pub(crate) const OPEN_THE_CATALOG: &str = "Open the catalog";

// Decisions.
pub(crate) const WAITS_FOR_YOUR_DECISION: &str = "Waits for your decision";
pub(crate) const NOTHING_AT_THE_MOMENT: &str = "Nothing at the moment.";
pub(crate) const MORE_IN_THE_INBOX: &str = "These have waited longest; more stand in the inbox.";
pub(crate) const OPEN_THE_INBOX: &str = "Open the inbox";

// Access.
pub(crate) const YOUR_ACCESS: &str = "Your access";
pub(crate) const YOUR_TEAMS_READ_NOTHING: &str = "Your teams read nothing yet.";
pub(crate) const ENDS: &str = "ends ";
pub(crate) const ONLY_LATEST_COUNTED: &str =
    "Only the latest accesses that you see are counted; my access has all of your teams.";
pub(crate) const OPEN_MY_ACCESS: &str = "Open my access";

pub(crate) fn all_work(all: usize) -> String {
    format!("All {all} work.")
}

pub(crate) fn so_many_work(works: usize, all: usize) -> String {
    format!("{works} of {all} work.")
}

// Replicas.
pub(crate) const REPLICAS: &str = "Replicas";
pub(crate) const IT_FOLLOWS: &str = "It follows its source.";
pub(crate) const ONLY_OLDEST_COUNTED: &str =
    "Only the oldest are counted; the list has all of them.";
pub(crate) const OPEN_THE_REPLICAS: &str = "Open the replicas";

pub(crate) fn all_follow(all: usize) -> String {
    format!("All {all} follow their sources.")
}

pub(crate) fn so_many_are_late(late: usize, all: usize) -> String {
    format!("{late} of {all} later than promised.")
}

pub(crate) fn so_many_did_not_sync(failing: usize, all: usize) -> String {
    format!("{failing} of {all} did not sync.")
}

// Jobs.
pub(crate) const PARKED: &str = "Parked";
pub(crate) const JOBS_THAT_WAIT: &str = "Jobs that wait for you";
pub(crate) const FAILED_TOO_OFTEN: &str = "They failed too often to be tried again by themselves.";
pub(crate) const OPEN_THE_JOBS: &str = "Open the jobs";

// Costs.
pub(crate) const COSTS_OF: &str = "Costs of ";
pub(crate) const OPEN_THE_COSTS: &str = "Open the costs";

/// `12.40 USD in 2026-05`.
pub(crate) fn total_in(total: &dyn Display, month: &dyn Display) -> String {
    format!("{total} in {month}")
}

// Teams and roles, and what one may do with each.
pub(crate) const YOUR_TEAMS: &str = "Your teams";
pub(crate) const YOUR_ROLES: &str = "Your roles in the organisation";
pub(crate) const CONSUMER: &str = "Consumer";
pub(crate) const A_CONSUMER_MAY: &str =
    "Find data products and ask for access in this team’s name.";
pub(crate) const PRODUCER: &str = "Producer";
pub(crate) const A_PRODUCER_MAY: &str =
    "Ask in this team’s name, register its tables as products and decide who gets access.";
pub(crate) const DATA_PROTECTION: &str = "Data protection";
pub(crate) const DATA_PROTECTION_MAY: &str =
    "Decide, together with the owner, on requests for personal data.";
pub(crate) const FINANCE: &str = "Finance";
pub(crate) const FINANCE_MAY: &str =
    "Set the prices of routes, see every team’s costs and issue statements.";
pub(crate) const AUDITOR: &str = "Auditor";
pub(crate) const AN_AUDITOR_MAY: &str =
    "Read the audit trail and check that nobody has altered it.";
pub(crate) const ADMINISTRATOR: &str = "Administrator";
pub(crate) const AN_ADMINISTRATOR_MAY: &str = "Manage people, teams, domains and storages.";

// To strangers.
pub(crate) const A_DATA_EXCHANGE: &str = "A data exchange";
pub(crate) const LANDED_ONCE: &str = "Landed once,";
pub(crate) const READ_BY_EVERYBODY: &str = "read by everybody";
pub(crate) const WHAT_THE_EXCHANGE_IS: &str = "Data products of the whole company, found in one place. Ask for access, and what you were granted arrives in your own cloud, checked, kept fresh, and crossing each border once.";
pub(crate) const HOW_IT_WORKS: &str = "How it works";
pub(crate) const FIND: &str = "Find";
pub(crate) const HOW_TO_FIND: &str = "Search by words, columns, domain, cloud or region. Each product says whose it is and how fresh.";
pub(crate) const ASK: &str = "Ask";
pub(crate) const HOW_TO_ASK: &str = "Say what for and until when. Before you ask you see what it costs: read live, or as a copy near you.";
pub(crate) const READ: &str = "Read";
pub(crate) const HOW_TO_READ: &str = "Once the owner agrees, the rest is automatic. Any Delta Sharing client reads it; nobody mails files.";
