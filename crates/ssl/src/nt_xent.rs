//! NT-Xent, the normalised temperature-scaled cross entropy of SimCLR.
//!
//! Shapes in names: `r` rows (views · B), `d` features, `b` samples.

use burn::tensor::{Bool, Int, Tensor};

use crate::directions::unit_rows;

/// Takes a view's similarity with itself out of the softmax; far below any logit of a temperature
/// of 1e-6 or more, and finite so that no `inf - inf` can arise.
const EXCLUDED: f64 = -1e9;

/// SimCLR's loss: of all other views in the batch, find the other view of the same sample.
///
/// For views i and j of a sample, `-log(exp(s_ij) / Σ_{k≠i} exp(s_ik))` with
/// `s = cos(z_i, z_j) / temperature`; Chen et al. 2020, arXiv 2002.05709, equation 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NtXent {
    /// Divides the cosine similarities; above 0.
    pub temperature: f64,
}

impl NtXent {
    /// Views of a sample.
    pub(crate) const VIEWS: usize = 2;

    /// Loss of each sample, `[B]`, at least 0: the mean over its two views as anchors.
    ///
    /// `z` is `[2·B, D]`, all samples of view 0 before all samples of view 1. Rows need not be
    /// normalised; the squares of their entries must be finite.
    ///
    /// # Panics
    /// When the number of rows is odd.
    pub fn per_sample(&self, z: Tensor<2>) -> Tensor<1> {
        let [rows, _] = z.dims();
        assert!(
            rows.is_multiple_of(Self::VIEWS),
            "NT-Xent needs two views a sample; got {rows} rows"
        );
        let samples = rows / Self::VIEWS;
        let device = z.device();

        // Dividing both factors by the root of the temperature costs [2B, D] and not [2B, 2B].
        let z_rd = unit_rows(z).div_scalar(self.temperature.sqrt());
        let itself_rr = Tensor::<2, Bool>::diag_mask([rows, rows], 0, &device).bool_not();
        let logits_rr = z_rd
            .clone()
            .matmul(z_rd.transpose())
            .mask_fill(itself_rr, EXCLUDED);

        let partner_r1 = Tensor::<1, Int>::cat(
            vec![
                Tensor::arange(samples as i64..rows as i64, &device),
                Tensor::arange(0..samples as i64, &device),
            ],
            0,
        )
        .reshape([rows, 1]);
        let positive_r1 = logits_rr.clone().gather(1, partner_r1);

        // Both terms are at least 0 in floating point too: `top` is one of the logits, and the sum
        // contains exp(0). The shift cancels in the gradient, hence the detach.
        let top_r1 = logits_rr.clone().detach().max_dim(1);
        let rest_r1 = (logits_rr - top_r1.clone()).exp().sum_dim(1).log();
        let loss_r1 = (top_r1 - positive_r1) + rest_r1;

        loss_r1
            .reshape([Self::VIEWS, samples])
            .mean_dim(0)
            .reshape([samples])
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use burn::tensor::{Device, TensorData};
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Case {
        name: String,
        temperature: f64,
        samples: usize,
        features: usize,
        z: Vec<f32>,
        per_sample: Vec<f64>,
        gradient: Vec<f64>,
    }

    /// Written by scripts/nt_xent_reference.py.
    fn cases() -> Vec<Case> {
        serde_json::from_str(include_str!("../testdata/nt_xent.json")).unwrap()
    }

    fn tensor(values: &[f32], features: usize, device: &Device) -> Tensor<2> {
        let rows = values.len() / features;
        Tensor::from_data(TensorData::new(values.to_vec(), [rows, features]), device)
    }

    fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.into_data().try_to_vec().unwrap()
    }

    fn losses(temperature: f64, values: &[f32], features: usize) -> Vec<f32> {
        host(NtXent { temperature }.per_sample(tensor(values, features, &Device::flex())))
    }

    /// Single precision resolves a logit, at most 1/temperature, to this.
    fn resolution(temperature: f64) -> f64 {
        4.0 * f64::from(f32::EPSILON) / temperature.min(0.25)
    }

    #[test]
    fn losses_equal_the_reference() {
        let cases = cases();
        assert!(cases.len() >= 5);
        for case in cases {
            let got = losses(case.temperature, &case.z, case.features);
            assert_eq!(got.len(), case.samples);
            for (got, want) in got.iter().zip(&case.per_sample) {
                let off = (f64::from(*got) - want).abs();
                assert!(
                    off < resolution(case.temperature),
                    "{}: {got} {want}",
                    case.name
                );
            }
        }
    }

