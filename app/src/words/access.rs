//! What my access says: the recipients of my teams, what they may read, their credentials, and the lines that read a table.

use std::fmt::Display;

pub(crate) const MY_ACCESS: &str = "My access";
pub(crate) const WHAT_YOUR_TEAMS_MAY_READ: &str =
    "What your teams may read, with which machines, and until when.";
pub(crate) const YOU_READ_NOTHING_YET: &str = "You read nothing yet";
pub(crate) const FIND_AND_ASK: &str =
    "Find a product and ask for it. On the way you name the machines that will read it.";
pub(crate) const FIND_A_PRODUCT: &str = "Find a product";
pub(crate) const PAGES_OF_RECIPIENTS: &str = "Pages of recipients";

// What was asked for.
pub(crate) const WHAT_YOU_ASKED_FOR: &str = "What you asked for";
pub(crate) const ASKED: &str = ", asked ";
pub(crate) const NONE_ON_THIS_PAGE: &str = "None of your teams’ on this page.";
pub(crate) const PAGES_OF_REQUESTS: &str = "Pages of requests";

// One recipient.
pub(crate) const NOTHING_IS_GRANTED: &str = "Nothing is granted to it.";
pub(crate) const LATEST_ARE_SHOWN: &str = "Only its latest accesses are shown; ";
pub(crate) const WHERE_THE_OLDER_ARE: &str = " and the pages of the products have the older ones.";
pub(crate) const WHAT_IT_COULD_READ: &str = "What it could read before";

pub(crate) fn what_it_may_read(recipient: &dyn Display) -> String {
    format!("What {recipient} may read")
}

pub(crate) fn place_and_team(place: &dyn Display, team: &dyn Display) -> String {
    format!("{place}, team {team}")
}

// Its credential.
pub(crate) const DOWNLOAD_THE_PROFILE: &str = "Download the profile";
pub(crate) const KEEP_IT_LIKE_A_PASSWORD: &str =
    "It holds the only copy of the credential. Keep it like a password.";
pub(crate) const PROFILE_DOWNLOADED: &str = "Profile downloaded";
pub(crate) const CREDENTIAL_ENDS_IN: &str = "ends in ";
pub(crate) const LIVES_UNTIL: &str = ", lives until ";
pub(crate) const CHANGE_IN_GOOD_TIME: &str = "Change it in good time";
pub(crate) const WHAT_CHANGING_DOES: &str = "You get a new profile now. The old credential goes on for 24 hours, so that readers can change over one by one.";
pub(crate) const DOWNLOAD_A_NEW_PROFILE: &str = "Download a new profile";
pub(crate) const LOST_OR_LEAKED: &str = "Lost or leaked?";
pub(crate) const WHAT_REVOKING_DOES: &str =
    "Revoking ends it at once, for everybody who uses it. Then you can download a new profile.";
pub(crate) const REVOKE_THE_CREDENTIAL: &str = "Revoke the credential";

// What is granted to it.
pub(crate) const PRODUCT: &str = "Product";
pub(crate) const STATE: &str = "State";
pub(crate) const UNTIL: &str = "Until";
pub(crate) const MODE: &str = "Mode";
pub(crate) const WHAT_TO_DO: &str = "What to do";
pub(crate) const ITS_REQUEST: &str = "its request";
pub(crate) const VERIFIED: &str = "verified ";
pub(crate) const ENDS: &str = "ends ";
pub(crate) const HOW_TO_READ: &str = "How to read";
pub(crate) const RENEW: &str = "Renew";
pub(crate) const GIVE_UP: &str = "Give up";
pub(crate) const WHY: &str = "Why";
pub(crate) const WHY_HINT: &str = "It ends at once. To get it back you have to ask again.";
pub(crate) const END_THIS_ACCESS: &str = "End this access";

// How to read it.
pub(crate) const READ: &str = "Read ";
pub(crate) const CLOSE: &str = "Close";
pub(crate) const DOES_NOT_WORK: &str =
    "This access does not work at the moment; its request says why.";
pub(crate) const PUT_THE_PROFILE: &str = "Put the profile ";
pub(crate) const BESIDE_YOUR_NOTEBOOK: &str =
    " beside your notebook. It is all that a client needs to know.";
pub(crate) const DOES_IT_WORK: &str = "Does it work from there? Run ";
pub(crate) const ON_THAT_MACHINE: &str =
    " on that machine: it says what does not, and whom to tell.";
/// What has to be given to Spark.
pub(crate) const SPARK_NEEDS: &str =
    "--packages io.delta:delta-sharing-spark_2.13:VERSION, of your Spark’s version";

pub(crate) fn lines_for(client: &dyn Display, table: &dyn Display) -> String {
    format!("Lines for {client} to read {table}")
}

// In Power BI.
pub(crate) const POWER_BI: &str = "Power BI";
pub(crate) const POWER_BI_DESKTOP: &str = "Power BI Desktop";
pub(crate) const CHOOSE_GET_DATA: &str = "Choose “Get data”, then the connector “Delta Sharing”.";
pub(crate) const SERVERS_ADDRESS: &str =
    "As its server’s address give what the profile says under ";
pub(crate) const BEARER_TOKEN: &str = "As the bearer token give what it says under ";
pub(crate) const IN_THE_NAVIGATOR_OPEN: &str = "In the navigator open ";
pub(crate) const AND_LOAD_IT: &str = " and load it.";
