//! All that people read, in English: each area of the portal has a file with its sentences, titles, labels and hints, and pages
//! refer to them by name (`words::costs::STATEMENTS`). A constant where nothing goes in; else a function that says what does. Half a
//! sentence, where a link or an instant stands in the middle, keeps the space beside the gap. `cargo xtask check strings` finds
//! what stands elsewhere.
//!
//! Here: figures and instants in words: sizes, counts, money, how long ago. Pure, and the same on server and browser.

#[cfg(feature = "ssr")]
pub mod access;
#[cfg(feature = "ssr")]
pub(crate) mod account;
#[cfg(feature = "ssr")]
pub(crate) mod activate;
#[cfg(feature = "ssr")]
pub(crate) mod admin;
#[cfg(feature = "ssr")]
pub(crate) mod advice;
#[cfg(feature = "ssr")]
pub(crate) mod answers;
#[cfg(feature = "ssr")]
pub mod approvals;
pub(crate) mod both;
#[cfg(feature = "hydrate")]
pub(crate) mod browser;
#[cfg(feature = "ssr")]
pub mod catalog;
#[cfg(feature = "ssr")]
pub(crate) mod charts;
#[cfg(feature = "ssr")]
pub(crate) mod components;
#[cfg(feature = "ssr")]
pub(crate) mod costs;
#[cfg(feature = "ssr")]
pub(crate) mod cuts;
#[cfg(feature = "ssr")]
pub(crate) mod erasures;
#[cfg(feature = "ssr")]
pub(crate) mod flows;
#[cfg(feature = "ssr")]
pub(crate) mod frame;
#[cfg(feature = "ssr")]
pub(crate) mod history;
#[cfg(feature = "ssr")]
pub mod home;
#[cfg(feature = "ssr")]
pub(crate) mod identities;
#[cfg(feature = "ssr")]
pub(crate) mod limit;
#[cfg(feature = "ssr")]
pub mod not_found;
#[cfg(feature = "ssr")]
pub(crate) mod part;
#[cfg(feature = "ssr")]
pub mod product;
#[cfg(feature = "ssr")]
pub mod product_cost;
#[cfg(feature = "ssr")]
pub mod register;
#[cfg(feature = "ssr")]
pub(crate) mod replicas;
#[cfg(feature = "ssr")]
pub mod request;
#[cfg(feature = "ssr")]
pub(crate) mod retry;
#[cfg(feature = "ssr")]
pub mod sign_in;
#[cfg(feature = "ssr")]
pub(crate) mod states;
#[cfg(feature = "ssr")]
pub(crate) mod usage;
#[cfg(feature = "ssr")]
pub(crate) mod ways;

use model::NoticeKind;
use model::Timestamp;
use model::dto::Money;
use model::time::{DAY, HOUR, MINUTE};

/// A sentence of the exchange (lower case, no full stop) as pages write one.
pub fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    let mut sentence: String = characters
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .chain(characters)
        .collect();
    if !sentence.is_empty() && !sentence.ends_with(['.', '!', '?', ':']) {
        sentence.push('.');
    }
    sentence
}

/// A kind of mail: what it is called, and what it tells.
pub const fn notice(kind: NoticeKind) -> (&'static str, &'static str) {
    match kind {
        NoticeKind::RequestWaiting => ("Requests to decide", "A team asks for what you decide on."),
        NoticeKind::RequestDecided => ("Decisions", "What you asked for was approved or rejected."),
        NoticeKind::AccessVerified => (
            "Access that works",
            "An access of your team was looked at for the first time, and works.",
        ),
        NoticeKind::AccessEnding => (
            "Access that ends",
            "An access of your team ends in 14 days, and again in 3.",
        ),
        NoticeKind::SyncFailing => (
            "Failing syncs and reads",
            "A replica of your product cannot be synced, or can be again; or the product cannot be read.",
        ),
        NoticeKind::LiveQuota => (
            "Bytes of a day nearly used up",
            "An access of your team, or to your product, has handed out most of what it may in a day.",
        ),
        NoticeKind::Freshness => (
            "Late replicas",
            "A replica that you own or read is later than its schedule promises, or in time again.",
        ),
    }
}

