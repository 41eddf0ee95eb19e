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
    /// A transformer's patch that does not divide its images.
    #[error(
        "encoder: `patch = {patch}` is not possible: it has to divide the side of the views, \
         {side} pixels"
    )]
    Patch {
        /// Side of a patch in pixels.
        patch: usize,
        /// Side of an image in pixels.
        side: usize,
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

impl ModelError {
    /// Images have 1 or 3 channels.
    pub(crate) fn check_channels(channels: usize) -> Result<(), Self> {
        if [1, 3].contains(&channels) {
            return Ok(());
        }
        Err(Self::Config {
            key: "channels",
            value: channels.to_string(),
            reason: "images have 1 or 3 channels",
        })
    }

    /// The factor of every width of a convolutional encoder.
    pub(crate) fn check_width(width: f64) -> Result<(), Self> {
        if width.is_finite() && width > 0.0 {
            return Ok(());
        }
        Err(Self::Config {
            key: "width",
            value: width.to_string(),
            reason: "the factor of every width is a finite number over 0",
        })
    }
}
