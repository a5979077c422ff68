//! Seals storage credentials with AES-256-GCM: a random nonce each, and the place as associated data, so that a ciphertext
//! which was moved to another row does not open (C-34).
//!
//! The keys stand in a file, one `id:hex` a line; the first one seals, all of them open. So a new key is put on top, and the
//! old one stays until everything was sealed anew. A process that runs takes part in that without being started again: it
//! reads the file each time it seals, which is rare, and whenever it meets a key that it does not know.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use aes_gcm::aead::{Aead, KeyInit, Nonce, Payload};
use aes_gcm::{Aes256Gcm, Key};
use exchange::ports::{KeyRing, Problem, Sealed};
use secrecy::zeroize::Zeroize as _;
use secrecy::{ExposeSecret as _, SecretString};

const NONCE: usize = 12;
/// What may be read of the environment: only this, so that no other secret of the process can be named into a storage.
const ENVIRONMENT: &str = "ENTREPOT_CREDENTIAL_";

#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    #[error("the key file {file} cannot be used: {source}")]
    Io {
        file: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error(
        "line {line} of the key file {file} is not `id:` and 64 hexadecimal digits, or repeats an id"
    )]
    Line { file: PathBuf, line: usize },
    #[error("the key file {file} holds no key")]
    Empty { file: PathBuf },
    #[error("the system's random source does not answer")]
    Random,
}

/// The key file, and its keys in memory.
pub struct FileKeyRing {
    file: PathBuf,
    keys: RwLock<Arc<Keys>>,
}

/// The keys of a file as it was read.
struct Keys {
    newest: String,
    ciphers: BTreeMap<String, Aes256Gcm>,
}

impl std::fmt::Debug for FileKeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let keys = self.keys();
        f.debug_struct("FileKeyRing")
            .field("newest", &keys.newest)
            .field("keys", &keys.ciphers.len())
            .finish_non_exhaustive()
    }
}

impl FileKeyRing {
    /// Reads the key file; where there is none and `create` is given, makes one that only its owner can read.
    pub fn open(file: &Path, create: bool) -> Result<Self, KeyFileError> {
        if create && !file.exists() {
            write_new(file).map_err(|source| KeyFileError::Io {
                file: file.to_owned(),
                source,
            })?;
        }
        Ok(Self {
            keys: RwLock::new(Arc::new(Keys::read(file)?)),
            file: file.to_owned(),
        })
    }

    fn keys(&self) -> Arc<Keys> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// As the file is now.
    fn read_again(&self) -> Result<Arc<Keys>, Problem> {
        let keys = Keys::read(&self.file).map_err(|error| {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the key file cannot be read again"
            );
            Problem::new("the key file cannot be read as it is now; the server's log says why")
        })?;
        let keys = Arc::new(keys);
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&keys);
        Ok(keys)
    }
}

impl Keys {
    fn read(file: &Path) -> Result<Self, KeyFileError> {
        let text = fs::read_to_string(file).map_err(|source| KeyFileError::Io {
            file: file.to_owned(),
            source,
        });
        let mut text = text?;
        let keys = Self::parse(file, &text);
        text.zeroize();
        keys
    }

    fn parse(file: &Path, text: &str) -> Result<Self, KeyFileError> {
        let mut newest = None;
        let mut ciphers = BTreeMap::new();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let broken = || KeyFileError::Line {
                file: file.to_owned(),
                line: at + 1,
            };
            let (id, key) = line.split_once(':').ok_or_else(broken)?;
            let mut bytes = [0_u8; 32];
            hex::decode_to_slice(key.trim(), &mut bytes).map_err(|_| broken())?;
            let cipher = Aes256Gcm::new(&Key::<Aes256Gcm>::from(bytes));
            bytes.zeroize();
            let id = id.trim();
            if id.is_empty() || ciphers.insert(id.to_owned(), cipher).is_some() {
                return Err(broken());
            }
            newest.get_or_insert_with(|| id.to_owned());
        }
        let newest = newest.ok_or_else(|| KeyFileError::Empty {
            file: file.to_owned(),
        })?;
        Ok(Self { newest, ciphers })
    }

    fn cipher(&self, id: &str) -> Result<&Aes256Gcm, Problem> {
        self.ciphers.get(id).ok_or_else(|| {
            Problem::new(format!(
                "the credential is sealed with the key `{id}`, which is not in the key file"
            ))
        })
    }
}

