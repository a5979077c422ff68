//! Instants. A page is made in UTC and says so; once the browser has taken it over, instants are in the reader's own zone,
//! with UTC on hover. Not before: a first render that differs from the server's does not hydrate.

use leptos::prelude::*;
use model::Timestamp;
use model::time::MINUTE;

use crate::ctx;
use crate::words;

/// To the minute for people, exact for machines.
#[component]
pub fn Time(at: Timestamp) -> impl IntoView {
    let shown = RwSignal::new(for_people(at, 0));
    // In the browser only, after it has taken the page over.
    Effect::new(move |_| shown.set(for_people(at, minutes_ahead_of_utc(at))));
    view! { <time datetime=at.to_string() title=for_people(at, 0)>{shown}</time> }
}

/// How long ago, or how soon; the instant itself on hover.
#[component]
pub fn Ago(at: Timestamp) -> impl IntoView {
    let now = ctx::now();
    view! {
        <time datetime=at.to_string() title=for_people(at, 0)>
            {move || words::relative(now.get(), at)}
        </time>
    }
}

/// The day alone, in UTC as ends and months are counted.
#[component]
pub fn Day(at: Timestamp) -> impl IntoView {
    view! { <time datetime=at.to_string() title=for_people(at, 0)>{words::day(at)}</time> }
}

/// `2026-01-31 08:00 UTC`, `2026-01-31 09:30 UTC+01:30`.
fn for_people(at: Timestamp, minutes_ahead: i64) -> String {
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

/// The reader's zone at that instant, summer time included.
#[cfg(feature = "hydrate")]
fn minutes_ahead_of_utc(at: Timestamp) -> i64 {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "milliseconds of any date people write fit; the offset is some hundred minutes"
    )]
    let behind = {
        let millis = leptos::wasm_bindgen::JsValue::from_f64(at.millis() as f64);
        js_sys::Date::new(&millis).get_timezone_offset() as i64
    };
    -behind
}

#[cfg(not(feature = "hydrate"))]
fn minutes_ahead_of_utc(_at: Timestamp) -> i64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_and_zone() {
        let at: Timestamp = "2026-01-31T08:00:59.5+02:00".parse().unwrap();
        for (ahead, expected) in [
            (0, "2026-01-31 06:00 UTC"),
            (90, "2026-01-31 07:30 UTC+01:30"),
            (-420, "2026-01-30 23:00 UTC−07:00"),
        ] {
            assert_eq!(for_people(at, ahead), expected);
        }
    }
}
