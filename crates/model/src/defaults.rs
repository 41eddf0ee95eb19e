//! Values of keys that several encoders leave out.

/// Channels of a colour image.
pub(crate) fn rgb() -> usize {
    3
}

/// The factor of every width that leaves a network as published.
pub(crate) fn as_published() -> f64 {
    1.0
}
