//! The plugin `oob-value`: values of samples and cells, out of bag, while the encoder trains.

use afterimage_hooks::{
    CellValues, Declare, EpochEnd, EpochEndCx, Every, Fault, ForwardDone, ForwardDoneCx, Plugin,
    PluginState, RunEnd, RunEndCx, RunStart, RunStartCx, SampleId, SampleValues, Samples, Scope,
    Split, StepDone, StepDoneCx,
};
use serde::{Deserialize, Serialize};

use crate::online::{Batch, CellTally, OnlineValuer, clean_prior};
use crate::plugin::columns::SampleTable;
use crate::plugin::features::{Features, group_sizes, own_pass, training_pass};
use crate::plugin::oob_config::{CellSource, OobValueConfig, Share};
use crate::plugin::oob_report::Report;
use crate::plugin::patches::{Patches, grid};

/// Layout of the state.
const STATE: u32 = 1;
/// Layout of the state where cells are columns of a table: with the table's digest behind it.
const STATE_OF_COLUMNS: u32 = 2;

/// Values training samples and their cells by a bank of small heads beside the model.
///
/// Each head learns from its own bag of the samples and judges the others, each time before it learns
/// (prequentially). Heads have their own optimizer and never touch the model, so that this observer
/// changes no bit of the training. Where the same sample comes again, it is in the same bags.
///
/// It reads labels and provides [`SampleValues`], and [`CellValues`] with `share = "cells"`. Scalars
/// `value/<source>/{mean,doubtful,scored}` and `value/<source>/reliability/{halves,full}`; histograms
/// `value/<source>/samples` and `value/<source>/contrast` (cells of the lowest samples); the picture
/// `value/<source>/lowest`; the table `value/<source>/samples` at each publication, and at the end
/// `value/<source>/cells` and `value/<source>/probabilities`, whose columns cleanlab reads. Where cells are
/// columns of a table, no map of them is laid over the pictures: the text `value/columns/lowest_cells` names
/// the columns that speak most against the label of each lowest sample, and the table
/// `value/columns/by_column` has the mean of each column.
///
/// Sources: Kwon and Zou, ICML 2023; Sun, Shen and Kwon, NeurIPS 2024; see
/// [`OnlineValuer`].
#[derive(Debug)]
pub struct OobValue {
    config: OobValueConfig,
    state: State,
    patches: Option<Patches>,
    /// What it reads anew in each process, where cells are columns of a table.
    table: Option<SampleTable>,
    /// Digest of the table that the run began with.
    began_with: Option<String>,
}

/// What a checkpoint keeps.
#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    valuer: Option<OnlineValuer>,
    features: Option<Features>,
    /// Step of the last publication.
    published: Option<u64>,
}

impl OobValue {
    /// A plugin that has seen nothing.
    pub fn new(config: OobValueConfig) -> Self {
        Self {
            config,
            state: State::default(),
            patches: None,
            table: None,
            began_with: None,
        }
    }

    /// Digest of the table with which the plugin of this `state` began; none where it had read none.
    ///
    /// # Errors
    /// The state of a plugin whose cells are no columns, or of another version.
    pub fn table_of(state: &PluginState) -> Result<Option<String>, Fault> {
        let (_, began): (State, Option<String>) = state.decode(STATE_OF_COLUMNS)?;
        Ok(began)
    }

    /// Reads the table before anything is trained, so that what is wrong with it is told at once.
    fn start(&mut self, cx: &mut RunStartCx<'_>) -> Result<(), Fault> {
        self.open_table(shown(cx.samples)?)
    }

    /// Reads the table, where its columns are the cells and it was not read yet.
    fn open_table(&mut self, samples: &dyn Samples) -> Result<(), Fault> {
        if self.config.cells != CellSource::Columns || self.table.is_some() {
            return Ok(());
        }
        let count = samples.len(Split::Train);
        let name = |id| samples.name(Split::Train, SampleId(id));
        let read = self.config.read_table(count, &name);
        let table = read.map_err(|(key, what)| Fault::new(format!("`{key}`: {what}")))?;
        let digest = table.as_ref().map(|table| table.digest.clone());
        if self.began_with.is_some() && self.began_with != digest {
            return Err(Fault::new("the table was changed while the run went on"));
        }
        (self.table, self.began_with) = (table, digest);
        Ok(())
    }

    fn ask(&mut self, cx: &mut ForwardDoneCx<'_>) -> Result<(), Fault> {
        cx.fetch_embeddings();
        Ok(())
    }

