//! Sums of scores by sample and cell: six bytes a cell.

use serde::{Deserialize, Serialize};

use crate::error::ValueError;
use crate::online::bank::Judged;
use crate::online::settings::OnlineSettings;
use crate::online::watch::{Reliability, Watch, add};
use crate::valuation::Estimate;

/// Scores that a sample takes at most; counts of cells are 16 bits wide.
const MOST: u32 = u16::MAX as u32;

/// What is known of one sample.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Row {
    sum: f64,
    squares: f64,
    count: u32,
}

/// Sums and counts of the scores of all samples and their cells (equation 4 of 2D-OOB, a term at a
/// time). Tallies over the same samples and cells can be merged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CellTally {
    cells: usize,
    classes: usize,
    soft: bool,
    rows: Vec<Row>,
    /// `[samples, cells]`.
    sums: Vec<f32>,
    counts: Vec<u16>,
    /// Sums of the probabilities of the classes, `[samples, classes]`, or nothing.
    probabilities: Vec<f32>,
    watch: Watch,
}

impl CellTally {
    /// A tally of nothing. With `probabilities` those of the classes are summed, too.
    pub fn new(
        settings: &OnlineSettings,
        samples: usize,
        cells: usize,
        classes: usize,
        probabilities: bool,
    ) -> Self {
        Self {
            cells,
            classes,
            soft: settings.soft,
            rows: vec![Row::default(); samples],
            sums: vec![0.0; samples * cells],
            counts: vec![0; samples * cells],
            probabilities: vec![0.0; if probabilities { samples * classes } else { 0 }],
            watch: Watch::new(settings.seed, samples, cells, settings.watched),
        }
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Cells of a sample.
    pub fn cells(&self) -> usize {
        self.cells
    }

    /// Adds the scores of the heads that do not learn from a sample. A sample takes 65,535 scores;
    /// what comes after does not count.
    ///
    /// # Errors
    /// A sample beyond the tally.
    pub fn add(&mut self, ids: &[u32], labels: &[u32], judged: &Judged) -> Result<(), ValueError> {
        let heads = judged.bags.len() / ids.len().max(1);
        for (at, (&id, &label)) in ids.iter().zip(labels).enumerate() {
            let sample = id as usize;
            if sample >= self.rows.len() {
                return Err(ValueError::Setting(format!(
                    "sample {id} is beyond the {} samples that are valued",
                    self.rows.len()
                )));
            }
            let watched = self.watch.find(id);
            for head in 0..heads {
                if judged.bags[at * heads + head] > 0 || self.rows[sample].count >= MOST {
                    continue;
                }
                let from = (head * ids.len() + at) * self.classes;
                let probabilities = &judged.probabilities[from..][..self.classes];
                let score = score(probabilities, label as usize, self.soft);
                let mask = &judged.masks[head * self.cells..][..self.cells];
                let cells = sample * self.cells..(sample + 1) * self.cells;
                add(
                    &mut self.sums[cells.clone()],
                    &mut self.counts[cells],
                    mask,
                    score,
                );
                let row = &mut self.rows[sample];
                row.sum += f64::from(score);
                row.squares += f64::from(score).powi(2);
                row.count += 1;
                if !self.probabilities.is_empty() {
                    let sums = &mut self.probabilities[sample * self.classes..][..self.classes];
                    sums.iter_mut()
                        .zip(probabilities)
                        .for_each(|(sum, p)| *sum += p);
                }
                if let Some(at) = watched {
                    self.watch.add(at, head % 2, mask, score);
                }
            }
        }
        Ok(())
    }

    /// Adds what another tally saw.
    ///
    /// # Errors
    /// Other samples, cells or settings; more scores than a sample takes.
    pub fn merge(&mut self, other: &Self) -> Result<(), ValueError> {
        let alike = (self.cells, self.classes, self.soft, self.len())
            == (other.cells, other.classes, other.soft, other.len())
            && self.probabilities.len() == other.probabilities.len();
        let few = |(a, b): (&Row, &Row)| a.count + b.count <= MOST;
        if !alike || !self.rows.iter().zip(&other.rows).all(few) || !self.watch.merge(&other.watch)
        {
            return Err(ValueError::Setting(
                "only tallies over the same samples, cells and settings can be merged, of up to \
                 65,535 scores a sample"
                    .to_owned(),
            ));
        }
        for (row, more) in self.rows.iter_mut().zip(&other.rows) {
            row.sum += more.sum;
            row.squares += more.squares;
            row.count += more.count;
        }
        self.sums
            .iter_mut()
            .zip(&other.sums)
            .for_each(|(a, b)| *a += b);
        self.counts
            .iter_mut()
            .zip(&other.counts)
            .for_each(|(a, b)| *a += b);
        let sums = self.probabilities.iter_mut().zip(&other.probabilities);
        sums.for_each(|(a, b)| *a += b);
        Ok(())
    }

    /// The value of a sample: the mean score (equation 2 of Data-OOB); NaN and count 0 for a sample
    /// that was never scored. The standard error takes scores as independent, which those of one
    /// head are not.
    pub fn row(&self, sample: usize) -> Estimate {
        let row = self.rows[sample];
        let value = row.sum / f64::from(row.count);
        Estimate {
            value: if row.count == 0 { f64::NAN } else { value },
            count: row.count,
            error: (self.variance(sample) / f64::from(row.count)).sqrt(),
        }
    }

    /// The value of a cell: the mean score by heads that saw it. The standard error takes the
    /// variance of the sample's scores for that of the cell's, and them as independent.
    pub fn cell(&self, sample: usize, cell: usize) -> Estimate {
        let at = sample * self.cells + cell;
        let count = u32::from(self.counts[at]);
        let value = f64::from(self.sums[at]) / f64::from(count);
        Estimate {
            value: if count == 0 { f64::NAN } else { value },
            count,
            error: if count == 0 {
                f64::NAN
            } else {
                (self.variance(sample) / f64::from(count)).sqrt()
            },
        }
    }

    /// The value of a cell less the mean score by heads that did not see it; NaN unless there are
    /// both. Within a sample it orders cells as their values do; across samples it is free of what
    /// the sample as a whole is worth.
    pub fn contrast(&self, sample: usize, cell: usize) -> f64 {
        let (row, seen) = (self.rows[sample], self.cell(sample, cell));
        let hidden = row.count - seen.count;
        let sum = row.sum - f64::from(self.sums[sample * self.cells + cell]);
        seen.value - sum / f64::from(hidden)
    }

    /// Mean probabilities of the classes by heads that never learned from the sample; `None` for a
    /// sample that was never scored, or where they are not kept.
    pub fn probabilities(&self, sample: usize) -> Option<Vec<f64>> {
        let count = self.rows[sample].count;
        let sums = self.probabilities.chunks_exact(self.classes).nth(sample)?;
        (count > 0).then(|| {
            let sums = sums.iter().map(|&sum| f64::from(sum));
            sums.map(|sum| sum / f64::from(count)).collect()
        })
    }

    /// How far the two halves of the bank agree; `None` before both have judged.
    pub fn reliability(&self) -> Option<Reliability> {
        self.watch.reliability()
    }

    /// Bytes that samples and cells take, without those of the watched samples, which are few.
    pub fn bytes(&self) -> usize {
        self.rows.len() * size_of::<Row>()
            + self.sums.len() * 4
            + self.counts.len() * 2
            + self.probabilities.len() * 4
    }

    /// Bytes that the comparison of the two halves takes.
    pub fn watched_bytes(&self) -> usize {
        self.watch.bytes()
    }

    fn variance(&self, sample: usize) -> f64 {
        let row = self.rows[sample];
        if row.count < 2 {
            return f64::NAN;
        }
        let count = f64::from(row.count);
        (row.squares - row.sum * row.sum / count).max(0.0) / (count - 1.0)
    }
}

/// T of equation 4: the probability of the label, or whether it is the largest, of equal ones the
/// first.
fn score(probabilities: &[f32], label: usize, soft: bool) -> f32 {
    if soft {
        return probabilities[label];
    }
    let own = probabilities[label];
    let before = probabilities[..label].iter().all(|&p| p < own);
    let after = probabilities[label..].iter().all(|&p| p <= own);
    f32::from(u8::from(before && after))
}
