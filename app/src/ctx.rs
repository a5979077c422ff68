//! What a page knows about who looks at it. The server puts a [`Visit`] into the context before rendering.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use leptos::prelude::*;
use model::MemberRole;
use model::Role;
use model::Timestamp;
use model::dto::Activation;
use serde::Deserialize;
use serde::Serialize;

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
    /// Field name and what the field showed before somebody wrote into it, of forms that change what is there.
    #[serde(default)]
    pub seen: Vec<(String, String)>,
    /// Field name and sentence; an empty field name speaks of the whole form.
    pub errors: Vec<(String, String)>,
    pub notice: Option<String>,
    /// Whether the notice tells of something wrong.
    #[serde(default)]
    pub is_alarm: bool,
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
    /// What the button says that leads to the provider of identities; None: there is none.
    pub provider: Option<String>,
}

/// A token that has just been made. The one page that answers its making shows it, and no other: it is kept nowhere.
#[derive(Clone)]
pub struct MadeToken(pub Arc<str>);

impl fmt::Debug for MadeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("****")
    }
}

/// A link to a profile that has just been made. As with a token, the one page that answers its making shows it, and no other.
#[derive(Clone)]
pub struct MadeLink(pub Arc<Activation>);

impl fmt::Debug for MadeLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("****")
    }
}

/// The address that a page is asked from, where it is known.
#[derive(Clone, Copy, Debug)]
pub struct CallerAddress(pub IpAddr);

/// Who is signed in.
pub fn viewer() -> Option<Viewer> {
    use_context::<Visit>().and_then(|visit| visit.viewer)
}

/// What the last form left behind for this page.
pub fn flash() -> Flash {
    use_context::<Visit>()
        .map(|visit| visit.flash)
        .unwrap_or_default()
}

/// What the button says that leads to the provider of identities, where there is one.
pub fn provider() -> Option<String> {
    use_context::<Visit>().and_then(|visit| visit.provider)
}

/// The exchange's time when the page was made.
pub fn now() -> Timestamp {
    use_context::<Visit>()
        .map(|visit| visit.now)
        .unwrap_or_default()
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
