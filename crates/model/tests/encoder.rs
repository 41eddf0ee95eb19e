//! Counts, sites, configuration, initial values and copies of encoders.

mod fixture;

use std::collections::BTreeSet;

use afterimage_hooks::SiteKind;
use afterimage_model::{
    AnyEncoder, Encoder, EncoderConfig, ProjectionHead, ProjectionHeadConfig, ResNet9,
    ResNet9Config, Taps, evaluation, parameter_count, parameters, seeded, snapshot,
};
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor, s};
use fixture::{AnyResult, bits, by_path, chirped, loss};

#[derive(Module, Debug)]
struct Trained {
    encoder: AnyEncoder,
    projector: ProjectionHead,
}

fn small(channels: usize) -> ResNet9Config {
    ResNet9Config {
        channels,
        width: 0.125,
        ..ResNet9Config::default()
    }
}

#[test]
fn units_and_parameters_are_those_of_the_paper() {
    let model = ResNet9Config::default().init(&Device::flex());
    let units = |kind| -> Vec<usize> {
        model
            .sites()
            .iter()
            .filter(|s| s.kind == kind)
            .map(|s| s.units)
            .collect()
    };
    let widths = vec![32, 64, 64, 64, 128, 256, 256, 256];
    assert_eq!(widths.iter().sum::<usize>(), 1120);
    for kind in [SiteKind::Conv, SiteKind::Norm, SiteKind::Activation] {
        assert_eq!(units(kind), widths, "{kind}");
    }
    assert_eq!(units(SiteKind::Pool), [32, 64, 128, 256]);
    assert_eq!(units(SiteKind::Residual), [64, 256]);
    assert_eq!(model.embedding_dim(), 256);
    assert_eq!(parameter_count(&model), 1_644_672);
    // burn counts the running statistics too: a mean and a variance a unit.
    assert_eq!(model.num_params(), 1_644_672 + 2 * 1120);
}

#[test]
fn sites_name_parameters_that_the_training_model_has() -> AnyResult {
    let device = Device::flex();
    let encoder = EncoderConfig::ResNet9(small(3)).init(1, &device)?;
    let dim = encoder.embedding_dim();
    let sites = encoder.sites();
    let model = Trained {
        encoder,
        projector: ProjectionHeadConfig::default().init(dim, &device),
    };
    let infos = parameters(&model);
    let known: BTreeSet<&str> = infos.iter().map(|info| info.path.as_str()).collect();
    assert_eq!(known.len(), infos.len(), "paths are unique");
    for site in &sites {
        for path in site.produced_by.iter().chain(&site.consumed_by) {
            assert!(known.contains(path.as_str()), "{}: {path}", site.name);
        }
        for info in infos
            .iter()
            .filter(|info| site.produced_by.contains(&info.path))
        {
            assert_eq!(info.shape[0], site.units, "rows of {}", info.path);
        }
        for info in infos
            .iter()
            .filter(|info| site.consumed_by.contains(&info.path))
        {
            assert_eq!(info.shape[1], site.units, "columns of {}", info.path);
        }
    }
    let by_name = |name: &str| {
        sites
            .iter()
            .find(|site| site.name == name)
            .ok_or(name.to_owned())
    };
    assert_eq!(
        by_name("encoder.layer1.pool")?.consumed_by,
        ["encoder.res1a.conv.weight", "encoder.layer2.conv.weight"]
    );
    assert_eq!(by_name("encoder.res1")?.produced_by.len(), 8);
    assert_eq!(
        by_name("encoder.prep.conv")?.produced_by,
        ["encoder.prep.conv.weight", "encoder.prep.conv.bias"]
    );
    Ok(())
}

#[test]
fn every_side_from_sixteen_up_gives_embeddings() {
    let device = Device::flex();
    let model = small(1).init(&device);
    for (height, width) in [(16, 16), (17, 31), (28, 28), (33, 40), (64, 64)] {
        let images = Tensor::ones([2, 1, height, width], &device);
        let embeddings = model.encode(images, &mut Taps::none());
        assert_eq!(embeddings.dims(), [2, 32], "{height}×{width}");
    }
}

