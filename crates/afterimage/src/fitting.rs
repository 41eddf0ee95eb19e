//! Whether encoder, views and memory go together, before anything is allocated.

use afterimage_data::DataError;
use afterimage_files::machine_memory;
use afterimage_model::{AnyEncoder, Encoder as _, EncoderConfig, ModelError, parameters};
use afterimage_prune::PruneConfig;
use afterimage_train::TrainError;
use burn::tensor::Device;

use crate::error::RunError;
use crate::experiment::Experiment;
use crate::points::settings;

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
    let batches = [("batch_size", views), ("evaluation.batch_size", evaluated)];
    let batches = batches.map(|(key, rows)| (key.to_owned(), rows));
    for (key, rows) in batches.into_iter().chain(timed(experiment, images)) {
        let bytes = values.saturating_mul(rows as u64).saturating_mul(4);
        if bytes > memory {
            return Err(of_key(&key, too_much(rows, side, bytes, memory)));
        }
    }
    Ok(())
}

/// On how many images at once pruners time the encoder, with the key that says it.
fn timed(experiment: &Experiment, images: usize) -> impl Iterator<Item = (String, usize)> {
    let prunes = experiment.plugins.iter().enumerate();
    let prunes = prunes.filter(|(_, entry)| entry.kind == "prune");
    prunes.filter_map(move |(index, entry)| {
        let rows = settings::<PruneConfig>(entry)?.latency?;
        Some((format!("plugins[{index}].latency"), rows.min(images)))
    })
}

fn too_much(rows: usize, side: usize, bytes: u64, memory: u64) -> String {
    format!(
        "the output of one layer for {rows} views of {side} × {side} pixels takes {} GiB, and this machine has {}; \
         lower it, or `views.size`",
        bytes >> 30,
        memory >> 30
    )
}

pub(crate) fn of_key(key: &str, reason: String) -> RunError {
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

/// Refuses a forward pass of `rows` images of `channels` channels and `side` pixels, where they and what one layer of
/// `encoder` makes of them take more than half of the memory of this machine; says what takes how much.
pub(crate) fn pass(
    encoder: &AnyEncoder,
    channels: usize,
    side: usize,
    rows: usize,
) -> Result<(), String> {
    pass_in(machine_memory(), encoder, [channels, side, rows])
}

fn pass_in(
    memory: Option<u64>,
    encoder: &AnyEncoder,
    [channels, side, rows]: [usize; 3],
) -> Result<(), String> {
    let Some(most) = memory.map(|memory| memory / 2) else {
        return Ok(());
    };
    let bytes = |values: u64| values.saturating_mul(rows as u64).saturating_mul(4);
    let pixels = (side as u64).saturating_mul(side as u64);
    let images = bytes(pixels.saturating_mul(channels as u64));
    // Positions of a side whose images alone do not fit may be beyond any number.
    let all = match images > most {
        true => images,
        false => images
            .saturating_add(bytes(widest(encoder, side)))
            .saturating_add(attention(encoder, side)),
    };
    if all > most {
        let images = match rows {
            1 => "1 image".to_owned(),
            _ => format!("{rows} images"),
        };
        return Err(format!(
            "a forward pass of {images} of {side} × {side} pixels takes at least {} MiB, more than half of the \
             memory, {} MiB",
            all >> 20,
            most >> 20
        ));
    }
    Ok(())
}

/// Bytes of the scores of one head between all tokens of an image of `side` pixels; 0 without attention.
fn attention(encoder: &AnyEncoder, side: usize) -> u64 {
    let weights = parameters(encoder);
    let positions = encoder.positions([side, side]).into_iter();
    // What is counted and has no weight: products of queries and keys, and of scores and values.
    let scores = positions.filter(|(path, _)| {
        let path = path.strip_prefix("encoder.").unwrap_or(path);
        weights.iter().all(|weight| weight.path != path)
    });
    let products = scores.map(|(_, positions)| positions).max().unwrap_or(0);
    (products / 2).saturating_mul(4)
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
    fn a_pass_that_takes_more_than_half_of_the_memory_is_refused() {
        let config = EncoderConfig::default().for_images(1, 28);
        let encoder = config.outline(&Device::flex()).unwrap();
        let pass = |side, rows| pass_in(Some(2 << 30), &encoder, [1, side, rows]);
        assert_eq!(pass(28, 64), Ok(()));
        // One value a pixel, and 32 channels: 132 bytes a pixel.
        let most = (1 << 30) / (132 * 28 * 28);
        assert_eq!(pass(28, most), Ok(()));
        for (side, rows) in [
            (28, most + 1),
            (28, usize::MAX),
            (40_000, 1),
            (u32::MAX as usize, 16),
            (usize::MAX, 1),
        ] {
            let told = pass(side, rows).unwrap_err();
            let words = format!("of {side} × {side} pixels");
            assert!(told.contains(&words) && told.contains("1024 MiB"), "{told}");
        }
        assert!(pass(40_000, 1).unwrap_err().contains("of 1 image of 40000"));
        assert!(
            pass(40_000, 2)
                .unwrap_err()
                .contains("of 2 images of 40000")
        );
        assert_eq!(pass_in(None, &encoder, [1, 28, usize::MAX]), Ok(()));
    }

    #[test]
    fn amounts_are_told_in_gibibytes() {
        let text = too_much(8, 4096, 5 << 30, 4 << 30);
        assert!(
            text.contains("for 8 views of 4096 × 4096 pixels takes 5 GiB, and this machine has 4;")
        );
    }
}
