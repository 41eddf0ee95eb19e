//! Values of one module in the places of another's.

use std::collections::{BTreeMap, BTreeSet};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};

/// `module` with the values that `donor` has at `paths`, running statistics included; ids, devices
/// and everything else stay. A path that either does not have is passed over.
///
/// # Panics
/// Not for modules of one architecture: a value of another shape is passed over as well.
pub fn transplant<M: Module>(module: M, donor: &M, paths: &BTreeSet<String>) -> M {
    let mut values = Values {
        path: Vec::new(),
        wanted: paths,
        found: BTreeMap::new(),
    };
    donor.visit(&mut values);
    module.map(&mut Put {
        path: Vec::new(),
        values: values.found,
    })
}

struct Values<'p> {
    path: Vec<String>,
    wanted: &'p BTreeSet<String>,
    found: BTreeMap<String, TensorData>,
}

impl ModuleVisitor for Values<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let path = self.path.join(".");
        if self.wanted.contains(&path) {
            self.found.insert(path, param.val().into_data());
        }
    }
}

struct Put {
    path: Vec<String>,
    values: BTreeMap<String, TensorData>,
}

impl ModuleMapper for Put {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(data) = self.values.remove(&self.path.join(".")) else {
            return param;
        };
        param.map(|value| {
            if value.dims()[..] == data.shape()[..] {
                Tensor::from_data(data, &value.device())
            } else {
                value
            }
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use burn::tensor::Device;

    use super::*;
    use crate::{AnyEncoder, EncoderConfig, ResNet9Config, Taps, parameters};

    fn values(encoder: &AnyEncoder) -> BTreeMap<String, Vec<f32>> {
        let paths: BTreeSet<String> = parameters(encoder).into_iter().map(|p| p.path).collect();
        let mut values = Values {
            path: Vec::new(),
            wanted: &paths,
            found: BTreeMap::new(),
        };
        encoder.visit(&mut values);
        let host = |data: TensorData| data.try_to_vec::<f32>().unwrap();
        values
            .found
            .into_iter()
            .map(|(p, d)| (p, host(d)))
            .collect()
    }

    #[test]
    fn named_values_move_and_no_others() {
        let device = Device::flex();
        let config = EncoderConfig::ResNet9(ResNet9Config {
            channels: 1,
            width: 0.125,
            ..ResNet9Config::default()
        });
        let [mut host, mut donor] = [1, 2].map(|seed| config.init(seed, &device).unwrap());
        // Statistics of their own, by one forward pass in training.
        for encoder in [&mut host, &mut donor] {
            let training = encoder.clone().train();
            let images = Tensor::<4>::ones([2, 1, 16, 16], &device.clone().autodiff());
            use crate::Encoder as _;
            training.encode(images, &mut Taps::none());
            *encoder = training.valid();
        }
        let chosen = |path: &str| path.starts_with("layer1.");
        let paths: BTreeSet<String> = parameters(&host)
            .into_iter()
            .map(|p| p.path)
            .filter(|path| chosen(path))
            .collect();
        assert!(paths.contains("layer1.norm.running_mean"));
        let (before, given) = (values(&host), values(&donor));
        let after = values(&transplant(host, &donor, &paths));
        for (path, value) in &after {
            let from = if chosen(path) { &given } else { &before };
            assert_eq!(value, &from[path], "{path}");
        }
        assert_ne!(
            before["layer1.norm.running_mean"],
            given["layer1.norm.running_mean"]
        );
    }
}
