//! The memory that is left in every arm.

use afterimage_hooks::{ModelView, SampleId, Samples as _, Split};
use afterimage_memory::{
    AlignmentProbe, LayerForm, LayerMemory, MemoryPoints, chosen_of, memory_left,
};
use afterimage_model::{AnyEncoder, EncoderView, Masks};
use afterimage_train::TrainError;

use crate::error::RunError;
use crate::points::Available;
use crate::probe::{Prepared, ProbeConfig};

/// How memory is measured: the same points in the same views in every arm.
pub(super) struct Memory {
    probe: AlignmentProbe,
    form: LayerForm,
    points: MemoryPoints,
    reference: Option<(AnyEncoder, Masks)>,
}

impl Memory {
    /// With the settings of `config` for LayerMem where there is a reference encoder, else with those
    /// for the alignment gap; behind the kinds of sites that UnitMem is measured at, unless they say
    /// more. Adds to `notes` what there are fewer points of than asked for.
    pub(super) fn of(prepared: &Prepared, config: &ProbeConfig, notes: &mut Vec<String>) -> Self {
        let seed = config.seed;
        let count = prepared.store.len(Split::HeldOut);
        let held_out: Vec<SampleId> = (0..count as u32).map(SampleId).collect();
        let of = |split, from: &[SampleId], points| chosen_of(seed, split, from, points);
        let pair = prepared.pair.as_ref();
        let available = Available::new(prepared.data.train.len(), count, pair);
        let (mut probe, form, points) = match pair {
            Some(sets) => {
                let (layermem, wanted) = (&config.layermem, config.layermem.points);
                notes.extend(available.layermem("memory left", wanted));
                let points = MemoryPoints {
                    train: of(Split::Train, &sets.candidates, wanted),
                    independent: of(Split::Train, &sets.independent, wanted),
                    held_out: of(Split::HeldOut, &held_out, wanted),
                };
                (layermem.probe(), layermem.form, points)
            }
            None => {
                let alignment = config.alignment.clone().unwrap_or_default();
                let wanted = alignment.points;
                notes.extend(available.each("memory left", wanted));
                let points = MemoryPoints {
                    train: of(Split::Train, &prepared.members(), wanted),
                    independent: Vec::new(),
                    held_out: of(Split::HeldOut, &held_out, wanted),
                };
                (alignment.probe(), LayerForm::Paper, points)
            }
        };
        if probe.kinds.is_empty() {
            probe.kinds.clone_from(&config.unitmem.kinds);
        }
        Self {
            probe,
            form,
            points,
            reference: prepared.reference.clone(),
        }
    }

    /// What is left in `encoder`, whose units of `masks` are held at zero; those of `added` are so in
    /// its reference too, since a layer of other units has other distances whatever it remembers.
    pub(super) fn measure(
        &self,
        prepared: &Prepared,
        encoder: &AnyEncoder,
        masks: &Masks,
        added: &Masks,
    ) -> Result<Vec<LayerMemory>, RunError> {
        let studied = EncoderView::new(encoder, masks);
        let reference = match &self.reference {
            Some((reference, own)) => Some(EncoderView::new(reference, &own.union(added)?)),
            None => None,
        };
        let reference = reference.as_ref().map(|view| view as &dyn ModelView);
        let (store, points) = (&prepared.store, &self.points);
        let left = memory_left(&self.probe, self.form, &studied, reference, store, points);
        Ok(left.map_err(TrainError::Evaluation)?)
    }
}
