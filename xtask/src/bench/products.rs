//! A thousand products behind a server, and somebody who looks at them: what `search` and `portal` ask.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{entrepot, serve};
use crate::http;
use crate::process::{Folder, Running, output};
use crate::repo::Repo;
use crate::services::tail;

pub(super) const PRODUCTS: usize = 1000;
pub(super) const WORDS: [&str; 8] = [
    "workshop", "warranty", "battery", "dealer", "parts", "service", "recall", "mileage",
];
/// Who looks, by token or by password.
pub(super) const PERSON: &str = "bench";

/// Fields drop in this order: the server ends, then its files go.
pub(super) struct Products {
    pub(super) address: SocketAddr,
    pub(super) token: String,
    pub(super) password: String,
    _server: Running,
    _folder: Folder,
}

impl Products {
    /// `environment`: settings of every command and of the server, such as another database.
    pub(super) fn serve(repo: &Repo, environment: &[(&str, &str)]) -> Result<Self> {
        let folder = Folder::temporary("bench-products")?;
        let data = folder.path().join("data");
        let lake = folder.path().join("lake");
        let declaration = folder.path().join("entrepot.yml");
        std::fs::write(&declaration, declare(&lake))?;
        for number in 0..PRODUCTS {
            empty_table(&lake.join(format!("t{number:04}")), number)?;
        }
        let command = |arguments: &[&str]| {
            let mut command = repo.command(entrepot(repo));
            command
                .args(arguments)
                .arg("--data")
                .arg(&data)
                .env("ENTREPOT__STORAGE__FILE_ROOTS", folder.path())
                .envs(environment.iter().copied());
            command
        };
        output(&mut command(&["migrate"]))?;
        output(command(&["deploy"]).arg(&declaration))?;
        let answer = output(&mut command(&["user", "create", PERSON, "--generate"]))?;
        let password = password(&answer)
            .context("`entrepot user create --generate` gave no password")?
            .to_owned();
        let answer = output(&mut command(&[
            "token", "create", "--json", "--person", PERSON, PERSON,
        ]))?;
        let answer: Value = serde_json::from_str(&answer)
            .context("`entrepot token create --json` did not answer JSON")?;
        let token = answer["token"]
            .as_str()
            .context("`entrepot token create --json` gave no token")?
            .to_owned();

        let address = SocketAddr::from(([127, 0, 0, 1], http::free_port()?));
        let log_file = folder.path().join("log");
        let log = std::fs::File::create(&log_file)?;
        let mut server = serve(repo, &data, address, log, environment)?;
        server
            .wait_until("the server", Duration::from_secs(30), || {
                http::is_ready(address)
            })
            .with_context(|| tail(&log_file))?;
        Ok(Self {
            address,
            token,
            password,
            _server: server,
            _folder: folder,
        })
    }
}

/// `Password, shown only now: x` -> x.
fn password(answer: &str) -> Option<&str> {
    answer
        .lines()
        .find_map(|line| line.strip_prefix("Password, shown only now: "))
}

fn declare(lake: &Path) -> String {
    let mut text = format!(
        "exchange: {{ name: bench }}\n\
         domains: {{ bench: {{ title: Bench }} }}\n\
         teams: {{ bench: {{ domain: bench, title: Bench, cost_center: \"1\" }} }}\n\
         storages: {{ bench: {{ cloud: aws, region: eu-central-1, url: \"file://{}\" }} }}\n\
         products:\n",
        lake.display()
    );
    for number in 0..PRODUCTS {
        let (one, two) = (
            WORDS[number % WORDS.len()],
            WORDS[(number / WORDS.len()) % WORDS.len()],
        );
        // A String takes whatever is written to it.
        let _ = write!(
            text,
            "  bench-{one}-{number:04}:\n    title: The {one} of {two} number {number}\n    team: bench\n    storage: bench\n    \
             classification: public\n    access: {{ policy: owner }}\n    \
             tables: [{{ name: {two}, schema: default, path: t{number:04}, format: delta }}]\n"
        );
    }
    text
}

/// A Delta table without rows: one commit with protocol and metadata.
fn empty_table(folder: &Path, number: usize) -> Result<()> {
    let field = |name: &str, kind: &str| json!({ "name": name, "type": kind, "nullable": true, "metadata": {} });
    let schema = json!({ "type": "struct", "fields": [field("vin", "string"), field("visited_at", "timestamp"), field("mileage", "long")] });
    let protocol = json!({ "protocol": { "minReaderVersion": 1, "minWriterVersion": 2 } });
    let metadata = json!({ "metaData": {
        "id": format!("00000000-0000-4000-8000-{number:012}"), "format": { "provider": "parquet", "options": {} },
        "schemaString": schema.to_string(), "partitionColumns": [], "configuration": {}, "createdTime": 1_767_225_600_000_u64 } });
    let log = folder.join("_delta_log");
    std::fs::create_dir_all(&log)?;
    std::fs::write(
        log.join(format!("{:020}.json", 0)),
        format!("{protocol}\n{metadata}\n"),
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_stands_in_a_line_of_its_own() {
        let answer = "bench can sign in.\nPassword, shown only now: abc\n";
        assert_eq!(password(answer), Some("abc"));
        assert_eq!(password("bench can sign in.\n"), None);
    }

    #[test]
    fn the_declaration_names_every_product_once() {
        let text = declare(Path::new("/lake"));
        assert_eq!(text.matches("\n    title: ").count(), PRODUCTS);
        assert!(text.contains("  bench-workshop-0000:\n    title: The workshop of workshop number 0\n    team: bench\n"));
    }
}
