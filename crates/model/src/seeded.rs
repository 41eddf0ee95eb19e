//! Initial parameters as a pure function of a seed.

use std::sync::{Mutex, PoisonError};

use afterimage_random::{RandomKey, Stream, fnv1a_64};
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Tensor, TensorData};

/// The distribution that weights of convolutions and fully connected layers are drawn from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Initial {
    /// Weights and biases uniform in ±1/√fan-in: the default of burn and PyTorch.
    FanIn,
    /// Weights normal with variance 2 / fan-out (He et al., ICCV 2015), biases 0.
    FanOut,
    /// Weights normal with this standard deviation, biases 0.
    Normal(f64),
}

/// Makes a module with initial parameters that depend on `seed` and the parameters' paths alone.
///
/// Weights and biases of convolutions and fully connected layers are drawn from [`Initial::FanIn`],
/// each from its own sequence: neither the device nor other parameters have a say, and an encoder
/// starts the same whatever head it gets. Other parameters keep the values that `init` gives them,
/// drawn in visit order from the device's generator, which is seeded for that. All parameters exist
/// when this returns; none is left to be drawn at first use.
pub fn seeded<M: Module>(device: &Device, seed: u64, init: impl FnOnce() -> M) -> M {
    seeded_from(Initial::FanIn, device, seed, init)
}

/// [`seeded`] with another distribution.
pub fn seeded_from<M: Module>(
    initial: Initial,
    device: &Device,
    seed: u64,
    init: impl FnOnce() -> M,
) -> M {
    // The device's generator is one for the process; two inits at a time would mix their draws.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let key = RandomKey::new(seed, Stream::Init);
    device.seed(key.bits());
    init().map(&mut Draw {
        initial,
        key,
        path: Vec::new(),
        fan_in: None,
    })
}

/// Draws parameters anew, by path.
struct Draw {
    initial: Initial,
    key: RandomKey,
    /// Field name and type of the owner, from the root down.
    path: Vec<(String, String)>,
    /// Path of the owner of the last weight, and its fan-in, for the bias that follows.
    fan_in: Option<(String, usize)>,
}

impl Draw {
    fn owner_path(&self) -> String {
        let owners = self.path.split_last().map_or(&[][..], |(_, owners)| owners);
        let names: Vec<&str> = owners.iter().map(|(name, _)| name.as_str()).collect();
        names.join(".")
    }

    /// The fan-in of the parameter at the current path, if it is one to be drawn.
    fn fan_in(&mut self, shape: &[usize]) -> Option<usize> {
        let owner_path = self.owner_path();
        let (name, owner) = self.path.last()?;
        let fan_in = match (owner.as_str(), name.as_str()) {
            ("Struct:Conv2d", "weight") => shape[1..].iter().product(),
            ("Struct:Linear", "weight") => shape[0],
            ("Struct:Conv2d" | "Struct:Linear", "bias") => {
                let (weight_owner, fan_in) = self.fan_in.as_ref()?;
                return (*weight_owner == owner_path).then_some(*fan_in);
            }
            _ => return None,
        };
        self.fan_in = Some((owner_path, fan_in));
        Some(fan_in)
    }

    /// The standard deviation of a weight or bias of this shape; `None` where values are uniform.
    fn deviation(&self, shape: &[usize]) -> Option<f64> {
        let is_bias = shape.len() == 1;
        match self.initial {
            Initial::FanIn => None,
            Initial::FanOut | Initial::Normal(_) if is_bias => Some(0.0),
            Initial::FanOut => {
                let fan_out = match shape {
                    // A fully connected layer keeps its outputs in columns.
                    [_, outputs] => *outputs,
                    [outputs, _, window @ ..] => outputs * window.iter().product::<usize>(),
                    _ => 1,
                };
                Some((2.0 / fan_out as f64).sqrt())
            }
            Initial::Normal(deviation) => Some(deviation),
        }
    }
}

impl ModuleMapper for Draw {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.push((name.to_owned(), container_type.to_owned()));
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let initial = param.base();
        let Some(fan_in) = self.fan_in(&initial.dims()) else {
            return param;
        };
        let names: Vec<&str> = self.path.iter().map(|(name, _)| name.as_str()).collect();
        let mut generator = self.key.step(fnv1a_64(&names.join("."))).generator();
        let count = initial.shape().num_elements();
        let values: Vec<f32> = match self.deviation(&initial.dims()) {
            None => {
                let bound = 1.0 / (fan_in as f64).sqrt();
                (0..count)
                    .map(|_| generator.between(-bound, bound) as f32)
                    .collect()
            }
            Some(deviation) => (0..count)
                .map(|_| (deviation * generator.normal()) as f32)
                .collect(),
        };
        let drawn = Tensor::from_data(TensorData::new(values, initial.shape()), &initial.device());
        param.map(|initial| drawn.set_require_grad(initial.is_require_grad()))
    }
}