#[test]
fn in_evaluation_a_row_does_not_depend_on_the_other_rows() -> AnyResult {
    let device = Device::flex().autodiff();
    let model = seeded(&device, 5, || small(3).init(&device));
    let images = chirped([6, 3, 32, 32], 0.0, &device);
    model.encode(images.clone(), &mut Taps::none());
    let batch = model.encode(images.clone(), &mut Taps::none());
    let alone = model.encode(images.clone().slice(s![2..4]), &mut Taps::none());
    assert_ne!(
        bits(batch.slice(s![2..4]))?,
        bits(alone)?,
        "in training it does"
    );
    let model = evaluation(&model);
    let images = images.inner();
    let batch = model.encode(images.clone(), &mut Taps::none());
    for row in 0..6 {
        let alone = model.encode(images.clone().slice(s![row..row + 1]), &mut Taps::none());
        assert_eq!(
            bits(batch.clone().slice(s![row..row + 1]))?,
            bits(alone)?,
            "row {row}"
        );
    }
    Ok(())
}

#[test]
fn a_seed_and_a_path_make_an_initial_value() -> AnyResult {
    let device = Device::flex().autodiff();
    let with_head = |seed, hidden| {
        let head = ProjectionHeadConfig {
            hidden,
            ..Default::default()
        };
        seeded(&device, seed, || Trained {
            encoder: AnyEncoder::ResNet9(small(1).init(&device)),
            projector: head.init(32, &device),
        })
    };
    let first = by_path(&with_head(1, 8), None);
    Tensor::<1>::random([100], burn::tensor::Distribution::Default, &device);
    assert!(by_path(&with_head(1, 8), None) == first);
    let encoder = |all: &[(String, Option<Vec<f32>>)]| -> Vec<_> {
        all.iter()
            .filter(|(path, _)| path.starts_with("encoder."))
            .cloned()
            .collect()
    };
    let encoder_of_first = encoder(&first);
    assert!(encoder(&by_path(&with_head(1, 16), None)) == encoder_of_first);
    assert!(encoder(&by_path(&with_head(2, 8), None)) != encoder_of_first);

    for (path, values) in &first {
        let values = values.as_ref().ok_or(path.as_str())?;
        if path.ends_with("res2a.conv.weight") {
            let bound = 1.0 / f64::sqrt(32.0 * 9.0);
            let n = values.len() as f64;
            let largest = values.iter().fold(0f64, |m, v| m.max(f64::from(v.abs())));
            let variance = values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / n;
            assert!(largest <= bound && largest > 0.99 * bound);
            assert!((variance / (bound * bound / 3.0) - 1.0).abs() < 0.05);
        }
    }
    let weight = |block: &str| {
        let path = format!("encoder.{block}.conv.weight");
        first.iter().find(|(p, _)| *p == path).map(|(_, v)| v)
    };
    assert_eq!(weight("res2a").map(|v| v.is_some()), Some(true));
    assert!(
        weight("res2a") != weight("res2b"),
        "equal shapes draw apart"
    );
    let biases = first
        .iter()
        .filter(|(path, _)| path.ends_with("bias"))
        .count();
    assert_eq!(
        biases, 9,
        "eight convolutions and the second layer of the head"
    );
    Ok(())
}

#[test]
fn seeded_leaves_no_parameter_to_be_drawn_later() {
    struct Lazy(usize, usize);
    impl ModuleVisitor for Lazy {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0 += usize::from(!param.is_initialized());
            self.1 += usize::from(param.is_require_grad());
        }
    }
    let device = Device::flex().autodiff();
    let count = |model: &ResNet9| {
        let mut lazy = Lazy(0, 0);
        model.visit(&mut lazy);
        (lazy.0, lazy.1)
    };
    assert_eq!(
        count(&seeded(&device, 1, || small(1).init(&device))),
        (0, 32)
    );
    assert!(count(&small(1).init(&device)).0 > 0, "burn draws lazily");
}

#[test]
fn a_snapshot_and_its_original_train_apart() -> AnyResult {
    let device = Device::flex().autodiff();
    let original = seeded(&device, 9, || small(1).init(&device));
    let images = |phase| chirped([4, 1, 28, 28], phase, &device);
    original.encode(images(0.0), &mut Taps::none());
    let copy = snapshot(&original);
    assert_eq!(parameters(&copy), parameters(&original), "paths and ids");
    let values = |model: &ResNet9| by_path(&evaluation(model), None);
    let start = values(&original);
    assert!(values(&copy) == start);
    copy.encode(images(1.0), &mut Taps::none());
    let moved = values(&copy);
    assert!(moved != start, "the copy trains");
    assert!(values(&original) == start, "the original stays");
    original.encode(images(2.0), &mut Taps::none());
    assert!(values(&original) != start);
    assert!(values(&copy) == moved, "the copy stays");

    let gradients = loss(copy.encode(images(0.0), &mut Taps::none())).backward();
    let trained = by_path(&copy, Some(&gradients));
    assert_eq!(
        trained
            .iter()
            .filter(|(_, gradient)| gradient.is_some())
            .count(),
        32
    );
    let plain = snapshot(&evaluation(&original));
    let embeddings = plain.encode(images(0.0).inner(), &mut Taps::none());
    assert!(!embeddings.is_autodiff(), "an evaluation module stays one");
    Ok(())
}

