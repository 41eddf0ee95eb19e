//! ResNets and vision transformers: values against PyTorch (scripts/encoders_reference.py), sites,
//! counts, taps and mistakes.

mod fixture;

use std::collections::{BTreeMap, BTreeSet};

use afterimage_hooks::{Reduce, SiteKind, TapMode, TapPlan, TapSpec};
use afterimage_model::{
    AnyEncoder, Encoder, EncoderConfig, ModelError, ResNetConfig, Stem, Taps, VitConfig, VitSize,
    evaluation, parameter_count, parameters,
};
use burn::tensor::{Device, s};
use fixture::{AnyResult, bits, by_path, chirped, host, loss, with_formulas};

fn resnet(depth: usize, stem: Stem) -> EncoderConfig {
    EncoderConfig::ResNet(ResNetConfig {
        stem,
        width: 0.125,
        ..ResNetConfig::new(depth)
    })
}

fn vit(side: usize) -> EncoderConfig {
    EncoderConfig::Vit(VitConfig {
        patch: 8,
        depth: 2,
        side: Some(side),
        ..VitConfig::default()
    })
}

/// Every encoder that this file looks at, with a side of its images.
fn all() -> Vec<(&'static str, EncoderConfig, usize)> {
    vec![
        ("resnet18-cifar", resnet(18, Stem::Cifar), 32),
        ("resnet18-imagenet", resnet(18, Stem::Imagenet), 64),
        ("resnet50-cifar", resnet(50, Stem::Cifar), 32),
        ("vit-tiny", vit(16), 16),
    ]
}

/// Offset, scale and phase of a parameter's formula, as in the script.
fn formula(path: &str, shape: &[usize]) -> (f64, f64, f64) {
    let (offset, scale) = match path.rsplit('.').next().unwrap_or_default() {
        "weight" => {
            let fan_in: usize = match shape {
                [inputs, _] => *inputs,
                _ => shape[1..].iter().product(),
            };
            (0.0, (3.0 / fan_in as f64).sqrt())
        }
        "bias" | "running_mean" => (0.0, 0.1),
        "gamma" => (1.0, 0.3),
        "beta" => (0.0, 0.2),
        "running_var" => (1.0, 0.5),
        "class" => (0.0, 1.0),
        "position" => (0.0, 0.5),
        other => unreachable!("{other}"),
    };
    let letters = path.bytes().map(u64::from).sum::<u64>() % 97;
    (offset, scale, letters as f64 * 0.1)
}

#[test]
fn embeddings_are_those_of_pytorch() -> AnyResult {
    let device = Device::flex();
    let expected: BTreeMap<String, Vec<Vec<f32>>> =
        serde_json::from_str(include_str!("data/encoders.json"))?;
    let mut cases = all();
    cases.push(("vit-tiny-interpolated", vit(16), 24));
    for (name, config, side) in cases {
        let encoder = with_formulas(config.init(1, &device)?, formula);
        let images = chirped([2, 3, side, side], 0.0, &device);
        let found = host(encoder.encode(images, &mut Taps::none()))?;
        let expected: Vec<f32> = expected[name].concat();
        assert_eq!(found.len(), expected.len(), "{name}");
        let scale = expected.iter().fold(0.0_f32, |max, v| max.max(v.abs()));
        for (found, expected) in found.iter().zip(&expected) {
            let error = (found - expected).abs() / scale;
            assert!(error < 1e-4, "{name}: {found} for {expected}");
        }
    }
    Ok(())
}

#[test]
fn a_resnet_takes_images_of_any_size() -> AnyResult {
    let device = Device::flex();
    for stem in [Stem::Cifar, Stem::Imagenet] {
        let encoder = resnet(18, stem).init(1, &device)?;
        for (height, width) in [(1, 1), (2, 5), (17, 31)] {
            let images = chirped([2, 3, height, width], 0.0, &device);
            let embeddings = encoder.encode(images, &mut Taps::none());
            assert_eq!(embeddings.dims(), [2, 64], "{stem:?} {height}×{width}");
        }
    }
    Ok(())
}

