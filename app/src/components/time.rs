//! Instants, always in UTC and saying so: the reader's own zone is known only in the browser, and a page that
//! renders differently there does not hydrate.

use leptos::prelude::*;
use model::Timestamp;

/// To the minute for people, exact for machines.
#[component]
pub fn Time(at: Timestamp) -> impl IntoView {
    view! { <time datetime=at.to_string()>{for_people(at)}</time> }
}

/// `2026-01-31 08:00 UTC`.
fn for_people(at: Timestamp) -> String {
    let exact = at.to_string();
    match (exact.get(..10), exact.get(11..16)) {
        (Some(day), Some(minute)) => format!("{day} {minute} UTC"),
        _ => exact,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_in_utc() {
        let at: Timestamp = "2026-01-31T08:00:59.5+02:00".parse().unwrap();
        assert_eq!(for_people(at), "2026-01-31 06:00 UTC");
    }
}
