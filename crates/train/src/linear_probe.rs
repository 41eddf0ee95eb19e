//! The linear probe: softmax regression on frozen embeddings.

use afterimage_hooks::Fault;
use afterimage_model::seeded;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{Linear, LinearConfig};
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::knn::Embeddings;

/// Softmax regression, fitted on all embeddings at once with AdamW under a falling rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LinearProbe {
    /// Optimizer steps; default 300.
    pub steps: usize,
    /// First learning rate, falling linearly to 0; default 0.05.
    pub rate: f64,
    /// Weight decay; default 1e-4.
    pub weight_decay: f32,
}

impl Default for LinearProbe {
    fn default() -> Self {
        Self {
            steps: 300,
            rate: 0.05,
            weight_decay: 1e-4,
        }
    }
}

impl LinearProbe {
    /// Share of `test` embeddings that a probe fitted on `train` names rightly.
    ///
    /// Every dimension is scaled to mean 0 and deviation 1 over `train`.
    ///
    /// # Errors
    /// A tensor that cannot be read back from the device.
    pub fn accuracy(
        &self,
        train: (&Embeddings, &[u32]),
        test: (&Embeddings, &[u32]),
        seed: u64,
        device: &Device,
    ) -> Result<f64, Fault> {
        let device = device.clone().autodiff();
        let scale = Scale::of(train.0);
        let width = train.0.width();
        let classes = train
            .1
            .iter()
            .chain(test.1)
            .max()
            .map_or(1, |&class| class as usize + 1);
        let x = tensor(&scale.apply(train.0), width, &device);
        let targets = labels(train.1, &device);
        let mut probe: Linear = seeded(&device, seed, || {
            LinearConfig::new(width, classes).init(&device)
        });
        let mut optimizer = AdamWConfig::new()
            .with_weight_decay(self.weight_decay)
            .init();
        let loss = CrossEntropyLossConfig::new().init(&device);
        for step in 0..self.steps {
            let rate = self.rate * (1.0 - step as f64 / self.steps as f64);
            let loss = loss.forward(probe.forward(x.clone()), targets.clone());
            let gradients = GradientsParams::from_grads(loss.backward(), &probe);
            probe = optimizer.step(rate, probe, gradients);
        }
        let queries = tensor(&scale.apply(test.0), width, &device);
        let named = probe
            .forward(queries)
            .argmax(1)
            .try_into_vec_as::<i64>()
            .map_err(|error| Fault::new(error.to_string()))?;
        let right = named
            .iter()
            .zip(test.1)
            .filter(|(a, b)| **a == i64::from(**b))
            .count();
        Ok(right as f64 / test.1.len().max(1) as f64)
    }
}

struct Scale {
    mean: Vec<f64>,
    deviation: Vec<f64>,
}

impl Scale {
    fn of(x: &Embeddings) -> Self {
        let (rows, width) = (x.len().max(1) as f64, x.width());
        let mut mean = vec![0.0; width];
        let mut square = vec![0.0; width];
        for row in 0..x.len() {
            for (d, &value) in x.row(row).iter().enumerate() {
                mean[d] += f64::from(value) / rows;
            }
        }
        for row in 0..x.len() {
            for (d, &value) in x.row(row).iter().enumerate() {
                square[d] += (f64::from(value) - mean[d]).powi(2) / rows;
            }
        }
        // A dimension that never changes stays at 0 instead of being divided by nothing.
        let deviation = square
            .into_iter()
            .map(|v| if v > 1e-12 { v.sqrt() } else { 1.0 })
            .collect();
        Self { mean, deviation }
    }

    fn apply(&self, x: &Embeddings) -> Vec<f32> {
        let width = x.width();
        x.values()
            .iter()
            .enumerate()
            .map(|(at, &value)| {
                let d = at % width;
                ((f64::from(value) - self.mean[d]) / self.deviation[d]) as f32
            })
            .collect()
    }
}

fn tensor(values: &[f32], width: usize, device: &Device) -> Tensor<2> {
    let rows = values.len() / width.max(1);
    Tensor::from_data(TensorData::new(values.to_vec(), [rows, width]), device)
}

fn labels(labels: &[u32], device: &Device) -> Tensor<1, Int> {
    let values: Vec<i64> = labels.iter().map(|&label| i64::from(label)).collect();
    Tensor::from_data(TensorData::new(values, [labels.len()]), device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separable_classes_are_named_and_shuffled_labels_are_not() -> Result<(), Fault> {
        let points: Vec<f32> = (0..200)
            .flat_map(|i| [if i % 2 == 0 { 1.0 } else { -1.0 }, (i as f32).sin(), 3.0])
            .collect();
        let x = Embeddings::new(points, 3);
        let right: Vec<u32> = (0..200).map(|i| i % 2).collect();
        let wrong: Vec<u32> = (0..200).map(|i| (i / 2) % 2).collect();
        let device = Device::flex();
        let probe = LinearProbe::default();
        assert_eq!(probe.accuracy((&x, &right), (&x, &right), 1, &device)?, 1.0);
        assert!(probe.accuracy((&x, &wrong), (&x, &wrong), 1, &device)? < 0.7);
        Ok(())
    }
}
