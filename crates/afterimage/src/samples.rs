//! Which file each sample id of a run is: `samples.parquet`.

use std::path::Path;

use afterimage_data::{DataSet, Skipped};
use afterimage_files::{below, plain};
use afterimage_hooks::{Column, SampleId, Split, Table};
use afterimage_track::{files, read_table, write_table};

use crate::error::RunError;
use crate::registry::Registry;
use crate::run_dir::{RunDir, data_digest};

/// A row for each image, training images first, each split in the order of its ids.
///
/// | column | content |
/// |---|---|
/// | `id` | the sample's id in its split |
/// | `split` | `train` or `held_out` |
/// | `file` | the file that the image shows, by its path below the folder of the config; empty where it is not known, and for noise |
/// | `member` | name of the image in that file, or its number, from 0; empty for a file that is one image |
/// | `label` | the class that training has, from 0 |
/// | `label_name` | its name |
pub(crate) fn table(data: &DataSet) -> Table {
    let (mut ids, mut splits) = (Vec::new(), Vec::new());
    let (mut files, mut members) = (Vec::new(), Vec::new());
    let (mut labels, mut label_names) = (Vec::new(), Vec::new());
    for split in [Split::Train, Split::HeldOut] {
        let images = data.split(split);
        for (id, &label) in images.labels().iter().enumerate() {
            let name = images.name(SampleId(id as u32));
            ids.push(id as i64);
            splits.push(
                if split == Split::Train {
                    "train"
                } else {
                    "held_out"
                }
                .to_owned(),
            );
            files.push(name.map_or_else(String::new, |name| name.file.to_owned()));
            let member = name.and_then(|name| name.member);
            members.push(member.map_or_else(String::new, |member| member.to_string()));
            labels.push(i64::from(label));
            let class = images.classes().get(label as usize);
            label_names.push(class.cloned().unwrap_or_default());
        }
    }
    Table {
        columns: vec![
            ("id".to_owned(), Column::I64(ids)),
            ("split".to_owned(), Column::Text(splits)),
            ("file".to_owned(), Column::Text(files)),
            ("member".to_owned(), Column::Text(members)),
            ("label".to_owned(), Column::I64(labels)),
            ("label_name".to_owned(), Column::Text(label_names)),
        ],
    }
}

/// Writes the table of `data` into the directory of a run, unless it is there and can be read: ids never
/// change.
///
/// # Errors
/// A file that cannot be written; it is there whole or not at all.
pub(crate) fn keep(run: &Path, data: &DataSet) -> Result<(), RunError> {
    let path = run.join(files::SAMPLES);
    if path.exists() {
        let Err(error) = read_table(&path) else {
            return Ok(());
        };
        tracing::warn!("{error}; it is written anew");
    }
    if data.train.is_lazy() {
        keep_skipped(&run.join(SKIPPED), data)?;
    }
    Ok(write_table(&path, &table(data))?)
}

/// The file of a run that names the images that were left out.
const SKIPPED: &str = "skipped.tsv";

/// Writes the images that were left out because they cannot be decoded, where there are some.
fn keep_skipped(path: &Path, data: &DataSet) -> Result<(), RunError> {
    let text = skipped(data);
    match text.lines().count() {
        0 | 1 => Ok(()),
        _ => Ok(files::write_beside(path, text.as_bytes())?),
    }
}

/// The images that were left out, a line each: split, file, member and reason, with tabs between.
fn skipped(data: &DataSet) -> String {
    let mut text = "split\tfile\tmember\treason\n".to_owned();
    for (split, images) in [("train", &data.train), ("held_out", &data.held_out)] {
        for Skipped {
            file,
            member,
            reason,
        } in images.skipped()
        {
            let cells = [file, member, reason].map(|cell| plain(cell).into_owned());
            text.push_str(&format!("{split}\t{}\n", cells.join("\t")));
        }
    }
    text
}

/// Refuses to go on with the run `run` where its ids would mean other samples now. Images that stay in their
/// files and have the same names, but other sizes or first bytes, are told. `digest` is that of `data`.
pub(crate) fn unchanged(run: &Path, data: &DataSet, digest: &str) -> Result<(), RunError> {
    let differs = data_digest(run).is_some_and(|kept| kept != digest);
    if data.digest_covers().is_none() {
        // The digest is of every pixel and label, in their order.
        return match differs {
            true => Err(RunError::OtherPixels),
            false => Ok(()),
        };
    }
    match below(run, files::SAMPLES) {
        Ok(path) if read_table(&path)? != table(data) => return Err(RunError::OtherImages),
        Err(error) if !error.is_missing() => return Err(error.into()),
        _ => {}
    }
    if differs {
        tracing::warn!(
            "data: sizes or first bytes of some images are others than when the run began; what was done \
             before saw them as they were"
        );
    }
    Ok(())
}

/// What a check of all images found.
#[derive(Debug)]
pub struct ImageCheck {
    /// Number of training and held-out images.
    pub images: [usize; 2],
    /// Images that cannot be decoded, a sentence each.
    pub faults: Vec<String>,
}

/// Decodes every image of a config, or of the directory of a run, in parallel, and names all that
/// cannot be decoded. `sets` are keys that go over the config; `notes` hear what there is to say.
///
/// # Errors
/// A config with mistakes, or images that cannot be listed.
pub fn check_images(
    registry: &Registry,
    source: &Path,
    sets: &[String],
    notes: &mut Vec<String>,
) -> Result<ImageCheck, RunError> {
    let loaded = match source.is_dir() {
        false => registry.load(source, sets)?,
        true => registry.load_kept(&RunDir::open(source)?.config(), sets)?,
    };
    notes.extend(loaded.notes.iter().cloned());
    let source = loaded.value.data.for_check();
    let data = source.load_telling(loaded.value.limits, notes)?;
    let faults = data.faults().into_iter().map(|(split, fault)| {
        let split = match split {
            Split::Train => "train",
            Split::HeldOut => "held_out",
        };
        format!("{split}: {fault}")
    });
    Ok(ImageCheck {
        images: [data.train.len(), data.held_out.len()],
        faults: faults.collect(),
    })
}

/// The samples of `source`, a config file or the directory of a run: columns `id`, `split`, `file`,
/// `member`, `label` and `label_name`, training images first. `sets` are keys that go over a config;
/// `notes` hear what the user should know of the images.
///
/// # Errors
/// A config with mistakes, or images that cannot be read.
pub fn samples(
    registry: &Registry,
    source: &Path,
    sets: &[String],
    notes: &mut Vec<String>,
) -> Result<Table, RunError> {
    let loaded = match source.is_dir() {
        false => registry.load(source, sets)?,
        true => {
            let run = RunDir::open(source)?;
            match (sets.is_empty(), below(run.path(), files::SAMPLES)) {
                (true, Ok(path)) => return Ok(read_table(&path)?),
                (true, Err(error)) if !error.is_missing() => return Err(error.into()),
                // A run without the table, or with other keys: its images are read again.
                _ => registry.load_kept(&run.config(), sets)?,
            }
        }
    };
    notes.extend(loaded.notes.iter().cloned());
    let data = loaded.value.load_data_telling(notes)?;
    Ok(table(&data))
}
