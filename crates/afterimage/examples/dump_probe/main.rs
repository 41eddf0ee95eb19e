//! Writes down what a probe of a run's last checkpoint sees and what it makes of it, so that another
//! program can compute the same scores from the same weights, points and views:
//!
//!     cargo run --release -p afterimage --example dump_probe -- RUN OUT [POINTS] [VIEWS]
//!
//! `OUT` gets `weights/<path>.npy` (of the encoder, and under `reference.` of its reference in a run
//! with a `[pair]`), `views.npy` `[points · views, C, H, W]`, and `probe.json` with UnitMem and
//! cross-fitted UnitMem of each unit, and LayerMem of each layer where there is a reference.
//! scripts/memorization_parity.py compares them with PyTorch's.

#![allow(missing_docs, reason = "a program has no interface")]

mod npy;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use afterimage::config::load_file;
use afterimage::data::{SampleStore, Views};
use afterimage::hooks::{ModelView, Reduce, Samples, SiteKind, Split, TapSpec};
use afterimage::memory::{
    AlignmentProbe, CrossFit, Distance, Form, LayerForm, Measured, Pairs, Probe, UnitScore,
    chosen_of, layer_mems, probe_points,
};
use afterimage::model::{AnyEncoder, EncoderConfig, EncoderView, Masks};
use afterimage::train::{Checkpoints, read_model};
use afterimage::{Experiment, RunDir, open_device};
use burn::module::Module;
use burn::store::ModuleRecord;
use burn::tensor::{Bytes, Device};
use burn_pack::{Reader, Tensor, Writer};
use serde_json::{Value, json};

type Any<T> = Result<T, Box<dyn Error>>;

fn main() -> Any<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(run), Some(out)) = (arguments.next(), arguments.next()) else {
        return Err("give the directory of a run and one to write to".into());
    };
    let points: usize = arguments.next().map_or(Ok(100), |a| a.parse())?;
    let views: usize = arguments.next().map_or(Ok(10), |a| a.parse())?;
    let out = Path::new(&out);
    fs::create_dir_all(out.join("weights"))?;

    let directory = RunDir::open(run)?;
    let loaded = load_file::<Experiment>(&directory.config(), &[])?;
    let experiment = &loaded.value;
    let device = open_device(&experiment.device)?;
    let data = Arc::new(experiment.data.load(experiment.limits)?);
    let shape = data.train.shape();
    let recipe = Views::new(&experiment.views, shape, experiment.seed)?;
    let side = recipe.shape().height.min(recipe.shape().width);
    let samples = SampleStore::new(Arc::clone(&data), recipe, device.clone());

    let config = experiment.encoder.clone().for_images(shape.channels, side);
    let checkpoint = Checkpoints::new(directory.checkpoints(), 1, "").last()?;
    let model = read_model(&checkpoint)?;
    let studied = encoder(&config, &model, "encoder.", &device, out)?
        .ok_or("the checkpoint holds no encoder")?;
    let reference = encoder(&config, &model, "reference.encoder.", &device, out)?;
    let view = |encoder: &AnyEncoder| EncoderView::new(encoder, &Masks::default());
    let (studied, reference) = (view(&studied), reference.as_ref().map(view));

    let ids = match experiment.pair {
        Some(pair) => {
            let sets = pair.sets(data.train.len(), experiment.seed)?;
            chosen_of(experiment.seed, Split::Train, &sets.candidates, points)
        }
        None => probe_points(experiment.seed, Split::Train, data.train.len(), points),
    };
    let pixels = samples.probe_views(Split::Train, &ids, views)?;
    let dims = pixels.dims();
    let pixels = pixels.into_data().convert::<f32>().try_into_vec::<f32>();
    npy::write(
        &out.join("views.npy"),
        &dims,
        &pixels.map_err(|e| e.to_string())?,
    )?;

    let probe = Probe {
        tap: TapSpec::units("encoder.*")
            .kind(SiteKind::Activation)
            .kind(SiteKind::Pool)
            .kind(SiteKind::Residual)
            .reduce(Reduce::MeanSpace),
        form: Form::Paper,
        views,
        batch: 16,
    };
    let units = probe.measure(&studied, &samples, Split::Train, &ids)?;
    let layers = match &reference {
        None => BTreeMap::new(),
        Some(reference) => {
            let probe = AlignmentProbe {
                sites: "encoder.*".to_owned(),
                kinds: Vec::new(),
                skip: Vec::new(),
                views,
                batch: 8,
                distance: Distance::L2,
                pairs: Pairs::Views,
            };
            let models: [&dyn ModelView; 2] = [&studied, reference];
            layer_mems(
                &probe,
                LayerForm::Paper,
                models,
                &samples,
                Split::Train,
                &ids,
            )?
            .into_iter()
            .map(|(layer, mem)| (layer, mem.scores))
            .collect()
        }
    };
    let report = json!({
        "checkpoint": checkpoint.display().to_string(),
        "points": ids.iter().map(|id| id.0).collect::<Vec<_>>(),
        "views": views,
        "unitmem": units.iter().map(unit_report).collect::<BTreeMap<_, _>>(),
        "layermem": layers,
    });
    fs::write(out.join("probe.json"), serde_json::to_string(&report)?)?;
    Ok(())
}

/// Scores and owners at one site; `null` for units without a ratio.
fn unit_report(measured: &Measured) -> (String, Value) {
    let values = |scores: &[UnitScore]| -> Vec<Option<f64>> {
        scores.iter().map(|score| score.value()).collect()
    };
    let unitmem = measured.points.unitmem();
    let owners: Vec<Option<u32>> = unitmem.owners().iter().map(|o| o.map(|id| id.0)).collect();
    let folds = measured.folds.as_ref().map(CrossFit::scores);
    let report = json!({
        "unitmem": values(unitmem.scores()),
        "owner": owners,
        "crossfit": folds.as_deref().map(values),
    });
    (measured.site.clone(), report)
}

/// The encoder whose parameters in the checkpoint's model start with `prefix`, which are also written
/// down; nothing if there are none.
fn encoder(
    config: &EncoderConfig,
    model: &[u8],
    prefix: &str,
    device: &Device,
    out: &Path,
) -> Any<Option<AnyEncoder>> {
    let mut tensors = Vec::new();
    let folder = out.join("weights");
    let start = prefix.strip_suffix("encoder.").unwrap_or_default();
    for tensor in Reader::from_bytes(Bytes::from_bytes_vec(model.to_vec()))?.into_tensors()? {
        let (path, kind, shape, id, bytes) = tensor.into_parts()?;
        let Some(rest) = path.strip_prefix(prefix) else {
            continue;
        };
        let dims: Vec<usize> = shape.iter().copied().collect();
        let values: Vec<f32> = bytes
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect();
        npy::write(&folder.join(format!("{start}{rest}.npy")), &dims, &values)?;
        tensors.push(Tensor::new(rest.to_owned(), kind, shape, id, bytes));
    }
    if tensors.is_empty() {
        return Ok(None);
    }
    let record = ModuleRecord::from_bytes(Writer::new(tensors).into_bytes()?)?;
    Ok(Some(config.init(0, device)?.load_record(record)))
}
