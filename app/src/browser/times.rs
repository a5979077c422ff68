//! Instants as their reader counts them.

use std::cell::Cell;
use std::time::Duration;

use leptos::prelude::*;
use leptos::wasm_bindgen::JsCast;
use leptos::wasm_bindgen::JsValue;
use model::Timestamp;
use web_sys::Element;

use crate::words;

const HALF_A_MINUTE: Duration = Duration::from_secs(30);

thread_local! {
    /// What the exchange's clock is ahead of the browser's, which may be wrong, in microseconds.
    static AHEAD: Cell<i64> = const { Cell::new(0) };
}

pub(super) fn start() {
    let made = document()
        .body()
        .and_then(|body| body.get_attribute("data-now"))
        .and_then(|micros| micros.parse().ok())
        .map_or_else(browser_now, Timestamp::from_micros);
    AHEAD.set(made.since(browser_now()));
    write();
    set_interval(write, HALF_A_MINUTE);
}

/// Writes every instant of the page anew.
pub(super) fn write() {
    let Ok(found) = document().query_selector_all("time[data-shown]") else {
        return;
    };
    let now = browser_now().plus(AHEAD.get());
    for position in 0..found.length() {
        let element = found
            .item(position)
            .and_then(|node| node.dyn_into::<Element>().ok());
        let Some(element) = element else { continue };
        let exact = element.get_attribute("datetime").unwrap_or_default();
        let date = js_sys::Date::new(&JsValue::from_str(&exact));
        let millis = date.get_time();
        if millis.is_nan() {
            continue;
        }
        let at = Timestamp::from_millis(whole(millis));
        let said = match element.get_attribute("data-shown").as_deref() {
            Some("distance") => words::relative(now, at),
            // Summer time included.
            _ => words::minute(at, -whole(date.get_timezone_offset())),
        };
        if element.text_content().as_deref() != Some(&said) {
            element.set_text_content(Some(&said));
        }
    }
}

fn browser_now() -> Timestamp {
    Timestamp::from_millis(whole(js_sys::Date::now()))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "milliseconds of any date people write, and minutes of a zone, fit"
)]
fn whole(number: f64) -> i64 {
    number as i64
}