/// `1.2 GB`: decimal units, as prices have them.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if count < 1_000 {
        return format!("{count} B");
    }
    // In integers, and rounded once: a tenth that was rounded up is not to lift the whole.
    let mut unit: u64 = 1_000;
    let mut name = UNITS[0];
    for next in &UNITS[1..] {
        if tenths(count, unit) < 9_995 {
            break;
        }
        unit = unit.saturating_mul(1_000);
        name = next;
    }
    let tenths = tenths(count, unit);
    if tenths >= 1_000 || (tenths >= 100 && tenths.is_multiple_of(10)) {
        format!("{} {name}", rounded(count, unit))
    } else {
        format!("{}.{} {name}", tenths / 10, tenths % 10)
    }
}

fn tenths(count: u64, unit: u64) -> u64 {
    rounded(u128::from(count) * 10, unit)
}

fn rounded(count: impl Into<u128>, unit: u64) -> u64 {
    let halves = count.into() + u128::from(unit) / 2;
    u64::try_from(halves / u128::from(unit)).unwrap_or(u64::MAX)
}

/// `12 345 678`, with narrow spaces that do not break.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// `3 tables`, `1 table`.
pub fn plural(number: u64, one: &str, many: &str) -> String {
    let word = if number == 1 { one } else { many };
    format!("{} {word}", count(number))
}

/// `12.40 USD`. What is less than a cent shows its first two digits, so that little is not nothing.
pub fn money(money: Money) -> String {
    let micros = money.amount.0;
    let currency = money.currency;
    let sign = if micros < 0 { "−" } else { "" };
    let absolute = micros.unsigned_abs();
    if absolute == 0 || absolute >= 10_000 {
        let cents = (absolute + 5_000) / 10_000;
        return format!("{sign}{}.{:02} {currency}", count(cents / 100), cents % 100);
    }
    let places = format!("{absolute:06}");
    let zeros = places.len() - places.trim_start_matches('0').len();
    let end = (zeros + 2).min(places.len());
    format!("{sign}0.{} {currency}", &places[..end])
}

/// `1.5 s`, `12 min`, `3 h`.
pub fn duration(micros: i64) -> String {
    let tenths = micros.max(0) / 100_000;
    match tenths {
        0..600 => format!("{}.{} s", tenths / 10, tenths % 10),
        600..36_000 => format!("{} min", tenths / 600),
        _ => format!("{} h {} min", tenths / 36_000, tenths % 36_000 / 600),
    }
}

/// `just now`, `4 minutes ago`, `in 3 days`.
pub fn relative(now: Timestamp, at: Timestamp) -> String {
    let distance = at.since(now);
    let length = distance.saturating_abs();
    if length < MINUTE {
        return "just now".to_owned();
    }
    let (number, one, many) = if length < HOUR {
        (length / MINUTE, "minute", "minutes")
    } else if length < DAY {
        (length / HOUR, "hour", "hours")
    } else if length < 60 * DAY {
        (length / DAY, "day", "days")
    } else if length < 730 * DAY {
        (length / (30 * DAY), "month", "months")
    } else {
        (length / (365 * DAY), "year", "years")
    };
    let span = plural(number.unsigned_abs(), one, many);
    if distance < 0 {
        format!("{span} ago")
    } else {
        format!("in {span}")
    }
}

/// `2026-01-31` in UTC.
pub fn day(at: Timestamp) -> String {
    at.date()
        .map_or_else(|| at.to_string(), |date| date.to_string())
}

