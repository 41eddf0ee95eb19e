//! Self-supervised objectives, optimizers and schedules.
//!
//! - [`NtXent`] is SimCLR's loss; [`Objective`] is what the loop needs of any such loss.
//! - [`Lars`] is an optimizer that burn lacks; [`OptimizerConfig`] chooses among it and burn's own.
//! - [`Schedule`] is the learning rate as a pure function of the step; [`StepScheduler`] hands such
//!   a function to burn.

mod error;
mod lars;
mod nt_xent;
mod objective;
mod optimizer;
mod schedule;
mod scheduler;

pub use error::SslError;
pub use lars::{Lars, LarsConfig, LarsState};
pub use nt_xent::NtXent;
pub use objective::{Objective, ObjectiveConfig};
pub use optimizer::{AdamWConfig, OptimizerConfig, SgdConfig};
pub use schedule::{Schedule, ScheduleConfig};
pub use scheduler::StepScheduler;
