//! Keys for a list that one goes through and decides on. They do nothing while somebody types, beyond sending or leaving what a key
//! has opened; and they can be turned off, for who speaks to the browser or leans on the keyboard.

use leptos::prelude::document;
use leptos::prelude::window;
use leptos::wasm_bindgen::JsCast;
use leptos::wasm_bindgen::JsValue;
use web_sys::Element;
use web_sys::Event;
use web_sys::HtmlElement;
use web_sys::KeyboardEvent;
use web_sys::Storage;

use crate::words;

use super::listen;

const LIST: &str = "[data-keys]";
const HELP: &str = "[data-keys-help]";
const SWITCH: &str = "[data-keys-switch]";
const TYPING: &str = "input, textarea, select, [contenteditable]";

/// In the browser's own storage: whether somebody wants none.
const SETTING: &str = "keys";
const OFF: &str = "off";

pub(super) fn start() {
    offer();
    listen("portal:drawn", |_: Event| offer());
    listen("keydown", |event: KeyboardEvent| {
        pressed(&event).ok();
    });
    listen("click", |event: Event| {
        let switch = element_of(&event).and_then(|element| element.closest(SWITCH).ok()?);
        if switch.is_some() {
            turn().ok();
            offer();
        }
    });
}

/// Shows what explains the keys: without this program there are none.
fn offer() {
    let Ok(Some(help)) = document().query_selector(HELP) else {
        return;
    };
    help.remove_attribute("hidden").ok();
    if let Ok(Some(switch)) = help.query_selector(SWITCH) {
        let said = if are_off() {
            words::browser::TURN_THE_KEYS_ON
        } else {
            words::browser::TURN_THE_KEYS_OFF
        };
        switch.set_text_content(Some(said));
    }
}

fn storage() -> Option<Storage> {
    window().local_storage().ok()?
}

fn are_off() -> bool {
    let kept = storage().and_then(|storage| storage.get_item(SETTING).ok()?);
    kept.as_deref() == Some(OFF)
}

fn turn() -> Result<(), JsValue> {
    let Some(storage) = storage() else {
        return Ok(());
    };
    if are_off() {
        storage.remove_item(SETTING)
    } else {
        storage.set_item(SETTING, OFF)
    }
}

fn element_of(event: &Event) -> Option<Element> {
    event.target()?.dyn_into().ok()
}

fn pressed(event: &KeyboardEvent) -> Result<(), JsValue> {
    if event.default_prevented() || event.alt_key() || event.is_composing() || are_off() {
        return Ok(());
    }
    let Some(list) = document().query_selector(LIST)? else {
        return Ok(());
    };
    let Some(at) = element_of(event) else {
        return Ok(());
    };
    let items = items(&list)?;
    let current = items.iter().position(|item| item.contains(Some(&at)));
    if at.closest(TYPING)?.is_some() {
        return match current {
            Some(current) => typing(event, &items[current]),
            None => Ok(()),
        };
    }
    if event.ctrl_key() || event.meta_key() {
        return Ok(());
    }
    if event.key() == "?" {
        event.prevent_default();
        return help();
    }
    // What is open over the page has the keys to itself.
    if document().query_selector(":popover-open")?.is_some() || items.is_empty() {
        return Ok(());
    }
    let last = items.len() - 1;
    match (event.key().as_str(), current) {
        ("j", None) => focus(&items[0]),
        ("k", None) => focus(&items[last]),
        // Arrows scroll the page until somebody is in the list.
        ("j" | "ArrowDown", Some(at)) => focus(&items[(at + 1).min(last)]),
        ("k" | "ArrowUp", Some(at)) => focus(&items[at.saturating_sub(1)]),
        (key @ ("a" | "r"), at) => open(&items[at.unwrap_or(0)], key)?,
        _ => return Ok(()),
    }
    event.prevent_default();
    Ok(())
}

fn items(list: &Element) -> Result<Vec<HtmlElement>, JsValue> {
    let found = list.query_selector_all(":scope > li")?;
    Ok((0..found.length())
        .filter_map(|position| found.item(position)?.dyn_into().ok())
        .collect())
}

fn focus(element: &HtmlElement) {
    element.focus().ok();
    element.scroll_into_view();
}

fn help() -> Result<(), JsValue> {
    if let Some(dialog) = document().query_selector(&format!("{HELP} [popover]"))? {
        dialog.unchecked_into::<HtmlElement>().toggle_popover()?;
    }
    Ok(())
}

/// Chooses the button that the key stands for, and goes to the note beside it.
fn open(item: &HtmlElement, key: &str) -> Result<(), JsValue> {
    let Some(button) = item.query_selector(&format!("button[data-key=\"{key}\"]"))? else {
        return Ok(());
    };
    leave(item)?;
    button.set_attribute("data-chosen", "")?;
    let Some(form) = button.closest("form")? else {
        return Ok(());
    };
    let told = document().create_element("p")?;
    told.set_class_name("field__hint");
    told.set_attribute("role", "status")?;
    told.set_attribute("data-keys-told", "")?;
    form.append_child(&told)?;
    let what = button.text_content().unwrap_or_default();
    told.set_text_content(Some(&words::browser::how_to_send_or_leave(&what)));
    if let Some(note) = form.query_selector("textarea")? {
        focus(note.unchecked_ref());
    }
    Ok(())
}

/// Nothing is chosen any more.
fn leave(item: &HtmlElement) -> Result<(), JsValue> {
    if let Some(button) = item.query_selector("[data-chosen]")? {
        button.remove_attribute("data-chosen")?;
    }
    if let Some(told) = item.query_selector("[data-keys-told]")? {
        told.remove();
    }
    Ok(())
}

/// While somebody types: only what ends it, and only where a key began it.
fn typing(event: &KeyboardEvent, item: &HtmlElement) -> Result<(), JsValue> {
    let Some(chosen) = item.query_selector("[data-chosen]")? else {
        return Ok(());
    };
    let is_sent = event.key() == "Enter" && (event.ctrl_key() || event.meta_key());
    if is_sent {
        event.prevent_default();
        chosen.unchecked_into::<HtmlElement>().click();
    } else if event.key() == "Escape" {
        event.prevent_default();
        leave(item)?;
        focus(item);
    }
    Ok(())
}
