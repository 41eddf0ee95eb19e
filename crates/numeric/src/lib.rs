//! Arithmetic that more than one crate needs, on slices of the host: each function adds in one order, in
//! numbers of one width, so that its bits depend on nothing but its input.
//!
//! Where two forms differ by rounding and both are in use, each has a name that says how. Products of matrices
//! are in `afterimage-matmul`; what tensors do is burn's.

mod adam;
mod area;
mod cholesky;
mod mean;
mod quantile;
mod ranks;
mod share;
mod softmax;

pub use adam::{Adam, FoldedAdam};
pub use area::{Area, auroc};
pub use cholesky::{Cholesky, pivoted_cholesky};
pub use mean::{mean, mean_and_deviation, moments, standard_error};
pub use quantile::{median, quantile, upper_median};
pub use ranks::{mean_ranks, ranks};
pub use share::{chance_of_equal, largest_share, share_error, share_interval};
pub use softmax::{log_sum_exp, softmax, softmax_by_f32, softmax_f32};
