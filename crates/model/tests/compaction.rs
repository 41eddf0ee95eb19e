//! A compacted encoder says what the masked one says, and has only what it needs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use afterimage_hooks::random::{Generator, RandomKey, Stream};
use afterimage_model::compact::{
    Architecture, Compaction, Cuts, Group, Kept, TOLERANCE, compact, cut, load_weights,
    save_weights, structure, without_units,
};
use afterimage_model::{
    AnyEncoder, Encoder, EncoderConfig, Masks, ModelError, ParameterInfo, ResNet9Config,
    ResNetConfig, Stem, Taps, VitConfig, evaluation, parameter_count, parameters,
};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor, TensorData};
use proptest::prelude::*;

fn config(which: usize, width: f64) -> EncoderConfig {
    let resnet = |depth, stem| {
        EncoderConfig::ResNet(ResNetConfig {
            stem,
            width: width / 4.0,
            ..ResNetConfig::new(depth)
        })
    };
    match which {
        0 => EncoderConfig::ResNet9(ResNet9Config {
            width,
            ..ResNet9Config::default()
        }),
        1 => resnet(18, Stem::Cifar),
        2 => resnet(34, Stem::Cifar),
        3 => resnet(50, Stem::Imagenet),
        _ => EncoderConfig::Vit(VitConfig {
            patch: 8,
            depth: 2,
            side: Some(16),
            ..VitConfig::default()
        }),
    }
}

/// Pixels of a side of the test's images.
fn side(config: &EncoderConfig) -> usize {
    match config {
        EncoderConfig::ResNet(_) => 32,
        _ => 16,
    }
}

fn images(side: usize, seed: u64) -> Tensor<4> {
    let mut random = RandomKey::new(seed, Stream::Plugin).generator();
    let values: Vec<f32> = (0..4 * 3 * side * side)
        .map(|_| random.normal() as f32)
        .collect();
    Tensor::from_data(TensorData::new(values, [4, 3, side, side]), &Device::flex())
}

/// An encoder whose norms are not at their initial values.
fn trained(config: &EncoderConfig, seed: u64) -> AnyEncoder {
    struct Stir(Generator);
    impl ModuleMapper for Stir {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let Self(random) = self;
            param.map(|value| {
                let count = value.shape().num_elements();
                let stir: Vec<f32> = (0..count)
                    .map(|_| 0.8 + 0.4 * random.uniform() as f32)
                    .collect();
                let factors = TensorData::new(stir, value.dims());
                let device = value.device();
                // Off zero, so that biases and shifts count.
                (value + 0.01) * Tensor::from_data(factors, &device)
            })
        }
    }
    let encoder = config.init(seed, &Device::flex()).unwrap();
    evaluation(&encoder).map(&mut Stir(RandomKey::new(seed, Stream::Order).generator()))
}

/// Masks some units of each group; of one in four of these only the first site.
fn masks(
    groups: &[Group],
    structure: &afterimage_hooks::Structure,
    share: f64,
    seed: u64,
) -> Masks {
    let mut random = RandomKey::new(seed, Stream::View).generator();
    let mut masks = Masks::none();
    for (group, seen) in groups.iter().zip(&structure.groups) {
        let mut by_site: BTreeMap<&String, Vec<bool>> = BTreeMap::new();
        for unit in 0..group.units {
            if !random.chance(share) {
                continue;
            }
            let in_part = random.chance(0.25);
            let sites = if in_part {
                &seen.masked_at[..1]
            } else {
                &seen.masked_at[..]
            };
            for site in sites {
                let kept = by_site
                    .entry(site)
                    .or_insert_with(|| vec![true; group.units * group.channels]);
                kept[seen.channels_of(unit)].fill(false);
            }
        }
        by_site
            .into_iter()
            .for_each(|(site, kept)| masks.set(site, kept));
    }
    masks
}

fn named(encoder: &AnyEncoder) -> Vec<ParameterInfo> {
    let own = parameters(encoder).into_iter();
    own.map(|info| ParameterInfo {
        path: format!("encoder.{}", info.path),
        ..info
    })
    .collect()
}

fn structure_of(encoder: &AnyEncoder, side: usize) -> afterimage_hooks::Structure {
    structure(
        &encoder.groups(),
        &named(encoder),
        &encoder.positions([side, side]),
    )
}

