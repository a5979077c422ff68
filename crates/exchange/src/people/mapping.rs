//! What the groups of a provider of identities give here. Nothing is given that is not written down: a group that no rule names
//! gives nothing, and without rules nobody gets anything.

use std::collections::{BTreeMap, BTreeSet};

use model::{MemberRole, Name, Role};

/// Who may come by the provider, and as what. The same on every process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProviderRules {
    /// What the button of the sign-in page says.
    pub title: String,
    /// Only who has an account that the identity is linked to; else a first sign-in makes one.
    pub known_only: bool,
    pub groups: Vec<GroupRule>,
}

/// What one group gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRule {
    /// As the provider writes it, to the letter.
    pub group: String,
    pub roles: BTreeSet<Role>,
    pub teams: BTreeMap<Name, MemberRole>,
}

/// What somebody's groups give together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Given {
    pub(super) roles: BTreeSet<Role>,
    /// In a team that several groups give, the most that one of them does.
    pub(super) teams: BTreeMap<Name, MemberRole>,
}

impl ProviderRules {
    pub(super) fn given(&self, groups: &BTreeSet<String>) -> Given {
        let mut given = Given::default();
        for rule in self
            .groups
            .iter()
            .filter(|rule| groups.contains(&rule.group))
        {
            given.roles.extend(&rule.roles);
            for (team, role) in &rule.teams {
                let held = given.teams.entry(team.clone()).or_insert(*role);
                *held = (*held).max(*role);
            }
        }
        given
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(group: &str, roles: &[Role], teams: &[(&str, MemberRole)]) -> GroupRule {
        GroupRule {
            group: group.to_owned(),
            roles: roles.iter().copied().collect(),
            teams: teams
                .iter()
                .map(|(team, role)| (team.parse().unwrap(), *role))
                .collect(),
        }
    }

    #[test]
    fn groups_give_what_rules_say_and_nothing_else() {
        let rules = ProviderRules {
            groups: vec![
                rule(
                    "finance",
                    &[Role::Finance],
                    &[("rnd", MemberRole::Producer)],
                ),
                rule("everybody", &[], &[("rnd", MemberRole::Consumer)]),
                rule("everybody", &[Role::Auditor], &[]),
            ],
            ..ProviderRules::default()
        };
        let given = |groups: &[&str]| {
            let groups = groups.iter().map(|group| (*group).to_owned()).collect();
            rules.given(&groups)
        };
        // Also words that are roles here, and names that differ by case or space.
        for none in [&[][..], &["admin", "Finance", "finance ", "rnd", "*", ""]] {
            assert_eq!(given(none), Given::default(), "{none:?}");
        }
        let rnd: Name = "rnd".parse().unwrap();
        let some = given(&["everybody"]);
        assert_eq!(some.roles, BTreeSet::from([Role::Auditor]));
        assert_eq!(some.teams.get(&rnd), Some(&MemberRole::Consumer));
        let all = given(&["everybody", "finance", "unknown"]);
        assert_eq!(all.roles, BTreeSet::from([Role::Finance, Role::Auditor]));
        assert_eq!(all.teams.get(&rnd), Some(&MemberRole::Producer));
    }
}
