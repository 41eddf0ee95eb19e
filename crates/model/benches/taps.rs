//! The price of reading sites in every training step.
//!
//! `cargo bench -p afterimage-model --bench taps -- [ROUNDS]` prints, for two image sizes, the
//! median time of forward and backward with no taps, with reads at activation sites, and with
//! reads at all sites. The arms of a round run one after the other, so that a slow spell of the
//! machine falls on all of them.
#![allow(clippy::print_stdout, reason = "a benchmark reports on the terminal")]

use std::time::Instant;

use afterimage_hooks::{SiteKind, TapPlan, TapSpec};
use afterimage_model::{Encoder, ResNet9, ResNet9Config, Taps, seeded};
use burn::tensor::{Device, Distribution, Tensor};

const BATCH: usize = 64;

fn main() {
    let rounds = std::env::args()
        .filter_map(|arg| arg.parse().ok())
        .next()
        .unwrap_or(15);
    for (channels, side) in [(1, 28), (3, 32)] {
        compare(channels, side, rounds);
    }
}

fn compare(channels: usize, side: usize, rounds: usize) {
    let device = Device::flex().autodiff();
    let config = ResNet9Config {
        channels,
        width: 1.0,
    };
    let model = seeded(&device, 1, || config.init(&device));
    let shape = [BATCH, channels, side, side];
    let images = Tensor::random(shape, Distribution::Default, &device);
    let sites = model.sites();
    let plan = |specs: &[TapSpec]| TapPlan::new(specs, &sites);
    let activations = TapSpec::units("*").kind(SiteKind::Activation);
    let arms = [
        ("no taps", plan(&[])),
        ("no taps, again", plan(&[])),
        ("activation sites", plan(&[activations])),
        ("all sites", plan(&[TapSpec::units("*")])),
        ("gates at all sites", plan(&[TapSpec::gate("*")])),
    ];
    let mut seconds = vec![Vec::new(); arms.len()];
    for round in 0..=rounds {
        for (times, (_, plan)) in seconds.iter_mut().zip(&arms) {
            let time = step(&model, images.clone(), plan);
            // The first round warms caches and allocators.
            if round > 0 {
                times.push(time);
            }
        }
    }
    let medians: Vec<f64> = seconds.into_iter().map(median).collect();
    println!("{BATCH}×{channels}×{side}×{side}, median of {rounds}:");
    for ((name, _), time) in arms.iter().zip(&medians) {
        println!(
            "  {name:<20} {:8.2} ms  × {:.4}",
            time * 1e3,
            time / medians[0]
        );
    }
}

/// Seconds of a forward and a backward pass, and of taking the readings.
fn step(model: &ResNet9, images: Tensor<4>, plan: &TapPlan) -> f64 {
    let start = Instant::now();
    let mut taps = Taps::new(plan);
    let embeddings = model.encode(images, &mut taps);
    let gradients = (embeddings.clone() * embeddings).mean().backward();
    std::hint::black_box((taps.readings(), taps.saliency(&gradients)));
    start.elapsed().as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
