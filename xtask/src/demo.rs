//! The demo world, played into a folder that goes with it, and served: for programs that look at it. And `pictures`.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::bundle::{self, Mode};
use crate::http;
use crate::process::{Folder, Running, bound, run, step};
use crate::repo::Repo;
use crate::run::build_server;
use crate::services::tail;
use crate::setup::{self, Scope};

/// What the world's people sign in with: of this world only, which is gone when they have been looked at.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// Fields drop in this order: the server ends, then its files go.
pub(crate) struct World {
    pub(crate) address: SocketAddr,
    /// What `entrepot demo --json` printed.
    pub(crate) report: PathBuf,
    log: PathBuf,
    server: Running,
    folder: Folder,
}

impl World {
    /// `results`: where the report and the server's log stay. `environment`: more settings of the server.
    pub(crate) fn start(
        repo: &Repo,
        entrepot: &Path,
        results: &Path,
        environment: &[(&str, &str)],
    ) -> Result<Self> {
        std::fs::create_dir_all(results)?;
        let folder = Folder::fleeting("demo")?;
        let data = folder.path().join("data");
        let report = results.join("demo.json");
        let mut play = repo.command(entrepot);
        play.args(["demo", "--headless", "--json", "--data"])
            .arg(&data)
            .env("ENTREPOT_DEMO_PASSWORD", PASSWORD)
            .stdout(File::create(&report)?);
        run(&mut play).context("make the demo world")?;

        let address = SocketAddr::from(([127, 0, 0, 1], http::free_port()?));
        let log = results.join("server.log");
        let file = File::create(&log)?;
        let mut serve = bound(entrepot, None, "KILL");
        serve
            .current_dir(&repo.root)
            .arg("serve")
            .arg("--data")
            .arg(&data)
            .args(["--addr", &address.to_string()])
            .arg("--site")
            .arg(repo.site())
            // Everybody signs in from one address, again and again.
            .env("ENTREPOT__SESSION__SIGN_INS_PER_MINUTE", "1000")
            .envs(environment.iter().copied());
        let mut server = Running::start(serve.stdout(file.try_clone()?).stderr(file), "TERM")?;
        server
            .wait_until("the server", Duration::from_secs(60), || {
                http::is_ready(address)
            })
            .with_context(|| tail(&log))?;
        Ok(Self {
            address,
            report,
            log,
            server,
            folder,
        })
    }

    /// For nobody but us, and gone with the world.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder().join("data")
    }

    /// The end of the server's log.
    pub(crate) fn tail(&self) -> String {
        tail(&self.log)
    }

    /// Fails when the server has ended.
    pub(crate) fn still_runs(&mut self) -> Result<()> {
        match self.server.ended()? {
            Some(status) => bail!("the server ended meanwhile ({status}); {}", self.tail()),
            None => Ok(()),
        }
    }
}

/// The README's pictures, made anew from the present sources.
pub(crate) fn pictures(repo: &Repo) -> Result<()> {
    setup::set_up(repo, Scope::Run)?;
    step("npm packages of the tests", || setup::npm(repo, "end2end"))?;
    let chromium = setup::chromium()
        .context("Chromium is missing: sudo apt-get install chromium-headless-shell")?;
    step("browser bundle", || bundle::build(repo, Mode::Release))?;
    step("server", || build_server(repo))?;
    step("pictures", || {
        let entrepot = repo.debug_binary("entrepot");
        let world = World::start(repo, &entrepot, &repo.target.join("pictures"), &[])?;
        let mut shoot = repo.command("node");
        shoot
            .arg("end2end/pictures.mjs")
            .arg("docs/pictures")
            .env("E2E_BASE_URL", format!("http://{}", world.address))
            .env("E2E_PASSWORD", PASSWORD)
            .env("CHROMIUM", &chromium);
        run(&mut shoot).with_context(|| world.tail())?;
        Ok("in docs/pictures")
    })
}
