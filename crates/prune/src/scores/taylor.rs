//! The plugin `taylor`: what the loss of a unit would cost, to first order.

use std::collections::BTreeMap;

use afterimage_hooks::{
    Declare, EpochEnd, EpochEndCx, Every, Fault, GradReady, GradReadyCx, Plugin, PluginState,
    TapMode, TapSpec,
};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::{SampledConfig, TaylorScores, of_sites, tap};

/// Version of the layout of the plugin's state.
const STATE: u32 = 1;

/// Publishes the mean over training views of |Σ over positions of a · ∂L/∂a| for each unit: how much
/// the loss would change if the unit were zero, to first order.
///
/// A control (Molchanov et al., ICLR 2017, arXiv 1611.06440, equation 8, without its division by the
/// norm of a layer; the pruner's normalisers do that). The saliency of a gate is summed on the device
/// and brought to the host at the end of an epoch.
#[derive(Debug)]
pub struct Taylor {
    config: SampledConfig,
    sums: BTreeMap<String, Sums>,
}

/// The sum of one site: on the device once it was added to, on the host after a resume.
#[derive(Debug)]
struct Sums {
    rows: u64,
    units: Place,
}

#[derive(Debug)]
enum Place {
    Device(Box<Tensor<1>>),
    Host(Vec<f32>),
}

/// [`Sums`] in a checkpoint.
#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    rows: u64,
    units: Vec<f32>,
}

impl Sums {
    fn on_host(&self) -> Result<Vec<f32>, Fault> {
        match &self.units {
            Place::Host(values) => Ok(values.clone()),
            Place::Device(sums) => {
                let values = (**sums).clone().try_into_vec_as::<f32>();
                values.map_err(|error| Fault::new(error.to_string()))
            }
        }
    }

    /// Adds the rows of `saliency` `[rows, units]`.
    fn add(before: Option<Self>, saliency: Tensor<2>) -> Self {
        let [rows, units] = saliency.dims();
        let sums = saliency.abs().sum_dim(0).reshape([units]);
        let rows = rows as u64;
        let (seen, sums) = match before {
            Some(Self {
                rows,
                units: Place::Device(before),
            }) if before.dims() == [units] => (rows, *before + sums),
            Some(Self {
                rows,
                units: Place::Host(before),
            }) if before.len() == units => {
                let before = Tensor::from_floats(before.as_slice(), &sums.device());
                (rows, before + sums)
            }
            // Nothing yet, or sums over other units than there are now.
            _ => (0, sums),
        };
        Self {
            rows: seen + rows,
            units: Place::Device(Box::new(sums)),
        }
    }
}

impl Taylor {
    /// A plugin that has seen nothing.
    pub fn new(config: SampledConfig) -> Self {
        Self {
            config,
            sums: BTreeMap::new(),
        }
    }

    fn tap(&self) -> TapSpec {
        tap(&self.config.sites, &self.config.kinds, TapMode::Gate)
    }

    fn collect(&mut self, cx: &mut GradReadyCx<'_>) -> Result<(), Fault> {
        let own = self.tap();
        for site in &cx.run().sites {
            let Some(saliency) = cx.saliency.get(&site.name, TapMode::Gate) else {
                continue;
            };
            if own.matches(site) {
                let before = self.sums.remove(&site.name);
                let sums = Sums::add(before, saliency.clone());
                self.sums.insert(site.name.clone(), sums);
            }
        }
        Ok(())
    }

    fn publish(&mut self, cx: &mut EpochEndCx<'_>) -> Result<(), Fault> {
        let sums = std::mem::take(&mut self.sums);
        let model = cx.model;
        let scores = of_sites(&cx.scope, model, &self.tap(), |site, units| {
            let Some(sums) = sums.get(site) else {
                return Ok(None);
            };
            let rows = sums.rows.max(1) as f64;
            let means: Vec<Option<f64>> = sums
                .on_host()?
                .into_iter()
                .map(|sum| Some(f64::from(sum) / rows))
                .collect();
            Ok(Some(means).filter(|means| means.len() == units))
        })?;
        if scores.sites.is_empty() {
            // No step of this epoch was due: the last scores stay, with their epoch.
            return Ok(());
        }
        cx.provide(TaylorScores(scores))
    }
}

impl Plugin for Taylor {
    fn declare(&self, d: &mut Declare<'_, Self>) {
        d.taps(self.tap())
            .on::<GradReady>(self.config.every, Self::collect)
            .on::<EpochEnd>(Every::Always, Self::publish)
            .provides::<TaylorScores>();
    }

    fn state(&self) -> Result<PluginState, Fault> {
        let saved = self
            .sums
            .iter()
            .map(|(site, sums)| {
                let (rows, units) = (sums.rows, sums.on_host()?);
                Ok((site.clone(), Saved { rows, units }))
            })
            .collect::<Result<BTreeMap<String, Saved>, Fault>>()?;
        PluginState::encode(STATE, &saved)
    }

    fn restore(&mut self, state: PluginState) -> Result<(), Fault> {
        let saved: BTreeMap<String, Saved> = state.decode(STATE)?;
        self.sums = saved
            .into_iter()
            .map(|(site, Saved { rows, units })| {
                let units = Place::Host(units);
                (site, Sums { rows, units })
            })
            .collect();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn sums_go_on_from_the_host_as_on_the_device() {
        let device = Device::flex();
        let rows = |values: [[f32; 2]; 2]| Tensor::<2>::from_floats(values, &device);
        let first = || Sums::add(None, rows([[1.0, -2.0], [-3.0, 0.25]]));
        let next = || rows([[0.1, 0.2], [-0.3, 0.4]]);
        let straight = Sums::add(Some(first()), next());
        let resumed = Sums {
            rows: 2,
            units: Place::Host(first().on_host().unwrap()),
        };
        let resumed = Sums::add(Some(resumed), next());
        assert_eq!(straight.on_host().unwrap(), resumed.on_host().unwrap());
        assert_eq!((straight.rows, resumed.rows), (4, 4));
        assert!((straight.on_host().unwrap()[0] - 4.4).abs() < 1e-6);
        // Other units than before: starts anew.
        let one = Tensor::<2>::from_floats([[5.0]], &device);
        assert_eq!(Sums::add(Some(straight), one).on_host().unwrap(), [5.0]);
    }
}
