//! ResNets of torchvision, timm and lightly.

use super::outside::comes_after;
use super::state_dict::StateDict;
use super::{Layout, Plan};
use crate::{EncoderConfig, ModelError, ResNetConfig, Stem};

/// Channels of the first convolution at width 1.
const STEM_WIDTH: f64 = 64.0;
/// Name of the convolution and norm beside a block.
const DOWNSAMPLE: &str = "downsample";

/// Names of the stem and of the stages.
#[derive(Clone)]
struct Names {
    conv: &'static str,
    norm: &'static str,
    stages: [String; 4],
}

impl Names {
    fn of(state: &StateDict, layout: Layout, prefix: &str) -> Self {
        if layout == Layout::ResNet {
            return Self::named();
        }
        let first = first_stage(state, prefix);
        Self {
            conv: "0",
            norm: "1",
            stages: [0, 1, 2, 3].map(|stage| (first + stage).to_string()),
        }
    }

    /// Those of torchvision and timm.
    fn named() -> Self {
        Self {
            conv: "conv1",
            norm: "bn1",
            stages: [1, 2, 3, 4].map(|stage| format!("layer{stage}")),
        }
    }

    /// The key of a parameter of ours.
    fn key(&self, path: &str, shortcut: &str) -> String {
        let (block, parameter) = match path.split_once(".conv.") {
            Some((block, parameter)) => (block, parameter.to_owned()),
            None => {
                let (block, parameter) = path.split_once(".norm.").unwrap_or((path, ""));
                let parameter = parameter.replace("gamma", "weight").replace("beta", "bias");
                (block, parameter)
            }
        };
        let is_norm = !path.contains(".conv.");
        let place = match block.split('.').collect::<Vec<_>>()[..] {
            [stage, number, "shortcut"] => {
                format!(
                    "{}.{number}.{shortcut}.{}",
                    self.stage(stage),
                    u8::from(is_norm)
                )
            }
            [stage, number, "branch", layer] => {
                let layer = layer.parse::<usize>().unwrap_or_default() + 1;
                let kind = if is_norm { "bn" } else { "conv" };
                format!("{}.{number}.{kind}{layer}", self.stage(stage))
            }
            _ if is_norm => self.norm.to_owned(),
            _ => self.conv.to_owned(),
        };
        format!("{place}.{parameter}")
    }

    fn stage<'a>(&'a self, ours: &'a str) -> &'a str {
        let number = ours.trim_start_matches("layer").parse::<usize>();
        let stage = number.ok().and_then(|n| self.stages.get(n.checked_sub(1)?));
        stage.map_or(ours, String::as_str)
    }
}

/// The key that torchvision and timm have for a parameter of ours.
pub(super) fn key(path: &str) -> String {
    Names::named().key(path, DOWNSAMPLE)
}

/// The number of the first stage in a sequence: behind the norm, 1, may stand a ReLU and a pooling,
/// which have no weights.
fn first_stage(state: &StateDict, prefix: &str) -> usize {
    (2..5)
        .find(|number| state.has(&format!("{prefix}{number}.0.conv1.weight")))
        .unwrap_or(4)
}

