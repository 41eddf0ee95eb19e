//! What is put on record of a probe of classes.

use afterimage_hooks::{SampleId, Scope, Table};
use afterimage_numeric::mean;

use crate::activation_map::ActMap;
use crate::calibration::Excess;
use crate::summary::Summary;
use crate::unit_rows::UnitRows;
use crate::unit_score::UnitScore;
use crate::unitmem::UnitMem;

/// The scores of one site. The "points" of the first three are classes.
pub(crate) struct ClassReport<'a> {
    pub(crate) site: &'a str,
    /// On training points.
    pub(crate) class_mem: UnitMem,
    /// On training points with permuted labels, the null.
    pub(crate) permuted: UnitMem,
    /// On held-out points.
    pub(crate) selectivity: UnitMem,
    /// On the same training points and views.
    pub(crate) unitmem: UnitMem,
    /// Cross-fitted UnitMem; empty where points have one view.
    pub(crate) cross_fit: Vec<UnitScore>,
}

/// Puts every site on record, and all sites together under the name `all`; `names` are those of the
/// classes.
pub(crate) fn publish(
    scope: &mut Scope<'_>,
    reports: &[ClassReport<'_>],
    names: &[String],
    map: ActMap,
    views: usize,
) {
    for report in reports {
        figures(scope, report.site, std::slice::from_ref(report));
    }
    figures(scope, "all", reports);
    scope.table("classmem/units", table(reports, names, map, views));
}

/// The scalars of one site, or of several as if they were one.
fn figures(scope: &mut Scope<'_>, name: &str, reports: &[ClassReport<'_>]) {
    let all = |of: for<'a> fn(&'a ClassReport<'_>) -> &'a [UnitScore]| -> Vec<UnitScore> {
        reports.iter().flat_map(of).copied().collect()
    };
    let class_mem = all(|r| r.class_mem.scores());
    let permuted = all(|r| r.permuted.scores());
    let summary = Summary::new(&class_mem);
    let above = Excess::between(&all(|r| r.unitmem.scores()), &class_mem);
    let figures = [
        ("mean/train", summary.mean),
        ("mean/permuted", Summary::new(&permuted).mean),
        ("excess", Excess::between(&class_mem, &permuted).mean),
        (
            "selectivity",
            Summary::new(&all(|r| r.selectivity.scores())).mean,
        ),
        ("agreement", agreement(reports)),
        ("unit_above_class/raw", above.share_higher),
        (
            "unit_above_class/corrected",
            corrected(&all(|r| &r.cross_fit), &class_mem, &permuted),
        ),
        ("dead", summary.dead as f64),
        ("invalid", summary.invalid as f64),
    ];
    for (what, value) in figures {
        // Nothing to average over is no point of a curve.
        if value.is_finite() {
            scope.scalar(format!("classmem/{what}/{name}"), value);
        }
    }
}

/// Share of units whose cross-fitted UnitMem exceeds ClassMem minus its null; NaN over none.
fn corrected(cross_fit: &[UnitScore], class_mem: &[UnitScore], permuted: &[UnitScore]) -> f64 {
    let pairs = class_mem.iter().zip(permuted);
    let above: Vec<f64> = cross_fit
        .iter()
        .zip(pairs)
        .filter_map(|(unit, (class, null))| {
            let (unit, class) = (unit.value()?, class.value()? - null.value()?);
            Some(match unit.total_cmp(&class) {
                std::cmp::Ordering::Greater => 1.0,
                std::cmp::Ordering::Equal => 0.5,
                std::cmp::Ordering::Less => 0.0,
            })
        })
        .collect();
    mean(&above)
}

/// Share of the units with a class in both splits for which it is the same; NaN over none.
fn agreement(reports: &[ClassReport<'_>]) -> f64 {
    let same: Vec<f64> = reports
        .iter()
        .flat_map(|r| r.class_mem.owners().iter().zip(r.selectivity.owners()))
        .filter_map(|(train, held_out)| Some(f64::from(u8::from((*train)? == (*held_out)?))))
        .collect();
    mean(&same)
}

fn table(reports: &[ClassReport<'_>], names: &[String], map: ActMap, views: usize) -> Table {
    fn class(scores: &UnitMem, unit: usize) -> Option<SampleId> {
        scores.owners()[unit]
    }
    let number = |class: Option<SampleId>| class.map_or(-1, |class| i64::from(class.0));
    let mut rows = UnitRows::new(reports, |r| r.class_mem.scores().len());
    rows.text("site", |r, _| r.site.to_owned());
    rows.whole("unit", |_, unit| unit as i64);
    rows.number("classmem", |r, unit| r.class_mem.scores()[unit].value());
    rows.number("classmem_permuted", |r, unit| {
        r.permuted.scores()[unit].value()
    });
    rows.number("class_selectivity", |r, unit| {
        r.selectivity.scores()[unit].value()
    });
    rows.number("unitmem", |r, unit| r.unitmem.scores()[unit].value());
    if views > 1 {
        rows.number("crossfit", |r, unit| r.cross_fit.get(unit)?.value());
    }
    rows.whole("class", |r, unit| number(class(&r.class_mem, unit)));
    rows.text("class_name", |r, unit| {
        let class = class(&r.class_mem, unit);
        class
            .and_then(|class| names.get(class.0 as usize).cloned())
            .unwrap_or_default()
    });
    rows.whole("class_held_out", |r, unit| {
        number(class(&r.selectivity, unit))
    });
    rows.whole("classes", |r, _| r.class_mem.points() as i64);
    rows.whole("points", |r, _| r.unitmem.points() as i64);
    rows.whole("views", |_, _| views as i64);
    rows.text("map", |_, _| map.to_string());
    rows.text("form", |r, _| r.class_mem.form().to_string());
    rows.table()
}
