//! Training images that are planted, so that what memorization answers to is known.

use std::collections::BTreeMap;

use afterimage_data::{DataError, DataSet, ImageSet, Replacement};
use afterimage_hooks::random::{RandomKey, Stream};
use afterimage_hooks::{Column, Dose, DoseGroup, Doses, PairSets, SampleId, Table};
use afterimage_track::write_table;
use serde::{Deserialize, Serialize};

use crate::config::Report;
use crate::error::RunError;
use crate::run_dir::RunDir;

/// The table of planted images in a run's directory.
pub(crate) const DOSES: &str = "doses.parquet";
/// Times that an image may be shown in an epoch.
const MOST_TIMES: u32 = 1024;
/// Levels of 256 by which a near duplicate differs from its picture at most, beside its shift.
const GRAIN: u32 = 4;

/// Images that are planted among the training images: each shown several times an epoch, under one id
/// or as near duplicates under several, or made of noise. An epoch has as many steps as it then has
/// images, and the schedule follows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DosesConfig {
    /// Times that an image is shown in an epoch, each for a group of its own, as in `[2, 4, 8, 16]`;
    /// none by default.
    #[serde(default)]
    pub times: Vec<u32>,
    /// The part of the set that each of these groups gets, in (0, 1): of pictures for `repeats`, of ids
    /// for `copies`.
    pub share: f64,
    /// `repeats` under one id each (the default), or `copies`: near duplicates under as many ids, which
    /// take the places of other images of the set.
    #[serde(default)]
    pub kind: DoseKind,
    /// The part of the set whose images are replaced by noise, in [0, 1); default 0.
    #[serde(default)]
    pub noise: f64,
    /// The set: `candidates`, which the encoder under study alone sees (the default where there is a
    /// `[pair]`; the independent points in their places are planted alike), or `train`, all that it is
    /// trained on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<DoseSet>,
}

/// How an image comes to be shown several times.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum DoseKind {
    /// Under one id.
    #[default]
    Repeats,
    /// As near duplicates under several ids.
    Copies,
}

/// Which images may be planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DoseSet {
    /// Those that the encoder under study alone sees.
    Candidates,
    /// All that it is trained on.
    Train,
}

impl DosesConfig {
    /// Reports what is wrong with the settings, by key.
    pub(crate) fn validate(&self, report: &mut Report<'_>, pair: bool) {
        report.check(self.share > 0.0 && self.share < 1.0, "doses.share", || {
            format!("{} is not in (0, 1); write for example 0.05", self.share)
        });
        report.check((0.0..1.0).contains(&self.noise), "doses.noise", || {
            format!("{} is not in [0, 1); write for example 0.05", self.noise)
        });
        let wrong = self.times.iter().find(|t| !(2..=MOST_TIMES).contains(*t));
        report.check(wrong.is_none(), "doses.times", || {
            let times = wrong.copied().unwrap_or_default();
            format!(
                "{times} is not from 2 to {MOST_TIMES}; images that are not planted are shown once"
            )
        });
        let twice = (1..self.times.len()).find(|at| self.times[..*at].contains(&self.times[*at]));
        report.check(twice.is_none(), "doses.times", || {
            format!(
                "{} stands here twice",
                self.times[twice.unwrap_or_default()]
            )
        });
        report.check(
            !self.times.is_empty() || self.noise > 0.0,
            "doses.times",
            || {
                "nothing is planted; give numbers of times as in [2, 4, 8, 16], or `noise`"
                    .to_owned()
            },
        );
        report.check(pair || self.of != Some(DoseSet::Candidates), "doses.of", || {
            "there are no candidates without a reference encoder; add a [pair] table, or write \"train\""
                .to_owned()
        });
    }

