//! Whether images at hand are those that a run was trained on: by names and content, not by settings.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use afterimage_data::DataSet;
use afterimage_files::below;
use afterimage_hooks::{Column, SampleId, Split, Table};
use afterimage_track::{files, read_table};

use crate::error::RunError;
use crate::experiment::Experiment;
use crate::run_dir::data_digest;
use crate::samples;

/// File, name in the file, and label.
type Row = (String, String, i64);

/// What the directory of a run says about its images.
pub(crate) struct KeptImages {
    /// Training and held-out rows of its table of samples.
    rows: Option<[Vec<Row>; 2]>,
    /// Digests of its training and of its held-out images.
    digests: Option<[String; 2]>,
}

/// How the images of a split differ from those of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Others {
    /// By name.
    Names {
        /// Images of the run.
        had: usize,
        /// Images at hand.
        have: usize,
        /// Images of the run that are not at hand.
        missing: usize,
        /// Images at hand that the run did not have.
        new: usize,
    },
    /// By order or label alone.
    Order,
    /// By content.
    Content,
    /// By their digest, where no names are known.
    Digest,
    /// By the settings, where nothing else is known.
    Settings,
}

impl fmt::Display for Others {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Names {
                had,
                have,
                missing,
                new,
            } => write!(
                f,
                "{missing} of the run's {had} are missing, and {new} of the {have} here are others"
            ),
            Self::Order => f.write_str("they are in another order, or have other labels"),
            Self::Content => f.write_str(
                "their names are those of the run's, but the content of some is another, or \
                 `data.lazy` or `data.size` is not the run's (`data_sha256` in its manifest.json)",
            ),
            Self::Digest => f.write_str(
                "their digest is not that of the run (`data_sha256` in its manifest.json)",
            ),
            Self::Settings => f.write_str(
                "[data] or `limits.train` are not those of the run, whose samples.parquet and \
                 manifest.json are not there to compare with",
            ),
        }
    }
}

impl KeptImages {
    /// Reads what the directory `run` says; nothing where that is not there.
    pub(crate) fn of(run: &Path) -> Option<Self> {
        let rows = match below(run, files::SAMPLES) {
            Ok(path) => read_table(&path).map(rows).unwrap_or_else(|error| {
                tracing::warn!("{error}; images are compared by their digest alone");
                None
            }),
            Err(_) => None,
        };
        let digests = data_digest(run).and_then(|both| {
            let (train, held_out) = both.split_once('+')?;
            Some([train.to_owned(), held_out.to_owned()])
        });
        (rows.is_some() || digests.is_some()).then_some(Self { rows, digests })
    }

    /// Training images of the run, where they are known.
    pub(crate) fn trained(&self) -> Option<usize> {
        self.rows.as_ref().map(|[train, _]| train.len())
    }

    /// How many of the training images `ids` of `data` are, by name, among those that the run's encoder saw: all of the
    /// run's, or its `members`.
    pub(crate) fn saw(
        &self,
        members: Option<&[SampleId]>,
        data: &DataSet,
        ids: &[SampleId],
    ) -> Option<usize> {
        let [kept, _] = self.rows.as_ref()?;
        let [now, _] = rows(samples::table(data))?;
        let name = |row: &Row| (row.0.clone(), row.1.clone());
        let seen: BTreeSet<_> = match members {
            Some(members) => {
                let rows = members.iter().filter_map(|id| kept.get(id.0 as usize));
                rows.map(name).collect()
            }
            None => kept.iter().map(name).collect(),
        };
        let at_hand = ids.iter().filter_map(|id| now.get(id.0 as usize));
        Some(at_hand.filter(|row| seen.contains(&name(row))).count())
    }

    /// How the images of `split` differ from the run's; `None` where they are the same ones in the same
    /// order.
    pub(crate) fn others(&self, split: Split, data: &DataSet) -> Option<Others> {
        let at = usize::from(split == Split::HeldOut);
        let of_digest = |digests: &[String; 2]| digests[at] == data.split(split).digest();
        let same = self.digests.as_ref().map(of_digest);
        if same == Some(true) {
            return None;
        }
        let changed = |what| (same == Some(false)).then_some(what);
        match (&self.rows, rows(samples::table(data))) {
            (Some(kept), Some(now)) => {
                differ(&kept[at], &now[at]).or_else(|| changed(Others::Content))
            }
            _ => changed(Others::Digest),
        }
    }
}

