//! Fractions for each site that leave what a budget allows.

use std::collections::BTreeMap;

use afterimage_numeric::mean_and_deviation;
use afterimage_prune::Budget as Of;
use afterimage_report::{Table, short};

use super::arm::{Control, StudiedSite};
use super::greedy::{Rung, greedy};
use super::groups::Tied;
use super::judge::Figures;
use super::options::Budget;
use super::prefix::Prefix;
use super::study::Study;
use super::table::spread;
use super::{Sensitivity, SensitivityError, Way};
use crate::error::RunError;
use crate::numbers::percent;

/// How much of which site is to go, and what was measured of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// What may be left.
    pub budget: Budget,
    /// What units are chosen by.
    pub way: Way,
    /// Sites that lose units.
    pub sites: Vec<ProposedSite>,
    /// Sites that lose none.
    pub protect: Vec<String>,
    /// Share that is left of what the budget counts.
    pub left: f64,
    /// What kNN loses by the sum of what each site lost alone, and the standard error of that sum over
    /// held-out images.
    pub predicted: (f64, f64),
    /// All of it at once, as measured.
    pub measured: Figures,
    /// Random units in the same numbers.
    pub random: Control,
    /// One fraction for all sites, at the same budget.
    pub uniform: Option<Uniform>,
}

/// A site of a [`Proposal`].
#[derive(Debug, Clone, PartialEq)]
pub struct ProposedSite {
    /// Name of the group of units.
    pub name: String,
    /// Share of its units that goes, of all that it had when the run of the encoder ended.
    pub fraction: f64,
    /// Units that go.
    pub gone: usize,
    /// Units that it has.
    pub units: usize,
    /// What kNN lost without these units alone, with its standard error over held-out images.
    pub lost: (f64, f64),
    /// Random units in the same number.
    pub random: Option<Control>,
}

/// A share of a site's units that goes, with what it lost alone.
type Step = (f64, Rung);

/// The same share of every site.
#[derive(Debug, Clone, PartialEq)]
pub struct Uniform {
    /// The share.
    pub fraction: f64,
    /// Share that is left of what the budget counts.
    pub left: f64,
    /// What was measured.
    pub measured: Figures,
}

/// The steps of each site that has any, in the order of `sites`, and their fractions.
fn ladders(found: &Sensitivity, way: Way) -> Vec<Vec<Step>> {
    let of = |site: &StudiedSite| {
        let mut ladder: Vec<Step> = Vec::new();
        for &fraction in &found.fractions {
            let Some(arm) = found.arm(&site.name, fraction, way) else {
                continue;
            };
            let rung = Rung {
                gone: arm.gone,
                lost: arm.figures.knn_lost,
            };
            // Small sites lose the same number of units for two fractions.
            if ladder.last().is_none_or(|(_, last)| last.gone < rung.gone) {
                ladder.push((fraction, rung));
            }
        }
        ladder
    };
    found.sites.iter().map(of).collect()
}

