//! The page of recipients.

use std::fmt::Display;

use crate::words::plural;

// The recipients.
pub(crate) const RECIPIENTS: &str = "Recipients";
pub(crate) const WHAT_RECIPIENTS_ARE: &str = "The machines that read, each of one team in one place: with which credential, and what they were granted.";
pub(crate) const NO_RECIPIENT_YET: &str = "No recipient yet";
pub(crate) const WHEN_A_RECIPIENT_IS_MADE: &str =
    "A team makes one on the way to its first request.";
pub(crate) const OPEN_THE_CATALOG: &str = "Open the catalog";
pub(crate) const RECIPIENT: &str = "Recipient";
pub(crate) const WHERE: &str = "Where";
pub(crate) const CREDENTIAL: &str = "Credential";
pub(crate) const MAY_READ: &str = "May read";
pub(crate) const REVOKED: &str = "Revoked";
pub(crate) const OVER: &str = "Over";
pub(crate) const ENDS_SOON: &str = "Ends soon";
pub(crate) const LIVES: &str = "Lives";
pub(crate) const NOT_DOWNLOADED_YET: &str = "Not downloaded yet";
pub(crate) const SINCE: &str = "since ";
pub(crate) const UNTIL: &str = "until ";
pub(crate) const CREDENTIAL_ENDS_IN: &str = ", ends in ";
pub(crate) const REVOKE: &str = "Revoke";
pub(crate) const WHAT_REVOKING_DOES: &str =
    "Everybody who uses it is refused at once. The team downloads a new profile when it needs one.";
pub(crate) const NOTHING: &str = "Nothing";
pub(crate) const OLDER_ONES_ARE_LEFT_OUT: &str = "Older ones are left out.";
pub(crate) const READS_UNTIL: &str = " until ";

pub(crate) fn revoke_credential_of(recipient: &dyn Display) -> String {
    format!("Revoke the credential of {recipient}")
}

pub(crate) fn write_to_confirm(recipient: &dyn Display) -> String {
    format!("Write {recipient} to confirm")
}

pub(crate) fn accesses_have_ended(count: u64) -> String {
    plural(count, "access has ended", "have ended")
}