fn embeddings(encoder: &AnyEncoder, masks: &Masks, images: Tensor<4>) -> Vec<f32> {
    let mut taps = Taps::none().with_masks(masks);
    encoder.encode(images, &mut taps).try_into_vec_as().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_compacted_encoder_says_what_the_masked_one_says(
        which in 0usize..5,
        width in 0.1f64..0.4,
        share in 0.05f64..0.95,
        embedding: bool,
        seed in 0u64..1000,
    ) {
        let config = config(which, width);
        let side = side(&config);
        let encoder = trained(&config, seed);
        let whole = structure_of(&encoder, side);
        let masks = masks(&encoder.groups(), &whole, share, seed);
        let smaller = match compact(&encoder, &masks, embedding, images(side, seed)) {
            Err(ModelError::NothingPruned) => return Ok(()),
            smaller => smaller.unwrap(),
        };
        prop_assert!(smaller.difference <= TOLERANCE);
        prop_assert!(parameter_count(&smaller.encoder) < parameter_count(&encoder));
        // On other images, too.
        let other = images(side, seed + 1);
        let [a, b] = [
            embeddings(&encoder, &masks, other.clone()),
            embeddings(&smaller.encoder, &smaller.masks, other),
        ];
        let scale = a.iter().fold(1.0_f32, |most, x| most.max(x.abs()));
        let lost = encoder.groups().iter().find(|g| g.embeds).and_then(|g| smaller.kept.get(&g.name).cloned());
        let dims = encoder.embedding_dim();
        for row in 0..4 {
            for at in 0..dims {
                let now = match &lost {
                    None => Some(at),
                    Some(kept) => kept.units.iter().position(|unit| *unit == at),
                };
                let now = now.map_or(0.0, |at| b[row * smaller.encoder.embedding_dim() + at]);
                prop_assert!((a[row * dims + at] - now).abs() <= 2e-5 * scale);
            }
        }
        // What the structure says of the smaller encoder is what it costs.
        let kept: BTreeMap<String, usize> =
            smaller.kept.iter().map(|(name, kept)| (name.to_owned(), kept.units.len())).collect();
        prop_assert_eq!(whole.macs(&kept), structure_of(&smaller.encoder, side).macs(&BTreeMap::new()));
        prop_assert_eq!(whole.parameter_count(&BTreeMap::new()), parameter_count(&encoder) as u64);
        prop_assert_eq!(whole.parameter_count(&kept), parameter_count(&smaller.encoder) as u64);
        // Nothing is left that could go.
        let again = compact(&smaller.encoder, &smaller.masks, embedding, images(side, seed));
        if let Ok(again) = again {
            prop_assert!(again.kept.is_everything(), "{:?}", again.kept);
        }
    }

    #[test]
    fn parameters_of_pruned_units_have_no_effect(
        which in 0usize..5,
        share in 0.1f64..0.6,
        seed in 0u64..1000,
    ) {
        let config = config(which, 0.15);
        let side = side(&config);
        let encoder = trained(&config, seed);
        let masks = masks(&encoder.groups(), &structure_of(&encoder, side), share, seed);
        let dead = Cuts::without_effect(&encoder.groups(), &masks);
        let before = embeddings(&encoder, &masks, images(side, seed));
        for value in [0.0, 3.0] {
            let filled = filled(&encoder, &dead, value, false);
            let after = embeddings(&filled, &masks, images(side, seed));
            for (a, b) in before.iter().zip(&after) {
                prop_assert!((a - b).abs() <= 1e-5 * a.abs().max(1.0), "{a} {b}");
            }
        }
    }
}

/// `encoder` with `value` at all places of `dead`; at running statistics only if told.
fn filled(encoder: &AnyEncoder, dead: &Cuts, value: f32, statistics: bool) -> AnyEncoder {
    struct Fill<'d>(Vec<String>, &'d Cuts, f32, bool);
    impl ModuleMapper for Fill<'_> {
        fn enter_module(&mut self, name: &str, _container_type: &str) {
            self.0.push(name.to_owned());
        }
        fn exit_module(&mut self, _name: &str, _container_type: &str) {
            self.0.pop();
        }
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let path = format!("encoder.{}", self.0.join("."));
            if path.contains("running") && !self.3 {
                return param;
            }
            param.map(|old| {
                let (device, shape) = (old.device(), old.dims());
                let mut values = old.try_into_vec_as::<f32>().unwrap();
                self.1.fill(&path, &mut values, &shape, self.2).unwrap();
                Tensor::from_data(TensorData::new(values, shape), &device)
            })
        }
    }
    evaluation(encoder).map(&mut Fill(Vec::new(), dead, value, statistics))
}

