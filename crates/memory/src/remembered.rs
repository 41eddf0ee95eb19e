//! The candidates that an encoder remembers most, each beside the held-out points.

use afterimage_hooks::{Column, Fault, Measurement, SampleId, Samples, Scope, Split, Table};

use crate::layer_scores::{LayerScore, LayerScores};
use crate::owner_strip::tile;

/// Candidates in the table and the picture.
const SHOWN: usize = 10;

/// A candidate among those that a layer remembers most.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Remembered {
    point: SampleId,
    score: f64,
    /// Share of the held-out points with at least this score; NaN without held-out points.
    held_out: f64,
}

/// Puts on record which candidates the layer with the highest calibrated LayerMem remembers most: the
/// table `layermem/remembered`, a row a candidate, and their pictures side by side, the most remembered
/// one first. `candidates` are the probed candidates in the order of the scores.
///
/// # Errors
/// A picture that cannot be shown.
pub(crate) fn publish(
    scope: &mut Scope<'_>,
    scores: &LayerScores,
    candidates: &[SampleId],
    samples: &dyn Samples,
) -> Result<(), Fault> {
    let most = |a: &&LayerScore, b: &&LayerScore| {
        let mean = |score: &LayerScore| score.calibrated().mean;
        mean(a).total_cmp(&mean(b))
    };
    let measured = |score: &&LayerScore| score.calibrated().mean.is_finite();
    let Some(layer) = scores.layers.iter().filter(measured).max_by(most) else {
        return Ok(());
    };
    let remembered = remembered(layer, candidates);
    let pictures = remembered
        .iter()
        .map(|of| samples.picture(Split::Train, of.point))
        .collect::<Result<Vec<_>, _>>()?;
    if let Some(strip) = tile(&pictures) {
        scope.record("layermem/remembered".to_owned(), strip);
    }
    let rows = table(&layer.layer, &remembered);
    scope.record("layermem/remembered".to_owned(), Measurement::Table(rows));
    Ok(())
}

/// The highest scores first; of equal ones the smaller id.
fn remembered(layer: &LayerScore, candidates: &[SampleId]) -> Vec<Remembered> {
    let held_out: &[f64] = layer.external.as_ref().map_or(&[], |mem| &mem.scores);
    let mut all: Vec<(SampleId, f64)> = candidates
        .iter()
        .copied()
        .zip(layer.candidates.scores.iter().copied())
        .filter(|(_, score)| score.is_finite())
        .collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    all.into_iter()
        .take(SHOWN)
        .map(|(point, score)| Remembered {
            point,
            score,
            held_out: held_out.iter().filter(|other| **other >= score).count() as f64
                / held_out.len() as f64,
        })
        .collect()
}

fn table(layer: &str, remembered: &[Remembered]) -> Table {
    let column = |of: fn(&Remembered) -> f64| Column::F64(remembered.iter().map(of).collect());
    let points = remembered.iter().map(|of| i64::from(of.point.0)).collect();
    let layer = Column::Text(vec![layer.to_owned(); remembered.len()]);
    Table::of([
        ("point", Column::I64(points)),
        ("layer", layer),
        ("score", column(|of| of.score)),
        ("held_out_above", column(|of| of.held_out)),
    ])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::layermem::{LayerForm, LayerMem};

    #[test]
    fn the_most_remembered_come_first_beside_the_share_of_held_out_points_above_them() {
        let mem = |studied: &[f64]| {
            LayerMem::new(LayerForm::Paper, studied, &vec![1.0; studied.len()]).unwrap()
        };
        let layer = LayerScore {
            layer: "a".to_owned(),
            candidates: mem(&[0.5, 0.2, 1.0, 0.5]),
            independent: mem(&[1.0, 1.0]),
            shared: mem(&[1.0, 1.0]),
            external: Some(mem(&[0.4, 1.0, 1.0, 2.0])),
            delta: None,
        };
        let found = remembered(&layer, &[7, 3, 4, 2].map(SampleId));
        let points: Vec<u32> = found.iter().map(|of| of.point.0).collect();
        assert_eq!(points, [3, 2, 7, 4]);
        let above: Vec<f64> = found.iter().map(|of| of.held_out).collect();
        assert_eq!(above, [0.0, 0.25, 0.25, 0.75]);
        let alone = LayerScore {
            external: None,
            ..layer
        };
        assert!(remembered(&alone, &[SampleId(1)])[0].held_out.is_nan());
    }
}
