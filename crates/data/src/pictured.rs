//! What sources of pictures share, as the config says it.

use std::path::Path;

use crate::check::OnBad;
use crate::read::{folder, shards};
use crate::source::DataSource;

/// Which of the images of each class are held out, unless told.
const EVERY: usize = 6;

/// What sources of pictures share: what is held out, and what becomes of a picture.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pictured<'a> {
    /// The key of a place with what is held out, where it is given, as the beginning of a sentence.
    pub(crate) held_out: Option<&'static str>,
    pub(crate) held_out_ids: Option<&'a Path>,
    /// Whether a column says what is held out.
    pub(crate) split: bool,
    pub(crate) hold_out_every: Option<usize>,
    pub(crate) size: Option<usize>,
    pub(crate) channels: Option<usize>,
    pub(crate) train: Option<&'a Path>,
    pub(crate) held_out_place: Option<&'a Path>,
    pub(crate) on_bad: Option<OnBad>,
}

impl<'a> Pictured<'a> {
    /// What sources of arrays share; `held_out` if there is an array of held-out images.
    fn of_arrays(
        held_out: bool,
        held_out_ids: Option<&'a Path>,
        hold_out_every: Option<usize>,
    ) -> Self {
        Self {
            held_out: held_out.then_some("held_out_images is"),
            held_out_ids,
            hold_out_every,
            ..Self::default()
        }
    }

    pub(crate) fn scale(&self) -> folder::Scale {
        folder::Scale {
            size: self.size.unwrap_or(1),
            channels: self.channels.unwrap_or(3),
        }
    }

    pub(crate) fn lazy(&self) -> shards::Lazy<'a> {
        shards::Lazy {
            train: self.train.unwrap_or(Path::new("")),
            held_out: self.held_out_place,
            choice: match self.held_out_ids {
                Some(path) => shards::Choice::Ids(path),
                None => shards::Choice::Every(self.hold_out_every.unwrap_or(EVERY)),
            },
            on_bad: self.on_bad.unwrap_or_default(),
        }
    }

    /// Keys that say differently what is held out, each with a sentence.
    pub(crate) fn in_conflict(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        let column = self.split.then_some("a column of splits is");
        if let (Some(told), Some(_)) = (self.held_out, column) {
            problems.push((
                "split",
                format!("{told} given, so that no training image is held out; remove one of both"),
            ));
        }
        let told = self.held_out.or(column);
        if let (Some(told), Some(_)) = (told, self.held_out_ids) {
            problems.push((
                "held_out_ids",
                format!("{told} given, which says already what is held out; remove one of both"),
            ));
        }
        let told = told.or(self.held_out_ids.map(|_| "held_out_ids is"));
        match (self.hold_out_every, told) {
            (Some(_), Some(told)) => problems.push((
                "hold_out_every",
                format!("{told} given, so that no training image is held out; remove one of both"),
            )),
            (Some(every @ 0..2), None) => problems.push((
                "hold_out_every",
                format!("{every} would leave nothing to train on; write at least 2"),
            )),
            _ => {}
        }
        problems
    }
}

impl DataSource {
    /// What it shares with other sources of pictures and arrays; none for those that are read as they are.
    pub(crate) fn pictured(&self) -> Option<Pictured<'_>> {
        Some(match self {
            Self::Folder {
                train,
                held_out,
                held_out_ids,
                hold_out_every,
                size,
                channels,
                on_bad,
                ..
            }
            | Self::Tar {
                train,
                held_out,
                held_out_ids,
                hold_out_every,
                size,
                channels,
                on_bad,
            }
            | Self::Parquet {
                train,
                held_out,
                held_out_ids,
                hold_out_every,
                size,
                channels,
                on_bad,
                ..
            } => Pictured {
                held_out: held_out.as_ref().map(|_| self.place_of_held_out()),
                held_out_ids: held_out_ids.as_deref(),
                split: matches!(self, Self::Parquet { split: Some(_), .. }),
                hold_out_every: *hold_out_every,
                size: Some(*size),
                channels: *channels,
                train: Some(train),
                held_out_place: held_out.as_deref(),
                on_bad: *on_bad,
            },
            Self::Npy {
                held_out_images,
                held_out_ids: ids,
                hold_out_every: every,
                ..
            } => Pictured::of_arrays(held_out_images.is_some(), ids.as_deref(), *every),
            Self::Npz {
                held_out_images,
                held_out_ids: ids,
                hold_out_every: every,
                ..
            } => Pictured::of_arrays(held_out_images.is_some(), ids.as_deref(), *every),
            Self::Csv {
                split,
                held_out_ids,
                hold_out_every,
                size,
                channels,
                on_bad,
                ..
            } => Pictured {
                split: split.is_some(),
                held_out_ids: held_out_ids.as_deref(),
                hold_out_every: *hold_out_every,
                size: Some(*size),
                channels: *channels,
                on_bad: *on_bad,
                ..Pictured::default()
            },
            _ => return None,
        })
    }

    /// The key of a place with what is held out, as the beginning of a sentence.
    fn place_of_held_out(&self) -> &'static str {
        match self {
            Self::Folder { .. } => "a held_out folder is",
            _ => "held_out is",
        }
    }
}
