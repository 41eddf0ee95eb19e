//! How scores of points answer to how often the points are shown.

use afterimage_hooks::{Column, Dose, Doses, SampleId, Scope, Table};
use afterimage_numeric::{Area, mean, standard_error};

/// What points of the set that are not planted are called among the doses.
const PLAIN: &str = "1";

/// The points of one dose that a probe looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DosePoints {
    pub(crate) name: String,
    pub(crate) times: u32,
    /// Whether held-out points are pictures of the same kind.
    pub(crate) natural: bool,
    pub(crate) ids: Vec<SampleId>,
    /// Points that stand in their places for the reference encoder.
    pub(crate) partners: Vec<SampleId>,
}

impl DosePoints {
    /// The groups of `doses`, those that are not planted first; `among` keeps what a probe can look
    /// at. `independent` are all points of the reference encoder alone.
    pub(crate) fn of(
        doses: &Doses,
        among: impl Fn(SampleId) -> bool,
        independent: &[SampleId],
    ) -> Vec<Self> {
        let kept = |ids: Vec<SampleId>| ids.into_iter().filter(|id| among(*id)).collect();
        let planted = |id: &SampleId| doses.groups.iter().any(|group| group.partners.contains(id));
        let plain = Self {
            name: PLAIN.to_owned(),
            times: 1,
            natural: true,
            ids: kept(doses.plain.clone()),
            partners: independent
                .iter()
                .filter(|id| !planted(id))
                .copied()
                .collect(),
        };
        let groups = doses.groups.iter().map(|group| Self {
            name: group.dose.name(),
            times: group.dose.times(),
            natural: group.dose != Dose::Noise,
            ids: kept(group.ids()),
            partners: group.partners.clone(),
        });
        let all = std::iter::once(plain).chain(groups);
        all.filter(|points| !points.ids.is_empty()).collect()
    }
}

/// What the points of doses are scored by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DoseMeasure {
    /// Its name in tags and in the table.
    pub(crate) name: &'static str,
    /// What its points are told from, in a word.
    pub(crate) against: &'static str,
    /// Whether less of it means more memory, so that it is turned for the area.
    pub(crate) turned: bool,
}

/// Scores of the points of one dose behind one layer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DoseScores {
    pub(crate) dose: usize,
    pub(crate) layer: String,
    pub(crate) scores: Vec<f64>,
    /// Scores of points that the encoder was not trained on, or of what else stands for no memory.
    pub(crate) against: Vec<f64>,
    /// Scores of the partners; none where there are no such.
    pub(crate) partners: Vec<f64>,
}

/// Puts on record, for each layer and dose, the mean score of the points and how well it tells them
/// from `against`: the scalars `doses/<measure>/{mean,se,area,area_se}/<dose>/<layer>` and rows of the
/// table `memory/doses`.
pub(crate) fn publish_doses(
    scope: &mut Scope<'_>,
    measure: &DoseMeasure,
    doses: &[DosePoints],
    rows: &[DoseScores],
) {
    if rows.is_empty() {
        return;
    }
    let DoseMeasure {
        name: measure,
        against,
        turned,
    } = *measure;
    let area = |first: &[f64], second: &[f64]| match turned {
        true => Area::between(second, first),
        false => Area::between(first, second),
    };
    let areas: Vec<Area> = rows
        .iter()
        .map(|row| area(&row.scores, &row.against))
        .collect();
    let partners: Vec<Area> = rows
        .iter()
        .map(|row| area(&row.scores, &row.partners))
        .collect();
    for (row, area) in rows.iter().zip(&areas) {
        let (name, layer) = (&doses[row.dose].name, &row.layer);
        for (what, value) in [
            ("mean", mean(&row.scores)),
            ("se", standard_error(&row.scores)),
            ("area", area.area),
            ("area_se", area.standard_error),
        ] {
            // Nothing to average over is no point of a curve.
            if value.is_finite() {
                scope.scalar(format!("doses/{measure}/{what}/{name}/{layer}"), value);
            }
        }
    }
    let text = |of: &dyn Fn(&DoseScores) -> String| Column::Text(rows.iter().map(of).collect());
    let number = |of: &dyn Fn(&DoseScores) -> f64| Column::F64(rows.iter().map(of).collect());
    let of_areas =
        |areas: &[Area], of: fn(&Area) -> f64| Column::F64(areas.iter().map(of).collect());
    let columns = [
        ("measure", text(&|_| measure.to_owned())),
        ("layer", text(&|row| row.layer.clone())),
        ("dose", text(&|row| doses[row.dose].name.clone())),
        (
            "times",
            Column::I64(
                rows.iter()
                    .map(|row| i64::from(doses[row.dose].times))
                    .collect(),
            ),
        ),
        (
            "points",
            Column::I64(rows.iter().map(|row| row.scores.len() as i64).collect()),
        ),
        ("mean", number(&|row| mean(&row.scores))),
        ("se", number(&|row| standard_error(&row.scores))),
        ("against", text(&|_| against.to_owned())),
        ("area", of_areas(&areas, |area| area.area)),
        ("area_se", of_areas(&areas, |area| area.standard_error)),
        ("area_independent", of_areas(&partners, |area| area.area)),
        (
            "area_independent_se",
            of_areas(&partners, |area| area.standard_error),
        ),
    ];
    scope.table("memory/doses", Table::of(columns));
}

#[cfg(test)]
mod tests {
    use super::*;
    use afterimage_hooks::DoseGroup;

    #[test]
    fn groups_are_what_the_probe_can_look_at() {
        let ids = |ids: &[u32]| ids.iter().map(|id| SampleId(*id)).collect::<Vec<_>>();
        let group = |dose, samples: &[u32], partners: &[u32]| DoseGroup {
            dose,
            samples: ids(samples).into_iter().map(|id| vec![id]).collect(),
            partners: ids(partners),
        };
        let doses = Doses {
            groups: vec![
                group(Dose::Repeats(8), &[4, 2], &[11, 12]),
                group(Dose::Noise, &[7], &[13]),
            ],
            plain: ids(&[1, 3]),
        };
        let points = DosePoints::of(&doses, |id| id.0 < 5, &ids(&[10, 11, 12, 13]));
        assert_eq!(points.len(), 2);
        assert_eq!(
            (points[0].name.as_str(), &points[0].ids),
            ("1", &ids(&[1, 3]))
        );
        assert_eq!(points[0].partners, ids(&[10]));
        assert_eq!((points[1].times, &points[1].ids), (8, &ids(&[2, 4])));
        assert!(points[1].natural);
    }
}
