//! Probes of [`Linear`] and their scores by the definition.

use afterimage_hooks::{Attached, ModelView, SampleId, Split};
use afterimage_memory::{UnitMemConfig, UnitMemProbe};

use super::{Linear, Noise, Records, Rig};

pub const SAMPLES: Noise = Noise {
    train: 40,
    held_out: 30,
};

pub fn config() -> UnitMemConfig {
    UnitMemConfig {
        points: 12,
        views: 4,
        batch: 5,
        ..UnitMemConfig::default()
    }
}

pub fn rig(config: UnitMemConfig, model: &dyn ModelView) -> Rig {
    let plugin = Attached::new("unitmem", "unitmem", UnitMemProbe::new(config));
    Rig::new(plugin, model.sites())
}

/// Records of the untrained network, then of another one at the end of epoch 1.
pub fn two_probes(config: UnitMemConfig) -> (Records, Records) {
    let (untrained, trained) = (Linear::new(1), Linear::new(2));
    let mut rig = rig(config, &untrained);
    rig.start(&untrained, Some(&SAMPLES));
    let first = rig.records();
    rig.epoch_end(1, &trained, Some(&SAMPLES));
    (first, rig.records())
}

/// Activations `[points][units]` of a site, by the definition: the mean over views of relu(W x).
pub fn activations(model: &Linear, split: Split, ids: &[SampleId], views: u32) -> Vec<Vec<f64>> {
    let one = |id: &SampleId, unit| {
        let mut sum = 0.0;
        for view in 0..views {
            sum += model.activation(0, unit, &SAMPLES.view(split, *id, view));
        }
        sum / f64::from(views)
    };
    ids.iter()
        .map(|id| (0..5).map(|unit| one(id, unit)).collect())
        .collect()
}

/// UnitMem by the paper's definition, and the owner's place.
pub fn unitmem(activations: &[Vec<f64>], unit: usize) -> (f64, usize) {
    let column: Vec<f64> = activations.iter().map(|row| row[unit]).collect();
    let owner = (0..column.len())
        .max_by(|a, b| column[*a].total_cmp(&column[*b]))
        .unwrap();
    let others = column.iter().sum::<f64>() - column[owner];
    let rest = others / (column.len() - 1) as f64;
    ((column[owner] - rest) / (column[owner] + rest), owner)
}

pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