#[test]
fn parameters_are_as_many_as_in_the_papers_networks() -> AnyResult {
    let device = Device::flex();
    // torchvision's counts without the classifier: 11,689,512 − 513,000 and so on.
    for (depth, parameters) in [(18, 11_176_512), (34, 21_284_672), (50, 23_508_032)] {
        let config = ResNetConfig {
            stem: Stem::Imagenet,
            ..ResNetConfig::new(depth)
        };
        assert_eq!(parameter_count(&config.init(1, &device)?), parameters);
    }
    // timm's vit_tiny_patch16_224 without the classifier: 5,717,416 − 193,000.
    let config = VitConfig {
        side: Some(224),
        ..VitConfig::default()
    };
    assert_eq!(parameter_count(&config.init(1, &device)?), 5_524_416);
    Ok(())
}

#[test]
fn an_outline_has_the_sites_of_its_encoder_and_costs_nothing() -> AnyResult {
    let device = Device::flex();
    for (name, config, side) in all() {
        let (outline, encoder) = (config.outline(&device)?, config.init(1, &device)?);
        assert_eq!(outline.sites(), encoder.sites(), "{name}");
        assert_eq!(outline.groups(), encoder.groups(), "{name}");
        assert_eq!(outline.embedding_dim(), encoder.embedding_dim(), "{name}");
        assert_eq!(outline.positions([side; 2]), encoder.positions([side; 2]));
    }
    // Some 1.8 thousand million parameters.
    let start = std::time::Instant::now();
    let large = EncoderConfig::Vit(VitConfig {
        size: VitSize::Base,
        depth: 256,
        ..VitConfig::default()
    });
    assert!(large.outline(&device)?.sites().len() > 1700);
    assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
    Ok(())
}

#[test]
fn sites_are_visited_and_name_parameters_by_their_units() -> AnyResult {
    let device = Device::flex();
    for (name, config, side) in all() {
        let encoder = config.init(1, &device)?;
        let sites = encoder.sites();
        let names: BTreeSet<&str> = sites.iter().map(|site| site.name.as_str()).collect();
        assert_eq!(names.len(), sites.len(), "{name}: site names are unique");
        let plan = TapPlan::new(
            &[TapSpec::units("encoder.*").reduce(Reduce::MeanSpace)],
            &sites,
        );
        let mut taps = Taps::new(&plan);
        encoder.encode(chirped([2, 3, side, side], 0.0, &device), &mut taps);
        assert!(
            taps.unvisited().is_empty(),
            "{name}: {:?}",
            taps.unvisited()
        );
        for (site, value) in taps.readings().of_mode(TapMode::Read(Reduce::MeanSpace)) {
            let listed = sites.iter().find(|listed| listed.name == site);
            assert_eq!(
                listed.map(|site| site.units),
                Some(value.dims()[1]),
                "{site}"
            );
        }
        let shapes: BTreeMap<String, Vec<usize>> = parameters(&encoder)
            .into_iter()
            .map(|info| (format!("encoder.{}", info.path), info.shape))
            .collect();
        for site in &sites {
            for path in &site.produced_by {
                // A fully connected layer keeps its outputs in columns.
                let shape = shapes.get(path).ok_or(path.clone())?;
                let axis = usize::from(shape.len() == 2);
                assert_eq!(shape[axis], site.units, "{}: {path}", site.name);
            }
            for path in &site.consumed_by {
                let shape = shapes.get(path).ok_or(path.clone())?;
                let axis = usize::from(shape.len() != 2);
                assert_eq!(shape[axis], site.units, "{}: {path}", site.name);
            }
        }
    }
    Ok(())
}

#[test]
fn a_token_site_is_averaged_over_tokens_and_not_over_channels() -> AnyResult {
    let device = Device::flex();
    let encoder = vit(16).init(1, &device)?;
    let AnyEncoder::Vit(model) = &encoder else {
        return Err("a transformer".into());
    };
    let plan = TapPlan::new(
        &[TapSpec::units("encoder.norm").reduce(Reduce::MeanSpace)],
        &encoder.sites(),
    );
    let mut taps = Taps::new(&plan);
    let images = chirped([2, 3, 16, 16], 0.0, &device);
    let tokens = model.tokens(images, &mut taps);
    assert_eq!(tokens.dims(), [2, 5, 192]);
    let readings = taps.readings();
    let mode = TapMode::Read(Reduce::MeanSpace);
    let value = readings.get("encoder.norm", mode).ok_or("a reading")?;
    assert_eq!(value.dims(), [2, 192]);
    let expected = host(tokens.mean_dim(1).reshape([2, 192]))?;
    for (found, expected) in host(value.clone())?.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-5);
    }
    let hidden = encoder.sites();
    let kinds: Vec<SiteKind> = hidden[1..8].iter().map(|site| site.kind).collect();
    assert_eq!(
        kinds,
        [
            SiteKind::Token,
            SiteKind::Attention,
            SiteKind::Residual,
            SiteKind::FullyConnected,
            SiteKind::Activation,
            SiteKind::FullyConnected,
            SiteKind::Residual
        ]
    );
    Ok(())
}

