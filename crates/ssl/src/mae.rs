//! MAE: paint the patches that were hidden.
//!
//! Letters: B samples, P patches, M hidden patches, C channels of a token.

use afterimage_model::{
    AnyEncoder, Encoder, Initial, Taps, TokenBlock, TokenNorm, Vit, seeded_from,
};
use burn::module::{Module, Param};
use burn::nn::{Initializer, Linear, LinearConfig};
use burn::tensor::{Device, Tensor, s};
use serde::{Deserialize, Serialize};

use crate::error::{Rules, SslError};
use crate::objective::{Objective, ObjectiveBatch, ObjectiveOutput, RunFacts};
use crate::patches::{Hidden, normalised, pixels, positions};

/// Standard deviation of initial weights.
const DEVIATION: f64 = 0.02;
/// Channels of a head of the decoder's attention.
const HEAD_CHANNELS: usize = 64;

/// Settings of [`Mae`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MaeConfig {
    /// Share of the patches that is hidden, above 0 and below 1; default 0.75.
    pub mask: f64,
    /// Blocks of the decoder, above 0; default 4.
    pub decoder_depth: usize,
    /// Heads of the decoder's attention, 64 channels each, above 0; default 3.
    pub decoder_heads: usize,
    /// Whether the decoder paints patches of mean 0 and variance 1 instead of the pixels; default
    /// true.
    pub normalised_target: bool,
}

impl Default for MaeConfig {
    fn default() -> Self {
        Self {
            mask: 0.75,
            decoder_depth: 4,
            decoder_heads: 3,
            normalised_target: true,
        }
    }
}

/// A vision transformer sees a quarter of the patches, and a small decoder paints the others; He et
/// al. 2022, arXiv 2111.06377.
///
/// Each sample's loss is the mean squared difference over the pixels of its hidden patches, each
/// patch normalised to mean 0 and variance 1. Which are hidden is a pure function of (seed, epoch,
/// sample). Taps see all patches at the first site, and from the first block on the visible ones
/// alone. The embedding is the class token.
#[derive(Module, Debug)]
pub struct Mae {
    embed: Linear,
    /// What stands for a hidden patch, `[1, C]`.
    mask_token: Param<Tensor<2>>,
    blocks: Vec<TokenBlock>,
    norm: TokenNorm,
    paint: Linear,
    #[module(skip)]
    config: MaeConfig,
    #[module(skip)]
    seed: u64,
}

impl MaeConfig {
    pub(crate) fn init(
        &self,
        encoder: &AnyEncoder,
        run: &RunFacts,
        device: &Device,
    ) -> Result<Mae, SslError> {
        let AnyEncoder::Vit(vit) = encoder else {
            return Err(SslError::NeedsTransformer);
        };
        let patches = vit.position.lazy_shape()[1] - 1;
        if patches < 2 {
            return Err(SslError::OnePatch);
        }
        let channels = HEAD_CHANNELS * self.decoder_heads;
        let [_, colours, height, width] = vit.patch.weight.lazy_shape().dims();
        let normal = Initializer::Normal {
            mean: 0.0,
            std: DEVIATION,
        };
        Ok(seeded_from(
            Initial::Normal(DEVIATION),
            device,
            run.head_seed(),
            || Mae {
                embed: LinearConfig::new(vit.channels(), channels).init(device),
                mask_token: normal.init([1, channels], device),
                blocks: (0..self.decoder_depth)
                    .map(|index| {
                        let path = format!("objective.blocks.{index}");
                        TokenBlock::new(&path, channels, self.decoder_heads, device)
                    })
                    .collect(),
                norm: TokenNorm::new(channels, device),
                paint: LinearConfig::new(channels, height * width * colours).init(device),
                config: self.clone(),
                seed: run.seed,
            },
        ))
    }

    pub(crate) fn problems(&self) -> Vec<SslError> {
        Rules::default()
            .share("mask", self.mask)
            .count(
                "decoder_depth",
                self.decoder_depth,
                256,
                "it must be from 1 to 256",
            )
            .count(
                "decoder_heads",
                self.decoder_heads,
                1024,
                "it must be from 1 to 1024",
            )
            .broken()
    }
}