    fn step(&mut self, cx: &mut StepDoneCx<'_>) -> Result<(), Fault> {
        let samples = shown(cx.samples)?;
        let labels = samples.labels(Split::Train, &cx.scope.label_access()?)?;
        let of_batch: Option<Vec<u32>> = cx
            .ids
            .iter()
            .map(|id| labels.of_samples.get(id.0 as usize).copied())
            .collect();
        let of_batch =
            of_batch.ok_or_else(|| Fault::new("a sample of the batch has no label to value"))?;
        let (inputs, cells) = self.inputs(cx, samples)?;
        let seed = cx.scope.random().bits();
        let scored = cx.scope.clock().epoch > self.config.warm_up;
        let count = samples.len(Split::Train);
        let valuer = match &mut self.state.valuer {
            Some(valuer) => valuer,
            none => {
                let settings = self.config.bank(seed);
                let classes = labels.classes.len();
                let kept = self.config.probabilities;
                let made = OnlineValuer::new(settings, count, &cells, classes, kept);
                none.insert(made.map_err(|e| Fault::caused_by("no bank can be made", e))?)
            }
        };
        if (valuer.tally().len(), valuer.tally().cells()) != (count, cells.len()) {
            return Err(Fault::new(
                "the checkpoint holds values of other samples or cells; start the run anew",
            ));
        }
        let ids: Vec<u32> = cx.ids.iter().map(|id| id.0).collect();
        let batch = Batch {
            ids: &ids,
            inputs: &inputs,
            labels: &of_batch,
        };
        valuer
            .step(batch, scored)
            .map_err(|e| Fault::caused_by("the batch cannot be valued", e))
    }

    /// Inputs of the heads for a batch, and how many numbers each cell takes.
    fn inputs(
        &mut self,
        cx: &StepDoneCx<'_>,
        samples: &dyn Samples,
    ) -> Result<(Vec<f32>, Vec<usize>), Fault> {
        self.open_table(samples)?;
        let (config, ids) = (&self.config, cx.ids);
        match config.cells {
            CellSource::Patches => {
                let patches = match &self.patches {
                    Some(patches) => patches,
                    None => {
                        let made = Patches::new(config.patch, config.colour, samples)?;
                        self.patches.insert(made)
                    }
                };
                let cells = vec![patches.numbers(); patches.count()];
                Ok((patches.of(samples, ids)?, cells))
            }
            CellSource::Encoder => {
                let outputs = if config.reads_training_pass() {
                    training_pass(cx.outputs, cx.views, ids)?
                } else {
                    own_pass(cx.model, samples, ids)?
                };
                let channels = outputs.len() / ids.len().max(1);
                let features = self.state.features.get_or_insert_with(|| {
                    Features::new(channels, samples.len(Split::Train), config.average)
                });
                if features.channels() != channels {
                    return Err(Fault::new(format!(
                        "the encoder has {channels} outputs now and had {}; values of changing cells \
                         cannot be added up",
                        features.channels()
                    )));
                }
                let inputs = features.take(ids, outputs, config.average);
                Ok((inputs, group_sizes(channels, config.groups)))
            }
            CellSource::Columns => {
                let table = self.table.as_ref();
                let table = table.ok_or_else(|| Fault::new("`table` names no file"))?;
                let ids: Vec<u32> = ids.iter().map(|id| id.0).collect();
                let inputs = table.columns.of(&ids);
                let inputs = inputs.map_err(|e| Fault::caused_by("a row is missing", e))?;
                Ok((inputs, table.columns.widths()))
            }
        }
    }

    fn share(&mut self, cx: &mut EpochEndCx<'_>) -> Result<(), Fault> {
        let Some(valuer) = &self.state.valuer else {
            return Ok(());
        };
        let (tally, clock) = (valuer.tally(), cx.scope.clock());
        if self.config.share != Share::None {
            cx.scope
                .provide(sample_values(tally, clock.epoch, clock.step))?;
        }
        if self.config.share == Share::Cells {
            let values = (0..tally.len())
                .flat_map(|sample| (0..tally.cells()).map(move |cell| (sample, cell)))
                .map(|(sample, cell)| tally.cell(sample, cell).value as f32)
                .collect();
            let grid = self.grid(cx.samples)?.unwrap_or([1, tally.cells()]);
            cx.scope.provide(CellValues {
                epoch: clock.epoch,
                step: clock.step,
                grid,
                values,
            })?;
        }
        Ok(())
    }

