//! `check edges`: the workspace's own dependency edges against the table of the design. Another edge is a design mistake.

use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::process::output;
use crate::repo::{Repo, WASM};

/// Crate <- what it may depend on. A crate that is not here is a mistake too.
const EDGES: [(&str, &[&str]); 12] = [
    ("model", &[]),
    ("conformance", &[]),
    ("exchange", &["model"]),
    ("storage", &["model"]),
    ("delta", &["model", "storage"]),
    ("replication", &["model", "delta", "storage"]),
    ("sharing", &["model", "delta", "storage"]),
    ("rest", &["model", "exchange"]),
    ("app", &["model", "exchange"]),
    ("browser", &["model", "app"]),
    (
        "server",
        &[
            "model",
            "exchange",
            "storage",
            "delta",
            "replication",
            "sharing",
            "rest",
            "app",
            "conformance",
        ],
    ),
    ("xtask", &[]),
];

/// Dependencies that one crate alone may name: name or prefix of the name, and whose it is.
const OWNED: [(&str, &str); 4] = [
    ("sqlx", "exchange"),
    ("deltalake", "delta"),
    ("buoyant_kernel", "delta"),
    ("delta_kernel", "delta"),
];

/// What the browser must never get, by family.
const NOT_IN_BROWSER: [&str; 9] = [
    "axum",
    "buoyant_kernel",
    "delta_kernel",
    "deltalake",
    "leptos_axum",
    "libsqlite3-sys",
    "object_store",
    "sqlx",
    "tokio",
];

/// The crates of our own that the browser does get.
const IN_BROWSER: [&str; 3] = ["app", "browser", "model"];

#[derive(Debug, PartialEq, Eq)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Debug, PartialEq, Eq)]
struct Dependency {
    name: String,
    /// `normal`, `dev` or `build`.
    kind: String,
    optional: bool,
}

/// Checks the workspace; says how many edges it looked at.
pub(crate) fn check(repo: &Repo) -> Result<String> {
    let metadata =
        output(
            repo.cargo()
                .args(["metadata", "--format-version", "1", "--no-deps", "--locked"]),
        )?;
    let packages = parse(&metadata)?;
    let mut mistakes = of_workspace(&packages);
    let tree = output(&mut browser_tree(repo))?;
    mistakes.extend(of_browser(&tree)?);
    if mistakes.is_empty() {
        let members: Vec<&str> = packages
            .iter()
            .map(|package| package.name.as_str())
            .collect();
        let inner = packages
            .iter()
            .flat_map(|package| &package.dependencies)
            .filter(|dependency| members.contains(&dependency.name.as_str()));
        return Ok(format!("{} edges", inner.count()));
    }
    bail!(
        "{} edges that the design does not have:\n  {}",
        mistakes.len(),
        mistakes.join("\n  ")
    )
}

fn browser_tree(repo: &Repo) -> Command {
    let mut command = repo.cargo();
    command.args(["tree", "--locked", "--package", "browser", "--target", WASM]);
    command.args(["--edges", "normal", "--prefix", "none", "--format", "{p}"]);
    command
}

fn parse(metadata: &str) -> Result<Vec<Package>> {
    let metadata: Value = serde_json::from_str(metadata).context("cargo metadata is not JSON")?;
    let packages = metadata["packages"]
        .as_array()
        .context("cargo metadata has no packages")?;
    packages
        .iter()
        .map(|package| {
            let name = package["name"]
                .as_str()
                .context("a package has no name")?
                .to_owned();
            let dependencies = package["dependencies"]
                .as_array()
                .context("a package has no dependencies")?;
            let dependencies = dependencies
                .iter()
                .map(|dependency| {
                    Ok(Dependency {
                        name: dependency["name"]
                            .as_str()
                            .context("a dependency has no name")?
                            .to_owned(),
                        kind: dependency["kind"].as_str().unwrap_or("normal").to_owned(),
                        optional: dependency["optional"].as_bool().unwrap_or(false),
                    })
                })
                .collect::<Result<_>>()?;
            Ok(Package { name, dependencies })
        })
        .collect()
}

fn of_workspace(packages: &[Package]) -> Vec<String> {
    let mut mistakes = Vec::new();
    for package in packages {
        let Some((_, allowed)) = EDGES.iter().find(|(name, _)| *name == package.name) else {
            mistakes.push(format!(
                "{}: a crate that the table does not know",
                package.name
            ));
            continue;
        };
        for dependency in &package.dependencies {
            let inner = packages.iter().any(|other| other.name == dependency.name);
            if inner && !allowed.contains(&dependency.name.as_str()) {
                mistakes.push(format!(
                    "{} -> {} ({})",
                    package.name, dependency.name, dependency.kind
                ));
            }
            // The browser compiles `app` too; only the feature `ssr` may bring the domain in.
            if package.name == "app" && dependency.name == "exchange" && !dependency.optional {
                mistakes
                    .push("app -> exchange must be optional, for the feature ssr alone".to_owned());
            }
            for (owned, owner) in OWNED {
                if is_of_family(&dependency.name, owned) && package.name != owner {
                    mistakes.push(format!(
                        "{} -> {} ({}): only {owner} names it",
                        package.name, dependency.name, dependency.kind
                    ));
                }
            }
        }
    }
    mistakes
}

