//! What a trial reports while it runs.

use std::collections::BTreeMap;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use afterimage_files::LARGE;
use serde::Deserialize;

/// A line of a run's `metrics.jsonl`.
#[derive(Deserialize)]
struct Scalar {
    tag: String,
    epoch: u32,
    value: Number,
}

/// A number, or the word for one that JSON lacks.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Digits(f64),
    Word(String),
}

/// The values of one scalar of a run, read as its file grows.
#[derive(Debug)]
pub struct Reports {
    path: PathBuf,
    tag: String,
    read: u64,
    /// The last value of each epoch.
    values: BTreeMap<u32, f64>,
}

impl Reports {
    /// The values of `tag` in the run directory `run`; nothing is read yet.
    pub fn of(run: &Path, tag: &str) -> Self {
        Self {
            path: run.join("metrics.jsonl"),
            tag: tag.to_owned(),
            read: 0,
            values: BTreeMap::new(),
        }
    }

    /// Reads what came since the last time. A file that got shorter was cut back to a checkpoint;
    /// it is read again from its start.
    ///
    /// # Errors
    /// A file that cannot be read; one that is not there yet is no error.
    pub fn update(&mut self) -> io::Result<()> {
        let mut file = match afterimage_files::open(&self.path, LARGE) {
            Ok(file) => file,
            Err(error) if error.is_missing() => return Ok(()),
            Err(error) => return Err(io::Error::new(error.kind(), error)),
        };
        if file.metadata()?.len() < self.read {
            self.read = 0;
            self.values.clear();
        }
        file.seek(SeekFrom::Start(self.read))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let whole = bytes
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(0, |at| at + 1);
        for line in bytes[..whole].split(|&byte| byte == b'\n') {
            // Lines of other scalars are many.
            if !contains(line, self.tag.as_bytes()) {
                continue;
            }
            if let Ok(scalar) = serde_json::from_slice::<Scalar>(line)
                && scalar.tag == self.tag
            {
                let value = match scalar.value {
                    Number::Digits(x) => x,
                    Number::Word(word) => word.parse().unwrap_or(f64::NAN),
                };
                self.values.insert(scalar.epoch, value);
            }
        }
        self.read += whole as u64;
        Ok(())
    }

    /// The last value of each epoch so far.
    pub fn values(&self) -> &BTreeMap<u32, f64> {
        &self.values
    }
}

fn contains(line: &[u8], word: &[u8]) -> bool {
    line.windows(word.len().max(1)).any(|window| window == word)
}

/// All values of `tag` by epoch in the run directory `run`; none if they cannot be read.
pub fn read_reports(run: &Path, tag: &str) -> BTreeMap<u32, f64> {
    let mut reports = Reports::of(run, tag);
    match reports.update() {
        Ok(()) => reports.values,
        Err(_) => BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Write as _;

    use super::*;

    #[test]
    fn half_a_line_is_left_for_the_next_time() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("metrics.jsonl");
        let line = |epoch: u32, tag: &str, value: &str| {
            format!(
                "{{\"tag\":\"{tag}\",\"epoch\":{epoch},\"step\":1,\"author\":\"loop\",\"value\":{value}}}\n"
            )
        };
        let mut reports = Reports::of(folder.path(), "eval/knn");
        reports.update()?;
        assert!(reports.values().is_empty());
        let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
        let (first, second) = (line(1, "eval/knn", "0.5"), line(2, "eval/knn", "\"NaN\""));
        let half = second.len() / 2;
        write!(
            file,
            "{first}{}{}",
            line(1, "eval/knn2", "0.9"),
            &second[..half]
        )?;
        reports.update()?;
        assert_eq!(reports.values(), &[(1, 0.5)].into());
        write!(file, "{}", &second[half..])?;
        reports.update()?;
        assert!(reports.values()[&2].is_nan());
        std::fs::write(&path, line(1, "eval/knn", "0.25"))?;
        reports.update()?;
        assert_eq!(reports.values(), &[(1, 0.25)].into());
        Ok(())
    }
}
