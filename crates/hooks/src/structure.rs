//! What of a model goes together: units that several places share, and what their weights cost.

use std::collections::BTreeMap;

/// Units that can be taken out of a model only together, since residual sums, or the queries, keys
/// and values of a head, tie them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitGroup {
    /// Unique name, for example `encoder.layer2`.
    pub name: String,
    /// Number of units.
    pub units: usize,
    /// Units of a site that make one unit of the group: 1, or the channels of an attention head.
    pub channels: usize,
    /// Names of the sites whose units are those of the group, in forward order.
    pub sites: Vec<String>,
    /// Sites that take a unit away for all that follows, if it is masked at each of them.
    pub masked_at: Vec<String>,
    /// Whether the embedding is made of these units, so that a model keeps their number.
    pub embeds: bool,
}

impl UnitGroup {
    /// The units of a site of the group that make its unit `unit`, which is below [`units`](Self::units).
    pub fn channels_of(&self, unit: usize) -> std::ops::Range<usize> {
        unit * self.channels..(unit + 1) * self.channels
    }
}

/// What one weight costs in a forward pass of one image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeightCost {
    /// Path of the weight, or of what multiplies.
    pub path: String,
    /// Multiplications by each of its values.
    pub positions: u64,
    /// Values that depend on no group.
    pub fixed: u64,
    /// Groups whose number of units its number of values is a multiple of, each with that factor.
    pub groups: Vec<(String, u64)>,
}

/// How many values a tensor of the encoder holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorSize {
    /// Values that depend on no group.
    pub fixed: u64,
    /// Groups whose number of units its number of values is a multiple of, each with that factor.
    pub groups: Vec<(String, u64)>,
}

/// How the units of a model hang together and what its weights cost.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Structure {
    /// Groups in forward order; each unit that can be taken out is in one of them.
    pub groups: Vec<UnitGroup>,
    /// Weights in forward order; empty where the size of images is not known.
    pub weights: Vec<WeightCost>,
    /// Tensors of the encoder that are trained, in forward order; empty where they are not known.
    pub parameters: Vec<TensorSize>,
    /// Running statistics of the encoder's norms, in forward order, which nothing trains.
    pub statistics: Vec<TensorSize>,
}

impl Structure {
    /// The group called `name`.
    pub fn group(&self, name: &str) -> Option<&UnitGroup> {
        self.groups.iter().find(|group| group.name == name)
    }

    /// Multiply-accumulate operations of a forward pass of one image, in convolutions, fully
    /// connected layers and attention, with `kept` units of the groups that it names.
    pub fn macs(&self, kept: &BTreeMap<String, usize>) -> u64 {
        let of = |weight: &WeightCost| {
            weight.positions * self.values(weight.fixed, &weight.groups, kept)
        };
        self.weights.iter().map(of).sum()
    }

    /// Values of the encoder that are trained, with `kept` units of the groups that it names.
    pub fn parameter_count(&self, kept: &BTreeMap<String, usize>) -> u64 {
        let of = |tensor: &TensorSize| self.values(tensor.fixed, &tensor.groups, kept);
        self.parameters.iter().map(of).sum()
    }

    /// Bytes of the encoder's values, running statistics among them, as 32-bit floats, with `kept` units of the groups
    /// that it names.
    pub fn bytes(&self, kept: &BTreeMap<String, usize>) -> u64 {
        let of = |tensor: &TensorSize| self.values(tensor.fixed, &tensor.groups, kept);
        let statistics: u64 = self.statistics.iter().map(of).sum();
        size_of::<f32>() as u64 * (self.parameter_count(kept) + statistics)
    }

    /// The values of a tensor.
    fn values(&self, fixed: u64, groups: &[(String, u64)], kept: &BTreeMap<String, usize>) -> u64 {
        let units = |name: &String| -> u64 {
            let all = || self.group(name).map_or(0, |group| group.units);
            kept.get(name).copied().unwrap_or_else(all) as u64
        };
        let factors = groups.iter().map(|(name, factor)| factor * units(name));
        fixed * factors.product::<u64>()
    }
}

/// What the parameters that make a site's units are like, by unit; reduced on the host in f64.
#[derive(Debug, Clone, PartialEq)]
pub struct UnitParameters {
    /// Euclidean norm of the weights that make each unit.
    pub weight_norm: Vec<f64>,
    /// Absolute scale γ of the norm behind each unit, where there is one.
    pub scale: Option<Vec<f64>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn macs_follow_the_widths_of_both_ends_of_a_weight() {
        let group = |name: &str, units| UnitGroup {
            name: name.to_owned(),
            units,
            channels: 1,
            sites: Vec::new(),
            masked_at: Vec::new(),
            embeds: false,
        };
        let structure = Structure {
            groups: vec![group("a", 4), group("b", 6)],
            weights: vec![
                WeightCost {
                    path: "first".to_owned(),
                    positions: 100,
                    fixed: 27,
                    groups: vec![("a".to_owned(), 1)],
                },
                WeightCost {
                    path: "second".to_owned(),
                    positions: 25,
                    fixed: 9,
                    groups: vec![("a".to_owned(), 1), ("b".to_owned(), 2)],
                },
            ],
            parameters: vec![TensorSize {
                fixed: 9,
                groups: vec![("a".to_owned(), 1), ("b".to_owned(), 2)],
            }],
            statistics: vec![TensorSize {
                fixed: 1,
                groups: vec![("a".to_owned(), 1)],
            }],
        };
        let all = 100 * 27 * 4 + 25 * 9 * 4 * 12;
        assert_eq!(structure.macs(&BTreeMap::new()), all);
        let kept = BTreeMap::from([("a".to_owned(), 2)]);
        assert_eq!(structure.macs(&kept), all / 2);
        assert_eq!(structure.parameter_count(&BTreeMap::new()), 9 * 4 * 12);
        assert_eq!(structure.parameter_count(&kept), 9 * 2 * 12);
        assert_eq!(structure.bytes(&BTreeMap::new()), 4 * (9 * 4 * 12 + 4));
        assert_eq!(structure.bytes(&kept), 4 * (9 * 2 * 12 + 2));
    }
}
