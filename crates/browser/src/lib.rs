//! The browser's entry. The only cdylib.

use wasm_bindgen::prelude::wasm_bindgen;

/// Called once by the page's script, which then wakes the islands.
#[wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    leptos::mount::hydrate_islands();
    app::browser::start();
}