    /// Rows and columns of cells that are patches; asked of the images, not of what a step has made, so
    /// that a resumed run which takes no step any more publishes the same.
    fn grid(&self, samples: Option<&dyn Samples>) -> Result<Option<[usize; 2]>, Fault> {
        match self.config.cells {
            CellSource::Patches => grid(self.config.patch, shown(samples)?).map(Some),
            CellSource::Encoder | CellSource::Columns => Ok(None),
        }
    }

    fn publish(&mut self, cx: &mut EpochEndCx<'_>) -> Result<(), Fault> {
        let samples = cx.samples;
        self.report(&mut cx.scope, samples, false)
    }

    fn finish(&mut self, cx: &mut RunEndCx<'_>) -> Result<(), Fault> {
        let samples = cx.samples;
        self.report(&mut cx.scope, samples, true)
    }

    fn report(
        &mut self,
        scope: &mut Scope<'_>,
        samples: Option<&dyn Samples>,
        last: bool,
    ) -> Result<(), Fault> {
        if self.state.valuer.is_none() {
            return Ok(());
        }
        let samples = shown(samples)?;
        // A resumed run that takes no step any more names columns, too.
        self.open_table(samples)?;
        let Some(valuer) = &self.state.valuer else {
            return Ok(());
        };
        let access = scope.label_access()?;
        let clock = scope.clock();
        let report = Report {
            config: &self.config,
            tally: valuer.tally(),
            values: sample_values(valuer.tally(), clock.epoch, clock.step),
            labels: samples.labels(Split::Train, &access)?,
            grid: self.grid(Some(samples))?,
            columns: self.table.as_ref().map(|table| &table.columns),
        };
        // A run that was stopped in mid-epoch has not published its last steps.
        if !last || self.state.published != Some(clock.step) {
            report.publish(scope, samples)?;
            self.state.published = Some(clock.step);
        }
        if last {
            report.finish(scope);
        }
        Ok(())
    }
}

fn shown(samples: Option<&dyn Samples>) -> Result<&dyn Samples, Fault> {
    samples.ok_or_else(|| {
        Fault::new("oob-value needs images and labels, which this model's host does not show")
    })
}

fn sample_values(tally: &CellTally, epoch: u32, step: u64) -> SampleValues {
    let rows: Vec<_> = (0..tally.len()).map(|sample| tally.row(sample)).collect();
    let values: Vec<f64> = rows.iter().map(|row| row.value).collect();
    let clean = clean_prior(&values);
    SampleValues {
        epoch,
        step,
        values: values.iter().map(|&value| value as f32).collect(),
        standard_errors: rows.iter().map(|row| row.error as f32).collect(),
        counts: rows.iter().map(|row| row.count).collect(),
        clean: clean.iter().map(|&p| p as f32).collect(),
    }
}

impl Plugin for OobValue {
    fn declare(&self, d: &mut Declare<'_, Self>) {
        d.on::<StepDone>(self.config.steps, Self::step)
            .on::<EpochEnd>(Every::Always, Self::share)
            .on::<EpochEnd>(self.config.every, Self::publish)
            .on::<RunEnd>(Every::Always, Self::finish)
            .reads_labels();
        if self.config.cells == CellSource::Columns {
            d.on::<RunStart>(Every::Always, Self::start);
        }
        if self.config.reads_training_pass() {
            d.on::<ForwardDone>(self.config.steps, Self::ask)
                .whole_views("set `pass = \"own\"`, which looks at images of their own");
        }
        if self.config.share != Share::None {
            d.provides::<SampleValues>();
        }
        if self.config.share == Share::Cells {
            d.provides::<CellValues>();
        }
    }

    fn state(&self) -> Result<PluginState, Fault> {
        match self.config.cells {
            CellSource::Patches | CellSource::Encoder => PluginState::encode(STATE, &self.state),
            CellSource::Columns => {
                PluginState::encode(STATE_OF_COLUMNS, &(&self.state, &self.began_with))
            }
        }
    }

    fn restore(&mut self, state: PluginState) -> Result<(), Fault> {
        match self.config.cells {
            CellSource::Patches | CellSource::Encoder => self.state = state.decode(STATE)?,
            CellSource::Columns => {
                let (kept, began): (State, Option<String>) = state.decode(STATE_OF_COLUMNS)?;
                if let Some(began) = &began {
                    let same = self.config.check_table(began);
                    same.map_err(|error| Fault::new(format!("`table`: {error}")))?;
                }
                (self.state, self.began_with) = (kept, began);
            }
        }
        Ok(())
    }
}
