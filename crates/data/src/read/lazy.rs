//! A data set of images that stay in their files: splits, classes, and what there is to tell.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::ids;
use super::listing::{UNLABELLED, list};
use crate::catalogue::{Bytes, Catalogue, Form, Names};
use crate::check::OnBad;
use crate::dataset::{DataSet, grouped};
use crate::error::{DataError, told};
use crate::image_set::ImageSet;
use crate::indexed::Indexed;
use crate::names::NameList;

/// The name of the one class of images without labels.
pub(super) const NO_CLASS: &str = "unlabelled";

/// A label above this is a mistake: names for all classes would fill the memory.
const MOST_CLASSES: u32 = 1 << 20;

/// The images of one place, by number in the catalogue, with what was said of their classes.
pub(super) struct Listed {
    pub(super) catalogue: Catalogue,
    pub(super) labels: Labels,
}

/// Classes of the images of one place.
pub(super) enum Labels {
    /// Nobody gave any.
    None,
    /// Numbers of classes that have no names, each a [`class`].
    Numbers(Vec<u32>),
    /// Numbers of the classes that are named.
    Named(Vec<u32>, Vec<String>),
}

impl Labels {
    /// Classes by their names, or by their numbers where all names are numbers from 0 on.
    pub(super) fn of_texts<'a>(texts: impl Iterator<Item = &'a str> + Clone) -> Self {
        let numbers: Option<Vec<u32>> = texts
            .clone()
            .map(|text| text.parse().ok().filter(|label| *label < MOST_CLASSES))
            .collect();
        if let Some(numbers) = numbers {
            return Self::Numbers(numbers);
        }
        let mut names: BTreeMap<&str, u32> = texts.clone().map(|text| (text, 0)).collect();
        names
            .values_mut()
            .zip(0..)
            .for_each(|(number, at)| *number = at);
        let numbers = texts.map(|text| names[text]).collect();
        Self::Named(numbers, names.into_keys().map(str::to_owned).collect())
    }

    fn number(&self, at: usize) -> u32 {
        match self {
            Self::None => 0,
            Self::Numbers(numbers) | Self::Named(numbers, _) => numbers[at],
        }
    }
}

/// What is held out.
pub(super) enum HeldOut<'a> {
    /// The images of another place.
    Listed(Box<Listed>),
    /// Every so many of each class.
    Every(usize),
    /// Those that a file names.
    Ids(&'a Path),
    /// The images of these numbers.
    Items(Vec<u32>),
}

/// A data set out of `train`, or a part of it, and `held_out`; `place` is for messages.
pub(super) fn assemble(
    place: &Path,
    train: Listed,
    held_out: HeldOut<'_>,
    on_bad: OnBad,
    notes: &mut Vec<String>,
) -> Result<DataSet, DataError> {
    let wrong = |reason: String| DataError::format(place, reason);
    let classes = classes(&train, &held_out).map_err(wrong)?;
    let unlabelled = matches!(train.labels, Labels::None);
    let count = u32::try_from(train.catalogue.len())
        .map_err(|_| wrong("there are more images than ids can count".to_owned()))?;
    let chosen = chosen(place, &train, &held_out, classes.len())?;
    let mut memory = train.catalogue.memory();
    let mut total = train.catalogue.len();
    let all = Arc::new(train.catalogue);
    let labels = train.labels;
    let of = |catalogue: &Arc<Catalogue>, labels: &Labels, items: Vec<u32>| {
        let numbers = items
            .iter()
            .map(|&item| labels.number(item as usize))
            .collect();
        let images = Indexed::new(Arc::clone(catalogue), items);
        let set = ImageSet::indexed(images, numbers, classes.clone()).map_err(wrong)?;
        Ok(match unlabelled {
            true => set.without_labels(),
            false => set,
        })
    };
    let data = match held_out {
        HeldOut::Listed(other) => {
            memory += other.catalogue.memory();
            total += other.catalogue.len();
            let theirs = (0..other.catalogue.len() as u32).collect();
            let other_labels = match other.labels {
                // Their own numbers may be others.
                Labels::Named(numbers, names) => {
                    let known = |name: &String| classes.iter().position(|class| class == name);
                    let map: Vec<u32> = names
                        .iter()
                        .map(|name| known(name).unwrap_or(0) as u32)
                        .collect();
                    Labels::Numbers(numbers.iter().map(|&at| map[at as usize]).collect())
                }
                labels => labels,
            };
            let catalogue = Arc::new(other.catalogue);
            DataSet {
                train: of(&all, &labels, (0..count).collect())?,
                held_out: of(&catalogue, &other_labels, theirs)?,
            }
        }
        _ => {
            let mut rest = chosen.iter().copied().peekable();
            let train = (0..count)
                .filter(|at| rest.next_if_eq(at).is_none())
                .collect();
            DataSet {
                train: of(&all, &labels, train)?,
                held_out: of(&all, &labels, chosen)?,
            }
        }
    };
    notes.extend(strangers(&data));
    // Number, id and label of each.
    memory += 12 * total as u64;
    notes.push(format!(
        "an index of {} images takes {} MiB; the images are read and decoded as they are needed",
        grouped(total),
        memory.div_ceil(1 << 20)
    ));
    match on_bad {
        OnBad::Stop => Ok(data),
        OnBad::Skip => data.decodable(notes),
    }
}

