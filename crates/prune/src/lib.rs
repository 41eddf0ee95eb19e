//! Taking units out of an encoder while it trains: how much at which time, and which.
//!
//! [`Schedule`] and [`select`] are pure functions; the plugin [`Prune`] reads scores that other
//! plugins provide, and asks the engine for masks. Controls to compare a score with are here too:
//! weight magnitude, scale of the norm, saliency, mean activation, random numbers.
//!
//! # Examples
//! ```
//! use afterimage_prune::{Pool, Rules, Schedule, select};
//!
//! let cubic = Schedule::Cubic { begin: 0, end: 10, every: 5 };
//! assert_eq!(cubic.share(5), 1.0 - 0.5_f64.powi(3));
//!
//! let pool = Pool::new("encoder.layer2", [0.9, 0.1, 0.5, 0.7].map(Some).to_vec());
//! let rules = Rules { fraction: 0.5, ..Rules::default() };
//! let chosen = select(&[pool], &rules, None).unwrap();
//! assert_eq!(chosen.units["encoder.layer2"], [0, 3]);
//! ```

mod config;
mod error;
mod fractions;
mod normalise;
mod plugin;
mod pool;
mod schedule;
mod score;
mod scores;
mod select;

pub use config::{Aggregate, Compacting, PruneConfig};
pub use error::PruneError;
pub use fractions::FractionFault;
pub use normalise::Normaliser;
pub use plugin::Prune;
pub use pool::{Pool, over_channels, over_sites};
pub use schedule::{Schedule, Step};
pub use score::{Score, SiteValues, excess};
pub use scores::{
    ActivationMean, ActivationScores, BnGamma, GammaScores, Magnitude, MagnitudeScores,
    RandomScores, RandomUnits, SampledConfig, ScoredConfig, Taylor, TaylorScores,
};
pub use select::{Budget, Cost, Direction, Rules, Scope, Selected, select};
