//! Values of one module in the places of another's.

use std::collections::{BTreeMap, BTreeSet};

use burn::module::{Module, Param};
use burn::tensor::{Tensor, TensorData};

use crate::at_paths::{MapAt, VisitAt, map_at, visit_at};

/// `module` with the values that `donor` has at `paths`, running statistics included; ids, devices
/// and everything else stay. A path that either does not have is passed over.
///
/// # Panics
/// Not for modules of one architecture: a value of another shape is passed over as well.
pub fn transplant<M: Module>(module: M, donor: &M, paths: &BTreeSet<String>) -> M {
    let mut values = Values {
        wanted: paths,
        found: BTreeMap::new(),
    };
    visit_at(donor, &mut values);
    map_at(module, &mut Put(values.found))
}

struct Values<'p> {
    wanted: &'p BTreeSet<String>,
    found: BTreeMap<String, TensorData>,
}

impl VisitAt for Values<'_> {
    fn visit_at<const D: usize>(&mut self, path: &[String], param: &Param<Tensor<D>>) {
        let path = path.join(".");
        if self.wanted.contains(&path) {
            self.found.insert(path, param.val().into_data());
        }
    }
}

struct Put(BTreeMap<String, TensorData>);

impl MapAt for Put {
    fn map_at<const D: usize>(
        &mut self,
        path: &[String],
        param: Param<Tensor<D>>,
    ) -> Param<Tensor<D>> {
        let Some(data) = self.0.remove(&path.join(".")) else {
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
            wanted: &paths,
            found: BTreeMap::new(),
        };
        visit_at(encoder, &mut values);
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
