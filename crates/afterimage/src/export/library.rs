//! Which programs outside of this project can take an encoder, and how they load it.

use std::fmt;
use std::str::FromStr;

use afterimage_model::{AnyEncoder, EncoderConfig, ResNetConfig, Stem, VitConfig, VitSize};

use super::facts::Facts;

/// Who is to read the weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Library {
    /// torchvision: ResNet-18, -34 and -50.
    Torchvision,
    /// timm: ResNet-18, -34, -50 and vision transformers.
    Timm,
    /// Anybody, under this project's own names: every encoder, compacted ones too.
    Safetensors,
}

impl Library {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Torchvision, Self::Timm, Self::Safetensors];
}

impl fmt::Display for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Torchvision => "torchvision",
            Self::Timm => "timm",
            Self::Safetensors => "safetensors",
        })
    }
}

impl FromStr for Library {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.map(|library| library.to_string());
        Self::ALL
            .into_iter()
            .find(|library| library.to_string() == text)
            .ok_or_else(|| {
                format!(
                    "there is no layout {text:?}; there are: {}",
                    known.join(", ")
                )
            })
    }
}

/// Why a library has no network for an encoder, whose configuration is `config` and of which `removed`
/// units are gone; `None` if it has one.
pub(super) fn refusal(
    library: Library,
    config: &EncoderConfig,
    encoder: &AnyEncoder,
    removed: usize,
) -> Option<String> {
    if library == Library::Safetensors {
        return None;
    }
    if removed > 0 {
        return Some(format!(
            "{removed} units of this encoder were taken out, and networks of {library} have all of them"
        ));
    }
    match (config, encoder) {
        (EncoderConfig::ResNet9(_), _) => Some(format!("{library} has no ResNet-9")),
        (EncoderConfig::Vit(_), _) if library == Library::Torchvision => Some(
            "torchvision's vision transformers are built otherwise; timm has this one (`--layout timm`)"
                .to_owned(),
        ),
        (EncoderConfig::ResNet(config), _) if config.width != 1.0 => Some(format!(
            "this encoder has {} times the channels of its ResNet-{}, and networks of {library} have all \
             of them",
            config.width, config.depth
        )),
        (_, AnyEncoder::ResNet(network)) if !network.stem.rectified => Some(format!(
            "this encoder has no ReLU behind its first norm, and networks of {library} have one"
        )),
        _ => None,
    }
}

/// The name of the network in the library, or of this project's own loader.
pub(super) fn network(config: &EncoderConfig) -> String {
    match config {
        EncoderConfig::ResNet9(_) => "resnet9".to_owned(),
        EncoderConfig::ResNet(config) => format!("resnet{}", config.depth),
        EncoderConfig::Vit(config) => {
            let size = match config.size {
                VitSize::Tiny => "tiny",
                VitSize::Small => "small",
                VitSize::Base => "base",
            };
            format!("vit_{size}_patch16_224")
        }
    }
}

/// A Python module that loads the weights beside it.
pub(super) fn loader(library: Library, config: &EncoderConfig, facts: &Facts) -> String {
    const OWN: &str = include_str!("load_own.py");
    const PREPROCESS: &str = include_str!("preprocess.py");
    let [height, width] = facts.size;
    let body = match library {
        Library::Safetensors => OWN
            .replace("CHANNELS", &facts.channels().to_string())
            .replace("HEIGHT", &height.to_string())
            .replace("WIDTH", &width.to_string())
            .replace("WIDE", &facts.embedding_length.to_string()),
        _ => of_library(library, config, facts),
    };
    body + PREPROCESS
}

fn of_library(library: Library, config: &EncoderConfig, facts: &Facts) -> String {
    let name = network(config);
    let (import, make) = match (library, config) {
        (Library::Torchvision, _) => (
            format!("from torchvision.models import {name}"),
            format!("{name}(weights=None)"),
        ),
        (_, EncoderConfig::Vit(vit)) => ("import timm".to_owned(), make_vit(&name, vit, facts)),
        _ => (
            "import timm".to_owned(),
            format!("timm.create_model(\"{name}\", pretrained=False, num_classes=0)"),
        ),
    };
    // Other packages in alphabetical order, as formatters sort them.
    let mut imports = vec!["import torch".to_owned()];
    match import.starts_with("import") {
        true => imports.insert(0, import),
        false => imports.push(import),
    }
    let (plain, from): (Vec<String>, Vec<String>) = imports
        .into_iter()
        .partition(|line| line.starts_with("import"));
    let mut from = from;
    from.push("from safetensors.torch import load_file".to_owned());
    from.push("from torch import nn".to_owned());
    from.sort_unstable();
    let [height, width] = facts.size;
    let mut lines = vec![
        format!(
            "\"\"\"Loads the encoder that lies beside this file. Needs torch, {library} and safetensors.\"\"\""
        ),
        String::new(),
        "import json".to_owned(),
        "from pathlib import Path".to_owned(),
        String::new(),
    ];
    lines.extend(plain);
    lines.extend(from);
    lines.extend([
        String::new(),
        "HERE = Path(__file__).parent".to_owned(),
        String::new(),
        String::new(),
        "def load(folder=HERE):".to_owned(),
        format!(
            "    \"\"\"The encoder in evaluation mode: images [B, {}, {height}, {width}] to features [B, {}].\"\"\"",
            facts.channels(),
            facts.embedding_length
        ),
        format!("    model = {make}"),
    ]);
    if let EncoderConfig::ResNet(resnet) = config {
        lines.extend(stem(resnet, facts.channels()));
        if library == Library::Torchvision {
            lines.push("    model.fc = nn.Identity()".to_owned());
        }
    }
    lines.push(
        "    model.load_state_dict(load_file(Path(folder) / \"encoder.safetensors\"))".to_owned(),
    );
    lines.push("    return model.eval()\n".to_owned());
    lines.join("\n")
}

