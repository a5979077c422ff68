//! What providers of identities call somebody: told on the own account's page, and on a person's page to admins.

pub(crate) const HEADING: &str = "Company accounts";
pub(crate) const LEAD: &str = "Whom the provider of identities calls by this issuer and this subject signs in to this account.";
pub(crate) const NONE: &str = "No company account leads here.";
pub(crate) const CAPTION: &str = "Company accounts";

pub(crate) const ISSUER: &str = "Issuer";
pub(crate) const SUBJECT: &str = "Subject";
pub(crate) const LINKED: &str = "Linked";
pub(crate) const USED: &str = "Last sign-in";
pub(crate) const TO_DO: &str = "What to do";

pub(crate) const NEVER: &str = "not yet";
pub(crate) const ONLY_WAY: &str = "The only way in: it can go once the account has a password.";
pub(crate) const UNLINK: &str = "Unlink";
pub(crate) const OWN: &str = "It does not sign you in any more. You are signed out everywhere, here too, and come in again by the way that is left.";
pub(crate) const OTHERS: &str =
    "It does not sign anybody in to this account any more. The account is signed out everywhere.";

pub(crate) fn confirm(name: &str) -> String {
    format!("Write {name} to confirm")
}

pub(crate) fn unlink(name: &str) -> String {
    format!("Unlink it from {name}")
}

pub(crate) fn unlinked(name: &str) -> String {
    format!("The company account does not lead to {name} any more.")
}
