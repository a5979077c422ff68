//! Instants. A page is made in UTC and says so; the browser writes them in the reader's own zone, with UTC on hover, and keeps
//! counting how long ago they were (`app::browser::times`).

use leptos::prelude::*;
use model::Timestamp;

use crate::ctx;
use crate::words;

/// To the minute for people, exact for machines.
#[component]
pub fn Time(at: Timestamp) -> impl IntoView {
    let (said, title) = (words::minute(at, 0), words::minute(at, 0));
    view! { <time datetime=at.to_string() title=title data-shown="minute">{said}</time> }
}

/// How long ago, or how soon; the instant itself on hover.
#[component]
pub fn Ago(at: Timestamp) -> impl IntoView {
    view! {
        <time datetime=at.to_string() title=words::minute(at, 0) data-shown="distance">
            {words::relative(ctx::now(), at)}
        </time>
    }
}

/// The last day of what ends at this instant, in UTC.
#[component]
pub fn LastDay(at: Timestamp) -> impl IntoView {
    view! {
        <time datetime=at.to_string() title=words::minute(at, 0)>{words::day(at.plus(-1))}</time>
    }
}

/// The day alone, in UTC as ends and months are counted.
#[component]
pub fn Day(at: Timestamp) -> impl IntoView {
    view! { <time datetime=at.to_string() title=words::minute(at, 0)>{words::day(at)}</time> }
}
