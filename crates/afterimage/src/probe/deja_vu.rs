//! The déjà-vu test of a probed encoder, and the features that it can be computed from again.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use afterimage_data::{DataSet, ImageSet, ViewConfig, ViewSource};
use afterimage_hooks::{ModelView, SampleId, Samples as _, Split, TapPlan};
use afterimage_memory::{Area, DejaVu, PublicSet, Recall, ShareGap, chosen_of};
use afterimage_track::TextTable;
use afterimage_track::files::write_beside;
use afterimage_train::{Embeddings, TrainError};
use serde::{Deserialize, Serialize};

use super::ProbeConfig;
use super::features::{embeddings, write_npy};
use super::prepared::Prepared;
use crate::error::RunError;
use crate::prepared::plain_views;
use crate::room::{self, Part};

/// Pixels that a part of an image has a side at least.
const LEAST_SIDE: usize = 4;
/// Public images that parts are compared with.
const MOST_PUBLIC: usize = 10_000;
/// Points in a forward pass of views.
const BATCH: usize = 16;

/// Settings of the déjà-vu test.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DejaVuConfig {
    /// Training points, and as many held-out points; fewer where there are fewer, and half of the
    /// held-out images at most; default 500.
    pub points: usize,
    /// Public images that vote, the held-out images that are no points; default 20.
    pub k: usize,
    /// Side of the part over side of the image, above 0 and below 1; default 0.5: a quarter of the
    /// image, from one of its corners.
    pub part: f64,
}

impl Default for DejaVuConfig {
    fn default() -> Self {
        Self {
            points: 500,
            k: 20,
            part: 0.5,
        }
    }
}

impl DejaVuConfig {
    /// What is wrong with the settings: keys, each with a sentence.
    pub(super) fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if self.points < 2 {
            problems.push((
                "points",
                "shares are compared, which needs at least 2".to_owned(),
            ));
        }
        if self.k == 0 {
            problems.push(("k", "at least one image must vote".to_owned()));
        }
        if !(self.part > 0.0 && self.part < 1.0) {
            problems.push(("part", format!("{} is not above 0 and below 1", self.part)));
        }
        problems
    }
}

/// The points and images of the test.
pub(super) struct Stage {
    trained: Vec<SampleId>,
    held_out: Vec<SampleId>,
    public: Vec<SampleId>,
    /// Both splits, a corner of each image.
    corners: Arc<DataSet>,
    config: DejaVuConfig,
}

/// The test of one encoder, and what went into it.
pub(super) struct Tested {
    pub(super) result: DejaVu,
    recalls: Vec<(Split, SampleId, u32, Recall)>,
    parts: Embeddings,
    whole: Embeddings,
    public: Embeddings,
}

impl Stage {
    /// Chooses points and public images and cuts the corners; notes what there is fewer of.
    pub(super) fn new(
        prepared: &Prepared,
        config: &ProbeConfig,
        wanted: DejaVuConfig,
        notes: &mut Vec<String>,
    ) -> Result<Self, RunError> {
        let (members, count) = (prepared.members(), prepared.store.len(Split::HeldOut));
        let held_out: Vec<SampleId> = (0..count as u32).map(SampleId).collect();
        let points = wanted.points.min(members.len()).min(count / 2);
        if points < 2 {
            return Err(RunError::FewImages {
                train: members.len(),
                held_out: count,
            });
        }
        if points < wanted.points {
            notes.push(format!(
                "deja_vu: {points} training points and as many held-out ones, of {} asked for; half of \
                 the {count} held-out images are public",
                wanted.points
            ));
        }
        let trained = chosen_of(config.seed, Split::Train, &members, points);
        let tested = chosen_of(config.seed, Split::HeldOut, &held_out, points);
        let rest: Vec<SampleId> = held_out
            .into_iter()
            .filter(|id| !tested.contains(id))
            .collect();
        let corners = |images: &ImageSet| cut(images, wanted.part).map_err(RunError::DejaVu);
        Ok(Self {
            trained,
            held_out: tested,
            public: chosen_of(config.seed, Split::HeldOut, &rest, MOST_PUBLIC),
            corners: Arc::new(DataSet {
                train: corners(&prepared.data.train)?,
                held_out: corners(&prepared.data.held_out)?,
            }),
            config: wanted,
        })
    }

