//! What PyTorch's wrappers and its pruning leave in a state dict.

use std::collections::BTreeMap;

use burn::tensor::{Bytes, DType};
use burn_store::burn_pack::Tensor as Stored;

use super::finite::values;

/// Names that `torch.compile`, activation checkpointing, FSDP and `torch.nn.DataParallel` put into keys.
const WRAPPERS: [&str; 4] = [
    "_orig_mod",
    "_checkpoint_wrapped_module",
    "_fsdp_wrapped_module",
    "module",
];
/// What `torch.nn.utils.prune` makes of a parameter: its values before, and what is kept of them.
const ORIGINAL: &str = "_orig";
const MASK: &str = "_mask";

/// A key, or the prefix of one, without the names of wrappers.
pub(super) fn unwrapped(key: &str) -> String {
    let parts = key.split('.').filter(|part| !WRAPPERS.contains(part));
    parts.collect::<Vec<_>>().join(".")
}

/// The tensors by the keys that they have without wrappers and pruning; each keeps the name that it
/// has in the file. Pruned weights become the products of their values and masks.
///
/// # Errors
/// Two tensors for one key, and masks that do not fit.
pub(super) fn plain(tensors: BTreeMap<String, Stored>) -> Result<BTreeMap<String, Stored>, String> {
    let mut plain: BTreeMap<String, Stored> = BTreeMap::new();
    for (key, mut tensor) in tensors {
        tensor.name.clone_from(&key);
        let name = unwrapped(&key);
        if let Some(other) = plain.insert(name.clone(), tensor) {
            return Err(format!(
                "it has two tensors for {name:?}: {} and {key}",
                other.name
            ));
        }
    }
    let pruned: Vec<String> = plain
        .keys()
        .filter_map(|key| key.strip_suffix(ORIGINAL))
        .filter(|key| plain.contains_key(&format!("{key}{MASK}")))
        .map(str::to_owned)
        .collect();
    for key in pruned {
        let original = plain.remove(&format!("{key}{ORIGINAL}"));
        let mask = plain.remove(&format!("{key}{MASK}"));
        if let (Some(original), Some(mask)) = (original, mask) {
            let product = masked(&original, &mask)?;
            if let Some(other) = plain.insert(key.clone(), product) {
                return Err(format!(
                    "it has {} beside {}; call `torch.nn.utils.prune.remove` before saving",
                    other.name, original.name
                ));
            }
        }
    }
    Ok(plain)
}

/// The values that the mask keeps, zero for the others.
fn masked(original: &Stored, mask: &Stored) -> Result<Stored, String> {
    let (name, with) = (&original.name, &mask.name);
    if original.shape != mask.shape || !original.dtype.is_float() || !mask.dtype.is_float() {
        return Err(format!(
            "the mask {with} does not fit {name}; call `torch.nn.utils.prune.remove` before saving"
        ));
    }
    let products = values(original)?
        .into_iter()
        .zip(values(mask)?)
        .flat_map(|(value, kept)| (value * kept).to_le_bytes());
    let bytes = Bytes::from_bytes_vec(products.collect());
    let shape = original.shape.clone();
    Ok(Stored::new(name.clone(), DType::F32, shape, None, bytes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn tensors(all: &[(&str, [f32; 2])]) -> BTreeMap<String, Stored> {
        let stored = |(name, values): &(&str, [f32; 2])| {
            let bytes = values.iter().flat_map(|value| value.to_le_bytes());
            let bytes = Bytes::from_bytes_vec(bytes.collect());
            let tensor = Stored::new((*name).to_owned(), DType::F32, vec![2], None, bytes);
            ((*name).to_owned(), tensor)
        };
        all.iter().map(stored).collect()
    }

    #[test]
    fn wrappers_are_dropped_wherever_they_stand() {
        for (key, expected) in [
            ("_orig_mod.layer1.0.conv1.weight", "layer1.0.conv1.weight"),
            ("layer1._orig_mod.0.conv1.weight", "layer1.0.conv1.weight"),
            ("module._orig_mod.conv1.weight", "conv1.weight"),
            ("layer2.module.0.conv1.weight", "layer2.0.conv1.weight"),
            ("state_dict.module.bn1.bias", "state_dict.bn1.bias"),
            (
                "blocks.0._fsdp_wrapped_module.attn.qkv.weight",
                "blocks.0.attn.qkv.weight",
            ),
            ("modules.conv1.weight", "modules.conv1.weight"),
        ] {
            assert_eq!(unwrapped(key), expected);
        }
        let twice = tensors(&[("a._orig_mod.b", [1.0; 2]), ("a.b", [1.0; 2])]);
        let told = plain(twice).unwrap_err();
        assert!(told.contains("a._orig_mod.b and a.b"), "{told}");
    }

    #[test]
    fn pruned_weights_are_products() {
        let pruned = tensors(&[
            ("conv1.weight_orig", [2.0, 3.0]),
            ("conv1.weight_mask", [0.0, 1.0]),
            ("bn1.weight", [4.0, 5.0]),
        ]);
        let found = plain(pruned).unwrap();
        let keys: Vec<&str> = found.keys().map(String::as_str).collect();
        assert_eq!(keys, ["bn1.weight", "conv1.weight"]);
        assert_eq!(values(&found["conv1.weight"]).unwrap(), [0.0, 3.0]);
        assert_eq!(found["conv1.weight"].name, "conv1.weight_orig");
        let both = tensors(&[("w_orig", [1.0; 2]), ("w_mask", [1.0; 2]), ("w", [1.0; 2])]);
        assert!(plain(both).unwrap_err().contains("prune.remove"));
    }
}
