//! Messages about what happened: after a form, or about the whole page.

use leptos::prelude::*;

use crate::error::FieldError;
use crate::islands::icon::Icon;

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

/// What is wrong with a form, all of it at once, in a message that interrupts.
#[component]
pub fn Problems(problems: Vec<FieldError>) -> impl IntoView {
    (!problems.is_empty()).then(|| {
        let lines = problems
            .into_iter()
            .map(|problem| view! { <li>{line(&problem)}</li> })
            .collect_view();
        view! { <Notice tone=Tone::Bad><ul>{lines}</ul></Notice> }
    })
}

/// `Purpose, text: Say something here.`
fn line(problem: &FieldError) -> String {
    if problem.field.is_empty() {
        return problem.message.clone();
    }
    let words = problem.field.replace('.', ", ").replace('_', " ");
    let mut characters = words.chars();
    let first = characters.next().into_iter().flat_map(char::to_uppercase);
    let field: String = first.chain(characters).collect();
    format!("{field}: {}", problem.message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_name_their_field() {
        let problem = |field: &str| FieldError {
            field: field.to_owned(),
            message: "Say something here.".to_owned(),
        };
        assert_eq!(line(&problem("")), "Say something here.");
        assert_eq!(
            line(&problem("purpose.text")),
            "Purpose, text: Say something here."
        );
        assert_eq!(
            line(&problem("cost_center")),
            "Cost center: Say something here."
        );
    }
}
