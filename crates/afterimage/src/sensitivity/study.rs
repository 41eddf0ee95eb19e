//! The arms of a study, measured one site after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::resume_unwind;
use std::thread;

use afterimage_hooks::{SampleId, Split};
use afterimage_memory::{AlignmentProbe, Calibrated, chosen_of, layer_mems};
use afterimage_model::compact::{Kept, without_units};
use afterimage_model::{AnyEncoder, Encoder as _, EncoderView, Masks};
use afterimage_prune::Direction;
use afterimage_train::TrainError;

use super::arm::{Arm, Chosen};
use super::groups::{Groups, Tied};
use super::judge::{Figures, Judge};
use super::options::SensitivityOptions;
use super::prefix::Prefix;
use super::progress::Progress;
use super::scores::Scored;
use crate::compact::{images, milliseconds};
use crate::error::RunError;
use crate::probe::{Prepared, ProbeConfig};

/// Images in a forward pass that is timed.
const TIMED: usize = 64;
/// Forward passes that are timed; the median counts.
const TIMES: usize = 5;

/// An encoder under study with everything that its arms are measured by.
pub(super) struct Study<'a> {
    pub(super) options: &'a SensitivityOptions,
    pub(super) config: &'a ProbeConfig,
    pub(super) prepared: &'a Prepared,
    /// In evaluation mode.
    pub(super) encoder: &'a AnyEncoder,
    pub(super) masks: &'a Masks,
    pub(super) groups: Groups,
    pub(super) judge: Judge,
    pub(super) scored: Vec<Scored>,
}

/// Units of one site that are to go.
struct Planned {
    fraction: f64,
    chosen: Chosen,
    units: Vec<usize>,
}

/// What was measured of an arm.
#[derive(Clone)]
pub(super) struct Measured {
    pub(super) figures: Figures,
    pub(super) layermem: Option<Calibrated>,
}

/// What `work` makes of each of `items`, each on a thread of its own, in their order.
///
/// The threads are none of the pool's: one of these may start another item while it waits for a part of
/// its own, and the linear probe holds a lock that the other would ask for.
fn side_by_side<I: Sync, O: Send>(
    items: &[I],
    work: impl Fn(&I) -> Result<O, RunError> + Sync,
) -> Result<Vec<O>, RunError> {
    let work = &work;
    thread::scope(|scope| {
        let started: Vec<_> = items
            .iter()
            .map(|item| scope.spawn(move || work(item)))
            .collect();
        let ended = started.into_iter().map(|thread| match thread.join() {
            Ok(result) => result,
            Err(panic) => resume_unwind(panic),
        });
        ended.collect()
    })
}

