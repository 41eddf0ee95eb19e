//! All heads of an online bank.

use std::ops::Range;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::ValueError;
use crate::online::bag::{bag, masks};
use crate::online::heads::{Heads, Seen, Sizes};
use crate::online::settings::OnlineSettings;

/// Heads of a block: a block is one matrix, worked on by one thread. Results do not depend on it
/// beyond rounding, and it depends on nothing.
const BLOCK: usize = 8;

/// Samples with their labels.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    /// Which samples, `[m]`.
    pub ids: &'a [u32],
    /// Standardised numbers, `[m, inputs]`; 0 is what a hidden input looks like.
    pub inputs: &'a [f32],
    /// Classes, `[m]`.
    pub labels: &'a [u32],
}

/// What the heads say of a batch that they have not learned from yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// How often each head learns from each sample, `[m, heads]`; 0 is out of bag.
    pub bags: Vec<u8>,
    /// 1 for cells that a head saw, `[heads, cells]`.
    pub masks: Vec<u8>,
    /// Probabilities of the classes, `[heads, m, classes]`.
    pub probabilities: Vec<f32>,
}

/// Heads that learn side by side, each from its own bag of the samples, and see other cells at each
/// step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeadBank {
    settings: OnlineSettings,
    classes: usize,
    /// Inputs of each cell, in order.
    cells: Vec<Range<usize>>,
    step: u64,
    blocks: Vec<Heads>,
}

impl HeadBank {
    /// A bank over cells that take `cells[j]` inputs each.
    ///
    /// # Errors
    /// Settings out of range; no cell; fewer than two classes.
    pub fn new(
        settings: OnlineSettings,
        cells: &[usize],
        classes: usize,
    ) -> Result<Self, ValueError> {
        settings.check()?;
        if cells.is_empty() || cells.contains(&0) || classes < 2 {
            return Err(ValueError::Setting(
                "online values need at least one cell and two classes".to_owned(),
            ));
        }
        let mut ends = 0;
        let cells: Vec<Range<usize>> = cells
            .iter()
            .map(|&inputs| {
                let start = ends;
                ends += inputs;
                start..ends
            })
            .collect();
        let blocks = (0..settings.heads)
            .step_by(BLOCK)
            .map(|first| {
                let sizes = Sizes {
                    inputs: ends,
                    heads: BLOCK.min(settings.heads - first),
                    hidden: settings.hidden,
                    classes,
                };
                Heads::new(sizes, settings.seed, first)
            })
            .collect();
        Ok(Self {
            settings,
            classes,
            cells,
            step: 0,
            blocks,
        })
    }

    /// Numbers of a sample.
    pub fn inputs(&self) -> usize {
        self.cells.last().map_or(0, |cell| cell.end)
    }

    /// Cells of a sample.
    pub fn cells(&self) -> usize {
        self.cells.len()
    }

    /// Classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The settings.
    pub fn settings(&self) -> &OnlineSettings {
        &self.settings
    }

    /// Steps so far.
    pub fn steps(&self) -> u64 {
        self.step
    }

    /// Judges a batch, and then learns from it. Masks are those of the bank's own count of steps.
    ///
    /// # Errors
    /// Sizes that do not fit; a label beyond the classes; an input that is not finite.
    pub fn step(&mut self, batch: Batch<'_>) -> Result<Judged, ValueError> {
        self.check(&batch)?;
        let OnlineSettings { seed, heads, .. } = self.settings;
        let (samples, inputs, cells) = (batch.ids.len(), self.inputs(), self.cells.len());
        let bags: Vec<u8> = batch
            .ids
            .iter()
            .flat_map(|&id| bag(seed, id, heads))
            .collect();
        let masks = masks(
            seed,
            self.step,
            heads,
            cells,
            self.settings.subset_size(cells),
        );
        let mut weights = vec![0.0f32; heads * samples];
        for (sample, counts) in bags.chunks_exact(heads).enumerate() {
            for (head, &count) in counts.iter().enumerate() {
                weights[head * samples + sample] = f32::from(count);
            }
        }
        let mut input_masks = vec![0.0f32; heads * inputs];
        for (wide, mask) in input_masks
            .chunks_exact_mut(inputs)
            .zip(masks.chunks_exact(cells))
        {
            for (cell, &seen) in self.cells.iter().zip(mask) {
                wide[cell.clone()].fill(f32::from(seen));
            }
        }
        let rate = self.settings.rate as f32;
        let parts: Vec<Vec<f32>> = self
            .blocks
            .par_iter_mut()
            .zip(weights.par_chunks(BLOCK * samples))
            .zip(input_masks.par_chunks(BLOCK * inputs))
            .map(|((block, weights), masks)| {
                let seen = Seen {
                    inputs: batch.inputs,
                    labels: batch.labels,
                    weights,
                    masks,
                };
                block.step(&seen, rate)
            })
            .collect();
        self.step += 1;
        Ok(Judged {
            bags,
            masks,
            probabilities: parts.concat(),
        })
    }

    fn check(&self, batch: &Batch<'_>) -> Result<(), ValueError> {
        let wrong = |what: String| Err(ValueError::Setting(what));
        let samples = batch.ids.len();
        if samples == 0
            || batch.labels.len() != samples
            || batch.inputs.len() != samples * self.inputs()
        {
            return wrong(format!(
                "a batch needs a sample, one label a sample and {} numbers a sample; got {samples} \
                 samples, {} labels and {} numbers",
                self.inputs(),
                batch.labels.len(),
                batch.inputs.len()
            ));
        }
        if let Some(at) = batch
            .labels
            .iter()
            .position(|&l| l as usize >= self.classes)
        {
            return wrong(format!(
                "sample {} has label {}, beyond the {} classes",
                batch.ids[at], batch.labels[at], self.classes
            ));
        }
        if let Some(at) = batch.inputs.iter().position(|x| !x.is_finite()) {
            return wrong(format!(
                "an input of sample {} is not finite",
                batch.ids[at / self.inputs()]
            ));
        }
        Ok(())
    }
}
