//! What can be wrong with an encoder's configuration or with masks.

use thiserror::Error;

/// An error of this crate, in the user's terms.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ModelError {
    /// A configuration value out of range.
    #[error("encoder: `{key} = {value}` is not possible: {reason}")]
    Config {
        /// Key in the encoder's table.
        key: &'static str,
        /// The value found.
        value: String,
        /// What is possible.
        reason: &'static str,
    },
    /// A mask for a site that the model does not have.
    #[error("mask: the model has no site `{site}`; it has {}", known.join(", "))]
    UnknownSite {
        /// The name asked for.
        site: String,
        /// The model's sites in forward order.
        known: Vec<String>,
    },
    /// A unit number that the site does not have.
    #[error("mask: site `{site}` has units 0 to {}, not {unit}", units.saturating_sub(1))]
    UnknownUnit {
        /// Site name.
        site: String,
        /// The unit asked for.
        unit: usize,
        /// Number of units of the site.
        units: usize,
    },
    /// Two masks, or a mask and a model, that disagree on the number of units of a site.
    #[error(
        "mask: site `{site}` has {expected} units, but the mask has {found}; it was made for \
         another model"
    )]
    MaskLength {
        /// Site name.
        site: String,
        /// Number of units of the site.
        expected: usize,
        /// Length of the mask.
        found: usize,
    },
}
