//! Messages about what happened: after a form, or about the whole page.

use leptos::prelude::*;

use crate::components::icon::Icon;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    #[default]
    Plain,
    Good,
    Warn,
    Bad,
}

impl Tone {
    pub const ALL: [Self; 4] = [Self::Plain, Self::Good, Self::Warn, Self::Bad];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Good => "good",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }

    const fn icon(self) -> &'static str {
        match self {
            Self::Plain => "info",
            Self::Good => "check",
            Self::Warn => "warning",
            Self::Bad => "error",
        }
    }

    /// What is wrong interrupts, everything else waits its turn.
    const fn role(self) -> &'static str {
        match self {
            Self::Bad => "alert",
            Self::Plain | Self::Good | Self::Warn => "status",
        }
    }
}

/// A message that a screen reader announces.
#[component]
pub fn Notice(tone: Tone, children: Children) -> impl IntoView {
    view! {
        <div class=format!("notice notice--{}", tone.as_str()) role=tone.role()>
            <Icon name=tone.icon()/>
            <div class="notice__text">{children()}</div>
        </div>
    }
}
