//! The latest ClassMem as a resource for other plugins.

use afterimage_hooks::Resource;
use serde::{Deserialize, Serialize};

use crate::unitmem::UnitMem;

/// ClassMem of every probed unit, as the last probe found it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassScores {
    /// Epoch of the probe; 0 before training.
    pub epoch: u32,
    /// Step of the probe; 0 before training.
    pub step: u64,
    /// Probed sites in forward order, with ClassMem on training points; owners are classes.
    pub sites: Vec<(String, UnitMem)>,
}

impl Resource for ClassScores {
    const NAME: &'static str = "classmem.scores";
}
