//! People, their roles, passwords and identities, and who is asking.

use exchange::Operation;
use model::IdentityId;
use model::dto::{
    Identity, IdentityNew, Me, Notifications, NotificationsChange, PasswordChange, Person,
    PersonChange, PersonNew, RolesChange,
};

use crate::answer::{Nothing, Result, created, done, ok};
use crate::body::Body;
use crate::call::{At, Call, Paged};
use crate::endpoint::Endpoints;

#[rustfmt::skip]
pub(crate) fn endpoints() -> Endpoints {
    Endpoints::new()
        .on(Operation::PersonRead, me).answers::<Me>()
        .on(Operation::PersonList, list).pages::<Person>()
        .on(Operation::PersonCreate, create).takes::<PersonNew>().answers::<Person>().created()
        .on(Operation::PersonUpdate, update).takes::<PersonChange>().answers::<Person>()
        .on(Operation::RoleSet, set_roles).takes::<RolesChange>().answers::<Person>()
        .on(Operation::PasswordSet, set_password).takes::<PasswordChange>()
        .on(Operation::NotificationsRead, notifications).answers::<Notifications>()
        .on(Operation::NotificationsSet, set_notifications).takes::<NotificationsChange>().answers::<Notifications>()
        .on(Operation::IdentityList, identities).pages::<Identity>()
        .on(Operation::IdentityLink, link).takes::<IdentityNew>().answers::<Identity>().created()
        .on(Operation::IdentityUnlink, unlink)
}

async fn me(call: Call) -> Result<Me> {
    ok(call.exchange.me(&call.principal).await?)
}

async fn list(call: Call, Paged(page): Paged) -> Result<exchange::page::Page<Person>> {
    ok(call.exchange.people(&call.principal, &page).await?)
}

async fn create(call: Call, Body(new): Body<PersonNew>) -> Result<Person> {
    created(call.exchange.person_create(&call.principal, new).await?)
}

async fn update(
    call: Call,
    At(person): At<String>,
    Body(new): Body<PersonChange>,
) -> Result<Person> {
    ok(call
        .exchange
        .person_update(&call.principal, &person, new)
        .await?)
}

async fn set_roles(
    call: Call,
    At(person): At<String>,
    Body(new): Body<RolesChange>,
) -> Result<Person> {
    ok(call
        .exchange
        .roles_set(&call.principal, &person, new)
        .await?)
}

async fn set_password(
    call: Call,
    At(person): At<String>,
    Body(new): Body<PasswordChange>,
) -> Result<Nothing> {
    call.exchange
        .password_set(&call.principal, &person, new)
        .await?;
    done()
}

async fn notifications(call: Call, At(person): At<String>) -> Result<Notifications> {
    ok(call
        .exchange
        .notifications(&call.principal, &person)
        .await?)
}

async fn set_notifications(
    call: Call,
    At(person): At<String>,
    Body(new): Body<NotificationsChange>,
) -> Result<Notifications> {
    ok(call
        .exchange
        .notifications_set(&call.principal, &person, new)
        .await?)
}

async fn identities(
    call: Call,
    At(person): At<String>,
    Paged(page): Paged,
) -> Result<exchange::page::Page<Identity>> {
    ok(call
        .exchange
        .identities(&call.principal, &person, &page)
        .await?)
}

async fn link(
    call: Call,
    At(person): At<String>,
    Body(new): Body<IdentityNew>,
) -> Result<Identity> {
    created(
        call.exchange
            .identity_link(&call.principal, &person, new)
            .await?,
    )
}

async fn unlink(call: Call, At((person, identity)): At<(String, IdentityId)>) -> Result<Nothing> {
    call.exchange
        .identity_unlink(&call.principal, &person, identity)
        .await?;
    done()
}