fn write_new(file: &Path) -> std::io::Result<()> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut handle = options.open(file)?;
    let mut line = format!("k1:{}\n", hex::encode(bytes));
    bytes.zeroize();
    let written = handle
        .write_all(line.as_bytes())
        .and_then(|()| handle.sync_all());
    line.zeroize();
    written
}

impl KeyRing for FileKeyRing {
    fn newest(&self) -> Result<String, Problem> {
        Ok(self.read_again()?.newest.clone())
    }

    fn seal(&self, place: &str, secret: &SecretString) -> Result<Sealed, Problem> {
        let mut nonce = [0_u8; NONCE];
        getrandom::fill(&mut nonce)
            .map_err(|_| Problem::new("the system's random source does not answer"))?;
        let payload = Payload {
            msg: secret.expose_secret().as_bytes(),
            aad: place.as_bytes(),
        };
        let keys = self.read_again()?;
        let sealed = keys
            .cipher(&keys.newest)?
            .encrypt(&Nonce::<Aes256Gcm>::from(nonce), payload)
            .map_err(|_| Problem::new("the credential could not be sealed"))?;
        let mut bytes = nonce.to_vec();
        bytes.extend(sealed);
        Ok(Sealed {
            key_id: keys.newest.clone(),
            bytes,
        })
    }

    fn open(&self, place: &str, sealed: &Sealed) -> Result<SecretString, Problem> {
        let broken = || {
            Problem::new(
                "the sealed credential does not open: it was changed or moved; enter it anew",
            )
        };
        let mut keys = self.keys();
        if !keys.ciphers.contains_key(&sealed.key_id) {
            keys = self.read_again()?;
        }
        let cipher = keys.cipher(&sealed.key_id)?;
        let (nonce, bytes) = sealed.bytes.split_at_checked(NONCE).ok_or_else(broken)?;
        let nonce: [u8; NONCE] = nonce.try_into().map_err(|_| broken())?;
        let payload = Payload {
            msg: bytes,
            aad: place.as_bytes(),
        };
        let plain = cipher
            .decrypt(&Nonce::<Aes256Gcm>::from(nonce), payload)
            .map_err(|_| broken())?;
        String::from_utf8(plain)
            .map(SecretString::from)
            .map_err(|_| broken())
    }

