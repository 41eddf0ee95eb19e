//! UnitMem's exact one-pass state: O(units) memory, whatever the number of points.

use afterimage_hooks::SampleId;
use serde::{Deserialize, Serialize};

use crate::error::MemoryError;
use crate::exact_sum::ExactSum;
use crate::unit_score::{Extent, UnitScore};

/// Units taken at a time, so that the accumulators of a block stay in the nearest cache.
const LANES: usize = 64;

/// Rows taken at a time, so that the accumulators are loaded and stored once for several values.
const ROWS: usize = 4;

/// The owner of a unit that no finite value has reached.
const NOBODY: SampleId = SampleId(u32::MAX);

/// Extremes and sums of every unit of a site over the points seen so far.
///
/// Merging is associative and commutative, and no order or sharding of the same points leaves a
/// trace: the state is equal to the byte. Each point may be given once, with all its views averaged.
/// Values that are not finite are counted and kept out of everything else; they make the unit
/// invalid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UnitState {
    points: u64,
    highest: Vec<f32>,
    owner: Vec<SampleId>,
    second: Vec<f32>,
    lowest: Vec<f32>,
    sum: Vec<ExactSum>,
    not_finite: Vec<u64>,
}

impl UnitState {
    /// The state of a site with `units` units before any point.
    pub fn new(units: usize) -> Self {
        Self {
            points: 0,
            highest: vec![f32::NEG_INFINITY; units],
            owner: vec![NOBODY; units],
            second: vec![f32::NEG_INFINITY; units],
            lowest: vec![f32::INFINITY; units],
            sum: vec![ExactSum::default(); units],
            not_finite: vec![0; units],
        }
    }

    /// Number of units.
    pub fn units(&self) -> usize {
        self.highest.len()
    }

    /// Number of points seen.
    pub fn points(&self) -> u64 {
        self.points
    }

    /// Largest activation of each unit, −∞ before any.
    pub fn highest(&self) -> &[f32] {
        &self.highest
    }

    /// Second largest activation of each unit, with repetition; −∞ before two.
    pub fn second(&self) -> &[f32] {
        &self.second
    }

    /// The point with the largest activation of `unit`; of equals, the one with the smallest id.
    pub fn owner(&self, unit: usize) -> Option<SampleId> {
        (self.highest[unit] != f32::NEG_INFINITY).then(|| self.owner[unit])
    }

    /// Sum of the activations of `unit`, rounded once.
    pub fn sum(&self, unit: usize) -> f64 {
        self.sum[unit].to_f64()
    }

    /// Adds points: their ids, and their mean activations `[points, units]` in row-major order.
    ///
    /// # Errors
    /// A number of values that is not points · units; a point that is there twice. The state is
    /// then as it was.
    pub fn update(&mut self, ids: &[SampleId], values: &[f32]) -> Result<(), MemoryError> {
        let units = self.units();
        if values.len() != ids.len() * units {
            return Err(MemoryError::BlockSize {
                rows: ids.len(),
                units,
                values: values.len(),
            });
        }
        let order = ascending(ids)?;
        for start in (0..units).step_by(LANES) {
            let width = LANES.min(units - start);
            let row = |at: usize| &values[at * units + start..][..width];
            let mut block = Block::new();
            for group in order.chunks(ROWS) {
                block.take(group.len(), |at| (ids[group[at]], row(group[at])));
            }
            for lane in 0..width {
                let column = block.column(lane).unwrap_or_else(|| {
                    let mut column = Column::default();
                    order
                        .iter()
                        .for_each(|&at| column.take(ids[at], row(at)[lane]));
                    column
                });
                self.merge_column(start + lane, &column);
            }
        }
        self.points += ids.len() as u64;
        Ok(())
    }

