//! The training loop on burn-train: events, requests, checkpoints, exact resume and evaluation.
//!
//! [`Afterimage`] attaches plugins to a burn `SupervisedTraining`. The loop itself is one file,
//! `training.rs`, to be read from top to bottom.

mod attach;
mod canonical;
mod checkpoint;
mod checkpoint_parts;
mod commit;
mod config_difference;
mod driver;
mod embed;
mod error;
mod evaluate;
mod exchange;
mod feed;
mod gathering;
mod gradients;
mod hooked;
mod host;
mod inside;
mod judge;
mod knn;
mod latency;
mod lifecycle;
mod linear_probe;
mod live;
mod lock_step;
mod loss;
mod pace;
mod part;
mod pretrain;
mod processes;
mod pull;
mod records;
mod recover;
mod running;
mod saving;
mod shards;
mod signals;
mod stopwatch;
mod strategy;
mod surgery;
mod tape;
mod training;
mod view_feed;

pub use attach::{Afterimage, RunReport};
pub use checkpoint::{Checkpoints, LoopState, give_config};
pub use checkpoint_parts::{
    Stood, read_book, read_kept, read_model, read_plugins, read_state, read_stood,
};
pub use config_difference::difference as config_difference;
pub use embed::embed;
pub use error::TrainError;
pub use evaluate::Evaluator;
pub use feed::{Batches, Feed, NoLoader, batches, default_plan};
pub use hooked::{Forward, HookedModel, ReferenceLoss};
pub use host::host_of_runs;
pub use judge::{Judge, JudgeConfig, balanced, has_classes};
pub use knn::{Embeddings, accuracy, named};
pub use latency::median_milliseconds;
pub use linear_probe::LinearProbe;
pub use lock_step::LockStep;
pub use pretrain::{SslBatch, SslModel, SslOutput};
pub use processes::{Group, Processes};
pub use recover::Good;
pub use signals::listen;
pub use view_feed::{Ahead, ViewFeed};
