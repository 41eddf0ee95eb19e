//! Operations on the learner between steps: clearing pruned units, taking them out, freezing.
//!
//! A `Learner` keeps its optimizer to itself, so that each operation goes the way of a resume: the
//! records are taken out, changed, and loaded again. A run that is killed afterwards goes on from the
//! same bytes.

use std::collections::BTreeMap;

use afterimage_hooks::{SampleId, Split, TapPlan, glob};
use afterimage_model::compact::{Cuts, Group, Kept, cut, difference};
use afterimage_model::{Masks, ModelError};
use burn::module::ParamGroup;
use burn::tensor::{Bytes, Tensor};
use burn::train::{Learner, LearnerModel};
use burn_pack::{Reader, Writer};

use crate::canonical::parameter_ids;
use crate::checkpoint::Shape;
use crate::driver::{Who, parameters};
use crate::error::TrainError;
use crate::records::LearnerBytes;
use crate::saving::load_learner;
use crate::training::Training;

/// Samples that a smaller model is checked on.
const PROBED: u32 = 16;
/// What a request says to a program that gave the loop no learner to put in place.
const NO_REBUILD: &str = "this program gives the loop no new learner; call `Afterimage::rebuild` \
                          and `Afterimage::checkpoints`";

impl<M: LearnerModel> Training<M> {
    /// Sets parameters that pruned units leave without effect to zero, and the optimizer's state for
    /// them: with neither value nor gradient nor momentum, weight decay included, they stay there.
    pub(crate) fn clear_pruned(&mut self) -> Result<(), TrainError> {
        let groups = self.groups();
        let dead = Cuts::without_effect(&groups, &self.state.masks);
        if dead.is_empty() {
            return Ok(());
        }
        let Some(bytes) = self.learner_bytes()? else {
            tracing::warn!(
                "pruned units put out zeros, but momentum and weight decay still move the \
                 parameters behind them: only a run with checkpoints can clear them"
            );
            return Ok(());
        };
        let zero = |path: &str, bytes: &mut Vec<u8>, shape: &mut Vec<usize>| {
            // Running statistics are no parameters: nothing trains them.
            if !(path.ends_with(".running_mean") || path.ends_with(".running_var")) {
                dead.fill(path, bytes, shape, 0)?;
            }
            Ok(Keep::Yes)
        };
        let cleared = self.edited(bytes, zero)?;
        load_learner(&mut self.learner, cleared)?;
        self.refresh();
        Ok(())
    }

    /// Takes the units out that are masked for all who read them; says what became of the model.
    pub(crate) fn compact(&mut self) -> Result<String, Refusal> {
        let groups = self.groups();
        let kept = Kept::without_pruned(&groups, &self.state.masks, true);
        if kept.is_everything() {
            return Err(ModelError::NothingPruned.into());
        }
        let masks = kept.masks(&groups, &self.state.masks)?;
        let smaller = self.cut(&groups, &kept)?;
        self.compare(&smaller, &masks)?;
        let count = |shapes: &[(String, burn::module::ParamId, Vec<usize>)]| -> usize {
            let of = |(_, _, shape): &(String, burn::module::ParamId, Vec<usize>)| {
                shape.iter().product::<usize>()
            };
            shapes.iter().map(of).sum()
        };
        let before = count(&self.parameters);
        let bytes = self
            .learner_bytes()?
            .ok_or(Refusal::No(NO_REBUILD.to_owned()))?;
        let cuts = kept.cuts(&groups);
        let bytes = self.edited(bytes, |path, bytes, shape| {
            if let Some((values, cut)) = cuts.cut(path, bytes, shape)? {
                (*bytes, *shape) = (values, cut);
            }
            Ok(Keep::Yes)
        })?;
        let groups = self.shape.groups.then(&kept)?;
        self.rebuild(smaller)?;
        load_learner(&mut self.learner, bytes)?;
        self.state.masks = masks;
        self.shape.groups = groups;
        self.refresh();
        Ok(format!(
            "{} units of {} groups are gone; {before} values became {}",
            kept.removed(),
            kept.iter().count(),
            count(&self.parameters)
        ))
    }

