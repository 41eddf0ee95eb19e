//! What a coreset is chosen by, and how.

use serde::{Deserialize, Serialize};

use crate::facility::Greedy;
use crate::memory::Bytes;
use crate::partition::{Budget, Partition};
use crate::plan::Storage;
use crate::weights::Weighting;

/// What a coreset is chosen by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// CRUST's Eq. 5: points such that all others are near one of them, chosen greedily. In gradient
    /// space that prefers mislabelled samples: what is diverse there is what is wrong.
    FacilityLocation,
    /// CRUST as released: the least total distance to the group. Its code compares values where it
    /// should compare gains, and so never covers anything.
    Centrality,
    /// The point farthest from those chosen comes next.
    KCentre,
    /// The mean of the chosen follows the mean of all.
    Herding,
    /// Farthest from the centres of k-means: the hard samples (Sorscher et al. 2022).
    Prototypes,
    /// Nearest to the centres of k-means: the easy samples.
    PrototypesEasy,
    /// The smallest losses.
    SmallLoss,
    /// The longest residuals.
    El2n,
    /// The most forgetting events.
    Forgetting,
    /// The longest last-layer gradients.
    Grand,
    /// Facility location with cluster sizes as weights (Mirzasoleiman et al. 2020).
    Craig,
    /// Weighted gradients that add up to the whole.
    GradMatch,
    /// What lowers the loss on a validation set.
    Glister,
    /// Near to all, far from each other.
    GraphCut,
    /// Near to many views of others, and not near to each other: for self-supervised training.
    Sas,
    /// SAS as released, whose redundancy is always 0: near to many.
    SasReleased,
    /// Facility location that leans towards what an encoder memorized, or away from it; sees no label.
    Memorization,
    /// The highest scores of memorization, or the lowest, whatever they cover; sees no label.
    MemorizationAlone,
    /// At random, the same part of every group.
    Random,
    /// At random, the same number of every group.
    Uniform,
}

impl Strategy {
    /// All strategies with their names in settings.
    pub const ALL: [(&'static str, Self); 20] = [
        ("facility-location", Self::FacilityLocation),
        ("centrality", Self::Centrality),
        ("k-centre", Self::KCentre),
        ("herding", Self::Herding),
        ("prototypes", Self::Prototypes),
        ("prototypes-easy", Self::PrototypesEasy),
        ("small-loss", Self::SmallLoss),
        ("el2n", Self::El2n),
        ("forgetting", Self::Forgetting),
        ("grand", Self::Grand),
        ("craig", Self::Craig),
        ("grad-match", Self::GradMatch),
        ("glister", Self::Glister),
        ("graph-cut", Self::GraphCut),
        ("sas", Self::Sas),
        ("sas-released", Self::SasReleased),
        ("memorization", Self::Memorization),
        ("memorization-alone", Self::MemorizationAlone),
        ("random", Self::Random),
        ("uniform", Self::Uniform),
    ];

    /// The name in settings.
    pub fn name(self) -> &'static str {
        let named = Self::ALL.iter().find(|(_, strategy)| *strategy == self);
        named.map_or("", |(name, _)| name)
    }

    /// Whether scores of memorization are looked at.
    pub fn remembers(self) -> bool {
        matches!(self, Self::Memorization | Self::MemorizationAlone)
    }

    /// Whether all pairs of a group may have to be held.
    pub(crate) fn locates(self) -> bool {
        matches!(
            self,
            Self::FacilityLocation | Self::Craig | Self::Memorization
        )
    }
}

/// Which samples `memorization` leans towards, and `memorization-alone` chooses.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Prefer {
    /// Those of the highest scores: the atypical ones.
    #[default]
    Memorized,
    /// Those of the lowest scores.
    Typical,
}

/// Settings of a selection.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings<'a> {
    /// What is chosen by.
    pub strategy: Strategy,
    /// How many are chosen.
    pub budget: Budget,
    /// Groups that are chosen from apart.
    pub partition: Partition<'a>,
    /// Weights of the chosen.
    pub weighting: Weighting,
    /// How facility location is greedy.
    pub greedy: Greedy,
    /// Bytes for distances beside the input.
    pub memory: Bytes,
    /// How distances are held; by `memory` if not given.
    pub storage: Option<Storage>,
    /// Clusters of `prototypes` in each group.
    pub clusters: usize,
    /// What `memorization` leans towards, and `memorization-alone` chooses.
    pub prefer: Prefer,
    /// λ of `memorization`: what the most preferred sample is worth beside what it covers, at least 0,
    /// in units of what covering one sample whole is worth.
    pub bonus: f64,
    /// Threads; results do not depend on them.
    pub threads: usize,
    /// Seed of all random choices.
    pub seed: u64,
}

impl Settings<'_> {
    /// Facility location over all samples in at most 2 GiB, on one thread.
    pub fn new(budget: Budget) -> Self {
        Self {
            strategy: Strategy::FacilityLocation,
            budget,
            partition: Partition::None,
            weighting: Weighting::ClusterSize { cap: None },
            greedy: Greedy::EventDriven,
            memory: Bytes(2 << 30),
            storage: None,
            clusters: 10,
            prefer: Prefer::Memorized,
            bonus: 0.2,
            threads: 1,
            seed: 0,
        }
    }
}
