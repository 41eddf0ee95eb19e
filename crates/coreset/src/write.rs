//! A coreset as files.

use std::path::Path;

use npyz::WriterBuilder;

use crate::error::CoresetError;
use crate::select::Coreset;

/// One chosen sample.
#[derive(npyz::Serialize, npyz::AutoSerialize)]
struct Row {
    index: i64,
    weight: f64,
}

impl Coreset {
    /// Writes `index,weight` in the order of choice; with the `ids` of all samples `index,weight,id`.
    ///
    /// # Errors
    /// A full disk or an unwritable folder.
    pub fn write_csv(&self, path: &Path, ids: Option<&[String]>) -> Result<(), CoresetError> {
        let text = || -> Result<Vec<u8>, csv::Error> {
            let mut writer = csv::Writer::from_writer(Vec::new());
            let name = ids.map(|_| "id");
            writer.write_record(["index", "weight"].into_iter().chain(name))?;
            for (index, weight) in self.indices.iter().zip(&self.weights) {
                let numbers = [index.to_string(), weight.to_string()];
                let id = ids.map(|ids| ids[*index].clone());
                writer.write_record(numbers.into_iter().chain(id))?;
            }
            writer
                .into_inner()
                .map_err(|error| error.into_error().into())
        };
        text()
            .map_err(std::io::Error::other)
            .and_then(|text| std::fs::write(path, text))
            .map_err(CoresetError::io(path, "write"))
    }

    /// Writes an npy array `[k]` of records (index as i64, weight as f64) in the order of choice.
    ///
    /// # Errors
    /// A full disk or an unwritable folder.
    pub fn write_npy(&self, path: &Path) -> Result<(), CoresetError> {
        let mut bytes = Vec::new();
        let written =
            npyz::WriteOptions::new()
                .default_dtype()
                .shape(&[self.indices.len() as u64])
                .writer(&mut bytes)
                .begin_nd()
                .and_then(|mut writer| {
                    writer.extend(self.indices.iter().zip(&self.weights).map(
                        |(index, weight)| Row {
                            index: *index as i64,
                            weight: *weight,
                        },
                    ))?;
                    writer.finish()
                });
        written
            .and_then(|()| std::fs::write(path, bytes))
            .map_err(CoresetError::io(path, "write"))
    }
}
