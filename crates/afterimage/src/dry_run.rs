//! What a run would do, told before it does anything.

use std::path::{Path, PathBuf};

use afterimage_data::{Shape, Views};
use afterimage_hooks::{Attached, RequestKind};
use afterimage_model::Encoder as _;
use afterimage_ssl::Negatives;
use afterimage_train::TrainError;
use burn::tensor::Device;

use crate::config::Loaded;
use crate::doses::described;
use crate::error::RunError;
use crate::experiment::Experiment;
use crate::fitting;
use crate::located::located;
use crate::points::Available;
use crate::prepared::{encoder_of, side_for};
use crate::pruned_groups;
use crate::registry::{Registry, origin};
use crate::start::{Start, foreseen};

/// What a run would do: its directory, device, steps and the order of plugins with their events. Without data no image
/// is read, and what the run starts from may still be to come.
///
/// # Errors
/// As for [`run`](crate::run()), before anything is written.
pub fn dry_run(
    registry: &Registry,
    loaded: &Loaded<Experiment>,
    with_data: bool,
) -> Result<String, RunError> {
    told(registry, loaded, with_data).map_err(|error| located(error, &loaded.locations))
}

fn told(
    registry: &Registry,
    loaded: &Loaded<Experiment>,
    with_data: bool,
) -> Result<String, RunError> {
    let experiment = &loaded.value;
    let plugins = attach(registry, loaded)?;
    let mut text = format!(
        "{}: {} epochs, batches of {}{}, device {}\nrun directory: {}\n",
        experiment.name,
        experiment.epochs,
        experiment.batch_size,
        shards(experiment),
        experiment.device,
        default_directory(loaded).display()
    );
    if with_data {
        let mut notes = Vec::new();
        let data = experiment.load_data_telling(&mut notes)?;
        experiment.check_plugins(&data, &plugins)?;
        experiment.check_tables(&data, None, &mut notes)?;
        let images = data.train.len();
        let pair = experiment
            .pair
            .map(|pair| pair.sets(images, experiment.seed));
        let pair = pair.transpose()?;
        let available = Available::new(images, data.held_out.len(), pair.as_ref());
        let members = available.train;
        let doses = experiment.doses(images)?;
        notes.extend(doses.iter().map(|doses| described(doses, members)));
        let seen = doses
            .as_ref()
            .map_or(members, |doses| doses.planned(members));
        if seen < experiment.batch_size {
            return Err(TrainError::TooFewSamples {
                samples: seen,
                batch: experiment.batch_size,
            }
            .into());
        }
        notes.extend(available.notes(experiment));
        text.push_str(&format!(
            "data: {images} training and {} held-out images, {} steps an epoch\n",
            data.held_out.len(),
            seen / experiment.batch_size
        ));
        if let Some(sets) = &pair {
            text.push_str(&format!(
                "pair: each encoder sees {} of them, {} of its own and {} that both see\n",
                sets.members().len(),
                sets.candidates.len(),
                sets.shared.len()
            ));
        }
        for note in notes {
            text.push_str(&format!("note: {note}\n"));
        }
        let most = images.max(data.held_out.len());
        text.push_str(&start(experiment, &plugins, data.train.shape(), most)?);
    } else if let Some(config) = &experiment.fine_tune {
        text.push_str(&foreseen(config)?);
    }
    let encoder = experiment.encoder.outline(&Device::flex());
    let encoder = encoder.map_err(TrainError::from)?;
    pruned_groups::check(loaded, &encoder)?;
    let order = in_order(experiment, &plugins, encoder.sites())?;
    text.push_str("plugins in order:\n");
    if order.is_empty() {
        text.push_str("  none\n");
    }
    for index in order {
        let manifest = plugins[index].manifest();
        text.push_str(&format!("  {}\n", describe(manifest)));
        for line in &manifest.plan {
            text.push_str(&format!("    {line}\n"));
        }
    }
    Ok(text)
}

/// How batches are cut, where they are.
fn shards(experiment: &Experiment) -> String {
    let compared = match experiment.batch.negatives {
        Negatives::All if experiment.objective.compares_samples() => ", all of it compared",
        _ => "",
    };
    match experiment.batch.shards {
        1 => String::new(),
        count => format!(" in {count} shards{compared}"),
    }
}

/// What the encoder starts from and which of its layers are trained, where that is told; a line each. The larger split
/// has `images`.
fn start(
    experiment: &Experiment,
    plugins: &[Attached],
    image: Shape,
    images: usize,
) -> Result<String, RunError> {
    let views = Views::new(&experiment.views, image, experiment.seed)?;
    let side = side_for(&experiment.encoder, &views)?;
    let encoder = encoder_of(experiment, plugins, image.channels, side);
    fitting::check(experiment, &encoder, images, side)?;
    let device = Device::flex();
    let start = Start::open(experiment, &encoder, &device, None)?;
    let Some(from) = start.described() else {
        return Ok(String::new());
    };
    start.encoder()?;
    let layers = start.trained()?.names.unwrap_or_default();
    let layers = match layers.as_slice() {
        [] => "none".to_owned(),
        names => names.join(", "),
    };
    Ok(format!("starts from {from}\ntrained layers: {layers}\n"))
}

/// The order of `plugins` in a run of `experiment` on a model with `sites`.
pub(crate) fn in_order(
    experiment: &Experiment,
    plugins: &[Attached],
    sites: Vec<afterimage_hooks::Site>,
) -> Result<Vec<usize>, RunError> {
    let manifests: Vec<_> = plugins.iter().map(Attached::manifest).collect();
    let mut host = afterimage_train::host_of_runs(sites, experiment.pair.is_some());
    if experiment.evaluation.every == 0 {
        host.requests.remove(&RequestKind::Evaluate);
    }
    Ok(afterimage_hooks::order(&manifests, &host).map_err(TrainError::Plugins)?)
}

fn describe(manifest: &afterimage_hooks::Manifest) -> String {
    let events: Vec<String> = manifest
        .events
        .iter()
        .map(|(event, every)| format!("{event} ({every})"))
        .collect();
    let mut text = format!("{} [{}]: {}", manifest.id, manifest.kind, events.join(", "));
    if !manifest.reads.is_empty() {
        text.push_str(&format!("; reads {}", manifest.reads.join(", ")));
    }
    if manifest.reads_labels {
        text.push_str("; reads labels");
    }
    if manifest.oracle {
        let truth = match manifest.reads_labels {
            true => "the true labels",
            false => "what was planted",
        };
        text.push_str(&format!("; ORACLE: acts on {truth}"));
    } else if manifest.reads_truth {
        text.push_str("; measures by the true labels");
    }
    if !manifest.provides.is_empty() {
        text.push_str(&format!("; provides {}", manifest.provides.join(", ")));
    }
    text
}

/// Where a run lies unless told: `runs/<name>/<seed>-<hash of the config>`.
pub fn default_directory(loaded: &Loaded<Experiment>) -> PathBuf {
    let Experiment { name, seed, .. } = &loaded.value;
    Path::new("runs")
        .join(name)
        .join(format!("{seed}-{}", loaded.short_digest()))
}

pub(crate) fn attach(
    registry: &Registry,
    loaded: &Loaded<Experiment>,
) -> Result<Vec<Attached>, RunError> {
    let mut report = loaded.locations.report();
    let origin = |index| origin(&loaded.locations, index);
    let plugins = registry.attach(&loaded.value.plugins, &mut report, origin);
    report.finish()?;
    Ok(plugins)
}
