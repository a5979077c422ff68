//! The part of `entrepot.yml` that the product equals.

use leptos::prelude::*;

use crate::components::code::Code;
use crate::wire::Loaded;
use crate::words;

pub(super) fn yaml(yaml: Loaded<String>) -> impl IntoView {
    view! {
        <section class="block">
            <h2>{words::product::AS_A_DECLARATION}</h2>
            <p class="muted">
                {words::product::WHAT_IS_LIVE_AS}<span class="code">"entrepot.yml"</span>
                {words::product::WOULD_HAVE_IT}
            </p>
            {yaml.show(|text| view! { <Code text label=words::product::DECLARATION/> }.into_any())}
        </section>
    }
}
