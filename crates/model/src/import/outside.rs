//! What a state dict holds beside the encoder.

use std::collections::{BTreeMap, BTreeSet};

use super::state_dict::StateDict;

/// The keys that the encoder does not use.
pub(super) struct Rest {
    /// Tensors outside of the encoder, by the part of their name that sets them apart from it, with their
    /// number.
    pub(super) left_out: Vec<(String, usize)>,
    /// Keys that stand among the encoder's and have no place in it.
    pub(super) unknown: Vec<String>,
}

/// Parts of a network that come after the encoder, whatever the layout.
const AFTER: [&str; 16] = [
    "classifier",
    "fc",
    "head",
    "head_dist",
    "heads",
    "last_linear",
    "linear",
    "pre_logits",
    "pred",
    "prediction_head",
    "predictor",
    "proj",
    "projection",
    "projection_head",
    "projector",
    "prototypes",
];

/// Whether the first part of a key names something that comes after an encoder.
pub(super) fn comes_after(part: &str) -> bool {
    AFTER.contains(&part)
}

/// Sorts the keys that are not in `used`; `is_outside` judges the first part of a key below
/// `prefix`. Keys that do not begin with the prefix belong to something else.
pub(super) fn sort<'a>(
    state: &StateDict,
    prefix: &str,
    is_outside: fn(&str) -> bool,
    used: impl Iterator<Item = &'a str>,
) -> Rest {
    let used: BTreeSet<&str> = used.collect();
    let mut left_out: BTreeMap<String, usize> = BTreeMap::new();
    let mut unknown = Vec::new();
    for key in state.keys().filter(|key| !used.contains(key)) {
        // What lies beside the encoder is named below the table that both lie in.
        let mut tables = prefix.match_indices('.').map(|(at, _)| &prefix[..=at]);
        let known = tables.rfind(|table| key.starts_with(table));
        let known = known.unwrap_or("");
        let rest = &key[known.len()..];
        let part = rest.split('.').next().unwrap_or(rest);
        if known.len() < prefix.len() || is_outside(part) {
            *left_out.entry(format!("{known}{part}")).or_default() += 1;
        } else {
            unknown.push(key.to_owned());
        }
    }
    Rest {
        left_out: left_out.into_iter().collect(),
        unknown,
    }
}
