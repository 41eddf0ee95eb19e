//! One probe: views of some points through the network in evaluation mode, to one [`SitePoints`] a
//! site.

use std::panic::resume_unwind;
use std::sync::mpsc::sync_channel;
use std::thread;

use afterimage_hooks::{
    Fault, ModelView, Readings, SampleId, Samples, Site, Split, TapPlan, TapSpec,
};
use burn::tensor::Transaction;

use crate::site_points::SitePoints;
use crate::unitmem::Form;
use crate::views::{RowOrder, point_means};

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
}

impl Probe {
    /// Looks at the samples `ids` of `split`; sites in forward order.
    ///
    /// The views of the next points are rendered on another thread while the network works, and
    /// readings are awaited only after the next forward pass is under way.
    ///
    /// # Errors
    /// Samples that cannot be rendered, a model without tapped forward, readings of another shape
    /// than the sites promise, a device that fails.
    pub fn measure(
        &self,
        model: &dyn ModelView,
        samples: &dyn Samples,
        split: Split,
        ids: &[SampleId],
    ) -> Result<Vec<Measured>, Fault> {
        let matching = model.sites().iter().filter(|site| self.tap.matches(site));
        let sites: Vec<&Site> = matching.collect();
        let plan = TapPlan::new([&self.tap], model.sites());
        let mut measured: Vec<Measured> = sites
            .iter()
            .map(|site| Measured {
                site: site.name.clone(),
                points: SitePoints::new(self.form, site.units),
            })
            .collect();
        let batch = self.batch.max(1);
        thread::scope(|scope| {
            let (sender, rendered) = sync_channel(1);
            let renderer = scope.spawn(move || {
                for ids in ids.chunks(batch) {
                    let views = samples.probe_views(split, ids, self.views);
                    let last = views.is_err();
                    if sender.send(views).is_err() || last {
                        return;
                    }
                }
            });
            let mut waiting: Option<(&[SampleId], Readings)> = None;
            let mut chunks = ids.chunks(batch);
            while let (Some(ids), Ok(views)) = (chunks.next(), rendered.recv()) {
                let seen = model.observe(views?, &plan)?;
                if let Some((ids, readings)) = waiting.replace((ids, seen.readings)) {
                    self.take(&sites, ids, &readings, &mut measured)?;
                }
            }
            // The renderer ends early only by an error, which was met above, or by a panic.
            if let Err(panic) = renderer.join() {
                resume_unwind(panic);
            }
            match waiting {
                Some((ids, readings)) => self.take(&sites, ids, &readings, &mut measured),
                None => Ok(()),
            }
        })?;
        Ok(measured)
    }

    /// Waits for the readings of one forward pass and adds its points.
    fn take(
        &self,
        sites: &[&Site],
        ids: &[SampleId],
        readings: &Readings,
        measured: &mut [Measured],
    ) -> Result<(), Fault> {
        let mut transaction = Transaction::default();
        for site in sites {
            let reading = readings.get(&site.name, self.tap.mode).ok_or_else(|| {
                Fault::new(format!(
                    "the model gave no reading at its site {:?}",
                    site.name
                ))
            })?;
            let expected = [ids.len() * self.views, site.units];
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
        for (values, (site, measured)) in values.into_iter().zip(sites.iter().zip(measured)) {
            let rows = values
                .convert::<f32>()
                .try_into_vec::<f32>()
                .map_err(|e| failed(e.to_string()))?;
            point_means(
                &rows,
                ids.len(),
                self.views,
                site.units,
                RowOrder::SampleMajor,
            )
            .and_then(|means| measured.points.update(ids, &means))
            .map_err(|e| Fault::caused_by(format!("site {:?}", site.name), e))?;
        }
        Ok(())
    }
}
