//! ResNet-9 against a numpy forward pass (scripts/resnet9_reference.py).
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

mod fixture;

use std::collections::BTreeMap;

use afterimage_hooks::{Reduce, TapMode, TapPlan, TapSpec};
use afterimage_model::{Encoder, ResNet9, ResNet9Config, Taps, evaluation};
use burn::tensor::{Device, Tensor};
use fixture::{AnyResult, by_path, chirped, host, with_formulas};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    channels: usize,
    side: usize,
    eval: Pass,
    train: Pass,
    running: BTreeMap<String, Vec<f32>>,
}

#[derive(Deserialize)]
struct Pass {
    embeddings: Vec<Vec<f32>>,
    sites: BTreeMap<String, Vec<Vec<f32>>>,
}

const BLOCKS: [&str; 8] = [
    "prep", "layer1", "res1a", "res1b", "layer2", "layer3", "res2a", "res2b",
];

/// Offset, scale and phase of a parameter's formula.
fn formula(path: &str, shape: &[usize]) -> (f64, f64, f64) {
    let k = BLOCKS.iter().position(|b| path.starts_with(b)).unwrap() as f64;
    let (offset, scale, phase) = match path.rsplit('.').next().unwrap() {
        "weight" => {
            let fan_in: usize = shape[1..].iter().product();
            (0.0, (3.0 / fan_in as f64).sqrt(), 0.0)
        }
        "bias" => (0.0, 0.1, 0.1),
        "gamma" => (1.0, 0.3, 0.2),
        "beta" => (0.0, 0.2, 0.3),
        "running_mean" => (0.0, 0.1, 0.4),
        "running_var" => (1.0, 0.5, 0.5),
        other => unreachable!("{other}"),
    };
    (offset, scale, k + phase)
}

fn close(what: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!(
            (f - e).abs() <= 1e-4 * (1.0 + e.abs()),
            "{what}[{i}]: {f} for {e}"
        );
    }
}

fn compare(model: &ResNet9, images: Tensor<4>, expected: &Pass) -> AnyResult {
    let sites = model.sites();
    assert_eq!(sites.len(), expected.sites.len());
    let mut taps = Taps::new(&TapPlan::new(&[TapSpec::units("*")], &sites));
    let embeddings = model.encode(images, &mut taps);
    close(
        "embeddings",
        &host(embeddings)?,
        &expected.embeddings.concat(),
    );
    let readings = taps.into_readings();
    for (site, value) in readings.of_mode(TapMode::Read(Reduce::MeanSpace)) {
        close(site, &host(value.clone())?, &expected.sites[site].concat());
    }
    Ok(())
}

#[test]
fn forward_and_sites_are_those_of_the_reference() -> AnyResult {
    let cases: Vec<Case> = serde_json::from_str(include_str!("data/resnet9.json"))?;
    for case in &cases {
        let device = Device::flex().autodiff();
        let config = ResNet9Config {
            channels: case.channels,
            width: 0.0625,
            ..ResNet9Config::default()
        };
        let model = with_formulas(config.init(&device), formula);
        let shape = [3, case.channels, case.side, case.side];
        let images = chirped(shape, 0.0, &device);
        compare(&evaluation(&model), images.clone().inner(), &case.eval)?;
        compare(&model, images, &case.train)?;
        let after: BTreeMap<_, _> = by_path(&evaluation(&model), None).into_iter().collect();
        for (path, expected) in &case.running {
            close(path, after[path].as_ref().unwrap(), expected);
        }
    }
    Ok(())
}
