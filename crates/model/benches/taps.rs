//! The price of reading sites in every training step.
//!
//! `cargo bench -p afterimage-model --bench taps -- [ROUNDS]` prints, for two image sizes, the
//! median time of forward and backward with no taps, with reads at activation sites, with reads at
//! all sites, and with gates at all sites. The arms of a round run one after the other, so that a slow spell of the
//! machine falls on all of them.
#![allow(clippy::print_stdout, reason = "a benchmark reports on the terminal")]

use std::time::Instant;

use afterimage_hooks::{Site, SiteKind, TapPlan, TapSpec};
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
        ..ResNet9Config::default()
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
    let mut wall = vec![Vec::new(); arms.len()];
    let mut cpu = vec![Vec::new(); arms.len()];
    for round in 0..=rounds {
        for turn in 0..arms.len() {
            // Each arm takes each place, so that no arm always follows the most costly one.
            let arm = (turn + round) % arms.len();
            let (wall_s, cpu_s) = step(&model, images.clone(), &arms[arm].1);
            // The first round warms caches and allocators.
            if round > 0 {
                wall[arm].push(wall_s);
                cpu[arm].push(cpu_s);
            }
        }
    }
    println!("{BATCH}×{channels}×{side}×{side}, {rounds} rounds, medians:");
    for (arm, (name, _)) in arms.iter().enumerate() {
        let [wall_s, cpu_s] = [&wall, &cpu].map(|all| (median(&all[arm]), median(&all[0])));
        println!(
            "  {name:<20} wall {:8.2} ms × {:.4}   cpu {:8.2} ms × {:.4}",
            wall_s.0 * 1e3,
            wall_s.0 / wall_s.1,
            cpu_s.0 * 1e3,
            cpu_s.0 / cpu_s.1,
        );
    }
    let least = wall[0].iter().copied().fold(f64::INFINITY, f64::min) * 1e3;
    let alone = reading_alone(&sites, side, &device);
    println!(
        "  reading all sites alone {alone:.2} ms: {:.4} of the fastest step without taps, {least:.2} ms",
        alone / least
    );
}

/// Milliseconds of reading tensors of the shapes of `sites`, with no step around it: the least of
/// many short runs, which a busy machine disturbs far less than whole steps.
fn reading_alone(sites: &[Site], side: usize, device: &Device) -> f64 {
    let mut map = side;
    let outputs: Vec<(&str, Tensor<4>)> = sites
        .iter()
        .map(|site| {
            if site.kind == SiteKind::Pool {
                map /= 2;
            }
            let shape = [BATCH, site.units, map, map];
            let x = Tensor::random(shape, Distribution::Default, device);
            (site.name.as_str(), x)
        })
        .collect();
    let plan = TapPlan::new(&[TapSpec::units("*")], sites);
    (0..60)
        .map(|_| {
            let inputs = outputs.clone();
            let start = Instant::now();
            let mut taps = Taps::new(&plan);
            for (site, x) in inputs {
                std::hint::black_box(taps.visit4(site, x));
            }
            std::hint::black_box(taps.readings());
            start.elapsed().as_secs_f64() * 1e3
        })
        .fold(f64::INFINITY, f64::min)
}

/// Wall and processor seconds of a forward and a backward pass, and of taking the readings.
fn step(model: &ResNet9, images: Tensor<4>, plan: &TapPlan) -> (f64, f64) {
    let (start, start_cpu) = (Instant::now(), cpu_seconds());
    let mut taps = Taps::new(plan);
    let embeddings = model.encode(images, &mut taps);
    let gradients = (embeddings.clone() * embeddings).mean().backward();
    std::hint::black_box((taps.readings(), taps.saliency(&gradients)));
    (start.elapsed().as_secs_f64(), cpu_seconds() - start_cpu)
}

/// Processor time of all threads of this process, which other processes disturb less than they do
/// the wall clock; NaN where the system does not tell.
fn cpu_seconds() -> f64 {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else {
        return f64::NAN;
    };
    tasks
        .flatten()
        .filter_map(|task| std::fs::read_to_string(task.path().join("schedstat")).ok())
        .filter_map(|text| text.split(' ').next()?.parse::<f64>().ok())
        .sum::<f64>()
        * 1e-9
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