    /// Which of `samples` training images are planted: a function of the seed alone.
    ///
    /// # Errors
    /// Groups without an image, more images than there are.
    pub(crate) fn choose(
        &self,
        samples: usize,
        pair: Option<&PairSets>,
        seed: u64,
    ) -> Result<Doses, RunError> {
        let set = match (pair, self.of) {
            (Some(sets), None | Some(DoseSet::Candidates)) => sets.candidates.clone(),
            (Some(sets), Some(DoseSet::Train)) => sets.members(),
            (None, _) => (0..samples as u32).map(SampleId).collect(),
        };
        let mut order = set.clone();
        RandomKey::new(seed, Stream::Doses)
            .generator()
            .shuffle(&mut order);
        let mut rest = order.into_iter();
        let mut groups = Vec::new();
        let wanted = self.times.iter().map(|times| match self.kind {
            DoseKind::Repeats => (Dose::Repeats(*times), self.share),
            DoseKind::Copies => (Dose::Copies(*times), self.share),
        });
        let noise = (self.noise > 0.0).then_some((Dose::Noise, self.noise));
        for (dose, share) in wanted.chain(noise) {
            let size = match dose {
                Dose::Copies(times) => times as usize,
                Dose::Repeats(_) | Dose::Noise => 1,
            };
            let pictures = (share * set.len() as f64).round() as usize / size;
            let taken: Vec<SampleId> = rest.by_ref().take(pictures * size).collect();
            if taken.is_empty() || taken.len() < pictures * size {
                return Err(RunError::Doses(format!(
                    "there are {} images to plant in; dose {:?} would have {pictures} pictures of \
                     {size} ids each, and {} ids are left for it; change `share`, `times` or `limits`",
                    set.len(),
                    dose.name(),
                    taken.len()
                )));
            }
            let partner = |id: &SampleId| {
                let sets = pair?;
                let place = sets.candidates.binary_search(id).ok()?;
                sets.independent.get(place).copied()
            };
            groups.push(DoseGroup {
                dose,
                partners: taken.iter().filter_map(partner).collect(),
                samples: taken.chunks(size).map(<[SampleId]>::to_vec).collect(),
            });
        }
        let mut plain: Vec<SampleId> = rest.collect();
        plain.sort_unstable();
        if plain.len() < 2 {
            return Err(RunError::Doses(format!(
                "{} of {} images are left that are not planted, and two at least are needed to compare \
                 with; lower `share` or `noise`",
                plain.len(),
                set.len()
            )));
        }
        Ok(Doses { groups, plain })
    }
}

/// What is planted, in a sentence; `members` images are trained on.
pub(crate) fn described(doses: &Doses, members: usize) -> String {
    let groups = doses.groups.iter().map(|group| match group.dose {
        Dose::Repeats(times) => format!("{} images {times} times an epoch", group.samples.len()),
        Dose::Copies(times) => format!("{} images as {times} near duplicates", group.samples.len()),
        Dose::Noise => format!("{} images of noise", group.samples.len()),
    });
    let groups: Vec<String> = groups.collect();
    let planned = doses.planned(members);
    format!(
        "doses: {}; an epoch shows {planned} images",
        groups.join(", ")
    )
}

/// `data` with the pictures that `doses` asks for among its training images.
pub(crate) fn plant(data: DataSet, doses: &Doses, seed: u64) -> Result<DataSet, RunError> {
    let train = &data.train;
    let mut pictures = Vec::new();
    for group in &doses.groups {
        // What stands in the places of the copies of one picture is copied in the same way.
        let size = group.samples.first().map_or(1, Vec::len);
        let partners = group.partners.chunks(size).map(<[SampleId]>::to_vec);
        for ids in group.samples.iter().cloned().chain(partners) {
            match (group.dose, ids.split_first()) {
                (Dose::Copies(_), Some((first, copies))) => {
                    for (id, number) in copies.iter().zip(1u32..) {
                        pictures.push(near(train, *first, *id, number, seed)?);
                    }
                }
                (Dose::Noise, _) => {
                    pictures.extend(ids.iter().map(|id| noise(train, *id, seed)));
                }
                _ => {}
            }
        }
    }
    let train = data.train.replaced(pictures).map_err(RunError::Doses)?;
    Ok(DataSet { train, ..data })
}

