//! Adopting: a copy of the table that lies in the replica's storage already, from loads of another kind, becomes the first clone.
//!
//! Before a first copy each object is looked for in the adopted folder, by its name and then by its size; what is proved to be the
//! source's object, byte by byte where the stores say what its bytes come to, is copied within the storage and never crosses. The
//! adopted folder is read and nothing else: nothing there is written, moved, vacuumed or referred to, so that leaving again leaves
//! it as it was.

mod sums;
mod take;

use std::collections::HashMap;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{Attributes, Error as StoreError, GetOptions, ObjectMeta, ObjectStore};
use serde::{Deserialize, Serialize};

use crate::files::CopyItem;
use crate::marker::MARKER;
use crate::plan::{Pair, PlanError};
use crate::say::say;
use sums::Sum;
pub(crate) use take::{Taken, take};

/// HEAD requests at the same time.
const LOOKS: usize = 64;
/// Objects of the adopted folder; of more the index would take the memory of everybody else.
const MOST: usize = 1_000_000;
/// Objects of one size that are tried where none has the name.
const TRIED: usize = 4;
/// Bytes of a file's end that are compared where only that may be asked for: its footer, or the end of it.
pub(crate) const END: u64 = 8 << 10;

const NO_SUM: &str = "the source's store says nothing of their content, and to read them would be to fetch them; the ends of Parquet \
                      files are compared instead where that is allowed";
const ELSEWHERE: &str = "the worker does not stand beside the replica, so that to read the copy would be to fetch it, and the two \
                         stores do not say the same of their content";

/// A folder with a copy of the table, made by somebody else.
#[derive(Clone)]
pub struct Adoption {
    /// The replica's storage, rooted at its root.
    pub storage: Arc<dyn ObjectStore>,
    /// The copy's folder below that root.
    pub folder: Path,
    /// The replica table's own folder, likewise.
    pub own: Path,
    /// Whether this process stands beside the storage, so that nothing crosses that it reads there.
    pub beside: bool,
    /// Where the source's store says nothing of the content: whether a Parquet file of the same size and the same last bytes is
    /// taken for the same.
    pub by_ends: bool,
}

/// What of an adopted folder serves, as planned and as done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adopted {
    pub folder: String,
    /// Objects that lie there and are to be taken over.
    pub files: u64,
    pub bytes: u64,
    /// Of these, those that are read there first: what their stores say does not settle it.
    pub to_read_files: u64,
    pub to_read_bytes: u64,
    /// Others of the same size, under another name: they are read, too, and may turn out to be the same. No plan counts on them.
    #[serde(default)]
    pub perhaps_files: u64,
    /// What is fetched of the source to compare ends of files.
    pub compared_bytes: u64,
    /// Why others of the right size are not taken: the first reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Taken over by now.
    #[serde(default)]
    pub taken_files: u64,
    #[serde(default)]
    pub taken_bytes: u64,
    /// That turned out to be something else, and are fetched.
    #[serde(default)]
    pub differing: u64,
    /// That somebody changed between the look and the copy, and are fetched.
    #[serde(default)]
    pub changed: u64,
    /// That the storage did not read or copy, and are fetched.
    #[serde(default)]
    pub refused: u64,
}

/// An object that is hoped to lie in the adopted folder.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// Where it may lie, below the storage's root.
    from: Vec<Path>,
    /// What the source's store says of it; None: the end is compared.
    sum: Option<Sum>,
    /// The copy's store says the same.
    is_told: bool,
    /// It has the object's name. One of the same size alone may well be another.
    is_named: bool,
}

impl Wanted {
    /// Whether a plan may count on it.
    fn is_sure(&self) -> bool {
        self.is_told || self.is_named
    }

    /// Whether some of it is fetched of the source, to be compared.
    pub(crate) fn is_compared(&self) -> bool {
        self.sum.is_none()
    }
}

/// Whether a plan counts on an object, by where it goes, not to cross.
pub(crate) fn is_sure(wanted: &HashMap<String, Wanted>, dst: &str) -> bool {
    wanted.get(dst).is_some_and(Wanted::is_sure)
}