    /// Adds the points of another state, which must be other points of the same site.
    ///
    /// # Errors
    /// Another number of units.
    pub fn merge(&mut self, other: &Self) -> Result<(), MemoryError> {
        MemoryError::same_units(self.units(), other.units())?;
        for unit in 0..self.units() {
            let column = Column {
                highest: other.highest[unit],
                owner: other.owner[unit],
                second: other.second[unit],
                lowest: other.lowest[unit],
                sum: other.sum[unit],
                not_finite: other.not_finite[unit],
            };
            self.merge_column(unit, &column);
        }
        self.points += other.points;
        Ok(())
    }

    /// UnitMem of each unit in the paper's form, the mean over the other points:
    /// `(N·max − sum) / ((N−2)·max + sum)`, from arXiv 2409.19069, equations 5 to 8.
    pub fn scores(&self) -> Vec<UnitScore> {
        (0..self.units()).map(|unit| self.score(unit)).collect()
    }

    /// What decides about the score of `unit`.
    pub(crate) fn extent(&self, unit: usize) -> Extent {
        Extent {
            points: self.points,
            not_finite: self.not_finite[unit],
            lowest: self.lowest[unit],
            highest: self.highest[unit],
        }
    }

    fn score(&self, unit: usize) -> UnitScore {
        self.extent(unit).score(|| {
            let (n, max, sum) = (
                self.points as f64,
                f64::from(self.highest[unit]),
                self.sum(unit),
            );
            let others = n - 1.0;
            ((n * max - sum) / others, ((n - 2.0) * max + sum) / others)
        })
    }

    fn merge_column(&mut self, unit: usize, column: &Column) {
        let (ours, theirs) = (self.highest[unit], column.highest);
        let second = ours.min(theirs).max(column.second);
        self.second[unit] = self.second[unit].max(second);
        if theirs > ours {
            self.highest[unit] = theirs;
            self.owner[unit] = column.owner;
        } else if theirs == ours {
            self.owner[unit] = self.owner[unit].min(column.owner);
        }
        self.lowest[unit] = self.lowest[unit].min(column.lowest);
        self.sum[unit].merge(&column.sum);
        self.not_finite[unit] += column.not_finite;
    }
}

/// Positions of `ids` in ascending order of id: of equal values, the first then has the smallest id.
fn ascending(ids: &[SampleId]) -> Result<Vec<usize>, MemoryError> {
    let mut order: Vec<usize> = (0..ids.len()).collect();
    if !ids.is_sorted() {
        order.sort_unstable_by_key(|&at| ids[at]);
    }
    match order.windows(2).find(|pair| ids[pair[0]] == ids[pair[1]]) {
        Some(pair) => Err(MemoryError::Repeated { id: ids[pair[0]].0 }),
        None => Ok(order),
    }
}

/// One unit over some points.
struct Column {
    highest: f32,
    owner: SampleId,
    second: f32,
    lowest: f32,
    sum: ExactSum,
    not_finite: u64,
}

impl Default for Column {
    fn default() -> Self {
        Self {
            highest: f32::NEG_INFINITY,
            owner: NOBODY,
            second: f32::NEG_INFINITY,
            lowest: f32::INFINITY,
            sum: ExactSum::default(),
            not_finite: 0,
        }
    }
}

impl Column {
    /// Takes any value; ids must come in ascending order.
    fn take(&mut self, id: SampleId, value: f32) {
        if !value.is_finite() {
            self.not_finite += 1;
            return;
        }
        // Turns −0 into +0: they are equal, so which of them stays would depend on the order.
        let value = value + 0.0;
        self.second = self.second.max(value.min(self.highest));
        if value > self.highest {
            self.highest = value;
            self.owner = id;
        }
        self.lowest = self.lowest.min(value);
        self.sum.add(value);
    }
}

/// [`LANES`] units over the rows of a block, on the assumption that all values are finite and that
/// an `f64` holds every sum without rounding; where that may fail, it is noticed.
struct Block {
    rows: u32,
    highest: [f32; LANES],
    owner: [u32; LANES],
    second: [f32; LANES],
    lowest: [f32; LANES],
    /// The smallest magnitude other than 0.
    faintest: [f32; LANES],
    sum: [f64; LANES],
}

