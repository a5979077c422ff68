//! A word about a state. The colour repeats what the word says, never more.

use leptos::prelude::*;

use crate::components::flash::Tone;

#[component]
pub fn Badge(#[prop(default = Tone::Plain)] tone: Tone, children: Children) -> impl IntoView {
    view! { <span class=format!("badge badge--{}", tone.as_str())>{children()}</span> }
}
