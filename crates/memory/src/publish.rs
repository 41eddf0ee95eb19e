//! What is put on record of a probe or of an epoch's stream.

use afterimage_hooks::{Fault, Measurement, Samples, Scope};

use crate::activation_map::ActMap;
use crate::calibration::{Excess, Ownership};
use crate::error::MemoryError;
use crate::owner_report::{Detail, owner_figures};
use crate::owner_strip::{owner_names, owner_strip};
use crate::site_points::SitePoints;
use crate::summary::Summary;
use crate::unit_score::UnitScore;
use crate::unit_table::unit_table;
use crate::unitmem::UnitMem;

/// One site's scores with everything that they are compared with.
pub(crate) struct SiteReport<'a> {
    pub(crate) site: &'a str,
    pub(crate) points: &'a SitePoints,
    pub(crate) scores: &'a UnitMem,
    pub(crate) held_out: Option<(&'a SitePoints, &'a UnitMem)>,
    pub(crate) initial: Option<&'a UnitMem>,
    pub(crate) last: Option<&'a UnitMem>,
    /// What only exact probes know.
    pub(crate) detail: Option<Detail<'a>>,
}

/// Where records go and what they say about how they were made.
pub(crate) struct Publisher<'a> {
    pub(crate) prefix: &'static str,
    pub(crate) map: ActMap,
    pub(crate) views: usize,
    /// Where owners' pictures come from, and how many are shown.
    pub(crate) pictures: Option<(&'a dyn Samples, usize)>,
}

impl Publisher<'_> {
    /// Puts every site on record, and all sites together under the name `all`.
    pub(crate) fn publish(
        &self,
        scope: &mut Scope<'_>,
        reports: &[SiteReport<'_>],
    ) -> Result<(), Fault> {
        let prefix = self.prefix;
        let mut names = String::new();
        for report in reports {
            let site = report.site;
            self.figures(scope, site, std::slice::from_ref(report))
                .map_err(|e| Fault::caused_by(format!("site {site:?}"), e))?;
            let scores = report.scores.scores().iter();
            let values: Vec<f64> = scores.filter_map(|score| score.value()).collect();
            if !values.is_empty() {
                scope.histogram(format!("{prefix}/train/{site}"), values);
            }
            if let Some((samples, count)) = self.pictures
                && let Some(strip) = owner_strip(report.scores, samples, count)?
            {
                scope.record(format!("{prefix}/owners/{site}"), strip);
                names.extend(owner_names(site, report.scores, samples, count));
            }
        }
        if !names.is_empty() {
            scope.text(format!("{prefix}/owner_names"), names);
        }
        self.figures(scope, "all", reports)
            .map_err(|e| Fault::caused_by("all sites together", e))?;
        scope.record(
            format!("{prefix}/units"),
            Measurement::Table(unit_table(reports, self.map, self.views)),
        );
        Ok(())
    }

    /// The scalars of one site, or of several as if they were one.
    fn figures(
        &self,
        scope: &mut Scope<'_>,
        name: &str,
        reports: &[SiteReport<'_>],
    ) -> Result<(), MemoryError> {
        let prefix = self.prefix;
        let mut scalar = |what: &str, value: f64| {
            // Nothing to average over is no point of a curve.
            if value.is_finite() {
                scope.scalar(format!("{prefix}/{what}/{name}"), value);
            }
        };
        if let Some(train) = summary(reports.iter().map(|r| Some(r.scores))) {
            scalar("mean/train", train.mean);
            scalar("dead", train.dead as f64);
            scalar("invalid", train.invalid as f64);
        }
        if let Some(held_out) = summary(reports.iter().map(|r| r.held_out.map(|h| h.1))) {
            scalar("mean/held_out", held_out.mean);
        }
        if let Some(initial) = summary(reports.iter().map(|r| r.initial)) {
            scalar("mean/initial", initial.mean);
        }
        let held_out = excess(reports.iter().map(|r| (r.scores, r.held_out.map(|h| h.1))))?;
        scalar("excess/held_out", held_out);
        let initial = excess(reports.iter().map(|r| (r.scores, r.initial)))?;
        scalar("excess/initial", initial);
        scalar("ownership", ownership(reports)?);
        scalar("turnover", turnover(reports)?);
        for (what, value) in owner_figures(reports)? {
            scalar(what, value);
        }
        Ok(())
    }
}

/// The summary over the units of several probes, if all of them are there.
fn summary<'a>(probes: impl Iterator<Item = Option<&'a UnitMem>>) -> Option<Summary> {
    let probes: Vec<&UnitMem> = probes.collect::<Option<_>>()?;
    let scores = probes.iter().flat_map(|probe| probe.scores());
    Some(Summary::new(&scores.copied().collect::<Vec<UnitScore>>()))
}

/// Mean excess over the units of all sites that have a null; NaN without any.
fn excess<'a>(
    pairs: impl Iterator<Item = (&'a UnitMem, Option<&'a UnitMem>)>,
) -> Result<f64, MemoryError> {
    let (mut units, mut total) = (0.0, 0.0);
    for (scores, null) in pairs {
        if let Some(null) = null {
            let Excess { units: n, mean, .. } = scores.excess_over(null)?;
            if n > 0 {
                units += n as f64;
                total += n as f64 * mean;
            }
        }
    }
    Ok(total / units)
}

/// Share of units that answer most to a training point; NaN without held-out points.
fn ownership(reports: &[SiteReport<'_>]) -> Result<f64, MemoryError> {
    let mut all = Ownership {
        train: 0,
        held_out: 0,
        tied: 0,
    };
    for report in reports {
        if let Some((held_out, _)) = report.held_out {
            let site = Ownership::new(report.points.state(), held_out.state())?;
            all.train += site.train;
            all.held_out += site.held_out;
            all.tied += site.tied;
        }
    }
    Ok(all.train_share())
}

/// Share of units with another owner than in the last probe; NaN without units owned in both.
fn turnover(reports: &[SiteReport<'_>]) -> Result<f64, MemoryError> {
    let (mut owned, mut changed) = (0.0, 0.0);
    for report in reports {
        if let Some(last) = report.last
            && let Some(share) = report.scores.turnover_since(last)?
        {
            let pairs = report.scores.owners().iter().zip(last.owners());
            let both = pairs.filter(|(a, b)| a.is_some() && b.is_some()).count() as f64;
            owned += both;
            changed += share * both;
        }
    }
    Ok(changed / owned)
}
