//! Trials that do the same up to an epoch, so that one can begin where the other was.

use std::collections::BTreeMap;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::name::hex;

/// How long a run does what all others with this digest do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    digest: String,
    until: u32,
}

impl Share {
    /// A run that up to the end of epoch `until`, where it writes a checkpoint, hangs on nothing but what
    /// `text` says.
    pub fn of(text: &str, until: u32) -> Self {
        Self {
            digest: hex(&Sha256::digest(text)),
            until,
        }
    }

    /// Whether two runs are the same for as long as both say.
    pub fn is_like(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

/// Where a trial can begin instead of at its first step: at a checkpoint of another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fork {
    /// The other trial.
    pub trial: String,
    /// The epoch behind which the checkpoint is.
    pub epoch: u32,
}

/// For each trial, from what each shares with others, the place of an earlier trial that is the same up
/// to as late an epoch as any, and that epoch.
pub(crate) fn leaders(shares: &[Vec<Share>]) -> Vec<Option<(usize, u32)>> {
    // By digest the trial that does so the longest, the first of several.
    let mut longest: BTreeMap<&str, (usize, u32)> = BTreeMap::new();
    let mut found = Vec::with_capacity(shares.len());
    for (index, own) in shares.iter().enumerate() {
        let mut best: Option<(usize, u32)> = None;
        for share in own {
            if let Some(&(other, until)) = longest.get(share.digest.as_str()) {
                let epoch = until.min(share.until);
                if epoch > best.map_or(0, |(_, epoch)| epoch) {
                    best = Some((other, epoch));
                }
            }
        }
        for share in own {
            let known = longest
                .entry(share.digest.as_str())
                .or_insert((index, share.until));
            if share.until > known.1 {
                *known = (index, share.until);
            }
        }
        found.push(best);
    }
    found
}

/// Whether what a run was at an epoch could be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// It is.
    Now,
    /// The run has not come so far.
    NotYet,
    /// It cannot, and why.
    Never(String),
}

/// How the run of one trial becomes the beginning of another's.
pub trait Forks {
    /// Keeps what the run in `run` was at its checkpoint behind `epoch` in the new folder `to`, on disk. The run
    /// may be under way. Unless it says [`Kept::Now`], what there is of `to` is of no use.
    ///
    /// # Errors
    /// A folder that cannot be read or written.
    fn keep(&self, run: &Path, epoch: u32, to: &Path) -> Result<Kept, String>;

    /// Makes the new folder `run` the run directory of the config at `config`, at the checkpoint that was kept
    /// in `from`, on disk.
    ///
    /// # Errors
    /// A folder that cannot be read or written; what there is of `run` is of no use then.
    fn begin(&self, from: &Path, config: &Path, run: &Path) -> Result<(), String>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_begins_where_an_earlier_one_is_like_it_the_longest() {
        let share = |text, until| Share::of(text, until);
        let shares = [
            // Two that prune after epoch 6 in different ways, two that do so after epoch 20.
            vec![share("none", 5), share("a", 29)],
            vec![share("none", 5), share("b", 29)],
            vec![share("none", 19), share("c", 29)],
            vec![share("none", 19), share("d", 29)],
            // One of another seed, and one whose part before is short.
            vec![share("other", 29)],
            vec![share("none", 2)],
            vec![],
        ];
        let found = leaders(&shares);
        let wanted = [
            None,
            Some((0, 5)),
            Some((0, 5)),
            Some((2, 19)),
            None,
            Some((2, 2)),
            None,
        ];
        assert_eq!(found, wanted);
    }
}
