//! Memorization of an encoder that somebody already has.
//!
//! What is probed is a run's checkpoint or a file of PyTorch weights. The probe is that of a run: the
//! plugins `unitmem`, `alignment-gap` and `layermem` look at the encoder at random initial parameters
//! and at the encoder itself, and their records go to a run's sinks.

mod beside;
mod config;
mod deja_vu;
mod features;
mod folder;
mod own;
mod pass;
mod prepared;
mod subject;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use afterimage_data::ViewSource;
use afterimage_files::Partial;
use afterimage_hooks::{SampleId, Samples as _, Split};
use afterimage_memory::chosen_of;
use afterimage_model::ImportOptions;
use afterimage_track::Report as HtmlReport;
use afterimage_track::files::METRICS;
use serde_json::json;

use crate::config::Loaded;
use crate::error::RunError;
use crate::found::Evidence;
use crate::intervene::views_fit;
use crate::launch::open_sinks;
use crate::pulse::{Pulse, Watched};
use crate::run_dir::{Manifest, RunDir};
use crate::samples;
use crate::summary::{Measured, Untrained, summary};
use crate::whole::{check_new_file, publish};

pub use config::ProbeConfig;
pub(crate) use config::load_for;
pub use deja_vu::DejaVuConfig;
pub(crate) use features::{embeddings, write_npy};
use pass::Pass;
pub(crate) use prepared::Prepared;
pub(crate) use subject::{ARCHITECTURE, CONFIG, ONCE, SETTINGS, Subject, WEIGHTS};

/// What is probed, on what, and where the result goes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
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
    /// Whether the alignment gap is measured even if no config has a table for it.
    pub alignment: bool,
    /// Whether the déjà-vu test is made, and the alignment gap measured, even if no config has a table
    /// for them.
    pub deja_vu: bool,
    /// A checkpoint or weights of an encoder of the same architecture that never saw the training
    /// images: the reference for LayerMem. A run with a pair brings its own.
    pub reference: Option<PathBuf>,
    /// How PyTorch weights are named, where it cannot be found out.
    pub import: ImportOptions,
    /// Where embeddings of the points go, `[points, D]` in NumPy's format: a file that is not there yet.
    pub features: Option<PathBuf>,
    /// The directory of the result, which must not hold anything.
    pub out: PathBuf,
    /// Counts the views that a probe renders, and the arms of a study.
    pub pulse: Pulse,
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
    /// Sinks that could not write, with the reason.
    pub lost_records: Vec<String>,
}

/// Probes an encoder; `say` hears of each part before it starts.
///
/// The result appears at `options.out` when it is complete.
///
/// # Errors
/// A checkpoint, config or data set that cannot be used, a directory that holds something, a probe
/// that fails.
pub fn probe(options: &ProbeOptions, say: &mut dyn FnMut(&str)) -> Result<Probed, RunError> {
    let folder = Partial::beside(&options.out)?;
    let checkpoint = options.checkpoint.as_path();
    let encoders: Vec<&Path> = std::iter::once(checkpoint)
        .chain(options.reference.as_deref())
        .collect();
    Subject::check_import(&encoders, &options.import)?;
    if let Some(features) = &options.features {
        check_new_file("--features", features)?;
    }
    let subject = Subject::open(&options.checkpoint, &options.import)?;
    let loaded = load_for(&subject, options)?;
    views_fit(&subject, &loaded.value)?;
    let mut prepared = Prepared::new(&subject, &loaded.value, options)?;
    let points = prepared.points(&loaded.value)?;
    prepared.notes.extend(loaded.notes.iter().cloned());
    let mut notes = Vec::new();
    let stage = loaded
        .value
        .deja_vu
        .map(|wanted| deja_vu::Stage::new(&prepared, &loaded.value, wanted, &mut notes));
    let stage = stage.transpose()?;
    prepared.notes.extend(notes);
    let seen = (&prepared, points, stage.as_ref());
    let Recorded {
        scalars,
        measured,
        closed,
        deja_vu,
    } = publish(folder, |partial| {
        record(partial, &subject, &loaded, seen, options, say)
    })?;
    let out = RunDir::open(&options.out)?;

    let mut text = heading(&subject, &prepared, &scalars);
    text.push('\n');
    let history = afterimage_track::read_scalars(&out.path().join(METRICS)).unwrap_or_default();
    let measured = Measured {
        scalars: &scalars,
        steps: &measured,
        epochs: BTreeMap::new(),
        start: Untrained::Random,
        history: &history,
    };
    let told = summary(&measured, &prepared.sites, &Evidence::of(out.path()));
    text.push_str(&told.text);
    text.extend(deja_vu);
    let html = HtmlReport::from_run(out.path())?;
    html.found(&told.found).write(&out.report())?;
    text.push_str(&format!(
        "report:     {}\nprobe:      {}\n",
        out.report().display(),
        out.path().display()
    ));
    if let Some(path) = &options.features {
        text.push_str(&format!("embeddings: {}\n", path.display()));
    }
    for sink in &closed {
        text.push_str(&format!("records are lost: the sink {sink}\n"));
    }
    Ok(Probed {
        out,
        summary: text,
        scalars,
        lost_records: closed,
    })
}

