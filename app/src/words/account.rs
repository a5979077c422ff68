//! The pages of one’s own account: password, tokens, mail.

use std::fmt::Display;

// Who you are, and your password.
pub(crate) const YOUR_ACCOUNT: &str = "Your account";
pub(crate) const ACCOUNT: &str = "Account";
pub(crate) const TOKENS: &str = "Tokens";
pub(crate) const MAIL: &str = "Mail";
pub(crate) const NO_ROLES_BUT_OF_TEAMS: &str = "none: what you may do comes from your teams";
pub(crate) const NAME: &str = "Name";
pub(crate) const SIGNS_IN_AS: &str = "Signs in as";
pub(crate) const ROLES: &str = "Roles";
pub(crate) const YOUR_TEAMS: &str = "Your teams";
pub(crate) const NO_TEAM_YET: &str = "You belong to no team yet";
pub(crate) const WHO_ADDS_YOU_TO_A_TEAM: &str =
    "Access is given to teams. Ask an administrator, or a producer of yours, to add you.";
pub(crate) const PASSWORD: &str = "Password";
pub(crate) const NO_PASSWORD_HERE_YET: &str = "An account that came by the company account has no password here until an administrator sets one.";
pub(crate) const CURRENT_PASSWORD: &str = "Current password";
pub(crate) const NEW_PASSWORD: &str = "New password";
pub(crate) const NEW_PASSWORD_HINT: &str =
    "At least 10 characters. You are signed out everywhere else.";
pub(crate) const NEW_PASSWORD_AGAIN: &str = "New password again";
pub(crate) const CHANGE_THE_PASSWORD: &str = "Change the password";

// Tokens.
pub(crate) const YOUR_TOKENS: &str = "Your tokens";
pub(crate) const WHAT_TOKENS_ARE_FOR: &str = "A program that calls the REST interface or the command line signs in with a token instead of your password.";
pub(crate) const COPY_IT_NOW: &str = "Copy it now";
pub(crate) const TOKEN_IS_SHOWN_ONCE: &str =
    "This is the only time that the token is shown. Keep it like a password.";
pub(crate) const THE_NEW_TOKEN: &str = "The new token";
pub(crate) const COMMAND_LINE_TAKES_IT_FROM: &str = "The command line takes it from ";
pub(crate) const REST_INTERFACE_TAKES_IT_AS: &str = ", the REST interface as ";
pub(crate) const NO_TOKEN_YET: &str = "No token yet";
pub(crate) const ONE_TOKEN_FOR_EACH_PROGRAM: &str =
    "Make one for each program, so that each can be ended alone.";
pub(crate) const TOKEN: &str = "Token";
pub(crate) const ACTS_AS: &str = "Acts as";
pub(crate) const MADE: &str = "Made";
pub(crate) const STATE: &str = "State";
pub(crate) const WHAT_TO_DO: &str = "What to do";
pub(crate) const YOU: &str = "you";
pub(crate) const REVOKED: &str = "Revoked";
pub(crate) const OVER: &str = "Over";
pub(crate) const LIVES: &str = "Lives";
pub(crate) const UNTIL: &str = "until ";
pub(crate) const ENDS_IN: &str = "ends in ";
pub(crate) const REVOKE: &str = "Revoke";
pub(crate) const WHAT_REVOKING_DOES: &str =
    "Whatever uses it is refused at once. It cannot be had back; you can make another.";
pub(crate) const YOU_WITH_ALL_YOU_MAY_DO: &str = "You, with all that you may do";
pub(crate) const MAKE_A_TOKEN: &str = "Make a token";
pub(crate) const WHAT_IT_IS_FOR: &str = "What it is for";
pub(crate) const PURPOSE_HINT: &str = "For example nightly report.";
pub(crate) const ACTS_AS_HINT: &str = "Give it no more than it needs.";
pub(crate) const DAYS_UNTIL_IT_ENDS: &str = "Days until it ends";
pub(crate) const MAKE_THE_TOKEN: &str = "Make the token";

pub(crate) fn role_in_team(role: &dyn Display, team: &dyn Display) -> String {
    format!("{role} of {team}")
}

pub(crate) fn revoke_by_name(name: &dyn Display) -> String {
    format!("Revoke {name}")
}

pub(crate) fn write_to_confirm(name: &dyn Display) -> String {
    format!("Write {name} to confirm")
}

// Mail.
pub(crate) const MAIL_TO_YOU: &str = "Mail to you";
pub(crate) const WHAT_MAIL_TELLS: &str =
    "You are told of what is your work, once each. Turn off what you do not want.";
pub(crate) const NO_MAIL_IS_SENT_YET: &str =
    "This installation sends no mail yet. What you choose holds once it does.";
pub(crate) const ACCOUNT_HAS_NO_ADDRESS: &str =
    "Your account has no address, so you get no mail. An admin can enter one.";
pub(crate) const MAIL_ME: &str = "Mail me";
pub(crate) const NO_MAIL: &str = "No mail";
pub(crate) const KEEP: &str = "Keep";

pub(crate) fn mail_goes_to(address: &dyn Display) -> String {
    format!("Mail goes to {address}.")
}