/// The training and the held-out rows of a table of samples; nothing for another table.
fn rows(table: Table) -> Option<[Vec<Row>; 2]> {
    let mut columns: BTreeMap<String, Column> = table.columns.into_iter().collect();
    let mut text = |name: &str| match columns.remove(name) {
        Some(Column::Text(values)) => Some(values),
        _ => None,
    };
    let (splits, names, members) = (text("split")?, text("file")?, text("member")?);
    let Some(Column::I64(labels)) = columns.remove("label") else {
        return None;
    };
    let mut rows = [Vec::new(), Vec::new()];
    let all = splits.into_iter().zip(names).zip(members).zip(labels);
    for (((split, name), member), label) in all {
        rows[usize::from(split != "train")].push((name, member, label));
    }
    Some(rows)
}

/// How the rows `now` differ from those that were kept.
fn differ(kept: &[Row], now: &[Row]) -> Option<Others> {
    if kept == now {
        return None;
    }
    let mut counts: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    for ((name, member, _), count) in kept
        .iter()
        .map(|row| (row, 1))
        .chain(now.iter().map(|row| (row, -1)))
    {
        *counts.entry((name, member)).or_default() += count;
    }
    let over = |sign: i64| {
        let left = counts.values().map(|count| (sign * count).max(0));
        left.sum::<i64>() as usize
    };
    let (missing, new) = (over(1), over(-1));
    Some(match (missing, new) {
        (0, 0) => Others::Order,
        _ => Others::Names {
            had: kept.len(),
            have: now.len(),
            missing,
            new,
        },
    })
}

/// The tables of a run whose sets of points mean nothing on other training images; none where it has
/// none.
pub(crate) fn sets_of(experiment: &Experiment) -> Option<&'static str> {
    match (experiment.pair.is_some(), experiment.doses.is_some()) {
        (false, false) => None,
        (true, false) => Some("[pair]"),
        (false, true) => Some("[doses]"),
        (true, true) => Some("[pair] and [doses]"),
    }
}

/// Compares `data` with the images of the run in the directory `run`, whose config is `experiment`, where
/// that can be done; what differs is noted.
///
/// # Errors
/// Other training images of a run whose sets of points hang on them.
pub(crate) fn check_images(
    run: &Path,
    experiment: &Experiment,
    data: &DataSet,
    notes: &mut Vec<String>,
) -> Result<(), RunError> {
    let Some(kept) = KeptImages::of(run) else {
        return Ok(());
    };
    if let Some(others) = kept.others(Split::Train, data) {
        refuse(run, experiment, others)?;
        notes.push(told_of_training(others));
    }
    notes.extend(told_of_held_out(&kept, data));
    Ok(())
}

/// Refuses other training images for a run whose sets of points hang on them.
///
/// # Errors
/// [`RunError::OtherTrainingImages`].
pub(crate) fn refuse(run: &Path, experiment: &Experiment, others: Others) -> Result<(), RunError> {
    match sets_of(experiment) {
        None => Ok(()),
        Some(sets) => Err(RunError::OtherTrainingImages {
            run: run.to_owned(),
            sets,
            others: others.to_string(),
        }),
    }
}

/// What there is to say about training images that are others than the run's.
pub(crate) fn told_of_training(others: Others) -> String {
    format!(
        "the training images are not those that the run was trained on: {others}; what is called trained \
         on here may be images that the encoder never saw"
    )
}

/// What there is to say about held-out images that the run did not have; fewer of its own are none.
pub(crate) fn told_of_held_out(kept: &KeptImages, data: &DataSet) -> Option<String> {
    match kept.others(Split::HeldOut, data)? {
        Others::Order | Others::Names { new: 0, .. } => None,
        others => Some(format!(
            "the held-out images are not those of the run: {others}; nothing tells whether the encoder \
             was trained on some of them"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(names: &[&str]) -> Vec<Row> {
        let row = |name: &&str| ((*name).to_owned(), String::new(), 0);
        names.iter().map(row).collect()
    }

    #[test]
    fn images_are_compared_by_name() {
        let kept = named(&["a", "b", "c"]);
        assert_eq!(differ(&kept, &kept), None);
        let names = |have, missing, new| {
            Some(Others::Names {
                had: 3,
                have,
                missing,
                new,
            })
        };
        assert_eq!(differ(&kept, &named(&["a", "c"])), names(2, 1, 0));
        assert_eq!(differ(&kept, &named(&["a", "b", "c", "d"])), names(4, 0, 1));
        assert_eq!(differ(&kept, &named(&["a", "x", "y"])), names(3, 2, 2));
        assert_eq!(differ(&kept, &named(&["b", "a", "c"])), Some(Others::Order));
        // One name twice, as of near duplicates that a run planted.
        assert_eq!(differ(&kept, &named(&["a", "b", "b"])), names(3, 1, 1));
    }
}
