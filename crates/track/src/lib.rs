//! Sinks of a run: TensorBoard, JSON lines, Parquet tables, progress and the HTML report; and the plugin
//! [`Watch`], whose histograms are made for TensorBoard.
//!
//! The loop hands its records to one [`Sinks`]. A sink that cannot write (full disk, unwritable
//! folder) never ends a run: what it could not write waits, and it tries again.

mod beat;
mod bins;
mod book;
mod csv;
mod error;
pub mod files;
mod groups;
mod held;
mod hparams;
mod images;
mod jsonl;
mod layout;
mod parquet_file;
mod progress;
mod replay;
mod report;
mod sinks;
mod summary;
mod tables;
mod tensorboard;
mod trackers;
mod watch;

pub use beat::Beat;
pub use bins::Bins;
pub use book::Book;
pub use csv::write_csv;
pub use error::TrackError;
pub use groups::glossary;
pub use hparams::{HParam, Session, SessionStatus};
pub use images::{ImageLine, Images, read_images};
pub use jsonl::{
    HistogramLine, Metrics, Number, ScalarLine, is_clock_dependent, missing_scalars,
    read_histograms, read_scalars,
};
pub use layout::{Category, Chart, unitmem_layout};
pub use parquet_file::{read_table, write_table, write_table_with_vectors};
pub use progress::{EpochLine, LogWriter, Mode, Progress};
pub use replay::replay;
pub use report::{PluginCost, Report, Scalar, name_of, scalars_of};
pub use sinks::{Disabled, Sinks};
pub use summary::TextTable;
pub use tables::Tables;
pub use tensorboard::{TensorBoard, code_block};
pub use trackers::{IDENTITY, SinkConfig, Subject, catch_up};
pub use watch::{Watch, WatchConfig};