impl Mae {
    /// Patches that stay visible of `patches`: at least one, and one is hidden at least.
    fn visible(&self, patches: usize) -> usize {
        let visible = (patches as f64 * (1.0 - self.config.mask)).floor() as usize;
        visible.clamp(1, patches.saturating_sub(1).max(1))
    }

    /// What the decoder paints in the hidden patches `[B · M, side² · colours]`, from the encoder's
    /// visible tokens.
    fn decode(&self, tokens: Tensor<3>, hidden: &Hidden, grid: [usize; 2]) -> Tensor<2> {
        let device = tokens.device();
        let patches = grid[0] * grid[1];
        let x = self.embed.forward(tokens);
        let [batch, seen, channels] = x.dims();
        let class = x.clone().slice(s![.., 0..1]);
        let seen = x.slice(s![.., 1..]).reshape([batch * (seen - 1), channels]);
        let patches_bpc = Tensor::cat(vec![seen, self.mask_token.val()], 0)
            .select(0, hidden.places(&device))
            .reshape([batch, patches, channels]);
        let x = Tensor::cat(vec![class, patches_bpc], 1) + positions(grid, channels, &device);
        let mut taps = Taps::none();
        let x = self
            .blocks
            .iter()
            .fold(x, |x, block| block.forward(x, &mut taps));
        let x = self
            .norm
            .forward(x)
            .slice(s![.., 1..])
            .reshape([batch * patches, channels])
            .select(0, hidden.hidden_rows(&device));
        self.paint.forward(x)
    }

    fn run(&self, vit: &Vit, batch: ObjectiveBatch, taps: &mut Taps) -> ObjectiveOutput {
        let images = batch.images;
        let device = images.device();
        let [samples, _, height, width] = images.dims();
        let [_, _, side, _] = vit.patch.weight.lazy_shape().dims();
        let grid = [height / side, width / side];
        let patches = grid[0] * grid[1];
        let hidden = Hidden::draw(
            self.seed,
            batch.epoch,
            &batch.ids,
            patches,
            self.visible(patches),
        );
        let tokens = vit.visible_tokens(images.clone(), hidden.visible_rows(&device), taps);
        let embeddings = tokens.clone().slice(s![.., 0..1]);
        let painted = self.decode(tokens, &hidden, grid);
        let target = pixels(images.detach(), side).select(0, hidden.hidden_rows(&device));
        let target = if self.config.normalised_target {
            normalised(target)
        } else {
            target
        };
        let embeddings = embeddings.reshape([samples, vit.embedding_dim()]);
        ObjectiveOutput::mean_of(embeddings, difference(painted, target, samples))
    }
}

/// Mean squared difference of each sample `[B]` between rows of its hidden patches `[B · M, pixels]`.
fn difference(painted: Tensor<2>, target: Tensor<2>, samples: usize) -> Tensor<1> {
    let [rows, length] = target.dims();
    (painted - target)
        .square()
        .reshape([samples, rows / samples * length])
        .mean_dim(1)
        .reshape([samples])
}

impl Objective for Mae {
    fn views(&self) -> usize {
        1
    }

    fn forward(
        &self,
        encoder: &AnyEncoder,
        batch: ObjectiveBatch,
        taps: &mut Taps,
    ) -> ObjectiveOutput {
        match encoder {
            AnyEncoder::Vit(vit) => self.run(vit, batch, taps),
            _ => unreachable!("a masked autoencoder is made for a vision transformer alone"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::{close, gradient_of, matrix, read, tensor};

    #[test]
    fn loss_and_gradient_equal_the_reference() {
        let case = read("mae");
        let device = Device::flex().autodiff();
        let images = tensor::<4>(&case, "images", &device);
        let [samples, ..] = images.dims();
        let painted = matrix(&case, "painted", &device).require_grad();
        let rows: Vec<i64> = case
            .values("hidden")
            .iter()
            .map(|&row| row as i64)
            .collect();
        let rows = Tensor::from_ints(rows.as_slice(), &device);
        let target = normalised(pixels(images, 4).select(0, rows));
        let per_sample = difference(painted.clone(), target, samples);
        close(&per_sample, &case, "per_sample", 1e-5);
        close(
            &gradient_of(per_sample.mean(), &painted),
            &case,
            "gradient",
            1e-5,
        );
    }
}