impl Study<'_> {
    /// What is left with so many units gone of each site.
    fn cost(&self, of: Of, gone: &[usize]) -> u64 {
        let names = self.groups.tied.iter().map(|tied| tied.group.name.clone());
        let gone: BTreeMap<String, usize> = names.zip(gone.iter().copied()).collect();
        match of {
            Of::Units => self.groups.units(&gone) as u64,
            Of::Macs => self.groups.macs(&gone),
        }
    }

    /// Refuses a budget that the largest fraction of every site does not reach, before anything is
    /// measured.
    pub(super) fn reach(&self, budget: Budget) -> Result<(), SensitivityError> {
        let ties = &self.groups.tied;
        let all = self.cost(budget.of, &vec![0; ties.len()]);
        if all == 0 {
            return Err(SensitivityError::NoCost);
        }
        let most = self.options.fractions.last().copied().unwrap_or_default();
        let gone: Vec<usize> = ties.iter().map(|tied| tied.count(most)).collect();
        let least = self.cost(budget.of, &gone) as f64 / all as f64;
        match least <= budget.share {
            true => Ok(()),
            false => Err(out_of_reach(least, budget)),
        }
    }

    /// Proposes fractions for `budget` by what `found` says of single sites, and measures them together.
    pub(super) fn propose(
        &self,
        found: &Sensitivity,
        budget: Budget,
        prefix: &mut Prefix<'_>,
    ) -> Result<Proposal, RunError> {
        let cost = |gone: &[usize]| self.cost(budget.of, gone);
        let all = cost(&vec![0; self.groups.tied.len()]);
        let most = (budget.share * all as f64).floor() as u64;
        let mut best: Option<(f64, Way, Vec<Step>)> = None;
        let mut least = 1.0_f64;
        for &way in &found.ways {
            let ladders = ladders(found, way);
            let rungs: Vec<Vec<Rung>> = ladders
                .iter()
                .map(|ladder| ladder.iter().map(|(_, rung)| *rung).collect())
                .collect();
            let last = |ladder: &Vec<Rung>| ladder.last().map_or(0, |rung| rung.gone);
            let last: Vec<usize> = rungs.iter().map(last).collect();
            least = least.min(cost(&last) as f64 / all as f64);
            let Some(steps) = greedy(&rungs, cost, most) else {
                continue;
            };
            let none = (0.0, Rung { gone: 0, lost: 0.0 });
            let chosen: Vec<Step> = ladders
                .iter()
                .zip(&steps)
                .map(|(ladder, step)| step.checked_sub(1).map_or(none, |at| ladder[at]))
                .collect();
            let lost = chosen.iter().map(|(_, rung)| rung.price()).sum();
            if best.as_ref().is_none_or(|(least, ..)| lost < *least) {
                best = Some((lost, way, chosen));
            }
        }
        let Some((_, way, chosen)) = best else {
            return Err(out_of_reach(least, budget).into());
        };
        self.measured(found, budget, way, &chosen, &cost, prefix)
    }

    /// The proposal of `chosen` steps, measured.
    fn measured(
        &self,
        found: &Sensitivity,
        budget: Budget,
        way: Way,
        chosen: &[Step],
        cost: &dyn Fn(&[usize]) -> u64,
        prefix: &mut Prefix<'_>,
    ) -> Result<Proposal, RunError> {
        let ties = &self.groups.tied;
        let gone: Vec<usize> = chosen.iter().map(|(_, rung)| rung.gone).collect();
        let cut: Vec<(usize, f64)> = (0..ties.len())
            .map(|at| (at, chosen[at].0))
            .filter(|(at, _)| gone[*at] > 0)
            .collect();
        let stages = cut.iter().map(|(at, _)| ties[*at].stage);
        prefix.advance(stages.min().unwrap_or(0))?;
        let by_way = |fractions: &[(usize, f64)]| self.by_way(way, fractions);
        let measured = self.together(&by_way(&cut), prefix)?;
        let mut random = Vec::new();
        for draw in 1..=self.options.repeats {
            let units: Vec<(&Tied, Vec<usize>)> = cut
                .iter()
                .map(|(at, _)| {
                    (
                        &ties[*at],
                        ties[*at].random(self.config.seed, draw, gone[*at]),
                    )
                })
                .collect();
            random.push(self.together(&units, prefix)?.knn_lost);
        }
        let (knn_lost, deviation) = mean_and_deviation(&random);
        let none = vec![0; ties.len()];
        let all = cost(&none);
        let uniform = self.uniform(way, (budget.share * all as f64).floor() as u64, cost)?;
        let sites: Vec<ProposedSite> = cut
            .iter()
            .map(|(at, fraction)| proposed(found, &ties[*at], *fraction, way))
            .collect();
        let alone = sites.iter().map(|site| site.lost.0).sum();
        let squares = sites.iter().map(|site| site.lost.1.powi(2)).sum::<f64>();
        let names = self.groups.names();
        Ok(Proposal {
            budget,
            way,
            protect: names
                .into_iter()
                .filter(|name| sites.iter().all(|site| site.name != *name))
                .collect(),
            sites,
            left: cost(&gone) as f64 / all.max(1) as f64,
            predicted: (alone, squares.sqrt()),
            measured,
            random: Control {
                knn_lost,
                deviation,
                draws: random.len(),
            },
            uniform,
        })
    }

    /// The units that go of sites by their places, for a fraction each.
    fn by_way(&self, way: Way, fractions: &[(usize, f64)]) -> Vec<(&Tied, Vec<usize>)> {
        let scored = self.scored.iter().find(|scored| scored.score == way.0);
        let of = |(at, fraction): &(usize, f64)| {
            let tied = &self.groups.tied[*at];
            Some((tied, scored?.choose(tied, *fraction, way.1)))
        };
        fractions.iter().filter_map(of).collect()
    }

    fn together(
        &self,
        units: &[(&Tied, Vec<usize>)],
        prefix: &Prefix<'_>,
    ) -> Result<Figures, RunError> {
        let units: Vec<(&Tied, &[usize])> = units
            .iter()
            .map(|(tied, units)| (*tied, units.as_slice()))
            .collect();
        Ok(self.measure(&units, prefix)?.figures)
    }

    /// The smallest whole percent of all sites that leaves `most`.
    fn uniform(
        &self,
        way: Way,
        most: u64,
        cost: &dyn Fn(&[usize]) -> u64,
    ) -> Result<Option<Uniform>, RunError> {
        let ties = &self.groups.tied;
        for percent in 1..100 {
            let fraction = f64::from(percent) / 100.0;
            let all: Vec<(usize, f64)> = (0..ties.len()).map(|at| (at, fraction)).collect();
            let units = self.by_way(way, &all);
            let gone: Vec<usize> = units.iter().map(|(_, units)| units.len()).collect();
            if cost(&gone) > most {
                continue;
            }
            let images = self.judge.images();
            let mut prefix = Prefix::new(self.encoder, self.masks, &images, &self.prepared.device);
            prefix.advance(ties.iter().map(|tied| tied.stage).min().unwrap_or(0))?;
            let units: Vec<_> = units.into_iter().filter(|(_, u)| !u.is_empty()).collect();
            let whole = cost(&vec![0; ties.len()]);
            return Ok(Some(Uniform {
                fraction,
                left: cost(&gone) as f64 / whole.max(1) as f64,
                measured: self.together(&units, &prefix)?,
            }));
        }
        Ok(None)
    }
}

