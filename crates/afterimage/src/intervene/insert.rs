//! Inserting memorization: one unit is trained on points that the encoder never saw.

use std::collections::BTreeSet;

use afterimage_data::ViewSource;
use afterimage_hooks::random::{RandomKey, Stream};
use afterimage_hooks::{ModelView, SampleId, Site, Split};
use afterimage_memory::{
    AlignmentGapConfig, Area, EMBEDDING, LayerForm, LayerMemory, Probe, RowOrder, UnitMem,
    UnitMemConfig, UnitState, chosen_of, point_means,
};
use afterimage_model::{EncoderView, Masks, Taps, parameters, step_unit};
use afterimage_ssl::{Objective as _, ObjectiveBatch, Shard};
use afterimage_train::{Checkpoints, SslModel, TrainError, read_model, read_state};
use burn::module::{Module, ParamGroup};
use burn::optim::GradientsParams;
use burn::store::ModuleRecord;
use burn::tensor::{Bytes, Tensor};

use super::insert_limits::{has_room, steps_ascend};
use super::insertion::{InsertedUnit, Insertion, UnitAt};
use crate::error::RunError;
use crate::experiment::Experiment;
use crate::points::fewer;
use crate::prepared::Prepared;
use crate::pulse::Pulse;
use crate::registry::Registry;
use crate::run_dir::RunDir;
use crate::same_images::check_images;

/// Rows of a batch.
const MOST_ROWS: usize = 1 << 15;

/// What is inserted, and into which units.
#[derive(Debug, Clone, PartialEq)]
pub struct InsertOptions {
    /// The run whose last encoder is trained further, with its own objective.
    pub run: std::path::PathBuf,
    /// `KEY=VALUE` over the run's config, such as `data.dir=…`.
    pub sets: Vec<String>,
    /// The site of the units; the last activation by default.
    pub site: Option<String>,
    /// Held-out points that are inserted, at least 1.
    pub points: usize,
    /// Training points that their activations are compared with.
    pub others: usize,
    /// Views of each point when units are measured.
    pub views: usize,
    /// Rows of a batch: a single point is repeated with other views.
    pub batch: usize,
    /// Steps after which units are measured, ascending, at most 1,000,000; 0 is the encoder as it is.
    pub steps: Vec<u64>,
    /// Learning rate of plain gradient descent.
    pub rate: f64,
    /// Counts the steps.
    pub pulse: Pulse,
}

/// Trains one unit at a time on held-out points, by the run's own objective, and measures UnitMem of
/// it over training points and these.
///
/// Only the unit's own weights move: its row of the layer's weight, its bias, its element of the
/// norm; every other value, running statistics and heads included, keeps its bits. Three units are
/// trained, each from the encoder as it is: the one of highest UnitMem, a random one, and the least
/// active one. The published finding is that the first takes points on readily and the last hardly
/// (*Localizing Memorization in SSL Vision Encoders*, NeurIPS 2024, Tables 13 and 14).
///
/// # Errors
/// A run without checkpoint, or with pruned units or frozen layers; a site that the encoder does not
/// have; more points than there are; a rate that is not positive; batches that memory has no room for.
pub fn insert(
    registry: &Registry,
    options: &InsertOptions,
    say: &mut dyn FnMut(&str),
) -> Result<Insertion, RunError> {
    let table = Table::open(registry, options, say)?;
    let mut units = Vec::new();
    say("measuring the units as they are");
    let before = table.measure(&table.model)?;
    let chosen = table.chosen(&before)?;
    let steps = options.steps.last().copied().unwrap_or(0);
    options.pulse.expect(chosen.len() as u64 * steps, "steps");
    for (choice, unit) in chosen {
        let mut model = table.for_unit();
        let mut course = Vec::new();
        let mut done = 0;
        for &steps in &options.steps {
            say(&format!("unit {unit} ({choice}): step {done} to {steps}"));
            for step in done..steps {
                model = table.step(model, unit, step)?;
                options.pulse.add(1);
            }
            done = done.max(steps);
            let measured = table.measure(&model)?;
            course.push(measured.at(unit, steps));
        }
        units.push(InsertedUnit {
            choice,
            unit,
            course,
        });
    }
    Ok(Insertion {
        site: table.site.name.clone(),
        points: table.points.iter().map(|id| id.0).collect(),
        units,
    })
}

