//! What the demo world is made of besides tables: the declaration, the people, and what is written into the data folder.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use exchange::secret::random_text;

use super::clouds::Clouds;

/// The file's name in audit rows.
pub(super) const DECLARATION_FILE: &str = "demo/entrepot.yml";
const DECLARATION: &str = include_str!("entrepot.yml");
/// What stands in the declaration where the data folder's clouds come.
const STAND_IN: &str = "file:///srv/entrepot/clouds/";

/// For tests: the password of every account, instead of random ones.
const PASSWORD_VARIABLE: &str = "ENTREPOT_DEMO_PASSWORD";
const PASSWORD_LENGTH: usize = 16;
const PASSWORD_SHORTEST: usize = 10;
const ACCOUNTS_FILE: &str = "demo-accounts.txt";
const CONFIG_FILE: &str = "entrepot.toml";
const CLOUDS_FOLDER: &str = "clouds";

/// Somebody of the story.
pub(super) struct Person {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) roles: &'static [&'static str],
    /// Team and role in it.
    pub(super) teams: &'static [(&'static str, &'static str)],
    /// For the list of accounts.
    pub(super) does: &'static str,
}

pub(super) const MARA: &str = "mara";
pub(super) const JONAS: &str = "jonas";
pub(super) const DORA: &str = "dora";
pub(super) const LENA: &str = "lena";

pub(super) const PEOPLE: [Person; 6] = [
    Person {
        name: MARA,
        title: "Mara Lindqvist",
        roles: &[],
        teams: &[("rnd", "consumer")],
        does: "R&D: finds products and asks for them",
    },
    Person {
        name: JONAS,
        title: "Jonas Weber",
        roles: &[],
        teams: &[("aftersales", "producer"), ("parts", "producer")],
        does: "After-Sales: owns the products and decides",
    },
    Person {
        name: DORA,
        title: "Dora Kaya",
        roles: &["data_protection"],
        teams: &[],
        does: "data-protection officer: decides on personal data too",
    },
    Person {
        name: LENA,
        title: "Lena Ortiz",
        roles: &["finance"],
        teams: &[],
        does: "finance: rates and statements",
    },
    Person {
        name: "noor",
        title: "Noor Haddad",
        roles: &["auditor"],
        teams: &[],
        does: "auditor: sees everything, changes nothing",
    },
    Person {
        name: "ada",
        title: "Ada Novak",
        roles: &["admin"],
        teams: &[],
        does: "admin: people, storages, work",
    },
];

/// How somebody signs in.
pub(super) struct Account {
    pub(super) person: &'static Person,
    pub(super) password: String,
}

/// Where the clouds of a data folder lie.
pub(super) fn clouds_folder(data: &Path) -> PathBuf {
    data.join(CLOUDS_FOLDER)
}

/// Makes the folders of the clouds and, where there is none, the configuration that allows them as storages. Comes before
/// the settings are read.
///
/// # Errors
/// When the folder cannot be written.
pub fn prepare(data: &Path) -> anyhow::Result<()> {
    crate::folder::create(data)?;
    let clouds = Clouds::create(&clouds_folder(data))?;
    let file = data.join(CONFIG_FILE);
    if file.exists() {
        return Ok(());
    }
    // A JSON text is a TOML text as well, save for characters that no path of ours holds.
    let root = serde_json::Value::from(clouds.root().to_string_lossy());
    let text = format!(
        "# Written by `entrepot demo`: the folders that stand in for three clouds.\n\
         [storage]\nfile_roots = [{root}]\n"
    );
    std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))
}

/// The declaration with the data folder's own clouds.
pub(super) fn declaration(clouds: &Clouds) -> anyhow::Result<String> {
    let root = url::Url::from_directory_path(clouds.root())
        .map_err(|()| anyhow::anyhow!("{} is no absolute path", clouds.root().display()))?;
    Ok(DECLARATION.replace(STAND_IN, root.as_str()))
}

/// An account for everybody, with passwords made at random for this data folder, and the file that tells them.
pub(super) fn accounts(data: &Path) -> anyhow::Result<Vec<Account>> {
    let given = std::env::var(PASSWORD_VARIABLE).ok();
    accounts_with(data, given.as_deref())
}

fn accounts_with(data: &Path, given: Option<&str>) -> anyhow::Result<Vec<Account>> {
    let mut accounts = Vec::with_capacity(PEOPLE.len());
    let mut text = String::from("Accounts of the demo world. Keep this file to yourself.\n\n");
    for person in &PEOPLE {
        let password = match given {
            Some(password) => password.to_owned(),
            None => random_text(PASSWORD_LENGTH)?,
        };
        text.push_str(&format!("{:<8}{password}  {}\n", person.name, person.does));
        accounts.push(Account { person, password });
    }
    write_secret(&accounts_file(data), &text)?;
    Ok(accounts)
}

