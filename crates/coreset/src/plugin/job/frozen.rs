//! What stays as it is while a run goes on, read and worked out once.

use std::sync::{Arc, Mutex, PoisonError};

use crate::error::CoresetError;
use crate::matrix::Matrix;

/// What frozen features say of the observed labels.
#[derive(Debug)]
pub(super) struct Judged {
    /// The probability that each label is right, before what the training itself says.
    pub(super) known: Option<Vec<f64>>,
    /// What tells samples of equal probabilities apart.
    pub(super) fine: Option<Vec<f64>>,
}

/// What the gate makes of files and labels, shared by the selections of a run. A selection that finds
/// nothing here works it out anew, so that a resumed run chooses the same from the same files.
#[derive(Debug, Clone, Default)]
pub(in crate::plugin) struct Frozen(Arc<Held>);

#[derive(Debug, Default)]
struct Held {
    embeddings: Mutex<Option<Arc<Matrix>>>,
    memorization: Mutex<Option<Arc<Option<Vec<f64>>>>>,
    judged: Mutex<Option<Arc<Judged>>>,
}

impl Frozen {
    /// Rows of embeddings; `read` only the first time.
    pub(in crate::plugin) fn embeddings(
        &self,
        read: impl FnOnce() -> Result<Matrix, CoresetError>,
    ) -> Result<Arc<Matrix>, CoresetError> {
        once(&self.0.embeddings, read)
    }

    /// How much each sample was memorized; `read` only the first time.
    pub(in crate::plugin) fn memorization(
        &self,
        read: impl FnOnce() -> Result<Option<Vec<f64>>, CoresetError>,
    ) -> Result<Arc<Option<Vec<f64>>>, CoresetError> {
        once(&self.0.memorization, read)
    }

    /// What frozen features say of labels; `judge` only the first time.
    pub(super) fn judged(
        &self,
        judge: impl FnOnce() -> Result<Judged, CoresetError>,
    ) -> Result<Arc<Judged>, CoresetError> {
        once(&self.0.judged, judge)
    }
}

/// What is held, or what `make` makes, which is held from then on; an error is not.
fn once<T>(
    held: &Mutex<Option<Arc<T>>>,
    make: impl FnOnce() -> Result<T, CoresetError>,
) -> Result<Arc<T>, CoresetError> {
    let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = &*held {
        return Ok(Arc::clone(found));
    }
    let made = Arc::new(make()?);
    *held = Some(Arc::clone(&made));
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_read_once_and_a_failure_is_tried_again() -> Result<(), CoresetError> {
        let frozen = Frozen::default();
        let missing = || Err(CoresetError::setting("embeddings", "is not told"));
        assert!(frozen.embeddings(missing).is_err());
        let first = frozen.embeddings(|| Matrix::new("rows", 1, 1, vec![2.0]))?;
        let second = frozen.clone().embeddings(missing)?;
        assert!(Arc::ptr_eq(&first, &second));
        Ok(())
    }
}
