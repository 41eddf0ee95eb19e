//! Tensors on their way to other processes: single precision, in an order that all of them know.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};

use crate::error::TrainError;
use crate::inside::host;

/// Bytes of a value.
const SIZE: usize = size_of::<f32>();

/// Values that are told to other processes.
#[derive(Default)]
pub(crate) struct Outbox(pub(crate) Vec<u8>);

impl Outbox {
    pub(crate) fn put<const D: usize>(&mut self, tensor: &Tensor<D>) -> Result<(), TrainError> {
        let elements = tensor.shape().num_elements();
        let values = host(tensor.clone().reshape([elements]))?;
        self.0.reserve(SIZE * values.len());
        self.0
            .extend(values.iter().flat_map(|value| value.to_le_bytes()));
        Ok(())
    }

    pub(crate) fn put_all<'t, const D: usize>(
        &mut self,
        tensors: impl IntoIterator<Item = &'t Tensor<D>>,
    ) -> Result<(), TrainError> {
        tensors.into_iter().try_for_each(|tensor| self.put(tensor))
    }

    /// The gradients of `model`, in visit order.
    pub(crate) fn put_gradients<M: Module>(
        &mut self,
        model: &M,
        gradients: &GradientsParams,
    ) -> Result<(), TrainError> {
        struct Put<'o, 'g> {
            outbox: &'o mut Outbox,
            gradients: &'g GradientsParams,
            result: Result<(), TrainError>,
        }
        impl ModuleVisitor for Put<'_, '_> {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                let gradient = self.gradients.get::<D>(param.id);
                if let (true, Some(gradient)) = (self.result.is_ok(), gradient) {
                    self.result = self.outbox.put(&gradient);
                }
            }
        }
        let mut put = Put {
            outbox: self,
            gradients,
            result: Ok(()),
        };
        model.visit(&mut put);
        put.result
    }
}

/// Values that another process told, in the shapes of those of this one.
pub(crate) struct Inbox<'b> {
    left: &'b [u8],
    device: Device,
}

impl<'b> Inbox<'b> {
    pub(crate) fn new(bytes: &'b [u8], device: &Device) -> Self {
        Self {
            left: bytes,
            device: device.clone().without_autodiff(),
        }
    }

    pub(crate) fn take<const D: usize>(
        &mut self,
        like: &Tensor<D>,
    ) -> Result<Tensor<D>, TrainError> {
        let dims = like.dims();
        let values = taken(&mut self.left, dims.iter().product()).ok_or_else(misfit)?;
        Ok(Tensor::from_data(
            TensorData::new(values, dims),
            &self.device,
        ))
    }

    pub(crate) fn take_all<const D: usize>(
        &mut self,
        like: &[Tensor<D>],
    ) -> Result<Vec<Tensor<D>>, TrainError> {
        like.iter().map(|tensor| self.take(tensor)).collect()
    }

    /// Gradients of the parameters of `model` that `like` has gradients of.
    pub(crate) fn take_gradients<M: Module>(
        &mut self,
        model: &M,
        like: &GradientsParams,
    ) -> Result<GradientsParams, TrainError> {
        struct Take<'i, 'b, 'g> {
            inbox: &'i mut Inbox<'b>,
            like: &'g GradientsParams,
            taken: GradientsParams,
            failed: Option<TrainError>,
        }
        impl ModuleVisitor for Take<'_, '_, '_> {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                let Some(like) = self.like.get::<D>(param.id) else {
                    return;
                };
                match self.inbox.take(&like) {
                    Ok(gradient) => self.taken.register(param.id, gradient),
                    Err(error) => self.failed = Some(error),
                }
            }
        }
        let mut take = Take {
            inbox: self,
            like,
            taken: GradientsParams::new(),
            failed: None,
        };
        model.visit(&mut take);
        match take.failed {
            None => Ok(take.taken),
            Some(error) => Err(error),
        }
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// Values that nobody took.
    pub(crate) fn end(self) -> Result<(), TrainError> {
        match self.left {
            [] => Ok(()),
            _ => Err(misfit()),
        }
    }
}

/// The next `count` values, off the front of `left`; none where there are fewer.
pub(crate) fn taken(left: &mut &[u8], count: usize) -> Option<Vec<f32>> {
    let (own, behind) = left.split_at_checked(SIZE.checked_mul(count)?)?;
    *left = behind;
    let (values, _) = own.as_chunks::<SIZE>();
    let values = values.iter().map(|bytes| f32::from_le_bytes(*bytes));
    Some(values.collect())
}

fn misfit() -> TrainError {
    TrainError::Processes(
        "the processes went apart: another one computed other values in this step; they must run the same \
         program on the same files"
            .to_owned(),
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_arrives_has_the_bits_that_were_sent() {
        let device = Device::flex();
        let sent: Tensor<2> =
            Tensor::from_floats([[0.1, -0.0], [f32::MIN_POSITIVE / 2.0, f32::NAN]], &device);
        let more: Tensor<1> = Tensor::from_floats([1e-45_f32], &device);
        let mut outbox = Outbox::default();
        // A view whose values lie in another order in memory.
        outbox.put(&sent.clone().transpose()).unwrap();
        outbox.put_all([&more]).unwrap();
        let mut inbox = Inbox::new(&outbox.0, &device);
        let bits = |tensor: Tensor<2>| -> Vec<u32> {
            host(tensor.reshape([4]))
                .unwrap()
                .iter()
                .map(|value| value.to_bits())
                .collect()
        };
        let received = inbox.take(&sent.clone().transpose()).unwrap();
        assert_eq!(bits(received), bits(sent.clone().transpose()));
        assert!(inbox.take(&sent).is_err(), "one value is left");
        assert_eq!(host(inbox.take(&more).unwrap()).unwrap(), [1e-45_f32]);
        inbox.end().unwrap();
        assert!(Inbox::new(&outbox.0, &device).end().is_err());
    }
}
