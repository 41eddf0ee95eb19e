//! The images of a run.

use afterimage_data::{DataError, DataSet};
use afterimage_hooks::{Attached, Doses};
use afterimage_value::DynamicsConfig;

use crate::doses::plant;
use crate::error::RunError;
use crate::experiment::Experiment;
use crate::points::settings;

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
        if !data.train.has_labels() {
            self.check_without_labels()?;
        }
        if let Some(noise) = self.label_noise {
            data = noise.apply(data, self.seed)?;
        }
        match self.doses(data.train.len())? {
            Some(doses) => plant(data, &doses, self.seed),
            None => Ok(data),
        }
    }

    /// Refuses settings that need labels.
    fn check_without_labels(&self) -> Result<(), RunError> {
        let (key, what) = if self.label_noise.is_some() {
            ("label_noise", "label noise".to_owned())
        } else if self.objective.needs_labels() {
            let kind = self.objective.kind();
            ("objective.kind", format!("the objective {kind:?}"))
        } else {
            return Ok(());
        };
        let key = key.to_owned();
        Err(RunError::NoLabels { key, what })
    }

    /// Refuses plugins that `data` cannot serve: that read labels where there are none, or ask for more held-out
    /// images than there are.
    pub(crate) fn check_plugins(
        &self,
        data: &DataSet,
        plugins: &[Attached],
    ) -> Result<(), RunError> {
        let mut readers = plugins.iter().map(Attached::manifest).enumerate();
        let reader = readers.find(|(_, manifest)| manifest.reads_labels || manifest.reads_truth);
        match reader {
            Some((index, manifest)) if !data.train.has_labels() => Err(RunError::NoLabels {
                key: format!("plugins[{index}]"),
                what: format!("the plugin {:?} as it is set", manifest.id),
            }),
            _ => self.check_validation(data.held_out.len()),
        }
    }

    /// Refuses more held-out images to compare with than there are.
    fn check_validation(&self, held_out: usize) -> Result<(), RunError> {
        for (index, entry) in self.plugins.iter().enumerate() {
            if entry.kind != "dynamics" {
                continue;
            }
            let wanted = settings(entry).map_or(0, |c: DynamicsConfig| c.validation);
            if wanted > held_out {
                return Err(RunError::Data(DataError::Config {
                    key: format!("plugins[{index}].validation"),
                    reason: format!(
                        "{wanted} held-out images are to be compared with, and there are {held_out}; give \
                         at most as many, or 0 for no such values"
                    ),
                }));
            }
        }
        Ok(())
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