    /// The test of `model`.
    pub(super) fn test(
        &self,
        prepared: &Prepared,
        config: &ProbeConfig,
        model: &dyn ModelView,
    ) -> Result<Tested, RunError> {
        let shape = prepared.plain.shape();
        let views = ViewConfig {
            size: Some(shape.height.min(shape.width)),
            ..config.views.clone()
        };
        let small = plain_views(&views, self.corners.train.shape(), config.seed)?;
        let device = &prepared.device;
        let whole =
            |split| ViewSource::new(Arc::clone(&prepared.data), split, prepared.plain.clone());
        let part = |split| ViewSource::new(Arc::clone(&self.corners), split, small.clone());
        let points = [
            (Split::Train, self.trained.clone()),
            (Split::HeldOut, self.held_out.clone()),
        ];
        let public = [(Split::HeldOut, self.public.clone())];
        let (parts, wholes) = (
            embeddings(model, part, &points, device)?,
            embeddings(model, whole, &points, device)?,
        );
        let public = embeddings(model, whole, &public, device)?;
        let images = &prepared.data.held_out;
        let label =
            |set: &ImageSet, id: SampleId| set.labels().get(id.0 as usize).copied().unwrap_or(0);
        let labels = self.public.iter().map(|id| label(images, *id)).collect();
        let classes = images
            .classes()
            .len()
            .max(prepared.data.train.classes().len());
        let set = PublicSet::new(public.values(), public.width(), labels, classes);
        let ids = points
            .iter()
            .flat_map(|(split, ids)| ids.iter().map(move |id| (*split, *id)));
        let recalls: Vec<(Split, SampleId, u32, Recall)> = ids
            .enumerate()
            .map(|(row, (split, id))| {
                let label = match split {
                    Split::Train => label(&prepared.data.train, id),
                    Split::HeldOut => label(images, id),
                };
                let recall = set.recall(parts.row(row), wholes.row(row), label, self.config.k);
                (split, id, label, recall)
            })
            .collect();
        let of = |wanted: Split| -> Vec<(Recall, u32)> {
            let own = recalls.iter().filter(|(split, ..)| *split == wanted);
            own.map(|(_, _, label, recall)| (*recall, *label)).collect()
        };
        Ok(Tested {
            result: DejaVu::new(&of(Split::Train), &of(Split::HeldOut), set.chance()),
            recalls,
            parts,
            whole: wholes,
            public,
        })
    }

    /// Writes the folder `deja_vu` of `out`: the embeddings of parts, whole and public images, the
    /// points with what their neighbours said, and the views that the alignment gap was measured on.
    pub(super) fn write(
        &self,
        out: &Path,
        tested: &Tested,
        prepared: &Prepared,
        config: &ProbeConfig,
    ) -> Result<(), RunError> {
        let folder = out.join("deja_vu");
        fs::create_dir_all(&folder).map_err(RunError::io(&folder, "create"))?;
        for (name, rows) in [
            ("parts.npy", &tested.parts),
            ("whole.npy", &tested.whole),
            ("public.npy", &tested.public),
        ] {
            write_npy(&folder.join(name), rows)?;
        }
        let mut text = "split,id,label,class,own,found\n".to_owned();
        for (split, id, label, recall) in &tested.recalls {
            let split = word(*split);
            let (class, own, found) = (recall.class, recall.own, u8::from(recall.found));
            let _ = writeln!(text, "{split},{},{label},{class},{own},{found}", id.0);
        }
        write_beside(&folder.join("points.csv"), text.as_bytes())?;
        let labels = prepared.data.held_out.labels();
        let mut text = "id,label\n".to_owned();
        for id in &self.public {
            let label = labels.get(id.0 as usize).copied().unwrap_or(0);
            let _ = writeln!(text, "{},{label}", id.0);
        }
        write_beside(&folder.join("public.csv"), text.as_bytes())?;
        let result = serde_json::json!({ "k": self.config.k, "part": self.config.part, "test": tested.result });
        write_beside(
            &folder.join("result.json"),
            format!("{result}\n").as_bytes(),
        )?;
        self.write_views(&folder, prepared, config)
    }

    /// `views.npy` `[points · views, D]` and `views.csv`, a row a point: the embeddings of the views that
    /// the alignment gap compares, all views of the first point first.
    fn write_views(
        &self,
        folder: &Path,
        prepared: &Prepared,
        config: &ProbeConfig,
    ) -> Result<(), RunError> {
        let alignment = config.alignment.clone().unwrap_or_default();
        let count = prepared.store.len(Split::HeldOut);
        let held_out: Vec<SampleId> = (0..count as u32).map(SampleId).collect();
        let of = |split, from: &[SampleId]| chosen_of(config.seed, split, from, alignment.points);
        let points = [
            (Split::Train, of(Split::Train, &prepared.members())),
            (Split::HeldOut, of(Split::HeldOut, &held_out)),
        ];
        let (mut values, mut width) = (Vec::new(), 1);
        let mut text = "split,id\n".to_owned();
        for (split, ids) in &points {
            for ids in ids.chunks(BATCH) {
                let views = prepared.store.probe_views(*split, ids, alignment.views);
                let seen =
                    views.and_then(|views| prepared.model.observe(views, &TapPlan::default()));
                let rows = seen.map_err(TrainError::Evaluation)?.embeddings;
                width = rows.dims()[1];
                let rows = rows.try_into_vec_as::<f32>();
                let rows = rows.map_err(|error| RunError::DejaVu(error.to_string()))?;
                values.extend(rows);
                ids.iter().for_each(|id| {
                    let _ = writeln!(text, "{},{}", word(*split), id.0);
                });
            }
        }
        write_npy(&folder.join("views.npy"), &Embeddings::new(values, width))?;
        Ok(write_beside(&folder.join("views.csv"), text.as_bytes())?)
    }
}

