//! An objective chosen at run time.

use afterimage_model::{AnyEncoder, Taps};
use burn::module::{
    Content, Devices, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor,
};
use burn::tensor::{Device, Tensor};

use crate::barlow_twins::BarlowTwins;
use crate::byol::Byol;
use crate::dino::Dino;
use crate::mae::Mae;
use crate::objective::{Objective, ObjectiveBatch, ObjectiveOutput};
use crate::shards::Shard;
use crate::sim_siam::SimSiam;
use crate::simclr::SimClr;
use crate::supervised::Supervised;
use crate::vicreg::VicReg;

/// An objective chosen at run time.
///
/// Its parameter paths are those of the objective within: the variant is no step of a path.
#[derive(Debug, Clone)]
#[non_exhaustive]
#[allow(
    clippy::large_enum_variant,
    reason = "a model has one, and its parameters lie elsewhere"
)]
pub enum AnyObjective {
    /// SimCLR.
    SimClr(SimClr),
    /// SimSiam.
    SimSiam(SimSiam),
    /// VICReg.
    VicReg(VicReg),
    /// Barlow Twins.
    BarlowTwins(BarlowTwins),
    /// BYOL.
    Byol(Byol),
    /// DINO.
    Dino(Dino),
    /// MAE.
    Mae(Mae),
    /// Cross entropy of labels.
    Supervised(Supervised),
}

/// Runs an expression on the objective within.
macro_rules! within {
    ($any:expr, $objective:ident => $run:expr) => {
        match $any {
            AnyObjective::SimClr($objective) => $run,
            AnyObjective::SimSiam($objective) => $run,
            AnyObjective::VicReg($objective) => $run,
            AnyObjective::BarlowTwins($objective) => $run,
            AnyObjective::Byol($objective) => $run,
            AnyObjective::Dino($objective) => $run,
            AnyObjective::Mae($objective) => $run,
            AnyObjective::Supervised($objective) => $run,
        }
    };
}

/// Runs an expression on the objective within and wraps what comes out again.
macro_rules! rewrapped {
    ($any:expr, $objective:ident => $run:expr) => {
        match $any {
            AnyObjective::SimClr($objective) => AnyObjective::SimClr($run),
            AnyObjective::SimSiam($objective) => AnyObjective::SimSiam($run),
            AnyObjective::VicReg($objective) => AnyObjective::VicReg($run),
            AnyObjective::BarlowTwins($objective) => AnyObjective::BarlowTwins($run),
            AnyObjective::Byol($objective) => AnyObjective::Byol($run),
            AnyObjective::Dino($objective) => AnyObjective::Dino($run),
            AnyObjective::Mae($objective) => AnyObjective::Mae($run),
            AnyObjective::Supervised($objective) => AnyObjective::Supervised($run),
        }
    };
}

impl Objective for AnyObjective {
    fn views(&self) -> usize {
        within!(self, objective => objective.views())
    }

    fn forward(
        &self,
        encoder: &AnyEncoder,
        batch: ObjectiveBatch,
        taps: &mut Taps,
    ) -> ObjectiveOutput {
        within!(self, objective => objective.forward(encoder, batch, taps))
    }

    fn logits(&self, embeddings: Tensor<2>) -> Option<Tensor<2>> {
        within!(self, objective => objective.logits(embeddings))
    }

    fn compare(&self, compared: Tensor<2>) -> Option<(Tensor<1>, Tensor<1>)> {
        within!(self, objective => objective.compare(compared))
    }

    fn gathered(&self, shard: Shard) -> Option<Tensor<2>> {
        within!(self, objective => objective.gathered(shard))
    }

    fn gather(&self, shard: Shard, value: Tensor<2>) {
        within!(self, objective => objective.gather(shard, value));
    }

    fn after_step(self, encoder: &AnyEncoder) -> Self {
        rewrapped!(self, objective => objective.after_step(encoder))
    }
}

impl Module for AnyObjective {
    fn collect_devices(&self, devices: Devices) -> Devices {
        within!(self, objective => objective.collect_devices(devices))
    }

    fn fork(self, device: &Device) -> Self {
        rewrapped!(self, objective => objective.fork(device))
    }

    fn to_device(self, device: &Device) -> Self {
        rewrapped!(self, objective => objective.to_device(device))
    }

    fn train(self) -> Self {
        rewrapped!(self, objective => objective.train())
    }

    fn valid(&self) -> Self {
        rewrapped!(self, objective => objective.valid())
    }

    fn materialize(self) -> Self {
        rewrapped!(self, objective => objective.materialize())
    }

    fn visit<Visitor: ModuleVisitor>(&self, visitor: &mut Visitor) {
        within!(self, objective => objective.visit(visitor));
    }

    fn map<Mapper: ModuleMapper>(self, mapper: &mut Mapper) -> Self {
        rewrapped!(self, objective => objective.map(mapper))
    }
}

impl ModuleDisplayDefault for AnyObjective {
    fn content(&self, content: Content) -> Option<Content> {
        within!(self, objective => content.add_single(objective).optional())
    }

    fn num_params(&self) -> usize {
        Module::num_params(self)
    }
}

impl ModuleDisplay for AnyObjective {}
