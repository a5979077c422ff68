//! By which identities of a provider an account is signed in to, and taking one away: on one's own account's page, and on a
//! person's page to who may look at it.

use leptos::prelude::*;
use model::dto::Identity;

use crate::api;
use crate::components::button::Weight;
use crate::components::field::Field;
use crate::components::form::Form;
use crate::components::form::Hidden;
use crate::components::form::Submit;
use crate::components::table::Column;
use crate::components::table::Table;
use crate::components::time::Ago;
use crate::components::time::Day;
use crate::ctx;
use crate::wire;
use crate::words::identities as words;

/// Of the account that is signed in to by `name`. Nothing where there is no provider, and none of one that was.
pub(crate) fn block(
    name: &str,
    found: Vec<Identity>,
    may_unlink: bool,
    is_own: bool,
) -> impl IntoView + use<> {
    let is_of_use = ctx::provider().is_some() || !found.is_empty();
    let name = name.to_owned();
    is_of_use.then(move || {
        view! {
            <section class="block">
                <h2>{words::HEADING}</h2>
                {if found.is_empty() {
                    view! { <p class="muted">{words::NONE}</p> }.into_any()
                } else {
                    table(&name, found, may_unlink, is_own).into_any()
                }}
            </section>
        }
    })
}

fn table(
    name: &str,
    found: Vec<Identity>,
    may_unlink: bool,
    is_own: bool,
) -> impl IntoView + use<> {
    let rows = found
        .into_iter()
        .map(|identity| row(name, identity, may_unlink, is_own))
        .collect_view();
    let mut head = vec![
        Column::Text(words::ISSUER),
        Column::Text(words::SUBJECT),
        Column::Text(words::LINKED),
        Column::Text(words::USED),
    ];
    if may_unlink {
        head.push(Column::Text(words::TO_DO));
    }
    view! {
        <p class="muted">{words::LEAD}</p>
        <Table caption=words::CAPTION head>{rows}</Table>
    }
}

fn row(name: &str, identity: Identity, may_unlink: bool, is_own: bool) -> impl IntoView + use<> {
    let used = match identity.used_at {
        Some(at) => view! { <Ago at/> }.into_any(),
        None => view! { <span class="muted">{words::NEVER}</span> }.into_any(),
    };
    let way = may_unlink.then(|| {
        let way = if identity.removable {
            unlink(name, identity.id.to_string(), is_own).into_any()
        } else {
            view! { <span class="muted">{words::ONLY_WAY}</span> }.into_any()
        };
        view! { <td>{way}</td> }
    });
    view! {
        <tr>
            <th scope="row" class="code">{identity.issuer}</th>
            <td class="code">{identity.subject}</td>
            <td><Day at=identity.linked_at/></td>
            <td>{used}</td>
            {way}
        </tr>
    }
}

fn unlink(name: &str, id: String, is_own: bool) -> impl IntoView + use<> {
    let action = wire::form::<api::people::UnlinkIdentity>();
    let form = format!("unlink-{id}");
    let returned = ctx::flash().is_of(&form);
    let (label, button) = (words::confirm(name), words::unlink(name));
    let name = name.to_owned();
    let why = if is_own { words::OWN } else { words::OTHERS };
    // Who unlinks their own is signed out, and finds the way in on the page that they come to.
    let stay = !is_own;
    view! {
        <details class="fold" open=returned>
            <summary>{words::UNLINK}</summary>
            <Form id=form action stay=stay>
                <Hidden name="person" value=name/>
                <Hidden name="identity" value=id/>
                <p>{why}</p>
                <Field label name="confirm" required=true autocomplete="off"/>
                <div class="actions"><Submit weight=Weight::Danger>{button}</Submit></div>
            </Form>
        </details>
    }
}
