//! One probe: views of some points through the network in evaluation mode, to one [`SitePoints`] a
//! site.

use std::panic::resume_unwind;
use std::sync::mpsc::sync_channel;
use std::thread;

use afterimage_hooks::{
    Fault, ModelView, Readings, SampleId, Samples, Site, Split, TapPlan, TapSpec, own_passes,
    share_out,
};
use burn::tensor::{Tensor, Transaction};

use crate::cross_fit::CrossFit;
use crate::error::MemoryError;
use crate::site_points::SitePoints;
use crate::top_points::TopPoints;
use crate::unitmem::Form;
use crate::views::{RowOrder, fold_means, point_means};

/// Takes the readings of a site for some samples.
type Take<'t> = dyn FnMut(usize, &[SampleId], &[f32]) -> Result<(), MemoryError> + 't;

/// How a probe looks at a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// The sites, and how their output is reduced to one number a unit.
    pub tap: TapSpec,
    /// The form of the scores, which decides what has to be kept.
    pub form: Form,
    /// Augmented views of each point, at least 1.
    pub views: usize,
    /// Points in one forward pass, at least 1; nothing but time and memory depends on it.
    pub batch: usize,
}

/// What a probe saw at one site.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// Name of the site.
    pub site: String,
    /// Activations of the points.
    pub points: SitePoints,
    /// The points in two folds of their views; nothing with one view.
    pub folds: Option<CrossFit>,
    /// The points that each unit answers to most.
    pub top: TopPoints,
}

impl Measured {
    fn new(site: &Site, probe: &Probe) -> Self {
        Self {
            site: site.name.clone(),
            points: SitePoints::new(probe.form, site.units),
            folds: (probe.views > 1).then(|| CrossFit::new(site.units)),
            top: TopPoints::new(site.units),
        }
    }

    /// Takes the rows of all views of some points, sample-major, and gives the points' mean
    /// activations.
    pub(crate) fn take(
        &mut self,
        ids: &[SampleId],
        views: usize,
        rows: &[f32],
    ) -> Result<Vec<f32>, MemoryError> {
        let (units, order) = (self.points.state().units(), RowOrder::SampleMajor);
        let means = point_means(rows, ids.len(), views, units, order)?;
        self.points.update(ids, &means)?;
        self.top.update(ids, &means)?;
        if let Some(folds) = &mut self.folds {
            let [first, second] = fold_means(rows, ids.len(), views, units, order)?;
            folds.update(ids, [&first, &second])?;
        }
        Ok(means)
    }
}

