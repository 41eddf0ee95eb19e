//! The images at hand with what a run did to its own: sets of points, wrong labels, planted images.

use std::path::{Path, PathBuf};

use afterimage_data::DataSet;
use afterimage_hooks::{Doses, PairSets, SampleId, Split};

use super::ProbeConfig;
use super::subject::Subject;
use crate::doses::plant;
use crate::error::RunError;
use crate::experiment::Experiment;
use crate::run_dir::RunDir;
use crate::same_images::{KeptImages, Others, refuse, told_of_held_out, told_of_training};

/// What becomes of a run whose sets of points hang on other training images than those at hand.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum OnOthers {
    /// It is refused.
    Refuse,
    /// Its sets are set aside: nothing is measured on them.
    SetAside,
}

/// Images, and what is known of them.
pub(super) struct Own {
    pub(super) data: DataSet,
    /// The sets of points of a run that trained a reference encoder beside.
    pub(super) pair: Option<PairSets>,
    /// Training images that were planted.
    pub(super) doses: Option<Doses>,
}

impl Own {
    /// Reads the images of `config`, with the wrong labels and planted images that the run of `subject` gave
    /// them; what there is to say goes to `notes`.
    ///
    /// # Errors
    /// Images that cannot be read; more candidates or doses than there is room for; as `on_others` says,
    /// other training images than a run's whose sets of points hang on them.
    pub(super) fn read(
        subject: &Subject,
        config: &ProbeConfig,
        on_others: OnOthers,
        notes: &mut Vec<String>,
    ) -> Result<Self, RunError> {
        let run = subject.of_its_run();
        // Points, labels and pictures of a run are those of its seed, whatever the probe's is.
        let seed = run.map_or(config.seed, |(_, experiment)| experiment.seed);
        let mut data = config.data.load_telling(config.limits, notes)?;
        if let Some(noise) = &config.label_noise {
            data = noise.apply(data, seed)?;
        }
        match run {
            Some((checkpoint, experiment)) => {
                Self::of_run(checkpoint, experiment, config, data, on_others, notes)
            }
            None => Self::of_none(subject, config, data, notes),
        }
    }

    fn of_run(
        checkpoint: &Path,
        experiment: &Experiment,
        config: &ProbeConfig,
        data: DataSet,
        on_others: OnOthers,
        notes: &mut Vec<String>,
    ) -> Result<Self, RunError> {
        let directory = run_of(checkpoint);
        let kept = directory.as_deref().and_then(KeptImages::of);
        let by_settings = others_by_settings(experiment, config);
        // Sets out of another number of images are others; they may not even fit.
        let fits = match &kept {
            Some(kept) => kept.trained().is_none_or(|had| had == data.train.len()),
            None => by_settings.is_none(),
        };
        let (pair, doses) = match fits {
            true => chosen(experiment, config, data.train.len())?,
            false => (None, None),
        };
        let planted = doses.as_ref();
        let planted = planted.map(|doses| plant(data.clone(), doses, experiment.seed));
        let planted = planted.transpose()?;
        let at_hand = planted.as_ref().unwrap_or(&data);
        let others = match &kept {
            Some(kept) => kept.others(Split::Train, at_hand),
            None => by_settings,
        };
        if kept.is_none() && others.is_none() {
            tell(notes, UNKNOWN.to_owned());
        }
        if let Some(told) = kept
            .as_ref()
            .and_then(|kept| told_of_held_out(kept, at_hand))
        {
            tell(notes, told);
        }
        let Some(others) = others else {
            let data = planted.unwrap_or(data);
            return Ok(Self { data, pair, doses });
        };
        let run = directory.as_deref().unwrap_or(checkpoint);
        if on_others == OnOthers::Refuse {
            refuse(run, experiment, others)?;
        }
        tell(notes, told_of_training(others));
        if config.doses.is_some() {
            tell(notes, UNPLANTED.to_owned());
        }
        Ok(Self::bare(data))
    }

    /// Images of which nothing is known.
    fn bare(data: DataSet) -> Self {
        Self {
            data,
            pair: None,
            doses: None,
        }
    }

    /// For an encoder whose run is not at hand.
    fn of_none(
        subject: &Subject,
        config: &ProbeConfig,
        data: DataSet,
        notes: &mut Vec<String>,
    ) -> Result<Self, RunError> {
        let mut own = Self::bare(data);
        match &config.doses {
            Some(doses) if subject.is_foreign() => {
                let chosen = doses.choose(own.data.train.len(), None, config.seed)?;
                own.data = plant(own.data, &chosen, config.seed)?;
                own.doses = Some(chosen);
            }
            Some(_) => notes.push(UNPLANTED.to_owned()),
            None => {}
        }
        Ok(own)
    }
}

/// What there is to say of a reference encoder whose run was trained on `candidates`, too: of these LayerMem says
/// nothing.
pub(super) fn told_of_reference(
    reference: &Subject,
    data: &DataSet,
    candidates: &[SampleId],
) -> Option<String> {
    let (checkpoint, experiment) = reference.of_its_run()?;
    let kept = KeptImages::of(&run_of(checkpoint)?)?;
    let count = kept.trained()?;
    let sets = experiment
        .pair
        .and_then(|pair| pair.sets(count, experiment.seed).ok());
    let members = sets.map(|sets| sets.members());
    let saw = kept.saw(members.as_deref(), data, candidates)?;
    (saw > 0).then(|| {
        format!(
            "--reference: its run was trained on {saw} of the {} candidates, too, by their names; LayerMem \
             of these tells nothing of memory: give an encoder that never saw them",
            candidates.len()
        )
    })
}

/// What is said where nothing tells which images a checkpoint's run had.
const UNKNOWN: &str = "the checkpoint lies in no run directory with a samples.parquet or manifest.json; its \
                       images are taken for those that it was trained on, by its config alone";
/// What is said where images of a run are not planted again.
const UNPLANTED: &str = "doses: which images a run planted is known of its own checkpoints and images \
                         alone; nothing is planted here";

/// Says it at once, and again with the result.
fn tell(notes: &mut Vec<String>, note: String) {
    tracing::warn!("{note}");
    notes.push(note);
}

/// The directory of the run that the folder `checkpoint` belongs to.
fn run_of(checkpoint: &Path) -> Option<PathBuf> {
    let whole = checkpoint.canonicalize().ok()?;
    let checkpoints = whole.parent()?;
    let run = checkpoints.parent()?;
    let named = checkpoints.ends_with("checkpoints");
    (named && RunDir::open(run).is_ok()).then(|| run.to_owned())
}

/// The sets of points and the planted images of the run `experiment` out of `count` training images.
fn chosen(
    experiment: &Experiment,
    config: &ProbeConfig,
    count: usize,
) -> Result<(Option<PairSets>, Option<Doses>), RunError> {
    let seed = experiment.seed;
    let pair = experiment.pair.map(|pair| pair.sets(count, seed));
    let pair = pair.transpose()?;
    let doses = config.doses.as_ref();
    let doses = doses.map(|doses| doses.choose(count, pair.as_ref(), seed));
    Ok((pair, doses.transpose()?))
}

/// Whether the settings name other training images than the run's.
fn others_by_settings(experiment: &Experiment, config: &ProbeConfig) -> Option<Others> {
    let same = experiment.data == config.data && experiment.limits.train == config.limits.train;
    (!same).then_some(Others::Settings)
}
