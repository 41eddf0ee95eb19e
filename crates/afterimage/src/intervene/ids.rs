//! Training points that are named in a file.

use std::collections::BTreeSet;
use std::path::Path;

use afterimage_files::{SMALL, read_input_text};
use afterimage_hooks::SampleId;

use crate::error::RunError;

/// The ids in `path`, one a line, in ascending order; empty lines count for nothing, and a first line
/// that is no number is a header.
///
/// # Errors
/// A file that cannot be read, a line that is no id, an id that stands twice, no id at all.
pub(super) fn read_ids(path: &Path) -> Result<Vec<SampleId>, RunError> {
    let text = read_input_text(path, SMALL).map_err(RunError::io(path, "read"))?;
    let refuse = |reason: String| RunError::Ablate {
        key: "owned-by",
        reason: format!("{}{reason}", path.display()),
    };
    let mut ids = BTreeSet::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        match line.parse::<u32>() {
            Ok(id) if ids.insert(SampleId(id)) => {}
            Ok(id) => return Err(refuse(format!(":{}: {id} stands here twice", at + 1))),
            Err(_) if line.is_empty() || at == 0 => {}
            Err(_) => {
                let wanted = "is no id; give whole numbers from 0, one a line";
                return Err(refuse(format!(":{}: {line:?} {wanted}", at + 1)));
            }
        }
    }
    if ids.is_empty() {
        return Err(refuse(": there is no id in it; give one a line".to_owned()));
    }
    Ok(ids.into_iter().collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ids_are_read_and_mistakes_told_with_their_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ids.txt");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            read_ids(&path).map_err(|error| error.to_string())
        };
        assert_eq!(read("point\n7\n\n3\n"), Ok(vec![SampleId(3), SampleId(7)]));
        assert!(read("1\nx\n").unwrap_err().contains("ids.txt:2"));
        assert!(read("1\n1\n").unwrap_err().contains("twice"));
        assert!(read("point\n").unwrap_err().contains("no id"));
    }
}
