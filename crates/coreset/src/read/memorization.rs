//! Scores of memorization, as LayerMem and UnitMem leave them in files.

use std::path::Path;

use super::csv::Purpose;
use super::points::points;
use super::{Kind, Manner, csv, kind, latest, missing, numbers_in};
use crate::error::CoresetError;
use crate::gate::mean_ranks;

/// How much each of `samples` samples was memorized, in [0, 1]: the mean over `files` of the rank of its
/// number, 0 for the lowest; `None` if none is told. Each file, under the setting that names it, holds one
/// finite number a sample (npy, CSV or Parquet) or is a table of points of a run. Ranks let LayerMem and counts of units stand beside each
/// other.
///
/// # Errors
/// What `numbers` refuses, another number of rows than of samples, or a number that is not finite; with
/// setting, file and, in CSV, line.
pub fn memorization(
    files: &[(&'static str, Option<&Path>)],
    samples: usize,
) -> Result<Option<Vec<f64>>, CoresetError> {
    memorization_in(files, samples, &mut Manner::default())
}

/// The same in a manner that is told.
///
/// # Errors
/// What [`memorization`] refuses.
pub fn memorization_in(
    files: &[(&'static str, Option<&Path>)],
    samples: usize,
    manner: &mut Manner,
) -> Result<Option<Vec<f64>>, CoresetError> {
    let told = files
        .iter()
        .filter_map(|(setting, path)| Some((setting, (*path)?)));
    let lists = told
        .map(|(setting, path)| scores(setting, path, samples, manner))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(mean_ranks(&lists, samples))
}

fn scores(
    setting: &'static str,
    path: &Path,
    samples: usize,
    manner: &mut Manner,
) -> Result<Vec<f64>, CoresetError> {
    let latest = latest(path);
    let path = latest.as_path();
    let (role, count) = (setting.trim_start_matches('-'), Some(samples));
    let purpose = Purpose {
        role,
        samples: count,
    };
    let read = kind(path).and_then(|kind| match kind {
        Kind::Csv => {
            csv::numbers(path, &purpose, manner).map(|(starts, values)| (Some(starts), values))
        }
        Kind::Parquet => points(path, samples).and_then(|found| match found {
            Some(values) => Ok((None, values)),
            None => numbers_in(path, role, count, manner).map(|values| (None, values)),
        }),
        Kind::Npy => numbers_in(path, role, count, manner).map(|values| (None, values)),
    });
    let (starts, values) =
        read.map_err(|error| missing(error, setting, "a number for each sample"))?;
    if values.len() != samples {
        let reason = format!(
            "`{setting}` has {} numbers for {samples} samples, and needs one of each",
            values.len()
        );
        return Err(CoresetError::format(path, reason));
    }
    if let Some(id) = values.iter().position(|value| !value.is_finite()) {
        let line = starts.map_or(String::new(), |starts| {
            format!(" in line {}", csv::line(path, starts[id]))
        });
        let reason = format!(
            "`{setting}` needs a finite number of every sample; that of sample {id}{line} is {}",
            values[id]
        );
        return Err(CoresetError::format(path, reason));
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn ranks_of_files_are_averaged_and_a_broken_number_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let units = write("units.csv", "units\n0\n4\n0\n1\n");
        let layers = write("layers.csv", "-0.5\n0.25\n0.5\n0.75\n");
        let of = |files: &[(&'static str, Option<&Path>)]| memorization(files, 4);
        assert_eq!(of(&[("unitmem", None)]).unwrap(), None);
        let ranks = of(&[("unitmem", Some(&units)), ("layermem", None)]).unwrap();
        assert_eq!(ranks, Some(vec![0.5 / 3.0, 1.0, 0.5 / 3.0, 2.0 / 3.0]));
        let both = of(&[("unitmem", Some(&units)), ("layermem", Some(&layers))]).unwrap();
        assert_eq!(both.unwrap()[3], (2.0 / 3.0 + 1.0) / 2.0);
        let absent = folder.path().join("absent.npy");
        let error = of(&[("gate.unitmem", Some(&absent))]).unwrap_err();
        let (error, advice) = (
            error.to_string(),
            "name a file with a number for each sample",
        );
        assert!(
            error.starts_with("gate.unitmem: ") && error.ends_with(advice),
            "{error}"
        );
        for (text, words) in [
            (
                "m\n1\nnan\n2\n3\n",
                "`gate.unitmem` needs a finite number of every sample; that of sample 1 in line 3 is NaN",
            ),
            ("1\n2\n3\n", "`gate.unitmem` has 3 numbers for 4 samples"),
            ("1\n2\nmany\n3\n", "broken.csv:3: \"many\" is no number"),
            (
                "1,2\n2,3\n",
                "broken.csv:1: one column is needed; there are 2",
            ),
        ] {
            let broken = write("broken.csv", text);
            let error = of(&[("gate.unitmem", Some(&broken))])
                .unwrap_err()
                .to_string();
            assert!(
                error.contains("broken.csv") && error.contains(words),
                "{error}"
            );
        }
    }
}