pub(crate) fn surely(wanted: &HashMap<String, Wanted>) -> usize {
    wanted.values().filter(|wanted| wanted.is_sure()).count()
}

/// Where objects lie in the adopted folder.
#[derive(Default)]
struct Index {
    by_name: HashMap<String, (Path, u64)>,
    by_size: HashMap<u64, Vec<Path>>,
}

impl Adoption {
    /// Why this folder cannot be adopted, as far as its name says.
    fn check(&self) -> Result<(), PlanError> {
        let (folder, own) = (&self.folder, &self.own);
        let why = if folder.is_root() {
            "A storage as a whole cannot be adopted; name the folder in it that holds the copy"
                .to_owned()
        } else if own.prefix_matches(folder) || folder.prefix_matches(own) {
            format!(
                "`{folder}` cannot be adopted, for the replica itself lies in `{own}`; name the folder of the other copy"
            )
        } else {
            return Ok(());
        };
        Err(PlanError::Adopt { why })
    }

    async fn index(&self) -> Result<Index, PlanError> {
        let folder = &self.folder;
        let mut index = Index::default();
        let mut listed = self.storage.list(Some(folder));
        let within = format!("{folder}/");
        loop {
            let object = match listed.try_next().await {
                Ok(Some(object)) => object,
                // Folders that are not there hold nothing.
                Ok(None) | Err(StoreError::NotFound { .. }) => break,
                Err(error) => {
                    return Err(PlanError::Store(format!("Adopted folder: {}", say(&error))));
                }
            };
            let Some(name) = object.location.as_ref().strip_prefix(&within) else {
                continue;
            };
            if name == MARKER || name.ends_with(&format!("/{MARKER}")) {
                let why = format!(
                    "`{folder}` cannot be adopted, for a replica lies in it (there is `{name}`), which deletes what it no longer \
                     needs; name a folder that no replica has"
                );
                return Err(PlanError::Adopt { why });
            }
            // Nothing of a log serves, and an empty object costs nothing anyway.
            if name.starts_with("_delta_log/") || object.size == 0 {
                continue;
            }
            if index.by_name.len() == MOST {
                let why = format!(
                    "`{folder}` holds more than {MOST} objects; name the folder of this table alone"
                );
                return Err(PlanError::Adopt { why });
            }
            let of_size = index.by_size.entry(object.size).or_default();
            if of_size.len() < TRIED {
                of_size.push(object.location.clone());
            }
            let name = name.to_owned();
            index.by_name.insert(name, (object.location, object.size));
        }
        Ok(index)
    }
}

impl Index {
    /// Where an object may lie, and whether it is there by its name.
    fn places(&self, item: &CopyItem) -> (Vec<Path>, bool) {
        for name in [&item.src, &item.dst] {
            if let Some((place, size)) = self.by_name.get(name)
                && *size == item.size
            {
                return (vec![place.clone()], true);
            }
        }
        let of_size = self.by_size.get(&item.size).cloned();
        (of_size.unwrap_or_default(), false)
    }
}

