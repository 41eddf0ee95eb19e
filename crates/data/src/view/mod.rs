//! Augmented views: what may happen (config), what happens to one view (drawn), and the pixels.
//!
//! Pixels stay in `[0, 1]` until the very last operation, normalisation. Augmenting after
//! normalisation, as some reference code does, destroys the negative half at the first clamp.

mod blur;
mod colour;
mod config;
mod crop;
mod draw;
mod recipe;
mod render;

pub use config::{Blur, Crop, Jitter, Normalize, Preset, Solarize, ViewConfig};
pub use crop::Rect;
pub use draw::{ColourChange, DrawnView};
pub use recipe::ViewRecipe;
pub use render::{Scratch, Views};