/// What is to be said where held-out images have classes that no training image has.
fn strangers(data: &DataSet) -> Option<String> {
    let known: BTreeSet<u32> = data.train.labels().iter().copied().collect();
    let labels = data.held_out.labels().iter();
    let strange: Vec<u32> = labels
        .filter(|label| !known.contains(label))
        .copied()
        .collect();
    let classes: BTreeSet<u32> = strange.iter().copied().collect();
    let first: Vec<&str> = classes
        .iter()
        .take(3)
        .filter_map(|&class| Some(data.held_out.classes().get(class as usize)?.as_str()))
        .collect();
    (!strange.is_empty()).then(|| {
        format!(
            "{} of the held-out images are of classes that no training image has, such as {}: accuracies count \
             them as wrong",
            grouped(strange.len()),
            told(first)
        )
    })
}

/// Names of all classes, or what does not go together.
fn classes(train: &Listed, held_out: &HeldOut<'_>) -> Result<Vec<String>, String> {
    let highest = |labels: &[u32]| labels.iter().max().copied().unwrap_or(0);
    let numbered = |last: u32| (0..=last).map(|label| label.to_string()).collect();
    let theirs = match held_out {
        HeldOut::Listed(listed) => Some(&listed.labels),
        _ => None,
    };
    match (&train.labels, theirs) {
        (Labels::None, None | Some(Labels::None)) => Ok(vec![NO_CLASS.to_owned()]),
        (Labels::Numbers(numbers), None) => Ok(numbered(highest(numbers))),
        (Labels::Numbers(numbers), Some(Labels::Numbers(others))) => {
            Ok(numbered(highest(numbers).max(highest(others))))
        }
        (Labels::Named(_, names), None) => Ok(names.clone()),
        (Labels::Named(_, names), Some(Labels::Named(_, others))) => {
            match others.iter().find(|other| !names.contains(other)) {
                Some(stranger) => Err(format!(
                    "class {stranger:?} of the held-out images is not among the training classes"
                )),
                None => Ok(names.clone()),
            }
        }
        (Labels::None, Some(_)) | (_, Some(Labels::None)) => Err(
            "of training and held-out images only one has labels; give both labels, or neither"
                .to_owned(),
        ),
        _ => Err(
            "of training and held-out images one has names as labels and the other numbers; give \
             both the same"
                .to_owned(),
        ),
    }
}

/// The images of `train` that are held out, by number in order; none where they lie elsewhere.
fn chosen(
    place: &Path,
    train: &Listed,
    held_out: &HeldOut<'_>,
    classes: usize,
) -> Result<Vec<u32>, DataError> {
    let catalogue = &train.catalogue;
    match held_out {
        HeldOut::Listed(_) => Ok(Vec::new()),
        HeldOut::Items(held) => Ok(held.clone()),
        HeldOut::Ids(path) => ids::numbers(path, catalogue.len(), |at| catalogue.name(at)),
        HeldOut::Every(every) => {
            let mut seen = vec![0usize; classes];
            let held: Vec<u32> = (0..catalogue.len() as u32)
                .filter(|&at| {
                    let seen = &mut seen[train.labels.number(at as usize) as usize];
                    *seen += 1;
                    seen.is_multiple_of(*every)
                })
                .collect();
            match held.is_empty() {
                false => Ok(held),
                true => {
                    let reason = format!(
                        "no class has {every} images, so that none is held out; lower hold_out_every or \
                         name what is held out"
                    );
                    Err(DataError::format(place, reason))
                }
            }
        }
    }
}

/// The class that `number` is, or why it is none, as the end of a sentence about the label.
pub(super) fn class(number: i128) -> Result<u32, String> {
    match u32::try_from(number)
        .ok()
        .filter(|class| *class < MOST_CLASSES)
    {
        Some(class) => Ok(class),
        None => Err(format!(
            "is {number}; labels count classes, from 0 on, and are below {}",
            grouped(MOST_CLASSES as usize)
        )),
    }
}

/// The image files of a folder of class folders, or of a flat one.
pub(super) fn folder(
    root: &Path,
    form: Form,
    notes: &mut Vec<String>,
) -> Result<Listed, DataError> {
    let listing = list(root, notes)?;
    let (mut names, mut sizes) = (NameList::default(), Vec::new());
    let (mut labels, mut classes) = (Vec::new(), Vec::new());
    for (class, files) in listing {
        for path in files {
            let name = super::folder::below(root, &path);
            if root.join(&name) != path {
                let reason = "its name is not Unicode text, which an index of images needs; rename it, or \
                              remove the key data.lazy, so that all images are read into memory";
                return Err(DataError::format(&path, reason));
            }
            let about = std::fs::metadata(&path).map_err(|error| DataError::read(&path, error))?;
            names.push(&name);
            sizes.push(about.len());
            labels.push(classes.len() as u32);
        }
        classes.push(class);
    }
    let labels = match classes.as_slice() {
        [only] if only == UNLABELLED => Labels::None,
        _ => Labels::Named(labels, classes),
    };
    Ok(Listed {
        catalogue: Catalogue::new(root, Names::Files(names), Bytes::Files(sizes), form)?,
        labels,
    })
}
