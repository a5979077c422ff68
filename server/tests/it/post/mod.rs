//! Mail and webhook with real parts: an SMTP server that is not ours, a receiver that checks signatures with other code, the
//! configuration as an operator writes it, both databases.

mod hook;
mod mail;
mod smtp;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use exchange::db::Db;
use model::{ManualClock, Timestamp};
use server::config::{Flags, PublicUrl, Settings};
use server::node::{Node, Use};
use server::workers::handlers::{Lakehand, handlers};
use server::workers::sync::Engine;
use server::workers::{Worker, owner};

use crate::matrix::World;
use crate::support::environment::install_crypto;
use crate::support::{Log, TestApp};

const SITE: &str = "https://data.example";

/// One installation with everybody in it, configured by `post`, and its worker.
struct Site {
    world: World,
    worker: Worker,
    /// Holds the folder's lock.
    _node: Node,
}

/// The settings of a process whose configuration says this.
fn settings(folder: &Path, configuration: &str) -> Settings {
    std::fs::write(folder.join("entrepot.toml"), configuration).unwrap();
    let flags = Flags {
        data: Some(folder.to_owned()),
        ..Flags::default()
    };
    Settings::load(&flags).unwrap()
}

impl Site {
    /// On every database there is.
    async fn each(post: &str) -> Vec<Self> {
        let mut all = vec![Self::on(None, post).await];
        if let Ok(server) = std::env::var("TEST_POSTGRES_URL") {
            let name = format!("post_{}", uuid::Uuid::new_v4().simple());
            let db = Db::fresh_postgres(&server, &name).await.unwrap();
            db.close().await;
            let (base, _) = server.rsplit_once('/').unwrap();
            all.push(Self::on(Some(format!("{base}/{name}")), post).await);
        }
        all
    }

    async fn on(postgres: Option<String>, post: &str) -> Self {
        Log::shared();
        install_crypto();
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().canonicalize().unwrap();
        let database = postgres.unwrap_or_else(|| {
            let file = data.join("entrepot.db");
            format!("sqlite://{}", file.display())
        });
        let shown = data.display();
        let configuration = format!(
            "[database]\nurl = \"{database}\"\nconnections = 2\n[keys]\nfile = \"{shown}/keys\"\n[server]\npublic_url = \"{SITE}\"\n\
             [storage]\nfile_roots = [\"{shown}\"]\n{post}"
        );
        if !database.starts_with("sqlite") {
            // On PostgreSQL no process makes the key file.
            std::fs::write(data.join("keys"), format!("k1:{}\n", "5a".repeat(32))).unwrap();
        }
        let settings = settings(&data, &configuration);
        let clock = Arc::new(ManualClock::at(
            Timestamp::parse("2026-06-15T12:00:00Z").unwrap(),
        ));
        let public_url = PublicUrl::parse(SITE, false).unwrap();
        let node = Node::open_at(settings, Use::Serve, public_url.clone(), clock.clone())
            .await
            .unwrap();
        let hand = Lakehand {
            exchange: node.exchange().clone(),
            lake: node.connected.lake.clone(),
            reads: node.connected.reads.clone(),
            engine: Engine::Local,
            folder: data,
        };
        let worker = Worker {
            exchange: node.exchange().clone(),
            owner: owner(),
            location: None,
            handlers: handlers(Arc::new(hand)),
            ticks: Vec::new(),
            parallel: 1,
            poll: Duration::from_millis(10),
        };
        let app = TestApp {
            exchange: node.exchange().clone(),
            clock,
            router: axum::Router::new(),
            public_url,
            folder,
            database,
        };
        Self {
            world: World::on(app).await,
            worker,
            _node: node,
        }
    }
}
