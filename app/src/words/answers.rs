//! What a form answers: the notice that what was asked for is done, and what was wrong with a field.

use std::fmt::Display;

use crate::words::plural;

// Recipients, requests, decisions, ends.
pub(crate) const THE_REQUEST_IS_SENT: &str = "The request is sent.";
pub(crate) const THE_REQUEST_IS_WITHDRAWN: &str = "The request is withdrawn.";

pub(crate) fn recipient_is_made(recipient: &dyn Display) -> String {
    format!("The recipient {recipient} is made.")
}

pub(crate) fn credential_is_revoked(recipient: &dyn Display) -> String {
    format!("The credential of {recipient} is revoked. Download a new profile when you need one.")
}

pub(crate) fn approved(recipient: &dyn Display, product: &dyn Display) -> String {
    format!("Approved: {recipient} gets {product}. It is set up and checked by itself.")
}

pub(crate) fn rejected(recipient: &dyn Display, product: &dyn Display) -> String {
    format!("Rejected: {recipient} does not get {product}.")
}

pub(crate) fn waits_for_one_more_decision(
    product: &dyn Display,
    recipient: &dyn Display,
) -> String {
    format!("Noted. {product} for {recipient} waits for one more decision.")
}

pub(crate) fn access_has_ended(recipient: &dyn Display, product: &dyn Display) -> String {
    format!("The access of {recipient} to {product} has ended.")
}

pub(crate) fn links_may_work_until(ended: &dyn Display, until: &dyn Display) -> String {
    format!("{ended} Links that were handed out already may work until {until}.")
}

/// Of a grant's bytes a day.
pub(crate) const LIMIT_IS_KEPT: &str = "Kept. It holds from the next answer on.";

// Ways in besides a profile, and limits.
/// Of requests per minute, as a field's error.
pub(crate) const A_NUMBER_OR_NOTHING: &str = "a number from 1 on, or nothing";

pub(crate) fn limits_are_changed(recipient: &dyn Display) -> String {
    format!("What limits {recipient} is changed.")
}

pub(crate) fn tokens_let_in(recipient: &dyn Display) -> String {
    format!("Its platform’s tokens let {recipient} in.")
}

pub(crate) fn tokens_let_in_no_more(recipient: &dyn Display) -> String {
    format!("No platform’s tokens let {recipient} in any more.")
}

pub(crate) fn link_gives_nothing(recipient: &dyn Display) -> String {
    format!("The link for {recipient} gives nothing any more.")
}

// The audit log's chain and the workers' queue.
pub(crate) const WORK_IS_TRIED_AGAIN: &str = "It is tried again now.";

pub(crate) fn chain_is_whole(rows: &dyn Display, hash: &dyn Display) -> String {
    format!("The chain is whole: {rows} rows, and the last one’s hash is {hash}.")
}

pub(crate) fn chain_is_broken(row: &dyn Display, why: &dyn Display) -> String {
    format!(
        "The chain is broken at row {row}: {why}. Keep a copy of the database as it is, and find out who could write to it."
    )
}

// Statements and prices.
pub(crate) const THE_STATEMENT_IS_ISSUED: &str = "The statement is issued.";

pub(crate) fn price_of_kind_is_added(kind: &dyn Display) -> String {
    format!("The price of {kind} is added.")
}

pub(crate) fn price_of_route_is_added(from: &dyn Display, to: &dyn Display) -> String {
    format!("The price from {from} to {to} is added.")
}

// Products.
pub(crate) const THE_PRODUCT_IS_CHANGED: &str = "The product is changed.";
pub(crate) const THE_PRODUCT_IS_PUBLISHED: &str = "The product is published.";
pub(crate) const THE_PRODUCT_IS_RETIRED: &str = "The product is retired.";

// Registering and declaring.
pub(crate) const NO_SUCH_STORAGE: &str = "There is no such storage.";
/// Of a kind of work, as a field's error.
pub(crate) const NO_SUCH_WORK: &str = "there is no such work";
pub(crate) const NO_SUCH_TEAM: &str = "There is no such team.";
pub(crate) const CHOOSE_A_CLASSIFICATION: &str = "choose one: nobody else knows whose data this is";
pub(crate) const NO_TABLE_THERE: &str = "There is no table there.";
pub(crate) const CANNOT_BE_PUBLISHED: &str = "It cannot be published like this: the list says why.";
pub(crate) const LIVE_ALREADY: &str = "All of it is live already.";
pub(crate) const WHAT_PUBLISHING_DOES: &str =
    "This is what publishing it does. Nothing has changed yet.";
