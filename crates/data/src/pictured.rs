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
    /// The key that says what is held out, where it is given.
    pub(crate) held_out: Option<&'static str>,
    pub(crate) hold_out_every: Option<usize>,
    pub(crate) size: Option<usize>,
    pub(crate) channels: Option<usize>,
    pub(crate) train: Option<&'a Path>,
    pub(crate) held_out_place: Option<&'a Path>,
    pub(crate) on_bad: Option<OnBad>,
}

impl<'a> Pictured<'a> {
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
            hold_out_every: self.hold_out_every.unwrap_or(EVERY),
            on_bad: self.on_bad.unwrap_or_default(),
        }
    }
}

impl DataSource {
    /// What it shares with other sources of pictures and arrays; none for those that are read as they are.
    pub(crate) fn pictured(&self) -> Option<Pictured<'_>> {
        let (train, held_out, every, size, channels, on_bad) = match self {
            Self::Folder {
                train,
                held_out,
                hold_out_every,
                size,
                channels,
                on_bad,
                ..
            }
            | Self::Tar {
                train,
                held_out,
                hold_out_every,
                size,
                channels,
                on_bad,
            }
            | Self::Parquet {
                train,
                held_out,
                hold_out_every,
                size,
                channels,
                on_bad,
                ..
            } => (train, held_out, hold_out_every, size, channels, on_bad),
            Self::Npy {
                held_out_images,
                hold_out_every,
                ..
            } => {
                return Some(Pictured {
                    held_out: held_out_images.as_ref().map(|_| "held_out_images is"),
                    hold_out_every: *hold_out_every,
                    ..Pictured::default()
                });
            }
            Self::Csv {
                split,
                hold_out_every,
                size,
                channels,
                on_bad,
                ..
            } => {
                return Some(Pictured {
                    held_out: split.as_ref().map(|_| "a column of splits is"),
                    hold_out_every: *hold_out_every,
                    size: Some(*size),
                    channels: *channels,
                    on_bad: *on_bad,
                    ..Pictured::default()
                });
            }
            _ => return None,
        };
        let told = match self {
            Self::Folder { .. } => "a held_out folder is",
            _ => "held_out is",
        };
        Some(Pictured {
            held_out: held_out.as_ref().map(|_| told),
            hold_out_every: *every,
            size: Some(*size),
            channels: *channels,
            train: Some(train),
            held_out_place: held_out.as_deref(),
            on_bad: *on_bad,
        })
    }
}
