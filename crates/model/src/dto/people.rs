//! Domains, teams, people and their tokens.

use serde::{Deserialize, Serialize};

use crate::{IdentityId, MemberRole, Name, PersonId, Role, ServiceTokenId, Timestamp};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Domain {
    pub name: Name,
    pub title: String,
    pub description: String,
    pub revision: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DomainNew {
    pub name: String,
    pub title: String,
    #[serde(default)]
    pub description: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DomainChange {
    #[serde(default)]
    pub title: Option<String>,
    #[serde(default)]
    pub description: Option<String>,
    /// The revision that was looked at; 409 when it has moved on.
    #[serde(default)]
    pub revision: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Team {
    pub name: Name,
    pub domain: Name,
    pub title: String,
    pub cost_center: String,
    pub contact: String,
    pub revision: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TeamDetail {
    #[serde(flatten)]
    pub team: Team,
    pub members: Vec<Member>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub person: Name,
    pub title: String,
    pub role: MemberRole,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TeamNew {
    pub name: String,
    pub domain: String,
    pub title: String,
    pub cost_center: String,
    #[serde(default)]
    pub contact: String,
}

/// A team stays in its domain: its products are named after it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TeamChange {
    #[serde(default)]
    pub title: Option<String>,
    #[serde(default)]
    pub cost_center: Option<String>,
    #[serde(default)]
    pub contact: Option<String>,
    /// The revision that was looked at; 409 when it has moved on.
    #[serde(default)]
    pub revision: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberChange {
    pub role: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    pub id: PersonId,
    pub name: Name,
    pub title: String,
    pub email: String,
    pub disabled: bool,
    pub roles: Vec<Role>,
    pub revision: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonNew {
    pub name: String,
    pub title: String,
    #[serde(default)]
    pub email: String,
    /// Absent: the account cannot sign in with a password until one is set.
    #[serde(default)]
    pub password: Option<String>,
    #[serde(default)]
    pub roles: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonChange {
    #[serde(default)]
    pub title: Option<String>,
    #[serde(default)]
    pub email: Option<String>,
    #[serde(default)]
    pub disabled: Option<bool>,
    /// The revision that was looked at; 409 when it has moved on.
    #[serde(default)]
    pub revision: Option<i64>,
    /// The title that was looked at; 409 when it is to be changed and is another now, whatever else of the person was changed
    /// meanwhile.
    #[serde(default)]
    pub was_title: Option<String>,
    /// The same of the address.
    #[serde(default)]
    pub was_email: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RolesChange {
    pub roles: Vec<String>,
    /// The person's revision that was looked at; 409 when it has moved on.
    #[serde(default)]
    pub revision: Option<i64>,
    /// The roles that were looked at; 409 when they are others now, whatever else of the person was changed meanwhile.
    #[serde(default)]
    pub held: Option<Vec<String>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    /// Needed when one changes one's own.
    #[serde(default)]
    pub current: Option<String>,
    pub password: String,
}

/// What a provider of identities calls a person. Issuer and subject together are the identity; nothing else is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub id: IdentityId,
    pub issuer: String,
    pub subject: String,
    pub linked_at: Timestamp,
    /// When somebody last signed in by it.
    pub used_at: Option<Timestamp>,
    /// Whether it can be taken away: something else lets the person in, too.
    pub removable: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityNew {
    /// As the provider writes it, to the letter.
    pub issuer: String,
    /// As the provider writes it, to the letter; no e-mail address and no name.
    pub subject: String,
}

/// Who is asking, as `/me` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Me {
    pub name: Option<Name>,
    pub title: String,
    pub roles: Vec<Role>,
    pub teams: Vec<Membership>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    pub team: Name,
    pub title: String,
    pub role: MemberRole,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenNew {
    pub name: String,
    /// With a team the token acts as that team's service, with `role`; without one as its person.
    #[serde(default)]
    pub team: Option<String>,
    #[serde(default)]
    pub role: Option<String>,
    /// Days until it ends; 90 when absent, at most 365.
    #[serde(default)]
    pub days: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    pub id: ServiceTokenId,
    pub name: String,
    pub team: Option<Name>,
    pub role: Option<MemberRole>,
    /// The last four characters.
    pub hint: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
}

/// The one answer that holds the token itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenCreated {
    pub token: String,
    #[serde(flatten)]
    pub detail: Token,
}
