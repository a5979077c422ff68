//! One product in the results.

use leptos::prelude::*;
use leptos_router::components::A;
use model::Classification;
use model::ProductState;
use model::dto::MyAccess;
use model::dto::ProductCard;

use crate::components::state;
use crate::components::state::State;
use crate::components::time::Ago;
use crate::words;

#[component]
pub fn Card(product: ProductCard) -> impl IntoView {
    let href = format!("/products/{}", product.name);
    let place = format!("{} {}", state::cloud(product.cloud), product.region);
    view! {
        <article class="product-card">
            <div class="product-card__head">
                <h2 class="product-card__title"><A href=href>{product.title}</A></h2>
                <p class="product-card__states">
                    {(product.state != ProductState::Published).then(|| view! { <State said=state::product(product.state)/> })}
                    {(product.classification != Classification::Internal)
                        .then(|| view! { <State said=state::classification(product.classification)/> })}
                    {(product.access != MyAccess::None).then(|| view! { <State said=state::access(product.access)/> })}
                </p>
            </div>
            <p class="code muted">{product.name.to_string()}</p>
            <p class="product-card__summary" dir="auto">{product.summary}</p>
            <dl class="facts facts--line">
                <div><dt>{words::catalog::TEAM}</dt><dd>{product.team_title}</dd></div>
                <div>
                    <dt>{words::product::PLACE}</dt>
                    <dd>{place}{product.simulated.then_some(words::product::SIMULATED)}</dd>
                </div>
                <div>
                    <dt>{words::product::LAST_COMMIT}</dt>
                    <dd>{match product.committed_at {
                        Some(at) => view! { <Ago at/> }.into_any(),
                        None => words::product::NOT_READ_YET.into_any(),
                    }}</dd>
                </div>
                <div>
                    <dt>{words::product::SIZE}</dt>
                    <dd>
                        {words::catalog::size(product.tables, product.rows, product.bytes)}
                    </dd>
                </div>
            </dl>
            <Tags tags=product.tags/>
        </article>
    }
}

#[component]
pub fn Tags(tags: Vec<String>) -> impl IntoView {
    (!tags.is_empty()).then(|| {
        let tags = tags
            .into_iter()
            .map(|tag| view! { <li>{tag}</li> })
            .collect_view();
        view! { <ul class="tags" aria-label=words::catalog::TAGS>{tags}</ul> }
    })
}
