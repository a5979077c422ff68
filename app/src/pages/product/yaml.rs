//! The part of `entrepot.yml` that the product equals.

use leptos::prelude::*;

use crate::components::code::Code;
use crate::wire::Loaded;

pub(super) fn yaml(yaml: Loaded<String>) -> impl IntoView {
    view! {
        <section class="block">
            <h2>"As a declaration"</h2>
            <p class="muted">
                "What is live, as "<span class="code">"entrepot.yml"</span>
                " would have it. Deploying it changes nothing; keep it in git and deploy what you change."
            </p>
            {yaml.show(|text| view! { <Code text label="Declaration"/> }.into_any())}
        </section>
    }
}
