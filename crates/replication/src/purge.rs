//! Writing away, in place, rows that only a deletion vector hides. The source goes on hiding them in its files; the replica's own
//! files stand for these without the rows, so that nothing crosses for it, and what the source does next is applied to them.

use std::sync::Arc;

use delta::{AddFile, Snapshot};

use crate::choose::{Base, Chosen, Work, id_of, rows_of};
use crate::diff::is_reserved;

impl Chosen {
    /// What deletion vectors have to be there for beside those of files that are copied: of files that are written anew without what
    /// they hide.
    pub(crate) fn read_with_vectors(&self) -> Vec<Arc<AddFile>> {
        let purging = self.works.iter().filter(|work| work.purges);
        let bases = purging.flat_map(|work| &work.bases);
        let bases = bases.filter(|base| base.is_new && hides(&base.file));
        bases.map(|base| Arc::clone(&base.file)).collect()
    }

    /// Files with rows that only a vector hides are written anew without them, each standing for the source's. A file all of whose
    /// rows are hidden stays: something has to stand for it.
    pub(crate) fn purge(&mut self, source: &Snapshot, held: &Snapshot) {
        self.works.iter_mut().for_each(|work| work.purges = true);
        for group in &self.view.groups {
            let mut members = group.members.iter();
            let hiding = members.clone().filter(|file| hides(file)).count() as u64;
            let is_busy = self.works.iter().any(|work| work.id == group.id);
            if hiding == 0 || is_busy || !members.all(|file| self.keeps.contains(&file.file_key()))
            {
                continue;
            }
            let ends = group.stands.iter();
            let ends = ends.map(|stand| source.files.get(&stand.key()).cloned());
            let Some(ends) = ends.collect::<Option<Vec<_>>>() else {
                continue;
            };
            let bases = group.members.iter().map(|file| Base {
                file: Arc::clone(file),
                is_new: false,
            });
            if let Some(work) = without_hidden(group.id.clone(), bases.collect(), ends) {
                self.works.push(work);
                self.purged += hiding;
            }
        }
        for (key, end) in source.files.iter().filter(|(_, end)| hides(end)) {
            if self.stands.contains(key) || is_reserved(end.key.as_ref()) {
                continue;
            }
            // What is not there yet is copied as it would be, and read here.
            let there = self.view.direct(held, key).filter(|there| {
                there.size == end.size && there.modification_time == end.modification_time
            });
            let base = Base {
                file: Arc::clone(there.unwrap_or(end)),
                is_new: there.is_none(),
            };
            let ends = vec![Arc::clone(end)];
            if let Some(work) = without_hidden(id_of(&ends), vec![base], ends) {
                self.stands.insert(key.clone());
                if there.is_some() {
                    self.keeps.insert(key.clone());
                }
                self.works.push(work);
                self.purged += 1;
            }
        }
    }
}

fn hides(file: &AddFile) -> bool {
    file.deletion_vector.is_some()
}

/// Files that are written anew for what they hide; `None` where it is not known that a row would be left.
fn without_hidden(id: String, bases: Vec<Base>, ends: Vec<Arc<AddFile>>) -> Option<Work> {
    let rows = rows_of(ends.iter()).filter(|rows| *rows > 0)?;
    let has_rows = |base: &Base| base.file.live_rows().is_some_and(|rows| rows > 0);
    if !bases.iter().all(has_rows) {
        return None;
    }
    Some(Work {
        id,
        bases,
        feeds: Vec::new(),
        without: Vec::new(),
        ends,
        rows,
        purges: true,
    })
}