impl Probe {
    /// The sites of `model` that are looked at, in forward order.
    pub fn sites<'m>(&self, model: &'m dyn ModelView) -> Vec<&'m Site> {
        let sites = model.sites().iter();
        sites.filter(|site| self.tap.matches(site)).collect()
    }

    /// What is seen at each of these sites before any point.
    pub(crate) fn nothing(&self, model: &dyn ModelView) -> Vec<Measured> {
        let sites = self.sites(model).into_iter();
        sites.map(|site| Measured::new(site, self)).collect()
    }

    /// Looks at the samples `ids` of `split`; sites in forward order.
    ///
    /// # Errors
    /// As for [`scan`](Self::scan); a sample that is given twice.
    pub fn measure(
        &self,
        model: &dyn ModelView,
        samples: &dyn Samples,
        split: Split,
        ids: &[SampleId],
    ) -> Result<Vec<Measured>, Fault> {
        let mut measured = self.nothing(model);
        self.scan(model, samples, split, ids, |site, ids, rows| {
            measured[site].take(ids, self.views, rows).map(drop)
        })?;
        Ok(measured)
    }

    /// Hands the readings of the samples `ids` of `split` to `take`, forward pass by forward pass and
    /// site by site: the site's place in [`sites`](Self::sites), the samples of the pass, and their
    /// readings `[ids · views, units]`, all views of the first sample first.
    ///
    /// The views of the next points are rendered on another thread while the network works, and
    /// readings are awaited only after the next forward pass is under way. Several processes of a run share
    /// the passes out, and each hands on the readings of all.
    ///
    /// # Errors
    /// Samples that cannot be rendered, a model without tapped forward, readings of another shape
    /// than the sites promise, a device that fails; what `take` refuses.
    pub fn scan(
        &self,
        model: &dyn ModelView,
        samples: &dyn Samples,
        split: Split,
        ids: &[SampleId],
        mut take: impl FnMut(usize, &[SampleId], &[f32]) -> Result<(), MemoryError>,
    ) -> Result<(), Fault> {
        let sites = self.sites(model);
        let plan = TapPlan::new([&self.tap], model.sites());
        let passes: Vec<&[SampleId]> = ids.chunks(self.batch.max(1)).collect();
        let peers = model.peers();
        let own: Vec<&[SampleId]> = own_passes(peers, passes.len())
            .filter_map(|pass| passes.get(pass).copied())
            .collect();
        thread::scope(|scope| {
            let (sender, rendered) = sync_channel(1);
            let renderer = scope.spawn(move || {
                for ids in own {
                    let views = samples.probe_views(split, ids, self.views);
                    let last = views.is_err();
                    if sender.send(views).is_err() || last {
                        return;
                    }
                }
            });
            // The renderer ends early only by an error, which is met first, or by a panic.
            let next = || rendered.recv().ok();
            let looked = match peers {
                None => self.look(model, &plan, &sites, &passes, next, &mut take),
                Some(_) => self.look_with_others(model, &plan, &sites, &passes, next, &mut take),
            };
            drop(rendered);
            match renderer.join() {
                Ok(()) => looked,
                Err(panic) => resume_unwind(panic),
            }
        })
    }

    /// Looks at one pass after the other; readings are awaited behind the next pass.
    fn look(
        &self,
        model: &dyn ModelView,
        plan: &TapPlan,
        sites: &[&Site],
        passes: &[&[SampleId]],
        mut views: impl FnMut() -> Option<Result<Tensor<4>, Fault>>,
        take: &mut Take<'_>,
    ) -> Result<(), Fault> {
        let mut waiting: Option<(&[SampleId], Readings)> = None;
        for ids in passes {
            let Some(views) = views() else {
                return Ok(());
            };
            let seen = model.observe(views?, plan)?;
            if let Some((ids, readings)) = waiting.replace((ids, seen.readings)) {
                Self::hand_on(sites, ids, &self.arrived(sites, ids, &readings)?, take)?;
            }
        }
        match waiting {
            Some((ids, readings)) => {
                Self::hand_on(sites, ids, &self.arrived(sites, ids, &readings)?, take)
            }
            None => Ok(()),
        }
    }

    /// As [`look`](Self::look), in a run of several processes, each of which looks at its own passes.
    fn look_with_others(
        &self,
        model: &dyn ModelView,
        plan: &TapPlan,
        sites: &[&Site],
        passes: &[&[SampleId]],
        mut views: impl FnMut() -> Option<Result<Tensor<4>, Fault>>,
        take: &mut Take<'_>,
    ) -> Result<(), Fault> {
        let of = |pass: usize| passes.get(pass).copied().unwrap_or_default();
        share_out(
            model.peers(),
            "a probe",
            passes.len(),
            |pass| {
                let views = views().ok_or_else(|| Fault::new("views were not rendered"))?;
                let seen = model.observe(views?, plan)?;
                let rows = self.arrived(sites, of(pass), &seen.readings)?;
                let values = rows.iter().flatten();
                Ok(values.flat_map(|value| value.to_le_bytes()).collect())
            },
            |pass, bytes| {
                let ids = of(pass);
                let (values, _) = bytes.as_chunks::<4>();
                let mut values = values.iter().map(|bytes| f32::from_le_bytes(*bytes));
                let rows: Vec<Vec<f32>> = sites
                    .iter()
                    .map(|site| values.by_ref().take(self.rows(ids) * site.units).collect())
                    .collect();
                Self::hand_on(sites, ids, &rows, take)
            },
        )
    }

    /// Rows of a reading of the samples `ids`.
    fn rows(&self, ids: &[SampleId]) -> usize {
        ids.len() * self.views
    }

    /// Waits for the readings of one forward pass; those of each site, row-major.
    fn arrived(
        &self,
        sites: &[&Site],
        ids: &[SampleId],
        readings: &Readings,
    ) -> Result<Vec<Vec<f32>>, Fault> {
        let mut transaction = Transaction::default();
        for site in sites {
            let reading = readings.get(&site.name, self.tap.mode).ok_or_else(|| {
                Fault::new(format!(
                    "the model gave no reading at its site {:?}",
                    site.name
                ))
            })?;
            let expected = [self.rows(ids), site.units];
            if reading.dims() != expected {
                return Err(Fault::new(format!(
                    "the reading at site {:?} is {:?}; {expected:?} was expected",
                    site.name,
                    reading.dims()
                )));
            }
            transaction = transaction.register(reading.clone());
        }
        let failed = |error: String| Fault::new(format!("the readings did not arrive: {error}"));
        let values = transaction
            .try_execute()
            .map_err(|e| failed(e.to_string()))?;
        let on_host = values.into_iter().map(|values| {
            let values = values.convert::<f32>().try_into_vec::<f32>();
            values.map_err(|e| failed(e.to_string()))
        });
        on_host.collect()
    }

    /// Hands on what was read of the samples `ids`, site by site.
    fn hand_on(
        sites: &[&Site],
        ids: &[SampleId],
        rows: &[Vec<f32>],
        take: &mut Take<'_>,
    ) -> Result<(), Fault> {
        for (at, (site, rows)) in sites.iter().zip(rows).enumerate() {
            take(at, ids, rows)
                .map_err(|e| Fault::caused_by(format!("site {:?}", site.name), e))?;
        }
        Ok(())
    }
}
