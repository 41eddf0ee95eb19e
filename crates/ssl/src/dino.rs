//! DINO: tell from small and large views what a slow-moving copy of the network sees in large ones.
//!
//! Letters: B samples, K prototypes, G global and L local views.

use afterimage_model::{AnyEncoder, Encoder, ProjectionHeadConfig, Taps, moved_towards, teacher};
use burn::module::{Module, Param};
use burn::tensor::activation::{log_softmax, softmax};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::dino_head::DinoHead;
use crate::error::{Rules, SslError};
use crate::objective::{LocalViews, Objective, ObjectiveBatch, ObjectiveOutput, RunFacts};
use crate::ramp;
use crate::shards::{Shard, mean_of};
use crate::state::{Gathered, Steps, untrained};

/// Global views of a sample: G.
const GLOBAL: usize = 2;

/// Settings of [`Dino`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DinoConfig {
    /// Prototypes that views are told apart by (K), above 0; default 4,096. The paper takes 65,536
    /// for ImageNet.
    pub prototypes: usize,
    /// Local views of a sample, 0 for none; default 8.
    pub local_views: usize,
    /// Side of a local view in pixels; default half the side of a global one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_size: Option<usize>,
    /// Share of the image's area that a local view shows, uniform between both, in (0, 1]; default
    /// 0.05 to 0.4.
    pub local_scale: [f64; 2],
    /// Temperature of the network's softmax, above 0; default 0.1.
    pub student_temperature: f64,
    /// Temperature of the teacher's softmax after warm-up, above 0; default 0.04.
    pub teacher_temperature: f64,
    /// Temperature of the teacher's softmax at the start, above 0; default 0.04.
    pub warmup_teacher_temperature: f64,
    /// Epochs until the teacher has its temperature, along a straight line, at least 0; default 0.
    pub warmup_teacher_epochs: f64,
    /// Share of the centre that a step leaves as it is, in [0, 1]; default 0.9.
    pub centre_momentum: f64,
    /// Share of the teacher that a step leaves as it is, in [0, 1]; rises to 1 over the run along
    /// half a cosine; default 0.996.
    pub momentum: f64,
    /// Epochs in which the prototypes stay as they were drawn, at least 0; default 1.
    pub freeze_prototypes_epochs: f64,
}

impl Default for DinoConfig {
    fn default() -> Self {
        Self {
            prototypes: 4096,
            local_views: 8,
            local_size: None,
            local_scale: [0.05, 0.4],
            student_temperature: 0.1,
            teacher_temperature: 0.04,
            warmup_teacher_temperature: 0.04,
            warmup_teacher_epochs: 0.0,
            centre_momentum: 0.9,
            momentum: 0.996,
            freeze_prototypes_epochs: 1.0,
        }
    }
}

/// The network gives every view the distribution over prototypes that its teacher gives another,
/// global view; Caron et al. 2021, arXiv 2104.14294, equation 3 and algorithm 1.
///
/// Each sample's loss is the mean cross entropy over the pairs of a teacher's global view and
/// another view of the network's. The teacher's scores lose a centre, the moving average of their
/// mean, before their softmax. The teacher takes part in no gradient; after each step its
/// parameters move towards the network's. Taps see the global views alone.
#[derive(Module, Debug)]
pub struct Dino {
    head: DinoHead,
    teacher: AnyEncoder,
    teacher_head: DinoHead,
    /// `[1, K]`.
    centre: Param<Tensor<2>>,
    steps: Steps,
    /// The mean of the teacher's scores in the step under way, `[1, K]`, by shard of the batch.
    told: Gathered<Tensor<2>>,
    #[module(skip)]
    config: DinoConfig,
    #[module(skip)]
    total_steps: u64,
    #[module(skip)]
    steps_per_epoch: f64,
}

impl DinoConfig {
    pub(crate) fn init(
        &self,
        projection: &ProjectionHeadConfig,
        encoder: &AnyEncoder,
        run: &RunFacts,
        device: &Device,
    ) -> Dino {
        let width = encoder.embedding_dim();
        let head = DinoHead::new(projection, width, self.prototypes, run.head_seed(), device);
        Dino {
            teacher: teacher(encoder),
            teacher_head: teacher(&head),
            head,
            centre: untrained(Tensor::zeros([1, self.prototypes], device)),
            steps: Steps::new(device),
            told: Gathered::default(),
            config: self.clone(),
            total_steps: run.total_steps(),
            steps_per_epoch: run.steps_per_epoch as f64,
        }
    }

    pub(crate) fn problems(&self) -> Vec<SslError> {
        let [low, high] = self.local_scale;
        Rules::default()
            .count(
                "prototypes",
                self.prototypes,
                1 << 20,
                "it must be from 1 to 1048576",
            )
            .count(
                "local_size",
                self.local_size.unwrap_or(1),
                4096,
                "it must be from 1 to 4096",
            )
            .require(
                self.local_views <= 256,
                "local_views",
                self.local_views as f64,
                "it must be at most 256",
            )
            .require(
                low > 0.0 && low <= high && high <= 1.0,
                "local_scale",
                if low > 0.0 && low <= 1.0 { high } else { low },
                "both shares must be above 0 and at most 1, the lower one first",
            )
            .positive("student_temperature", self.student_temperature)
            .positive("teacher_temperature", self.teacher_temperature)
            .positive(
                "warmup_teacher_temperature",
                self.warmup_teacher_temperature,
            )
            .not_negative("warmup_teacher_epochs", self.warmup_teacher_epochs)
            .momentum("centre_momentum", self.centre_momentum)
            .momentum("momentum", self.momentum)
            .not_negative("freeze_prototypes_epochs", self.freeze_prototypes_epochs)
            .broken()
    }