impl Block {
    fn new() -> Self {
        Self {
            rows: 0,
            highest: [f32::NEG_INFINITY; LANES],
            owner: [NOBODY.0; LANES],
            second: [f32::NEG_INFINITY; LANES],
            lowest: [f32::INFINITY; LANES],
            faintest: [f32::INFINITY; LANES],
            sum: [0.0; LANES],
        }
    }

    /// Takes `rows` rows, at most [`ROWS`], of at most [`LANES`] values; ids must come in ascending
    /// order.
    fn take<'a>(&mut self, rows: usize, row: impl Fn(usize) -> (SampleId, &'a [f32])) {
        let mut ids = [0; ROWS];
        let mut values = [[0.0; LANES]; ROWS];
        for at in 0..rows {
            let (id, row) = row(at);
            ids[at] = id.0;
            values[at][..row.len()].copy_from_slice(row);
        }
        self.rows += rows as u32;
        if rows == ROWS {
            self.fold(ids, &values);
        } else {
            for at in 0..rows {
                self.fold([ids[at]], &[values[at]]);
            }
        }
    }

    /// Plain comparisons in place of `max` and `min`, loops of one width each and of fixed length:
    /// this is the form that becomes vector instructions.
    fn fold<const R: usize>(&mut self, ids: [u32; R], values: &[[f32; LANES]; R]) {
        for lane in 0..LANES {
            let (mut highest, mut owner) = (self.highest[lane], self.owner[lane]);
            let mut second = self.second[lane];
            for (id, row) in ids.iter().zip(values) {
                let value = row[lane] + 0.0;
                let runner_up = if value < highest { value } else { highest };
                second = if runner_up > second {
                    runner_up
                } else {
                    second
                };
                owner = if value > highest { *id } else { owner };
                highest = if value > highest { value } else { highest };
            }
            (self.highest[lane], self.owner[lane]) = (highest, owner);
            self.second[lane] = second;
        }
        for lane in 0..LANES {
            let (mut lowest, mut faintest) = (self.lowest[lane], self.faintest[lane]);
            for row in values {
                let value = row[lane] + 0.0;
                lowest = if value < lowest { value } else { lowest };
                let magnitude = if value == 0.0 {
                    f32::INFINITY
                } else {
                    value.abs()
                };
                faintest = if magnitude < faintest {
                    magnitude
                } else {
                    faintest
                };
            }
            (self.lowest[lane], self.faintest[lane]) = (lowest, faintest);
        }
        for lane in 0..LANES {
            self.sum[lane] = values
                .iter()
                .fold(self.sum[lane], |sum, row| sum + f64::from(row[lane]));
        }
    }

    /// The unit's accumulators, unless rounding or a value that is not finite may have come between.
    ///
    /// All values are multiples of the last place of the faintest, which is more than 2⁻²⁴ of it. A
    /// sum is therefore exact while it is below 2⁵³ of these places.
    fn column(&self, lane: usize) -> Option<Column> {
        let largest = self.highest[lane].abs().max(self.lowest[lane].abs());
        let bound = f64::from(self.rows) * f64::from(largest);
        let exact = bound <= f64::from(self.faintest[lane]) * f64::from(1u32 << 29);
        // A value that is not finite leaves a sum that is not.
        (self.sum[lane].is_finite() && exact).then(|| {
            let mut sum = ExactSum::default();
            sum.add_multiple(self.sum[lane]);
            Column {
                highest: self.highest[lane],
                owner: SampleId(self.owner[lane]),
                second: self.second[lane],
                lowest: self.lowest[lane],
                sum,
                not_finite: 0,
            }
        })
    }
}

#[cfg(test)]
#[path = "unit_max_tests.rs"]
mod tests;
