//! `can`: the one place where it is decided who may do what. It reads [`crate::operation::TABLE`] and nothing else.

use model::{PersonId, Role, TeamId};

use crate::error::Error;
use crate::operation::{Operation, Who};
use crate::principal::Principal;

/// What an operation is done to, as far as the rules care.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scope {
    /// The team that owns the product, storage or statement.
    pub owner: Option<TeamId>,
    /// The team that consumes.
    pub consumer: Option<TeamId>,
    /// The person whom it is about.
    pub person: Option<PersonId>,
    /// Whether the data is personal: only then a data-protection officer has a say.
    pub personal: bool,
}

impl Scope {
    pub const NONE: Self = Self {
        owner: None,
        consumer: None,
        person: None,
        personal: false,
    };

    pub fn owner(team: TeamId) -> Self {
        Self {
            owner: Some(team),
            ..Self::NONE
        }
    }

    pub fn consumer(team: TeamId) -> Self {
        Self {
            consumer: Some(team),
            ..Self::NONE
        }
    }

    pub fn person(person: PersonId) -> Self {
        Self {
            person: Some(person),
            ..Self::NONE
        }
    }
}

/// Whether `principal` may do `operation` to what `scope` describes.
pub fn allows(principal: &Principal, operation: Operation, scope: &Scope) -> bool {
    let line = operation.line();
    if principal.is_system() {
        return line.who.contains(&Who::System);
    }
    if principal.is_operator() {
        return !line.person_only && line.who.iter().any(|who| *who != Who::System);
    }
    line.who.iter().any(|who| match who {
        Who::Anyone => true,
        Who::SignedIn => principal.is_signed_in(),
        Who::Producer => scope.owner.is_some_and(|team| principal.is_producer(team)),
        Who::OwnerMember => scope.owner.is_some_and(|team| principal.is_member(team)),
        Who::Consumer => scope.consumer.is_some_and(|team| principal.is_member(team)),
        Who::AnyProducer => principal
            .teams()
            .values()
            .any(|role| *role == model::MemberRole::Producer),
        Who::Oneself => scope.person.is_some() && scope.person == principal.own_account(),
        Who::Admin => principal.has(Role::Admin),
        Who::Finance => principal.has(Role::Finance),
        Who::Auditor => principal.has(Role::Auditor),
        Who::DataProtection => scope.personal && principal.has(Role::DataProtection),
        Who::System => false,
    })
}

/// The same, as an error that says why: for things whose existence the caller may know.
pub fn can(principal: &Principal, operation: Operation, scope: &Scope) -> Result<(), Error> {
    if allows(principal, operation, scope) {
        return Ok(());
    }
    if principal.is_nobody() {
        return Err(Error::Unauthenticated);
    }
    Err(Error::Forbidden(refusal(operation)))
}

/// The same, for things that one may not know of: refused reads as not there.
pub fn can_see(
    principal: &Principal,
    operation: Operation,
    scope: &Scope,
    what: &'static str,
) -> Result<(), Error> {
    match can(principal, operation, scope) {
        Err(Error::Forbidden(_)) => Err(Error::NotFound(what)),
        other => other,
    }
}

fn refusal(operation: Operation) -> String {
    let line = operation.line();
    let who: Vec<&str> = line
        .who
        .iter()
        .filter_map(|who| match who {
            Who::Producer => Some("a producer of the owning team"),
            Who::OwnerMember => Some("a member of the owning team"),
            Who::Consumer => Some("a member of the consuming team"),
            Who::AnyProducer => Some("a producer"),
            Who::Oneself => Some("the person concerned"),
            Who::Admin => Some("an admin"),
            Who::Finance => Some("somebody of finance"),
            Who::Auditor => Some("an auditor"),
            Who::DataProtection => Some("a data-protection officer, for personal data"),
            Who::Anyone | Who::SignedIn | Who::System => None,
        })
        .collect();
    if who.is_empty() {
        "this is done by Entrepôt itself".to_owned()
    } else {
        format!("this takes {}; ask one of them", who.join(" or "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::TABLE;

    #[test]
    fn the_table_has_one_line_per_operation_in_order() {
        assert_eq!(TABLE.len(), Operation::ALL.len());
        for (line, operation) in TABLE.iter().zip(Operation::ALL) {
            assert_eq!(line.operation, *operation);
            assert!(!line.who.is_empty(), "{operation:?} is for nobody");
            assert!(
                (line.rest.is_some() && line.cli.is_some()) || !line.why.is_empty(),
                "{operation:?} lacks a door and says not why"
            );
        }
    }

    #[test]
    fn nobody_may_do_only_what_anyone_may() {
        for line in TABLE {
            let allowed = allows(&Principal::nobody(), line.operation, &Scope::NONE);
            assert_eq!(
                allowed,
                line.who.contains(&Who::Anyone),
                "{:?}",
                line.operation
            );
        }
    }

    #[test]
    fn the_operator_decides_nothing_for_a_person() {
        assert!(!allows(
            &Principal::operator(),
            Operation::RequestDecide,
            &Scope::NONE
        ));
        assert!(allows(
            &Principal::operator(),
            Operation::PersonCreate,
            &Scope::NONE
        ));
        assert!(!allows(
            &Principal::operator(),
            Operation::GrantObserve,
            &Scope::NONE
        ));
    }
}
