//! What surrounds every page: skip link, header with navigation and account, the flash's notice, footer.

use leptos::prelude::*;
use leptos::wasm_bindgen::JsCast;
use leptos::web_sys::HtmlElement;
use leptos_router::components::A;
use leptos_router::hooks::use_location;

use crate::components::account::Account;
use crate::components::flash::Notice;
use crate::components::flash::Tone;
use crate::components::icon::Icon;
use crate::components::nav::Nav;
use crate::ctx;
use crate::ctx::Flash;

#[component]
pub fn Layout(children: Children) -> impl IntoView {
    let flash = ctx::flash();
    let path = use_location().pathname;
    // Only in the browser, and only when the router changed the page in place: what a page load would have done.
    Effect::new(move |before: Option<String>| {
        let now = path.get();
        if before.is_some_and(|before| before != now) {
            flash.set(Flash::default());
            focus_main();
        }
        now
    });
    view! {
        // `external`: the browser itself moves the focus, the router would only scroll.
        <a class="skip-link" href="#main" rel="external">"Skip to the content"</a>
        <header class="site-header">
            <div class="site-header__inner">
                <A href="/" exact=true attr:class="brand">
                    <Icon name="mark"/>
                    <span>"Entrepôt"</span>
                </A>
                <Nav/>
                <Account/>
            </div>
        </header>
        <main id="main" tabindex="-1">
            {move || flash.with(|flash| flash.notice.clone()).map(|text| view! {
                <Notice tone=Tone::Good>{text}</Notice>
            })}
            {children()}
        </main>
        <footer class="site-footer">
            <div class="site-footer__inner">
                <p>"Entrepôt, a data exchange. Landed once, read by everybody."</p>
                <p><a href="/api/v1/openapi.json" rel="external">"REST interface"</a></p>
            </div>
        </footer>
    }
}

/// Moves keyboard and screen reader to the new page's beginning.
fn focus_main() {
    let main = document()
        .get_element_by_id("main")
        .and_then(|main| main.dyn_into::<HtmlElement>().ok());
    if let Some(main) = main {
        // Focus fails only where there is no window; then nobody reads either.
        main.focus().ok();
    }
}
