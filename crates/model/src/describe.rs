//! Encoders in a few words, for messages.

use crate::{EncoderConfig, ResNet9Config, ResNetConfig, Stem, VitConfig, VitSize};

impl EncoderConfig {
    /// The architecture in a few words, for example `ResNet-18 with the stem for large images`.
    pub fn describe(&self) -> String {
        match self {
            Self::ResNet9(ResNet9Config { width, .. }) => format!("ResNet-9{}", of_width(*width)),
            Self::ResNet(config) => resnet(config),
            Self::Vit(config) => vit(config),
        }
    }
}

fn of_width(width: f64) -> String {
    if width == 1.0 {
        String::new()
    } else {
        format!(" of width {width}")
    }
}

fn resnet(config: &ResNetConfig) -> String {
    let stem = match config.stem {
        Stem::Cifar => "small",
        Stem::Imagenet => "large",
    };
    let width = of_width(config.width);
    format!(
        "ResNet-{}{width} with the stem for {stem} images",
        config.depth
    )
}

fn vit(config: &VitConfig) -> String {
    let size = match config.size {
        VitSize::Tiny => "tiny",
        VitSize::Small => "small",
        VitSize::Base => "base",
    };
    let VitConfig { depth, patch, .. } = config;
    let blocks = if *depth == 1 { "block" } else { "blocks" };
    let places = match config.side {
        Some(side) => format!(" and positions for {side}×{side}"),
        None => String::new(),
    };
    format!("vision transformer ({size}), {depth} {blocks}, patches of {patch} pixels{places}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoder_is_described_by_what_sets_it_apart() {
        let texts = [
            EncoderConfig::default(),
            EncoderConfig::ResNet(ResNetConfig {
                stem: Stem::Imagenet,
                width: 0.5,
                ..ResNetConfig::new(34)
            }),
            EncoderConfig::Vit(VitConfig {
                side: Some(224),
                ..VitConfig::default()
            }),
        ]
        .map(|config| config.describe());
        assert_eq!(
            texts,
            [
                "ResNet-9",
                "ResNet-34 of width 0.5 with the stem for large images",
                "vision transformer (tiny), 12 blocks, patches of 16 pixels and positions for 224×224"
            ]
        );
    }
}
