//! Who hears of an event by mail: people whose work it is, who have an address and have not turned the kind off.

use model::{CutId, Location, NoticeKind, PersonId, ProductId, TeamId, Timestamp};

use crate::db::{Query, Tx};
use crate::error::Error;
use crate::sql;

/// People who can be written to and want this kind ($1), as a beginning that a condition on `person` follows.
macro_rules! reachable {
    () => {
        "select person.id from person where not disabled and email <> '' and not exists (
             select 1 from muted_notice where muted_notice.person_id = person.id and muted_notice.kind = $1) and "
    };
}

/// Whose work an event is.
#[derive(Clone, Debug)]
pub(crate) enum Audience {
    /// Who may decide: producers of the owning team, and data-protection officers, each where that stage is open. Never who
    /// asked.
    Deciders {
        owner: Option<TeamId>,
        data_protection: bool,
        asker: Option<PersonId>,
    },
    Person(Option<PersonId>),
    Members(TeamId),
    /// The same, also who has turned the kind off: what is told must be known.
    Everybody(TeamId),
    /// One person, also who has turned the kind off.
    Holder(PersonId),
    /// The producers of the product's team.
    Producers(ProductId),
    /// The same, and the members of a team that reads it.
    BothSides(ProductId, TeamId),
    /// The producers, and the members of the teams that read the product's replica at a location: that of a cut, or the whole one.
    Readers(ProductId, Location, Option<CutId>),
}

impl Audience {
    pub(super) async fn people(
        &self,
        tx: &mut Tx,
        kind: NoticeKind,
        now: Timestamp,
    ) -> Result<Vec<PersonId>, Error> {
        let rows = self.query(kind, now).rows(tx).await?;
        Ok(rows
            .iter()
            .map(|row| row.get("id"))
            .collect::<Result<_, _>>()?)
    }

    fn query(&self, kind: NoticeKind, now: Timestamp) -> Query {
        match self {
            Self::Deciders {
                owner,
                data_protection,
                asker,
            } => sql!(
                reachable!(),
                "(person.id in (select person_id from team_member where team_id = $2 and role = 'producer')
                  or ($3 and person.id in (select person_id from person_role where role = 'data_protection')))
                 and (person.id <> $4 or $4 is null) order by person.id"
            )
            .bind(kind)
            .bind(*owner)
            .bind(*data_protection)
            .bind(*asker),
            Self::Person(person) => sql!(reachable!(), "person.id = $2")
                .bind(kind)
                .bind(*person),
            Self::Members(team) => sql!(
                reachable!(),
                "person.id in (select person_id from team_member where team_id = $2) order by person.id"
            )
            .bind(kind)
            .bind(*team),
            Self::Everybody(team) => sql!(
                "select person.id from person where not disabled and email <> ''
                     and person.id in (select person_id from team_member where team_id = $1) order by person.id"
            )
            .bind(*team),
            Self::Holder(person) => sql!(
                "select person.id from person where not disabled and email <> '' and person.id = $1"
            )
            .bind(*person),
            Self::Producers(product) => sql!(
                reachable!(),
                "person.id in (select team_member.person_id from team_member join product on product.team_id = team_member.team_id
                     where product.id = $2 and role = 'producer') order by person.id"
            )
            .bind(kind)
            .bind(*product),
            Self::BothSides(product, team) => sql!(
                reachable!(),
                "(person.id in (select team_member.person_id from team_member join product on product.team_id = team_member.team_id
                      where product.id = $2 and role = 'producer')
                  or person.id in (select person_id from team_member where team_id = $3)) order by person.id"
            )
            .bind(kind)
            .bind(*product)
            .bind(*team),
            Self::Readers(product, location, cut) => sql!(
                reachable!(),
                "(person.id in (select team_member.person_id from team_member join product on product.team_id = team_member.team_id
                      where product.id = $2 and role = 'producer')
                  or person.id in (select team_member.person_id from team_member
                      join recipient on recipient.team_id = team_member.team_id
                      join access_grant on access_grant.recipient_id = recipient.id
                      where access_grant.product_id = $2 and access_grant.mode = 'replica' and desired = 'active'
                          and until_at > $3 and recipient.cloud = $4 and recipient.region = $5
                          and (access_grant.cut_id = $6 or (access_grant.cut_id is null and $6 is null)))) order by person.id"
            )
            .bind(kind)
            .bind(*product)
            .bind(now)
            .bind(location.cloud)
            .bind(location.region())
            .bind(*cut),
        }
    }
}
