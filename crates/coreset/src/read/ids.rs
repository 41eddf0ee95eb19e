//! Names of samples: one column of the file of embeddings.

use std::collections::HashSet;
use std::path::Path;

use afterimage_table::{Cell, Parquet};

use super::{EMBEDDINGS, Kind, Manner, csv, header, kind, latest};
use crate::error::CoresetError;

/// The ids of the samples of the file of embeddings `path`, in their order: the column that
/// [`Manner::id`] names, which [`matrix_in`](super::matrix_in) leaves out. None where it names none.
///
/// # Errors
/// A file without such a column, as every npy array is; an id that is missing, or that is there twice.
pub fn ids_in(path: &Path, manner: &Manner) -> Result<Option<Vec<String>>, CoresetError> {
    let Some(id) = &manner.id else {
        return Ok(None);
    };
    let path = latest(path);
    let path = path.as_path();
    let ids = match kind(path)? {
        Kind::Csv => of_csv(path, manner)?,
        Kind::Parquet => of_parquet(path, manner)?,
        Kind::Npy => return Err(none_in_npy(path, id)),
    };
    if let Some(sample) = ids.iter().position(String::is_empty) {
        let reason = format!(
            "the id of sample {sample} is missing in column `{id}`; every sample needs one, or leave --id out"
        );
        return Err(CoresetError::format(path, reason));
    }
    let mut seen = HashSet::new();
    match ids.iter().find(|id| !seen.insert(id.as_str())) {
        Some(twice) => {
            let reason = format!("the id `{twice}` is there twice; ids tell samples apart");
            Err(CoresetError::format(path, reason))
        }
        None => Ok(Some(ids)),
    }
}

/// What is wrong with an id of an npy array.
pub(super) fn none_in_npy(path: &Path, id: &str) -> CoresetError {
    let reason = format!(
        "an npy array holds numbers alone, and --id names the column `{id}`; give a CSV or Parquet table \
         with it, or leave --id out"
    );
    CoresetError::format(path, reason)
}

fn of_csv(path: &Path, manner: &Manner) -> Result<Vec<String>, CoresetError> {
    let named = header::is_named(path, EMBEDDINGS, None, manner)?;
    let (mut place, mut ids) = (None, Vec::new());
    for (at, record) in csv::records(path)?.records().enumerate() {
        let record = record.map_err(|error| csv::broken(path, error))?;
        if at == 0 {
            let names = record.iter().filter(|_| named).map(str::to_owned);
            place = manner.id_place(path, &names.collect::<Vec<_>>(), record.len())?;
        }
        if at > 0 || !named {
            let text = place.and_then(|place| record.get(place));
            ids.push(text.unwrap_or_default().to_owned());
        }
    }
    Ok(ids)
}

fn of_parquet(path: &Path, manner: &Manner) -> Result<Vec<String>, CoresetError> {
    let broken = |error| CoresetError::file("Parquet file", path, error);
    let file = Parquet::open(path).map_err(broken)?;
    let names: Vec<String> = (file.columns.iter())
        .map(|column| column.name.clone())
        .collect();
    let Some(at) = manner.id_place(path, &names, names.len())? else {
        return Ok(Vec::new());
    };
    let mut ids = Vec::new();
    let read = file.read(at, |cell| {
        ids.push(match cell {
            Cell::Number(number) => file.columns[at].text(number),
            Cell::Text(text) => text.to_owned(),
            Cell::Null => String::new(),
        });
    });
    read.map_err(broken)?;
    Ok(ids)
}
