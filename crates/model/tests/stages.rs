//! A forward pass in stages has the bits of one in a piece, with masks at any site.

mod fixture;

use afterimage_hooks::{Reduce, TapPlan, TapSpec};
use afterimage_model::{
    AnyEncoder, Encoder, EncoderConfig, Flow, Masks, ResNet9Config, ResNetConfig, Taps, VitConfig,
    evaluation,
};
use burn::tensor::{Device, Tensor};
use fixture::{AnyResult, bits, chirped};

fn encoders(device: &Device) -> Result<Vec<AnyEncoder>, Box<dyn std::error::Error>> {
    let small = |depth| ResNetConfig {
        width: 0.0625,
        channels: 3,
        ..ResNetConfig::new(depth)
    };
    let configs = [
        EncoderConfig::ResNet9(ResNet9Config {
            channels: 3,
            width: 0.125,
            ..ResNet9Config::default()
        }),
        EncoderConfig::ResNet(small(18)),
        EncoderConfig::ResNet(small(50)),
        EncoderConfig::Vit(VitConfig {
            depth: 2,
            patch: 8,
            side: Some(32),
            ..VitConfig::default()
        }),
    ];
    let made = configs.into_iter().map(|config| config.init(5, device));
    Ok(made
        .map(|encoder| encoder.map(|encoder| evaluation(&encoder)))
        .collect::<Result<_, _>>()?)
}

/// What flows into stage `stage`, without masks.
fn before(encoder: &AnyEncoder, images: &Tensor<4>, stage: usize) -> Result<Flow, String> {
    let mut flow = Flow::Map(images.clone());
    for index in 0..stage {
        let next = encoder.stage(index, flow, &mut Taps::none());
        flow = next.map_err(|error| error.to_string())?;
    }
    Ok(flow)
}

#[test]
fn every_site_is_in_one_stage_and_is_passed_there() -> AnyResult {
    let device = Device::flex();
    let images = chirped([2, 3, 32, 32], 0.0, &device);
    for encoder in encoders(&device)? {
        let sites = encoder.sites();
        let names: Vec<&str> = sites.iter().map(|site| site.name.as_str()).collect();
        let stages = encoder.stages();
        assert!(stages.len() > 3);
        assert_eq!(stages.concat(), names);
        for (index, stage) in stages.iter().enumerate() {
            let of_stage: Vec<_> = sites
                .iter()
                .filter(|site| stage.contains(&site.name))
                .cloned()
                .collect();
            let mean = TapSpec::units("*").reduce(Reduce::MeanSpaceAbs);
            let mut taps = Taps::new(&TapPlan::new(&[mean], &of_stage));
            let flow = before(&encoder, &images, index)?;
            encoder.stage(index, flow, &mut taps)?;
            assert_eq!(taps.unvisited(), Vec::<&str>::new(), "stage {index}");
        }
    }
    Ok(())
}

#[test]
fn what_comes_before_a_masked_site_is_computed_once_with_the_same_bits() -> AnyResult {
    let device = Device::flex();
    let images = chirped([3, 3, 32, 32], 0.3, &device);
    for encoder in encoders(&device)? {
        let stages = encoder.stages();
        let free = bits(encoder.encode(images.clone(), &mut Taps::none()))?;
        let mut changed = 0;
        for site in encoder.sites() {
            let mut masks = Masks::none();
            masks.prune(&site, &[0, site.units / 2])?;
            let taps = || Taps::none().with_masks(&masks);
            let whole = bits(encoder.encode(images.clone(), &mut taps()))?;
            let first = stages.iter().position(|stage| stage.contains(&site.name));
            let first = first.ok_or("a site without a stage")?;
            let mut flow = before(&encoder, &images, first)?;
            for index in first..stages.len() {
                flow = encoder.stage(index, flow, &mut taps())?;
            }
            assert_eq!(bits(flow.embeddings()?)?, whole, "{}", site.name);
            changed += usize::from(whole != free);
        }
        assert!(changed > 5, "masks have an effect");
    }
    Ok(())
}

#[test]
fn a_stage_refuses_what_another_takes() -> AnyResult {
    let device = Device::flex();
    for encoder in encoders(&device)? {
        let last = encoder.stages().len();
        let images = || Flow::Map(Tensor::ones([1, 3, 32, 32], &device));
        assert!(encoder.stage(last, images(), &mut Taps::none()).is_err());
        let embedding = Flow::Embedding(Tensor::ones([1, 4], &device));
        assert!(encoder.stage(1, embedding, &mut Taps::none()).is_err());
        assert!(images().embeddings().is_err());
    }
    Ok(())
}
