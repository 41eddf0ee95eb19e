//! ClassMem and class selectivity: UnitMem's index over classes in place of points.

use std::collections::BTreeMap;

use afterimage_hooks::SampleId;
use serde::{Deserialize, Serialize};

use crate::error::MemoryError;
use crate::exact_sum::ExactSum;
use crate::site_points::SitePoints;
use crate::unitmem::{Form, UnitMem};

/// Sums of every unit of a site over the points of each class: O(classes · units) memory.
///
/// Order and sharding of the points leave no trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassMeans {
    units: usize,
    classes: BTreeMap<u32, ClassSum>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct ClassSum {
    points: u64,
    sums: Vec<ExactSum>,
    /// Whether a value of the unit was not finite.
    broken: Vec<bool>,
}

impl ClassSum {
    fn new(units: usize) -> Self {
        Self {
            points: 0,
            sums: vec![ExactSum::default(); units],
            broken: vec![false; units],
        }
    }

    fn mean(&self, unit: usize) -> f32 {
        if self.broken[unit] {
            return f32::NAN;
        }
        (self.sums[unit].to_f64() / self.points as f64) as f32
    }
}

impl ClassMeans {
    /// A site with `units` units before any point.
    pub fn new(units: usize) -> Self {
        Self {
            units,
            classes: BTreeMap::new(),
        }
    }

    /// Number of classes with points.
    pub fn classes(&self) -> usize {
        self.classes.len()
    }

    /// Adds points: the class of each, and their mean activations `[points, units]` in row-major
    /// order.
    ///
    /// # Errors
    /// A number of values that is not points · units.
    pub fn update(&mut self, labels: &[u32], values: &[f32]) -> Result<(), MemoryError> {
        let units = self.units;
        if values.len() != labels.len() * units {
            return Err(MemoryError::BlockSize {
                rows: labels.len(),
                units,
                values: values.len(),
            });
        }
        for (at, label) in labels.iter().enumerate() {
            let class = self.class(*label);
            class.points += 1;
            let row = &values[at * units..][..units];
            for ((sum, broken), value) in class.sums.iter_mut().zip(&mut class.broken).zip(row) {
                sum.add(*value);
                *broken |= !value.is_finite();
            }
        }
        Ok(())
    }

    /// Adds the points of another state of the same site.
    ///
    /// # Errors
    /// Another number of units.
    pub fn merge(&mut self, other: &Self) -> Result<(), MemoryError> {
        MemoryError::same_units(self.units, other.units)?;
        for (label, theirs) in &other.classes {
            let class = self.class(*label);
            class.points += theirs.points;
            for (sum, theirs) in class.sums.iter_mut().zip(&theirs.sums) {
                sum.merge(theirs);
            }
            for (broken, theirs) in class.broken.iter_mut().zip(&theirs.broken) {
                *broken |= theirs;
            }
        }
        Ok(())
    }

    fn class(&mut self, label: u32) -> &mut ClassSum {
        let units = self.units;
        self.classes
            .entry(label)
            .or_insert_with(|| ClassSum::new(units))
    }

