//! `check map`: the code map of `docs/ARCHITECTURE.md` against the modules that the crates have. What is not on it is found by nobody, and
//! what is no longer there is looked for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::repo::Repo;

const PAGE: &str = "docs/ARCHITECTURE.md";
const HEADING: &str = "## Code map";
const CRATES: &str = "crates";

/// Which every crate may have and which say by their name what they are.
const UNNAMED: [&str; 2] = ["lib", "tests"];

/// Crate -> modules. On the map a folder may be marked with `/*`, which is no part of the name.
type Modules = BTreeMap<String, BTreeSet<String>>;

/// Says how many modules it looked at.
pub(crate) fn check(repo: &Repo) -> Result<String> {
    let page = repo.root.join(PAGE);
    let text =
        std::fs::read_to_string(&page).with_context(|| format!("read {}", page.display()))?;
    let there = there(&repo.root.join(CRATES))?;
    let mistakes = compare(&named(&text)?, &there);
    if mistakes.is_empty() {
        let count: usize = there.values().map(BTreeSet::len).sum();
        return Ok(format!("{count} modules"));
    }
    bail!(
        "{} mistakes in the code map of {PAGE}:\n  {}",
        mistakes.len(),
        mistakes.join("\n  ")
    )
}

/// What the map names. A row without a crate goes on with the crate of the row before.
fn named(page: &str) -> Result<Modules> {
    let mut named = Modules::new();
    let mut of = String::new();
    let rows = page
        .lines()
        .skip_while(|line| *line != HEADING)
        .skip(1)
        .take_while(|line| !line.starts_with("## "))
        .filter(|line| line.starts_with('|'));
    for row in rows {
        let mut cells = row.split('|').skip(1);
        let (Some(name), Some(modules)) = (cells.next(), cells.next()) else {
            continue;
        };
        if let Some(name) = quoted(name).next() {
            of = name.to_owned();
        }
        if of.is_empty() {
            continue;
        }
        let modules = quoted(modules).map(|module| module.trim_end_matches("/*").to_owned());
        named.entry(of.clone()).or_default().extend(modules);
    }
    if named.is_empty() {
        bail!("{PAGE} has no table below {HEADING:?}");
    }
    Ok(named)
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The files and folders of each crate's `src`.
fn there(crates: &Path) -> Result<Modules> {
    let mut there = Modules::new();
    for name in names(crates)? {
        let source = crates.join(&name).join("src");
        let modules = names(&source)?
            .into_iter()
            .filter_map(|name| match name.strip_suffix(".rs") {
                Some(module) => Some(module.to_owned()),
                None => source.join(&name).is_dir().then_some(name),
            })
            .collect();
        there.insert(name, modules);
    }
    Ok(there)
}

fn names(folder: &Path) -> Result<Vec<String>> {
    let list = || {
        std::fs::read_dir(folder)?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<std::io::Result<Vec<String>>>()
    };
    list().with_context(|| format!("list {}", folder.display()))
}

/// Crates that lie elsewhere are not looked at: their rows name the parts that matter.
fn compare(named: &Modules, there: &Modules) -> Vec<String> {
    let mut mistakes = Vec::new();
    for (name, modules) in there {
        let Some(on_the_map) = named.get(name) else {
            mistakes.push(format!("{name}: a crate that it does not name"));
            continue;
        };
        let missing = modules
            .difference(on_the_map)
            .filter(|module| !UNNAMED.contains(&module.as_str()));
        mistakes.extend(missing.map(|module| format!("{name}: {module} is not named")));
        let gone = on_the_map.difference(modules);
        mistakes.extend(gone.map(|module| format!("{name}: {module} is named and not there")));
    }
    mistakes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Folder;

    const TEXT: &str = "# Architecture\n| `not` | `this` |\n\n## Code map\n\n| crate | modules | what lives there |\n|---|---|---|\n\
        | `model` | `ids`, `dto/*` | the words, `parsed` once |\n| | `money` | and what they cost |\n\
        | `server` | `demo/*` | the binary |\n\n## Edges\n\n| `model` | `nor that` |\n";

    fn modules(of: &[(&str, &[&str])]) -> Modules {
        of.iter()
            .map(|(name, modules)| {
                let modules = modules.iter().map(|module| (*module).to_owned());
                ((*name).to_owned(), modules.collect())
            })
            .collect()
    }

    #[test]
    fn the_map_is_read() -> Result<()> {
        let expected = modules(&[("model", &["dto", "ids", "money"]), ("server", &["demo"])]);
        assert_eq!(named(TEXT)?, expected);
        assert!(named("# Architecture\n").is_err(), "no map proves nothing");
        Ok(())
    }

    #[test]
    fn crates_are_read() -> Result<()> {
        let folder = Folder::temporary("map-test")?;
        let source = folder.path().join("model/src");
        std::fs::create_dir_all(source.join("dto"))?;
        for file in ["lib.rs", "ids.rs", "dto/mod.rs", "notes.txt"] {
            std::fs::write(source.join(file), "")?;
        }
        let expected = modules(&[("model", &["dto", "ids", "lib"])]);
        assert_eq!(there(folder.path())?, expected);
        Ok(())
    }

    #[test]
    fn what_is_missing_and_what_is_gone_is_found() -> Result<()> {
        let named = named(TEXT)?;
        let whole: &[&str] = &["dto", "ids", "lib", "money", "tests"];
        assert_eq!(
            compare(&named, &modules(&[("model", whole)])),
            Vec::<String>::new()
        );
        for (there, mistake) in [
            (
                modules(&[("model", &["dto", "ids", "lib", "money", "tags"])]),
                "model: tags is not named",
            ),
            (
                modules(&[("model", &["dto", "lib", "money"])]),
                "model: ids is named and not there",
            ),
            (
                modules(&[("model", whole), ("billing", &["lib"])]),
                "billing: a crate that it does not name",
            ),
        ] {
            assert_eq!(compare(&named, &there), [mistake]);
        }
        Ok(())
    }
}
