//! The layers of an encoder: what is trained or frozen as one.

use afterimage_hooks::{Site, SiteKind};

/// A weight layer with everything that goes with it: a convolution with its norm; an attention or a
/// fully connected part of a transformer with the norm in front of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Name of the site behind its weights, for example `encoder.layer1.conv`; what LayerMem and
    /// ΔLayerMem of the layer are measured at.
    pub site: String,
    /// Paths of its parameters and running statistics.
    pub parameters: Vec<String>,
}

/// The layers of an encoder with `sites` and `parameters`, both in forward order; every parameter is
/// in one of them.
///
/// A parameter that makes the units of a weight layer or of the norm behind it belongs to that
/// layer. Any other one (the norm in front of an attention, its queries, keys and values) belongs to
/// the first layer after it, and behind the last layer to that.
pub fn layers(sites: &[Site], parameters: &[String]) -> Vec<Layer> {
    let mut layers: Vec<Layer> = Vec::new();
    let mut makes: Vec<Vec<&String>> = Vec::new();
    for site in sites {
        match site.kind {
            SiteKind::Conv | SiteKind::Attention | SiteKind::FullyConnected => {
                layers.push(Layer {
                    site: site.name.clone(),
                    parameters: Vec::new(),
                });
                makes.push(site.produced_by.iter().collect());
            }
            // A norm is made by the weights in front of it and by its own parameters.
            SiteKind::Norm => {
                if let Some(last) = makes.last_mut()
                    && last.iter().all(|path| site.produced_by.contains(path))
                {
                    *last = site.produced_by.iter().collect();
                }
            }
            _ => {}
        }
    }
    let owner = |path: &String| makes.iter().position(|made| made.contains(&path));
    // From the back, so that a parameter without a layer finds the one after it.
    let mut next = layers.len().saturating_sub(1);
    for path in parameters.iter().rev() {
        next = owner(path).or_else(|| owner(&beside(path))).unwrap_or(next);
        if let Some(layer) = layers.get_mut(next) {
            layer.parameters.push(path.clone());
        }
    }
    layers
        .iter_mut()
        .for_each(|layer| layer.parameters.reverse());
    layers
}

/// The parameter of a norm beside which a running statistic lies.
fn beside(path: &str) -> String {
    match path.rsplit_once('.') {
        Some((norm, "running_mean" | "running_var")) => format!("{norm}.gamma"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use burn::tensor::Device;

    use super::*;
    use crate::{Encoder, EncoderConfig, ResNet9Config, ResNetConfig, VitConfig, parameters};

    fn layers_of(config: EncoderConfig) -> (Vec<Layer>, Vec<String>) {
        let encoder = config.init(1, &Device::flex()).unwrap();
        let paths: Vec<String> = parameters(&encoder)
            .iter()
            .map(|parameter| format!("encoder.{}", parameter.path))
            .collect();
        (layers(&encoder.sites(), &paths), paths)
    }

    #[test]
    fn every_parameter_is_in_one_layer() {
        for config in [
            EncoderConfig::ResNet9(ResNet9Config::default()),
            EncoderConfig::ResNet(ResNetConfig {
                width: 0.1,
                ..ResNetConfig::new(50)
            }),
            EncoderConfig::Vit(VitConfig {
                depth: 2,
                ..VitConfig::default()
            }),
        ] {
            let (layers, mut paths) = layers_of(config);
            let mut all: Vec<String> = layers.into_iter().flat_map(|l| l.parameters).collect();
            all.sort_unstable();
            paths.sort_unstable();
            assert_eq!(all, paths);
        }
    }

    #[test]
    fn a_convolution_keeps_its_norm() {
        let (layers, _) = layers_of(EncoderConfig::ResNet9(ResNet9Config::default()));
        assert_eq!(layers.len(), 8);
        assert_eq!(layers[2].site, "encoder.res1a.conv");
        let names: Vec<&str> = layers[2]
            .parameters
            .iter()
            .map(|path| path.strip_prefix("encoder.res1a.").unwrap())
            .collect();
        assert_eq!(
            names,
            [
                "conv.weight",
                "conv.bias",
                "norm.gamma",
                "norm.beta",
                "norm.running_mean",
                "norm.running_var"
            ]
        );
    }

    #[test]
    fn an_attention_has_its_queries_and_the_norm_in_front() {
        let config = VitConfig {
            depth: 1,
            ..VitConfig::default()
        };
        let (layers, _) = layers_of(EncoderConfig::Vit(config));
        let sites: Vec<&str> = layers.iter().map(|layer| layer.site.as_str()).collect();
        let block = "encoder.blocks.0";
        let expected = ["attention", "fc1", "fc2"].map(|name| format!("{block}.{name}"));
        assert_eq!(sites[0], "encoder.patch");
        assert_eq!(sites[1..], expected);
        for name in ["norm1.gamma", "qkv.weight", "output.weight"] {
            assert!(layers[1].parameters.contains(&format!("{block}.{name}")));
        }
        assert!(
            layers[3]
                .parameters
                .contains(&"encoder.norm.gamma".to_owned())
        );
    }
}