/// The ResNet below `prefix`.
pub(super) fn plan(state: &StateDict, layout: Layout, prefix: &str) -> Result<Plan, ModelError> {
    let names = Names::of(state, layout, prefix);
    let failed = |reason: String| ModelError::Layout {
        path: state.path.clone(),
        reason,
    };
    let conv = format!("{prefix}{}.weight", names.conv);
    let shape = state.shape(&conv);
    let Some([width, channels, kernel, _]) = shape.as_deref() else {
        return Err(failed(format!(
            "the first convolution, `{conv}`, is missing or no convolution; a stem of several \
             convolutions cannot be imported"
        )));
    };
    let mut notes = Vec::new();
    // In a sequence the numbers tell what stands between the first norm and the first stage.
    let between = match layout {
        Layout::ResNetSequence => first_stage(state, prefix) - 2,
        _ => 2,
    };
    if between == 0 {
        notes.push(
            "the sequence has no ReLU between its first norm and its first stage (numbers 1 and \
             2), as lightly's backbones of its own ResNets; the encoder has none there either"
                .to_owned(),
        );
    }
    let stem = match kernel {
        7 if between < 2 => {
            return Err(failed(
                "a first convolution of 7 pixels without a pooling behind it cannot be imported"
                    .to_owned(),
            ));
        }
        3 => {
            notes.push(
                "the stem was read as one for small images: 3×3, stride 1, no pooling; strides \
                 and pooling are not in the file"
                    .to_owned(),
            );
            Stem::Cifar
        }
        7 => Stem::Imagenet,
        _ => {
            return Err(failed(format!(
                "`{conv}` is {kernel} pixels wide; a stem has 3 or 7"
            )));
        }
    };
    let has = |stage: &str, rest: &str| state.has(&format!("{prefix}{stage}.{rest}"));
    let blocks = names.stages.clone().map(|stage| {
        let count = (0..).take_while(|block| has(&stage, &format!("{block}.conv1.weight")));
        count.count()
    });
    let bottleneck = has(&names.stages[0], "0.conv3.weight");
    let depth = match (blocks, bottleneck) {
        ([2, 2, 2, 2], false) => 18,
        ([3, 4, 6, 3], false) => 34,
        ([3, 4, 6, 3], true) => 50,
        (blocks, bottleneck) => {
            let kind = if bottleneck { "three" } else { "two" };
            return Err(failed(format!(
                "its stages have {blocks:?} blocks of {kind} convolutions; ResNet-18 has \
                 [2, 2, 2, 2] of two, ResNet-34 [3, 4, 6, 3] of two, ResNet-50 [3, 4, 6, 3] of three"
            )));
        }
    };
    let config = ResNetConfig {
        stem,
        channels: *channels,
        width: *width as f64 / STEM_WIDTH,
        ..ResNetConfig::new(depth)
    };
    let shortcut = if has(&names.stages[1], "0.shortcut.0.weight") {
        "shortcut"
    } else {
        DOWNSAMPLE
    };
    let is_outside = match layout {
        Layout::ResNetSequence => outside_of_sequence,
        _ => comes_after,
    };
    Ok(Plan {
        config: EncoderConfig::ResNet(config),
        side: match stem {
            Stem::Cifar => 32,
            Stem::Imagenet => 224,
        },
        embedding: "the mean over the last map",
        stem_rectified: between > 0,
        key_of: Box::new(move |path| names.key(path, shortcut)),
        is_outside,
        notes,
    })
}

/// Everything with a name, and what comes after the stages (which end at 7 at most).
fn outside_of_sequence(part: &str) -> bool {
    !matches!(part.parse::<usize>(), Ok(0..=7))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_paths_have_keys_of_torchvision_and_of_a_sequence() {
        let named = Names::named();
        let numbered = Names {
            conv: "0",
            norm: "1",
            stages: [4, 5, 6, 7].map(|stage| stage.to_string()),
        };
        for (path, key, place) in [
            ("stem.conv.weight", "conv1.weight", "0.weight"),
            ("stem.norm.gamma", "bn1.weight", "1.weight"),
            ("stem.norm.running_var", "bn1.running_var", "1.running_var"),
            (
                "layer2.0.branch.1.conv.weight",
                "layer2.0.conv2.weight",
                "5.0.conv2.weight",
            ),
            (
                "layer4.1.branch.0.norm.beta",
                "layer4.1.bn1.bias",
                "7.1.bn1.bias",
            ),
            (
                "layer3.0.shortcut.conv.weight",
                "layer3.0.downsample.0.weight",
                "6.0.downsample.0.weight",
            ),
            (
                "layer3.0.shortcut.norm.running_mean",
                "layer3.0.downsample.1.running_mean",
                "6.0.downsample.1.running_mean",
            ),
        ] {
            assert_eq!(named.key(path, "downsample"), key);
            assert_eq!(numbered.key(path, "downsample"), place);
        }
    }
}