    fn environment(&self, name: &str) -> Result<SecretString, Problem> {
        let fits = name.strip_prefix(ENVIRONMENT).is_some_and(|rest| {
            !rest.is_empty()
                && rest
                    .bytes()
                    .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
        });
        if !fits {
            return Err(Problem::new(format!(
                "only variables that begin with {ENVIRONMENT} can be used as credentials"
            )));
        }
        std::env::var(name).map(SecretString::from).map_err(|_| {
            Problem::new(format!(
                "the server's environment has no variable {name}; set it and start the server again"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ring over a file of this text, and the folder that holds it.
    fn ring(text: &str) -> (FileKeyRing, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys");
        fs::write(&file, text).unwrap();
        (FileKeyRing::open(&file, false).unwrap(), folder)
    }

    fn secret() -> SecretString {
        SecretString::from("{\"account_key\":\"hunter2\"}".to_owned())
    }

    #[test]
    fn seals_and_opens_in_its_place_only() {
        let (ring, _folder) = ring(&format!("k1:{}\n", "ab".repeat(32)));
        let one = ring.seal("storage/1/credential", &secret()).unwrap();
        let other = ring.seal("storage/2/credential", &secret()).unwrap();
        assert_ne!(one.bytes, other.bytes, "a nonce of its own each");
        assert!(!one.bytes.windows(7).any(|part| part == b"hunter2"));
        let opened = ring.open("storage/1/credential", &one).unwrap();
        assert_eq!(opened.expose_secret(), secret().expose_secret());
        // C-34: two ciphertexts swapped open nowhere.
        assert!(ring.open("storage/1/credential", &other).is_err());
        assert!(ring.open("storage/2/credential", &one).is_err());
        for at in 0..one.bytes.len() {
            let mut changed = one.clone();
            changed.bytes[at] ^= 1;
            assert!(ring.open("storage/1/credential", &changed).is_err(), "{at}");
        }
        let mut short = one;
        short.bytes.truncate(5);
        assert!(ring.open("storage/1/credential", &short).is_err());
    }

    #[test]
    fn a_new_key_on_top_seals_and_the_old_one_still_opens() {
        let (old_line, new_line) = (
            format!("old:{}\n", "01".repeat(32)),
            format!("new:{}\n", "02".repeat(32)),
        );
        // A ring that goes on while the file changes under it, and one of another process.
        let (ring, folder) = ring(&old_line);
        let file = folder.path().join("keys");
        let other = FileKeyRing::open(&file, false).unwrap();
        let sealed = ring.seal("p", &secret()).unwrap();
        assert_eq!(
            (sealed.key_id.as_str(), ring.newest().unwrap().as_str()),
            ("old", "old")
        );
        fs::write(&file, format!("# turned 2026\n{new_line}{old_line}")).unwrap();
        assert!(ring.open("p", &sealed).is_ok());
        let again = ring.seal("p", &secret()).unwrap();
        assert_eq!(
            (again.key_id.as_str(), ring.newest().unwrap().as_str()),
            ("new", "new")
        );
        assert!(other.open("p", &again).is_ok(), "a key that it learns of");

        // The old line gone: what it sealed is lost to whoever reads the file anew.
        fs::write(&file, &new_line).unwrap();
        let anew = FileKeyRing::open(&file, false).unwrap();
        assert!(anew.open("p", &again).is_ok());
        let refused = anew.open("p", &sealed).unwrap_err();
        assert!(refused.sentence.contains("`old`"), "{}", refused.sentence);

        // A file that is being written, or gone: nothing is sealed by guess, and what was known still opens.
        for broken in ["new:02", ""] {
            fs::write(&file, broken).unwrap();
            assert!(ring.seal("p", &secret()).is_err() && ring.newest().is_err());
            assert!(ring.open("p", &again).is_ok());
        }
        fs::remove_file(&file).unwrap();
        let refused = ring.seal("p", &secret()).unwrap_err();
        assert!(
            !refused
                .sentence
                .contains(&folder.path().display().to_string()),
            "{}",
            refused.sentence
        );
        assert!(ring.open("p", &again).is_ok());
    }

    #[test]
    fn broken_key_files_are_refused() {
        for text in [
            "",
            "# nothing",
            "k1",
            "k1:zz",
            "k1:00",
            &format!(":{}", "00".repeat(32)),
            &format!("a:{0}\na:{0}", "00".repeat(32)),
        ] {
            assert!(Keys::parse(Path::new("keys"), text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_file_is_made_once_for_its_owner() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys");
        assert!(
            FileKeyRing::open(&file, false).is_err(),
            "never made unasked"
        );
        let sealed = FileKeyRing::open(&file, true)
            .unwrap()
            .seal("p", &secret())
            .unwrap();
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(
            FileKeyRing::open(&file, true)
                .unwrap()
                .open("p", &sealed)
                .is_ok()
        );
    }

    #[test]
    fn the_environment_is_read_by_prefix_only() {
        let (ring, _folder) = ring(&format!("k1:{}", "ab".repeat(32)));
        for name in [
            "PATH",
            "HOME",
            "ENTREPOT_TOKEN",
            "ENTREPOT_CREDENTIAL_",
            "entrepot_credential_x",
        ] {
            let refused = ring.environment(name).unwrap_err();
            assert!(refused.sentence.starts_with("only variables"), "{name}");
        }
        let refused = ring.environment("ENTREPOT_CREDENTIAL_NOT_SET").unwrap_err();
        assert!(refused.sentence.contains("has no variable"));
    }
}