/// What was probed, what was left out of it, and what the user should know.
fn heading(subject: &Subject, prepared: &Prepared, scalars: &BTreeMap<String, f64>) -> String {
    let mut text = format!(
        "encoder:    {}\nembedding:  {}\n",
        subject.description, subject.embedding
    );
    if !prepared.left_out.is_empty() {
        text.push_str(&format!("left out:   {}\n", prepared.left_out.join(", ")));
    }
    for note in &prepared.notes {
        text.push_str(&format!("note:       {note}\n"));
    }
    if let Some(units) = scalars
        .get("unitmem/invalid/all")
        .filter(|units| **units > 0.0)
    {
        text.push_str(&format!(
            "note:       {units} units have no UnitMem, since their activations are negative on \
             average; give --set unitmem.map=relu\n"
        ));
    }
    text
}

/// What a probe put on record.
struct Recorded {
    /// The last value of every scalar.
    scalars: BTreeMap<String, f64>,
    /// The step in which each of these was measured.
    measured: BTreeMap<String, u64>,
    /// Sinks that could not write, with the reason.
    closed: Vec<String>,
    /// The table of the déjà-vu test, where it was made.
    deja_vu: Option<String>,
}

/// Looks at the encoders, at `count` points of each split, and writes everything but the report to the
/// new directory `partial`.
fn record(
    partial: &Path,
    subject: &Subject,
    loaded: &Loaded<ProbeConfig>,
    (prepared, count, stage): (&Prepared, usize, Option<&deja_vu::Stage>),
    options: &ProbeOptions,
    say: &mut dyn FnMut(&str),
) -> Result<Recorded, RunError> {
    let config = &loaded.value;
    let Prepared { data, store, .. } = prepared;
    let (directory, owner) = RunDir::create(partial)?;
    directory.write_config(&loaded.resolved)?;
    samples::keep(directory.path(), data)?;
    let mut sinks = open_sinks(directory.path(), None, &prepared.sites);
    let held_out: Vec<SampleId> = (0..store.len(Split::HeldOut) as u32)
        .map(SampleId)
        .collect();
    let of = |split, from: &[SampleId]| {
        let chosen = chosen_of(config.seed, split, from, count);
        (split, chosen)
    };
    let points = [
        of(Split::Train, &prepared.members()),
        of(Split::HeldOut, &held_out),
    ];
    if let Some(path) = &options.features {
        say("embedding the points");
        let source = |split| ViewSource::new(Arc::clone(data), split, prepared.plain.clone());
        let rows = embeddings(&prepared.model, source, &points, &prepared.device)?;
        write_npy(path, &rows)?;
    }
    let sites = prepared.sites.clone();
    let sets = (prepared.pair.clone(), prepared.doses.clone());
    let watched = Watched {
        samples: store,
        pulse: &options.pulse,
    };
    let alone = sets.0.is_none() && config.alignment.is_none();
    let mut pass = Pass::new(config, &loaded.resolved, sites, sets, &watched)?;
    pass.points(&points);
    say("probing the encoder at random initial parameters");
    // Other probes than that of UnitMem look at points of their own.
    let views = 2 * count * config.unitmem.views;
    options
        .pulse
        .expect(if alone { views as u64 } else { 0 }, "views");
    pass.untrained(&prepared.untrained)?;
    sinks.write_all(&pass.drain());
    say("probing the encoder");
    options.pulse.expect(options.pulse.read().done, "views");
    pass.trained(&prepared.model, prepared.clock)?;
    sinks.write_all(&pass.drain());
    let deja_vu = match stage {
        Some(stage) => {
            say("making the déjà-vu test");
            options.pulse.expect(0, "views");
            let untrained = stage.test(prepared, config, &prepared.untrained)?;
            let tested = stage.test(prepared, config, &prepared.model)?;
            stage.write(partial, &tested, prepared, config)?;
            pass.scalars_at(None, deja_vu::figures(&untrained.result));
            pass.scalars_at(Some(prepared.clock), deja_vu::figures(&tested.result));
            sinks.write_all(&pass.drain());
            Some(deja_vu::table(&tested.result, &untrained.result))
        }
        None => None,
    };
    sinks.flush();
    directory.write_manifest(&Manifest {
        config_digest: &loaded.digest,
        device: &config.device,
        data_digest: &data.digest(),
        data_covered: data.digest_covers(),
        plugins: &pass.plugins(),
        outcome: "completed",
        probe: Some(json!({
            "checkpoint": options.checkpoint.display().to_string(),
            "reference": options.reference.as_ref().map(|path| path.display().to_string()),
            "encoder": subject.description,
            "embedding": subject.embedding,
            "left_out": prepared.left_out,
            "notes": prepared.notes,
        })),
    })?;
    owner.withdraw(&directory);
    let closed = sinks.disabled().into_iter();
    Ok(Recorded {
        scalars: pass.scalars(),
        measured: pass.measured(),
        deja_vu,
        closed: closed
            .map(|sink| format!("{}: {}", sink.sink, sink.reason))
            .collect(),
    })
}
