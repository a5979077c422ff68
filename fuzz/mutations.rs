//! The seeds of a fuzz target, and what small changes make of them: the same ones on every machine and in every run. Part of the
//! unit tests of each crate that has targets, so that these run where there is no nightly compiler.

use std::path::Path;

/// What changes put in: what parsers look at first.
const PIECES: [&str; 28] = [
    "",
    "/",
    "..",
    "%",
    "%2e",
    "%2F",
    "%25",
    "\\",
    "\0",
    "\u{feff}",
    "\u{202e}",
    "é",
    "\"",
    "'",
    "`",
    "(",
    ")",
    "{",
    "[",
    "]",
    ",",
    ":",
    "null",
    "-1",
    "1e999",
    "9223372036854775808",
    "_delta_log/",
    "s3://",
];

/// Hands each seed of a target to it, and `times` changed ones.
pub(crate) fn run(name: &str, times: usize, target: impl Fn(&[u8])) {
    let seeds = seeds(name);
    for seed in &seeds {
        shown(name, seed, &target);
    }
    let mut chance = Chance(0x9E37_79B9_7F4A_7C15);
    for number in 0..times {
        let mut data = seeds[number % seeds.len()].clone();
        for _ in 0..=chance.below(3) {
            change(&mut data, &seeds, &mut chance);
        }
        shown(name, &data, &target);
    }
}

/// In the order of their names.
fn seeds(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(name);
    let entries = std::fs::read_dir(&folder);
    let entries = entries.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} has no seeds", folder.display());
    files
        .iter()
        .map(|file| std::fs::read(file).unwrap())
        .collect()
}

/// Should it panic, what it was given is told.
fn shown(name: &str, data: &[u8], target: impl Fn(&[u8])) {
    struct Given<'a>(&'a str, &'a [u8]);
    impl Drop for Given<'_> {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("{} was given b\"{}\"", self.0, self.1.escape_ascii());
            }
        }
    }
    let _given = Given(name, data);
    target(data);
}

fn change(data: &mut Vec<u8>, seeds: &[Vec<u8>], chance: &mut Chance) {
    let at = chance.below(data.len() + 1);
    let to = at + chance.below((data.len() - at).min(64) + 1);
    match chance.below(7) {
        0 if at < data.len() => data[at] ^= 1 << chance.below(8),
        1 if at < data.len() => data[at] = u8::try_from(chance.below(256)).unwrap(),
        2 => drop(data.drain(at..to)),
        3 => {
            let again = data[at..to].to_vec();
            drop(data.splice(at..at, again));
        }
        4 => data.truncate(at),
        5 => {
            let other = &seeds[chance.below(seeds.len())];
            let from = chance.below(other.len() + 1);
            data.truncate(at);
            data.extend_from_slice(&other[from..]);
        }
        _ => {
            let piece = PIECES[chance.below(PIECES.len())];
            drop(data.splice(at..to, piece.bytes()));
        }
    }
}

/// xorshift64
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit.max(1)).unwrap()).unwrap()
    }
}