fn make_vit(name: &str, vit: &VitConfig, facts: &Facts) -> String {
    let side = vit.side.unwrap_or(facts.size[0]);
    format!(
        "timm.create_model(\n        \"{name}\", pretrained=False, num_classes=0,\n        \
         img_size={side}, patch_size={}, depth={}, in_chans={},\n    )",
        vit.patch,
        vit.depth,
        facts.channels()
    )
}

/// Lines that make a library's stem this encoder's.
fn stem(config: &ResNetConfig, channels: usize) -> Vec<String> {
    match config.stem {
        Stem::Cifar => vec![
            "    # The stem for small images: 3x3 with stride 1 in place of 7x7 with stride 2, and no pooling."
                .to_owned(),
            format!(
                "    model.conv1 = nn.Conv2d({channels}, 64, kernel_size=3, stride=1, padding=1, bias=False)"
            ),
            "    model.maxpool = nn.Identity()".to_owned(),
        ],
        Stem::Imagenet if channels != 3 => vec![
            "    # For gray images.".to_owned(),
            format!(
                "    model.conv1 = nn.Conv2d({channels}, 64, kernel_size=7, stride=2, padding=3, bias=False)"
            ),
        ],
        Stem::Imagenet => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use burn::tensor::Device;

    use super::*;

    fn facts() -> Facts {
        Facts {
            mean: vec![0.5],
            std: vec![0.25],
            size: [28, 28],
            channel_order: "gray",
            layout: "NCHW",
            divide_by: 255,
            interpolation: "bilinear",
            embedding: "the mean over the last map",
            embedding_length: 512,
            encoder: "ResNet-18".to_owned(),
        }
    }

    fn told(library: Library, config: &EncoderConfig, removed: usize) -> Option<String> {
        let encoder = config.init(0, &Device::flex()).unwrap();
        refusal(library, config, &encoder, removed)
    }

    #[test]
    fn a_library_takes_what_it_has_a_network_for() {
        let narrow = EncoderConfig::ResNet(ResNetConfig {
            width: 0.125,
            ..ResNetConfig::new(18)
        });
        let vit = EncoderConfig::Vit(VitConfig {
            depth: 1,
            ..VitConfig::default()
        });
        let nine = EncoderConfig::default();
        use Library::{Safetensors, Timm, Torchvision};
        for (library, config, removed, words) in [
            (Torchvision, &nine, 0, Some("has no ResNet-9")),
            (Timm, &nine, 0, Some("timm has no ResNet-9")),
            (Safetensors, &nine, 0, None),
            (Torchvision, &vit, 0, Some("--layout timm")),
            (Timm, &vit, 0, None),
            (
                Timm,
                &vit,
                3,
                Some("3 units of this encoder were taken out"),
            ),
            (Safetensors, &vit, 3, None),
            (Torchvision, &narrow, 0, Some("0.125 times the channels")),
            (Safetensors, &narrow, 0, None),
        ] {
            let found = told(library, config, removed);
            match words {
                None => assert_eq!(found, None),
                Some(words) => {
                    assert!(
                        found.as_deref().is_some_and(|told| told.contains(words)),
                        "{found:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn loaders_make_the_library_s_stem_the_encoder_s() {
        let config = EncoderConfig::ResNet(ResNetConfig::new(18));
        let text = loader(Library::Torchvision, &config, &facts());
        for line in [
            "from torchvision.models import resnet18\n",
            "    model = resnet18(weights=None)\n",
            "    model.conv1 = nn.Conv2d(1, 64, kernel_size=3, stride=1, padding=1, bias=False)\n",
            "    model.maxpool = nn.Identity()\n",
            "    model.fc = nn.Identity()\n",
            "def preprocess(",
        ] {
            assert!(text.contains(line), "no {line:?} in\n{text}");
        }
        let vit = EncoderConfig::Vit(VitConfig {
            patch: 4,
            depth: 6,
            ..VitConfig::default()
        });
        let text = loader(Library::Timm, &vit.for_images(1, 28), &facts());
        for words in [
            "import timm\nimport torch\nfrom safetensors",
            "\"vit_tiny_patch16_224\"",
            "img_size=28, patch_size=4, depth=6, in_chans=1,",
        ] {
            assert!(text.contains(words), "no {words:?} in\n{text}");
        }
        assert!(!text.contains("conv1"));
    }
}
