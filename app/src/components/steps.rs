//! How far something has come, step by step.

use leptos::prelude::*;

use crate::islands::icon::Icon;
use crate::words;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stand {
    Done,
    /// This is what happens now.
    Now,
    Ahead,
    /// Here it ended, or waits for somebody to mend it.
    Failed,
}

impl Stand {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Now => "now",
            Self::Ahead => "ahead",
            Self::Failed => "failed",
        }
    }

    const fn icon(self) -> &'static str {
        match self {
            Self::Done => "check",
            Self::Now => "dots",
            Self::Ahead => "circle",
            Self::Failed => "error",
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Done => words::components::STEP_DONE,
            Self::Now => words::components::STEP_NOW,
            Self::Ahead => words::components::STEP_AHEAD,
            Self::Failed => words::components::STEP_STOPPED,
        }
    }
}

/// The list around [`Step`]s.
#[component]
pub fn Steps(label: &'static str, children: Children) -> impl IntoView {
    view! { <ol class="steps" aria-label=label>{children()}</ol> }
}

#[component]
pub fn Step(stand: Stand, title: &'static str, children: Children) -> impl IntoView {
    view! {
        <li
            class=format!("steps__step steps__step--{}", stand.as_str())
            aria-current=(stand == Stand::Now).then_some("step")
        >
            <Icon name=stand.icon()/>
            <div class="steps__text">
                <h2 class="steps__title"><span class="visually-hidden">{stand.word()}</span>{title}</h2>
                {children()}
            </div>
        </li>
    }
}
