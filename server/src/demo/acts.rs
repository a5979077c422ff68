//! What people do in the story, and on which day.

use anyhow::{Context as _, ensure};
use exchange::Principal;
use model::dto::{DecisionNew, ModeOffer, Money, PurposeNew, Request, RequestNew, SyncJobChange};
use model::time::DAY;
use model::{AdviceState, GrantActual, Mode, Stage, StatementState};

use super::clouds::{CLAIMS, ORDERS, PARTS, Place, VISITS};
use super::journey::{Journey, told};
use super::report::every;
use super::story::{percent, size};

/// R&D's machines in Azure, and those of its laboratory in Google's cloud.
pub(super) const RECIPIENT: &str = "rnd_weu";
const LABORATORY: &str = "rnd_ew3";

/// A wish for access.
struct Wish {
    place: Place,
    recipient: &'static str,
    mode: Mode,
    code: &'static str,
    text: &'static str,
}

pub(super) async fn of_day(journey: &mut Journey<'_, '_>, day: u32) -> anyhow::Result<()> {
    match day {
        1 => {
            let request = ask(
                journey,
                Wish {
                    place: VISITS,
                    recipient: RECIPIENT,
                    mode: Mode::Replica,
                    code: "warranty",
                    text: "Which trouble codes come back within ninety days of a repair?",
                },
            )
            .await?;
            let request = approve(
                journey,
                request,
                Stage::Owner,
                "Welcome; the table is yours to read.",
            )
            .await?;
            granted(journey, &request).await?;
            every_second_day(journey, VISITS, RECIPIENT).await?;
            let request = ask(
                journey,
                Wish {
                    place: ORDERS,
                    recipient: RECIPIENT,
                    mode: Mode::Live,
                    code: "forecast",
                    text: "Which parts run short after a recall?",
                },
            )
            .await?;
            granted(journey, &request).await?;
        }
        2 => {
            journey.download_profile(RECIPIENT).await?;
            read_all(journey).await?;
        }
        3 => {
            let request = ask(
                journey,
                Wish {
                    place: CLAIMS,
                    recipient: RECIPIENT,
                    mode: Mode::Replica,
                    code: "quality",
                    text: "Failures by part and kilometres; contacts are needed to invite customers to a study.",
                },
            )
            .await?;
            let request = approve(
                journey,
                request,
                Stage::Owner,
                "Agreed with the quality board.",
            )
            .await?;
            let note =
                "For the study only; whoever asks to be forgotten is forgotten in the replica too.";
            let request = approve(journey, request, Stage::DataProtection, note).await?;
            granted(journey, &request).await?;
            every_second_day(journey, CLAIMS, RECIPIENT).await?;
        }
        5 => {
            let request = ask(
                journey,
                Wish {
                    place: CLAIMS,
                    recipient: LABORATORY,
                    mode: Mode::Replica,
                    code: "training",
                    text: "A second copy to train a model on.",
                },
            )
            .await?;
            let request = approve(journey, request, Stage::Owner, "Fine with us.").await?;
            let note = "Names and contacts stay in one place; train on the copy that you have.";
            decide(journey, request, Stage::DataProtection, "reject", note).await?;
        }
        9 => {
            let request = ask(
                journey,
                Wish {
                    place: VISITS,
                    recipient: LABORATORY,
                    mode: Mode::Replica,
                    code: "training",
                    text: "Learning to foresee failures from visits and kilometres.",
                },
            )
            .await?;
            let request = approve(journey, request, Stage::Owner, "Good luck with it.").await?;
            granted(journey, &request).await?;
            every_second_day(journey, VISITS, LABORATORY).await?;
            journey.download_profile(LABORATORY).await?;
            journey.read(LABORATORY, &[VISITS]).await?;
        }
        8 | 15 | 22 | 29 => {
            read_all(journey).await?;
            if day > 9 {
                journey.read(LABORATORY, &[VISITS]).await?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// What R&D reads every week with its profile: two replicas beside it, and the orders live.
async fn read_all(journey: &mut Journey<'_, '_>) -> anyhow::Result<()> {
    let mut places = vec![VISITS, ORDERS, PARTS];
    if journey.exchange().now() >= journey.calendar.at(4, 0, 0) {
        places.push(CLAIMS);
    }
    journey.read(RECIPIENT, &places).await
}

/// The last day: what is over is billed, and something is left to decide.
pub(super) async fn of_today(journey: &mut Journey<'_, '_>) -> anyhow::Result<()> {
    issue(journey).await?;
    ask(
        journey,
        Wish {
            place: CLAIMS,
            recipient: RECIPIENT,
            mode: Mode::Live,
            code: "quality",
            text: "Claims of this very day, for the weekly board.",
        },
    )
    .await?;
    savings(journey).await?;
    advice(journey).await
}

async fn ask(journey: &mut Journey<'_, '_>, wish: Wish) -> anyhow::Result<Request> {
    let product = wish.place.product;
    let offer = journey
        .exchange()
        .offer(&journey.cast.mara, product, wish.recipient, None)
        .await?;
    let mode = offer
        .modes
        .iter()
        .find(|offer| offer.mode == wish.mode)
        .with_context(|| format!("{product} is not offered in that mode"))?;
    let line = format!(
        "mara asks for {product} at {}, mode {}: {}",
        wish.recipient,
        wish.mode,
        priced(mode)
    );
    journey.tell(&line);
    let until = journey.stage.now.plus(365 * DAY);
    let until = until.date().context("a date out of range")?;
    let new = RequestNew {
        product: product.to_owned(),
        recipient: wish.recipient.to_owned(),
        mode: wish.mode.to_string(),
        cut: None,
        until: until.to_string(),
        purpose: PurposeNew {
            code: wish.code.to_owned(),
            text: wish.text.to_owned(),
        },
    };
    journey
        .exchange()
        .request_create(&journey.cast.mara, new)
        .await
        .map_err(told)
}

fn priced(offer: &ModeOffer) -> String {
    let money = |money: Option<Money>| {
        money.map_or_else(
            || "at no known price".to_owned(),
            |money| format!("{} {}", money.amount, money.currency),
        )
    };
    match offer.mode {
        Mode::Live => format!(
            "nothing first, then about {} a month for {}; {}",
            size(offer.month_bytes),
            money(offer.month_transfer),
            offer.freshness
        ),
        Mode::Replica => format!(
            "first {} for {}, then about {} a month for {}",
            size(offer.first_copy_bytes),
            money(offer.first_copy),
            size(offer.month_bytes),
            money(offer.month_transfer)
        ),
    }
}

async fn approve(
    journey: &mut Journey<'_, '_>,
    request: Request,
    stage: Stage,
    note: &str,
) -> anyhow::Result<Request> {
    decide(journey, request, stage, "approve", note).await
}

async fn decide(
    journey: &mut Journey<'_, '_>,
    request: Request,
    stage: Stage,
    verdict: &str,
    note: &str,
) -> anyhow::Result<Request> {
    let (name, who): (&str, &Principal) = match stage {
        Stage::DataProtection => ("dora, data protection,", &journey.cast.dora),
        _ => ("jonas, the owner,", &journey.cast.jonas),
    };
    let new = DecisionNew {
        verdict: verdict.to_owned(),
        note: note.to_owned(),
        revision: request.revision,
        stage: Some(stage.to_string()),
        live_bytes_per_day: None,
        scope: None,
    };
    let decided = journey
        .exchange()
        .request_decide(who, request.id, new)
        .await
        .map_err(told)?;
    journey.tell(&format!(
        "{name} says {}: “{note}”",
        if verdict == "approve" { "yes" } else { "no" }
    ));
    Ok(decided)
}

/// The server grants, copies where a replica is wanted, and looks; then it must be active.
async fn granted(journey: &mut Journey<'_, '_>, request: &Request) -> anyhow::Result<()> {
    journey.settle().await?;
    let request = journey
        .exchange()
        .request(&journey.cast.mara, request.id)
        .await?;
    let id = request
        .grant
        .context("the request was approved and has no grant")?;
    let grant = journey.exchange().grant(&journey.cast.mara, id).await?;
    ensure!(
        grant.actual == GrantActual::Active && grant.verified_at.is_some(),
        "the grant of {} is {}, not active: {}",
        grant.product,
        grant.actual,
        grant.reason.unwrap_or_default()
    );
    journey.tell(&format!(
        "granted and verified: {} at {}",
        grant.product, grant.recipient
    ));
    Ok(())
}

/// The producer sets the rhythm: every second night.
async fn every_second_day(
    journey: &mut Journey<'_, '_>,
    place: Place,
    recipient: &str,
) -> anyhow::Result<()> {
    let exchange = journey.exchange();
    let to = exchange
        .recipient(&journey.cast.mara, recipient)
        .await?
        .location;
    let page = exchange::page::PageRequest::all();
    let replicas = exchange
        .replicas(&journey.cast.jonas, Some(place.product), &page)
        .await?;
    let replica = replicas
        .items
        .into_iter()
        .find(|replica| replica.location == to)
        .with_context(|| format!("there is no replica of {} in {to}", place.product))?;
    let change = SyncJobChange {
        every: Some("2d".to_owned()),
        at: Some("03:00".to_owned()),
        timezone: Some("Europe/Berlin".to_owned()),
        retention_hours: Some(168),
        ..SyncJobChange::default()
    };
    exchange
        .sync_job_update(&journey.cast.jonas, &replica.id.to_string(), change)
        .await
        .map_err(told)?;
    journey.tell(&format!(
        "jonas has the replica in {to} synced every 2 days at 03:00"
    ));
    Ok(())
}

/// Finance issues the statements of the months that are over.
async fn issue(journey: &mut Journey<'_, '_>) -> anyhow::Result<()> {
    let lena = journey.cast.lena.clone();
    let exchange = journey.exchange().clone();
    let result = exchange.billing_report(&lena).await?;
    ensure!(
        result.unrated == 0,
        "{} meter events have no rate",
        result.unrated
    );
    ensure!(
        result.unrated_busy_micros == 0,
        "there is compute time without a price"
    );
    let this_month = month(journey.stage.now)?;
    let mut summaries = every(async |page| exchange.statements(&lena, &page).await).await?;
    summaries.sort_by(|one, other| (&one.month, &one.team).cmp(&(&other.month, &other.team)));
    for summary in summaries {
        let summary = if summary.month < this_month && summary.state == StatementState::Open {
            let issued = exchange
                .statement_issue(&lena, summary.team.as_str(), &summary.month)
                .await?;
            let mut issued = issued.into_iter().map(|statement| statement.summary);
            issued
                .find(|issued| issued.currency == summary.currency)
                .context("the statement was issued and is not there")?
        } else {
            summary
        };
        journey.tell(&format!(
            "statement of {} for {}: {} {} ({})",
            summary.team, summary.month, summary.total, summary.currency, summary.state
        ));
    }
    Ok(())
}

fn month(at: model::Timestamp) -> anyhow::Result<String> {
    let date = at.date().context("a date out of range")?;
    Ok(date.format("%Y-%m").to_string())
}

async fn savings(journey: &mut Journey<'_, '_>) -> anyhow::Result<()> {
    for saving in journey
        .exchange()
        .savings(&journey.cast.jonas, None)
        .await?
    {
        journey.tell(&format!(
            "{} on {}: {} crossed instead of {}, {} saved ({})",
            saving.product,
            saving.route,
            size(saving.actual_bytes),
            size(saving.baseline_bytes),
            percent(saving.saved_bytes.into(), saving.baseline_bytes.into()),
            saving.baseline
        ));
    }
    Ok(())
}

/// What the advisor makes of the month, as everybody finds it on the page.
async fn advice(journey: &mut Journey<'_, '_>) -> anyhow::Result<()> {
    let page = exchange::page::PageRequest::all();
    let operator = Principal::operator();
    let found = journey.exchange().advice(&operator, None, &page).await?;
    let open = found.items.into_iter().rev();
    for advice in open.filter(|advice| advice.state == AdviceState::Open) {
        let saving = advice.saving;
        journey.tell(&format!(
            "advice for {} in {}: {} ({}), which saves {} to {} {} a month",
            advice.product,
            advice.to,
            advice.kind,
            advice.change,
            saving.low.amount,
            saving.high.amount,
            saving.high.currency,
        ));
    }
    Ok(())
}