    /// (max − rest) / (max + rest) of each unit over its class means, where rest is the mean or the
    /// median (`form`) of the other classes: ClassMem for training points, class selectivity for
    /// held-out points. The owner of a unit is its class, the number of points that of classes. Classes
    /// without points do not count.
    ///
    /// Source: arXiv 2409.19069, appendix D; Morcos et al., ICLR 2018.
    ///
    /// # Errors
    /// None in practice: classes are distinct and of one size.
    pub fn index(&self, form: Form) -> Result<UnitMem, MemoryError> {
        let labels: Vec<SampleId> = self.classes.keys().copied().map(SampleId).collect();
        let means: Vec<f32> = self
            .classes
            .values()
            .flat_map(|class| (0..self.units).map(|unit| class.mean(unit)))
            .collect();
        let mut classes = SitePoints::new(form, self.units);
        classes.update(&labels, &means)?;
        Ok(classes.unitmem())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use afterimage_hooks::PluginState;
    use proptest::prelude::*;

    use super::*;
    use crate::unit_score::{Invalid, UnitScore};

    fn filled(units: usize, labels: &[u32], values: &[f32]) -> ClassMeans {
        let mut means = ClassMeans::new(units);
        means.update(labels, values).unwrap();
        means
    }

    #[test]
    fn classes_are_compared_by_their_means_whatever_their_sizes() {
        // Class 4 has means 3, 1 and 0; class 9 has 1, 1 and 0.
        let rows = [[5.0, 1.0, 0.0], [1.0, 1.0, 0.0], [1.0, 1.0, 0.0]];
        let means = filled(3, &[4, 9, 4], rows.as_flattened());
        let index = means.index(Form::Paper).unwrap();
        assert_eq!(
            index.scores(),
            [
                UnitScore::Valid(0.5),
                UnitScore::Valid(0.0),
                UnitScore::Dead
            ]
        );
        assert_eq!(index.owners(), [Some(SampleId(4)), Some(SampleId(4)), None]);
        assert_eq!((index.points(), means.classes()), (2, 2));
    }

    #[test]
    fn a_unit_of_one_class_scores_one_and_a_negative_mean_has_no_score() {
        let rows = [[2.0, -4.0], [4.0, 1.0], [0.0, 1.0], [0.0, f32::NAN]];
        let means = filled(2, &[0, 0, 1, 2], rows.as_flattened());
        let index = means.index(Form::Paper).unwrap();
        assert_eq!(
            index.scores(),
            [
                UnitScore::Valid(1.0),
                UnitScore::Invalid(Invalid::NotFinite)
            ]
        );
        let index = filled(1, &[0, 1], &[-4.0, 1.0]).index(Form::Paper).unwrap();
        assert_eq!(index.scores(), [UnitScore::Invalid(Invalid::Negative)]);
        let alone = filled(1, &[3, 3], &[1.0, 2.0]).index(Form::Paper).unwrap();
        assert_eq!(alone.scores(), [UnitScore::Invalid(Invalid::TooFewPoints)]);
    }

    #[test]
    fn other_shapes_are_refused() {
        let mut means = filled(2, &[1], &[1.0, 2.0]);
        assert!(means.update(&[1, 2], &[1.0; 3]).is_err());
        assert!(means.merge(&ClassMeans::new(3)).is_err());
    }

    proptest! {
        #[test]
        fn order_and_sharding_leave_no_trace(
            (rows, shuffled, cut) in (1usize..20).prop_flat_map(|n| {
                let rows = prop::collection::vec((0u32..4, -1.0f32..3.0, any::<f32>()), n);
                rows.prop_flat_map(move |rows| (Just(rows.clone()), Just(rows).prop_shuffle(), 0..=n))
            }),
        ) {
            let of = |rows: &[(u32, f32, f32)]| {
                let labels: Vec<u32> = rows.iter().map(|row| row.0).collect();
                let values: Vec<f32> = rows.iter().flat_map(|row| [row.1, row.2]).collect();
                filled(2, &labels, &values)
            };
            let mut merged = of(&shuffled[cut..]);
            merged.merge(&of(&shuffled[..cut])).unwrap();
            let bytes = |means: &ClassMeans| PluginState::encode(1, means).unwrap();
            prop_assert_eq!(bytes(&merged), bytes(&of(&rows)));
        }
    }

    #[derive(Deserialize)]
    struct Case {
        name: String,
        units: usize,
        labels: Vec<u32>,
        values: Vec<f32>,
        paper: Vec<Option<f64>>,
        official_code: Vec<Option<f64>>,
        owners: Vec<Option<u32>>,
    }

    #[test]
    fn both_forms_equal_the_reference() {
        // Written by scripts/unitmem_reference.py.
        let cases: Vec<Case> =
            serde_json::from_str(include_str!("../testdata/class_mem.json")).unwrap();
        assert!(cases.len() >= 3);
        for case in cases {
            let mut means = ClassMeans::new(case.units);
            for (labels, rows) in case
                .labels
                .chunks(5)
                .zip(case.values.chunks(5 * case.units))
            {
                means.update(labels, rows).unwrap();
            }
            for (form, want) in [
                (Form::Paper, &case.paper),
                (Form::OfficialCode, &case.official_code),
            ] {
                let index = means.index(form).unwrap();
                for (unit, (got, want)) in index.scores().iter().zip(want).enumerate() {
                    match (got.value(), want) {
                        // Class means are rounded to single precision here, and there not.
                        (Some(got), Some(want)) => assert!(
                            (got - want).abs() < 1e-6,
                            "{} {form} {unit}: {got} {want}",
                            case.name
                        ),
                        (got, want) => assert_eq!(got, *want, "{} {form} {unit}", case.name),
                    }
                }
                let owners: Vec<Option<u32>> = index
                    .owners()
                    .iter()
                    .map(|o| o.map(|class| class.0))
                    .collect();
                assert_eq!(owners, case.owners, "{}", case.name);
            }
        }
    }
}
