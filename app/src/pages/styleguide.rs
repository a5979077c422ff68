//! Every component in every state, for eyes and for axe. Development builds only, rendered on the server only.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_meta::provide_meta_context;
use leptos_router::components::Router;
use model::Timestamp;
use model::time::DAY;

use crate::charts::against::Against;
use crate::charts::against::Comparison;
use crate::charts::bars::Bars;
use crate::charts::bars::Stack;
use crate::charts::flows::Flow;
use crate::charts::flows::FlowMap;
use crate::charts::timeline::Kind as TrackKind;
use crate::charts::timeline::Mark;
use crate::charts::timeline::Row;
use crate::charts::timeline::Timeline;
use crate::charts::timeline::Tracks;
use crate::components::badge::Badge;
use crate::components::button::Button;
use crate::components::button::Weight;
use crate::components::code::Code;
use crate::components::dialog::Dialog;
use crate::components::field::Field;
use crate::components::field::Kind;
use crate::components::field::Select;
use crate::components::flash::Notice;
use crate::components::flash::Problems;
use crate::components::flash::Tone;
use crate::components::load::Empty;
use crate::components::load::Loading;
use crate::components::meanwhile::Meanwhile;
use crate::components::pager::Pager;
use crate::components::steps::Stand;
use crate::components::steps::Step;
use crate::components::steps::Steps;
use crate::components::table::Column;
use crate::components::table::Table;
use crate::components::tabs::Tabs;
use crate::components::text_area::TextArea;
use crate::components::tick::Group;
use crate::components::tick::Tick;
use crate::components::time::Ago;
use crate::components::time::Day;
use crate::components::time::LastDay;
use crate::components::time::Time;
use crate::ctx::Flash;
use crate::error::FieldError;
use crate::islands::icon::Icon;
use crate::layout::Layout;
use crate::url;
use crate::words;

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
            <h2>"Instants"</h2>
            <Instants/>
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
            <h2>"Parts of a page"</h2>
            <Parts/>
            <h2>"How far something is"</h2>
            <Way/>
            <h2>"Text to take along"</h2>
            <Code text="import delta_sharing\n\ntable = delta_sharing.load_as_pandas(\"rnd_weu.share#vehicle-visits.default.visits\")" label="Lines for pandas"/>
            <h2>"Nothing there, not there yet, changed meanwhile"</h2>
            <Instead/>
            <h2>"Pictures"</h2>
            <Pictures/>
            <h2>"Dialog"</h2>
            <div class="actions"><Dialog id="revoke" open="Revoke the grant" title="Revoke the grant?">
                <p>"New calls are refused at once. URLs already handed out live for another fifteen minutes."</p>
            </Dialog></div>
        </section>
    }
}

#[component]
fn Pictures() -> impl IntoView {
    let flow = |from: &str, to: &str, value: u64, label: &str| Flow {
        from: from.to_owned(),
        to: to.to_owned(),
        value,
        label: label.to_owned(),
        href: (from != to).then(|| "/styleguide#flows".to_owned()),
    };
    let flows = vec![
        flow(
            "AWS eu-central-1",
            "Azure westeurope",
            90_000_000_000,
            "8.10 USD",
        ),
        flow(
            "AWS eu-central-1",
            "Google Cloud europe-west3",
            21_000_000_000,
            "1.89 USD",
        ),
        flow("Azure westeurope", "Azure westeurope", 400_000, "0.00 USD"),
    ];
    let against = |name: &str, would_be: u64, is: u64, outcome: &str| Against {
        name: name.to_owned(),
        baseline: "a full load of today's size every 7 days by each of 3 consumers".to_owned(),
        would_be,
        is,
        outcome: outcome.to_owned(),
        href: Some("/styleguide".to_owned()),
    };
    let compared = vec![
        against(
            "Azure westeurope",
            900_000_000_000,
            40_000_000_000,
            "95 % saved, worth 77.40 USD",
        ),
        against(
            "Azure northeurope",
            10_000_000_000,
            12_000_000_000,
            "−20 % saved, a loss of 0.18 USD",
        ),
    ];
    let day = |days: i64| Timestamp::from_micros(1_769_846_400_000_000).plus(days * DAY);
    let row = |name: &str, kind, marks: &[i64], late: &[(i64, i64)]| Row {
        name: name.to_owned(),
        kind,
        marks: marks
            .iter()
            .map(|days| Mark {
                at: day(*days),
                figure: format!("version {days}"),
                href: (kind == TrackKind::Copy).then(|| "/styleguide".to_owned()),
            })
            .collect(),
        promise: (kind == TrackKind::Copy).then(|| "promised: every 2d".to_owned()),
        late: late
            .iter()
            .map(|(from, until)| (day(*from), day(*until)))
            .collect(),
    };
    let timeline = Timeline {
        from: day(0),
        until: day(31),
        rows: vec![
            row(
                "default.visits at the source",
                TrackKind::Source,
                &[1, 2, 5, 9, 14, 15, 22, 28],
                &[],
            ),
            row(
                "default.visits in Azure westeurope",
                TrackKind::Copy,
                &[2, 4, 6, 8, 10, 21, 23, 29],
                &[(17, 21)],
            ),
        ],
    };
    let days: Vec<String> = (0..7).map(|days| words::day(day(days))).collect();
    let moved = days.iter().zip(0_u64..).flat_map(|(day, number)| {
        let of =
            |name: &str, gigabytes: u64| (day.clone(), name.to_owned(), gigabytes * 1_000_000_000);
        [
            of("vehicle-visits", 40 - 5 * number),
            of("vehicle-parts", 3 * number),
        ]
    });
    let stack = Stack::of(&days, moved);
    let href = |name: &String| Some(format!("/products/{name}"));
    let hrefs = stack.series.iter().map(href).collect();
    view! {
        <Bars id="bars" title="Bytes by day and product" stack said=words::bytes hrefs/>
        <FlowMap id="flows" title="Moved from place to place" flows said=words::bytes/>
        <Comparison title="Moved, against the baseline" would_be="Baseline" is="Moved" rows=compared said=words::bytes/>
        <Tracks title="Commits and syncs" timeline/>
    }
}

