//! How the distances of a group are held in a memory budget.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::CoresetError;
use crate::facility::cloud::{Cloud, PANEL};
use crate::facility::dense::Dense;
use crate::facility::flat::Entry;
use crate::facility::listed;
use crate::memory::Bytes;

/// How distances are held. `Dense` and `MatrixFree` lead to the same choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Storage {
    /// The whole matrix, 4 bytes a distance.
    Dense,
    /// The whole matrix, 2 bytes a distance, rounded to 2⁻¹⁶ of the largest possible one.
    Half,
    /// Distances are computed when they are needed. Event-driven selection keeps those that can still
    /// matter, as many as the memory holds.
    MatrixFree,
    /// A graph of nearest neighbours; an approximation.
    Sparse,
}

impl Storage {
    /// The name in settings and summaries.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dense => "dense",
            Self::Half => "half",
            Self::MatrixFree => "matrix-free",
            Self::Sparse => "sparse",
        }
    }
}

impl fmt::Display for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Larger groups are not worth all their pairs.
pub(crate) const MOST_PAIRED: usize = 65_536;
/// Neighbours a point in the sparse graph: fewer lose quality, more gain nothing.
const NEIGHBOURS: std::ops::RangeInclusive<usize> = 16..=100;

/// What one group needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupPlan {
    /// How distances are held.
    pub storage: Storage,
    /// Bytes that are needed beside the input, at most.
    pub bytes: u64,
    /// Bytes for lists and what goes with them, 0 for no lists.
    pub(crate) lists: u64,
    /// Neighbours of the sparse way.
    pub(crate) neighbours: usize,
    /// Whether points are held twice, for speed.
    pub(crate) turned: bool,
}

impl GroupPlan {
    /// The best way for `len` points of `width` numbers in `budget` bytes, or `wanted` if it fits;
    /// `lists` says that the selection makes lists out of a pass over all pairs. Such a selection is
    /// rounded only if that is wanted.
    ///
    /// # Errors
    /// Nothing fits.
    pub(crate) fn new(
        len: usize,
        width: usize,
        budget: u64,
        threads: usize,
        lists: bool,
        wanted: Option<Storage>,
    ) -> Result<Self, CoresetError> {
        let tiles = threads as u64 * (PANEL * PANEL * 16) as u64;
        // Points, nearest distances, owners, gains and bounds.
        let base = Cloud::bytes(len, width, false) + len as u64 * 96 + tiles;
        let twice = Cloud::bytes(len, width, true) - Cloud::bytes(len, width, false);
        let dense = base + Dense::<i32>::bytes(len);
        let half = base + Dense::<u16>::bytes(len);
        // Without memory for lists all is computed again and again.
        let scratch = threads as u64 * (PANEL * PANEL * 8) as u64;
        let rounded = !lists;
        let lists = lists && base + scratch + listed::least_bytes(len, width) <= budget;
        // Neighbours in both directions, and with slack while they are searched.
        let neighbour = len as u64 * size_of::<Entry>() as u64 * 4;
        let sparse = base + neighbour * *NEIGHBOURS.start() as u64;
        let storage = match wanted {
            Some(wanted) => wanted,
            None if !lists && dense <= budget => Storage::Dense,
            None if rounded && half <= budget => Storage::Half,
            None if len <= MOST_PAIRED || dense <= budget => Storage::MatrixFree,
            None => Storage::Sparse,
        };
        let needed = match storage {
            Storage::Dense => dense,
            Storage::Half => half,
            Storage::MatrixFree => base,
            Storage::Sparse => sparse,
        };
        if needed > budget {
            return Err(CoresetError::Memory { budget, needed });
        }
        let left = budget - base;
        let neighbours = usize::try_from(left / neighbour.max(1)).unwrap_or(usize::MAX);
        let neighbours = neighbours.clamp(*NEIGHBOURS.start(), *NEIGHBOURS.end());
        let lists = match storage {
            Storage::MatrixFree if lists => (left - scratch).min(listed::most_bytes(len, width)),
            _ => 0,
        };
        let bytes = match storage {
            Storage::Dense => dense,
            Storage::Half => half,
            Storage::MatrixFree if lists > 0 => base + scratch + lists,
            Storage::MatrixFree => base,
            Storage::Sparse => base + neighbour * neighbours as u64,
        };
        let turned = bytes.saturating_add(twice) <= budget;
        Ok(Self {
            storage,
            bytes: if turned { bytes + twice } else { bytes },
            lists,
            neighbours,
            turned,
        })
    }
}

/// What all groups need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// One a group.
    pub groups: Vec<GroupPlan>,
    /// Groups that are worked on at a time.
    pub at_a_time: usize,
    /// The budget in bytes.
    pub budget: u64,
}

impl Plan {
    /// The most bytes that are needed at a time beside the input.
    pub fn bytes(&self) -> u64 {
        let mut bytes: Vec<u64> = self.groups.iter().map(|group| group.bytes).collect();
        bytes.sort_unstable();
        bytes.iter().rev().take(self.at_a_time).sum()
    }

    /// The ways that occur, in order.
    pub fn storages(&self) -> Vec<Storage> {
        let mut storages: Vec<Storage> = self.groups.iter().map(|group| group.storage).collect();
        storages.sort_unstable();
        storages.dedup();
        storages
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let storages: Vec<&str> = self.storages().iter().map(|s| s.name()).collect();
        write!(
            f,
            "distances of {} {}: {}, up to {} of {} at {} a time",
            self.groups.len(),
            if self.groups.len() == 1 {
                "group"
            } else {
                "groups"
            },
            storages.join(" and "),
            Bytes(self.bytes()),
            Bytes(self.budget),
            self.at_a_time
        )
    }
}
