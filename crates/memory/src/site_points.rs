//! The points of one site, in the form that is asked for.

use afterimage_hooks::SampleId;
use serde::{Deserialize, Serialize};

use crate::error::MemoryError;
use crate::unit_buffer::UnitBuffer;
use crate::unit_max::UnitState;
use crate::unitmem::{Form, UnitMem};

/// What a probe keeps of a site: the one-pass state, and all activations where the form needs them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SitePoints {
    state: UnitState,
    buffer: Option<UnitBuffer>,
}

impl SitePoints {
    /// A site with `units` units before any point.
    pub fn new(form: Form, units: usize) -> Self {
        Self {
            state: UnitState::new(units),
            buffer: (form == Form::OfficialCode).then(|| UnitBuffer::new(units)),
        }
    }

    /// Adds points: their ids, and their mean activations `[points, units]` in row-major order.
    ///
    /// # Errors
    /// A number of values that is not points · units; a point that is there twice.
    pub fn update(&mut self, ids: &[SampleId], values: &[f32]) -> Result<(), MemoryError> {
        self.state.update(ids, values)?;
        match &mut self.buffer {
            Some(buffer) => buffer.update(ids, values),
            None => Ok(()),
        }
    }

    /// Extremes and sums of the points so far.
    pub fn state(&self) -> &UnitState {
        &self.state
    }

    /// Scores and owners of the points so far.
    pub fn unitmem(&self) -> UnitMem {
        match &self.buffer {
            Some(buffer) => UnitMem::official_code(buffer),
            None => UnitMem::paper(&self.state),
        }
    }
}
