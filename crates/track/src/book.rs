//! What a run had on record at a checkpoint, so that what is lost since can be told.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use afterimage_files::{LARGE, open};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::TrackError;
use crate::files::{HISTOGRAMS, IMAGES, METRICS, TABLES, by_epoch};

/// Files of lines that are a pure function of config and seed.
const LINES: [&str; 4] = [METRICS, HISTOGRAMS, "decisions.jsonl", "images/index.jsonl"];
/// Folders of folders with a file an epoch.
const FOLDERS: [&str; 2] = [TABLES, IMAGES];
/// Bytes of a digest that are kept: it is to find accidents.
const DIGEST: usize = 8;

/// What a run had on record at a checkpoint: the lines of its files of lines by epoch, and the size of each
/// table and picture. Times and TensorBoard's files are not in it, since they differ between equal runs.
///
/// Equal runs have equal books, however often they were cut off: a book goes on where that of the checkpoint
/// ended, also where records of before are lost.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Book {
    epoch: u32,
    step: u64,
    lines: BTreeMap<String, BTreeMap<u32, Stretch>>,
    /// Bytes by folder and name.
    files: BTreeMap<String, BTreeMap<String, u64>>,
    /// Bytes of the files of lines that were looked at.
    #[serde(skip)]
    read: BTreeMap<String, u64>,
}

/// The lines of an epoch.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stretch {
    lines: u64,
    /// Of the digest before and the line, one line after the other.
    digest: String,
}

impl Stretch {
    fn push(&mut self, line: &[u8]) {
        let mut digest = Sha256::new();
        digest.update(self.digest.as_bytes());
        digest.update(line);
        let bytes = digest.finalize();
        self.digest = bytes
            .iter()
            .take(DIGEST)
            .map(|b| format!("{b:02x}"))
            .collect();
        self.lines += 1;
    }
}

/// When a record was made.
#[derive(Deserialize)]
struct Stamp {
    epoch: u32,
    step: u64,
}

impl Book {
    /// The book as JSON.
    ///
    /// # Errors
    /// Why it cannot be written as such.
    pub fn to_json(&self) -> Result<Vec<u8>, String> {
        serde_json::to_vec(self).map_err(|error| error.to_string())
    }

