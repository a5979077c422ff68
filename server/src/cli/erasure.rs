//! `entrepot erasure`: what is to be forgotten, and the certificates. `check` asks nobody: it reads a file.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use exchange::erasures::{self, Checked};
use serde_json::{Value, json};

use super::Globals;
use super::call::Act;
use super::columns::{Column, at, facts, list, rows, table, time};
use super::save::Save;
use super::show::{self, Show};

#[derive(Debug, Subcommand)]
pub(super) enum Erasure {
    /// All erasures, newest first
    List {
        #[arg(long)]
        product: Option<String>,
    },
    /// One erasure: what it came to on each replica, and what it waits for
    Show { erasure: String },
    /// Say that rows are gone from the source of a product, so that they go from all its replicas
    Request(Request),
    /// The certificate of an erasure, printed or saved
    Certificate {
        erasure: String,
        /// A file for it, instead of the terminal
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// The public key that certificates of this installation are checked with, and below it those that were replaced
    Key,
    /// Make a new key that signs certificates from now on; those that are out are checked with the old one, which stays published
    RotateKey,
    /// Check a certificate without asking anybody; exit status 1 when it is not in order
    Check(Check),
}

#[derive(Debug, Args)]
pub(super) struct Request {
    product: String,
    /// SCHEMA.NAME; all tables of the product where it is not said
    #[arg(long)]
    table: Option<String>,
    /// The source's version without the rows; takes --table
    #[arg(long, requires = "table", conflicts_with = "since")]
    since_version: Option<u64>,
    /// The day, which counts to its end, or the instant since which they are gone; now where neither is said
    #[arg(long)]
    since: Option<String>,
    /// Do not wait for the retention: who reads an older version of a replica gets an error
    #[arg(long)]
    at_once: bool,
    /// Why, for the certificate; name nobody
    #[arg(long)]
    reason: String,
}

#[derive(Debug, Args)]
pub(super) struct Check {
    /// The certificate
    file: PathBuf,
    /// The public key that it must be signed with: entrepot erasure key says which; given more than once, one of them
    #[arg(long, value_name = "HEX")]
    key: Vec<String>,
}

const LIST: &[Column] = &[
    ("ASKED FOR", |e| time(e, "/requested_at")),
    ("PRODUCT", |e| at(e, "/product")),
    ("TABLE", |e| at(e, "/table")),
    ("GONE SINCE", |e| time(e, "/since")),
    ("STATE", |e| at(e, "/state")),
    ("ISSUED", |e| time(e, "/issued_at")),
    ("ID", |e| at(e, "/id")),
];

const PARTS: &[Column] = &[
    ("STORAGE", |p| at(p, "/storage")),
    ("LOCATION", |p| at(p, "/location")),
    ("CUT", |p| at(p, "/cut")),
    ("TABLE", |p| {
        format!("{}.{}", at(p, "/schema"), at(p, "/table"))
    }),
    ("STATE", |p| at(p, "/state")),
    ("OBJECTS", |p| at(p, "/objects")),
    ("WHY", |p| at(p, "/reason")),
];

impl Erasure {
    pub(super) fn act(self) -> anyhow::Result<Act> {
        Ok(match self {
            Self::List { product } => Act::list(&["erasures"])
                .query("product", product)
                .show(table(LIST)),
            Self::Show { erasure } => Act::get(&["erasures", &erasure]).show(Show::words(words)),
            Self::Request(request) => Act::post(&["erasures"])
                .body(json!({
                    "product": request.product,
                    "table": request.table,
                    "since_version": request.since_version,
                    "since": request.since,
                    "at_once": request.at_once,
                    "reason": request.reason,
                }))
                .show(Show::words(words)),
            Self::Certificate { erasure, out } => {
                let save = out.map(|path| Save { path, text });
                Act::get(&["erasures", &erasure, "certificate"])
                    .save(save)
                    .show(Show::words(text))
            }
            Self::Key => Act::get(&["erasure-key"]).show(Show::words(keys)),
            Self::RotateKey => Act::post(&["erasure-key", "rotate"]).show(Show::words(keys)),
            Self::Check(_) => anyhow::bail!("checking asks nobody"),
        })
    }
}

/// The key that signs in the first line, then each that did.
fn keys(key: &Value) -> String {
    let mut text = at(key, "/public_key");
    for retired in list(key, "retired") {
        let (key, until) = (at(retired, "/public_key"), time(retired, "/retired_at"));
        text.push_str(&format!("\n{key} until {until}"));
    }
    text
}

/// The certificate as it is.
fn text(answer: &Value) -> String {
    answer["certificate"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

fn words(erasure: &Value) -> String {
    let mut text = facts(
        &[
            ("Erasure", |e| at(e, "/id")),
            ("Product", |e| at(e, "/product")),
            ("Table", |e| at(e, "/table")),
            ("Gone since version", |e| at(e, "/since_version")),
            ("Gone since", |e| time(e, "/since")),
            ("At once", |e| at(e, "/at_once")),
            ("Because", |e| at(e, "/reason")),
            ("State", |e| at(e, "/state")),
            ("Asked for", |e| time(e, "/requested_at")),
            ("Certificate issued", |e| time(e, "/issued_at")),
            ("Head of its chain", |e| at(e, "/head")),
            ("In order as it is kept", |e| at(e, "/is_sound")),
        ],
        erasure,
    );
    text.push('\n');
    text.push_str(&rows(PARTS, list(erasure, "parts")));
    text
}

impl Check {
    /// Reads the file and says what is in it, or that it was changed.
    pub(super) fn check(&self, globals: &Globals) -> anyhow::Result<ExitCode> {
        let text = read(&self.file)?;
        let checked = match self.key.as_slice() {
            [] => erasures::check(&text, None)?,
            [first, others @ ..] => {
                let found = erasures::check(&text, Some(first));
                let by = |key: &String| erasures::check(&text, Some(key)).ok();
                match others.iter().find_map(by) {
                    Some(checked) if found.is_err() => checked,
                    _ => found?,
                }
            }
        };
        let told = if globals.json {
            show::json(&json!({
                "product": checked.product,
                "verdict": checked.verdict,
                "issued_at": checked.issued_at,
                "replicas": checked.replicas,
                "objects": checked.objects,
                "public_key": checked.public_key,
                // Without one given the file says by itself who signed it.
                "key_was_given": !self.key.is_empty(),
                "head": checked.head,
            }))
        } else {
            self.told(&checked)
        };
        super::print(&told);
        Ok(ExitCode::SUCCESS)
    }

    fn told(&self, checked: &Checked) -> String {
        let verdict = match checked.verdict.as_str() {
            "proven" => "the erasure is proven",
            _ => "the erasure is NOT provable; the certificate says why for each replica",
        };
        let mut text = format!(
            "The certificate is as it was signed: {}, {} replica tables, {} deleted objects, issued {}; {verdict}.\n\
             Signed with the key {}\n",
            checked.product,
            checked.replicas,
            checked.objects,
            checked.issued_at,
            checked.public_key
        );
        if self.key.is_empty() {
            text.push_str(
                "Whose key that is the file cannot say: compare it with what the installation shows, or give it with --key.\n",
            );
        }
        text
    }
}

fn read(file: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))
}
