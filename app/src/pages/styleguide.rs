//! Every component in every state, for eyes and for axe. Development builds only, rendered on the server only.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_meta::provide_meta_context;
use leptos_router::components::Router;
use model::Timestamp;

use crate::components::badge::Badge;
use crate::components::button::Button;
use crate::components::button::Weight;
use crate::components::dialog::Dialog;
use crate::components::field::Field;
use crate::components::field::Kind;
use crate::components::flash::Notice;
use crate::components::flash::Tone;
use crate::components::pager::Pager;
use crate::components::table::Column;
use crate::components::table::Table;
use crate::components::text_area::TextArea;
use crate::components::time::Time;
use crate::islands::icon::Icon;
use crate::layout::Layout;

/// The style guide as an app of its own.
#[component]
pub fn StyleguideApp() -> impl IntoView {
    provide_meta_context();
    view! {
        <Title text="Style guide · Entrepôt"/>
        <Router>
            <Layout><Styleguide/></Layout>
        </Router>
    }
}

#[component]
fn Styleguide() -> impl IntoView {
    view! {
        <section class="page">
            <p class="stencil">"For developers"</p>
            <h1>"Style guide"</h1>
            <p class="lead">"Every component as it stands, to be looked at in light, dark, narrow and print."</p>
            <h2>"Messages"</h2>
            <Notices/>
            <h2>"Words about a state"</h2>
            <p class="actions">
                {Tone::ALL.map(|tone| view! { <Badge tone>{tone.as_str()}</Badge> }).collect_view()}
            </p>
            <h2>"Buttons"</h2>
            <form class="actions" method="get" action="/styleguide">
                <Button weight=Weight::Primary>"Primary"<Icon name="right"/></Button>
                <Button>"Secondary"</Button>
                <Button weight=Weight::Danger>"Danger"</Button>
                <Button weight=Weight::Quiet><Icon name="out"/>"Quiet"</Button>
            </form>
            <h2>"Form"</h2>
            <Form/>
            <h2>"Table"</h2>
            <Runs/>
            <Pager first=Some("/styleguide?first=1".to_owned()) next=Some("/styleguide?after=9".to_owned())/>
            <h2>"Dialog"</h2>
            <div class="actions"><Dialog id="revoke" open="Revoke the grant" title="Revoke the grant?">
                <p>"New calls are refused at once. URLs already handed out live for another fifteen minutes."</p>
            </Dialog></div>
        </section>
    }
}

#[component]
fn Notices() -> impl IntoView {
    view! {
        <Notice tone=Tone::Plain>"A copy is being made. You can leave this page."</Notice>
        <Notice tone=Tone::Good>"The request is sent."</Notice>
        <Notice tone=Tone::Warn>"This grant ends in 14 days."</Notice>
        <Notice tone=Tone::Bad>"The table could not be read."</Notice>
    }
}

#[component]
fn Form() -> impl IntoView {
    view! {
        <form class="card form" method="get" action="/styleguide">
            <Field label="Product" name="product" hint="Lower case, with hyphens." value=Some("vehicle-workshop-visits".to_owned())/>
            <Field label="Until" name="until" kind=Kind::Date error=Some("The day has passed. Choose a later one.".to_owned())/>
            <Field label="Passphrase" name="passphrase" kind=Kind::Password autocomplete="off"/>
            <Field label="Most rows" name="rows" kind=Kind::Number/>
            <Field label="Search" name="search" kind=Kind::Search/>
            <TextArea label="Purpose" name="purpose" hint="One sentence." value="Warranty analysis of <all> brands & years"/>
            <div class="actions"><Button weight=Weight::Primary>"Ask for access"</Button></div>
        </form>
    }
}

#[component]
fn Runs() -> impl IntoView {
    let started = Timestamp::from_micros(1_769_846_400_000_000);
    let columns = vec![
        Column::Text("Table"),
        Column::Text("Started"),
        Column::Text("Versions"),
        Column::Number("Copied"),
        Column::Text("State"),
    ];
    view! {
        <Table caption="Sync runs" head=columns>
            <tr>
                <th scope="row" class="code">"visits"</th>
                <td><Time at=started/></td>
                <td>"41 → 43"</td>
                <td class="number">"1.2 GB"</td>
                <td><Badge tone=Tone::Good>"verified"</Badge></td>
            </tr>
            <tr>
                <th scope="row" class="code">"invoices"</th>
                <td><Time at=started/></td>
                <td>"7 → 8"</td>
                <td class="number">"310 MB"</td>
                <td><Badge tone=Tone::Warn>"parked"</Badge></td>
            </tr>
            <tr>
                <th scope="row" class="code">"parts"</th>
                <td><Time at=started/></td>
                <td>"12 → 12"</td>
                <td class="number">"0 B"</td>
                <td><Badge tone=Tone::Bad>"failed"</Badge></td>
            </tr>
        </Table>
    }
}
