//! The latest probe as a resource for other plugins.

use afterimage_hooks::Resource;
use serde::{Deserialize, Serialize};

use crate::unitmem::UnitMem;

/// Scores and owners of every probed unit, as the last probe found them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UnitScores {
    /// Epoch of the probe; 0 before training.
    pub epoch: u32,
    /// Step of the probe; 0 before training.
    pub step: u64,
    /// Probed sites in forward order.
    pub sites: Vec<SiteScores>,
}

/// The scores of one site.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SiteScores {
    /// Name of the site.
    pub site: String,
    /// On training points.
    pub train: UnitMem,
    /// On as many held-out points, the null.
    pub held_out: UnitMem,
}

impl UnitScores {
    /// The scores of the site called `site`.
    pub fn get(&self, site: &str) -> Option<&SiteScores> {
        self.sites.iter().find(|scores| scores.site == site)
    }
}

impl Resource for UnitScores {
    const NAME: &'static str = "unitmem.scores";
}