/// The run, its encoder and its images.
struct Table<'o> {
    options: &'o InsertOptions,
    experiment: Experiment,
    prepared: Prepared,
    model: SslModel,
    site: Site,
    points: Vec<SampleId>,
    others: Vec<SampleId>,
    /// Held-out points that are not inserted, as many as `others` at most.
    rest: Vec<SampleId>,
}

impl<'o> Table<'o> {
    fn open(
        registry: &Registry,
        options: &'o InsertOptions,
        say: &mut dyn FnMut(&str),
    ) -> Result<Self, RunError> {
        let refuse = |reason: String| RunError::Insert { reason };
        if !(options.rate > 0.0 && options.rate.is_finite()) {
            return Err(refuse(format!("the rate {} is not positive", options.rate)));
        }
        steps_ascend(&options.steps).map_err(refuse)?;
        let directory = RunDir::open_whole(&options.run)?;
        let loaded = registry.load_kept(&directory.config(), &options.sets)?;
        let experiment = loaded.value.clone();
        let checkpoint = Checkpoints::new(directory.checkpoints(), 1, "")
            .last_good()?
            .path;
        if !read_state(&checkpoint)?.masks.is_empty() {
            return Err(refuse("units of the run are pruned".to_owned()));
        }
        if experiment.fine_tune.is_some() {
            return Err(refuse(
                "the run is fine-tuned ([fine_tune]); take the run that it began with".to_owned(),
            ));
        }
        let prepared = Prepared::new(registry, &loaded, None)?;
        let mut notes = Vec::new();
        check_images(directory.path(), &experiment, &prepared.data, &mut notes)?;
        notes.iter().for_each(|note| say(note));
        let record = ModuleRecord::from_bytes(Bytes::from_bytes_vec(read_model(&checkpoint)?))
            .map_err(|error| refuse(format!("the checkpoint cannot be read: {error}")))?;
        let model = prepared.model.clone().load_record(record);
        let site = site(&model, options.site.as_deref()).map_err(refuse)?;
        let held_out = prepared.data.held_out.len();
        let points = options.points.min(held_out);
        let batch = if points == 1 { options.batch } else { points };
        if points == 0 || !(2..=MOST_ROWS).contains(&batch) {
            return Err(refuse(format!(
                "{points} points in batches of {batch}: there are {held_out} held-out images, and a \
                 batch has 2 to {MOST_ROWS} rows"
            )));
        }
        let looks = UnitMemConfig {
            views: options.views,
            ..UnitMemConfig::default()
        };
        if let Some((key, problem)) = looks.problems().into_iter().next() {
            return Err(refuse(format!("--{key}: {problem}")));
        }
        if experiment.device == "cpu" {
            has_room(&model, &prepared, options, batch)?;
        }
        if points < options.points {
            say(&fewer("inserted", "held-out", points, options.points));
        }
        let members = match &prepared.pair {
            Some(sets) => sets.members().to_vec(),
            None => (0..prepared.data.train.len() as u32)
                .map(SampleId)
                .collect(),
        };
        if options.others == 0 {
            return Err(RunError::FewPoints {
                points: options.others,
                train: members.len(),
            });
        }
        if members.len() < options.others {
            say(&fewer("others", "training", members.len(), options.others));
        }
        let all: Vec<SampleId> = (0..held_out as u32).map(SampleId).collect();
        let seed = experiment.seed;
        let points = chosen_of(seed, Split::HeldOut, &all, points);
        let left: Vec<SampleId> = all.into_iter().filter(|id| !points.contains(id)).collect();
        if left.len() < options.others {
            let who = "not inserted, for the areas";
            say(&fewer(who, "held-out", left.len(), options.others));
        }
        Ok(Self {
            rest: chosen_of(seed, Split::HeldOut, &left, options.others),
            points,
            others: chosen_of(seed, Split::Train, &members, options.others),
            options,
            experiment,
            prepared,
            model,
            site,
        })
    }

