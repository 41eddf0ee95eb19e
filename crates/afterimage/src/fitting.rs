//! Whether encoder, views and memory go together, before anything is allocated.

use afterimage_data::DataError;
use afterimage_files::machine_memory;
use afterimage_model::{AnyEncoder, Encoder as _, EncoderConfig, ModelError, parameters};
use afterimage_train::TrainError;
use burn::tensor::Device;

use crate::error::RunError;
use crate::experiment::Experiment;

/// Refuses an `encoder` that cannot take views of `side` pixels, at its key, and batches of which the output of one
/// layer alone is more than the memory of this machine; `images` is how many the larger split has.
///
/// # Errors
/// As above.
pub(crate) fn check(
    experiment: &Experiment,
    encoder: &EncoderConfig,
    images: usize,
    side: usize,
) -> Result<(), RunError> {
    if let Some(problem) = encoder.problems().into_iter().next() {
        return Err(of_encoder(problem));
    }
    // Other devices have a memory of their own.
    let Some(memory) = machine_memory().filter(|_| experiment.device == "cpu") else {
        return Ok(());
    };
    let outline = encoder.outline(&Device::flex()).map_err(TrainError::from)?;
    let values = widest(&outline, side);
    let objective = &experiment.objective;
    // One that hides tokens encodes a part of them alone.
    let views = match objective.needs_transformer() {
        true => 0,
        false => objective.views() * experiment.batch_size / experiment.batch.shards.max(1),
    };
    let evaluated = match experiment.evaluation.every {
        0 => 0,
        _ => experiment.evaluation.batch_size.min(images),
    };
    for (key, rows) in [("batch_size", views), ("evaluation.batch_size", evaluated)] {
        let bytes = values.saturating_mul(rows as u64).saturating_mul(4);
        if bytes > memory {
            return Err(of_key(key, too_much(rows, side, bytes, memory)));
        }
    }
    Ok(())
}

fn too_much(rows: usize, side: usize, bytes: u64, memory: u64) -> String {
    format!(
        "the output of one layer for {rows} views of {side} × {side} pixels takes {} GiB, and this machine has {}; \
         lower it, or `views.size`",
        bytes >> 30,
        memory >> 30
    )
}

fn of_key(key: &str, reason: String) -> RunError {
    RunError::Data(DataError::Config {
        key: key.to_owned(),
        reason,
    })
}

fn of_encoder(problem: ModelError) -> RunError {
    match problem {
        ModelError::Config { key, value, reason } => of_key(
            &format!("encoder.{key}"),
            format!("{value} is not possible: {reason}"),
        ),
        ModelError::Patch { patch, side } => of_key(
            "encoder.patch",
            format!("{patch} does not divide the side of the views, {side} pixels"),
        ),
        other => TrainError::from(other).into(),
    }
}

/// Values that the widest layer puts out for an image of `side` pixels; 0 where the encoder does not tell.
fn widest(encoder: &AnyEncoder, side: usize) -> u64 {
    let weights = parameters(encoder);
    let positions = encoder.positions([side, side]).into_iter();
    let values = positions.filter_map(|(path, positions)| {
        let path = path.strip_prefix("encoder.").unwrap_or(&path);
        let shape = &weights.iter().find(|weight| weight.path == path)?.shape;
        // Channels come first in a convolution; a matrix has its outputs on one of two sides.
        let units = match shape.len() {
            4 => shape.first(),
            _ => shape.iter().min(),
        };
        Some(positions.saturating_mul(*units? as u64))
    });
    values.max().unwrap_or(0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_widest_layer_of_a_network_is_its_first_one() {
        let config = EncoderConfig::default().for_images(1, 28);
        let encoder = config.outline(&Device::flex()).unwrap();
        // 32 channels at full size; behind it are twice as many at a quarter of it.
        let first = widest(&encoder, 28);
        assert_eq!(first, 32 * 28 * 28);
        assert_eq!(widest(&encoder, 56), 4 * first);
    }

    #[test]
    fn amounts_are_told_in_gibibytes() {
        let text = too_much(8, 4096, 5 << 30, 4 << 30);
        assert!(
            text.contains("for 8 views of 4096 × 4096 pixels takes 5 GiB, and this machine has 4;")
        );
    }
}
