//! Lines that read a table, ready for each client. `docs/USING.md` says which of them were tried with which version.

use crate::words;

/// A client, and the lines that read a table with it.
pub(super) struct Client {
    pub(super) title: &'static str,
    /// What to install first.
    pub(super) needs: &'static str,
    lines: fn(&str) -> String,
}

pub(super) const CLIENTS: [Client; 4] = [
    Client {
        title: "pandas",
        needs: "pip install delta-sharing",
        lines: |url| {
            format!("import delta_sharing\n\ntable = delta_sharing.load_as_pandas(\"{url}\")")
        },
    },
    Client {
        title: "Polars",
        needs: "pip install delta-sharing polars",
        lines: |url| {
            format!(
                "import delta_sharing\nimport polars\n\ntable = polars.from_pandas(delta_sharing.load_as_pandas(\"{url}\"))"
            )
        },
    },
    Client {
        title: "Spark",
        needs: words::access::SPARK_NEEDS,
        lines: |url| format!("table = spark.read.format(\"deltaSharing\").load(\"{url}\")"),
    },
    Client {
        title: "DuckDB",
        needs: "pip install delta-sharing duckdb",
        lines: |url| {
            format!(
                "import delta_sharing\nimport duckdb\n\ntable = delta_sharing.load_as_pandas(\"{url}\")\nduckdb.sql(\"select count(*) from table\").show()"
            )
        },
    },
];

impl Client {
    /// The file is the one that the profile's download makes.
    pub(super) fn lines(&self, recipient: &str, share: &str, schema: &str, table: &str) -> String {
        (self.lines)(&format!("{recipient}.share#{share}.{schema}.{table}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_client_is_given_the_address_of_the_table() {
        for client in &CLIENTS {
            let lines = client.lines("rnd_weu", "vehicle-visits", "default", "visits");
            assert!(
                lines.contains("\"rnd_weu.share#vehicle-visits.default.visits\""),
                "{lines}"
            );
        }
    }
}
