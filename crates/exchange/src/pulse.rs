//! The workers' pulse: each worker says now and then that it lives, so that `/readyz` can tell whether anybody works.
//! Measured with the database's clock, as leases are.

use model::time::DAY;

use crate::error::Error;
use crate::{Exchange, sql};

impl Exchange {
    /// Says that the worker `owner` lives, and forgets those that have not been heard of for a day.
    pub async fn worker_beat(&self, owner: &str) -> Result<(), Error> {
        let now = self.db().now().await?;
        sql!(
            "insert into setting (name, value, updated_at) values ($1, '', $2)
             on conflict (name) do update set updated_at = excluded.updated_at"
        )
        .bind(format!("worker/{owner}"))
        .bind(now)
        .execute(self.db())
        .await?;
        sql!("delete from setting where name like 'worker/%' and updated_at < $1")
            .bind(now.plus(-DAY))
            .execute(self.db())
            .await?;
        Ok(())
    }

    /// Says that the worker `owner` has stopped in good order.
    pub async fn worker_gone(&self, owner: &str) -> Result<(), Error> {
        sql!("delete from setting where name = $1")
            .bind(format!("worker/{owner}"))
            .execute(self.db())
            .await?;
        Ok(())
    }

    /// How many workers were heard of within the last `within` microseconds.
    pub async fn workers_alive(&self, within: i64) -> Result<i64, Error> {
        let since = self.db().now().await?.plus(-within);
        let row = sql!(
            "select count(*) as alive from setting where name like 'worker/%' and updated_at >= $1"
        )
        .bind(since)
        .row(self.db())
        .await?;
        match row {
            Some(row) => Ok(row.get("alive")?),
            None => Ok(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use model::time::MINUTE;

    use crate::testing::TestExchange;

    #[tokio::test]
    async fn workers_are_counted_while_they_live() {
        for test in TestExchange::start_each().await.unwrap() {
            let exchange = &test.exchange;
            assert_eq!(exchange.workers_alive(MINUTE).await.unwrap(), 0);
            exchange.worker_beat("one").await.unwrap();
            exchange.worker_beat("two").await.unwrap();
            exchange.worker_beat("one").await.unwrap();
            assert_eq!(exchange.workers_alive(MINUTE).await.unwrap(), 2);
            assert_eq!(exchange.workers_alive(-MINUTE).await.unwrap(), 0);
            exchange.worker_gone("one").await.unwrap();
            assert_eq!(exchange.workers_alive(MINUTE).await.unwrap(), 1);
        }
    }
}
