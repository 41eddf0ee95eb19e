//! Units held at zero.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use afterimage_hooks::Site;
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::ModelError;

/// Which units of which sites are kept, by site name; a site that is not named keeps all.
///
/// A masked unit is exactly 0 where its site puts it out, and so is its gradient before the site.
/// Mask a site after norm and activation: behind a masked convolution the norm's bias would bring
/// the unit back. At a residual site a unit is zero for all that follows; at the activation of a
/// residual branch only the branch's share is.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(
    from = "BTreeMap<String, Vec<bool>>",
    into = "BTreeMap<String, Vec<bool>>"
)]
pub struct Masks {
    kept: BTreeMap<String, Vec<bool>>,
    /// Rows of ones and zeros `[C]` on the device that asked last, made at first use.
    rows: Arc<Mutex<BTreeMap<String, Tensor<1>>>>,
}

impl Masks {
    /// Masks that keep every unit.
    pub fn none() -> Self {
        Self::default()
    }

    /// Sets the mask of `site`: `kept[u]` tells whether unit `u` stays.
    pub fn set(&mut self, site: impl Into<String>, kept: Vec<bool>) {
        // A fresh cache: clones of these masks go on with the rows that they have.
        self.rows = Arc::default();
        self.kept.insert(site.into(), kept);
    }

    /// Prunes `units` of `site`, beside those that are pruned already.
    ///
    /// # Errors
    /// A unit number that the site does not have; a mask of another length.
    pub fn prune(&mut self, site: &Site, units: &[usize]) -> Result<(), ModelError> {
        let mut kept = match self.kept.get(&site.name) {
            Some(kept) => kept.clone(),
            None => vec![true; site.units],
        };
        check_length(&site.name, site.units, kept.len())?;
        for &unit in units {
            let Some(keeps) = kept.get_mut(unit) else {
                return Err(ModelError::UnknownUnit {
                    site: site.name.clone(),
                    unit,
                    units: site.units,
                });
            };
            *keeps = false;
        }
        self.set(site.name.clone(), kept);
        Ok(())
    }

    /// The mask of `site`, if it is named.
    pub fn get(&self, site: &str) -> Option<&[bool]> {
        self.kept.get(site).map(Vec::as_slice)
    }

    /// Named sites with their masks, in name order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[bool])> {
        self.kept
            .iter()
            .map(|(site, kept)| (site.as_str(), kept.as_slice()))
    }

    /// Number of pruned units over all sites.
    pub fn pruned(&self) -> usize {
        self.kept.values().flatten().filter(|kept| !**kept).count()
    }

    /// Whether every unit is kept.
    pub fn is_empty(&self) -> bool {
        self.pruned() == 0
    }

    /// The masks that prune what either prunes: commutative, associative, idempotent, with
    /// [`Masks::none`] as neutral element; applying them is applying one after the other.
    ///
    /// # Errors
    /// A site with different numbers of units in the two.
    pub fn union(&self, other: &Self) -> Result<Self, ModelError> {
        let mut union = Self {
            kept: self.kept.clone(),
            rows: Arc::default(),
        };
        for (site, theirs) in &other.kept {
            match union.kept.get_mut(site) {
                None => {
                    union.kept.insert(site.clone(), theirs.clone());
                }
                Some(ours) => {
                    check_length(site, ours.len(), theirs.len())?;
                    ours.iter_mut().zip(theirs).for_each(|(a, b)| *a &= *b);
                }
            }
        }
        Ok(union)
    }

    /// Checks that a model with `sites` can carry these masks.
    ///
    /// # Errors
    /// A name that is not among `sites`; another number of units.
    pub fn check(&self, sites: &[Site]) -> Result<(), ModelError> {
        for (name, kept) in &self.kept {
            let Some(site) = sites.iter().find(|site| site.name == *name) else {
                return Err(ModelError::UnknownSite {
                    site: name.clone(),
                    known: sites.iter().map(|site| site.name.clone()).collect(),
                });
            };
            check_length(name, site.units, kept.len())?;
        }
        Ok(())
    }

    /// The factor row `[C]` of `site` on `device`, without autodiff; none if it keeps all units.
    ///
    /// # Panics
    /// If the site has another number of units; [`check`](Self::check) tells beforehand.
    pub(crate) fn row(&self, site: &str, units: usize, device: &Device) -> Option<Tensor<1>> {
        let kept = self.kept.get(site)?;
        if kept.iter().all(|kept| *kept) {
            return None;
        }
        assert_eq!(kept.len(), units, "mask of site `{site}`");
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(row) = rows.get(site).filter(|row| row.device() == *device) {
            return Some(row.clone());
        }
        let factors: Vec<f32> = kept.iter().map(|kept| f32::from(u8::from(*kept))).collect();
        let device = device.clone().without_autodiff();
        let row = Tensor::from_data(TensorData::new(factors, [units]), &device);
        rows.insert(site.to_owned(), row.clone());
        Some(row)
    }
}

impl PartialEq for Masks {
    fn eq(&self, other: &Self) -> bool {
        self.kept == other.kept
    }
}

impl Eq for Masks {}

impl From<BTreeMap<String, Vec<bool>>> for Masks {
    fn from(kept: BTreeMap<String, Vec<bool>>) -> Self {
        Self {
            kept,
            rows: Arc::default(),
        }
    }
}

impl From<Masks> for BTreeMap<String, Vec<bool>> {
    fn from(masks: Masks) -> Self {
        masks.kept
    }
}

fn check_length(site: &str, expected: usize, found: usize) -> Result<(), ModelError> {
    if expected == found {
        return Ok(());
    }
    Err(ModelError::MaskLength {
        site: site.to_owned(),
        expected,
        found,
    })
}