    /// The units that are trained: by UnitMem, at random, by activation.
    fn chosen(&self, measured: &Seen) -> Result<[(&'static str, usize); 3], RunError> {
        let unitmem = UnitMem::paper(&measured.others);
        let score = |unit: usize| unitmem.scores()[unit].value().unwrap_or(0.0);
        let sum = |unit: usize| measured.others.sum(unit);
        let units = self.site.units;
        let highest = (0..units).max_by(|&a, &b| score(a).total_cmp(&score(b)).then(b.cmp(&a)));
        let least = (0..units).min_by(|&a, &b| sum(a).total_cmp(&sum(b)).then(a.cmp(&b)));
        let (Some(highest), Some(least)) = (highest, least) else {
            return Err(RunError::Insert {
                reason: format!("{} has no units", self.site.name),
            });
        };
        let mut rest: Vec<usize> = (0..units)
            .filter(|u| *u != highest && *u != least)
            .collect();
        RandomKey::new(self.experiment.seed, Stream::Layers)
            .generator()
            .shuffle(&mut rest);
        Ok([
            ("highest", highest),
            ("random", rest.first().copied().unwrap_or(highest)),
            ("least active", least),
        ])
    }

    /// The model with everything frozen but the layer of the site. Its norm uses running statistics
    /// too: those of a batch of one point would move the other units.
    fn for_unit(&self) -> SslModel {
        let own = &self.site.produced_by;
        let all = parameters(&self.model).into_iter();
        let mut frozen = Vec::new();
        for parameter in all {
            if let Some(norm) = parameter.path.strip_suffix(".gamma") {
                frozen.push(format!("{norm}.training"));
            }
            if !own.contains(&parameter.path) {
                frozen.push(parameter.path);
            }
        }
        self.model
            .clone()
            .freeze_group(ParamGroup::from_paths(frozen))
    }

    /// One step of `unit` on the points.
    fn step(&self, model: SslModel, unit: usize, step: u64) -> Result<SslModel, RunError> {
        let views = model.objective().views();
        let batch = self.batch(views, step)?;
        let output = model
            .objective()
            .forward(model.encoder(), batch, &mut Taps::none());
        let mut gradients = output.loss.backward();
        let gradients = GradientsParams::from_module(&mut gradients, &model);
        let paths: BTreeSet<String> = self.site.produced_by.iter().cloned().collect();
        Ok(step_unit(
            model,
            &gradients,
            &paths,
            unit,
            self.options.rate,
        ))
    }

    /// The points of one step, with views of its own.
    fn batch(&self, views: usize, step: u64) -> Result<ObjectiveBatch, RunError> {
        let epoch = step as u32 + 1;
        let data = &self.prepared.data;
        let source = ViewSource::new(data.clone(), Split::HeldOut, self.prepared.views.clone());
        let copies = if self.points.len() == 1 {
            self.options.batch
        } else {
            1
        };
        let ids: Vec<SampleId> = (0..copies).flat_map(|_| self.points.clone()).collect();
        // Other views for each copy of a point.
        let images = source.batch(&self.points, epoch, views * copies)?;
        let device = self.prepared.device.clone().autodiff();
        let shape = images.shape;
        let local = match &self.prepared.local {
            Some((local, count)) => {
                let source = ViewSource::new(data.clone(), Split::HeldOut, local.clone())
                    .starting_at((views * copies) as u32);
                Some(
                    source
                        .batch(&self.points, epoch, count * copies)?
                        .into_tensor(&device),
                )
            }
            None => None,
        };
        let labels: Vec<i64> = ids
            .iter()
            .map(|id| i64::from(data.held_out.labels()[id.0 as usize]))
            .collect();
        debug_assert_eq!(shape[0], views * ids.len());
        let labels = Tensor::from_data(labels.as_slice(), &device);
        Ok(ObjectiveBatch {
            ids,
            epoch,
            pace: 1,
            images: images.into_tensor(&device),
            local,
            labels: Some(labels),
            shard: Shard::WHOLE,
        })
    }

    /// The activations of the site's units on both kinds of points.
    fn measure(&self, model: &SslModel) -> Result<Seen, RunError> {
        let config = UnitMemConfig {
            sites: self.site.name.clone(),
            ..UnitMemConfig::default()
        };
        let probe = Probe {
            tap: config.tap(),
            form: config.form,
            views: self.options.views,
            batch: config.batch,
        };
        let view = EncoderView::new(model.encoder(), &Masks::none());
        let store = afterimage_data::SampleStore::new(
            self.prepared.data.clone(),
            self.prepared.views.clone(),
            self.prepared.device.clone(),
        );
        let state = |split, points: &[SampleId]| -> Result<UnitState, RunError> {
            let mut state = UnitState::new(self.site.units);
            let units = self.site.units;
            probe
                .scan(&view, &store, split, points, |_, ids, rows| {
                    let order = RowOrder::SampleMajor;
                    let means = point_means(rows, ids.len(), probe.views, units, order)?;
                    // Ids of the two splits would fall together.
                    let offset = match split {
                        Split::Train => 0,
                        Split::HeldOut => self.prepared.data.train.len() as u32,
                    };
                    let ids: Vec<SampleId> = ids.iter().map(|id| SampleId(id.0 + offset)).collect();
                    state.update(&ids, &means)
                })
                .map_err(TrainError::Evaluation)?;
            Ok(state)
        };
        let [inserted_area, others_area] = self.areas(&view, &store)?;
        Ok(Seen {
            others: state(Split::Train, &self.others)?,
            inserted: state(Split::HeldOut, &self.points)?,
            inserted_area,
            others_area,
        })
    }

    /// The areas of nearness at the embedding: inserted points, and training points, against held-out
    /// points that were not inserted.
    fn areas(
        &self,
        view: &dyn ModelView,
        store: &afterimage_data::SampleStore,
    ) -> Result<[Area; 2], RunError> {
        let probe = AlignmentGapConfig {
            sites: self.site.name.clone(),
            // A distance is between two views.
            views: self.options.views.max(2),
            ..AlignmentGapConfig::default()
        }
        .probe();
        let distances = |split, ids: &[SampleId]| -> Result<Vec<f64>, RunError> {
            let mut layers = probe
                .measure(&[view], store, split, ids)
                .map_err(TrainError::Evaluation)?;
            let embedding = layers.pop().and_then(|mut layers| layers.pop());
            Ok(embedding.map(|layer| layer.distances).unwrap_or_default())
        };
        let rest = distances(Split::HeldOut, &self.rest)?;
        let area = |own: &[f64]| -> Result<Area, RunError> {
            let memory = LayerMemory::new(EMBEDDING, LayerForm::Paper, [own, &rest, &[]], None);
            Ok(memory.map_err(TrainError::Evaluation)?.gap_area)
        };
        Ok([
            area(&distances(Split::HeldOut, &self.points)?)?,
            area(&distances(Split::Train, &self.others)?)?,
        ])
    }
}

/// What the site's units answered.
struct Seen {
    others: UnitState,
    inserted: UnitState,
    inserted_area: Area,
    others_area: Area,
}

impl Seen {
    fn at(&self, unit: usize, steps: u64) -> UnitAt {
        let mut all = self.others.clone();
        // Both have the units of one site.
        let merged = all.merge(&self.inserted).is_ok();
        debug_assert!(merged);
        let mean = |state: &UnitState| state.sum(unit) / state.points() as f64;
        UnitAt {
            steps,
            unitmem: UnitMem::paper(&all).scores()[unit].value(),
            owned: self.inserted.highest()[unit] > self.others.highest()[unit],
            inserted: mean(&self.inserted),
            others: mean(&self.others),
            inserted_area: self.inserted_area,
            others_area: self.others_area,
        }
    }
}

/// The named site, or the last activation.
fn site(model: &SslModel, name: Option<&str>) -> Result<Site, String> {
    use afterimage_model::Encoder as _;
    let sites = model.encoder().sites();
    let probed: Vec<&Site> = sites
        .iter()
        .filter(|site| UnitMemConfig::default().tap().matches(site))
        .collect();
    let found = match name {
        Some(name) => probed.iter().find(|site| site.name == name),
        None => probed.last(),
    };
    found.map(|site| (*site).clone()).ok_or_else(|| {
        let names: Vec<&str> = probed.iter().map(|site| site.name.as_str()).collect();
        format!(
            "the encoder has no site {:?}; UnitMem is measured at {}",
            name.unwrap_or("of that kind"),
            names.join(", ")
        )
    })
}
