//! The way back: an encoder as a state dict of PyTorch.

use std::collections::BTreeMap;
use std::path::Path;

use burn_store::ModuleSnapshot as _;

use super::finite::{check, values};
use super::{Layout, resnet, vit};
use crate::{AnyEncoder, ModelError, evaluation, safetensors};

/// Writes the parameters and running statistics of `encoder` to the new file `path` as safetensors
/// under the keys of torchvision and timm; says how many tensors there are.
///
/// Values are 32-bit floats; weights of fully connected layers have their outputs in rows, as PyTorch
/// keeps them. [`Weights`](super::Weights) reads the file back to the same bits.
///
/// # Errors
/// An encoder that no library of PyTorch names (see [`Layout::of`]); values that are not finite; a file
/// that cannot be written.
pub fn save_state_dict(encoder: &AnyEncoder, path: &Path) -> Result<usize, ModelError> {
    let failed = |reason: String| ModelError::Unwritable {
        path: path.to_owned(),
        reason,
    };
    let key: fn(&str) -> String = match Layout::of(encoder) {
        Some(Layout::Vit) => vit::key,
        Some(_) => resnet::key,
        None => return Err(failed("no library of PyTorch has this encoder".to_owned())),
    };
    let stored = evaluation(encoder).collect(None, None, false);
    check(&stored, None)?;
    let mut tensors = BTreeMap::new();
    for tensor in &stored {
        let numbers = values(tensor).map_err(failed)?;
        let (numbers, shape) = as_pytorch(numbers, &tensor.shape);
        tensors.insert(key(&tensor.name), (numbers, shape));
    }
    let count = tensors.len();
    if count != stored.len() {
        return Err(failed("two parameters have one key".to_owned()));
    }
    safetensors::write(path, &tensors)?;
    Ok(count)
}

/// Weights of a fully connected layer with outputs in rows; all else as it is.
fn as_pytorch(values: Vec<f32>, shape: &[usize]) -> (Vec<f32>, Vec<usize>) {
    let [inputs, outputs] = *shape else {
        return (values, shape.to_vec());
    };
    let rows = (0..outputs).flat_map(|to| (0..inputs).map(move |from| from * outputs + to));
    (rows.map(|at| values[at]).collect(), vec![outputs, inputs])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use afterimage_kernels::Convolution;
    use burn::tensor::Device;

    use super::*;
    use crate::import::{ImportOptions, Weights};
    use crate::{EncoderConfig, ResNetConfig, Stem, VitConfig};

    fn bits(encoder: &AnyEncoder) -> Vec<(String, Vec<u32>)> {
        let stored = evaluation(encoder).collect(None, None, false);
        let bits = stored.iter().map(|tensor| {
            let values = values(tensor).unwrap().into_iter();
            (tensor.name.clone(), values.map(f32::to_bits).collect())
        });
        bits.collect()
    }

    #[test]
    fn what_is_written_is_read_back_to_the_bit() {
        let device = Device::flex();
        let small = |depth, stem, channels| {
            EncoderConfig::ResNet(ResNetConfig {
                width: 0.125,
                stem,
                channels,
                ..ResNetConfig::new(depth)
            })
        };
        let vit = EncoderConfig::Vit(VitConfig {
            patch: 4,
            depth: 2,
            side: Some(16),
            ..VitConfig::default()
        });
        for config in [
            small(18, Stem::Cifar, 3),
            small(18, Stem::Imagenet, 1),
            small(50, Stem::Cifar, 3),
            vit,
        ] {
            let place = tempfile::tempdir().unwrap();
            let path = place.path().join("encoder.safetensors");
            let config = config.with_convolution(Convolution::Direct);
            let encoder = config.init(3, &device).unwrap();
            let count = save_state_dict(&encoder, &path).unwrap();
            let weights = Weights::open(&path, &ImportOptions::default()).unwrap();
            let found = weights.config().clone();
            assert_eq!(found.with_convolution(Convolution::Direct), config);
            let read = weights.load(Convolution::Direct, &device).unwrap();
            assert!(read.left_out.is_empty());
            assert_eq!(bits(&read.encoder).len(), count);
            assert_eq!(bits(&read.encoder), bits(&encoder));
        }
    }

    #[test]
    fn fully_connected_weights_are_turned_and_others_are_not() {
        let (values, shape) = as_pytorch(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 3]);
        assert_eq!(shape, [3, 2]);
        assert_eq!(values, [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        assert_eq!(as_pytorch(vec![1.0; 3], &[3]), (vec![1.0; 3], vec![3]));
    }

    #[test]
    fn resnet_9_has_no_keys_elsewhere() {
        let encoder = EncoderConfig::default().init(0, &Device::flex()).unwrap();
        let place = tempfile::tempdir().unwrap();
        let told = save_state_dict(&encoder, &place.path().join("x")).unwrap_err();
        assert!(told.to_string().contains("no library of PyTorch"));
    }
}
