//! How far apart a network maps the views of a point, layer by layer.

use afterimage_hooks::{
    Fault, ModelView, Observation, Reduce, SampleId, Samples, SiteKind, Split, TapMode, TapPlan,
    TapSpec, glob, share_out,
};
use burn::tensor::{Tensor, Transaction};

use crate::distance::{Distance, Pairs, differences, mean_distance};

/// Name of the encoder's output among the layers.
pub const EMBEDDING: &str = "embedding";

/// How the alignment of views is measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlignmentProbe {
    /// Glob over site names.
    pub sites: String,
    /// Kinds of sites; empty for all.
    pub kinds: Vec<SiteKind>,
    /// Globs of sites to leave out.
    pub skip: Vec<String>,
    /// Augmented views of each point: at least 2, or 1 for [`Pairs::Original`].
    pub views: usize,
    /// Points in one forward pass, at least 1; nothing but time and memory depends on it.
    pub batch: usize,
    /// How outputs are compared.
    pub distance: Distance,
    /// Which rows of a point are compared.
    pub pairs: Pairs,
}

/// Mean distances between the views of each point behind one layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Alignment {
    /// Name of the site, or [`EMBEDDING`].
    pub layer: String,
    /// One distance a point, in the order of the points.
    pub distances: Vec<f64>,
}

impl AlignmentProbe {
    /// The layers in forward order, the embedding last.
    pub fn layers(&self, model: &dyn ModelView) -> Vec<String> {
        let tap = self.tap();
        let sites = model.sites().iter();
        sites
            .filter(|site| {
                tap.matches(site) && !self.skip.iter().any(|skip| glob(skip, &site.name))
            })
            .map(|site| site.name.clone())
            .chain([EMBEDDING.to_owned()])
            .collect()
    }

    pub(crate) fn tap(&self) -> TapSpec {
        TapSpec {
            pattern: self.sites.clone(),
            kinds: self.kinds.clone(),
            mode: FLAT,
        }
    }

    /// Distances of the samples `ids` of `split` in each of `models`: for each model the layers in
    /// forward order. All models see the same pixels. Several processes of a run share the forward passes out.
    ///
    /// # Errors
    /// Samples that cannot be rendered, a model without tapped forward, a device that fails.
    pub fn measure(
        &self,
        models: &[&dyn ModelView],
        samples: &dyn Samples,
        split: Split,
        ids: &[SampleId],
    ) -> Result<Vec<Vec<Alignment>>, Fault> {
        let mut measured: Vec<Vec<Alignment>> = models
            .iter()
            .map(|model| {
                let layers = self.layers(*model).into_iter();
                let empty = |layer| Alignment {
                    layer,
                    distances: Vec::with_capacity(ids.len()),
                };
                layers.map(empty).collect()
            })
            .collect();
        let nothing = measured.clone();
        let passes: Vec<&[SampleId]> = ids.chunks(self.batch.max(1)).collect();
        let of = |pass: usize| passes.get(pass).copied().unwrap_or_default();
        share_out(
            models.first().and_then(|model| model.peers()),
            "distances between views",
            passes.len(),
            |pass| {
                let images = self.images(samples, split, of(pass))?;
                let mut own = nothing.clone();
                for (model, own) in models.iter().zip(&mut own) {
                    let seen = model.observe(images.clone(), &plan(own))?;
                    self.take(seen, own)?;
                }
                let values = own.iter().flatten().flat_map(|layer| &layer.distances);
                Ok(values.flat_map(|value| value.to_le_bytes()).collect())
            },
            |pass, bytes| {
                let (values, _) = bytes.as_chunks::<8>();
                let mut values = values.iter().map(|bytes| f64::from_le_bytes(*bytes));
                for layer in measured.iter_mut().flatten() {
                    let own = values.by_ref().take(of(pass).len());
                    layer.distances.extend(own);
                }
                Ok(())
            },
        )?;
        Ok(measured)
    }

    /// All rows of the points, sample-major.
    fn images(
        &self,
        samples: &dyn Samples,
        split: Split,
        ids: &[SampleId],
    ) -> Result<Tensor<4>, Fault> {
        let views = samples.probe_views(split, ids, self.views)?;
        if self.pairs == Pairs::Views {
            return Ok(views);
        }
        let [_, channels, height, width] = views.dims();
        let by_point =
            |images: Tensor<4>, rows| images.reshape([ids.len(), rows, channels, height, width]);
        let originals: Tensor<5> = by_point(samples.originals(split, ids)?, 1);
        let rows = self.pairs.rows(self.views);
        let all = Tensor::cat(vec![originals, by_point(views, self.views)], 1);
        Ok(all.reshape([ids.len() * rows, channels, height, width]))
    }

    /// Adds the points of one forward pass.
    fn take(&self, seen: Observation, measured: &mut [Alignment]) -> Result<(), Fault> {
        let rows = self.pairs.rows(self.views);
        let mut transaction = Transaction::default();
        for Alignment { layer, .. } in measured.iter() {
            let outputs = match seen.readings.get(layer, FLAT) {
                Some(outputs) => outputs.clone(),
                None if layer == EMBEDDING => seen.embeddings.clone(),
                None => {
                    return Err(Fault::new(format!(
                        "the model gave no reading at its site {layer:?}"
                    )));
                }
            };
            transaction = transaction.register(differences(outputs, rows, self.distance));
        }
        let failed = |error: String| Fault::new(format!("the distances did not arrive: {error}"));
        let values = transaction.try_execute();
        for (values, alignment) in values
            .map_err(|e| failed(e.to_string()))?
            .into_iter()
            .zip(measured)
        {
            let values = values
                .convert::<f32>()
                .try_into_vec::<f32>()
                .map_err(|e| failed(e.to_string()))?;
            let distances = values
                .chunks_exact(rows * rows)
                .map(|point| mean_distance(point, rows, self.distance, self.pairs));
            alignment.distances.extend(distances);
        }
        Ok(())
    }
}

const FLAT: TapMode = TapMode::Read(Reduce::Flatten);

fn plan(layers: &[Alignment]) -> TapPlan {
    let sites = layers
        .iter()
        .filter(|alignment| alignment.layer != EMBEDDING);
    TapPlan {
        sites: sites
            .map(|alignment| (alignment.layer.clone(), vec![FLAT]))
            .collect(),
    }
}