    /// Stops training the parameters whose path matches `pattern`, in a reference encoder as well;
    /// says how many.
    pub(crate) fn freeze(&mut self, pattern: &str) -> Result<String, Refusal> {
        let matches = |path: &&String| {
            let own = path.strip_prefix("reference.").unwrap_or(path);
            glob(pattern, own)
        };
        let all: Vec<String> = self
            .parameters
            .iter()
            .map(|(path, ..)| path.clone())
            .collect();
        let paths: Vec<String> = all.iter().filter(matches).cloned().collect();
        if paths.is_empty() {
            return Err(Refusal::No(format!("no parameter matches {pattern:?}")));
        }
        let bytes = self
            .learner_bytes()?
            .ok_or(Refusal::No(NO_REBUILD.to_owned()))?;
        let frozen: Vec<String> = paths
            .iter()
            .filter(|path| !self.shape.frozen.contains(path))
            .cloned()
            .collect();
        let mut gone = self.shape.frozen.clone();
        gone.extend(frozen);
        self.rebuild(freeze(self.learner.model(), &gone))?;
        let optimizer = edit(bytes.optimizer, &mut |name, _, _| {
            let path = named(name, &all).map(|(path, _)| path);
            Ok(match path {
                Some(path) if gone.contains(path) => Keep::No,
                _ => Keep::Yes,
            })
        })?;
        load_learner(&mut self.learner, LearnerBytes { optimizer, ..bytes })?;
        self.shape.frozen = gone;
        self.refresh();
        Ok(format!("{} parameters are trained no more", paths.len()))
    }

    /// Makes the fresh model of a resumed run what it was at its checkpoint, before values are loaded.
    pub(crate) fn reshape(&mut self, shape: Shape) -> Result<(), TrainError> {
        let Shape {
            groups: kept,
            frozen,
        } = &shape;
        let gone = kept.since(&self.shape.groups)?;
        if gone.is_everything() && frozen.is_empty() {
            return Ok(());
        }
        let mut model = self.learner.model();
        if !gone.is_everything() {
            let groups = self.groups();
            gone.check(&groups)?;
            model = self.cut(&groups, &gone)?;
        }
        self.rebuild(freeze(model, frozen))
            .map_err(|refusal| match refusal {
                Refusal::No(reason) => TrainError::Attach(reason),
                Refusal::Failed(error) => error,
            })?;
        self.shape = shape;
        Ok(())
    }

    /// Takes note of the parameters and sites that the model has now.
    pub(crate) fn refresh(&mut self) {
        let model = self.learner.model();
        self.parameters = parameter_ids(&model);
        self.run.sites = self.parts.driver.sites(&model);
        self.run.parameters = parameters(&model);
    }

    fn groups(&self) -> Vec<Group> {
        self.parts.driver.groups(&self.learner.model())
    }

    fn cut(&self, groups: &[Group], kept: &Kept) -> Result<M, ModelError> {
        let driver = &self.parts.driver;
        let cuts = kept.cuts(groups);
        cut(&self.learner.model(), &cuts, |path| driver.in_encoder(path))
    }

    fn rebuild(&mut self, model: M) -> Result<(), Refusal> {
        let rebuild = self.parts.rebuild.as_ref();
        let rebuild = rebuild.ok_or(Refusal::No(NO_REBUILD.to_owned()))?;
        self.learner = rebuild(model);
        Ok(())
    }

    /// Checks that `smaller` under `masks` says what the model says, on training samples.
    fn compare(&self, smaller: &M, masks: &Masks) -> Result<(), Refusal> {
        let no = |reason: &str| Refusal::No(reason.to_owned());
        let samples = self.parts.samples.as_deref();
        let samples = samples.ok_or_else(|| no("there are no samples to check the model on"))?;
        let ids: Vec<SampleId> = (0..(samples.len(Split::Train) as u32).min(PROBED))
            .map(SampleId)
            .collect();
        let failed = |fault: afterimage_hooks::Fault| Refusal::No(fault.to_string());
        let images = samples.originals(Split::Train, &ids).map_err(failed)?;
        let model = self.learner.model();
        let mut who = vec![Who::Studied];
        if self.parts.driver.has_reference(&model) {
            who.push(Who::Reference);
        }
        let (model, smaller) = (model.valid(), smaller.valid());
        for who in who {
            let see = |model: &M, masks: &Masks| -> Result<Tensor<2>, Refusal> {
                let taps = TapPlan::default();
                let seen = self
                    .parts
                    .driver
                    .observe(model, who, images.clone(), &taps, masks);
                Ok(seen.map_err(failed)?.embeddings)
            };
            difference(see(&model, &self.state.masks)?, see(&smaller, masks)?, None)?;
        }
        Ok(())
    }

    /// The learner's bytes, where the loop can get at them.
    fn learner_bytes(&mut self) -> Result<Option<LearnerBytes>, TrainError> {
        let components = &mut self.burn.components;
        match (&self.records, &mut components.checkpointer) {
            (Some(records), Some(checkpointer)) => records
                .take(&self.learner, checkpointer, &components.store)
                .map(Some),
            _ => Ok(None),
        }
    }

