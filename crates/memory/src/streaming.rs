//! The plugin `unitmem-streaming`: UnitMem of the training views, at no extra forward pass.

use std::collections::{BTreeMap, BTreeSet};

use afterimage_hooks::{
    Declare, EpochEnd, EpochEndCx, Every, Fault, ForwardDone, ForwardDoneCx, Plugin, PluginState,
    RunStart, RunStartCx, SampleId, SiteKind, StepDone, StepDoneCx, TapMode, TapSpec,
};
use serde::{Deserialize, Serialize};

use crate::activation_map::ActMap;
use crate::probe::same_units;
use crate::publish::{Publisher, SiteReport};
use crate::site_points::SitePoints;
use crate::unitmem::{Form, UnitMem};
use crate::views::{RowOrder, point_means};

/// Version of the layout of the plugin's state.
const STATE: u32 = 1;

/// Settings of [`UnitMemStreaming`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StreamingConfig {
    /// In which steps or epochs to listen; default `"1 epochs"`, all the time. What was heard is
    /// published at the end of each epoch.
    pub every: Every,
    /// Glob over site names; default `"encoder.*"`.
    pub sites: String,
    /// Kinds of sites; default `["activation"]`, the outputs of blocks; empty for all.
    pub kinds: Vec<SiteKind>,
    /// What is done to activations before the mean over positions; default `"raw"`.
    pub map: ActMap,
    /// Mean or median over the other points; default `"paper"`, the mean. The median keeps
    /// `samples · units` numbers of 4 bytes, in checkpoints too.
    pub form: Form,
}

impl Default for StreamingConfig {
    fn default() -> Self {
        Self {
            every: Every::epochs::<1>(),
            sites: "encoder.*".to_owned(),
            kinds: vec![SiteKind::Activation],
            map: ActMap::Raw,
            form: Form::Paper,
        }
    }
}

impl StreamingConfig {
    fn mode(&self) -> TapMode {
        TapMode::Read(self.map.reduce())
    }

    fn tap(&self) -> TapSpec {
        self.map.tap(&self.sites, &self.kinds)
    }
}

/// Listens to the training forward pass and publishes UnitMem of each epoch.
///
/// It costs no forward pass, and is not the exact probe: batch normalisation is in training mode,
/// weights drift during the epoch, a point has the few views of a training step, and there is no
/// null beside it. Its tags begin with `unitmem_streaming/`; read it against itself over epochs.
///
/// A sample counts with its first appearance in an epoch; later ones are counted in
/// `unitmem_streaming/repeats`. A change of the number of units in the middle of an epoch starts the
/// epoch's points anew.
#[derive(Debug)]
pub struct UnitMemStreaming {
    config: StreamingConfig,
    heard: Heard,
    last: BTreeMap<String, UnitMem>,
}

/// What was heard in this epoch.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Heard {
    points: BTreeSet<SampleId>,
    repeats: u64,
    views: usize,
    sites: BTreeMap<String, SitePoints>,
}

impl UnitMemStreaming {
    /// A listener that has heard nothing.
    pub fn new(config: StreamingConfig) -> Self {
        Self {
            config,
            heard: Heard::default(),
            last: BTreeMap::new(),
        }
    }

    fn start(&mut self, cx: &mut RunStartCx<'_>) -> Result<(), Fault> {
        let views = cx.run().views;
        cx.text(
            "unitmem_streaming/about",
            format!(
                "UnitMem from the training forward pass: batch normalisation in training mode, \
                 weights that drift during the epoch, {views} views a point, no null. Its level \
                 cannot be compared with `unitmem/`."
            ),
        );
        Ok(())
    }

    fn ask(&mut self, cx: &mut ForwardDoneCx<'_>) -> Result<(), Fault> {
        cx.fetch(self.config.mode());
        Ok(())
    }