    pub(crate) fn local_views(&self) -> Option<LocalViews> {
        (self.local_views > 0).then_some(LocalViews {
            count: self.local_views,
            size: self.local_size,
            scale: self.local_scale,
        })
    }
}

impl Dino {
    fn teacher_temperature(&self, step: u64) -> f64 {
        let config = &self.config;
        ramp::linear(
            config.warmup_teacher_temperature,
            config.teacher_temperature,
            step,
            (config.warmup_teacher_epochs * self.steps_per_epoch).round() as u64,
        )
    }

    fn frozen(&self, step: u64) -> bool {
        (step as f64) < self.config.freeze_prototypes_epochs * self.steps_per_epoch
    }
}

/// Loss of each sample `[B]`: the mean over pairs of a teacher's view and another view of the
/// network's, from distributions of the teacher `[G · B, K]` and the logarithms of the network's
/// `[(G + L) · B, K]`, view-major, global views first.
fn cross_entropy(teacher: Tensor<2>, log_student: Tensor<2>) -> Tensor<1> {
    let samples = teacher.dims()[0] / GLOBAL;
    let [rows, prototypes] = log_student.dims();
    let views = rows / samples;
    let own = log_student.clone().slice(0..GLOBAL * samples);
    let all = log_student
        .reshape([views, samples, prototypes])
        .sum_dim(0)
        .expand([GLOBAL, samples, prototypes])
        .reshape([GLOBAL * samples, prototypes]);
    // A view of the network's is not compared with the teacher's same view.
    let agreement = (teacher * (all - own)).sum_dim(1);
    let pairs = GLOBAL * (views - 1);
    agreement
        .reshape([GLOBAL, samples])
        .sum_dim(0)
        .reshape([samples])
        .div_scalar(pairs as f64)
        .neg()
}

impl Objective for Dino {
    fn views(&self) -> usize {
        GLOBAL
    }

    fn forward(
        &self,
        encoder: &AnyEncoder,
        batch: ObjectiveBatch,
        taps: &mut Taps,
    ) -> ObjectiveOutput {
        let step = self.steps.begin(batch.pace);
        let images = batch.images.clone().detach();
        let told = self.teacher.encode(images, &mut taps.masks_alone());
        let told = self.teacher_head.forward(told, true).detach();
        let mean = told.clone().mean_dim(0).without_autodiff();
        self.told.put_of(batch.shard, mean);
        let told = (told - self.centre.val()).div_scalar(self.teacher_temperature(step));
        let told = softmax(told, 1).detach();

        let embeddings = encoder.encode(batch.images, taps);
        let mut seen = embeddings.clone();
        if let Some(local) = batch.local {
            let local = encoder.encode(local, &mut taps.masks_alone());
            seen = Tensor::cat(vec![seen, local], 0);
        }
        let scores = self.head.forward(seen, self.frozen(step));
        let scores = log_softmax(scores.div_scalar(self.config.student_temperature), 1);
        ObjectiveOutput::mean_of(embeddings, cross_entropy(told, scores))
    }

    fn gathered(&self, shard: Shard) -> Option<Tensor<2>> {
        self.told.of(shard)
    }

    fn gather(&self, shard: Shard, value: Tensor<2>) {
        self.told.put_of(shard, value);
    }

    fn after_step(self, encoder: &AnyEncoder) -> Self {
        let (step, steps) = self.steps.advanced();
        let momentum = ramp::cosine(self.config.momentum, 1.0, step, self.total_steps);
        let kept = self.config.centre_momentum;
        let centre = match self.told.take_all().map(mean_of) {
            Some(told) => self.centre.map(|centre| {
                let autodiff = centre.is_autodiff();
                let centre = centre.without_autodiff();
                let centre = centre.mul_scalar(kept) + told.mul_scalar(1.0 - kept);
                if autodiff {
                    Tensor::from_inner(centre)
                } else {
                    centre
                }
            }),
            None => self.centre,
        };
        Self {
            teacher: moved_towards(self.teacher, encoder, momentum),
            teacher_head: moved_towards(self.teacher_head, &self.head, momentum),
            centre,
            steps,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::reference::{close, gradient_of, matrix, read};

    #[test]
    fn loss_and_gradient_equal_the_reference() {
        let case = read("dino");
        let device = Device::flex().autodiff();
        let teacher = matrix(&case, "teacher", &device);
        let centre = matrix(&case, "centre", &device);
        let student = matrix(&case, "student", &device).require_grad();
        let told = softmax(
            (teacher - centre).div_scalar(case.number("teacher_temperature")),
            1,
        );
        let scores = student
            .clone()
            .div_scalar(case.number("student_temperature"));
        let per_sample = cross_entropy(told, log_softmax(scores, 1));
        close(&per_sample, &case, "per_sample", 1e-5);
        close(
            &gradient_of(per_sample.mean(), &student),
            &case,
            "gradient",
            1e-5,
        );
    }
}
