//! Plugins for a training loop; they carry data to the pure parts of this crate.

mod cell_map;
mod column_report;
mod columns;
mod dynamics;
mod dynamics_log;
mod dynamics_report;
mod features;
mod in_run;
mod oob_config;
mod oob_report;
mod oob_value;
mod patches;
mod quality;

pub use columns::SampleTable;
pub use dynamics::DynamicsProbe;
pub use dynamics_log::DynamicsConfig;
pub use oob_config::{CellSource, OobValueConfig, Pass, Share};
pub use oob_value::OobValue;
pub use quality::{ValueQuality, ValueQualityConfig};

use afterimage_hooks::Fault;
use burn::tensor::Tensor;

/// The numbers of a tensor on the host, row by row.
fn on_host(tensor: Tensor<2>) -> Result<Vec<f32>, Fault> {
    let elements = tensor.shape().num_elements();
    tensor
        .reshape([elements])
        .try_into_vec_as::<f32>()
        .map_err(|e| Fault::new(format!("features cannot be brought to the host: {e}")))
}
