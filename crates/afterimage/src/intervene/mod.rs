//! Interventions on an encoder that is there already, judged beside their control arms.
//!
//! What an intervention does to an encoder is read off the accuracy of its embeddings (kNN, and a
//! linear probe that is fitted anew for each arm) and off what it still remembers of its training
//! points: LayerMem where there is a reference encoder, and the alignment gap. Every intervention on
//! chosen layers or units comes with arms that do the same to as many random ones.

mod ablate;
mod arms;
mod controls;
mod curve;
mod exchange;
mod ids;
mod insert;
mod insert_limits;
mod insertion;
mod left;
mod rank;
mod scores;
mod subject;
mod taylor;
mod units;

pub use ablate::{AblateOptions, Ablation, Cut, RandomUnitArms, ablate};
pub(crate) use arms::arm_table;
pub use arms::{Arm, Arms};
pub use exchange::{ExchangeOptions, exchange};
pub use insert::{InsertOptions, insert};
pub use insertion::{InsertedUnit, Insertion, UnitAt};
pub use rank::{Ranked, UnitRank, Which};
pub(crate) use subject::{Operated, embedding_fits, views_fit};
pub use units::Grain;