fn word(split: Split) -> &'static str {
    match split {
        Split::Train => "train",
        Split::HeldOut => "held_out",
    }
}

/// A corner of each image, `part` of its side, in turn top left, top right, bottom left, bottom right.
fn cut(images: &ImageSet, part: f64) -> Result<ImageSet, String> {
    let shape = images.shape();
    let side = |length: usize| ((length as f64 * part).round() as usize).max(1);
    let (height, width) = (side(shape.height), side(shape.width));
    if height.min(width) < LEAST_SIDE {
        return Err(format!(
            "deja_vu.part: a part of {part} of an image is {height}×{width} pixels; give at least \
             {LEAST_SIDE} a side"
        ));
    }
    let bytes = (images.len() * shape.channels * height * width) as u64;
    let what = format!("corners of {} images", images.len());
    room::check(images, bytes, Part::Quarter, &what)
        .map_err(|why| format!("deja_vu: {why}; lower the limits"))?;
    let mut pixels = Vec::with_capacity(bytes as usize);
    for id in (0..images.len() as u32).map(SampleId) {
        let image = images.image(id).map_err(|error| error.to_string())?;
        let left = if id.0 % 2 == 1 {
            shape.width - width
        } else {
            0
        };
        let top = if id.0 / 2 % 2 == 1 {
            shape.height - height
        } else {
            0
        };
        for plane in image.pixels.chunks_exact(shape.height * shape.width) {
            for row in plane.chunks_exact(shape.width).skip(top).take(height) {
                pixels.extend_from_slice(&row[left..left + width]);
            }
        }
    }
    let shape = afterimage_data::Shape {
        height,
        width,
        ..shape
    };
    ImageSet::new(
        pixels,
        images.labels().to_vec(),
        images.classes().to_vec(),
        shape,
    )
}

/// Tags and values of a test.
pub(super) fn figures(test: &DejaVu) -> Vec<(String, f64)> {
    let mut figures = Vec::new();
    if test.has_classes() {
        figures.push(("deja_vu/chance".to_owned(), test.chance));
    }
    for (name, gap) in [("class", &test.class), ("found", &test.found)] {
        for (what, value) in [
            ("trained", gap.trained),
            ("held_out", gap.held_out),
            ("memorized", gap.gap),
            ("se", gap.standard_error),
            ("null", gap.null),
            ("null_se", gap.null_error),
        ] {
            figures.push((format!("deja_vu/{name}/{what}"), value));
        }
    }
    for (name, area) in [("area", &test.area), ("area_null", &test.area_null)] {
        figures.push((format!("deja_vu/{name}"), area.area));
        figures.push((format!("deja_vu/{name}_se"), area.standard_error));
    }
    figures.retain(|(_, value)| value.is_finite());
    figures
}

/// The test as a table, with the encoder at random initial parameters beside it.
pub(super) fn table(trained: &DejaVu, untrained: &DejaVu) -> String {
    let chance = match trained.has_classes() {
        true => format!("chance for the class {:.3}", trained.chance),
        false => "the images are of one class, so that there is none to guess".to_owned(),
    };
    let title = format!("Déjà vu: what a corner of an image brings back ({chance})");
    let header = [
        "",
        "trained on",
        "held-out",
        "memorized",
        "95 %",
        "null ± se",
        "at init",
    ];
    let mut table = TextTable::new(&title, &header);
    for (name, gap, before) in [
        ("class guessed", &trained.class, &untrained.class),
        ("own image found", &trained.found, &untrained.found),
    ] {
        table.row(row(name, gap, before));
    }
    let area = |area: &Area| TextTable::with_error(area.area, Some(area.standard_error), 3);
    format!(
        "{table}area of neighbours of its class: {}, null {}\n\n",
        area(&trained.area),
        area(&trained.area_null)
    )
}

fn row(name: &str, gap: &ShareGap, before: &ShareGap) -> [String; 7] {
    let (low, high) = gap.interval();
    let between = match low.is_nan() {
        true => TextTable::number(low, 3),
        false => format!("{low:.3} to {high:.3}"),
    };
    [
        name.to_owned(),
        TextTable::number(gap.trained, 3),
        TextTable::number(gap.held_out, 3),
        TextTable::number(gap.gap, 3),
        between,
        TextTable::with_error(gap.null, Some(gap.null_error), 3),
        TextTable::with_error(before.gap, Some(before.standard_error), 3),
    ]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn corners_are_taken_in_turn() {
        let shape = afterimage_data::Shape {
            channels: 1,
            height: 8,
            width: 8,
        };
        let plane: Vec<u8> = (0..64).collect();
        let images =
            ImageSet::new(plane.repeat(4), vec![0; 4], vec!["a".to_owned()], shape).unwrap();
        let corners = cut(&images, 0.5).unwrap();
        let first = |id| corners.image(SampleId(id)).unwrap().pixels[0];
        assert_eq!([0, 1, 2, 3].map(first), [0, 4, 32, 36]);
        assert_eq!(corners.image(SampleId(3)).unwrap().pixels.last(), Some(&63));
        assert!(cut(&images, 0.1).unwrap_err().contains("deja_vu.part"));
    }
}
