//! Self-supervised objectives, optimizers and schedules.
//!
//! - [`Objective`] is what the loop needs of an objective, a burn module with heads and state of its
//!   own; [`ObjectiveConfig`] chooses one.
//! - [`Lars`] is an optimizer that burn lacks; [`OptimizerConfig`] chooses among it and burn's own.
//! - [`Schedule`] is the learning rate as a pure function of the step; [`StepScheduler`] hands such
//!   a function to burn.

mod any_objective;
mod barlow_twins;
mod byol;
mod dino;
mod dino_head;
mod directions;
mod error;
mod lars;
mod mae;
mod nt_xent;
mod objective;
mod objective_config;
mod optimizer;
mod patches;
mod ramp;
#[cfg(test)]
mod reference;
mod schedule;
mod scheduler;
mod shards;
mod sim_siam;
mod simclr;
mod state;
mod statistics;
mod supervised;
mod vicreg;

pub use any_objective::AnyObjective;
pub use barlow_twins::{BarlowTwins, BarlowTwinsConfig};
pub use byol::{Byol, ByolConfig};
pub use dino::{Dino, DinoConfig};
pub use error::SslError;
pub use lars::{Lars, LarsConfig, LarsState};
pub use mae::{Mae, MaeConfig};
pub use nt_xent::NtXent;
pub use objective::{LocalViews, Objective, ObjectiveBatch, ObjectiveOutput, RunFacts};
pub use objective_config::ObjectiveConfig;
pub use optimizer::{AdamWConfig, OptimizerConfig, SgdConfig};
pub use schedule::{Schedule, ScheduleConfig};
pub use scheduler::StepScheduler;
pub use shards::{Negatives, Shard, Shards, Tree, joined, mean_of};
pub use sim_siam::{SimSiam, SimSiamConfig};
pub use simclr::{SimClr, SimClrConfig};
pub use supervised::{Supervised, SupervisedConfig};
pub use vicreg::{VicReg, VicRegConfig};
