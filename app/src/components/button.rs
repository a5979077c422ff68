//! Buttons. They submit the form around them; what merely leads elsewhere is a link.

use leptos::prelude::*;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Weight {
    /// The one thing to do on this page.
    Primary,
    #[default]
    Secondary,
    /// What cannot be undone.
    Danger,
    /// Beside text.
    Quiet,
}

impl Weight {
    /// The classes of a button of this weight; also for links that look like one.
    pub const fn class(self) -> &'static str {
        match self {
            Self::Primary => "button button--primary",
            Self::Secondary => "button",
            Self::Danger => "button button--danger",
            Self::Quiet => "button button--quiet",
        }
    }
}

/// A submit button.
#[component]
pub fn Button(
    #[prop(default = Weight::Secondary)] weight: Weight,
    children: Children,
) -> impl IntoView {
    view! { <button type="submit" class=weight.class()>{children()}</button> }
}
