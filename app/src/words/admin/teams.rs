//! The pages of teams and their members.

use std::fmt::Display;

// All teams.
pub(crate) const TEAMS: &str = "Teams";
pub(crate) const WHAT_TEAMS_ARE: &str = "Products and access belong to teams, never to people. What a team causes is on its cost centre.";
pub(crate) const NO_TEAM_YET: &str = "No team yet";
pub(crate) const MAKE_A_TEAM_FIRST: &str = "Make one, then say who belongs to it: as a consumer, who asks for access, or as a producer, who also owns products.";
pub(crate) const A_DOMAIN_COMES_FIRST: &str = "A team is in a domain, and there is none yet.";
pub(crate) const MAKE_A_DOMAIN: &str = "Make a domain";
pub(crate) const TEAM: &str = "Team";
pub(crate) const DOMAIN: &str = "Domain";
pub(crate) const COST_CENTRE: &str = "Cost centre";
pub(crate) const CONTACT: &str = "Contact";
pub(crate) const MAKE_A_TEAM: &str = "Make a team";
pub(crate) const NAME: &str = "Name";
pub(crate) const NAME_HINT: &str = "Lower case, for example aftersales. It stays.";
pub(crate) const TITLE: &str = "Title";
pub(crate) const TITLE_HINT: &str = "For people, for example After-Sales.";
pub(crate) const DOMAIN_HINT: &str = "It stays: products are named after it.";
pub(crate) const COST_CENTRE_HINT: &str = "Where statements go.";
pub(crate) const CONTACT_HINT: &str = "Whom others ask, for example a mailbox.";
pub(crate) const MAKE_THE_TEAM: &str = "Make the team";

// One team and its members.
pub(crate) const NONE_NAMED: &str = "none named";
pub(crate) const MEMBERS: &str = "Members";
pub(crate) const NOBODY_BELONGS_TO_IT_YET: &str = "Nobody belongs to it yet";
pub(crate) const WHAT_A_TEAM_NEEDS_MEMBERS_FOR: &str =
    "Until somebody does, nobody can ask for access in its name or own its products.";
pub(crate) const PERSON: &str = "Person";
pub(crate) const ROLE: &str = "Role";
pub(crate) const WHAT_TO_DO: &str = "What to do";
pub(crate) const REMOVE: &str = "Remove";
pub(crate) const WHAT_REMOVING_DOES: &str =
    "What the team owns and may read stays the team’s. You can add this person again.";
pub(crate) const ADD_A_MEMBER: &str = "Add a member";
pub(crate) const MEMBER_NAME_HINT: &str = "The name to sign in with, for example mara.";
pub(crate) const MEMBER_ROLE_HINT: &str =
    "A producer also registers products and decides on requests.";
pub(crate) const ADD_THE_MEMBER: &str = "Add the member";
pub(crate) const CHANGE_THE_TEAM: &str = "Change the team";

pub(crate) fn make_a_producer(person: &dyn Display) -> String {
    format!("Make {person} a producer")
}

pub(crate) fn make_a_consumer(person: &dyn Display) -> String {
    format!("Make {person} a consumer")
}

pub(crate) fn remove_member(person: &dyn Display) -> String {
    format!("Remove {person}")
}
