//! What fuzzing calls: bytes that nobody has looked at, for what reads requests. Each function panics where something that must hold
//! does not. Only built for tests and with the feature `fuzzing`; no part of what this crate offers. See docs/FUZZING.md.

use model::RecipientId;
use uuid::Uuid;

use crate::Reader;
use crate::hints::fuzz::judge;
use crate::page::Pager;

#[cfg(test)]
#[path = "../../../fuzz/mutations.rs"]
mod mutations;

/// The text of `jsonPredicateHints`.
pub fn predicate_json(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        judge(&[], Some(text));
    }
}

/// `predicateHints`, one on each line.
pub fn predicate_sql(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        let hints: Vec<&str> = text.lines().collect();
        judge(&hints, None);
    }
}

/// A page token, and what a token of ours could hold: without that nothing behind the tag is ever read.
pub fn page_token(data: &[u8]) {
    let reader = Reader {
        recipient: RecipientId(Uuid::from_u128(7)),
        name: "fuzzing".to_owned(),
        token: None,
    };
    Pager::new([7; 32], 500).fuzz(&reader, data);
}

#[cfg(test)]
mod tests {
    use super::mutations::run;

    #[test]
    fn predicate_json() {
        run("predicate_json", 700, super::predicate_json);
    }

    #[test]
    fn predicate_sql() {
        run("predicate_sql", 700, super::predicate_sql);
    }

    #[test]
    fn page_token() {
        run("page_token", 3_000, super::page_token);
    }
}
