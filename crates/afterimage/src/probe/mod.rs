//! Memorization of an encoder that somebody already has.
//!
//! What is probed is a run's checkpoint or a file of PyTorch weights. The probe is that of a run: the
//! plugin `unitmem` looks at the encoder at random initial parameters and at the encoder itself, over
//! training points and as many held-out points, and its records go to a run's sinks.

mod config;
mod features;
mod pass;
mod subject;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use afterimage_data::{SampleStore, ViewSource, Views};
use afterimage_hooks::{Samples as _, Split};
use afterimage_memory::probe_points;
use afterimage_model::{Encoder as _, EncoderView, ImportOptions, Masks};
use afterimage_track::Report as HtmlReport;
use serde_json::json;

use crate::device::open_device;
use crate::error::RunError;
use crate::run::{open_sinks, plain_views, side_for};
use crate::run_dir::{Manifest, RunDir};
use crate::summary::summary;

pub use config::ProbeConfig;
use features::{embeddings, write_npy};
use pass::Pass;
pub(crate) use subject::Subject;

/// What is probed, on what, and where the result goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeOptions {
    /// A run directory, a checkpoint in one, or a file of PyTorch weights.
    pub checkpoint: PathBuf,
    /// A [`ProbeConfig`] in TOML, laid over what the checkpoint says.
    pub config: Option<PathBuf>,
    /// The images, over the config: `KIND` or `KIND:PATH`, for example `cifar10:data/cifar-10`.
    pub data: Option<String>,
    /// Side of a view in pixels, over the config.
    pub size: Option<usize>,
    /// Keys of the config, over everything else, as in `unitmem.points=500`.
    pub sets: Vec<String>,
    /// How PyTorch weights are named, where it cannot be found out.
    pub import: ImportOptions,
    /// Where embeddings of the points go, `[points, D]` in NumPy's format.
    pub features: Option<PathBuf>,
    /// The directory of the result, which must not hold anything.
    pub out: PathBuf,
}

/// A probe that is done.
#[derive(Debug)]
pub struct Probed {
    /// Where its records are.
    pub out: RunDir,
    /// What to tell the user.
    pub summary: String,
    /// The last value of every scalar.
    pub scalars: BTreeMap<String, f64>,
}