impl Study<'_> {
    /// Scores with their directions, in the order that they were asked for.
    pub(super) fn ways(&self) -> Vec<(&Scored, Direction)> {
        let directions = &self.options.directions;
        let both = |scored| directions.iter().map(move |direction| (scored, *direction));
        self.scored.iter().flat_map(both).collect()
    }

    /// Measures all arms of all sites.
    pub(super) fn arms(
        &self,
        prefix: &mut Prefix<'_>,
        say: &mut dyn FnMut(&str),
    ) -> Result<Vec<Arm>, RunError> {
        let plans: Vec<Vec<Planned>> = self.groups.tied.iter().map(|t| self.plan(t)).collect();
        let mut progress = Progress::new(plans.iter().map(Vec::len).sum());
        let mut arms = Vec::new();
        for (tied, plans) in self.groups.tied.iter().zip(plans) {
            prefix.advance(tied.stage)?;
            arms.extend(self.site(tied, plans, prefix, &mut progress, say)?);
        }
        Ok(arms)
    }

    /// The units that are to go of one site, arm by arm.
    fn plan(&self, tied: &Tied) -> Vec<Planned> {
        let mut plans = Vec::new();
        for &fraction in &self.options.fractions {
            let mut counts = BTreeSet::from([tied.count(fraction)]);
            for (scored, direction) in self.ways() {
                let units = scored.choose(tied, fraction, direction);
                counts.insert(units.len());
                plans.push(Planned {
                    fraction,
                    chosen: Chosen::By(scored.score, direction),
                    units,
                });
            }
            for (count, draw) in counts
                .into_iter()
                .flat_map(|count| (1..=self.options.repeats).map(move |draw| (count, draw)))
            {
                plans.push(Planned {
                    fraction,
                    chosen: Chosen::Random(draw),
                    units: tied.random(self.config.seed, draw, count),
                });
            }
        }
        plans.retain(|planned| !planned.units.is_empty());
        plans
    }

    /// Measures the arms of one site; each set of units once.
    fn site(
        &self,
        tied: &Tied,
        plans: Vec<Planned>,
        prefix: &Prefix<'_>,
        progress: &mut Progress,
        say: &mut dyn FnMut(&str),
    ) -> Result<Vec<Arm>, RunError> {
        let name = &tied.group.name;
        let sets: BTreeSet<&Vec<usize>> = plans.iter().map(|planned| &planned.units).collect();
        let sets: Vec<&Vec<usize>> = sets.into_iter().collect();
        let mut measured: BTreeMap<&Vec<usize>, Measured> = BTreeMap::new();
        for some in sets.chunks(rayon::current_num_threads().max(1)) {
            let now = side_by_side(some, |units| {
                self.measure(&[(tied, units.as_slice())], prefix)
            })?;
            measured.extend(some.iter().copied().zip(now));
            let done = plans.iter().filter(|p| some.contains(&&p.units)).count();
            progress.add(done, name, say);
        }
        let mut timed: BTreeMap<usize, Option<f64>> = BTreeMap::new();
        let mut arms = Vec::new();
        for planned in &plans {
            let Some(Measured { figures, layermem }) = measured.get(&planned.units) else {
                continue;
            };
            let gone = planned.units.len();
            let milliseconds = match timed.get(&gone) {
                Some(known) => *known,
                None => {
                    let new = self.latency(&[(tied, planned.units.as_slice())])?;
                    timed.insert(gone, new);
                    new
                }
            };
            arms.push(Arm {
                site: name.clone(),
                fraction: planned.fraction,
                chosen: planned.chosen,
                gone,
                figures: figures.clone(),
                macs: self.macs(&BTreeMap::from([(name.clone(), gone)])),
                layermem: *layermem,
                milliseconds,
            });
        }
        Ok(arms)
    }

    /// The encoder as it is.
    pub(super) fn whole(&mut self, prefix: &Prefix<'_>) -> Result<Arm, RunError> {
        Ok(Arm {
            site: String::new(),
            fraction: 0.0,
            chosen: Chosen::Nothing,
            gone: 0,
            figures: self.judge.whole(&prefix.embeddings(self.masks)?)?,
            macs: self.macs(&BTreeMap::new()),
            layermem: self.layermem(self.masks, &Masks::none())?,
            milliseconds: self.latency(&[])?,
        })
    }

    /// Operations of an image that are left, where the encoder tells.
    pub(super) fn macs(&self, gone: &BTreeMap<String, usize>) -> Option<u64> {
        Some(self.groups.macs(gone)).filter(|macs| *macs > 0)
    }

    /// Measures the encoder without `units` of groups whose first stage is that of `prefix`, or a later
    /// one.
    pub(super) fn measure(
        &self,
        units: &[(&Tied, &[usize])],
        prefix: &Prefix<'_>,
    ) -> Result<Measured, RunError> {
        let (masks, added) = self.masked(units)?;
        Ok(Measured {
            figures: self.judge.arm(&prefix.embeddings(&masks)?)?,
            layermem: self.layermem(&masks, &added)?,
        })
    }

    /// The encoder's masks with `units` beside, and these alone.
    fn masked(&self, units: &[(&Tied, &[usize])]) -> Result<(Masks, Masks), RunError> {
        let (mut masks, mut added) = (self.masks.clone(), Masks::none());
        for (tied, units) in units {
            tied.mask(&mut masks, units)?;
            tied.mask(&mut added, units)?;
        }
        Ok((masks, added))
    }

    /// Calibrated LayerMem of the embedding, where a reference encoder and independent points are there.
    /// The reference loses the same units: a layer of other units has other distances whatever it
    /// remembers.
    pub(super) fn layermem(
        &self,
        masks: &Masks,
        added: &Masks,
    ) -> Result<Option<Calibrated>, RunError> {
        let (Some((reference, own)), Some(sets)) = (&self.prepared.reference, &self.prepared.pair)
        else {
            return Ok(None);
        };
        if sets.independent.is_empty() {
            return Ok(None);
        }
        let settings = &self.config.layermem;
        // No site: the embedding alone.
        let probe = AlignmentProbe {
            sites: String::new(),
            ..settings.probe()
        };
        let studied = EncoderView::new(self.encoder, masks);
        let reference = EncoderView::new(reference, &own.union(added)?);
        let of = |from: &[SampleId]| {
            let ids = chosen_of(self.config.seed, Split::Train, from, settings.points);
            let store = &self.prepared.store;
            let models: [&dyn afterimage_hooks::ModelView; 2] = [&studied, &reference];
            layer_mems(&probe, settings.form, models, store, Split::Train, &ids)
                .map_err(TrainError::Evaluation)
        };
        let (candidates, independent) = (of(&sets.candidates)?, of(&sets.independent)?);
        let pair = candidates.last().zip(independent.last());
        Ok(pair.map(|((_, candidates), (_, independent))| candidates.calibrated(independent)))
    }

    /// Milliseconds of a forward pass without `units`, where that was asked for and they can be taken
    /// out.
    pub(super) fn latency(&self, units: &[(&Tied, &[usize])]) -> Result<Option<f64>, RunError> {
        if !self.options.latency {
            return Ok(None);
        }
        let (masks, _) = self.masked(units)?;
        let groups = self.encoder.groups();
        let kept = Kept::without_pruned(&groups, &masks, false);
        let left = kept.masks(&groups, &masks)?;
        let shape = self.prepared.plain.shape();
        let batch = [TIMED, shape.channels, shape.height, shape.width];
        let images = images(batch, &self.prepared.device);
        let cut;
        let encoder = if kept.is_everything() {
            self.encoder
        } else {
            cut = without_units(self.encoder, &kept)?;
            &cut
        };
        milliseconds(encoder, &left, &images, TIMES).map(Some)
    }
}
