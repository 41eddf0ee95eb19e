//! What is put on record of owners, and of scores with cross-fitted ones.

use afterimage_hooks::{Column, Table};

use crate::calibration::Excess;
use crate::concentration::Concentration;
use crate::cross_fit::CrossFit;
use crate::error::MemoryError;
use crate::measure::Measured;
use crate::owners::{owned_units, units_by_owner};
use crate::ownership_test::OwnershipTest;
use crate::publish::SiteReport;
use crate::streaks::Streaks;
use crate::summary::Summary;
use crate::top_points::TopPoints;
use crate::unit_max::UnitState;
use crate::unit_score::UnitScore;
use crate::unitmem::UnitMem;

/// What an exact probe knows of a site beyond scores and owners.
pub(crate) struct Detail<'a> {
    pub(crate) train: Side<'a>,
    pub(crate) held_out: Side<'a>,
    /// Cross-fitted scores before training; empty where there are none.
    pub(crate) initial: &'a [UnitScore],
    /// Whether both folds of the training points' views name the same owner.
    agreed: Vec<Option<bool>>,
    pub(crate) top: &'a TopPoints,
}

/// One of the two sets of points.
pub(crate) struct Side<'a> {
    points: &'a UnitState,
    scores: &'a UnitMem,
    /// Cross-fitted scores; empty where points have one view.
    pub(crate) cross_fit: Vec<UnitScore>,
    pub(crate) streaks: &'a Streaks,
}

impl<'a> Side<'a> {
    pub(crate) fn new(measured: &'a Measured, scores: &'a UnitMem, streaks: &'a Streaks) -> Self {
        let folds = measured.folds.as_ref();
        Self {
            points: measured.points.state(),
            scores,
            cross_fit: folds.map(CrossFit::scores).unwrap_or_default(),
            streaks,
        }
    }

    /// Half the distance of the two largest activations over their mean, of units with a ratio.
    fn gaps(&self) -> impl Iterator<Item = f64> + '_ {
        let ratio = |unit: usize| {
            let [highest, second] =
                [self.points.highest(), self.points.second()].map(|v| f64::from(v[unit]));
            (highest - second) / (highest + second)
        };
        let scores = self.scores.scores().iter().enumerate();
        scores
            .filter(|(_, score)| matches!(score, UnitScore::Valid(_)))
            .map(move |(unit, _)| ratio(unit))
    }

    /// The lengths of the streaks of units with an owner.
    fn streaks(&self) -> impl Iterator<Item = f64> + '_ {
        let lengths = (0..self.streaks.units()).map(|unit| self.streaks.probes(unit));
        lengths.filter(|length| *length > 0).map(f64::from)
    }
}

impl<'a> Detail<'a> {
    pub(crate) fn new(
        train: Side<'a>,
        held_out: Side<'a>,
        initial: Option<&'a Vec<UnitScore>>,
        measured: &'a Measured,
    ) -> Self {
        // After a compaction unit numbers name other units.
        let initial = initial.filter(|initial| initial.len() == train.cross_fit.len());
        Self {
            agreed: measured
                .folds
                .as_ref()
                .map(CrossFit::agreed)
                .unwrap_or_default(),
            initial: initial.map(Vec::as_slice).unwrap_or_default(),
            top: &measured.top,
            train,
            held_out,
        }
    }
}

/// The scalars of one site, or of several as if they were one: name and value, NaN where there is
/// nothing to average over. Nothing without detail.
pub(crate) fn owner_figures(
    reports: &[SiteReport<'_>],
) -> Result<Vec<(&'static str, f64)>, MemoryError> {
    let details: Option<Vec<&Detail<'_>>> = reports.iter().map(|r| r.detail.as_ref()).collect();
    let Some(details) = details else {
        return Ok(Vec::new());
    };
    let train: Vec<&Side<'_>> = details.iter().map(|detail| &detail.train).collect();
    let held_out: Vec<&Side<'_>> = details.iter().map(|detail| &detail.held_out).collect();
    let mut figures = vec![
        ("crossfit/train", Summary::new(&cross_fit(&train)).mean),
        (
            "crossfit/held_out",
            Summary::new(&cross_fit(&held_out)).mean,
        ),
        ("crossfit/initial", initial(&details)),
        (
            "crossfit/excess",
            Excess::between(&cross_fit(&train), &cross_fit(&held_out)).mean,
        ),
        ("crossfit/agreement", agreement(&details)),
        ("gap/train", mean(train.iter().flat_map(|s| s.gaps()))),
        ("gap/held_out", mean(held_out.iter().flat_map(|s| s.gaps()))),
        ("streak/train", mean(train.iter().flat_map(|s| s.streaks()))),
        (
            "streak/held_out",
            mean(held_out.iter().flat_map(|s| s.streaks())),
        ),
    ];
    if let Some(found) = concentration(&train) {
        figures.extend([
            ("gini/train", found.gini),
            ("entropy/train", found.entropy),
            ("owning_points/train", found.owning_points),
        ]);
    }
    if let Some(found) = concentration(&held_out) {
        figures.extend([
            ("gini/held_out", found.gini),
            ("entropy/held_out", found.entropy),
            ("owning_points/held_out", found.owning_points),
        ]);
    }
    let pairs = details.iter().map(|d| (d.train.points, d.held_out.points));
    figures.push(("ownership_z", OwnershipTest::new(pairs)?.z()));
    Ok(figures)
}

/// The table of the points that own units: a row a point, the numbers of its units at all sites.
/// Nothing if no unit has an owner.
pub(crate) fn point_table<'a>(scores: impl IntoIterator<Item = &'a UnitMem>) -> Option<Table> {
    let scores: Vec<&UnitMem> = scores.into_iter().collect();
    let all = units_by_owner(scores.iter().copied());
    let top = owned_units(scores);
    let column = |values: Vec<i64>| Column::I64(values);
    (!all.is_empty()).then(|| Table {
        columns: vec![
            (
                "point".to_owned(),
                column(all.keys().map(|id| i64::from(id.0)).collect()),
            ),
            (
                "units".to_owned(),
                column(all.values().map(|count| i64::from(*count)).collect()),
            ),
            (
                "top_units".to_owned(),
                column(
                    all.keys()
                        .map(|id| top.get(id).map_or(0, |count| i64::from(*count)))
                        .collect(),
                ),
            ),
        ],
    })
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    afterimage_numeric::mean(&values.collect::<Vec<_>>())
}

fn cross_fit(sides: &[&Side<'_>]) -> Vec<UnitScore> {
    let scores = sides.iter().flat_map(|side| &side.cross_fit);
    scores.copied().collect()
}

fn initial(details: &[&Detail<'_>]) -> f64 {
    if details.iter().any(|detail| detail.initial.is_empty()) {
        return f64::NAN;
    }
    let scores = details.iter().flat_map(|detail| detail.initial);
    Summary::new(&scores.copied().collect::<Vec<_>>()).mean
}

fn agreement(details: &[&Detail<'_>]) -> f64 {
    let units = details.iter().flat_map(|detail| &detail.agreed);
    mean(units.flatten().map(|agreed| f64::from(u8::from(*agreed))))
}

fn concentration(sides: &[&Side<'_>]) -> Option<Concentration> {
    let points = sides.first()?.scores.points();
    let owned = units_by_owner(sides.iter().map(|side| side.scores));
    Concentration::new(&owned, points)
}
