//! Interventions on an encoder that is there already, judged beside their control arms.
//!
//! What an intervention does to an encoder is read off the accuracy of its embeddings: kNN, and a
//! linear probe that is fitted anew for each arm. Every intervention on chosen layers or units comes
//! with arms that do the same to as many random ones.

mod ablate;
mod arms;
mod exchange;
mod insert;
mod subject;

pub use ablate::{AblateOptions, Grain, Which, ablate};
pub use arms::{Arm, Arms};
pub use exchange::{ExchangeOptions, exchange};
pub use insert::{InsertOptions, InsertedUnit, Insertion, UnitAt, insert};
