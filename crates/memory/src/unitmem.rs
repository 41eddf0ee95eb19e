//! UnitMem of one site in one probe.

use std::fmt;

use afterimage_hooks::SampleId;
use serde::{Deserialize, Serialize};

use crate::error::MemoryError;
use crate::summary::Summary;
use crate::unit_buffer::UnitBuffer;
use crate::unit_max::UnitState;
use crate::unit_score::UnitScore;

/// What a unit's largest activation is compared with.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// The mean over the other points: the paper's equation 7, O(units) memory.
    #[default]
    Paper,
    /// The median over the other points, as in the authors' code: O(points · units) memory. For
    /// sparse units it differs much from the mean.
    OfficialCode,
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Paper => "paper",
            Self::OfficialCode => "official_code",
        })
    }
}

/// Scores and owners of a site's units in one probe.
///
/// The raw level says little: without any memorization it grows with the number of points and falls
/// with the number of views and of positions. Compare it with null probes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UnitMem {
    form: Form,
    points: u64,
    scores: Vec<UnitScore>,
    owners: Vec<Option<SampleId>>,
}

impl UnitMem {
    /// Scores in the paper's form.
    pub fn paper(state: &UnitState) -> Self {
        let owners = (0..state.units()).map(|unit| state.owner(unit)).collect();
        Self::new(Form::Paper, state.points(), state.scores(), owners)
    }

    /// Scores in the form of the authors' code.
    pub fn official_code(buffer: &UnitBuffer) -> Self {
        Self::new(
            Form::OfficialCode,
            buffer.points(),
            buffer.scores(),
            buffer.owners(),
        )
    }

    /// A unit without a ratio has no owner: a silent one answers to all points alike.
    fn new(
        form: Form,
        points: u64,
        scores: Vec<UnitScore>,
        mut owners: Vec<Option<SampleId>>,
    ) -> Self {
        for (owner, score) in owners.iter_mut().zip(&scores) {
            *owner = owner.filter(|_| matches!(score, UnitScore::Valid(_)));
        }
        Self {
            form,
            points,
            scores,
            owners,
        }
    }

    /// The form of the scores.
    pub fn form(&self) -> Form {
        self.form
    }

    /// Number of points of the probe.
    pub fn points(&self) -> u64 {
        self.points
    }

    /// The score of each unit.
    pub fn scores(&self) -> &[UnitScore] {
        &self.scores
    }

    /// The point that each unit answers to most; nobody for dead and invalid units.
    pub fn owners(&self) -> &[Option<SampleId>] {
        &self.owners
    }

    /// The distribution of the scores.
    pub fn summary(&self) -> Summary {
        Summary::new(&self.scores)
    }

    /// Checks that differences of scores between `self` and `other` mean something.
    pub(crate) fn comparable(&self, other: &Self) -> Result<(), MemoryError> {
        if self.form != other.form {
            return Err(MemoryError::Forms {
                left: self.form,
                right: other.form,
            });
        }
        if self.points != other.points {
            return Err(MemoryError::Points {
                left: self.points,
                right: other.points,
            });
        }
        self.same_units(other)
    }

    /// Checks that `self` and `other` have the same number of units.
    pub(crate) fn same_units(&self, other: &Self) -> Result<(), MemoryError> {
        MemoryError::same_units(self.scores.len(), other.scores.len())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use afterimage_hooks::random::{RandomKey, Stream};

    use super::*;

    #[derive(Deserialize)]
    struct Case {
        name: String,
        points: usize,
        units: usize,
        values: Vec<f32>,
        paper: Scores,
        official_code: Scores,
        owners: Vec<Option<u32>>,
    }

    #[derive(Deserialize)]
    struct Scores {
        units: Vec<Option<f64>>,
        mean: f64,
        top_decile_mean: f64,
        quantiles: [f64; 7],
        dead: usize,
        invalid: usize,
    }

    fn check(name: &str, got: &UnitMem, want: &Scores, owners: &[Option<u32>]) {
        let close = |a: f64, b: f64| (a - b).abs() < 1e-12;
        for (unit, (got, want)) in got.scores().iter().zip(&want.units).enumerate() {
            match (got.value(), want) {
                (Some(got), Some(want)) => {
                    assert!(close(got, *want), "{name} {unit}: {got} {want}")
                }
                (got, want) => assert_eq!(got, *want, "{name} {unit}"),
            }
        }
        let summary = got.summary();
        assert_eq!(
            (summary.dead, summary.invalid),
            (want.dead, want.invalid),
            "{name}"
        );
        assert!(close(summary.mean, want.mean), "{name}: {summary:?}");
        assert!(
            close(summary.top_decile_mean, want.top_decile_mean),
            "{name}: {summary:?}"
        );
        assert!(
            summary
                .quantiles
                .iter()
                .zip(want.quantiles)
                .all(|(a, b)| close(*a, b)),
            "{name}: {summary:?}"
        );
        let got: Vec<Option<u32>> = got.owners().iter().map(|o| o.map(|id| id.0)).collect();
        assert_eq!(got, owners, "{name}");
    }

    #[test]
    fn scores_summaries_and_owners_equal_the_reference() {
        // Written by scripts/unitmem_reference.py.
        let cases: Vec<Case> =
            serde_json::from_str(include_str!("../testdata/unitmem.json")).unwrap();
        assert!(cases.len() >= 5);
        for case in cases {
            let ids: Vec<SampleId> = (0..case.points as u32).map(SampleId).collect();
            let mut state = UnitState::new(case.units);
            let mut buffer = UnitBuffer::new(case.units);
            for (ids, rows) in ids.chunks(7).zip(case.values.chunks(7 * case.units)) {
                state.update(ids, rows).unwrap();
                buffer.update(ids, rows).unwrap();
            }
            check(
                &case.name,
                &UnitMem::paper(&state),
                &case.paper,
                &case.owners,
            );
            check(
                &case.name,
                &UnitMem::official_code(&buffer),
                &case.official_code,
                &case.owners,
            );
        }
    }

    /// UnitMem to be expected of N independent exponential activations, in which nothing is
    /// memorized: the largest has mean H_N = 1 + 1/2 + … + 1/N, the others about 1.
    fn exponential_null(points: u32) -> f64 {
        let harmonic: f64 = (1..=points).map(|k| 1.0 / f64::from(k)).sum();
        (harmonic - 1.0) / (harmonic + 1.0)
    }

    #[test]
    fn exponential_activations_have_the_null_value_of_their_number() {
        let units = 1000;
        for points in [100u32, 1000] {
            let mut generator = RandomKey::new(9, Stream::Plugin).sample(points).generator();
            let mut state = UnitState::new(units);
            for point in 0..points {
                let row: Vec<f32> = (0..units)
                    .map(|_| -(1.0 - generator.uniform()).ln() as f32)
                    .collect();
                state.update(&[SampleId(point)], &row).unwrap();
            }
            let mean = UnitMem::paper(&state).summary().mean;
            let expected = exponential_null(points);
            // The ratio of means is not the mean of ratios: it is off by up to 0.006 here.
            assert!(
                (mean - expected).abs() < 0.01,
                "{points}: {mean} {expected}"
            );
        }
    }
}
