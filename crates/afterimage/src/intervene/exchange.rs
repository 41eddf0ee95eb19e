//! Exchanging layers between two encoders.

use std::collections::BTreeSet;
use std::path::PathBuf;

use afterimage_model::{AnyEncoder, Layer, Masks, transplant};

use super::arms::{Arms, CONTROL};
use super::controls::{fewer, others};
use super::subject::Operated;
use crate::error::RunError;
use crate::fine_tune::LayerChoice;
use crate::probe::{ProbeOptions, Subject};

/// Which layers of which encoder take the places of one's own.
#[derive(Debug, Clone, PartialEq)]
pub struct ExchangeOptions {
    /// The encoder that gets layers, and the images that all arms are judged on.
    pub subject: ProbeOptions,
    /// The encoder that gives them: a run, a checkpoint, or PyTorch weights.
    pub donor: PathBuf,
    /// The layers.
    pub layers: LayerChoice,
    /// Random choices of as many layers that are exchanged beside: each another one, and none of them
    /// the layers above; fewer where there are no more.
    pub controls: u64,
}

/// Puts layers of the donor in the places of the encoder's own and judges the result; a layer is
/// exchanged whole: weights, biases, norms and running statistics.
///
/// The more an encoder's layers have memorized of its own data, the more it should lose (*Localizing
/// Memorization in SSL Vision Encoders*, NeurIPS 2024, Tables 21 to 24); the random arms tell that
/// from what any exchange does.
///
/// # Errors
/// Encoders that cannot be read or differ in architecture, layers that cannot be chosen.
pub fn exchange(options: &ExchangeOptions, say: &mut dyn FnMut(&str)) -> Result<Arms, RunError> {
    let encoders = [options.subject.checkpoint.as_path(), &options.donor];
    Subject::check_import(&encoders, &options.subject.import)?;
    let operated = Operated::open(&options.subject)?;
    operated.prepared.notes.iter().for_each(|note| say(note));
    let donor = operated.donor(&options.donor, &options.subject)?;
    let layers = operated.layers();
    let seed = operated.config.seed;
    let layermem = &options.subject.checkpoint;
    let chosen = options.layers.choose(&layers, seed, layermem);
    let chosen = chosen.map_err(RunError::ExchangedLayers)?;
    let beside = others(&layers, &chosen, options.controls, seed);
    let beside = beside.map_err(RunError::ExchangedLayers)?;
    let note = fewer(options.controls, beside.len(), chosen.len(), layers.len());
    note.iter().for_each(|note| say(note));
    options
        .subject
        .pulse
        .expect(beside.len() as u64 + 2, "arms");
    say("judging the encoder as it is");
    let original = operated.arm("as it is", Vec::new(), &operated.encoder, &Masks::none())?;
    let swapped = |name: &str, layers: Vec<Layer>| {
        let encoder = exchanged(&operated.encoder, &donor, &layers);
        let names = layers.into_iter().map(|layer| layer.site).collect();
        operated.arm(name, names, &encoder, &Masks::none())
    };
    say("judging the exchange");
    let arm = swapped("layers exchanged", chosen)?;
    let controls = beside
        .into_iter()
        .enumerate()
        .map(|(at, layers)| {
            say(&format!("judging random control {}", at + 1));
            swapped(CONTROL, layers)
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Arms {
        original,
        chosen: arm,
        controls,
        note,
    })
}

fn exchanged(encoder: &AnyEncoder, donor: &AnyEncoder, layers: &[Layer]) -> AnyEncoder {
    let paths: BTreeSet<String> = layers
        .iter()
        .flat_map(|layer| &layer.parameters)
        .filter_map(|path| path.strip_prefix("encoder.").map(str::to_owned))
        .collect();
    transplant(encoder.clone(), donor, &paths)
}