#[test]
fn taking_snapshots_leaves_training_as_it_was() -> AnyResult {
    let device = Device::flex().autodiff();
    let run = |snapshots: bool| {
        let model = seeded(&device, 9, || small(1).init(&device));
        for step in 0..3 {
            let images = chirped([4, 1, 28, 28], f64::from(step), &device);
            model.encode(images, &mut Taps::none());
            if snapshots {
                snapshot(&model);
            }
        }
        by_path(&evaluation(&model), None)
    };
    assert!(run(true) == run(false));
    Ok(())
}

#[test]
fn a_chosen_encoder_is_the_encoder_itself() -> AnyResult {
    let device = Device::flex();
    let any = EncoderConfig::ResNet9(small(1)).init(4, &device)?;
    let typed = seeded(&device, 4, || small(1).init(&device));
    assert!(by_path(&any, None) == by_path(&typed, None));
    assert_eq!(any.sites(), typed.sites());
    let images = chirped([2, 1, 28, 28], 0.0, &device);
    assert_eq!(
        bits(any.encode(images.clone(), &mut Taps::none()))?,
        bits(typed.encode(images.clone(), &mut Taps::none()))?
    );
    let other = small(1)
        .init(&device)
        .load_record(any.clone().into_record());
    assert!(by_path(&other, None) == by_path(&any, None));
    Ok(())
}

#[test]
fn configurations_are_strict() -> AnyResult {
    let config: EncoderConfig = toml::from_str("kind = \"resnet9\"\nwidth = 0.5")?;
    assert_eq!(
        config,
        EncoderConfig::ResNet9(ResNet9Config {
            channels: 3,
            width: 0.5,
            ..ResNet9Config::default()
        })
    );
    assert_eq!(
        toml::from_str::<EncoderConfig>(&toml::to_string(&config)?)?,
        config
    );
    let message = |text| {
        toml::from_str::<EncoderConfig>(text)
            .map_err(|e| e.to_string())
            .err()
    };
    assert!(message("kind = \"resnet9\"\nwdith = 2").is_some_and(|m| m.contains("wdith")));
    assert!(message("kind = \"resnet8\"").is_some_and(|m| m.contains("resnet9")));
    for (channels, width, key) in [
        (2, 1.0, "channels"),
        (3, 0.0, "width"),
        (3, f64::NAN, "width"),
    ] {
        let error = ResNet9Config {
            channels,
            width,
            ..ResNet9Config::default()
        }
        .validate()
        .map_err(|e| e.to_string())
        .err();
        assert!(error.is_some_and(|m| m.contains(key)), "{channels} {width}");
    }
    assert_eq!(
        ResNet9Config {
            channels: 1,
            width: 0.001,
            ..ResNet9Config::default()
        }
        .widths(),
        [1; 8]
    );
    assert_eq!(
        ResNet9Config {
            channels: 1,
            width: 0.1,
            ..ResNet9Config::default()
        }
        .widths()[..2],
        [3, 6]
    );
    Ok(())
}

#[test]
fn a_projection_head_is_two_layers_with_a_norm_between() -> AnyResult {
    let device = Device::flex().autodiff();
    let x = chirped([6, 10], 0.0, &device);
    let config = ProjectionHeadConfig {
        hidden: 7,
        output: 4,
        ..ProjectionHeadConfig::default()
    };
    let head = seeded(&device, 1, || config.init(10, &device));
    assert_eq!(parameter_count(&head), 10 * 7 + 2 * 7 + 7 * 4 + 4);
    assert_eq!(head.forward(x.clone()).dims(), [6, 4]);
    // A shift and a positive scale of the hidden layer vanish in the norm, up to its ε.
    let scaled = fixture::host(head.forward(x.clone() * 3.0))?;
    for (a, b) in fixture::host(head.forward(x.clone()))?
        .into_iter()
        .zip(scaled)
    {
        assert!((a - b).abs() < 1e-3, "{a} {b}");
    }
    let bare = ProjectionHeadConfig {
        norm: false,
        ..config
    };
    let bare = seeded(&device, 1, || bare.init(10, &device));
    assert_eq!(parameter_count(&bare), 10 * 7 + 7 + 7 * 4 + 4);
    assert_eq!(bare.forward(x).dims(), [6, 4]);
    Ok(())
}