/// `tree`: one package per line, `name vVERSION …`.
fn of_browser(tree: &str) -> Result<Vec<String>> {
    let mut names: Vec<&str> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .filter(|name| !name.is_empty())
        .collect();
    names.sort_unstable();
    names.dedup();
    if !names.contains(&"browser") || !names.contains(&"app") {
        bail!("cargo tree does not show browser and app");
    }
    let ours =
        |name: &str| EDGES.iter().any(|(member, _)| *member == name) && !IN_BROWSER.contains(&name);
    let forbidden = names.into_iter().filter(|name| {
        ours(name)
            || NOT_IN_BROWSER
                .iter()
                .any(|family| is_of_family(name, family))
    });
    Ok(forbidden
        .map(|name| format!("browser sees {name}"))
        .collect())
}

/// `sqlx` and `sqlx-core` are of the family `sqlx`, `sqlxtra` is not.
fn is_of_family(name: &str, family: &str) -> bool {
    name.strip_prefix(family)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, dependencies: &[(&str, &str, bool)]) -> Package {
        let dependencies = dependencies
            .iter()
            .map(|(name, kind, optional)| Dependency {
                name: (*name).to_owned(),
                kind: (*kind).to_owned(),
                optional: *optional,
            });
        Package {
            name: name.to_owned(),
            dependencies: dependencies.collect(),
        }
    }

    /// The whole table, as packages.
    fn world() -> Vec<Package> {
        EDGES
            .iter()
            .map(|(name, edges)| {
                let edges: Vec<_> = edges
                    .iter()
                    .map(|edge| (*edge, "normal", *name == "app" && *edge == "exchange"))
                    .collect();
                package(name, &edges)
            })
            .collect()
    }

    fn with(name: &str, edge: (&str, &str, bool)) -> Vec<String> {
        let mut world = world();
        let planted = package(name, &[edge]).dependencies;
        for package in &mut world {
            if package.name == name {
                package
                    .dependencies
                    .retain(|dependency| dependency.name != edge.0);
            }
        }
        match world.iter_mut().find(|package| package.name == name) {
            Some(package) => package.dependencies.extend(planted),
            None => world.push(Package {
                name: name.to_owned(),
                dependencies: planted,
            }),
        }
        of_workspace(&world)
    }

    #[test]
    fn the_table_itself_is_allowed() {
        assert_eq!(of_workspace(&world()), Vec::<String>::new());
    }

    #[test]
    fn planted_edges_are_found() {
        for (crate_name, edge, found) in [
            (
                "model",
                ("exchange", "normal", false),
                "model -> exchange (normal)",
            ),
            (
                "delta",
                ("exchange", "dev", false),
                "delta -> exchange (dev)",
            ),
            (
                "sharing",
                ("replication", "normal", false),
                "sharing -> replication (normal)",
            ),
            ("rest", ("delta", "build", false), "rest -> delta (build)"),
            ("app", ("delta", "normal", true), "app -> delta (normal)"),
            (
                "app",
                ("exchange", "normal", false),
                "app -> exchange must be optional, for the feature ssr alone",
            ),
            (
                "exchange",
                ("storage", "normal", false),
                "exchange -> storage (normal)",
            ),
            (
                "xtask",
                ("model", "normal", false),
                "xtask -> model (normal)",
            ),
            (
                "server",
                ("sqlx", "normal", false),
                "server -> sqlx (normal): only exchange names it",
            ),
            (
                "server",
                ("sqlx-core", "dev", false),
                "server -> sqlx-core (dev): only exchange names it",
            ),
            (
                "replication",
                ("deltalake", "normal", false),
                "replication -> deltalake (normal): only delta names it",
            ),
            (
                "sharing",
                ("deltalake-core", "dev", false),
                "sharing -> deltalake-core (dev): only delta names it",
            ),
            (
                "storage",
                ("buoyant_kernel", "normal", false),
                "storage -> buoyant_kernel (normal): only delta names it",
            ),
            (
                "billing",
                ("model", "normal", false),
                "billing: a crate that the table does not know",
            ),
        ] {
            assert_eq!(with(crate_name, edge), [found], "{crate_name} {edge:?}");
        }
        assert_eq!(
            with("exchange", ("sqlx", "normal", false)),
            Vec::<String>::new()
        );
        assert_eq!(
            with("delta", ("deltalake", "normal", false)),
            Vec::<String>::new()
        );
        assert_eq!(
            with("server", ("sqlxtra", "normal", false)),
            Vec::<String>::new()
        );
    }

    #[test]
    fn the_browser_sees_nothing_of_the_server() -> Result<()> {
        let clean = "browser v0.1.0 (/x)\napp v0.1.0 (/x)\nleptos v0.8.23\nleptos v0.8.23 (*)\nserver_fn v0.8.13\nmodel v0.1.0";
        assert_eq!(of_browser(clean)?, Vec::<String>::new());
        for name in [
            "sqlx",
            "sqlx-core",
            "tokio",
            "tokio-util",
            "deltalake",
            "exchange",
            "leptos_axum",
            "object_store",
        ] {
            let tree = format!("{clean}\n{name} v1.0.0\n{name} v1.0.0 (*)");
            assert_eq!(of_browser(&tree)?, [format!("browser sees {name}")]);
        }
        assert!(of_browser("").is_err(), "an empty tree proves nothing");
        Ok(())
    }

    #[test]
    fn metadata_is_read() -> Result<()> {
        let metadata = r#"{"packages": [{"name": "app", "dependencies": [
            {"name": "exchange", "kind": null, "optional": true}, {"name": "insta", "kind": "dev", "optional": false}]}]}"#;
        let expected = package(
            "app",
            &[("exchange", "normal", true), ("insta", "dev", false)],
        );
        assert_eq!(parse(metadata)?, [expected]);
        assert!(parse("{}").is_err());
        Ok(())
    }
}
