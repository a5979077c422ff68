//! How a run brings what its source has rewritten, said in sentences for who looks at the run.

use model::dto::RunHow;

/// The counts of a plan with their sentence. `why` is why something is copied, where the plan says it; `by_files`: the change feed
/// was tried and could not be applied.
pub fn explained(how: RunHow, why: Option<&str>, by_files: bool) -> RunHow {
    let sets = |count: u64, what: &str| match count {
        0 => None,
        1 => Some(format!("1 set of rewritten files {what}")),
        many => Some(format!("{many} sets of rewritten files {what}")),
    };
    let purged = match how.files_purged {
        0 => None,
        1 => Some("1 file is written anew here".to_owned()),
        many => Some(format!("{many} files are written anew here")),
    };
    let parts = [
        sets(
            how.sets_fed,
            "by the change feed, which is less than the files",
        ),
        sets(
            how.sets_skipped,
            "by leaving it alone, for it was only compacted",
        ),
        sets(how.sets_copied, "by copying"),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let mut said = match parts.is_empty() {
        true => "What the replica does not hold is copied file by file.".to_owned(),
        false => format!("The run brings {}.", parts.join(", ")),
    };
    if let Some(purged) = purged {
        said.push_str(&format!(
            " {purged} without rows that a deletion vector hides."
        ));
    }
    if by_files {
        said.push_str(" The change feed could not be applied, so that files are copied.");
    } else if let Some(why) = why {
        said.push_str(&format!(" Rewritten files are copied because {why}."));
    }
    RunHow {
        because: said,
        ..how
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_says_how_it_brings_what_was_rewritten() {
        let said = |how: RunHow, why, by_files| explained(how, why, by_files).because;
        assert_eq!(
            said(RunHow::default(), None, false),
            "What the replica does not hold is copied file by file."
        );
        let how = RunHow {
            sets_fed: 2,
            sets_skipped: 1,
            files_purged: 1,
            ..RunHow::default()
        };
        assert_eq!(
            said(how, Some("a file that went came back"), false),
            "The run brings 2 sets of rewritten files by the change feed, which is less than the files, 1 set of rewritten files by \
             leaving it alone, for it was only compacted. 1 file is written anew here without rows that a deletion vector hides. \
             Rewritten files are copied because a file that went came back."
        );
        assert!(said(RunHow::default(), None, true).ends_with("so that files are copied."));
    }
}