/// A near duplicate of the picture of `first` under the id `copy`: shifted by one pixel, in eight
/// directions in turn by `number`, with a grain of a few levels.
fn near(
    images: &ImageSet,
    first: SampleId,
    copy: SampleId,
    number: u32,
    seed: u64,
) -> Result<Replacement, DataError> {
    /// Right, left, down, up, and the corners.
    const SHIFTS: [(isize, isize); 8] = [
        (1, 0),
        (-1, 0),
        (0, 1),
        (0, -1),
        (1, 1),
        (-1, -1),
        (1, -1),
        (-1, 1),
    ];
    let (dx, dy) = SHIFTS[(number as usize - 1) % SHIFTS.len()];
    let image = images.image(first)?;
    let (width, height) = (image.shape.width, image.shape.height);
    let mut generator = RandomKey::new(seed, Stream::Doses)
        .sample(copy.0)
        .view(1)
        .generator();
    let inside = |at: usize, by: isize, length: usize| at.saturating_add_signed(by).min(length - 1);
    let mut pixels = Vec::with_capacity(image.pixels.len());
    for plane in image.pixels.chunks_exact(width * height) {
        for y in 0..height {
            for x in 0..width {
                let from = inside(y, dy, height) * width + inside(x, dx, width);
                let grain = generator.below(2 * GRAIN + 1) as i32 - GRAIN as i32;
                pixels.push((i32::from(plane[from]) + grain).clamp(0, 255) as u8);
            }
        }
    }
    let label = images.labels().get(first.0 as usize).copied();
    Ok(Replacement {
        id: copy,
        pixels,
        label: label.unwrap_or_default(),
        shows: Some(first),
    })
}

/// Uniform noise in the place of the picture of `id`, which keeps its label.
fn noise(images: &ImageSet, id: SampleId, seed: u64) -> Replacement {
    let mut generator = RandomKey::new(seed, Stream::Doses)
        .sample(id.0)
        .view(2)
        .generator();
    let pixels = (0..images.shape().len())
        .map(|_| generator.below(256) as u8)
        .collect();
    let label = images
        .labels()
        .get(id.0 as usize)
        .copied()
        .unwrap_or_default();
    Replacement {
        id,
        pixels,
        label,
        shows: None,
    }
}