/// Probes an encoder; `say` hears of each part before it starts.
///
/// The result appears at `options.out` when it is complete.
///
/// # Errors
/// A checkpoint, config or data set that cannot be used, a directory that holds something, a probe
/// that fails.
pub fn probe(options: &ProbeOptions, say: &mut dyn FnMut(&str)) -> Result<Probed, RunError> {
    refuse_full(&options.out)?;
    let subject = Subject::open(&options.checkpoint, &options.import)?;
    let loaded = config::load_for(&subject, options)?;
    let config = &loaded.value;
    let device = open_device(&config.device)?;
    let mut notes = subject.notes.clone();
    notes.extend(loaded.notes.iter().cloned());

    let mut data = config.data.load(config.limits)?;
    match (subject.channels(), data.train.shape().channels) {
        (Some(3), 1) => {
            data = data.in_colour();
            notes.push("the images are gray; each went in as three equal channels".to_owned());
        }
        (Some(1), 3) => return Err(RunError::ColourImages),
        _ => {}
    }
    let data = Arc::new(data);
    let shape = data.train.shape();
    let views = Views::new(&config.views, shape, config.seed)?;
    let side = views.shape().height.min(views.shape().width);
    let encoder = subject.encoder(config.convolution, shape.channels, side)?;
    side_for(&encoder, &views)?;
    notes.extend(subject.note_on(&encoder, side));
    let points = config.unitmem.points;
    let store = SampleStore::new(Arc::clone(&data), views, device.clone());
    let (train, held_out) = (store.len(Split::Train), store.len(Split::HeldOut));
    if train.min(held_out) < points {
        return Err(RunError::FewImages {
            points,
            train,
            held_out,
        });
    }

    let training_device = device.clone().autodiff();
    let untrained = subject.untrained(&encoder, config.seed, &training_device)?;
    let opened = subject.load(&encoder, &training_device)?;
    let sites = untrained.sites();
    let untrained = EncoderView::new(&untrained, &Masks::none());
    let model = EncoderView::new(&opened.encoder, &opened.masks);

    let partial = partial_of(&options.out);
    let directory = RunDir::create(&partial)?;
    directory.write_config(&loaded.resolved)?;
    let mut sinks = open_sinks(directory.path(), None, &sites);
    let ids = |split| probe_points(config.seed, split, store.len(split), points);
    let ids = [
        (Split::Train, ids(Split::Train)),
        (Split::HeldOut, ids(Split::HeldOut)),
    ];
    if let Some(path) = &options.features {
        say("embedding the points");
        let plain = plain_views(&config.views, shape, config.seed)?;
        let source = |split| ViewSource::new(Arc::clone(&data), split, plain.clone());
        write_npy(path, &embeddings(&model, source, &ids, &device)?)?;
    }
    let mut pass = Pass::new(config, &loaded.resolved, sites.clone(), &store)?;
    pass.points(&ids);
    say("probing the encoder at random initial parameters");
    pass.untrained(&untrained)?;
    sinks.write_all(&pass.drain());
    say("probing the encoder");
    pass.trained(&model, opened.clock)?;
    sinks.write_all(&pass.drain());
    sinks.flush();
    let closed: Vec<String> = sinks
        .disabled()
        .iter()
        .map(|sink| format!("{}: {}", sink.sink, sink.reason))
        .collect();
    drop(sinks);
    directory.write_manifest(&Manifest {
        config_digest: &loaded.digest,
        device: &config.device,
        data_digest: &data.digest(),
        plugins: &["unitmem".to_owned()],
        outcome: "completed",
        probe: Some(json!({
            "checkpoint": options.checkpoint.display().to_string(),
            "encoder": subject.description,
            "embedding": subject.embedding,
            "left_out": opened.left_out,
            "notes": notes,
        })),
    })?;
    let out = publish(&partial, &options.out)?;

    let scalars = pass.scalars();
    let mut text = format!(
        "encoder:    {}\nembedding:  {}\n",
        subject.description, subject.embedding
    );
    if !opened.left_out.is_empty() {
        text.push_str(&format!("left out:   {}\n", opened.left_out.join(", ")));
    }
    for note in &notes {
        text.push_str(&format!("note:       {note}\n"));
    }
    text.push('\n');
    text.push_str(&summary(&scalars, None, &sites));
    HtmlReport::from_run(out.path())?.write(&out.report())?;
    text.push_str(&format!(
        "report:     {}\nprobe:      {}\n",
        out.report().display(),
        out.path().display()
    ));
    if let Some(path) = &options.features {
        text.push_str(&format!("embeddings: {}\n", path.display()));
    }
    for sink in closed {
        text.push_str(&format!("a sink was closed: {sink}\n"));
    }
    Ok(Probed {
        out,
        summary: text,
        scalars,
    })
}

/// Refuses a directory that holds something, before anything is computed.
fn refuse_full(out: &Path) -> Result<(), RunError> {
    let full = match fs::read_dir(out) {
        Ok(mut entries) => entries.next().is_some(),
        Err(_) => out.exists(),
    };
    if full {
        return Err(RunError::OutExists {
            path: out.to_owned(),
        });
    }
    let partial = partial_of(out);
    if partial.exists() {
        // Left behind by a probe that was stopped.
        fs::remove_dir_all(&partial).map_err(RunError::io(&partial, "remove"))?;
    }
    Ok(())
}

/// Where a result lies until it is complete: beside its place.
fn partial_of(out: &Path) -> PathBuf {
    let name = out.file_name().unwrap_or_default().to_string_lossy();
    out.with_file_name(format!(".{name}.partial"))
}

/// Puts a complete result in its place.
fn publish(partial: &Path, out: &Path) -> Result<RunDir, RunError> {
    if out.exists() {
        fs::remove_dir(out).map_err(RunError::io(out, "replace"))?;
    }
    fs::rename(partial, out).map_err(RunError::io(out, "rename the result to"))?;
    RunDir::open(out)
}
