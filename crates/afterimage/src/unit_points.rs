//! What units of an encoder that is there answer to training points, and to as many held-out ones.

use afterimage_hooks::{SampleId, Samples as _, Site, Split};
use afterimage_memory::{Measured, Probe, UnitMemConfig, chosen_of, points_of_both};
use afterimage_model::{AnyEncoder, EncoderView};
use afterimage_train::TrainError;

use crate::error::RunError;
use crate::points::Available;
use crate::probe::{Prepared, ProbeConfig};

/// The probe of UnitMem, and the points that it looks at.
pub(crate) struct UnitPoints<'a> {
    probe: Probe,
    prepared: &'a Prepared,
    view: &'a EncoderView<AnyEncoder>,
    train: Vec<SampleId>,
    held_out: Vec<SampleId>,
    /// The training images that the encoder was trained on.
    pub(crate) members: Vec<SampleId>,
    /// What there is fewer of than asked for.
    pub(crate) note: Option<String>,
}

impl<'a> UnitPoints<'a> {
    /// As the plugin `unitmem` with the settings of `config`.
    ///
    /// # Errors
    /// Fewer than two points, settings that name no site.
    pub(crate) fn new(
        prepared: &'a Prepared,
        config: &ProbeConfig,
        view: &'a EncoderView<AnyEncoder>,
    ) -> Result<Self, RunError> {
        let (seed, unitmem) = (config.seed, &config.unitmem);
        let probe = probe_of(unitmem);
        if probe.sites(view).is_empty() {
            return Err(RunError::NoUnits {
                pattern: unitmem.sites.clone(),
            });
        }
        let members = prepared.members();
        let count = prepared.store.len(Split::HeldOut);
        let points = points_of_both(unitmem.points, members.len(), count);
        if points < 2 {
            return Err(RunError::FewPoints {
                points: unitmem.points,
                train: members.len(),
            });
        }
        let held_out: Vec<SampleId> = (0..count as u32).map(SampleId).collect();
        let available = Available::new(members.len(), count, None);
        Ok(Self {
            probe,
            prepared,
            view,
            train: chosen_of(seed, Split::Train, &members, points),
            held_out: chosen_of(seed, Split::HeldOut, &held_out, points),
            note: available.both("UnitMem", unitmem.points),
            members,
        })
    }

    /// The sites that are looked at, in forward order.
    pub(crate) fn sites(&self) -> Vec<Site> {
        self.probe.sites(self.view).into_iter().cloned().collect()
    }

    /// The answers to the training points.
    ///
    /// # Errors
    /// Views that cannot be rendered, a device that fails.
    pub(crate) fn train(&self) -> Result<Vec<Measured>, RunError> {
        self.measure(Split::Train, &self.train)
    }

    /// The answers to as many held-out points.
    ///
    /// # Errors
    /// As for [`train`](Self::train).
    pub(crate) fn held_out(&self) -> Result<Vec<Measured>, RunError> {
        self.measure(Split::HeldOut, &self.held_out)
    }

    /// The answers to the samples `ids` of `split`.
    ///
    /// # Errors
    /// As for [`train`](Self::train).
    pub(crate) fn measure(
        &self,
        split: Split,
        ids: &[SampleId],
    ) -> Result<Vec<Measured>, RunError> {
        let measured = self
            .probe
            .measure(self.view, &self.prepared.store, split, ids);
        Ok(measured.map_err(TrainError::Evaluation)?)
    }
}

/// The probe that the settings of the plugin `unitmem` describe.
fn probe_of(config: &UnitMemConfig) -> Probe {
    Probe {
        tap: config.tap(),
        form: config.form,
        views: config.views,
        batch: config.batch,
    }
}

/// UnitMem of the units of a site; nothing for a unit that has none.
pub(crate) fn unitmem(measured: &Measured) -> Vec<Option<f64>> {
    let scored = measured.points.unitmem();
    scored.scores().iter().map(|score| score.value()).collect()
}
