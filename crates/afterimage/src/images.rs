//! The images of a run.

use afterimage_data::DataSet;
use afterimage_hooks::Doses;

use crate::doses::plant;
use crate::error::RunError;
use crate::experiment::Experiment;

impl Experiment {
    /// The images of the run, with the labels that it trains on.
    ///
    /// # Errors
    /// Images that cannot be read, limits that cannot be met, noise that does not fit the classes.
    pub fn load_data(&self) -> Result<DataSet, RunError> {
        self.load_data_telling(&mut Vec::new())
    }

    /// As [`load_data`](Self::load_data); what there is to say about the images goes to `notes`.
    ///
    /// # Errors
    /// As [`load_data`](Self::load_data).
    pub fn load_data_telling(&self, notes: &mut Vec<String>) -> Result<DataSet, RunError> {
        let mut data = self.data.load_telling(self.limits, notes)?;
        if let Some(noise) = self.label_noise {
            data = noise.apply(data, self.seed)?;
        }
        match self.doses(data.train.len())? {
            Some(doses) => plant(data, &doses, self.seed),
            None => Ok(data),
        }
    }

    /// The planted ones of `samples` training images, where there are to be such.
    ///
    /// # Errors
    /// Doses, or a pair, that do not fit so many.
    pub(crate) fn doses(&self, samples: usize) -> Result<Option<Doses>, RunError> {
        let Some(config) = &self.doses else {
            return Ok(None);
        };
        let pair = self
            .pair
            .map(|pair| pair.sets(samples, self.seed))
            .transpose()?;
        config.choose(samples, pair.as_ref(), self.seed).map(Some)
    }
}
