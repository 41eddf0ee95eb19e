//! The recording of an encoder's forward pass.

use std::collections::BTreeMap;

use afterimage_model::compact::Group;
use afterimage_model::{Encoder as _, EncoderConfig, Taps, evaluation};
use burn::module::{Module as _, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};
use burn_capture::{CaptureBackend, TensorId};
use burn_ir::OperationIr;

/// A forward pass as it was recorded.
#[derive(Debug)]
pub struct Recording {
    /// Operations in the order in which they were called.
    pub operations: Vec<OperationIr>,
    /// The encoder's parameters and running statistics, by path.
    pub parameters: BTreeMap<String, (TensorId, Vec<usize>)>,
    /// What the encoder declares.
    pub declared: Vec<Group>,
}

/// Records the forward pass of the encoder on two images with `side` pixels a side.
///
/// # Errors
/// An encoder that does not exist; what the device cannot record.
pub fn record(config: &EncoderConfig, side: usize) -> Result<Recording, String> {
    let device = Device::capture();
    let mut parameters = Ids::default();
    let config = config.clone().for_images(3, side);
    let encoder = config
        .init(0, &Device::flex())
        .map_err(|error| error.to_string())?;
    let (encoder, declared) = (evaluation(&encoder), encoder.groups());
    let captured = device.capture_scope(|scope| {
        let encoder = encoder.to_device(&device);
        encoder.visit(&mut parameters);
        let images = Tensor::zeros([2, 3, side, side], &device);
        let output = encoder.encode(images, &mut Taps::none());
        scope.complete([], id(&output))
    });
    let captured = captured.map_err(|error| error.to_string())?;
    Ok(Recording {
        operations: captured.graph.operations,
        parameters: parameters.found,
        declared,
    })
}

fn id<const D: usize>(tensor: &Tensor<D>) -> Option<TensorId> {
    let recorded = tensor.clone().try_into_primitive::<CaptureBackend>();
    recorded.ok().map(|tensor| tensor.id())
}

#[derive(Default)]
struct Ids {
    path: Vec<String>,
    found: BTreeMap<String, (TensorId, Vec<usize>)>,
}

impl ModuleVisitor for Ids {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        if let Some(id) = id(&value) {
            let path = format!("encoder.{}", self.path.join("."));
            self.found.insert(path, (id, value.dims().to_vec()));
        }
    }
}