pub(super) fn accounts_file(data: &Path) -> PathBuf {
    data.join(ACCOUNTS_FILE)
}

/// The accounts of a world that was played before, as text for people.
///
/// # Errors
/// When the folder has no demo world, or the file was removed.
pub fn accounts_text(data: &Path) -> anyhow::Result<String> {
    let file = accounts_file(data);
    std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))
}

/// Writes a new file that only its owner reads.
pub(super) fn write_secret(path: &Path, text: &str) -> anyhow::Result<()> {
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written.with_context(|| format!("cannot write {}", path.display()))
}

/// Refuses a data folder in which somebody lives already, or a demo was broken off, and passwords that are none.
pub(super) async fn check_empty(exchange: &exchange::Exchange, data: &Path) -> anyhow::Result<()> {
    if exchange.has_people().await? || accounts_file(data).exists() {
        bail!(
            "{} is in use: the demo world is played in a new folder; remove this one, or name another with --data",
            data.display()
        );
    }
    check_given(std::env::var(PASSWORD_VARIABLE).ok().as_deref())
}

/// Said before anything is written: the accounts' own rule would say it in the middle of the story.
fn check_given(password: Option<&str>) -> anyhow::Result<()> {
    if password.is_some_and(|password| password.chars().count() < PASSWORD_SHORTEST) {
        bail!("{PASSWORD_VARIABLE} needs at least {PASSWORD_SHORTEST} characters");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::clouds::FOLDERS;
    use super::*;

    #[test]
    fn the_declaration_names_the_folders() {
        let data = tempfile::tempdir().unwrap();
        let clouds = Clouds::create(&clouds_folder(data.path())).unwrap();
        let text = declaration(&clouds).unwrap();
        let file: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
        for folder in FOLDERS {
            let storage = &file["storages"][folder.storage];
            let (cloud, region) = folder.location.split_once(':').unwrap();
            assert_eq!(storage["url"], clouds.url(folder).unwrap());
            assert_eq!(storage["cloud"], cloud);
            assert_eq!(storage["region"], region);
        }
        assert_eq!(file["storages"].as_object().unwrap().len(), FOLDERS.len());
        for place in [
            super::super::clouds::VISITS,
            super::super::clouds::CLAIMS,
            super::super::clouds::ORDERS,
            super::super::clouds::PARTS,
        ] {
            let product = &file["products"][place.product];
            assert_eq!(product["storage"], place.folder.storage);
            let tables = product["tables"].as_array().unwrap();
            assert!(
                tables
                    .iter()
                    .any(|table| table["name"] == place.table && table["path"] == place.path)
            );
        }
        for person in &PEOPLE {
            for (team, _) in person.teams {
                assert!(file["teams"].get(*team).is_some(), "{team}");
            }
        }
    }

    #[test]
    fn passwords_are_new_in_each_folder_and_for_the_owner_alone() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let first = accounts_with(one.path(), None).unwrap();
        let second = accounts_with(other.path(), None).unwrap();
        for (first, second) in first.iter().zip(&second) {
            assert_eq!(first.password.len(), PASSWORD_LENGTH);
            assert_ne!(first.password, second.password);
        }
        let file = one.path().join(ACCOUNTS_FILE);
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(
            accounts_text(one.path())
                .unwrap()
                .contains(&first[0].password)
        );
        // A second time would lock everybody out of the first world.
        assert!(accounts_with(one.path(), None).is_err());
        assert!(check_given(Some("too short")).is_err());
        assert!(check_given(Some("long enough")).is_ok());
        let given = tempfile::tempdir().unwrap();
        let given = accounts_with(given.path(), Some("correct horse battery")).unwrap();
        assert!(
            given
                .iter()
                .all(|account| account.password == "correct horse battery")
        );
    }

    #[test]
    fn the_configuration_allows_the_clouds_and_is_written_once() {
        let data = tempfile::tempdir().unwrap();
        prepare(data.path()).unwrap();
        let file = data.path().join(CONFIG_FILE);
        let flags = crate::config::Flags {
            data: Some(data.path().to_owned()),
            ..Default::default()
        };
        let settings = crate::config::Settings::load(&flags).unwrap();
        let clouds = clouds_folder(data.path()).canonicalize().unwrap();
        assert_eq!(settings.storage.file_roots, [clouds]);
        std::fs::write(&file, "# mine\n").unwrap();
        prepare(data.path()).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "# mine\n");
    }
}
