//! The table of a probe or of an epoch's stream: a row a unit.

use afterimage_hooks::{SampleId, Table};

use crate::activation_map::ActMap;
use crate::owner_report::Detail;
use crate::publish::SiteReport;
use crate::top_points::TOP_POINTS;
use crate::unit_rows::UnitRows;
use crate::unitmem::UnitMem;

/// Stands for a point or an epoch where there is none.
const NONE: i64 = -1;

/// The rows of all units; columns of what only exact probes know come last.
pub(crate) fn unit_table(reports: &[SiteReport<'_>], map: ActMap, views: usize) -> Table {
    let mut rows = UnitRows::new(reports, |r| r.scores.scores().len());
    rows.text("site", |r, _| r.site.to_owned());
    rows.whole("unit", |_, unit| unit as i64);
    rows.number("unitmem", |r, unit| score(Some(r.scores), unit));
    rows.number("unitmem_held_out", |r, unit| {
        score(r.held_out.map(|h| h.1), unit)
    });
    rows.number("unitmem_initial", |r, unit| score(r.initial, unit));
    rows.whole("owner", |r, unit| id(r.scores.owners()[unit]));
    rows.number("max", |r, unit| {
        Some(f64::from(r.points.state().highest()[unit]))
    });
    rows.number("second", |r, unit| {
        Some(f64::from(r.points.state().second()[unit]))
    });
    rows.number("mean_of_others", mean_of_others);
    rows.whole("points", |r, _| r.scores.points() as i64);
    rows.whole("views", |_, _| views as i64);
    rows.text("map", |_, _| map.to_string());
    rows.text("form", |r, _| r.scores.form().to_string());
    if !reports.is_empty() && reports.iter().all(|r| r.detail.is_some()) {
        detail_columns(&mut rows, views);
    }
    rows.table()
}

fn detail_columns(rows: &mut UnitRows<'_, SiteReport<'_>>, views: usize) {
    fn detail<'a, 'b>(report: &'a SiteReport<'b>) -> Option<&'a Detail<'b>> {
        report.detail.as_ref()
    }
    if views > 1 {
        rows.number("crossfit", |r, unit| {
            detail(r)?.train.cross_fit.get(unit)?.value()
        });
        rows.number("crossfit_held_out", |r, unit| {
            detail(r)?.held_out.cross_fit.get(unit)?.value()
        });
    }
    for place in 1..TOP_POINTS {
        let top = |r: &SiteReport<'_>, unit: usize| {
            // A unit without an owner has no runner-up either.
            r.scores.owners()[unit].and_then(|_| detail(r)?.top.get(unit, place))
        };
        rows.whole(&format!("owner_{}", place + 1), |r, unit| {
            id(top(r, unit).map(|(id, _)| id))
        });
        if place > 1 {
            rows.number(&format!("max_{}", place + 1), |r, unit| {
                detail(r)?.top.get(unit, place).map(|(_, v)| f64::from(v))
            });
        }
    }
    rows.whole("streak", |r, unit| {
        detail(r).map_or(0, |d| i64::from(d.train.streaks.probes(unit)))
    });
    rows.whole("owned_since", |r, unit| {
        let since = detail(r).and_then(|d| d.train.streaks.since(unit));
        since.map_or(NONE, i64::from)
    });
}

fn score(probe: Option<&UnitMem>, unit: usize) -> Option<f64> {
    probe?.scores()[unit].value()
}

fn id(point: Option<SampleId>) -> i64 {
    point.map_or(NONE, |id| i64::from(id.0))
}

fn mean_of_others(report: &SiteReport<'_>, unit: usize) -> Option<f64> {
    let state = report.points.state();
    let others = state.points().checked_sub(1)? as f64;
    Some((state.sum(unit) - f64::from(state.highest()[unit])) / others)
}
