//! What my access says of how a recipient gets in besides its profile, and of what limits it.

use std::fmt::Display;

// A link that has just been made.
pub(crate) const THE_LINK: &str = "The link";
pub(crate) const SHOWN_ONCE: &str = "This is the only time that it is shown. Whoever opens it first gets the profile, once: send it to the one who is to have it, and by a way that others do not read.";
pub(crate) const IT_ENDS: &str = "It ends ";
pub(crate) const IF_NOBODY_USES_IT: &str = " if nobody uses it.";

pub(crate) fn send_this_link(recipient: &dyn Display) -> String {
    format!("Send this link for {recipient}")
}

// Links.
pub(crate) const GIVE_TO_SOMEBODY: &str = "Give the profile to somebody without an account";
pub(crate) const A_LINK_WAITS: &str = "A link waits to be opened; it ends ";
pub(crate) const TAKE_THE_LINK_BACK: &str = "Take the link back";
pub(crate) const WHAT_A_LINK_DOES: &str = "Whoever opens it first downloads the profile, once, without an account. It is good for 24 hours; one that waits ends with it.";
pub(crate) const MAKE_A_LINK: &str = "Make a link";

// From where, and how often.
pub(crate) const FROM_WHERE_AND_HOW_OFTEN: &str = "From where, and how often: ";
pub(crate) const FROM_EVERYWHERE: &str = "From everywhere";
pub(crate) const FROM_ONE: &str = "From one address or block";
pub(crate) const FROM_SOME: &str = "From some addresses";
pub(crate) const ADDRESSES: &str = "Addresses that it may be used from";
pub(crate) const ADDRESSES_HINT: &str = "One on each line, version 4 or 6: 192.0.2.7, 192.0.2.0/24, 2001:db8::/32. None: from everywhere. It holds for links to the profile, too.";
pub(crate) const REQUESTS_PER_MINUTE: &str = "Requests per minute";
pub(crate) const REQUESTS_PER_MINUTE_HINT: &str = "Empty: as many as this installation lets any.";
pub(crate) const CHANGE_THE_LIMITS: &str = "Change the limits";

// A platform's own tokens.
pub(crate) const LET_IN_BY_TOKENS: &str = "Let in by a platform’s own tokens: ";
pub(crate) const ON: &str = "on";
pub(crate) const OFF: &str = "off";
/// Before the issuer; the audience, the claim, what it says and since when come after the next ones.
pub(crate) const TOKENS_OF: &str = "Tokens of ";
pub(crate) const FOR_AUDIENCE: &str = " for ";
pub(crate) const IN_WHICH: &str = " in which ";
pub(crate) const CLAIM_IS: &str = " is ";
pub(crate) const LET_IT_IN_SINCE: &str = " let it in, since ";
pub(crate) const LET_NOBODY_IN: &str = "Let nobody in that way";
/// Before the name of a setting.
pub(crate) const NO_OTHER_PLATFORM: &str =
    "This installation takes tokens of no other platform. Its operator can name some, in ";
pub(crate) const ISSUER: &str = "Issuer";
pub(crate) const AUDIENCE: &str = "Audience";
pub(crate) const AUDIENCE_HINT: &str = "For whom the platform makes the tokens, as they say it.";
pub(crate) const CLAIM: &str = "Claim";
pub(crate) const CLAIM_HINT: &str =
    "What tells one machine from another there. Of a list, such as groups, one has to say it.";
pub(crate) const WHAT_IT_SAYS: &str = "What it says";
pub(crate) const WHAT_IT_SAYS_HINT: &str = "To the letter.";
pub(crate) const LET_IT_IN: &str = "Let it in that way";

pub(crate) fn write_to_confirm(name: &dyn Display) -> String {
    format!("Write {name} to confirm")
}