/// What came of looking for one object.
enum Looked {
    Wanted(Wanted),
    /// Of the right size, and not to be compared.
    Not(&'static str),
    Nothing,
}

/// Looks for the objects in the adopted folder. Reads listings and heads of objects, no content. What is found is not taken for
/// finished by its place alone from then on: only by a receipt.
pub(crate) async fn look_for(
    pair: &Pair,
    adoption: &Adoption,
    copies: &mut [CopyItem],
) -> Result<(HashMap<String, Wanted>, Adopted), PlanError> {
    adoption.check()?;
    let index = adoption.index().await?;
    let mut looks = Vec::new();
    for (at, item) in copies.iter().enumerate() {
        let (from, is_named) = index.places(item);
        if item.size == 0 || from.is_empty() {
            continue;
        }
        let (source, adoption) = (Arc::clone(pair.source.objects()), adoption.clone());
        let item = item.clone();
        looks.push(
            async move {
                let looked = look_at(source.as_ref(), &adoption, &item, from, is_named).await?;
                Ok::<_, PlanError>((at, looked))
            }
            .boxed(),
        );
    }
    let mut adopted = Adopted {
        folder: adoption.folder.to_string(),
        ..Adopted::default()
    };
    let mut all = HashMap::new();
    let mut looks = stream::iter(looks).buffered(LOOKS);
    while let Some((at, looked)) = looks.try_next().await? {
        let wanted = match looked {
            Looked::Wanted(wanted) => wanted,
            Looked::Not(why) => {
                adopted.why.get_or_insert_with(|| why.to_owned());
                continue;
            }
            Looked::Nothing => continue,
        };
        let Some(item) = copies.get_mut(at) else {
            continue;
        };
        item.fresh = true;
        if wanted.is_sure() {
            adopted.files += 1;
            adopted.bytes = adopted.bytes.saturating_add(item.size);
        } else {
            adopted.perhaps_files += 1;
        }
        if wanted.is_named && !wanted.is_told {
            adopted.to_read_files += 1;
            adopted.to_read_bytes = adopted.to_read_bytes.saturating_add(item.size);
        }
        if wanted.is_compared() {
            adopted.compared_bytes += item.size.min(END);
        }
        all.insert(item.dst.clone(), wanted);
    }
    Ok((all, adopted))
}

async fn look_at(
    source: &dyn ObjectStore,
    adoption: &Adoption,
    item: &CopyItem,
    from: Vec<Path>,
    is_named: bool,
) -> Result<Looked, PlanError> {
    let Ok(src) = Path::parse(&item.src) else {
        return Ok(Looked::Nothing);
    };
    let store =
        |side: &str, error: &StoreError| PlanError::Store(format!("{side}: {}", say(error)));
    // What is not as the log says is for the copier to meet: it knows what it means.
    let there = head(source, &src).await;
    let there = there.map_err(|error| store("Source", &error))?;
    let Some((meta, attributes)) = there.filter(|(meta, _)| meta.size == item.size) else {
        return Ok(Looked::Nothing);
    };
    let Some(sum) = Sum::of(&meta, &attributes) else {
        let may_compare = adoption.by_ends && adoption.beside && item.src.ends_with(".parquet");
        return Ok(match may_compare {
            true => Looked::Wanted(Wanted {
                from,
                sum: None,
                is_told: false,
                is_named,
            }),
            false => Looked::Not(NO_SUM),
        });
    };
    let mut others = Vec::new();
    for place in from {
        let there = head(adoption.storage.as_ref(), &place).await;
        let there = there.map_err(|error| store("Adopted folder", &error))?;
        let Some((meta, attributes)) = there.filter(|(meta, _)| meta.size == item.size) else {
            continue;
        };
        let told = Sum::of(&meta, &attributes);
        if told == Some(sum) {
            return Ok(Looked::Wanted(Wanted {
                from: vec![place],
                sum: Some(sum),
                is_told: true,
                is_named,
            }));
        }
        // An ETag that looks like a sum and is none hides the same content; under the same name that is worth reading it.
        if is_named || !told.is_some_and(|told| told.contradicts(&sum)) {
            others.push(place);
        }
    }
    Ok(match (others.is_empty(), adoption.beside) {
        (true, _) => Looked::Nothing,
        (false, false) => Looked::Not(ELSEWHERE),
        (false, true) => Looked::Wanted(Wanted {
            from: others,
            sum: Some(sum),
            is_told: false,
            is_named,
        }),
    })
}

/// What a store says of an object, without its content. None: it is not there.
async fn head(
    objects: &dyn ObjectStore,
    at: &Path,
) -> Result<Option<(ObjectMeta, Attributes)>, StoreError> {
    match objects
        .get_opts(at, GetOptions::new().with_head(true))
        .await
    {
        Ok(found) => Ok(Some((found.meta, found.attributes))),
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