fn out_of_reach(least: f64, budget: Budget) -> SensitivityError {
    SensitivityError::OutOfReach {
        least: 100.0 * least,
        budget: 100.0 * budget.share,
        what: budget.what(),
    }
}

fn proposed(found: &Sensitivity, tied: &Tied, fraction: f64, way: Way) -> ProposedSite {
    let name = &tied.group.name;
    let arm = found.arm(name, fraction, way);
    let gone = arm.map_or(0, |arm| arm.gone);
    let (units, alive) = (tied.group.units, tied.alive.len());
    // The pruner counts units that were masked before as gone.
    let fraction = match units == alive {
        true => fraction,
        false => (units - alive + gone) as f64 / units as f64,
    };
    ProposedSite {
        name: name.clone(),
        fraction: (fraction * 1e6).round() / 1e6,
        gone,
        units: alive,
        lost: arm.map_or((f64::NAN, f64::NAN), |arm| {
            (arm.figures.knn_lost, arm.figures.knn_lost_se)
        }),
        random: arm.and_then(|arm| found.beside(arm)),
    }
}

impl Proposal {
    /// What it is and how sure, in a few sentences.
    pub(super) fn summary(&self) -> String {
        let what = self.budget.what();
        let uniform = match &self.uniform {
            Some(uniform) => format!(
                "; one fraction for all, {}, which leaves {:.1} %, lost {:.3} ± {:.3}",
                percent(uniform.fraction),
                100.0 * uniform.left,
                uniform.measured.knn_lost,
                uniform.measured.knn_lost_se
            ),
            None => String::new(),
        };
        format!(
            "{} At most {} may be left, and {:.1} % are. Units by {}. kNN lost {:.3} ± {:.3} with all of it \
             at once (the sites alone add up to {:.3} ± {:.3}); random units in the same numbers lost \
             {} over {} draws{uniform}. Errors are standard errors over held-out images, that of \
             random units is the deviation over draws; nothing was trained again, and the {what} are those \
             of an encoder that the units are taken out of.",
            self.verdict(),
            self.budget,
            100.0 * self.left,
            Sensitivity::way(self.way),
            self.measured.knn_lost,
            self.measured.knn_lost_se,
            self.predicted.0,
            self.predicted.1,
            spread(Some(self.random)),
            self.random.draws,
        )
    }

    /// Whether it is better than its controls: by more than two standard errors over held-out images.
    fn verdict(&self) -> String {
        let clear = 2.0 * self.measured.knn_lost_se;
        let beaten = |lost: f64| lost - self.measured.knn_lost > clear;
        let mut equals = Vec::new();
        if !beaten(self.random.knn_lost) {
            equals.push("random units in the same numbers");
        }
        if let Some(uniform) = &self.uniform
            && !beaten(uniform.measured.knn_lost)
        {
            equals.push("one fraction for all sites");
        }
        match equals.is_empty() {
            true => "It loses less than its controls, by more than two standard errors.".to_owned(),
            false => format!("This is no better than {}.", equals.join(" and ")),
        }
    }

    /// A table of the sites for a page.
    pub(super) fn table(&self) -> Table {
        let header = [
            "site",
            "fraction",
            "units gone",
            "kNN lost alone",
            "± over images",
            "random units",
        ];
        let mut rows: Vec<Vec<String>> = self
            .sites
            .iter()
            .map(|site| {
                vec![
                    site.name.clone(),
                    short(site.fraction),
                    format!("{} of {}", site.gone, site.units),
                    short(site.lost.0),
                    short(site.lost.1),
                    spread(site.random),
                ]
            })
            .collect();
        for name in &self.protect {
            let mut row = vec![name.clone(), "protected".to_owned()];
            row.resize(header.len(), "–".to_owned());
            rows.push(row);
        }
        Table::new(&header).rows(rows)
    }
}
