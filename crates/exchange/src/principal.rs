//! Who asks. Every operation of the exchange takes a [`Principal`] first.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use model::{MemberRole, PersonId, Role, ServiceTokenId, TeamId};

/// Who asks, with what they may do as of this request: roles are read anew each time, never kept in a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    kind: Kind,
    /// What the audit log calls it: a person's pseudonym, `operator`, `system`, or `nobody`.
    pseudonym: String,
    /// What pages call it.
    title: String,
    roles: BTreeSet<Role>,
    teams: BTreeMap<TeamId, MemberRole>,
    /// From where the call comes, where that is known.
    address: Option<IpAddr>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Nobody,
    Person(PersonId),
    /// A service token; its person stays responsible.
    Service {
        token: ServiceTokenId,
        person: PersonId,
        /// The one team that it serves; None: it acts as its person.
        team: Option<TeamId>,
    },
    /// Somebody with the data folder in hand: the command line without `--server`.
    Operator,
    /// A worker of this installation.
    System,
}

impl Principal {
    pub fn nobody() -> Self {
        Self::of(Kind::Nobody, "nobody", "Nobody")
    }

    pub fn operator() -> Self {
        Self::of(Kind::Operator, "operator", "Operator")
    }

    pub fn system() -> Self {
        Self::of(Kind::System, "system", "Entrepôt")
    }

    pub(crate) fn person(
        id: PersonId,
        pseudonym: String,
        title: String,
        roles: BTreeSet<Role>,
        teams: BTreeMap<TeamId, MemberRole>,
    ) -> Self {
        Self {
            kind: Kind::Person(id),
            pseudonym,
            title,
            roles,
            teams,
            address: None,
        }
    }

    /// The same, calling from there.
    pub fn at(mut self, address: Option<IpAddr>) -> Self {
        self.address = address;
        self
    }

    /// From where the call comes, where that is known.
    pub fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// The same person through a token; with a team the token holds that one membership and no role.
    pub(crate) fn service(
        mut self,
        token: ServiceTokenId,
        team: Option<(TeamId, MemberRole)>,
    ) -> Self {
        if let Kind::Person(person) = self.kind {
            let team = team.map(|(team, _)| team);
            self.kind = Kind::Service {
                token,
                person,
                team,
            };
        }
        if let Some((team, role)) = team {
            self.roles.clear();
            self.teams = BTreeMap::from([(team, role)]);
        }
        self
    }

    fn of(kind: Kind, pseudonym: &str, title: &str) -> Self {
        Self {
            kind,
            pseudonym: pseudonym.to_owned(),
            title: title.to_owned(),
            roles: BTreeSet::new(),
            teams: BTreeMap::new(),
            address: None,
        }
    }

    pub fn is_signed_in(&self) -> bool {
        matches!(self.kind, Kind::Person(_) | Kind::Service { .. })
    }

    pub fn is_operator(&self) -> bool {
        self.kind == Kind::Operator
    }

    pub fn is_system(&self) -> bool {
        self.kind == Kind::System
    }

    pub fn is_nobody(&self) -> bool {
        self.kind == Kind::Nobody
    }

    /// The person who acts, or who answers for the token that acts.
    pub fn person_id(&self) -> Option<PersonId> {
        match self.kind {
            Kind::Person(person) | Kind::Service { person, .. } => Some(person),
            _ => None,
        }
    }

    /// The person whose account is the caller's own. A token that serves a team answers to a person and is not that person.
    pub fn own_account(&self) -> Option<PersonId> {
        match self.kind {
            Kind::Service { team: Some(_), .. } => None,
            _ => self.person_id(),
        }
    }

    pub fn token_id(&self) -> Option<ServiceTokenId> {
        match self.kind {
            Kind::Service { token, .. } => Some(token),
            _ => None,
        }
    }

    pub fn has(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    pub fn roles(&self) -> impl Iterator<Item = Role> {
        self.roles.iter().copied()
    }

    pub fn teams(&self) -> &BTreeMap<TeamId, MemberRole> {
        &self.teams
    }

    pub fn is_member(&self, team: TeamId) -> bool {
        self.teams.contains_key(&team)
    }

    pub fn is_producer(&self, team: TeamId) -> bool {
        self.teams.get(&team) == Some(&MemberRole::Producer)
    }

    pub fn pseudonym(&self) -> &str {
        &self.pseudonym
    }

    pub fn title(&self) -> &str {
        &self.title
    }

    /// Whether lists show everything: the operator, workers, admins and auditors.
    pub fn sees_all(&self) -> bool {
        self.is_operator() || self.is_system() || self.has(Role::Admin) || self.has(Role::Auditor)
    }

    /// For visibility in SQL: the person whose memberships count, or the one team of a service token.
    pub fn scope(&self) -> (Option<PersonId>, Option<TeamId>) {
        match self.kind {
            Kind::Service {
                team: Some(team), ..
            } => (None, Some(team)),
            Kind::Person(person) | Kind::Service { person, .. } => (Some(person), None),
            _ => (None, None),
        }
    }
}