/// Each group is complete and none is too large: putting other values in the places of a unit that is
/// not pruned changes what the encoder says, for every tensor that the group names.
#[test]
fn every_tensor_of_a_group_matters() {
    for which in 0..5 {
        let config = config(which, 0.125);
        let side = side(&config);
        let encoder = trained(&config, 3);
        let images = images(side, 3);
        let before = embeddings(&encoder, &Masks::none(), images.clone());
        for group in encoder.groups() {
            for slice in group.slices() {
                let paths: Vec<String> = named(&encoder).into_iter().map(|p| p.path).collect();
                assert!(paths.contains(&slice.path), "{}", slice.path);
                let shape = named(&encoder)
                    .into_iter()
                    .find(|p| p.path == slice.path)
                    .unwrap()
                    .shape;
                assert_eq!(
                    shape[slice.axis],
                    group.units * group.channels * slice.repeats,
                    "{} {}",
                    group.name,
                    slice.path
                );
                // Statistics are filled as well: they count in evaluation.
                let all = Group {
                    points: vec![afterimage_model::compact::Point {
                        sites: vec!["one".to_owned()],
                        written_by: vec![slice.clone()],
                        ..Default::default()
                    }],
                    ..group.clone()
                };
                let mut masks = Masks::none();
                masks.set("one", vec![false; group.units * group.channels]);
                let places = Cuts::without_effect(&[all], &masks);
                let after = embeddings(
                    &filled(&encoder, &places, 1.7, true),
                    &Masks::none(),
                    images.clone(),
                );
                assert_ne!(before, after, "{} {}", group.name, slice.path);
            }
        }
    }
}

#[test]
fn an_encoder_without_pruned_units_is_not_compacted() {
    let config = config(0, 0.125);
    let encoder = trained(&config, 1);
    let nothing = compact(&encoder, &Masks::none(), true, images(16, 1));
    assert!(matches!(nothing, Err(ModelError::NothingPruned)));
    // A unit of one end of a residual branch alone is still read at the other.
    let mut masks = Masks::none();
    let sites = encoder.sites();
    let act = sites
        .iter()
        .find(|s| s.name == "encoder.res1b.act")
        .unwrap();
    masks.prune(act, &[0]).unwrap();
    let nothing = compact(&encoder, &masks, false, images(16, 1));
    assert!(matches!(nothing, Err(ModelError::NothingPruned)));
}

#[test]
fn a_group_keeps_at_least_one_unit() {
    let config = config(1, 0.2);
    let encoder = trained(&config, 1);
    let all = structure_of(&encoder, 32);
    let masks = masks(&encoder.groups(), &all, 1.1, 1);
    let Compaction { encoder, kept, .. } = compact(&encoder, &masks, true, images(32, 1)).unwrap();
    assert!(kept.iter().all(|(_, kept)| !kept.units.is_empty()));
    assert!(encoder.groups().iter().all(|group| group.units >= 1));
}

#[test]
fn an_encoder_that_says_something_else_is_refused() {
    use afterimage_model::compact::difference;
    let device = Device::flex();
    let of = |values: [f32; 4]| {
        Tensor::<2>::from_floats([[values[0], values[1]], [values[2], values[3]]], &device)
    };
    let same = of([1.0, 2.0, 3.0, 4.0]);
    assert_eq!(difference(same.clone(), same.clone(), None).unwrap(), 0.0);
    for other in [of([1.0, 2.0, 3.0, 4.1]), of([1.0, f32::NAN, 3.0, 4.0])] {
        let refused = difference(same.clone(), other, None);
        assert!(
            matches!(refused, Err(ModelError::Differs { .. })),
            "{refused:?}"
        );
    }
    // A dimension that is gone must have been zero.
    let one = Tensor::<2>::from_floats([[1.0], [3.0]], &device);
    assert!(difference(same, one.clone(), Some(&[0])).is_err());
    assert!(difference(of([1.0, 0.0, 3.0, 0.0]), one, Some(&[0])).is_ok());
}

