//! What a page knows about who looks at it. The server puts a [`Visit`] into the context before rendering, and it
//! travels in the page, so that the browser's first render equals the server's.
//!
//! It is data, not a resource: a `Suspense` around the router mis-hydrates, and the answer is known anyhow.

use std::time::Duration;

use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_location;
use leptos_router::hooks::use_navigate;
use model::MemberRole;
use model::Role;
use model::Timestamp;
use serde::Deserialize;
use serde::Serialize;

use crate::error::AppError;
use crate::error::FieldError;

/// Who is signed in. Everything here may be seen by that person, for it is written into the page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Viewer {
    /// The name to sign in with.
    pub name: String,
    pub teams: Vec<Membership>,
    /// Roles that hold for the whole organisation.
    pub roles: Vec<Role>,
}

impl Viewer {
    pub fn is(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// Whether a team of this person owns products or may come to own some.
    pub fn produces(&self) -> bool {
        self.teams
            .iter()
            .any(|team| team.role == MemberRole::Producer)
    }
}

/// A team the viewer belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// The team's name, as in URLs and declarations.
    pub team: String,
    /// The team's title, for people.
    pub title: String,
    pub role: MemberRole,
}

/// What the last form left behind, shown once: what was typed (never secrets), what was wrong, what was done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flash {
    /// Which form of the page it was; empty where the page has but one.
    #[serde(default)]
    pub form: String,
    /// Field name and value.
    pub values: Vec<(String, String)>,
    /// Field name and sentence; an empty field name speaks of the whole form.
    pub errors: Vec<(String, String)>,
    pub notice: Option<String>,
}

impl Flash {
    pub fn value(&self, field: &str) -> Option<String> {
        find(&self.values, field)
    }

    pub fn error(&self, field: &str) -> Option<String> {
        find(&self.errors, field)
    }

    /// Whether it speaks of this form.
    pub fn is_of(&self, form: &str) -> bool {
        self.form == form
    }

    pub fn field_errors(&self) -> Vec<FieldError> {
        self.errors
            .iter()
            .map(|(field, message)| FieldError {
                field: field.clone(),
                message: message.clone(),
            })
            .collect()
    }

    /// What is wrong with a form, told by the page.
    pub(crate) fn of(form: &str, error: &AppError) -> Self {
        let fields = error.fields().into_iter();
        Self {
            form: form.to_owned(),
            errors: fields.map(|wrong| (wrong.field, wrong.message)).collect(),
            ..Self::default()
        }
    }

    fn notice(text: &str) -> Self {
        Self {
            notice: Some(text.to_owned()),
            ..Self::default()
        }
    }
}

fn find(pairs: &[(String, String)], field: &str) -> Option<String> {
    pairs
        .iter()
        .find(|(name, _)| name == field)
        .map(|(_, text)| text.clone())
}

/// What the server provides as context for each page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visit {
    pub viewer: Option<Viewer>,
    pub flash: Flash,
    /// The exchange's time when the page was made.
    pub now: Timestamp,
}

const HALF_A_MINUTE: Duration = Duration::from_secs(30);

/// A notice for the page that is being walked to.
#[derive(Clone, Copy)]
struct Ahead(StoredValue<Option<String>>);

#[derive(Clone, Copy)]
struct Now(RwSignal<Timestamp>);

/// Takes the visit from the server's context or, while hydrating, out of the page, and keeps it for the pages.
pub(crate) fn share_visit() {
    let visit = SharedValue::new(|| use_context::<Visit>().unwrap_or_default()).into_inner();
    let now = RwSignal::new(visit.now);
    provide_context(Now(now));
    provide_context(StoredValue::new(visit.viewer));
    provide_context(RwSignal::new(visit.flash));
    provide_context(Ahead(StoredValue::new(None)));
    // In the browser only: effects do not run on the server.
    Effect::new(move |_| {
        let ahead_by = visit.now.since(browser_now());
        set_interval(move || now.set(browser_now().plus(ahead_by)), HALF_A_MINUTE);
    });
}

/// Who is signed in. Constant while a page lives: signing in and out load a new one.
pub fn viewer() -> Option<Viewer> {
    use_context::<StoredValue<Option<Viewer>>>().and_then(|viewer| viewer.get_value())
}

/// The flash; the layout empties it when the visitor walks on to another page.
pub fn flash() -> RwSignal<Flash> {
    use_context::<RwSignal<Flash>>().unwrap_or_default()
}

/// The exchange's time: when the page was made, and in the browser half a minute old at most.
pub fn now() -> Signal<Timestamp> {
    use_context::<Now>().map_or_else(|| Timestamp::default().into(), |Now(now)| now.into())
}

/// The flash of the page that has been walked to: the notice that was left for it, if any.
pub(crate) fn flash_ahead() -> Flash {
    use_context::<Ahead>()
        .and_then(|Ahead(notice)| notice.try_update_value(Option::take).flatten())
        .map_or_else(Flash::default, |text| Flash::notice(&text))
}

/// Walks on inside the hydrated portal, with a notice for the page that follows.
pub(crate) fn use_walk() -> impl Fn(&str, &str) + Clone {
    let flash = flash();
    let ahead = use_context::<Ahead>();
    let here = use_location();
    let navigate = use_navigate();
    move |to: &str, notice: &str| {
        let path = to.split('?').next().unwrap_or_default();
        if here.pathname.get_untracked() == path {
            flash.set(Flash::notice(notice));
        } else if let Some(Ahead(ahead)) = ahead {
            ahead.set_value(Some(notice.to_owned()));
        }
        let search = here.search.get_untracked();
        let query = to.split_once('?').map_or("", |(_, query)| query);
        if here.pathname.get_untracked() != path || search.trim_start_matches('?') != query {
            navigate(to, NavigateOptions::default());
        }
    }
}

/// The browser's clock, which may be wrong: only differences of it are used.
#[cfg(feature = "hydrate")]
fn browser_now() -> Timestamp {
    // Milliseconds since 1970 fit an f64 exactly.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the clock of a browser stays within i64"
    )]
    Timestamp::from_millis(js_sys::Date::now() as i64)
}

#[cfg(not(feature = "hydrate"))]
fn browser_now() -> Timestamp {
    Timestamp::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flash_finds_by_field() {
        let flash = Flash {
            values: vec![("name".to_owned(), "mara".to_owned())],
            errors: vec![(String::new(), "no".to_owned())],
            ..Flash::default()
        };
        assert_eq!(flash.value("name").as_deref(), Some("mara"));
        assert_eq!(flash.value("password"), None);
        assert_eq!(flash.error("").as_deref(), Some("no"));
        assert_eq!(flash.error("name"), None);
    }

    #[test]
    fn produces_needs_one_producing_team() {
        let member = |role| Membership {
            team: "rnd".to_owned(),
            title: "R&D".to_owned(),
            role,
        };
        let viewer = |teams| Viewer {
            name: "mara".to_owned(),
            teams,
            roles: vec![Role::Finance],
        };
        assert!(!viewer(vec![]).produces());
        assert!(!viewer(vec![member(MemberRole::Consumer)]).produces());
        assert!(
            viewer(vec![
                member(MemberRole::Consumer),
                member(MemberRole::Producer)
            ])
            .produces()
        );
        assert!(viewer(vec![]).is(Role::Finance));
        assert!(!viewer(vec![]).is(Role::Admin));
    }
}
