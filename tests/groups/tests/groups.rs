//! Every group that an encoder declares is what its forward pass ties together, and nothing else is.

#![allow(clippy::unwrap_used)]

use afterimage_groups::{Found, Recording, check, found, record};
use afterimage_model::{EncoderConfig, ResNet9Config, ResNetConfig, Stem, VitConfig};
use burn_ir::{ModuleOperationIr as Layer, OperationIr};

fn resnet9() -> EncoderConfig {
    EncoderConfig::ResNet9(ResNet9Config {
        width: 0.25,
        ..ResNet9Config::default()
    })
}

fn resnet(depth: usize, stem: Stem) -> EncoderConfig {
    EncoderConfig::ResNet(ResNetConfig {
        stem,
        width: 0.25,
        ..ResNetConfig::new(depth)
    })
}

fn vit() -> EncoderConfig {
    EncoderConfig::Vit(VitConfig {
        patch: 8,
        depth: 2,
        side: Some(32),
        ..VitConfig::default()
    })
}

/// What is recorded of the encoder, and what is tied together there and not declared.
fn recorded(config: &EncoderConfig) -> (Recording, Vec<Found>) {
    let recording = record(config, 32).unwrap();
    let found = found(&recording).unwrap();
    let left = check(&recording.declared, &found).unwrap();
    (recording, left)
}

fn convolutions(recording: &Recording) -> usize {
    let convolution = |op: &&OperationIr| matches!(op, OperationIr::Module(Layer::Conv2d(_)));
    recording.operations.iter().filter(convolution).count()
}

#[test]
fn residual_networks_tie_what_they_declare_and_nothing_else() {
    for (config, expected) in [
        (resnet9(), 8),
        (resnet(18, Stem::Cifar), 20),
        (resnet(50, Stem::Imagenet), 53),
    ] {
        let (recording, left) = recorded(&config);
        assert_eq!(left, [], "{config:?}");
        assert!(!recording.declared.is_empty());
        // Burn's own operations, not the kernels that stand in for them on the CPU.
        assert_eq!(convolutions(&recording), expected, "{config:?}");
    }
}

#[test]
fn a_transformer_leaves_its_stream_and_the_insides_of_heads() {
    let (recording, left) = recorded(&vit());
    assert_eq!(convolutions(&recording), 1);
    assert_eq!(recording.declared.len(), 4);
    // Of each block what queries, keys and values are three of, and the channels within heads; of all
    // blocks the stream.
    let of: Vec<(usize, bool)> = left
        .iter()
        .map(|found| {
            let stream = found
                .places
                .iter()
                .any(|place| place.path == "encoder.patch.weight");
            (found.units, stream)
        })
        .collect();
    let each = [(3, false), (3, false), (64, false), (64, false)];
    assert_eq!(of, [&each[..], &[(192, true)]].concat());
}

#[test]
fn a_group_that_lacks_a_reader_is_found_out() {
    for config in [resnet9(), resnet(50, Stem::Imagenet), vit()] {
        let recording = record(&config, 32).unwrap();
        let found = found(&recording).unwrap();
        let mut broken = 0;
        for index in 0..recording.declared.len() {
            let mut declared = recording.declared.clone();
            let group = &mut declared[index];
            let name = group.name.clone();
            let Some(point) = group
                .points
                .iter_mut()
                .rfind(|point| !point.read_by.is_empty())
            else {
                continue;
            };
            let reader = point.read_by.pop().unwrap();
            // Where others read it too, it is still there.
            if group.slices().contains(&&reader) {
                continue;
            }
            let error = check(&declared, &found).unwrap_err();
            assert!(
                error.contains(&name) && error.contains(&reader.path),
                "{error}"
            );
            assert!(error.contains("not declared: [axis"), "{error}");
            broken += 1;
        }
        assert!(broken > 1, "{config:?}");
    }
}

#[test]
fn a_group_that_is_two_or_too_long_is_found_out() {
    let recording = record(&resnet9(), 32).unwrap();
    let found = found(&recording).unwrap();
    let mut twice = recording.declared.clone();
    twice.push(twice[0].clone());
    assert!(check(&twice, &found).is_err());
    let mut longer = recording.declared.clone();
    longer[0].units += 1;
    assert!(check(&longer, &found).is_err());
    let mut joined = recording.declared.clone();
    let other = joined.pop().unwrap();
    joined[0].points.extend(other.points);
    let error = check(&joined, &found).unwrap_err();
    assert!(error.contains("not recorded: [axis"), "{error}");
}
