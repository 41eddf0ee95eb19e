//! Which units of an encoder can be taken out together, and with which rows of which tensors.

use std::collections::BTreeMap;

use afterimage_hooks::{Structure, TensorSize, UnitGroup, WeightCost};

use crate::{Masks, ParameterInfo};

/// An axis of a tensor that runs over the units of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice {
    /// Path of the tensor.
    pub path: String,
    /// The axis.
    pub axis: usize,
    /// How often all units lie behind each other along it: 3 for queries, keys and values.
    pub repeats: usize,
}

impl Slice {
    /// The only run of the units along `axis` of the tensor at `path`.
    pub fn new(path: impl Into<String>, axis: usize) -> Self {
        Self {
            path: path.into(),
            axis,
            repeats: 1,
        }
    }

    /// The same with the units `repeats` times along the axis.
    pub fn repeated(self, repeats: usize) -> Self {
        Self { repeats, ..self }
    }
}

/// A value with the units of a group on its way through the encoder.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Point {
    /// Sites on its way; a unit that is masked at one of them is zero for all that follows. The
    /// first is the one to mask it at.
    pub sites: Vec<String>,
    /// Numbers of the points in the group whose sum this one is; empty if parameters make it.
    pub sum_of: Vec<usize>,
    /// Rows of the tensors that make it.
    pub written_by: Vec<Slice>,
    /// Columns of the weights that read it.
    pub read_by: Vec<Slice>,
}

/// Units that can be taken out only together, with everything that makes and reads them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Unique name, for example `encoder.layer2`.
    pub name: String,
    /// Number of units.
    pub units: usize,
    /// Channels of a unit: 1, or those of an attention head.
    pub channels: usize,
    /// Names of all sites with these units, in forward order.
    pub sites: Vec<String>,
    /// Values with these units, in forward order.
    pub points: Vec<Point>,
    /// Whether the last point is the embedding, or what it is made of.
    pub embeds: bool,
}

impl Group {
    /// Whether `unit` is exactly zero at each point, under `masks`.
    fn zeros(&self, masks: &Masks, unit: usize) -> Vec<bool> {
        let channels = unit * self.channels..(unit + 1) * self.channels;
        let masked = |site: &String| {
            let kept = masks.get(site).and_then(|kept| kept.get(channels.clone()));
            kept.is_some_and(|kept| !kept.contains(&true))
        };
        let mut zeros: Vec<bool> = Vec::with_capacity(self.points.len());
        for point in &self.points {
            let of_zeros = !point.sum_of.is_empty() && point.sum_of.iter().all(|&part| zeros[part]);
            zeros.push(of_zeros || point.sites.iter().any(masked));
        }
        zeros
    }

    /// Whether somebody reads point number `index`: a weight, or whoever takes the embedding.
    fn is_read(&self, index: usize) -> bool {
        let last = index + 1 == self.points.len();
        !self.points[index].read_by.is_empty() || (self.embeds && last)
    }

    /// Whether `unit` is zero for everybody who reads it.
    pub(crate) fn is_pruned(&self, masks: &Masks, unit: usize) -> bool {
        let zeros = self.zeros(masks, unit);
        (0..self.points.len()).all(|index| zeros[index] || !self.is_read(index))
    }

    /// Axes of tensors that run over the units, each once.
    pub fn slices(&self) -> Vec<&Slice> {
        let of = |point: &'_ Point| point.written_by.len() + point.read_by.len();
        let mut slices: Vec<&Slice> = Vec::with_capacity(self.points.iter().map(of).sum());
        for slice in self
            .points
            .iter()
            .flat_map(|point| point.written_by.iter().chain(&point.read_by))
        {
            if !slices.contains(&slice) {
                slices.push(slice);
            }
        }
        slices
    }

    /// Axes of tensors with the units along them that have no effect under `masks`: rows that make
    /// what is masked right away, and columns that read zeros.
    pub fn without_effect(&self, masks: &Masks) -> Vec<(&Slice, Vec<usize>)> {
        let zeros: Vec<Vec<bool>> = (0..self.units).map(|u| self.zeros(masks, u)).collect();
        let mut dead = Vec::new();
        for (index, point) in self.points.iter().enumerate() {
            let units: Vec<usize> = (0..self.units).filter(|&u| zeros[u][index]).collect();
            if units.is_empty() {
                continue;
            }
            let slices = point.written_by.iter().chain(&point.read_by);
            dead.extend(slices.map(|slice| (slice, units.clone())));
        }
        dead
    }

    /// The group as plugins see it. Points that parameters make are masked; sums of zeros follow.
    pub(crate) fn seen(&self) -> UnitGroup {
        let made = self.points.iter().filter(|point| point.sum_of.is_empty());
        UnitGroup {
            name: self.name.clone(),
            units: self.units,
            channels: self.channels,
            sites: self.sites.clone(),
            masked_at: made
                .filter_map(|point| point.sites.first().cloned())
                .collect(),
            embeds: self.embeds,
        }
    }
}

/// How the units of an encoder hang together, with the cost of its weights: `positions` is the number
/// of multiplications by each value of a weight, by its path. Of `parameters` those count as the encoder's
/// whose paths begin with `encoder.`.
pub fn structure(
    groups: &[Group],
    parameters: &[ParameterInfo],
    positions: &[(String, u64)],
) -> Structure {
    let mut axes: BTreeMap<(&str, usize), (&Group, usize)> = BTreeMap::new();
    for group in groups {
        for slice in group.slices() {
            axes.insert((&slice.path, slice.axis), (group, slice.repeats));
        }
    }
    let shapes: BTreeMap<&str, &[usize]> = parameters
        .iter()
        .map(|parameter| (parameter.path.as_str(), parameter.shape.as_slice()))
        .collect();
    let size = |path: &str, shape: &[usize]| {
        let (mut fixed, mut groups) = (1, Vec::new());
        for (axis, &length) in shape.iter().enumerate() {
            match axes.get(&(path, axis)) {
                Some((group, repeats)) => {
                    let factor = (repeats * group.channels) as u64;
                    groups.push((group.name.clone(), factor));
                }
                None => fixed *= length as u64,
            }
        }
        TensorSize { fixed, groups }
    };
    let (statistics, trained): (Vec<&ParameterInfo>, Vec<&ParameterInfo>) = parameters
        .iter()
        .filter(|parameter| parameter.path.starts_with("encoder."))
        .partition(|parameter| parameter.statistic);
    let sizes = |of: Vec<&ParameterInfo>| -> Vec<TensorSize> {
        of.into_iter()
            .map(|parameter| size(&parameter.path, &parameter.shape))
            .collect()
    };
    let weights = positions.iter().map(|(path, positions)| {
        let shape = shapes.get(path.as_str()).copied().unwrap_or_default();
        let TensorSize {
            fixed,
            groups: factors,
        } = size(path, shape);
        let mut cost = WeightCost {
            path: path.clone(),
            positions: *positions,
            fixed,
            groups: factors,
        };
        if shape.is_empty() {
            // Not a weight: attention multiplies what its head's channels hold.
            let owner = groups.iter().find(|group| group.name == *path);
            let factor = |group: &Group| (group.name.clone(), group.channels as u64);
            cost.groups.extend(owner.map(factor));
        }
        cost
    });
    Structure {
        groups: groups.iter().map(Group::seen).collect(),
        weights: weights.collect(),
        parameters: sizes(trained),
        statistics: sizes(statistics),
    }
}
