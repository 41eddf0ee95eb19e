//! How much an encoder remembers of its training points: the figures that stand beside its accuracy.

use afterimage_hooks::{Fault, ModelView, SampleId, Samples, Split};
use afterimage_numeric::Area;
use serde::Serialize;

use crate::alignment::{Alignment, AlignmentProbe};
use crate::alignment_gap::{gap_error, nearness};
use crate::layermem::{Calibrated, LayerForm, LayerMem, alignment_gap};

/// The points that memory is measured on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MemoryPoints {
    /// Training points; candidates where there is a reference encoder.
    pub train: Vec<SampleId>,
    /// Training points of the reference encoder alone; none where there are no such.
    pub independent: Vec<SampleId>,
    /// Points that no encoder was trained on.
    pub held_out: Vec<SampleId>,
}

/// How much one layer remembers of the points that its encoder was trained on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerMemory {
    /// Name of the site, or `embedding`.
    pub layer: String,
    /// Half of LayerMem on candidates less that on independent points; none without a reference
    /// encoder or without independent points.
    pub calibrated: Option<Calibrated>,
    /// How well LayerMem tells candidates from held-out points; none without a reference encoder.
    pub area: Option<Area>,
    /// The same between two sets of held-out points.
    pub area_null: Option<Area>,
    /// The alignment gap, from −1 to 1, which needs no reference encoder.
    pub gap: f64,
    /// Its standard error over points.
    pub gap_se: f64,
    /// How well nearness of its views tells a training point from a held-out one.
    pub gap_area: Area,
    /// The same between two sets of held-out points.
    pub gap_null: Area,
}

impl LayerMemory {
    /// Figures of one layer from the mean distances between the views of each point:
    /// `[training, held-out, independent points]` in the encoder, and the same in its reference.
    ///
    /// # Errors
    /// Distances of other points in the reference.
    pub fn new(
        layer: &str,
        form: LayerForm,
        studied: [&[f64]; 3],
        reference: Option<[&[f64]; 3]>,
    ) -> Result<Self, Fault> {
        let [train, held_out, _] = studied;
        let near = nearness(held_out);
        let mut memory = Self {
            layer: layer.to_owned(),
            calibrated: None,
            area: None,
            area_null: None,
            gap: alignment_gap(train, held_out),
            gap_se: gap_error(train, held_out),
            gap_area: Area::between(&nearness(train), &near),
            gap_null: Area::null(&near),
        };
        let Some(reference) = reference else {
            return Ok(memory);
        };
        let of = |set: usize| {
            LayerMem::new(form, studied[set], reference[set])
                .map_err(|error| Fault::caused_by(format!("layer {layer:?}"), error))
        };
        let (candidates, external, independent) = (of(0)?, of(1)?, of(2)?);
        memory.area = Some(Area::between(&candidates.scores, &external.scores));
        memory.area_null = Some(Area::null(&external.scores));
        memory.calibrated =
            (!independent.scores.is_empty()).then(|| candidates.calibrated(&independent));
        Ok(memory)
    }
}

/// Measures what `studied` remembers of `points`, layer by layer in forward order, the embedding
/// last. Both encoders see the same views, the same at any time.
///
/// # Errors
/// As for [`AlignmentProbe::measure`]; encoders with different layers.
pub fn memory_left(
    probe: &AlignmentProbe,
    form: LayerForm,
    studied: &dyn ModelView,
    reference: Option<&dyn ModelView>,
    samples: &dyn Samples,
    points: &MemoryPoints,
) -> Result<Vec<LayerMemory>, Fault> {
    let models: Vec<&dyn ModelView> = std::iter::once(studied).chain(reference).collect();
    let sets = [
        (Split::Train, &points.train),
        (Split::HeldOut, &points.held_out),
        (Split::Train, &points.independent),
    ];
    // By set, then by model, then by layer.
    let measured = sets
        .into_iter()
        .map(|(split, ids)| probe.measure(&models, samples, split, ids))
        .collect::<Result<Vec<Vec<Vec<Alignment>>>, Fault>>()?;
    let layers = probe.layers(studied);
    if let Some(reference) = reference
        && probe.layers(reference) != layers
    {
        return Err(Fault::new(
            "the two encoders have different layers; compare encoders of one architecture",
        ));
    }
    let memory = |(at, layer): (usize, &String)| {
        let of = |model: usize| -> [&[f64]; 3] {
            [0, 1, 2].map(|set: usize| measured[set][model][at].distances.as_slice())
        };
        LayerMemory::new(layer, form, of(0), reference.map(|_| of(1)))
    };
    layers.iter().enumerate().map(memory).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn figures_are_those_of_their_parts() {
        let studied: [&[f64]; 3] = [&[0.1, 0.2, 0.3], &[0.25, 0.5, 0.6, 0.7], &[0.5, 0.6]];
        let reference: [&[f64]; 3] = [&[0.5, 0.4, 0.6], &[0.3, 0.5, 0.6, 0.7], &[0.1, 0.2]];
        let alone = LayerMemory::new("a", LayerForm::Paper, studied, None).unwrap();
        assert!((alone.gap - (0.5125 - 0.2) / (0.5125 + 0.2)).abs() < 1e-12);
        // Of twelve pairs one training point is farther than a held-out one.
        assert!((alone.gap_area.area - 11.0 / 12.0).abs() < 1e-12);
        assert_eq!((alone.calibrated, alone.area), (None, None));

        let both = LayerMemory::new("a", LayerForm::Paper, studied, Some(reference)).unwrap();
        assert_eq!(both.gap, alone.gap);
        assert_eq!(both.area.unwrap().area, 1.0);
        let mem = |set: usize| {
            LayerMem::new(LayerForm::Paper, studied[set], reference[set])
                .unwrap()
                .mean
        };
        let calibrated = both.calibrated.unwrap().mean;
        assert!((calibrated - (mem(0) - mem(2)) / 2.0).abs() < 1e-12);

        let [train, held_out, _] = studied;
        let without = [train, held_out, &[]];
        let [f, h, _] = reference;
        let one = LayerMemory::new("a", LayerForm::Paper, without, Some([f, h, &[]])).unwrap();
        assert_eq!((one.calibrated, one.area), (None, both.area));
        assert!(LayerMemory::new("a", LayerForm::Paper, studied, Some([h, f, &[]])).is_err());
    }
}