    #[test]
    fn gradients_equal_finite_differences_in_double_precision() {
        let device = Device::flex().autodiff();
        for case in cases() {
            let z = tensor(&case.z, case.features, &device).require_grad();
            let loss = NtXent {
                temperature: case.temperature,
            }
            .per_sample(z.clone())
            .mean();
            let gradient = host(z.grad(&loss.backward()).unwrap());
            let scale = case
                .gradient
                .iter()
                .fold(1e-3f64, |top, g| top.max(g.abs()));
            for (got, want) in gradient.iter().zip(&case.gradient) {
                let off = (f64::from(*got) - want).abs() / scale;
                assert!(
                    off < 10.0 * resolution(case.temperature),
                    "{}: {got} {want}",
                    case.name
                );
            }
        }
    }

    #[test]
    fn identical_views_cost_the_log_of_the_choice() {
        for temperature in [0.5, 0.01] {
            for loss in losses(temperature, &[0.3, -0.4].repeat(8), 2) {
                assert!((loss - 7f32.ln()).abs() < 1e-5, "{loss}");
            }
        }
    }

    #[test]
    fn zeros_and_a_single_sample_stay_finite_with_their_gradients() {
        let device = Device::flex().autodiff();
        for rows in [2, 6] {
            let z = Tensor::<2>::zeros([rows, 3], &device).require_grad();
            let loss = NtXent { temperature: 0.01 }.per_sample(z.clone());
            let gradient = z.grad(&loss.clone().mean().backward()).unwrap();
            let expected = ((rows - 1) as f32).ln();
            assert!(host(loss).iter().all(|l| (l - expected).abs() < 1e-5));
            assert!(host(gradient).iter().all(|g| g.is_finite()));
        }
    }

    #[test]
    fn samples_have_gradients_of_their_own_that_average_to_the_batchs() {
        let device = Device::flex().autodiff();
        let case = cases().remove(0);
        let mut mean = vec![0.0; case.z.len()];
        for sample in 0..case.samples {
            let z = tensor(&case.z, case.features, &device).require_grad();
            let loss = NtXent {
                temperature: case.temperature,
            }
            .per_sample(z.clone());
            let own = loss.slice(sample..sample + 1).sum();
            let gradient = host(z.grad(&own.backward()).unwrap());
            // The sample's own anchor moves more than another sample's view, a mere negative.
            let moved = |row: usize| {
                let row = &gradient[row * case.features..][..case.features];
                row.iter().map(|g| g * g).sum::<f32>()
            };
            assert!(moved(sample) > 2.0 * moved((sample + 1) % case.samples));
            for (mean, g) in mean.iter_mut().zip(gradient) {
                *mean += f64::from(g) / case.samples as f64;
            }
        }
        for (got, want) in mean.iter().zip(&case.gradient) {
            assert!((got - want).abs() < 1e-6, "{got} {want}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn losses_are_finite_not_negative_and_blind_to_scale_and_view_order(
            values in prop::collection::vec(-3.0f32..3.0, 8 * 4),
            temperature in 0.01f64..1.0,
            scale in 0.1f32..100.0,
        ) {
            let first = losses(temperature, &values, 4);
            let scaled: Vec<f32> = values.iter().map(|v| v * scale).collect();
            let scaled = losses(temperature, &scaled, 4);
            let swapped = losses(temperature, &[&values[16..], &values[..16]].concat(), 4);
            for ((a, b), c) in first.iter().zip(&scaled).zip(&swapped) {
                prop_assert!(a.is_finite() && *a >= 0.0, "{a}");
                prop_assert!(f64::from((a - b).abs()) < 20.0 * resolution(temperature), "{a} {b}");
                prop_assert!(f64::from((a - c).abs()) < 20.0 * resolution(temperature), "{a} {c}");
            }
        }
    }

    /// `cargo test --release -p afterimage-ssl -- --ignored --nocapture seconds_a_step`
    #[test]
    #[ignore = "a measurement"]
    fn seconds_a_step() {
        let device = Device::flex().autodiff();
        for samples in [256, 1024] {
            let z = Tensor::<2>::random(
                [2 * samples, 128],
                burn::tensor::Distribution::Default,
                &device,
            )
            .require_grad();
            let mut times = Vec::new();
            for _ in 0..20 {
                let start = std::time::Instant::now();
                let loss = NtXent { temperature: 0.5 }.per_sample(z.clone()).mean();
                host(z.grad(&loss.backward()).unwrap());
                times.push(start.elapsed());
            }
            times.sort_unstable();
            #[allow(clippy::print_stdout)]
            {
                println!(
                    "B = {samples}: forward and backward, median {:?}",
                    times[10]
                );
            }
        }
    }
}
