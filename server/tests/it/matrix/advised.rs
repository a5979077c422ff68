//! A recommendation to act on: a product that has been read live for five weeks, and was reckoned.

use exchange::Principal;
use exchange::access::QueryLogNew;
use exchange::page::PageRequest;
use model::dto::RateNew;
use model::time::DAY;
use model::{AdviceState, Clock as _, QueryId};

use super::World;

impl World {
    /// One that is open; made anew when a call has used the last one up.
    pub(crate) async fn advised(&mut self) -> String {
        let operator = Principal::operator();
        let page = PageRequest::all();
        let found = self
            .exchange()
            .advice(&operator, None, &page)
            .await
            .unwrap();
        let open = found
            .items
            .iter()
            .find(|advice| advice.state == AdviceState::Open);
        if let Some(advice) = open {
            return advice.id.to_string();
        }
        let product = self.fresh("vehicle-advised");
        let today = self.app.clock.now();
        self.app.clock.set(today.plus(-36 * DAY));
        let rate = RateNew {
            from: "aws:eu-central-1".to_owned(),
            to: "azure:westeurope".to_owned(),
            price: "0.09".to_owned(),
            unit: "GB".to_owned(),
            currency: "USD".to_owned(),
            valid_from: "2026-05-01".to_owned(),
            valid_until: None,
            source: "list price".to_owned(),
        };
        // There already the second time.
        let _ = self.exchange().rate_create(&operator, rate).await;
        self.app.product(&product, "aftersales").await;
        self.recipient("rnd_advised", "westeurope").await;
        let request = self.ask(&product, "rnd_advised", "live").await;
        let grant = self.approve(&request).await;
        self.read_live(&grant, today).await;
        self.app.clock.set(today);
        let exchange = self.exchange();
        exchange.advice_reckon(&operator, &product).await.unwrap();
        let found = exchange.advice(&operator, Some(&product), &page).await;
        found.unwrap().items[0].id.to_string()
    }

    /// Once a week, much more than the table holds.
    async fn read_live(&self, grant: &str, today: model::Timestamp) {
        let (system, exchange) = (Principal::system(), self.exchange());
        let id = grant.parse().unwrap();
        let reading = exchange.grant_reading(&system, id).await.unwrap().unwrap();
        let tables = exchange
            .shared_tables(&system, reading.recipient_id)
            .await
            .unwrap();
        let table = tables
            .into_iter()
            .find(|table| table.product_id == reading.product_id)
            .unwrap();
        for week in 1..=5 {
            self.app.clock.set(today.plus(-7 * week * DAY));
            let line = QueryLogNew {
                id: QueryId::new(self.app.clock.now()),
                recipient_id: reading.recipient_id,
                endpoint: "query",
                share: table.share.to_string(),
                schema: table.schema.to_string(),
                table: table.table_name.to_string(),
                table_id: Some(table.table_id),
                grant_id: Some(id),
                version: Some(0),
                files: 1,
                bytes_signed: 5_000_000_000,
                files_dropped: 0,
                actions: 1,
                duration: 1,
                source: Some("producer"),
                stale_since: None,
                outcome: "answered",
                error_code: None,
                reason: None,
                status: 200,
                user_agent: "test".to_owned(),
                live_bytes: 0,
                was_read: false,
            };
            exchange.query_logged(&system, &line, &[]).await.unwrap();
        }
    }
}
