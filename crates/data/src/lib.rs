//! Image data sets with sample ids, and augmented views as pure functions of seed, epoch, sample
//! and view.
//!
//! A [`DataSource`] of the experiment's config loads into a [`DataSet`] of two [`ImageSet`]s, in memory
//! or as an index of images that are decoded when they are asked for. [`Views`] renders one augmented view of one picture for one random key. A [`ViewSource`]
//! renders whole batches in parallel, and a [`Prefetcher`] does so ahead of the training loop.
//! [`SampleStore`] shows pictures and probe views to plugins.
//!
//! # Examples
//! ```
//! use std::sync::Arc;
//!
//! use afterimage_data::{DataSource, Limits, Preset, ViewConfig, ViewSource, Views, batches, order};
//! use afterimage_hooks::Split;
//!
//! let limits = Limits { train: Some(100), held_out: Some(20) };
//! let data = Arc::new(DataSource::Embedded {}.load(limits)?);
//! let views = Views::new(&ViewConfig::preset(Preset::Normal), data.train.shape(), 7)?;
//! let source = ViewSource::new(data, Split::Train, views);
//! let plan = batches(&order(7, 1, 100), 32, true);
//! let batch = source.batch(&plan[0], 1, 2)?;
//! assert_eq!(batch.shape, [2 * 32, 1, 28, 28]);
//! # Ok::<(), afterimage_data::DataError>(())
//! ```

mod balance;
mod batch;
mod catalogue;
mod check;
mod dataset;
mod error;
mod image_set;
mod indexed;
mod load;
mod names;
mod order;
mod picture;
mod pictured;
mod planned;
mod prefetch;
mod read;
mod source;
mod store;
mod view;

pub use batch::{ViewBatch, ViewSource};
pub use check::{OnBad, Skipped};
pub use dataset::{DataSet, Limits};
pub use error::{DataError, MAX_LISTED, Problems};
pub use image_set::{ImageSet, Replacement};
pub use names::{Member, SampleName, SampleNames};
pub use order::{batches, order};
pub use picture::{Image, ImageRef, Shape};
pub use planned::Planned;
pub use prefetch::Prefetcher;
pub use source::DataSource;
pub use store::SampleStore;
pub use view::{
    Blur, ColourChange, Crop, DrawnView, Jitter, Normalize, Preset, Rect, Scratch, Solarize,
    ViewConfig, ViewRecipe, Views,
};