#[component]
fn Instants() -> impl IntoView {
    let at = Timestamp::from_micros(1_769_846_400_000_000);
    view! { <p><Time at/>", "<Ago at/>", on "<Day at/>", to the end of "<LastDay at/></p> }
}

#[component]
fn Parts() -> impl IntoView {
    let tabs = [
        ("", "Overview"),
        ("schema", "Schema"),
        ("cost", "Usage and cost"),
    ];
    let tabs = tabs.map(|(tab, title)| (url::with_query("/styleguide", [("tab", tab)]), title));
    view! { <Tabs label="Parts of the product" tabs=tabs.to_vec() current="/styleguide".to_owned()/> }
}

#[component]
fn Way() -> impl IntoView {
    view! {
        <Steps label="How far the run is">
            <Step stand=Stand::Done title="Planned"><p class="muted">"for 2.1 s"</p></Step>
            <Step stand=Stand::Now title="Copied"><p class="muted">"12 GB of 40 GB"</p></Step>
            <Step stand=Stand::Ahead title="Committed"><span></span></Step>
            <Step stand=Stand::Failed title="Parked: a person has to look"><p class="reason">"The store does not answer."</p></Step>
        </Steps>
    }
}

/// What stands where something else would.
#[component]
fn Instead() -> impl IntoView {
    let returned = Flash {
        values: vec![("revision".to_owned(), "1".to_owned())],
        ..Flash::default()
    };
    view! {
        <Empty title="You read nothing yet"><p>"Find a product and ask for it."</p></Empty>
        <Loading/>
        {Meanwhile::of(&returned, 2).told()}
    }
}

#[component]
fn Notices() -> impl IntoView {
    let problem = |field: &str, message: &str| FieldError {
        field: field.to_owned(),
        message: message.to_owned(),
    };
    let problems = vec![
        problem("until", "The day has passed. Choose a later one."),
        problem("purpose.text", "Say something here."),
    ];
    view! {
        <Notice tone=Tone::Plain>"A copy is being made. You can leave this page."</Notice>
        <Notice tone=Tone::Good>"The request is sent."</Notice>
        <Notice tone=Tone::Warn>"This grant ends in 14 days."</Notice>
        <Notice tone=Tone::Bad>"The table could not be read."</Notice>
        <Problems problems/>
    }
}

#[component]
fn Form() -> impl IntoView {
    let modes = [("live", "Live"), ("replica", "Replica")];
    let modes = modes.map(|(word, title)| (word.to_owned(), title.to_owned()));
    view! {
        <form class="card form" method="get" action="/styleguide">
            <Field label="Product" name="product" hint="Lower case, with hyphens." value=Some("vehicle-workshop-visits".to_owned())/>
            <Field label="Until" name="until" kind=Kind::Date error=Some("The day has passed. Choose a later one.".to_owned())/>
            <Field label="Passphrase" name="passphrase" kind=Kind::Password autocomplete="off"/>
            <Field label="Most rows" name="rows" kind=Kind::Number/>
            <Field label="Search" name="search" kind=Kind::Search/>
            <Select label="Mode" name="mode" options=modes.to_vec() value=Some("replica".to_owned()) hint="Live reads the producer’s files." error=Some("The replica’s storage takes none.".to_owned())/>
            <Group label="Roles" name="roles" hint="They hold for the whole organisation.">
                <Tick label="Auditor" name="auditor" checked=true hint="Reads the audit log."/>
                <Tick label="Finance" name="finance"/>
            </Group>
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