    /// The book that `bytes` hold as JSON.
    ///
    /// # Errors
    /// What is no book.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes).map_err(|error| error.to_string())
    }

    /// Begins behind what the files of `run` hold already: what is in the book of it stands as it is.
    pub fn go_on(&mut self, run: &Path) {
        for name in LINES {
            let length = fs::metadata(run.join(name)).map_or(0, |found| found.len());
            self.read.insert(name.to_owned(), length);
        }
    }

    /// Takes in what came to the files of `run` since, up to `epoch` and `step`, the time of a checkpoint.
    ///
    /// # Errors
    /// A file or folder that cannot be read.
    pub fn note(&mut self, run: &Path, epoch: u32, step: u64) -> Result<(), TrackError> {
        for name in LINES {
            let path = run.join(name);
            let mut from = self.read.get(name).copied().unwrap_or(0);
            let epochs = self.lines.entry(name.to_owned()).or_default();
            each_line(&path, from, |line| {
                let stamp = serde_json::from_slice::<Stamp>(line).ok();
                if stamp.as_ref().is_some_and(|stamp| stamp.step > step) {
                    return false;
                }
                from += line.len() as u64 + 1;
                if let Some(stamp) = stamp {
                    epochs.entry(stamp.epoch).or_default().push(line);
                }
                true
            })?;
            self.read.insert(name.to_owned(), from);
        }
        for root in FOLDERS {
            for (folder, path) in files_below(run, root)? {
                // Those of earlier epochs are as they were, or lost.
                let is_new = epoch_of(&path).is_some_and(|of| of >= self.epoch);
                let name = path.file_name().and_then(|name| name.to_str());
                if let Some(name) = name.filter(|_| is_new) {
                    let found = fs::metadata(&path).map_err(TrackError::io("read", &path))?;
                    let files = self.files.entry(folder).or_default();
                    files.insert(name.to_owned(), found.len());
                }
            }
        }
        (self.epoch, self.step) = (epoch, step);
        Ok(())
    }

    /// What `run` no longer has of it, or has otherwise: a line for each file of lines, for the tables and
    /// for the pictures.
    ///
    /// Records of after the checkpoint count for nothing. A file of the checkpoint's own epoch may have grown
    /// since, so that only its absence is seen.
    pub fn lost(&self, run: &Path) -> Vec<String> {
        let lines = self.lines.iter();
        let mut lost: Vec<String> = lines
            .filter_map(|(name, epochs)| self.lost_lines(&run.join(name), epochs))
            .collect();
        lost.extend(FOLDERS.iter().filter_map(|root| self.lost_files(run, root)));
        lost
    }

    fn lost_lines(&self, path: &Path, epochs: &BTreeMap<u32, Stretch>) -> Option<String> {
        let mut found: BTreeMap<u32, Stretch> = BTreeMap::new();
        let (mut number, mut strange, mut more) = (0_u64, Vec::new(), None);
        let read = each_line(path, 0, |line| {
            number += 1;
            let Ok(stamp) = serde_json::from_slice::<Stamp>(line) else {
                strange.push(number);
                return true;
            };
            if stamp.step > self.step {
                return true;
            }
            let told = epochs.get(&stamp.epoch).map_or(0, |told| told.lines);
            let there = found.entry(stamp.epoch).or_default();
            if there.lines < told {
                there.push(line);
            } else if stamp.epoch < self.epoch {
                more.get_or_insert(stamp.epoch);
            }
            true
        });
        if let Err(error) = read {
            return Some(error.to_string());
        }
        let there = |epoch: &u32| found.get(epoch).cloned().unwrap_or_default();
        let lacking = |(epoch, told): (&u32, &Stretch)| {
            let lacks = told.lines - there(epoch).lines;
            (lacks > 0).then_some((*epoch, lacks))
        };
        let lacking: Vec<(u32, u64)> = epochs.iter().filter_map(lacking).collect();
        let all: u64 = epochs.values().map(|told| told.lines).sum();
        let mut told = Vec::new();
        if let Some((epoch, _)) = lacking.first() {
            let count: u64 = lacking.iter().map(|(_, lacks)| lacks).sum();
            told.push(format!(
                "lacks {count} of {all} lines, from epoch {epoch} on"
            ));
        }
        let differs = |(epoch, told): &(&u32, &Stretch)| {
            let there = there(epoch);
            there.lines == told.lines && there.digest != told.digest
        };
        let changed = epochs.iter().find(differs).map(|(epoch, _)| *epoch);
        if let Some(epoch) = changed.into_iter().chain(more).min() {
            told.push(format!(
                "has other lines than were written, from epoch {epoch} on"
            ));
        }
        if let Some(first) = strange.first() {
            let count = strange.len();
            told.push(format!(
                "has {count} lines that are no records, the first at line {first}"
            ));
        }
        (!told.is_empty()).then(|| format!("{} {}", path.display(), told.join("; it ")))
    }

    fn lost_files(&self, run: &Path, root: &str) -> Option<String> {
        let of_root = |folder: &str| folder.split('/').next() == Some(root);
        let folders = self.files.iter().filter(|(folder, _)| of_root(folder));
        let (mut all, mut missing, mut changed) = (0, Vec::new(), Vec::new());
        for (folder, files) in folders {
            for (name, bytes) in files {
                all += 1;
                let path = run.join(folder).join(name);
                let epoch = epoch_of(&path).unwrap_or(0);
                match fs::metadata(&path).ok().filter(fs::Metadata::is_file) {
                    None => missing.push((epoch, path)),
                    Some(found) if found.len() != *bytes && epoch < self.epoch => {
                        changed.push((epoch, path));
                    }
                    Some(_) => {}
                }
            }
        }
        let first = |paths: &mut Vec<(u32, PathBuf)>| {
            paths.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| by_epoch(&a.1, &b.1)));
            let (epoch, path) = paths.first()?;
            let name = path.strip_prefix(run).unwrap_or(path).display();
            Some((paths.len(), *epoch, name.to_string()))
        };
        let mut told = Vec::new();
        if let Some((count, epoch, name)) = first(&mut missing) {
            told.push(format!(
                "lacks {count} of {all} files, from epoch {epoch} on, the first {name}"
            ));
        }
        if let Some((count, epoch, name)) = first(&mut changed) {
            told.push(format!(
                "has {count} files of another size than was written, from epoch {epoch} on, the first {name}"
            ));
        }
        let path = run.join(root);
        (!told.is_empty()).then(|| format!("{} {}", path.display(), told.join("; it ")))
    }
}

