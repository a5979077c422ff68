//! The workers' pulse: each worker says now and then that it lives, so that `/readyz` can tell whether anybody works.
//! Measured with the database's clock, as leases are. And where it stands, so that work far from it finds somebody nearer.

use model::Location;
use model::time::{DAY, MINUTE};

use crate::error::Error;
use crate::{Exchange, sql};

/// Who was heard of within so long lives; microseconds.
pub(crate) const ALIVE: i64 = MINUTE;

/// Behind the place of a worker that also takes work of other places.
const ELSEWHERE: &str = " elsewhere";

/// A worker that lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WorkerPlace {
    /// None: it does not say where it stands, and takes all work.
    pub at: Option<Location>,
    /// Whether it takes work of other places, where nobody stands nearer.
    pub takes_all: bool,
}

impl Exchange {
    /// Says that the worker `owner` lives, and forgets those that have not been heard of for a day.
    pub async fn worker_beat(&self, owner: &str) -> Result<(), Error> {
        self.worker_beat_at(owner, None).await
    }

    /// The same of one that stands at `location`.
    pub async fn worker_beat_at(
        &self,
        owner: &str,
        location: Option<&Location>,
    ) -> Result<(), Error> {
        let now = self.db().now().await?;
        let place = match location {
            Some(location) if self.options().elsewhere => format!("{location}{ELSEWHERE}"),
            Some(location) => location.to_string(),
            None => String::new(),
        };
        sql!(
            "insert into setting (name, value, updated_at) values ($1, $3, $2)
             on conflict (name) do update set value = excluded.value, updated_at = excluded.updated_at"
        )
        .bind(format!("worker/{owner}"))
        .bind(now)
        .bind(place)
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

    /// Where those workers stand that live.
    pub(crate) async fn worker_places(&self) -> Result<Vec<WorkerPlace>, Error> {
        let since = self.db().now().await?.plus(-ALIVE);
        let rows = sql!(
            "select distinct value from setting where name like 'worker/%' and updated_at >= $1 order by value"
        )
        .bind(since)
        .rows(self.db())
        .await?;
        let mut places = Vec::new();
        for row in rows {
            let value: String = row.get("value")?;
            let (place, takes_all) = match value.strip_suffix(ELSEWHERE) {
                Some(place) => (place, true),
                None => (value.as_str(), value.is_empty()),
            };
            places.push(WorkerPlace {
                at: place.parse().ok(),
                takes_all,
            });
        }
        Ok(places)
    }

    /// Whether a worker lives that stands there.
    pub async fn worker_stands_at(&self, place: &Location) -> Result<bool, Error> {
        let places = self.worker_places().await?;
        Ok(places
            .iter()
            .any(|worker| worker.at.as_ref() == Some(place)))
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
