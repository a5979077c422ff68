//! The browser's entry: takes over the page that the server rendered. The only cdylib.

use leptos::prelude::document;
use wasm_bindgen::prelude::wasm_bindgen;

/// Called once by the page's script. `data-hydrated` tells tests that clicks now reach the app.
#[wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    leptos::mount::hydrate_body(app::App);
    if let Some(body) = document().body() {
        body.set_attribute("data-hydrated", "").ok();
    }
}
