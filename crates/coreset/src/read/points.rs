//! Tables of points that runs write, `unitmem/points` and `layermem/points`, as scores of samples.

use std::path::Path;

use afterimage_numeric::median;
use afterimage_table::{Cell, FileError, Parquet};

use crate::error::CoresetError;

/// The scores of `samples` training samples in a table of points of a run; `None` if it is none of these:
/// - `unitmem/points`, with `point` and `units`: the units that a sample owns, 0 where it has no row;
/// - `layermem/points`, with `layer`, `set`, `point` and `score`: LayerMem at the last layer of the table, of
///   candidates as it is and of independent points, which the reference encoder saw in their place, with the
///   other sign. A sample that both encoders saw has none and stands in the middle, at the median.
///
/// # Errors
/// A damaged file, points that are no samples, a table without a row that counts.
pub(super) fn points(path: &Path, samples: usize) -> Result<Option<Vec<f64>>, CoresetError> {
    let broken = |error: FileError| CoresetError::file("Parquet file", path, error);
    let file = Parquet::open(path).map_err(broken)?;
    let place = |name: &str| file.columns.iter().position(|column| column.name == name);
    let numbers = |at: usize| {
        let mut values = Vec::new();
        let read = file.read(at, |cell| {
            values.push(match cell {
                Cell::Number(number) => number.double(),
                Cell::Null | Cell::Text(_) => f64::NAN,
            });
        });
        read.map(|()| values).map_err(broken)
    };
    let texts = |at: usize| {
        let mut values = Vec::new();
        let read = file.read(at, |cell| {
            values.push(match cell {
                Cell::Text(text) => text.to_owned(),
                Cell::Null | Cell::Number(_) => String::new(),
            });
        });
        read.map(|()| values).map_err(broken)
    };
    let Some(point) = place("point") else {
        return Ok(None);
    };
    let mut scores = vec![None; samples];
    let mut put = |point: f64, score: f64| {
        let known = point >= 0.0 && point.fract() == 0.0 && point < samples as f64;
        if !known {
            let reason = format!("its point {point} is none of the {samples} samples");
            return Err(CoresetError::format(path, reason));
        }
        scores[point as usize] = Some(score);
        Ok(())
    };
    match (place("units"), place("layer"), place("set"), place("score")) {
        (Some(units), ..) => {
            for (point, units) in numbers(point)?.into_iter().zip(numbers(units)?) {
                put(point, units)?;
            }
            Ok(Some(scores.into_iter().map(|x| x.unwrap_or(0.0)).collect()))
        }
        (None, Some(layer), Some(set), Some(score)) => {
            let (layers, sets) = (texts(layer)?, texts(set)?);
            let rows = numbers(point)?.into_iter().zip(numbers(score)?);
            let rows = rows.zip(layers.iter().zip(&sets));
            for ((point, score), (layer, set)) in rows {
                let sign = match set.as_str() {
                    _ if Some(layer) != layers.last() => continue,
                    "candidates" => 1.0,
                    "independent" => -1.0,
                    _ => continue,
                };
                put(point, sign * score)?;
            }
            let Some(middle) = median(scores.iter().flatten().copied().collect()) else {
                let reason = "it has no candidates and no independent points";
                return Err(CoresetError::format(path, reason));
            };
            let scores = scores.into_iter().map(|x| x.unwrap_or(middle));
            Ok(Some(scores.collect()))
        }
        _ => Ok(None),
    }
}
