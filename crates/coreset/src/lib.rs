//! Coresets: subsets of a training set, chosen by what a network makes of its samples.
//!
//! The way of a selection: a representation of the samples ([`Points`]: residuals, proxies of the
//! gradient, factors of last-layer gradients, features, SSL embeddings) and what else is known of
//! them make an [`Evidence`]; with [`Settings`] it becomes a [`Selection`], which says how much memory
//! it will need before it takes any, and then a [`Coreset`].
//!
//! CRUST is here twice, under the names of what it does: [`Strategy::FacilityLocation`] is Eq. 5 of
//! the paper, [`Strategy::Centrality`] is what the released code computes. They choose nearly opposite
//! samples. That a sample is a medoid does not make it clean.
//!
//! Sources: Coresets for Robust Training of Deep Neural Networks against Noisy Labels (CRUST), NeurIPS
//! 2020; CRAIG, ICML 2020; the others at their names.
//!
//! # Examples
//! ```
//! use afterimage_coreset::{Budget, Evidence, Matrix, Points, Selection, Settings};
//!
//! // Five samples on a line: two near 0, three near 10.
//! let rows = Matrix::new("features", 5, 1, vec![0.0, 1.0, 9.0, 10.0, 11.0])?;
//! let points = Points::Rows(rows);
//! let selection = Selection::plan(Evidence::of(&points), Settings::new(Budget::Count(2)))?;
//! let coreset = selection.run()?;
//! assert_eq!(coreset.indices, [2, 0]);
//! assert_eq!(coreset.weights, [3.0, 2.0]);
//! assert_eq!(coreset.cost, 0.0 + 1.0 + 0.0 + 1.0 + 2.0);
//! # Ok::<(), afterimage_coreset::CoresetError>(())
//! ```

mod axes;
mod chance;
mod distances;
mod error;
mod evidence;
mod facility;
mod gains;
pub mod gate;
mod kmeans;
mod matrix;
mod memory;
pub mod noise;
mod partition;
mod plan;
#[cfg(feature = "plugin")]
pub mod plugin;
mod points;
pub mod quality;
mod random;
pub mod read;
mod representation;
mod select;
mod settings;
mod spread;
mod strategy;
mod weights;
mod write;

pub use axes::PrincipalAxes;
pub use chance::RandomChoices;
pub use error::{CoresetError, Ids};
pub use evidence::Evidence;
pub use facility::Greedy;
pub use kmeans::{Clusters, k_means};
pub use matrix::{LentMatrix, Matrix};
pub use memory::{Bytes, held_memory, peak_memory};
pub use partition::{Budget, Partition, equal_shares, shares};
pub use plan::{GroupPlan, Plan, Storage};
pub use points::{LastLayer, Points};
pub use representation::{penultimate_proxies, residuals};
pub use select::{Coreset, Selection};
pub use settings::{Prefer, Settings, Strategy};
pub use spread::spread;
pub use strategy::{Validation, el2n, forgetting_events, grand};
pub use weights::Weighting;