/// `2026-01-31 08:00 UTC`, `2026-01-31 09:30 UTC+01:30`.
pub fn minute(at: Timestamp, minutes_ahead: i64) -> String {
    let exact = at.plus(minutes_ahead.saturating_mul(MINUTE)).to_string();
    let (Some(day), Some(minute)) = (exact.get(..10), exact.get(11..16)) else {
        return exact;
    };
    if minutes_ahead == 0 {
        return format!("{day} {minute} UTC");
    }
    let sign = if minutes_ahead < 0 { '−' } else { '+' };
    let ahead = minutes_ahead.abs();
    format!(
        "{day} {minute} UTC{sign}{:02}:{:02}",
        ahead / 60,
        ahead % 60
    )
}

#[cfg(test)]
mod tests {
    use model::Micro;

    use super::*;

    #[test]
    fn sentences_begin_large_and_end_with_a_stop() {
        for (text, expected) in [
            ("sign in first", "Sign in first."),
            (
                "say why; the requester reads it",
                "Say why; the requester reads it.",
            ),
            ("Is it?", "Is it?"),
            ("état", "État."),
            ("", ""),
        ] {
            assert_eq!(sentence(text), expected);
        }
    }

    #[test]
    fn sizes() {
        for (size, expected) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (1_249, "1.2 kB"),
            (10_000, "10 kB"),
            (12_340, "12.3 kB"),
            (123_456, "123 kB"),
            (999_449, "999 kB"),
            (999_949, "1.0 MB"),
            (1_250_000_000, "1.3 GB"),
            (60_000_000_000_000, "60 TB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(bytes(size), expected, "{size}");
        }
    }

    #[test]
    fn counts_are_grouped() {
        for (number, expected) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1\u{202f}000"),
            (1_234_567, "1\u{202f}234\u{202f}567"),
        ] {
            assert_eq!(count(number), expected);
        }
        assert_eq!(plural(1, "table", "tables"), "1 table");
        assert_eq!(plural(0, "table", "tables"), "0 tables");
    }

    #[test]
    fn little_money_is_not_nothing() {
        for (micros, expected) in [
            (0, "0.00 USD"),
            (1, "0.000001 USD"),
            (312, "0.00031 USD"),
            (9_999, "0.0099 USD"),
            (10_000, "0.01 USD"),
            (12_399_999, "12.40 USD"),
            (1_234_567_890_000, "1\u{202f}234\u{202f}567.89 USD"),
            (-1_500_000, "−1.50 USD"),
        ] {
            let shown = money(Money {
                amount: Micro(micros),
                currency: "USD".parse().unwrap(),
            });
            assert_eq!(shown, expected, "{micros}");
        }
    }

    #[test]
    fn minutes_and_zone() {
        let at: Timestamp = "2026-01-31T08:00:59.5+02:00".parse().unwrap();
        for (ahead, expected) in [
            (0, "2026-01-31 06:00 UTC"),
            (90, "2026-01-31 07:30 UTC+01:30"),
            (-420, "2026-01-30 23:00 UTC−07:00"),
        ] {
            assert_eq!(minute(at, ahead), expected);
        }
    }

    #[test]
    fn durations() {
        for (micros, expected) in [
            (-1, "0.0 s"),
            (1_540_000, "1.5 s"),
            (60_000_000, "1 min"),
            (3_599_999_999, "59 min"),
            (3_780_000_000, "1 h 3 min"),
        ] {
            assert_eq!(duration(micros), expected, "{micros}");
        }
    }

    #[test]
    fn distances_in_time() {
        let now: Timestamp = "2026-06-15T12:00:00Z".parse().unwrap();
        for (micros, expected) in [
            (0, "just now"),
            (-59_999_999, "just now"),
            (-MINUTE, "1 minute ago"),
            (-90 * MINUTE, "1 hour ago"),
            (-25 * HOUR, "1 day ago"),
            (14 * DAY, "in 14 days"),
            (364 * DAY, "in 12 months"),
            (-800 * DAY, "2 years ago"),
        ] {
            assert_eq!(relative(now, now.plus(micros)), expected, "{micros}");
        }
        assert_eq!(day(now), "2026-06-15");
    }
}
