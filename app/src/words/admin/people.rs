//! The pages of accounts: who may sign in, and what they may do.

use std::fmt::Display;

// All accounts.
pub(crate) const WHAT_AN_ADMINISTRATOR_DOES: &str =
    "People, teams, storages, prices and jobs; sees everything, decides on nothing.";
pub(crate) const WHAT_AN_AUDITOR_DOES: &str = "Sees everything and the audit log; changes nothing.";
pub(crate) const WHAT_FINANCE_DOES: &str = "Prices and statements, also issuing them.";
pub(crate) const WHAT_DATA_PROTECTION_DOES: &str =
    "Decides on requests for personal data, beside its owner.";
pub(crate) const PEOPLE: &str = "People";
pub(crate) const WHAT_ACCOUNTS_ARE: &str =
    "Who may sign in, and what they may do beside what their teams let them.";
pub(crate) const NOBODY_FURTHER: &str = "Nobody further";
pub(crate) const NO_MORE_ACCOUNTS: &str = "There are no more accounts behind those you have seen.";
pub(crate) const NAME: &str = "Name";
pub(crate) const E_MAIL: &str = "E-mail";
pub(crate) const ROLES: &str = "Roles";
pub(crate) const STATE: &str = "State";
pub(crate) const DEACTIVATED: &str = "Deactivated";
pub(crate) const ACTIVE: &str = "Active";
pub(crate) const ROLES_IN_THE_ORGANISATION: &str = "Roles in the organisation";
pub(crate) const MAKE_AN_ACCOUNT: &str = "Make an account";
pub(crate) const NAME_TO_SIGN_IN_WITH: &str = "Name to sign in with";
pub(crate) const NAME_HINT: &str = "Lower case, for example mara. It stays.";
pub(crate) const NAME_FOR_OTHERS_TO_READ: &str = "Name for others to read";
pub(crate) const NAME_FOR_OTHERS_HINT: &str = "For example Mara Lindqvist.";
pub(crate) const FIRST_PASSWORD: &str = "First password";
pub(crate) const FIRST_PASSWORD_HINT: &str = "At least 10 characters; empty to set one later. Tell it in person: it can be changed under “Your account”.";
pub(crate) const MAKE_THE_ACCOUNT: &str = "Make the account";

// One account.
pub(crate) const WHO_IT_IS: &str = "Who it is";
pub(crate) const WHAT_IT_MAY_DO: &str = "What it may do";
pub(crate) const HOW_IT_GETS_IN: &str = "How it gets in";
pub(crate) const WHETHER_IT_GETS_IN: &str = "Whether it gets in";
pub(crate) const SIGNS_IN_AS: &str = "Signs in as";
pub(crate) const NONE: &str = "none";
pub(crate) const CHANGE_THE_ACCOUNT: &str = "Change the account";
pub(crate) const MEMBERSHIP_IS_SET_ON_THE: &str = "What somebody may do for a team is set on the ";
pub(crate) const TEAMS_PAGE: &str = "team’s page";
pub(crate) const SET_THE_ROLES: &str = "Set the roles";
pub(crate) const CHANGE_YOUR_PASSWORD_UNDER: &str = "This is you: change your password under ";
pub(crate) const YOUR_ACCOUNT: &str = "Your account";
pub(crate) const SET_A_PASSWORD: &str = "Set a password";
pub(crate) const WHAT_SETTING_A_PASSWORD_DOES: &str = "The first one, or a new one for somebody who forgot theirs. It ends all sessions of this account.";
pub(crate) const NEW_PASSWORD: &str = "New password";
pub(crate) const NEW_PASSWORD_HINT: &str =
    "At least 10 characters. Tell it in person: it can be changed under “Your account”.";
pub(crate) const SET_THE_PASSWORD: &str = "Set the password";
pub(crate) const WHAT_DEACTIVATED_MEANS: &str =
    "Nobody can sign in to this account, and its tokens are refused.";
pub(crate) const DEACTIVATE_THE_ACCOUNT: &str = "Deactivate the account";
pub(crate) const WHAT_DEACTIVATING_DOES: &str = "It is signed out everywhere at once, and its tokens are refused. What it did stays, and you can activate it again.";

pub(crate) fn activate_again(name: &dyn Display) -> String {
    format!("Activate {name} again")
}

pub(crate) fn deactivate(name: &dyn Display) -> String {
    format!("Deactivate {name}")
}