#[test]
fn an_architecture_rebuilds_the_encoder_and_its_weights() {
    struct Values(Vec<Vec<f32>>);
    impl ModuleVisitor for Values {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.push(param.val().try_into_vec_as().unwrap());
        }
    }
    let values = |encoder: &AnyEncoder| {
        let mut values = Values(Vec::new());
        encoder.visit(&mut values);
        values.0
    };
    let folder = tempfile::tempdir().unwrap();
    for which in [0, 1, 3, 4] {
        let config = config(which, 0.2);
        let side = side(&config);
        let encoder = trained(&config, 5);
        let masks = masks(&encoder.groups(), &structure_of(&encoder, side), 0.5, 5);
        let smaller = compact(&encoder, &masks, false, images(side, 5)).unwrap();
        let [arch, weights] = ["arch.json", "encoder.safetensors"]
            .map(|name| folder.path().join(format!("{which}-{name}")));
        let data = Architecture::new(config, 3, side, smaller.kept, smaller.masks);
        std::fs::write(&arch, data.to_json().unwrap()).unwrap();
        save_weights(&smaller.encoder, &weights).unwrap();

        let read = Architecture::read(&arch).unwrap();
        assert_eq!(read, data);
        let mut again = read.init(0, &Device::flex()).unwrap();
        load_weights(&mut again, &weights).unwrap();
        assert_eq!(values(&again), values(&smaller.encoder), "{which}");
        // Weights of another architecture are refused.
        let mut whole = read.config().init(0, &Device::flex()).unwrap();
        assert!(load_weights(&mut whole, &weights).is_err());
    }
    let wrong = folder.path().join("wrong.json");
    std::fs::write(&wrong, "{\"layout\": 1}").unwrap();
    let error = Architecture::read(&wrong).unwrap_err().to_string();
    assert!(error.contains("wrong.json"), "{error}");
}

#[test]
fn what_is_kept_of_what_is_kept_has_the_numbers_of_the_whole() {
    let config = config(0, 0.25);
    let encoder = trained(&config, 2);
    let first: Kept =
        serde_json::from_str(r#"{"encoder.prep": {"of": 8, "units": [1, 2, 5, 7]}}"#).unwrap();
    let second: Kept =
        serde_json::from_str(r#"{"encoder.prep": {"of": 4, "units": [0, 3]}}"#).unwrap();
    let both = first.then(&second).unwrap();
    assert_eq!(both.get("encoder.prep").unwrap().units, [1, 7]);
    assert_eq!(both.since(&first).unwrap(), second);
    assert_eq!(both.since(&Kept::default()).unwrap(), both);
    assert!(both.since(&both).unwrap().is_everything());
    // What is gone does not come back.
    assert!(first.since(&both).is_err());
    assert!(Kept::default().since(&first).is_err());
    let at_once = without_units(&encoder, &both).unwrap();
    let in_turn = without_units(&without_units(&encoder, &first).unwrap(), &second).unwrap();
    let image = images(16, 2);
    assert_eq!(
        embeddings(&at_once, &Masks::none(), image.clone()),
        embeddings(&in_turn, &Masks::none(), image)
    );
    // Units of another model are refused.
    assert!(without_units(&encoder, &second).is_err());
    let beyond: Kept =
        serde_json::from_str(r#"{"encoder.prep": {"of": 8, "units": [9]}}"#).unwrap();
    assert!(without_units(&encoder, &beyond).is_err());
    let none: Kept = serde_json::from_str(r#"{"encoder.prep": {"of": 8, "units": []}}"#).unwrap();
    assert!(without_units(&encoder, &none).is_err());
}

#[test]
fn a_copy_shares_nothing_with_its_module() {
    let config = config(0, 0.125);
    let encoder = trained(&config, 4);
    let image = images(16, 4);
    let before = embeddings(&encoder, &Masks::none(), image.clone());
    let kept: Kept =
        serde_json::from_str(r#"{"encoder.res2": {"of": 32, "units": [3, 4]}}"#).unwrap();
    let cuts = kept.cuts(&encoder.groups());
    let smaller = cut(&encoder, &cuts, |path| Some(format!("encoder.{path}"))).unwrap();
    assert_eq!(smaller.embedding_dim(), 2);
    assert_eq!(before, embeddings(&encoder, &Masks::none(), image));
}
