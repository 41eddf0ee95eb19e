//! LayerMem of all layers in one probe, compared with its controls.

use afterimage_hooks::Resource;
use afterimage_numeric::Area;
use serde::{Deserialize, Serialize};

use crate::layermem::{Calibrated, LayerMem};

/// LayerMem of every layer, as the last probe found it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerScores {
    /// Epoch of the probe; 0 before training.
    pub epoch: u32,
    /// Step of the probe; 0 before training.
    pub step: u64,
    /// Layers in forward order, the embedding last.
    pub layers: Vec<LayerScore>,
}

/// One layer's memorization with everything that it is compared with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerScore {
    /// Name of the site, or `embedding`.
    pub layer: String,
    /// On candidates, which the reference encoder never saw.
    pub candidates: LayerMem,
    /// On independent points, which the reference encoder alone saw; near the negative of
    /// `candidates`.
    pub independent: LayerMem,
    /// On shared points, which both saw; near 0.
    pub shared: LayerMem,
    /// On held-out points, which neither saw; near 0. Without held-out points there is none.
    pub external: Option<LayerMem>,
    /// LayerMem of the candidates less that of the layer before; none for the first layer.
    pub delta: Option<f64>,
}

impl LayerScore {
    /// LayerMem without what one encoder does better at every point.
    pub fn calibrated(&self) -> Calibrated {
        self.candidates.calibrated(&self.independent)
    }

    /// How well LayerMem tells candidates from held-out points; none without held-out points. Which points an
    /// encoder was trained on is known, so that this measures memorization with a ground truth.
    pub fn area(&self) -> Option<Area> {
        let external = self.external.as_ref()?;
        Some(Area::between(&self.candidates.scores, &external.scores))
    }

    /// How well LayerMem tells candidates from independent points, which the reference saw.
    pub fn area_of_pair(&self) -> Area {
        Area::between(&self.candidates.scores, &self.independent.scores)
    }

    /// The null of [`area`](Self::area): between two sets of held-out points.
    pub fn area_null(&self) -> Option<Area> {
        Some(Area::null(&self.external.as_ref()?.scores))
    }

    /// The sets of points with their scores, in the order of tables.
    pub fn sets(&self) -> impl Iterator<Item = (&'static str, &LayerMem)> {
        [
            ("candidates", Some(&self.candidates)),
            ("independent", Some(&self.independent)),
            ("shared", Some(&self.shared)),
            ("external", self.external.as_ref()),
        ]
        .into_iter()
        .filter_map(|(name, mem)| Some((name, mem?)))
    }
}

impl LayerScores {
    /// The score of `layer`.
    pub fn get(&self, layer: &str) -> Option<&LayerScore> {
        self.layers.iter().find(|score| score.layer == layer)
    }

    /// Fills in ΔLayerMem: what each layer adds to the one right before it, at the grain of the
    /// probed sites. Convolution, norm, pooling and residual sum are sites of their own, so that a
    /// convolution is not blamed for what a norm did.
    pub(crate) fn with_deltas(mut self) -> Self {
        let means: Vec<f64> = self.layers.iter().map(|l| l.candidates.mean).collect();
        for (layer, pair) in self.layers.iter_mut().skip(1).zip(means.windows(2)) {
            layer.delta = Some(pair[1] - pair[0]);
        }
        self
    }
}

impl Resource for LayerScores {
    const NAME: &'static str = "layermem.scores";
}
