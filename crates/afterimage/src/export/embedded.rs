//! Embeddings of all images of an encoder, with the names of the images.

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use afterimage_data::ViewSource;
use afterimage_hooks::{SampleId, Samples as _, Split, Table};
use afterimage_track::{files, write_table, write_table_with_vectors};
use afterimage_train::Embeddings;

use crate::error::RunError;
use crate::intervene::embedding_fits;
use crate::probe::{Prepared, ProbeConfig, ProbeOptions, Subject, embeddings, write_npy};
use crate::samples;

/// How embeddings are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmbeddingsFormat {
    /// `embeddings.npy`, `[images, D]`, with `samples.parquet` beside it: the same rows.
    Npy,
    /// `embeddings.parquet`: the columns of `samples.parquet`, and the embedding as a list of floats.
    Parquet,
}

impl FromStr for EmbeddingsFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "npy" => Ok(Self::Npy),
            "parquet" => Ok(Self::Parquet),
            _ => Err(format!(
                "there is no format {text:?}; there are: npy, parquet"
            )),
        }
    }
}

/// Embeddings in memory.
pub(super) struct Embedded {
    format: EmbeddingsFormat,
    rows: Embeddings,
    samples: Table,
    /// Training and held-out images.
    counts: [usize; 2],
}

impl Embedded {
    /// Embeds all training and then all held-out images, resized and normalised only, as `loaded` says;
    /// height and width of what was embedded come with them.
    pub(super) fn new(
        subject: &Subject,
        (loaded, probe): (&ProbeConfig, &ProbeOptions),
        format: EmbeddingsFormat,
        notes: &mut Vec<String>,
        say: &mut dyn FnMut(&str),
    ) -> Result<(Self, [usize; 2]), RunError> {
        embedding_fits(subject, loaded)?;
        say("reading the images");
        let prepared = Prepared::to_embed(subject, loaded, probe)?;
        let new = prepared.notes.iter();
        let new: Vec<String> = new.filter(|note| !notes.contains(note)).cloned().collect();
        notes.extend(new);
        let count = |split| prepared.store.len(split);
        let counts = [count(Split::Train), count(Split::HeldOut)];
        say(&format!(
            "embedding {} images",
            counts.iter().sum::<usize>()
        ));
        let all = |split: Split| {
            let ids = (0..count(split) as u32).map(SampleId).collect();
            (split, ids)
        };
        let data = &prepared.data;
        let source = |split| ViewSource::new(Arc::clone(data), split, prepared.plain.clone());
        let ids = [all(Split::Train), all(Split::HeldOut)];
        let shape = prepared.plain.shape();
        let embedded = Self {
            format,
            rows: embeddings(&prepared.model, source, &ids, &prepared.device)?,
            samples: samples::table(data),
            counts,
        };
        Ok((embedded, [shape.height, shape.width]))
    }

    /// Writes them into `folder`; says the name of the file and the rows of each split.
    pub(super) fn write(&self, folder: &Path) -> Result<(&'static str, [usize; 2]), RunError> {
        let name = match self.format {
            EmbeddingsFormat::Npy => {
                let name = "embeddings.npy";
                write_npy(&folder.join(name), &self.rows)?;
                write_table(&folder.join(files::SAMPLES), &self.samples)?;
                name
            }
            EmbeddingsFormat::Parquet => {
                let name = "embeddings.parquet";
                let rows = ("embedding", self.rows.values(), self.rows.width());
                write_table_with_vectors(&folder.join(name), &self.samples, rows)?;
                name
            }
        };
        Ok((name, self.counts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_have_names() {
        assert_eq!("npy".parse(), Ok(EmbeddingsFormat::Npy));
        assert_eq!("parquet".parse(), Ok(EmbeddingsFormat::Parquet));
        assert!("csv".parse::<EmbeddingsFormat>().is_err());
    }
}
