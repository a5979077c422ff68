//! The pages of erasures: what is to be forgotten on every replica, and the certificates that it was.

use std::fmt::Display;

use crate::words::{count, plural};

// All erasures.
pub(crate) const ERASURES: &str = "Erasures";
pub(crate) const WHAT_ERASURES_ARE: &str = "What its source has deleted goes from every replica when the retention is over. Where that has to be proven, ask for an erasure: \
     it is seen to on each replica, and ends with a certificate that anybody can check.";
pub(crate) const NO_ERASURE_YET: &str = "No erasure yet";
pub(crate) const WHO_ASKS_FOR_ONE: &str =
    "Producers of the owning team and data-protection officers ask for one.";
pub(crate) const ASKED_FOR: &str = "Asked for";
pub(crate) const PRODUCT: &str = "Product";
pub(crate) const TABLE: &str = "Table";
pub(crate) const ALL_TABLES: &str = "all tables";
pub(crate) const GONE_SINCE: &str = "Gone from the source since";
pub(crate) const STATE: &str = "State";
pub(crate) const CERTIFICATE: &str = "Certificate";
pub(crate) const NOT_YET: &str = "not yet";

pub(crate) fn version(version: u64) -> String {
    format!("version {version}, ")
}

// Asking for one.
pub(crate) const ASK_FOR_AN_ERASURE: &str = "Ask for an erasure";
pub(crate) const FIRST_AT_THE_SOURCE: &str =
    "Delete the rows at the source first; this sees to the replicas.";
pub(crate) const TABLE_HINT: &str = "As schema.name; empty for all tables of the product.";
pub(crate) const SINCE_VERSION: &str = "Gone since version of the table";
pub(crate) const SINCE_VERSION_HINT: &str =
    "The source's first version without the rows; name the table above, too. Or say a time below.";
pub(crate) const SINCE: &str = "Gone since";
pub(crate) const SINCE_HINT: &str =
    "A day, which counts to its end, or an instant in UTC; empty for now.";
pub(crate) const WHEN: &str = "When the objects go";
pub(crate) const WHEN_THE_RETENTION_IS_OVER: &str = "When the retention is over";
pub(crate) const AT_ONCE: &str = "At once: who reads an older version gets an error";
pub(crate) const REASON: &str = "Why";
pub(crate) const REASON_HINT: &str = "It stands in the certificate; name nobody.";
pub(crate) const NOT_A_NUMBER: &str = "write a number, or leave it empty";

// One erasure.
pub(crate) const ERASURE: &str = "Erasure";
pub(crate) const FACTS: &str = "What was asked for";
pub(crate) const ON_EACH_REPLICA: &str = "On each replica";
pub(crate) const NO_REPLICA: &str = "The product had no replica of it when it was asked for.";
pub(crate) const STORAGE: &str = "Storage";
pub(crate) const OBJECTS: &str = "Deleted objects";
pub(crate) const SEEN: &str = "Seen";
pub(crate) const DOWNLOAD: &str = "Download the certificate (JSON)";
pub(crate) const ISSUED: &str = "Issued";
pub(crate) const HEAD: &str = "End of its chain of hashes, which the audit log has, too";
pub(crate) const IS_SOUND: &str = "As it is kept here it is as it was signed.";
pub(crate) const IS_NOT_SOUND: &str = "As it is kept here it is not as it was signed with this installation's key: somebody changed it, or the key, in the database. Ask \
     whoever got it for their copy, and an admin for the key that was there before.";
pub(crate) const NO_CERTIFICATE_YET: &str =
    "There is none before every replica has come to an end. The page looks again by itself.";
pub(crate) const KEY: &str = "Public key of this installation (Ed25519)";
pub(crate) const HOW_TO_CHECK: &str = "To check a certificate without asking anybody:";
pub(crate) const WHAT_IT_DOES_NOT_PROVE: &str = "It proves what this installation deleted and what the store answered then. It says nothing of the source, of copies that readers made, \
     of backups, and of copies that a store makes by itself elsewhere. And it names the paths of objects, and with them the values that a table is \
     partitioned by.";

pub(crate) fn command(key: &dyn Display) -> String {
    format!("entrepot erasure check FILE --key {key}")
}

pub(crate) fn erasure_of(product: &dyn Display) -> String {
    format!("Erasure in {product}")
}

pub(crate) fn objects(objects: u64) -> String {
    count(objects)
}

pub(crate) fn is_asked_for(product: &dyn Display, replicas: usize) -> String {
    let replicas = plural(
        u64::try_from(replicas).unwrap_or(u64::MAX),
        "replica table",
        "replica tables",
    );
    format!("The erasure in {product} is asked for; it is seen to on {replicas}.")
}