pub(crate) const DECLARED_IN_THE_PORTAL: &str = "the portal";
pub(crate) const IS_AS_DECLARED: &str = "It is as declared.";

pub(crate) fn name_begins_with_domain(domain: &dyn Display) -> String {
    format!("It begins with the domain of the owning team: {domain}-…")
}

pub(crate) fn tables_found(tables: u64) -> String {
    let tables = plural(tables, "table", "tables");
    format!("Found: {tables}. Describe what it is below.")
}

pub(crate) fn tables_found_of_which_usable(tables: u64, usable: &dyn Display) -> String {
    let tables = plural(tables, "table", "tables");
    format!(
        "Found: {tables}, of which {usable} can be registered. The others stand below as comments, each with its reason."
    )
}

// What is confirmed by its name.

pub(crate) fn write_to_confirm(name: &dyn Display) -> String {
    format!("write {name} here to confirm")
}

// Mail.
pub(crate) const MAIL_SETTINGS_ARE_KEPT: &str = "Kept. It holds from the next mail on.";

// Domains, teams and who belongs to them.
pub(crate) const NOBODY_SIGNS_IN_WITH_THAT_NAME: &str =
    "nobody signs in with that name; an administrator makes accounts";

pub(crate) fn domain_is_made(domain: &dyn Display) -> String {
    format!("The domain {domain} is made.")
}

pub(crate) fn domain_is_changed(domain: &dyn Display) -> String {
    format!("The domain {domain} is changed.")
}

pub(crate) fn team_is_made(team: &dyn Display) -> String {
    format!("The team {team} is made. Say who belongs to it.")
}

pub(crate) fn team_is_changed(team: &dyn Display) -> String {
    format!("The team {team} is changed.")
}

pub(crate) fn is_member(person: &dyn Display, role: &dyn Display, team: &dyn Display) -> String {
    format!("{person} is a {role} of {team}.")
}

pub(crate) fn is_no_member_any_more(person: &dyn Display, team: &dyn Display) -> String {
    format!("{person} belongs to {team} no more.")
}

// People and their tokens.
pub(crate) const TOKEN_IS_REVOKED: &str = "The token is revoked: it is refused from now on.";

pub(crate) fn account_is_made(account: &dyn Display) -> String {
    format!("The account {account} is made.")
}

pub(crate) fn account_is_made_without_password(account: &dyn Display) -> String {
    format!("The account {account} is made. Nobody can sign in to it until you set a password.")
}

pub(crate) fn is_deactivated(name: &dyn Display) -> String {
    format!("{name} is deactivated and signed out everywhere. You can activate it again.")
}

pub(crate) fn is_active_again(name: &dyn Display) -> String {
    format!("{name} is active and can sign in again.")
}

pub(crate) fn account_is_changed(name: &dyn Display) -> String {
    format!("The account {name} is changed.")
}

pub(crate) fn roles_are_set(person: &dyn Display) -> String {
    format!("The roles of {person} are set; they hold at once.")
}

pub(crate) fn has_a_new_password(person: &dyn Display) -> String {
    format!("{person} has a new password and is signed out everywhere.")
}

// Replicas and their schedules.
pub(crate) const A_SYNC: &str = "A sync";
pub(crate) const A_CHECK: &str = "A check";
pub(crate) const A_VACUUM: &str = "A vacuum";
pub(crate) const SCHEDULE_IS_PAUSED: &str =
    "The schedule is paused. Until you resume it, the replica is synced by hand only.";
pub(crate) const THE_SCHEDULE_GOES_ON: &str = "The schedule goes on.";
pub(crate) const THE_SCHEDULE_IS_CHANGED: &str = "The schedule is changed.";

pub(crate) fn work_is_asked_for(
    what: &dyn Display,
    product: &dyn Display,
    storage: &dyn Display,
) -> String {
    format!("{what} of {product} in {storage} is asked for; a worker takes it up.")
}

// Storages.
pub(crate) const ONE_KIND_OF_CREDENTIAL_ONLY: &str =
    "fill in one kind only: keys of one cloud, or the name of a variable";

pub(crate) fn storage_is_made(storage: &dyn Display) -> String {
    format!("The storage {storage} is made. Let the doctor look at it.")
}

pub(crate) fn storage_is_changed(storage: &dyn Display) -> String {
    format!("The storage {storage} is changed. Let the doctor look at it again.")
}

pub(crate) fn doctor_has_looked(storage: &dyn Display) -> String {
    format!("The doctor has looked at {storage}.")
}