    fn collect(&mut self, cx: &mut StepDoneCx<'_>) -> Result<(), Fault> {
        let (ids, views) = (cx.ids, cx.views);
        let tap = self.config.tap();
        let mut blocks = Vec::new();
        for site in cx.model.sites().iter().filter(|site| tap.matches(site)) {
            let rows = cx
                .fetched
                .get(&site.name, tap.mode)
                .ok_or_else(|| Fault::new(format!("no reading of site {:?} arrived", site.name)))?;
            // A compaction at the end of this step must not be mistaken for the forward's width.
            let units = rows.len().checked_div(ids.len() * views).unwrap_or(0);
            let means = point_means(rows, ids.len(), views, units, RowOrder::ViewMajor)
                .map_err(|e| Fault::caused_by(format!("site {:?}", site.name), e))?;
            blocks.push((site.name.as_str(), units, means));
        }
        self.heard.take(self.config.form, views, ids, &blocks)
    }

    fn publish(&mut self, cx: &mut EpochEndCx<'_>) -> Result<(), Fault> {
        let heard = std::mem::take(&mut self.heard);
        if heard.points.len() < 2 {
            return Ok(());
        }
        let forward_order = cx.model.sites().iter();
        let scores: Vec<(&str, &SitePoints, UnitMem)> = forward_order
            .filter_map(|site| heard.sites.get_key_value(&site.name))
            .map(|(site, points)| (site.as_str(), points, points.unitmem()))
            .collect();
        let reports: Vec<SiteReport<'_>> = scores
            .iter()
            .map(|(site, points, scores)| SiteReport {
                site,
                points,
                scores,
                held_out: None,
                initial: None,
                last: same_units(&self.last, site, scores),
                detail: None,
            })
            .collect();
        let publisher = Publisher {
            prefix: "unitmem_streaming",
            map: self.config.map,
            views: heard.views,
            pictures: None,
        };
        publisher.publish(&mut cx.scope, &reports)?;
        cx.scalar("unitmem_streaming/points", heard.points.len() as f64);
        cx.scalar("unitmem_streaming/repeats", heard.repeats as f64);
        self.last = scores
            .into_iter()
            .map(|(site, _, scores)| (site.to_owned(), scores))
            .collect();
        Ok(())
    }
}

impl Heard {
    /// Takes a batch: (site, units, means `[ids, units]`) for each site.
    fn take(
        &mut self,
        form: Form,
        views: usize,
        ids: &[SampleId],
        blocks: &[(&str, usize, Vec<f32>)],
    ) -> Result<(), Fault> {
        let other_units = |(site, units, _): &(&str, usize, Vec<f32>)| {
            let points = self.sites.get(*site);
            points.is_some_and(|points| points.state().units() != *units)
        };
        if blocks.iter().any(other_units) {
            *self = Self::default();
        }
        self.views = views;
        let fresh: Vec<usize> = (0..ids.len())
            .filter(|&at| self.points.insert(ids[at]))
            .collect();
        self.repeats += (ids.len() - fresh.len()) as u64;
        let fresh_ids: Vec<SampleId> = fresh.iter().map(|&at| ids[at]).collect();
        for (site, units, means) in blocks {
            let rows: Vec<f32> = fresh
                .iter()
                .flat_map(|at| &means[at * units..][..*units])
                .copied()
                .collect();
            self.sites
                .entry((*site).to_owned())
                .or_insert_with(|| SitePoints::new(form, *units))
                .update(&fresh_ids, &rows)
                .map_err(|e| Fault::caused_by(format!("site {site:?}"), e))?;
        }
        Ok(())
    }
}

impl Plugin for UnitMemStreaming {
    fn declare(&self, d: &mut Declare<'_, Self>) {
        d.taps(self.config.tap())
            .on::<RunStart>(Every::Always, Self::start)
            .on::<ForwardDone>(self.config.every, Self::ask)
            .on::<StepDone>(self.config.every, Self::collect)
            .on::<EpochEnd>(Every::Always, Self::publish);
    }

    fn state(&self) -> Result<PluginState, Fault> {
        PluginState::encode(STATE, &(&self.heard, &self.last))
    }

    fn restore(&mut self, state: PluginState) -> Result<(), Fault> {
        (self.heard, self.last) = state.decode(STATE)?;
        Ok(())
    }
}
