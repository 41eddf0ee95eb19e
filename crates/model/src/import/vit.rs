//! Vision transformers as timm, DINO and MAE name them.

use super::Plan;
use super::outside::comes_after;
use super::state_dict::StateDict;
use crate::{EncoderConfig, ModelError, VitConfig, VitSize};

/// The norm behind the blocks.
const NORM: &str = "norm";

/// The transformer below `prefix`.
pub(super) fn plan(state: &StateDict, prefix: &str) -> Result<Plan, ModelError> {
    let failed = |reason: String| ModelError::Layout {
        path: state.path.clone(),
        reason,
    };
    let shape = |key: &str| state.shape(&format!("{prefix}{key}")).unwrap_or_default();
    let [width, channels, patch, patch_width] = shape("patch_embed.proj.weight")[..] else {
        return Err(failed(format!(
            "`{prefix}patch_embed.proj.weight` is missing or no convolution; patches are embedded \
             by one convolution"
        )));
    };
    let size = [VitSize::Tiny, VitSize::Small, VitSize::Base]
        .into_iter()
        .find(|size| size.channels() == width);
    let Some(size) = size.filter(|_| patch == patch_width && patch > 0) else {
        return Err(failed(format!(
            "its tokens have {width} channels and its patches {patch}×{patch_width} pixels; there \
             are transformers of 192, 384 and 768 channels with square patches"
        )));
    };
    let places = shape("pos_embed");
    let patches = match places[..] {
        [1, tokens, _] => tokens.checked_sub(1).filter(|n| n.isqrt().pow(2) == *n),
        _ => None,
    };
    let Some(patches) = patches.filter(|patches| *patches > 0) else {
        return Err(failed(format!(
            "`{prefix}pos_embed` is {places:?}; positions for a class token and a square of \
             patches are [1, 1 + n², {width}]"
        )));
    };
    let has = |rest: &str| state.has(&format!("{prefix}{rest}"));
    let depth = (0..)
        .take_while(|block| has(&format!("blocks.{block}.")))
        .count();
    let side = patches.isqrt() * patch;
    let config = VitConfig {
        size,
        patch,
        depth,
        channels,
        side: Some(side),
    };
    let mut notes = Vec::new();
    let norm = if has("fc_norm.weight") && !has("norm.weight") {
        notes.push(
            "this transformer averages its patches in front of its last norm (`fc_norm`); here \
             that norm stands behind the blocks and the embedding is the class token: all sites \
             but `encoder.norm` are the model's own, `encoder.norm` and the embedding are not"
                .to_owned(),
        );
        "fc_norm"
    } else {
        NORM
    };
    Ok(Plan {
        config: EncoderConfig::Vit(config),
        side,
        embedding: "the class token behind the last norm",
        stem_rectified: false,
        key_of: Box::new(move |path| key_with(path, norm)),
        is_outside,
        notes,
    })
}

/// The key that timm has for a parameter of ours.
pub(super) fn key(path: &str) -> String {
    key_with(path, NORM)
}

/// The key of a parameter of ours, where the norm behind the blocks is called `last_norm`.
fn key_with(path: &str, last_norm: &str) -> String {
    match path {
        "class" => return "cls_token".to_owned(),
        "position" => return "pos_embed".to_owned(),
        _ => {}
    }
    let path = path.replace(".gamma", ".weight").replace(".beta", ".bias");
    let (place, parameter) = path.rsplit_once('.').unwrap_or((&path, ""));
    let place = match place.rsplit_once('.') {
        None if place == "patch" => "patch_embed.proj".to_owned(),
        None => last_norm.to_owned(),
        Some((block, layer)) => {
            let layer = match layer {
                "qkv" => "attn.qkv",
                "output" => "attn.proj",
                "fc1" => "mlp.fc1",
                "fc2" => "mlp.fc2",
                other => other,
            };
            format!("{block}.{layer}")
        }
    };
    format!("{place}.{parameter}")
}

/// Heads, and the decoder of a masked autoencoder with the token that stands for what is masked.
fn is_outside(part: &str) -> bool {
    comes_after(part) || part == "mask_token" || part.starts_with("decoder")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_paths_have_keys_of_timm() {
        for (path, expected) in [
            ("patch.weight", "patch_embed.proj.weight"),
            ("patch.bias", "patch_embed.proj.bias"),
            ("class", "cls_token"),
            ("position", "pos_embed"),
            ("blocks.11.norm1.gamma", "blocks.11.norm1.weight"),
            ("blocks.0.qkv.bias", "blocks.0.attn.qkv.bias"),
            ("blocks.0.output.weight", "blocks.0.attn.proj.weight"),
            ("blocks.3.norm2.beta", "blocks.3.norm2.bias"),
            ("blocks.3.fc1.weight", "blocks.3.mlp.fc1.weight"),
            ("blocks.3.fc2.bias", "blocks.3.mlp.fc2.bias"),
            ("norm.gamma", "norm.weight"),
        ] {
            assert_eq!(key(path), expected);
        }
        assert_eq!(key_with("norm.beta", "fc_norm"), "fc_norm.bias");
    }
}