    /// `bytes` with each tensor of a copy of the encoder, and what the optimizer keeps for it, changed
    /// by `change`, which is told the path in the encoder.
    fn edited(
        &self,
        bytes: LearnerBytes,
        mut change: impl FnMut(&str, &mut Vec<u8>, &mut Vec<usize>) -> Result<Keep, ModelError>,
    ) -> Result<LearnerBytes, TrainError> {
        let driver = &self.parts.driver;
        let all: Vec<String> = self
            .parameters
            .iter()
            .map(|(path, ..)| path.clone())
            .collect();
        let model = edit(
            bytes.model,
            &mut |path, bytes, shape| match driver.in_encoder(path) {
                Some(path) => change(&path, bytes, shape),
                None => Ok(Keep::Yes),
            },
        )?;
        let optimizer = edit(bytes.optimizer, &mut |name, bytes, shape| {
            let path = named(name, &all).and_then(|(path, _)| driver.in_encoder(path));
            match path {
                Some(path) => change(&path, bytes, shape),
                None => Ok(Keep::Yes),
            }
        })?;
        Ok(LearnerBytes {
            model,
            optimizer,
            ..bytes
        })
    }
}

/// Why an operation is not done.
pub(crate) enum Refusal {
    /// It is not possible; the run goes on.
    No(String),
    /// Something broke.
    Failed(TrainError),
}

impl From<ModelError> for Refusal {
    fn from(error: ModelError) -> Self {
        Self::No(error.to_string())
    }
}

impl From<TrainError> for Refusal {
    fn from(error: TrainError) -> Self {
        Self::Failed(error)
    }
}

/// Whether a tensor stays in a record.
#[derive(PartialEq, Eq)]
enum Keep {
    Yes,
    No,
}

/// The parameter that the optimizer's tensor `name` belongs to, by its number in path order, and the
/// rest of the name.
fn named<'p, 'n>(name: &'n str, paths: &'p [String]) -> Option<(&'p String, &'n str)> {
    let (number, rest) = name.split_once('.').unwrap_or((name, ""));
    let mut sorted: Vec<&String> = paths.iter().collect();
    sorted.sort_unstable();
    Some((*sorted.get(number.parse::<usize>().ok()?)?, rest))
}

/// A tensor's change: its name, bytes and shape.
type Change<'c> = dyn FnMut(&str, &mut Vec<u8>, &mut Vec<usize>) -> Result<Keep, ModelError> + 'c;

/// A record with every tensor changed; scalars and metadata of tensors that go, go with them.
fn edit(bytes: Vec<u8>, change: &mut Change<'_>) -> Result<Vec<u8>, TrainError> {
    let failed = |reason: burn_pack::Error| TrainError::Record {
        what: "learner",
        reason: reason.to_string(),
    };
    let reader = Reader::from_bytes(Bytes::from_bytes_vec(bytes)).map_err(failed)?;
    let scalars = reader.scalars().clone();
    let metadata = reader.metadata().clone();
    let (mut tensors, mut gone) = (Vec::new(), Vec::new());
    for tensor in reader.into_tensors().map_err(failed)? {
        let (name, dtype, shape, id, bytes) = tensor.into_parts().map_err(failed)?;
        let (mut values, mut shape) = (bytes.to_vec(), shape.to_vec());
        if change(&name, &mut values, &mut shape)? == Keep::No {
            gone.push(first(&name).to_owned());
            continue;
        }
        let bytes = Bytes::from_bytes_vec(values);
        tensors.push(burn_pack::Tensor::new(name, dtype, shape, id, bytes));
    }
    let stays = |key: &str| !gone.iter().any(|name| name == first(key));
    let mut writer = Writer::new(tensors);
    let scalars: BTreeMap<_, _> = scalars.into_iter().collect();
    for (key, value) in scalars.into_iter().filter(|(key, _)| stays(key)) {
        writer = writer.with_scalar(&key, value);
    }
    for (key, value) in metadata.into_iter().filter(|(key, _)| stays(key)) {
        writer = writer.with_metadata(&key, &value);
    }
    writer
        .into_bytes()
        .map(|bytes| bytes.to_vec())
        .map_err(failed)
}

fn first(name: &str) -> &str {
    name.split_once('.').map_or(name, |(first, _)| first)
}

/// `model` with these parameters trained no more, and their batch norms on running statistics.
fn freeze<M: LearnerModel>(model: M, paths: &[String]) -> M {
    if paths.is_empty() {
        return model;
    }
    let flags = paths.iter().filter_map(|path| {
        let norm = path.strip_suffix(".gamma")?;
        Some(format!("{norm}.training"))
    });
    let all: Vec<String> = paths.iter().cloned().chain(flags).collect();
    model.freeze_group(ParamGroup::from_paths(all))
}

/// Makes a learner of a model, with an optimizer and a schedule that have done nothing.
pub(crate) type Rebuild<M> = Box<dyn Fn(M) -> Learner<M>>;