#[test]
fn taps_do_not_change_a_bit_of_loss_or_gradients() -> AnyResult {
    let device = Device::flex().autodiff();
    for (name, config, side) in all() {
        let run = |tapped: bool| -> Result<_, Box<dyn std::error::Error>> {
            let encoder = config.init(3, &device)?;
            let plan = TapPlan::new(
                &[TapSpec::units("encoder.*"), TapSpec::gate("encoder.*")],
                &encoder.sites(),
            );
            let mut taps = if tapped {
                Taps::new(&plan)
            } else {
                Taps::none()
            };
            let loss = loss(encoder.encode(chirped([4, 3, side, side], 0.2, &device), &mut taps));
            let gradients = loss.backward();
            Ok((bits(loss)?, by_path(&encoder, Some(&gradients))))
        };
        let (plain, tapped) = (run(false)?, run(true)?);
        assert_eq!(plain.0, tapped.0, "{name}: loss");
        assert!(plain.1.iter().any(|(_, gradient)| gradient.is_some()));
        assert!(plain.1 == tapped.1, "{name}: gradients");
    }
    Ok(())
}

#[test]
fn in_evaluation_a_row_does_not_depend_on_the_other_rows() -> AnyResult {
    let device = Device::flex().autodiff();
    for (name, config, side) in all() {
        let encoder = evaluation(&config.init(2, &device)?);
        let images = chirped([3, 3, side, side], 0.0, &device.clone().inner());
        let together = encoder.encode(images.clone(), &mut Taps::none());
        let alone = encoder.encode(images.slice(s![1..2]), &mut Taps::none());
        assert_eq!(bits(together.slice(s![1..2]))?, bits(alone)?, "{name}");
    }
    Ok(())
}

#[test]
fn values_out_of_range_name_their_key() {
    let device = Device::flex();
    let message = |config: EncoderConfig| match config.init(1, &device) {
        Ok(_) => "accepted".to_owned(),
        Err(error) => error.to_string(),
    };
    assert_eq!(
        message(resnet(20, Stem::Cifar)),
        "encoder: `depth = 20` is not possible: a ResNet has 18, 34 or 50 layers"
    );
    assert_eq!(
        message(vit(20)),
        "encoder: `patch = 8` is not possible: it has to divide the side of the views, 20 pixels"
    );
    let flat = EncoderConfig::Vit(VitConfig {
        depth: 0,
        ..VitConfig::default()
    });
    assert!(matches!(
        flat.validate(),
        Err(ModelError::Config { key: "depth", .. })
    ));
}

#[test]
fn initial_weights_have_the_deviation_of_their_scheme() -> AnyResult {
    let device = Device::flex();
    let deviation = |values: &[f32]| {
        let squares: f64 = values.iter().map(|v| f64::from(*v).powi(2)).sum();
        (squares / values.len() as f64).sqrt()
    };
    let encoder = ResNetConfig::new(18).init(1, &device)?;
    let weight = host(encoder.layer2[0].branch[0].conv.weight.val())?;
    let expected = (2.0 / (128.0 * 9.0_f64)).sqrt();
    assert!((deviation(&weight) / expected - 1.0).abs() < 0.01);
    let encoder = VitConfig::default().init(1, &device)?;
    let layer = &encoder.blocks[3].fc1;
    assert!((deviation(&host(layer.weight.val())?) / 0.02 - 1.0).abs() < 0.01);
    let bias = layer.bias.as_ref().ok_or("a bias")?;
    assert!(host(bias.val())?.iter().all(|value| *value == 0.0));
    Ok(())
}