/// Calls `take` with the whole lines of `path` from byte `from` on, without their ends, until it says false;
/// a missing file has none.
fn each_line(
    path: &Path,
    from: u64,
    mut take: impl FnMut(&[u8]) -> bool,
) -> Result<(), TrackError> {
    let mut file: File = match open(path, LARGE) {
        Ok(file) => file,
        Err(error) if error.is_missing() => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let failed = TrackError::io("read", path);
    let read = || -> io::Result<()> {
        file.seek(SeekFrom::Start(from))?;
        let mut reader = BufReader::new(file);
        let mut line = Vec::new();
        loop {
            line.clear();
            reader.read_until(b'\n', &mut line)?;
            // The last line may be torn, or not there.
            if line.pop() != Some(b'\n') || !take(&line) {
                return Ok(());
            }
        }
    };
    read().map_err(failed)
}

/// The files of an epoch two folders below `root` in `run`, with the folder's name from `run` on.
fn files_below(run: &Path, root: &str) -> Result<Vec<(String, PathBuf)>, TrackError> {
    let mut found = Vec::new();
    let place = run.join(root);
    if !place.is_dir() {
        return Ok(found);
    }
    for folder in fs::read_dir(&place).map_err(TrackError::io("list", &place))? {
        let folder = folder.map_err(TrackError::io("list", &place))?;
        let path = folder.path();
        if !folder.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let name = format!("{root}/{}", folder.file_name().to_string_lossy());
        for file in fs::read_dir(&path).map_err(TrackError::io("list", &path))? {
            let file = file.map_err(TrackError::io("list", &path))?.path();
            if epoch_of(&file).is_some() {
                found.push((name.clone(), file));
            }
        }
    }
    Ok(found)
}

/// The epoch in a name as `epoch-0007.parquet`.
fn epoch_of(path: &Path) -> Option<u32> {
    let name = path.file_name()?.to_str()?.strip_prefix("epoch-")?;
    name.split('.').next()?.parse().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A run of three epochs, with its book at the end of the third.
    fn run() -> (tempfile::TempDir, Book) {
        let place = tempfile::tempdir().unwrap();
        let run = place.path();
        let mut book = Book::default();
        let (mut metrics, mut decisions) = (String::new(), String::new());
        for epoch in 0..3_u32 {
            for tag in ["a", "b"] {
                let step = epoch * 10;
                metrics += &format!("{{\"tag\":\"{tag}\",\"epoch\":{epoch},\"step\":{step}}}\n");
                let folder = run.join(TABLES).join(tag);
                fs::create_dir_all(&folder).unwrap();
                let bytes = "x".repeat(epoch as usize + 5);
                fs::write(folder.join(format!("epoch-{epoch:04}.parquet")), bytes).unwrap();
            }
            decisions += &format!("{{\"epoch\":{epoch},\"step\":{}}}\n", epoch * 10);
            fs::write(run.join(METRICS), &metrics).unwrap();
            fs::write(run.join("decisions.jsonl"), &decisions).unwrap();
            book.note(run, epoch, u64::from(epoch) * 10).unwrap();
        }
        (place, book)
    }

    #[test]
    fn a_book_is_the_same_however_it_came_about() {
        let (place, book) = run();
        let run = place.path();
        let mut at_once = Book::default();
        at_once.note(run, 2, 20).unwrap();
        let told = |book: &Book| String::from_utf8(book.to_json().unwrap()).unwrap();
        assert_eq!(told(&at_once), told(&book));
        // Cut off, and gone on with behind a loss.
        let mut gone_on = Book::parse(&book.to_json().unwrap()).unwrap();
        fs::write(run.join(METRICS), "").unwrap();
        gone_on.go_on(run);
        gone_on.note(run, 2, 20).unwrap();
        assert_eq!(told(&gone_on), told(&book));
        assert_eq!(gone_on.lost(run).len(), 1);
    }

    #[test]
    fn what_is_lost_is_told_with_its_epoch() {
        let (place, book) = run();
        let run = place.path();
        assert_eq!(book.lost(run), Vec::<String>::new());
        let metrics = fs::read_to_string(run.join(METRICS)).unwrap();
        let lines: Vec<&str> = metrics.split_inclusive('\n').collect();
        let without = |left_out: usize| -> String {
            let kept = lines.iter().enumerate().filter(|(at, _)| *at != left_out);
            kept.map(|(_, line)| *line).collect()
        };
        let doubled = format!("{}{}{}", lines[..3].concat(), lines[2], lines[3..].concat());
        let cases = [
            (String::new(), "lacks 6 of 6 lines, from epoch 0 on"),
            (without(2), "lacks 1 of 6 lines, from epoch 1 on"),
            (without(5), "lacks 1 of 6 lines, from epoch 2 on"),
            (
                doubled,
                "has other lines than were written, from epoch 1 on",
            ),
            (
                metrics.replacen("\"b\"", "\"c\"", 1),
                "has other lines than were written, from epoch 0 on",
            ),
            (
                format!("garbage\n{metrics}"),
                "has 1 lines that are no records, the first at line 1",
            ),
        ];
        for (text, words) in cases {
            fs::write(run.join(METRICS), text).unwrap();
            let told = book.lost(run);
            assert!(told.len() == 1 && told[0].ends_with(words), "{told:?}");
        }
        // What came behind the checkpoint is no loss, and neither is a torn line.
        let later = "{\"epoch\":2,\"step\":20}\n{\"epoch\":3,\"step\":25}\n{\"ep";
        fs::write(run.join(METRICS), format!("{metrics}{later}")).unwrap();
        assert_eq!(book.lost(run), Vec::<String>::new());
        fs::remove_file(run.join("decisions.jsonl")).unwrap();
        assert!(book.lost(run)[0].ends_with("lacks 3 of 3 lines, from epoch 0 on"));
    }

    #[test]
    fn tables_that_are_gone_or_cut_are_told_with_their_epoch() {
        let (place, book) = run();
        let run = place.path();
        fs::write(run.join("tables/b/epoch-0001.parquet"), "xx").unwrap();
        let told = book.lost(run);
        assert!(
            told[0].ends_with(
                "has 1 files of another size than was written, from epoch 1 on, the first \
                 tables/b/epoch-0001.parquet"
            ),
            "{told:?}"
        );
        fs::remove_file(run.join("tables/b/epoch-0001.parquet")).unwrap();
        assert!(book.lost(run)[0].contains("lacks 1 of 6 files, from epoch 1 on"));
        fs::remove_dir_all(run.join("tables")).unwrap();
        assert!(book.lost(run)[0].contains("lacks 6 of 6 files, from epoch 0 on"));
        // Those of the last epoch may have grown.
        fs::create_dir_all(run.join("tables/a")).unwrap();
        fs::write(
            run.join("tables/a/epoch-0002.parquet"),
            "longer than it was",
        )
        .unwrap();
        assert!(book.lost(run)[0].contains("lacks 5 of 6 files, from epoch 0 on"));
    }
}
