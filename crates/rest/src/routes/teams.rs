//! Teams and their members.

use exchange::Operation;
use exchange::page::Page;
use model::dto::{Member, MemberChange, Team, TeamChange, TeamDetail, TeamNew};

use crate::answer::{Nothing, Result, created, done, ok};
use crate::body::Body;
use crate::call::{At, Call, Paged};
use crate::endpoint::Endpoints;
use crate::schema::{all_of, object, of};

#[rustfmt::skip]
pub(crate) fn endpoints() -> Endpoints {
    let with_members = || all_of([of::<Team>(), object([("members", of::<Vec<Member>>())])]);
    Endpoints::new()
        .on(Operation::TeamList, list).pages::<Team>()
        .on(Operation::TeamRead, show).shows(with_members)
        .on(Operation::TeamCreate, create).takes::<TeamNew>().answers::<Team>().created()
        .on(Operation::TeamUpdate, update).takes::<TeamChange>().answers::<Team>()
        .on(Operation::MemberSet, set_member).takes::<MemberChange>()
        .on(Operation::MemberRemove, remove_member)
}

async fn list(call: Call, Paged(page): Paged) -> Result<Page<Team>> {
    ok(call.exchange.teams(&call.principal, &page).await?)
}

async fn show(call: Call, At(team): At<String>) -> Result<TeamDetail> {
    ok(call.exchange.team(&call.principal, &team).await?)
}

async fn create(call: Call, Body(new): Body<TeamNew>) -> Result<Team> {
    created(call.exchange.team_create(&call.principal, new).await?)
}

async fn update(call: Call, At(team): At<String>, Body(new): Body<TeamChange>) -> Result<Team> {
    ok(call
        .exchange
        .team_update(&call.principal, &team, new)
        .await?)
}

async fn set_member(
    call: Call,
    At((team, person)): At<(String, String)>,
    Body(new): Body<MemberChange>,
) -> Result<Nothing> {
    call.exchange
        .member_set(&call.principal, &team, &person, new)
        .await?;
    done()
}

async fn remove_member(call: Call, At((team, person)): At<(String, String)>) -> Result<Nothing> {
    call.exchange
        .member_remove(&call.principal, &team, &person)
        .await?;
    done()
}
