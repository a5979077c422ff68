//! What the page says that a link to a profile leads to.

use std::fmt::Display;

pub(crate) const YOUR_PROFILE: &str = "Your profile";

// Without a link.
pub(crate) const OPEN_THE_LINK: &str = "Open the link that you were sent";
pub(crate) const WHERE_IT_LEADS: &str = "It leads here and gives you a profile to read with. Copy all of it: some programs break long links.";

// With one that gives nothing.
pub(crate) const NOT_FROM_HERE: &str = "Not from here";
pub(crate) const WAS_USED: &str = "The profile was downloaded with this link already. If that was not you, tell whoever sent it at once: they can revoke the credential.";
pub(crate) const WAS_TAKEN_BACK: &str =
    "This link was taken back, or another one was made after it.";
pub(crate) const TIME_IS_OVER: &str = "The time of this link is over.";
pub(crate) const GIVES_NOTHING: &str = "This link gives nothing any more";
pub(crate) const ASK_FOR_ANOTHER: &str = "Ask whoever sent it for another one.";

// With one that is open.
pub(crate) const YOUR_PROFILE_FOR: &str = "Your profile for ";
pub(crate) const KEEP_IT_LIKE_A_PASSWORD: &str = "It can be downloaded once. It holds the only copy of a credential: keep it like a password, and put it where the machines find it and nobody else does.";
pub(crate) const DOWNLOAD_THE_PROFILE: &str = "Download the profile";
pub(crate) const GOOD_UNTIL_USED: &str = "The link is good until it is used; it ends ";

pub(crate) fn what_it_is_for(team: &dyn Display) -> String {
    format!("With this file the machines of the team {team} read what was granted to them.")
}