/// Writes `doses.parquet` to the run: the dose of each planted training image, of the encoder under
/// study and of its reference.
pub(crate) fn write_doses(run: &RunDir, doses: &Doses) -> Result<(), RunError> {
    /// Whose, in what dose, and the sample whose picture it shows.
    type Row = (&'static str, Dose, SampleId);
    let mut rows: BTreeMap<SampleId, Row> = BTreeMap::new();
    for group in &doses.groups {
        let size = group.samples.first().map_or(1, Vec::len);
        let partners: Vec<Vec<SampleId>> = group.partners.chunks(size).map(<[_]>::to_vec).collect();
        for (set, pictures) in [("studied", &group.samples), ("reference", &partners)] {
            for picture in pictures {
                rows.extend(
                    picture
                        .iter()
                        .map(|id| (*id, (set, group.dose, picture[0]))),
                );
            }
        }
    }
    let text = |of: fn(&Row) -> String| Column::Text(rows.values().map(of).collect());
    let whole =
        |of: fn(&Row) -> u32| Column::I64(rows.values().map(|row| i64::from(of(row))).collect());
    let ids = Column::I64(rows.keys().map(|id| i64::from(id.0)).collect());
    let columns = [
        ("id", ids),
        ("encoder", text(|row| row.0.to_owned())),
        ("dose", text(|row| row.1.name())),
        ("times", whole(|row| row.1.times())),
        ("picture", whole(|row| row.2.0)),
    ];
    Ok(write_table(&run.path().join(DOSES), &Table::of(columns))?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use afterimage_data::{DataSource, Limits};
    use afterimage_hooks::PairChoice;

    use super::*;

    fn config(kind: DoseKind) -> DosesConfig {
        DosesConfig {
            times: vec![2, 8],
            share: 0.2,
            kind,
            noise: 0.1,
            of: None,
        }
    }

    #[test]
    fn candidates_and_their_partners_are_planted_alike() {
        let sets = PairSets::choose(400, 100, PairChoice::Random, 3).unwrap();
        let doses = config(DoseKind::Repeats)
            .choose(400, Some(&sets), 3)
            .unwrap();
        let sizes: Vec<usize> = doses
            .groups
            .iter()
            .map(|group| group.samples.len())
            .collect();
        assert_eq!(sizes, [20, 20, 10]);
        assert_eq!(doses.plain.len(), 50);
        for group in &doses.groups {
            assert_eq!(group.partners.len(), group.samples.len());
            assert!(group.ids().iter().all(|id| sets.candidates.contains(id)));
            assert!(
                group
                    .partners
                    .iter()
                    .all(|id| sets.independent.contains(id))
            );
        }
        assert_eq!(doses.planned(300), 300 + 20 + 7 * 20);
        let again = config(DoseKind::Repeats)
            .choose(400, Some(&sets), 3)
            .unwrap();
        assert_eq!(doses, again);
        let other = config(DoseKind::Repeats)
            .choose(400, Some(&sets), 4)
            .unwrap();
        assert_ne!(doses, other);
    }

    #[test]
    fn copies_are_near_and_noise_is_not() {
        let limits = Limits {
            train: Some(200),
            held_out: Some(20),
        };
        let data = DataSource::Embedded {}.load(limits).unwrap();
        let doses = config(DoseKind::Copies).choose(200, None, 5).unwrap();
        assert_eq!(doses.planned(200), 200);
        assert_eq!(doses.groups[1].samples.len(), 5);
        let planted = plant(data.clone(), &doses, 5).unwrap();
        assert_eq!(planted, plant(data.clone(), &doses, 5).unwrap());
        let by_sample = doses.by_sample();
        let pixels = |data: &DataSet, id: SampleId| data.train.image(id).unwrap().pixels.to_vec();
        // The largest difference inside of the border where `b` is `a` shifted by one pixel at most.
        let apart = |a: &[u8], b: &[u8]| -> u8 {
            let at = |x: usize, y: usize| y * 28 + x;
            let shifts = (0..3).flat_map(|dx| (0..3).map(move |dy| (dx, dy)));
            let inside = || (1..27).flat_map(|y| (1..27).map(move |x| (x, y)));
            let most = |(dx, dy): (usize, usize)| {
                let far =
                    inside().map(|(x, y)| a[at(x + dx - 1, y + dy - 1)].abs_diff(b[at(x, y)]));
                far.max().unwrap()
            };
            shifts.map(most).min().unwrap()
        };
        for id in (0..200).map(SampleId) {
            let same = pixels(&planted, id) == pixels(&data, id);
            let first = doses
                .groups
                .iter()
                .flat_map(|g| &g.samples)
                .any(|s| s[0] == id && s.len() > 1);
            assert_eq!(same, first || !by_sample.contains_key(&id), "{id:?}");
        }
        let group = &doses.groups[1].samples[0];
        let first = pixels(&planted, group[0]);
        for copy in &group[1..] {
            let copy_pixels = pixels(&planted, *copy);
            assert!(copy_pixels != first && u32::from(apart(&first, &copy_pixels)) <= GRAIN);
            assert!(u32::from(apart(&first, &pixels(&planted, doses.plain[0]))) > GRAIN);
            let labels = planted.train.labels();
            assert_eq!(labels[copy.0 as usize], labels[group[0].0 as usize]);
            let name = planted.train.name(*copy).map(|name| name.to_string());
            let shown = data.train.name(group[0]).map(|name| name.to_string());
            assert!(name.is_some() && name == shown, "{name:?} {shown:?}");
        }
        let mut noises = doses.groups.iter().filter(|g| g.dose == Dose::Noise);
        let noise = noises.next().unwrap().ids()[0];
        assert_eq!(planted.train.name(noise), None);
        assert_eq!(planted.held_out, data.held_out);
    }

    #[test]
    fn more_than_there_is_cannot_be_planted() {
        for (share, noise) in [(0.5, 0.1), (0.001, 0.0), (0.45, 0.1)] {
            let config = DosesConfig {
                share,
                noise,
                ..config(DoseKind::Repeats)
            };
            assert!(config.choose(100, None, 1).is_err(), "{share} {noise}");
        }
    }
}
