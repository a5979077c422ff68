//! Pictures that answer: what is pointed at or has the focus is told in the line below, a line goes through its day, and arrows
//! lead from one thing to the next. Links and tooltips are there without it (`charts`).
//!
//! | attribute | what it is |
//! |---|---|
//! | `data-picture` | the figure; `upward` where the next row is above the one before |
//! | `data-row` | what the arrows to the left and right lead along |
//! | `data-at` | one thing, told by its `aria-label`; its value is where it stands |
//! | `data-readout` | the line that tells |
//! | `data-crosshair` | a line of the drawing that goes to where the thing stands |

use leptos::prelude::document;
use leptos::wasm_bindgen::JsCast;
use leptos::wasm_bindgen::JsValue;
use web_sys::Element;
use web_sys::Event;
use web_sys::HtmlElement;
use web_sys::KeyboardEvent;

use crate::words;

use super::listen;

const PICTURE: &str = "[data-picture]";
const ROW: &str = "[data-row]";
const PART: &str = "[data-at]";

const READOUT: &str = "[data-readout]";

/// On the one picture that tells of something; the style goes by it.
const TELLS: &str = "data-tells";
/// What the line below says when nothing is pointed at.
const SUMMARY: &str = "data-summary";
/// On a picture whose keys have been explained: once is enough.
const EXPLAINED: &str = "data-explained";

pub(super) fn start() {
    for kind in ["pointerover", "focusin"] {
        listen(kind, |event: Event| {
            look(&event).ok();
        });
    }
    listen("keydown", |event: KeyboardEvent| {
        pressed(&event).ok();
    });
}

fn part_of(event: &Event) -> Option<Element> {
    let element: Element = event.target()?.dyn_into().ok()?;
    element.closest(PART).ok()?
}

/// Tells of what is pointed at, or else of what has the focus.
fn look(event: &Event) -> Result<(), JsValue> {
    let focused = || {
        let active = document().active_element()?;
        active.has_attribute("data-at").then_some(active)
    };
    let part = part_of(event).or_else(focused);
    let picture = match &part {
        Some(part) => part.closest(PICTURE)?,
        None => None,
    };
    if let Some(before) = document().query_selector(&format!("[{TELLS}]"))?
        && picture.as_ref() != Some(&before)
    {
        before.remove_attribute(TELLS)?;
        tell(&before, None)?;
    }
    let (Some(part), Some(picture)) = (part, picture) else {
        return Ok(());
    };
    picture.set_attribute(TELLS, "")?;
    let mut said = part.get_attribute("aria-label").unwrap_or_default();
    if event.type_() == "focusin" && !picture.has_attribute(EXPLAINED) {
        picture.set_attribute(EXPLAINED, "")?;
        said = explained(&said);
    }
    tell(&picture, Some(&said))?;
    let at = part.get_attribute("data-at").unwrap_or_default();
    for line in all(&picture, "[data-crosshair]")? {
        line.set_attribute("x1", &at)?;
        line.set_attribute("x2", &at)?;
    }
    Ok(())
}

fn explained(said: &str) -> String {
    words::browser::arrow_keys_lead_on(&said)
}

/// Writes the line below; with nothing to tell it sums up again. What is there already is not said twice.
fn tell(picture: &Element, said: Option<&str>) -> Result<(), JsValue> {
    let Some(line) = picture.query_selector(READOUT)? else {
        return Ok(());
    };
    let shown = line.text_content().unwrap_or_default();
    let summary = match line.get_attribute(SUMMARY) {
        Some(summary) => summary,
        None => {
            line.set_attribute(SUMMARY, &shown)?;
            shown.clone()
        }
    };
    let said = said.unwrap_or(&summary);
    // After the keys were explained the same thing stays told as it is.
    if shown != said && shown != explained(said) {
        line.set_text_content(Some(said));
    }
    Ok(())
}

fn pressed(event: &KeyboardEvent) -> Result<(), JsValue> {
    let is_held = event.alt_key() || event.ctrl_key() || event.meta_key() || event.shift_key();
    if event.default_prevented() || is_held {
        return Ok(());
    }
    let Some(part) = part_of(event) else {
        return Ok(());
    };
    let Some(picture) = part.closest(PICTURE)? else {
        return Ok(());
    };
    let rows = all(&picture, ROW)?;
    let Some(row) = rows.iter().position(|row| row.contains(Some(&part))) else {
        return Ok(());
    };
    let is_upward = picture.get_attribute("data-picture").as_deref() == Some("upward");
    let along = in_order(&rows[row])?;
    let here = along.iter().position(|other| *other == part).unwrap_or(0);
    let next = match event.key().as_str() {
        "ArrowLeft" => here
            .checked_sub(1)
            .and_then(|before| along.get(before))
            .cloned(),
        "ArrowRight" => along.get(here + 1).cloned(),
        "Home" => along.first().cloned(),
        "End" => along.last().cloned(),
        "ArrowUp" => beside(&rows, row, is_upward, at(&part))?,
        "ArrowDown" => beside(&rows, row, !is_upward, at(&part))?,
        _ => return Ok(()),
    };
    event.prevent_default();
    let Some(next) = next else {
        return Ok(());
    };
    // The tabulator comes back to where somebody was.
    let row = next.closest(ROW)?.unwrap_or_else(|| picture.clone());
    for other in all(&row, PART)? {
        other.set_attribute("tabindex", "-1")?;
    }
    next.set_attribute("tabindex", "0")?;
    // What a drawing is made of has the method, too, without being HTML.
    next.unchecked_ref::<HtmlElement>().focus()
}

/// What is nearest in the next row, or in the one before, that holds something.
fn beside(
    rows: &[Element],
    row: usize,
    is_next: bool,
    place: f64,
) -> Result<Option<Element>, JsValue> {
    let others: Vec<&Element> = if is_next {
        rows.iter().skip(row + 1).collect()
    } else {
        rows.iter().take(row).rev().collect()
    };
    let far = |part: &Element| (at(part) - place).abs();
    for other in others {
        let parts = in_order(other)?.into_iter();
        let nearest = parts.min_by(|a, b| far(a).total_cmp(&far(b)));
        if nearest.is_some() {
            return Ok(nearest);
        }
    }
    Ok(None)
}

/// From left to right, however they are drawn.
fn in_order(row: &Element) -> Result<Vec<Element>, JsValue> {
    let mut parts = all(row, PART)?;
    parts.sort_by(|a, b| at(a).total_cmp(&at(b)));
    Ok(parts)
}

fn at(part: &Element) -> f64 {
    js_sys::parse_float(&part.get_attribute("data-at").unwrap_or_default())
}

fn all(within: &Element, selector: &str) -> Result<Vec<Element>, JsValue> {
    let found = within.query_selector_all(selector)?;
    Ok((0..found.length())
        .filter_map(|position| found.item(position)?.dyn_into().ok())
        .collect())
}
