//! What a plugin asks to see of a forward pass, and how it arrives.

use std::collections::BTreeMap;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::site::{Site, SiteKind};

/// How a site's output `[B, C, H, W]` or `[B, T, C]` becomes a row a view, on the device; `[B, C]`
/// unless it says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reduce {
    /// Mean over all positions: H·W of a feature map, or tokens.
    MeanSpace,
    /// Mean over all positions of max(a, 0).
    MeanSpaceRelu,
    /// Mean over all positions of |a|.
    MeanSpaceAbs,
    /// Nothing is reduced: `[B, C·H·W]` or `[B, T·C]`, for distances between whole outputs. Large;
    /// read it from a [`ModelView`](crate::ModelView) in small batches.
    Flatten,
}

/// Which sites a plugin reads or gates, by name pattern and kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TapSpec {
    /// Glob over site names; `*` stands for any characters.
    pub pattern: String,
    /// Kinds that match; empty means every kind.
    pub kinds: Vec<SiteKind>,
    /// What the tap does.
    pub mode: TapMode,
}

/// What a tap does at its sites. Neither mode changes a bit of the forward or of the gradients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TapMode {
    /// Read the reduced activations at [`ForwardDone`](crate::ForwardDone).
    Read(Reduce),
    /// Multiply by a leaf of ones `[B, C]`, whose gradient `Σ_space a · dL/da` is the saliency read
    /// at [`GradReady`](crate::GradReady).
    Gate,
}

impl TapSpec {
    /// Reads every unit of the sites that match `pattern`, as the mean over positions.
    pub fn units(pattern: impl Into<String>) -> Self {
        Self {
            pattern: pattern.into(),
            kinds: Vec::new(),
            mode: TapMode::Read(Reduce::MeanSpace),
        }
    }

    /// Gates every unit of the sites that match `pattern`.
    pub fn gate(pattern: impl Into<String>) -> Self {
        Self {
            pattern: pattern.into(),
            kinds: Vec::new(),
            mode: TapMode::Gate,
        }
    }

    /// The same tap with another reduction; a gate becomes a read.
    pub fn reduce(self, reduce: Reduce) -> Self {
        Self {
            mode: TapMode::Read(reduce),
            ..self
        }
    }

    /// The same tap at sites of `kind` only (repeat for several kinds).
    pub fn kind(mut self, kind: SiteKind) -> Self {
        self.kinds.push(kind);
        self
    }

    /// Whether `site` is tapped.
    pub fn matches(&self, site: &Site) -> bool {
        (self.kinds.is_empty() || self.kinds.contains(&site.kind))
            && glob(&self.pattern, &site.name)
    }
}

/// The taps of one forward pass: modes by site name, in site order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TapPlan {
    /// Modes by site name; a site may be read in several reductions and gated at once.
    pub sites: BTreeMap<String, Vec<TapMode>>,
}

impl TapPlan {
    /// The plan that serves all of `specs` on a model with `sites`.
    pub fn new<'a>(specs: impl IntoIterator<Item = &'a TapSpec>, sites: &[Site]) -> Self {
        let mut plan = Self::default();
        for spec in specs {
            for site in sites.iter().filter(|site| spec.matches(site)) {
                let modes = plan.sites.entry(site.name.clone()).or_default();
                if !modes.contains(&spec.mode) {
                    modes.push(spec.mode);
                }
            }
        }
        plan
    }

    /// Whether nothing is tapped.
    pub fn is_empty(&self) -> bool {
        self.sites.is_empty()
    }
}

/// Tap readings of one forward pass: `[rows, units]` by site and reduction (`[rows, outputs]` for
/// [`Reduce::Flatten`]).
///
/// Rows are views: view-major, all samples of view 0, then all samples of view 1, and so on.
#[derive(Debug, Clone, Default)]
pub struct Readings {
    values: BTreeMap<(String, TapMode), Tensor<2>>,
}

impl Readings {
    /// Adds the reading of `site`.
    pub fn insert(&mut self, site: impl Into<String>, mode: TapMode, value: Tensor<2>) {
        self.values.insert((site.into(), mode), value);
    }

    /// The reading of `site`, if it was tapped in this mode.
    pub fn get(&self, site: &str, mode: TapMode) -> Option<&Tensor<2>> {
        self.values.get(&(site.to_owned(), mode))
    }

    /// All readings of one mode, by site name in order.
    pub fn of_mode(&self, mode: TapMode) -> impl Iterator<Item = (&str, &Tensor<2>)> {
        self.values
            .iter()
            .filter(move |((_, c), _)| *c == mode)
            .map(|((s, _), v)| (s.as_str(), v))
    }

    /// The readings of a whole batch from those of its parts, where `join` makes the rows of a site of
    /// those of the parts, in their order.
    pub fn joined(parts: Vec<Self>, join: impl Fn(Vec<Tensor<2>>) -> Tensor<2>) -> Self {
        let mut rows: BTreeMap<_, Vec<Tensor<2>>> = BTreeMap::new();
        for (site, part) in parts.into_iter().flat_map(|part| part.values) {
            rows.entry(site).or_default().push(part);
        }
        let values = rows.into_iter().map(|(site, parts)| (site, join(parts)));
        Self {
            values: values.collect(),
        }
    }

    /// Whether nothing was read.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

/// Readings on the host: row-major `[rows, units]` by site and mode.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HostReadings {
    values: BTreeMap<(String, TapMode), Vec<f32>>,
}

impl HostReadings {
    /// Adds the values of `site`.
    pub fn insert(&mut self, site: impl Into<String>, mode: TapMode, values: Vec<f32>) {
        self.values.insert((site.into(), mode), values);
    }

    /// The values of `site`, if they were asked for.
    pub fn get(&self, site: &str, mode: TapMode) -> Option<&[f32]> {
        self.values.get(&(site.to_owned(), mode)).map(Vec::as_slice)
    }
}

/// Whether `name` matches `pattern`, where `*` stands for any run of characters.
pub fn glob(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((head, rest)) => name.strip_prefix(head).is_some_and(|tail| {
            tail.char_indices()
                .map(|(at, _)| at)
                .chain([tail.len()])
                .any(|at| glob(rest, &tail[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_whole_names() {
        for (pattern, name, expected) in [
            ("encoder.*", "encoder.layer1.act", true),
            ("*.act", "encoder.layer1.act", true),
            ("encoder.*.act", "encoder.layer1.conv", false),
            ("encoder", "encoder.layer1", false),
            ("*", "", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
        ] {
            assert_eq!(glob(pattern, name), expected, "{pattern} {name}");
        }
    }
}
