//! What a page knows about who looks at it. The server puts a [`Visit`] into the context before rendering, and it
//! travels in the page, so that the browser's first render equals the server's.
//!
//! It is data, not a resource: a `Suspense` around the router mis-hydrates, and the answer is known anyhow.

use leptos::prelude::*;
use model::MemberRole;
use model::Role;
use serde::Deserialize;
use serde::Serialize;

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
}

/// Takes the visit from the server's context or, while hydrating, out of the page, and keeps it for the pages.
pub(crate) fn share_visit() {
    let visit = SharedValue::new(|| use_context::<Visit>().unwrap_or_default()).into_inner();
    provide_context(StoredValue::new(visit.viewer));
    provide_context(RwSignal::new(visit.flash));
}

/// Who is signed in. Constant while a page lives: signing in and out load a new one.
pub fn viewer() -> Option<Viewer> {
    use_context::<StoredValue<Option<Viewer>>>().and_then(|viewer| viewer.get_value())
}

/// The flash; the layout empties it when the visitor walks on to another page.
pub fn flash() -> RwSignal<Flash> {
    use_context::<RwSignal<Flash>>().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flash_finds_by_field() {
        let flash = Flash {
            values: vec![("name".to_owned(), "mara".to_owned())],
            errors: vec![(String::new(), "no".to_owned())],
            notice: None,
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
